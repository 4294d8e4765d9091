"""The loops of `loops_compiled.py` in plain NumPy: the same functions, with no compiler to wait for."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.engine.integration.leaf import (
    cornish_fisher,
    integrate_leaf,
    integrate_normal,
    mix_values,
    shape_of,
)
from brightspots.likelihood.families import family_of_loop
from brightspots.likelihood.family import Derivatives
from brightspots.likelihood.outcomes import Outcomes


def leaf_marginals(
    family: int,
    count: FloatArray,
    size: FloatArray,
    predictor: FloatArray,
    sd: FloatArray,
    points: FloatArray,
    log_weights: FloatArray,
) -> FloatArray:
    """Log marginal likelihood of exact counts, and its derivatives; see `loops_leaves.leaf_marginals`."""
    outcomes = Outcomes(family_of_loop(family), count, count, size)
    inside = integrate_leaf(outcomes, predictor, sd, quadrature=(points, log_weights))
    return np.stack([inside.value, inside.slope, inside.curvature, inside.variance])


def conditioned_marginals(
    family: int,
    lower: FloatArray,
    upper: FloatArray,
    size: FloatArray,
    least: FloatArray,
    predictor: FloatArray,
    sd: FloatArray,
    points: FloatArray,
    log_weights: FloatArray,
) -> FloatArray:
    """The same of leaves that are intervals or shown only where not small; see `loops_conditioned`."""
    outcomes = Outcomes(family_of_loop(family), lower, upper, size, least)
    inside = integrate_leaf(outcomes, predictor, sd, quadrature=(points, log_weights))
    return np.stack([inside.value, inside.slope, inside.curvature, inside.variance])


def products_of_types(
    bounds: IntArray, leaf_type: IntArray, weight: FloatArray, gain: FloatArray, n_types: int
) -> FloatArray:
    """Σ over runs of leaves of gain·load·load', (types, types); see `loops_leaves.products_of_types`."""
    load = sparse.csr_array((weight, leaf_type, bounds), shape=(len(bounds) - 1, n_types))
    scaled = sparse.csr_array(
        (weight * np.repeat(gain, np.diff(bounds)), leaf_type, bounds), shape=load.shape
    )
    return np.asarray((scaled.T @ load).toarray())


def largest_shifts(rows: FloatArray, row_of: IntArray, common: FloatArray, common_of: IntArray) -> FloatArray:
    """Largest absolute shift of each leaf over the draws, (L,)."""
    return np.asarray(np.abs(rows[row_of] - common[common_of]).max(axis=1))


def sum_polynomials(
    table: FloatArray,
    basis: FloatArray,
    basis_of: IntArray,
    information: FloatArray,
    slope: FloatArray,
    variance: FloatArray,
    reach: FloatArray,
    rows: FloatArray,
    row_of: IntArray,
    common: FloatArray,
    common_of: IntArray,
    bounds: IntArray,
) -> FloatArray:
    """Polynomials of leaves at every draw, moved by the draw's shift and added over runs of leaves.

    See `loops_polynomials.sum_polynomials`.
    """
    polynomial = np.ascontiguousarray(np.moveaxis(table @ _rows(basis, basis_of), 1, 0))
    shrink = 1.0 / (1.0 + information[:, np.newaxis] * variance)
    polynomial[0] += 0.5 * (variance * shrink * (slope**2)[:, np.newaxis] + np.log(shrink))
    polynomial[1] += shrink * (slope * reach)[:, np.newaxis]
    polynomial[2] -= 0.5 * shrink * (information * reach**2)[:, np.newaxis]
    move(polynomial, (rows[row_of] - common[common_of]) / reach[:, np.newaxis])
    return np.asarray(np.add.reduceat(polynomial, bounds[:-1], axis=1))


def sum_mixed_polynomials(
    table: FloatArray,
    basis: FloatArray,
    basis_of: IntArray,
    nodes: IntArray,
    log_weight: FloatArray,
    hermite: FloatArray,
    width: FloatArray,
    reach: FloatArray,
    rows: FloatArray,
    row_of: IntArray,
    common: FloatArray,
    common_of: IntArray,
    bounds: IntArray,
) -> FloatArray:
    """Polynomials of leaves under mixtures at every draw, moved by the draw's shift and added over runs of leaves.

    See `loops_mixtures.sum_mixed_polynomials`.
    """
    parts, start = [], 0
    of_leaf = _rows(basis, basis_of)
    for (at, count), weight in zip(nodes, log_weight, strict=True):
        of_component = table[:, :, at : at + count] @ of_leaf[..., start : start + count, :]
        of_component[:, ::3] += weight
        parts.append(of_component)
        start += count
    mixed = np.moveaxis(mix_values(np.stack(parts), axis=1), 1, 0)
    polynomial = np.tensordot(hermite, mixed, 1)
    polynomial *= ((reach / width) ** np.arange(len(hermite))[:, np.newaxis])[:, :, np.newaxis]
    move(polynomial, (rows[row_of] - common[common_of]) / reach[:, np.newaxis])
    filled = np.diff(bounds) > 0
    out = np.zeros((len(hermite), len(filled), basis.shape[2]))
    out[:, filled] = np.add.reduceat(polynomial, bounds[:-1][filled], axis=1)
    return out


