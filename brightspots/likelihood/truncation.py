"""Counts of at least m: their log probability, mean and variance as functions of the linear predictor.

In an exponential family log P(Y ≥ m) has the slope E[Y | Y ≥ m] − E[Y] and the curvature Var[Y | Y ≥ m] − Var[Y]. Where
counts of m and more are the rule, what lies below m is summed and taken off; where they are the exception, the tail
itself is summed upwards from m by ratios of neighbours, so that its logarithm exists however small it is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import gammaln

from brightspots.data.cells import FloatArray

# Terms of a sum that add nothing to it, nor to its second moment over thousands of steps.
NEGLIGIBLE = 1e-25


class Tail(NamedTuple):
    """Of Y ≥ m: log probability, E[Y | Y ≥ m] − E[Y], and Var[Y | Y ≥ m]."""

    log_probability: FloatArray
    excess: FloatArray
    variance: FloatArray


def tail(
    least: FloatArray,
    people: FloatArray | None,
    predictor: FloatArray,
    mean: FloatArray,
    variance: FloatArray,
) -> Tail:
    """Moments of counts of at least `least`.

    Parameters
    ----------
    least : (N,)
        m; where it is 0 nothing is cut off.
    people : (N,) or None
        Denominators (binomial); None for Poisson.
    predictor, mean, variance : (N, ...)
        Linear predictor, mean and variance of the untruncated count.
    """
    shape = predictor.shape
    extra = (1,) * (predictor.ndim - 1)
    m = np.broadcast_to(least.reshape(-1, *extra), shape).ravel()
    n = None if people is None else np.broadcast_to(people.reshape(-1, *extra), shape).ravel()
    s, mu, var = predictor.ravel(), mean.ravel(), variance.ravel()
    result = Tail(np.zeros(s.size), np.zeros(s.size), var.copy())
    rule = mu >= m
    for at, upwards in ((np.flatnonzero(rule & (m > 0)), False), (np.flatnonzero(~rule), True)):
        if len(at):
            given = m[at], None if n is None else n[at], s[at], mu[at]
            part = _upwards(*given) if upwards else _by_complement(*given, var[at])
            for whole, values in zip(result, part, strict=True):
                whole[at] = values
    return Tail(*(values.reshape(shape) for values in result))


def _log_pmf(count: FloatArray, n: FloatArray | None, s: FloatArray, mu: FloatArray) -> FloatArray:
    if n is None:
        return np.asarray(count * s - gammaln(count + 1.0) - mu)
    choose = gammaln(n + 1.0) - gammaln(count + 1.0) - gammaln(n - count + 1.0)
    return np.asarray(choose + count * s - n * np.logaddexp(0.0, s))


def _by_complement(
    m: FloatArray, n: FloatArray | None, s: FloatArray, mu: FloatArray, var: FloatArray
) -> Tail:
    """From what lies below m, downwards from m − 1."""
    below, first, second = np.zeros(len(m)), np.zeros(len(m)), np.zeros(len(m))
    for step in range(1, int(m.max()) + 1):
        count = m - step
        probability = np.where(count >= 0, np.exp(_log_pmf(np.maximum(count, 0.0), n, s, mu)), 0.0)
        if not probability.any():
            break
        below += probability
        first += (mu - count) * probability
        second += (mu - count) ** 2 * probability
    left = 1.0 - below
    excess = first / left
    return Tail(np.log1p(-below), excess, np.maximum((var - second) / left - excess**2, 0.0))


def _upwards(m: FloatArray, n: FloatArray | None, s: FloatArray, mu: FloatArray) -> Tail:
    """From m upwards; every ratio of neighbours is below one."""
    odds = np.exp(s)
    term, total = np.ones(len(m)), np.ones(len(m))
    first, second = np.zeros(len(m)), np.zeros(len(m))
    step = 0
    while True:
        step += 1
        count = m + step
        term = term * (odds / count if n is None else np.maximum(odds * (n - count + 1.0), 0.0) / count)
        if np.all(term <= NEGLIGIBLE * total):
            break
        total += term
        first += step * term
        second += step * step * term
    shift = first / total
    log_probability = _log_pmf(m, n, s, mu) + np.log(total)
    return Tail(log_probability, m + shift - mu, np.maximum(second / total - shift**2, 0.0))
