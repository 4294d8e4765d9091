"""Importance weights: smoothing, diagnosis, effective size, and equally weighted draws out of weighted ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from brightspots.common.arrays import FloatArray, IntArray


class Weights(NamedTuple):
    """Normalised weights (S,) and the Pareto shape k̂ of their upper tail."""

    values: FloatArray
    pareto_k: float


def smooth(log_ratios: FloatArray) -> Weights:
    """Pareto-smooth importance ratios (Vehtari, Simpson, Gelman, Yao & Gabry 2024, JMLR 25:72).

    The largest min(S/5, 3√S) ratios are replaced by expected order statistics of a generalised Pareto
    distribution fitted to them. Below k̂ = 0.7 averages with the smoothed weights are reliable.
    """
    ratios = np.exp(log_ratios - log_ratios.max())
    size = len(ratios)
    tail = int(min(size / 5.0, 3.0 * np.sqrt(size)))
    if tail < 5:
        return Weights(ratios / ratios.sum(), float("inf"))
    order = np.argsort(ratios, kind="stable")
    at = order[-tail:]
    threshold = ratios[order[-tail - 1]]
    excess = ratios[at] - threshold
    # Ratios that are all alike (an exact proposal) have no tail to fit.
    if excess[-1] <= 1e-10:
        return Weights(ratios / ratios.sum(), float("-inf"))
    shape, scale = fit_pareto(np.maximum(excess, 1e-300))
    quantile = (np.arange(tail) + 0.5) / tail
    spread = -np.log1p(-quantile) if abs(shape) < 1e-9 else np.expm1(-shape * np.log1p(-quantile)) / shape
    ratios[at] = np.minimum(threshold + scale * spread, 1.0)
    return Weights(ratios / ratios.sum(), shape)


def fit_pareto(excess: FloatArray) -> tuple[float, float]:
    """Shape and scale of a generalised Pareto distribution, from sorted excesses.

    The quasi-Bayesian estimate of Zhang & Stephens (2009, Technometrics 51:316), with the weak prior on the
    shape that Vehtari et al. add for short tails.
    """
    n = len(excess)
    grid = 30 + int(np.sqrt(n))
    quartile = excess[int(n / 4.0 + 0.5) - 1]
    theta = 1.0 / excess[-1] + (1.0 - np.sqrt(grid / (np.arange(1, grid + 1) - 0.5))) / (3.0 * quartile)
    shapes = np.mean(np.log1p(-theta[:, np.newaxis] * excess), axis=1)
    profile = n * (np.log(-theta / shapes) - shapes - 1.0)
    weights = np.exp(profile - profile.max())
    best = float(np.sum(theta * weights) / weights.sum())
    shape = float(np.mean(np.log1p(-best * excess)))
    scale = -shape / best
    return (shape * n + 0.5 * 10.0) / (n + 10.0), scale


def effective_size(weights: FloatArray, values: FloatArray) -> float:
    """Effective number of draws of the worst-determined column of `values`, (S, parameters).

    The variance of a self-normalised importance estimate is Σw²(f − f̄)²; against Var(f), the number of
    independent draws with the same variance (Owen 2013, Monte Carlo theory, ch. 9).
    """
    centred = values - weights @ values
    variance = weights @ centred**2
    noise = (weights**2) @ centred**2
    varying = noise > 0.0
    sizes = np.full(values.shape[1], 1.0 / float(np.sum(weights**2)))
    np.divide(variance, noise, out=sizes, where=varying)
    return float(min(sizes.min(), 1.0 / np.sum(weights**2)))


def resample(weights: FloatArray, key: FloatArray, size: int, generator: np.random.Generator) -> IntArray:
    """Systematic resampling along the order of `key`, then shuffled: `size` indices, equally weighted.

    Each draw appears its expected number of times, rounded up or down, so that next to no noise is added
    (Kitagawa 1996, JCGS 5:1).
    """
    order = np.argsort(key, kind="stable")
    shuffled: IntArray = generator.permutation(order[systematic(weights[order], size, generator)])
    return shuffled


def systematic(weights: FloatArray, size: int, generator: np.random.Generator) -> IntArray:
    """Systematic resampling in the order of the draws: `size` indices, ascending."""
    edges = np.cumsum(weights)
    points = (np.arange(size) + generator.random()) / size * edges[-1]
    return np.minimum(np.searchsorted(edges, points), len(weights) - 1).astype(np.int64)