def _rows(basis: FloatArray, basis_of: IntArray) -> FloatArray:
    """Weights (J, S) that all leaves share, or those of each, (L, J, S)."""
    return np.asarray(basis[0] if len(basis) == 1 else basis[basis_of])


def type_densities(
    knots: FloatArray,
    coefficients: FloatArray,
    lowest: FloatArray,
    highest: FloatArray,
    typical: FloatArray,
    spread: FloatArray,
    looks: int,
    zooms: int,
    points: int,
    around: float,
    deep: float,
) -> FloatArray:
    """Even points between which the density of each type's log σ lies, and its logarithm there.

    See `loops_types.type_densities`.
    """
    step, row = knots[1] - knots[0], np.arange(len(lowest))[:, np.newaxis]

    def logs(low: FloatArray, high: FloatArray, count: int) -> tuple[FloatArray, FloatArray]:
        at = low[..., np.newaxis] + (high - low)[..., np.newaxis] * np.linspace(0.0, 1.0, count)
        inside = np.clip(at - knots[0], 0.0, step * (len(knots) - 1))
        piece = np.minimum((inside / step).astype(np.int64), len(knots) - 2)
        away, value = inside - piece * step, np.zeros_like(at)
        for coefficient in coefficients:
            value *= away
            value += coefficient[row, piece]
        prior = ((at - typical[:, np.newaxis, np.newaxis]) / spread[:, np.newaxis, np.newaxis]) ** 2
        return at, value - 0.5 * prior

    low = np.minimum((typical - around * spread)[:, np.newaxis], lowest)
    high = np.maximum((typical + around * spread)[:, np.newaxis], highest)
    for _ in range(zooms):
        at, found = logs(low, high, looks)
        near = found > found.max(axis=2, keepdims=True) - deep
        first = np.maximum(near.argmax(axis=2) - 1, 0)
        last = np.minimum(looks - near[..., ::-1].argmax(axis=2), looks - 1)
        low, high = (
            np.take_along_axis(at, place[..., np.newaxis], axis=2)[..., 0] for place in (first, last)
        )
    _, found = logs(low, high, points)
    return np.concatenate([low[..., np.newaxis], high[..., np.newaxis], found], axis=2)


def move(polynomial: FloatArray, distance: FloatArray, keep: int | None = None) -> None:
    """Turn coefficients of p(x) into those of p(x + distance), in place, by repeated synthetic division.

    Parameters
    ----------
    polynomial : (order + 1, ...)
    distance : (...)
    keep : int, optional
        How many of the lowest coefficients to bring to their final value; all by default.
    """
    order = len(polynomial) - 1
    for lowest in range(order if keep is None else min(keep, order)):
        for power in range(order - 1, lowest - 1, -1):
            polynomial[power] += distance * polynomial[power + 1]


def integrate_polynomials(
    polynomial: FloatArray,
    reach: FloatArray,
    centre: FloatArray,
    sd: FloatArray,
    points: FloatArray,
    log_weights: FloatArray,
    furthest: float,
    newton_steps: int,
) -> FloatArray:
    """Integrate exp p((σz − centre)/reach) over a standard normal z; see `loops_polynomials.integrate_polynomials`."""
    shape = polynomial.shape[1:]
    unit = np.broadcast_to((1.0 / reach)[:, np.newaxis], shape)
    spread = np.broadcast_to(sd, shape)

    def derivatives(argument: FloatArray) -> Derivatives:
        extra = (1,) * (argument.ndim - len(shape))
        scale = unit.reshape(*shape, *extra)
        wanted = (argument - centre.reshape(*shape, *extra)) * scale
        x = np.clip(wanted, -furthest, furthest)
        value, slope, half = (np.zeros_like(x) for _ in range(3))
        for coefficient in polynomial.reshape(*polynomial.shape, *extra)[::-1]:
            half = half * x + slope
            slope = slope * x + value
            value = value * x + coefficient
        value += slope * (wanted - x)
        return Derivatives(value, slope * scale, np.minimum(2.0 * half, 0.0) * scale**2)

    start = np.clip(centre / np.maximum(spread, 1e-300), -3.0, 3.0)
    result = integrate_normal(
        derivatives,
        np.zeros(shape),
        spread,
        start,
        quadrature=(points, log_weights),
        newton_steps=newton_steps,
    )
    return np.stack([result.value, result.mean, result.variance, result.third, result.fourth])


def leaf_effects(
    polynomial: FloatArray, reach: FloatArray, away: FloatArray, sd: FloatArray, scores: FloatArray
) -> FloatArray:
    """Draw leaf effects given those above.

    Derivatives of m in s are cumulants of the effect z = v/σ: κₙ = σⁿ·m⁽ⁿ⁾, plus one for the variance
    (Tweedie's formula; Efron 2011, JASA 106:1602). See `loops_polynomials.leaf_effects`.
    """
    moved = polynomial.copy()
    move(moved, away / reach[:, np.newaxis], keep=5)
    unit = sd / reach[:, np.newaxis]
    mean, width, skewness, kurtosis = shape_of(
        moved[1] * unit,
        1.0 + 2.0 * moved[2] * unit**2,
        6.0 * moved[3] * unit**3,
        24.0 * moved[4] * unit**4,
    )
    effects = cornish_fisher(mean, width, skewness, kurtosis, scores)
    return np.stack([sd * effects, sd * mean, sd * width, skewness, kurtosis])
