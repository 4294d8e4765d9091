"""Counts of at least m: their log probability, mean and variance as functions of the linear predictor.

In an exponential family log P(Y ≥ m) has the slope E[Y | Y ≥ m] − E[Y] and the curvature Var[Y | Y ≥ m] − Var[Y]. Where
the mean is at least m, the probabilities below m are summed and subtracted from 1. Where it is below m, the tail itself
is summed upwards from m by the ratios p(y + 1)/p(y), so that its logarithm is finite however small the tail is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from brightspots.common.arrays import FloatArray
from brightspots.likelihood.family import CountFamily, Moments

# Terms below this share of the sum are left out: even thousands of them change neither it nor its second moment.
NEGLIGIBLE = 1e-25


class Tail(NamedTuple):
    """Of Y ≥ m: log probability, E[Y | Y ≥ m] − E[Y], and Var[Y | Y ≥ m]."""

    log_probability: FloatArray
    excess: FloatArray
    variance: FloatArray


def tail(
    family: CountFamily, least: FloatArray, size: FloatArray, predictor: FloatArray, moments: Moments
) -> Tail:
    """Log probability, mean and variance of counts of at least `least`.

    Parameters
    ----------
    family : CountFamily
    least : (N,)
        m; where it is 0 nothing is cut off.
    size : (N,)
    predictor : (N, ...)
    moments : Moments
        Of the untruncated count, (N, ...) each.

    Returns
    -------
    Tail
        (N, ...) each.
    """
    shape = predictor.shape
    extra = (1,) * (predictor.ndim - 1)
    m, n = (np.broadcast_to(each.reshape(-1, *extra), shape).ravel() for each in (least, size))
    s, mu, var = predictor.ravel(), moments.mean.ravel(), moments.information.ravel()
    result = Tail(np.zeros(s.size), np.zeros(s.size), var.copy())
    rule = mu >= m
    for at, upwards in ((np.flatnonzero(rule & (m > 0)), False), (np.flatnonzero(~rule), True)):
        if len(at):
            given = family, m[at], n[at], s[at], mu[at]
            part = _upwards(*given) if upwards else _by_complement(*given, var[at])
            for whole, values in zip(result, part, strict=True):
                whole[at] = values
    return Tail(*(values.reshape(shape) for values in result))


def _by_complement(
    family: CountFamily, m: FloatArray, n: FloatArray, s: FloatArray, mu: FloatArray, var: FloatArray
) -> Tail:
    """Sum the probabilities (and moments) of the counts m − 1, m − 2, …, 0, and subtract them from the whole."""
    below, first, second = np.zeros(len(m)), np.zeros(len(m)), np.zeros(len(m))
    for step in range(1, int(m.max()) + 1):
        count = m - step
        mass = np.exp(family.log_mass(np.maximum(count, 0.0), n, s))
        probability = np.where(count >= 0, mass, 0.0)
        if not probability.any():
            break
        below += probability
        first += (mu - count) * probability
        second += (mu - count) ** 2 * probability
    left = 1.0 - below
    excess = first / left
    return Tail(np.log1p(-below), excess, np.maximum((var - second) / left - excess**2, 0.0))


def _upwards(family: CountFamily, m: FloatArray, n: FloatArray, s: FloatArray, mu: FloatArray) -> Tail:
    """Sum the probabilities of m, m + 1, … relative to that of m; each term is smaller than the one before."""
    odds = np.exp(s)
    term, total = np.ones(len(m)), np.ones(len(m))
    first, second = np.zeros(len(m)), np.zeros(len(m))
    step = 0
    while True:
        step += 1
        count = m + step
        term = term * np.maximum(family.neighbours(odds, count, n), 0.0)
        if np.all(term <= NEGLIGIBLE * total):
            break
        total += term
        first += step * term
        second += step * step * term
    shift = first / total
    return Tail(
        family.log_mass(m, n, s) + np.log(total),
        m + shift - mu,
        np.maximum(second / total - shift**2, 0.0),
    )
