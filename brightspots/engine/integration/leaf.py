"""One-dimensional integrals of a log-concave likelihood against a normal effect.

Everything in a hierarchy of nested normal effects is one-dimensional given its parent: a leaf given its
department and trust, a department given its trust, a trust given what all share. All of them are

    m(s) = log ∫ exp ℓ(s + σz) N(z; 0, 1) dz,

done by Gauss–Hermite quadrature centred and scaled on the integrand's own mode (Liu & Pierce 1994,
Biometrika 81:624; Pinheiro & Bates 1995). In units of z the integral tends smoothly to ℓ(s) as σ → 0.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from brightspots.common.arrays import FloatArray, log_sum
from brightspots.likelihood.family import Derivatives
from brightspots.likelihood.outcomes import Outcomes

Floats = TypeVar("Floats", FloatArray, npt.NDArray[np.float32])

NODES = 11
_NEWTON_STEPS = 3
_LONGEST_STEP = 8.0


class Integral(NamedTuple):
    """m(s) with its slope and curvature in s, and the moments of the standardised effect z under the integrand.

    `mean` and `variance` are those of z, `third` and `fourth` its third and fourth cumulants.
    """

    value: FloatArray
    slope: FloatArray
    curvature: FloatArray
    mean: FloatArray
    variance: FloatArray
    third: FloatArray
    fourth: FloatArray


@cache
def hermite(nodes: int) -> tuple[FloatArray, FloatArray]:
    """Abscissae z of Gauss–Hermite quadrature for the standard normal, and log weights without the normal's density."""
    points, weights = np.polynomial.hermite.hermgauss(nodes)
    return np.sqrt(2.0) * points, np.log(weights) + points**2 - 0.5 * np.log(np.pi)


def integrate_normal(
    derivatives: Callable[[FloatArray], Derivatives],
    centre: FloatArray,
    sd: FloatArray,
    start: FloatArray,
    *,
    quadrature: tuple[FloatArray, FloatArray] | None = None,
    newton_steps: int = _NEWTON_STEPS,
) -> Integral:
    """Integrate exp ℓ(centre + sd·z) over a standard normal z.

    Parameters
    ----------
    derivatives : callable
        ℓ and its two derivatives; takes an array (..., nodes) or (...) of arguments.
    centre, sd, start : arrays that broadcast to one shape (...)
        Argument at z = 0, standard deviation (may be 0), and a first guess of the mode of z.
    quadrature : pair of arrays, optional
        Abscissae and log weights as from `hermite`, by default of 11 nodes.
    newton_steps : int, default 3
    """
    mode = start
    for _ in range(newton_steps):
        _, slope, curvature = derivatives(centre + sd * mode)
        step = (sd * slope - mode) / (1.0 - sd * sd * curvature)
        mode = mode + np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
    _, _, curvature = derivatives(centre + sd * mode)
    width = 1.0 / np.sqrt(1.0 - sd * sd * curvature)

    points, log_weights = hermite(NODES) if quadrature is None else quadrature
    effect = mode[..., np.newaxis] + width[..., np.newaxis] * points
    value, slope, curvature = derivatives(centre[..., np.newaxis] + sd[..., np.newaxis] * effect)
    logs = value - 0.5 * effect**2 + log_weights
    peak = logs.max(axis=-1, keepdims=True)
    weights = np.exp(logs - peak)
    total = weights.sum(axis=-1)
    weights /= total[..., np.newaxis]

    mean = np.sum(weights * effect, axis=-1)
    deviation = effect - mean[..., np.newaxis]
    variance = np.sum(weights * deviation**2, axis=-1)
    mean_slope = np.sum(weights * slope, axis=-1)
    spread = np.sum(weights * (slope - mean_slope[..., np.newaxis]) ** 2, axis=-1)
    mean_curvature = np.sum(weights * curvature, axis=-1)
    # m'' = E[ℓ''] + Var[ℓ'] = (Var[z] − 1)/σ². The first loses digits where the data outweigh the normal,
    # the second where σ → 0.
    informative = (variance < 0.5) & (sd > 0.0)
    safe = np.where(informative, sd * sd, 1.0)
    second = np.where(informative, (variance - 1.0) / safe, np.minimum(mean_curvature + spread, 0.0))
    part = weights * deviation**3
    third = part.sum(axis=-1)
    fourth = np.sum(part * deviation, axis=-1) - 3.0 * variance**2
    log_integral = peak[..., 0] + np.log(total * width)
    return Integral(log_integral, mean_slope, second, mean, variance, third, fourth)


def integrate_leaf(
    outcomes: Outcomes,
    predictor: FloatArray,
    sd: FloatArray,
    *,
    quadrature: tuple[FloatArray, FloatArray] | None = None,
) -> Integral:
    """Marginal likelihood of leaves over their own normal effect.

    Parameters
    ----------
    outcomes : Outcomes
        Of N leaves.
    predictor : (N, ...)
        Linear predictor without the leaf's own effect.
    sd : broadcasts to `predictor`
        Standard deviation of the leaf's effect; 0 gives the likelihood itself.
    quadrature : pair of arrays, optional
        As in `integrate_normal`.
    """
    sd = np.broadcast_to(sd, predictor.shape)
    guess, information = (values.reshape(-1, *(1,) * (predictor.ndim - 1)) for values in outcomes.guess())
    # Mode of a normal pseudo-observation: exact for estimates, within a Newton step or two for counts.
    start = sd * information * (guess - predictor) / (1.0 + sd * sd * information)
    return integrate_normal(outcomes.derivatives, predictor, sd, start, quadrature=quadrature)


class Marginal(NamedTuple):
    """m(s) with its slope and curvature in s, and the variance of the standardised effect under the integrand."""

    value: FloatArray
    slope: FloatArray
    curvature: FloatArray
    variance: FloatArray


def leaf_marginals(
    outcomes: Outcomes, predictor: FloatArray, sd: FloatArray, loops: ModuleType, *, nodes: int = NODES
) -> Marginal:
    """Marginal likelihood of leaves over their own normal effect.

    In closed form where there is one, by the loops for plain counts of families that they know, else by
    `integrate_leaf`.

    Parameters
    ----------
    outcomes : Outcomes
        Of L leaves.
    predictor : (L, ...)
        Linear predictor without the leaf's own effect.
    sd : broadcasts to `predictor`
        Standard deviation of the leaf's effect; one row of it, or a row a leaf.
    loops : module
        `loops_compiled` or `loops_plain`.
    nodes : int, default 11
        Of the quadrature.
    """
    of_each = np.broadcast_to(sd, predictor.shape)
    if outcomes.family.is_conjugate:
        known = (outcomes.size**2).reshape(-1, *(1,) * (predictor.ndim - 1))
        miss = outcomes.lower.reshape(known.shape) - predictor
        precision = 1.0 / (known + sd * sd)
        share = known * precision
        return Marginal(
            0.5 * (np.log(share) - precision * miss**2),
            precision * miss,
            -precision + 0.0 * miss,
            share + 0.0 * miss,
        )
    flat = np.ascontiguousarray(predictor.reshape(len(predictor), -1))
    # Copies, for compiled loops take no arrays that are read-only.
    count, size = (np.array(values).reshape(-1) for values in (outcomes.lower, outcomes.size))
    rows = sd.shape[0] if sd.ndim == predictor.ndim else 1
    sds = np.array(of_each[:rows]).reshape(rows, -1)
    loop = outcomes.family.loop
    if loop is None:
        inside = integrate_leaf(outcomes, predictor, of_each, quadrature=hermite(nodes))
        return Marginal(inside.value, inside.slope, inside.curvature, inside.variance)
    parts = loops.leaf_marginals(loop, count, size, flat, sds, *hermite(nodes))
    special = outcomes.conditioned
    if len(special):
        some = Outcomes.of(outcomes, special)
        least = np.zeros(len(special)) if some.counted_from is None else some.counted_from
        sds = sds if rows == 1 else sds[special]
        parts[:, special] = loops.conditioned_marginals(
            loop, some.lower, some.upper, some.size, least, flat[special], sds, *hermite(nodes)
        )
    return Marginal(*(part.reshape(predictor.shape) for part in parts))


def mix_values(parts: FloatArray, axis: int = 0) -> FloatArray:
    """Log of a sum of functions with its slope and curvature, from those of their logs.

    Parameters
    ----------
    parts : (M, …)
        Along `axis`, counted without the first one: value, slope, curvature; value, slope, curvature; and so on.
    axis : int, default 0
    """
    values = np.moveaxis(parts, axis + 1, 1)
    value, slope, bend = values[:, ::3], values[:, 1::3], values[:, 2::3]
    total = log_sum(value)
    share = np.exp(value - total)
    mean = np.sum(share * slope, axis=0)
    curvature = np.sum(share * (bend + (slope - mean) ** 2), axis=0)
    mixed = np.stack([total, mean, curvature], axis=1).reshape(-1, *total.shape[1:])
    return np.moveaxis(mixed, 0, axis)


def shape_of(
    mean: Floats, variance: Floats, third: Floats, fourth: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Mean, standard deviation, skewness and excess kurtosis from four cumulants, kept within a normal's reach."""
    variance = np.maximum(variance, 1e-12)
    sd = np.sqrt(variance)
    return mean, sd, np.clip(third / (variance * sd), -1.0, 1.0), np.clip(fourth / variance**2, -1.0, 1.5)


def cornish_fisher(mean: Floats, sd: Floats, skewness: Floats, kurtosis: Floats, scores: Floats) -> Floats:
    """Quantiles of a nearly normal distribution from its shape (Cornish & Fisher 1938, Rev. ISI 5:307).

    Parameters
    ----------
    mean, sd, skewness, kurtosis : (...)
        As from `shape_of`.
    scores : (...)
        Standard normal quantiles of the wanted probabilities.
    """
    square = scores**2
    corrected = (
        scores
        + skewness * (square - 1.0) / 6.0
        + kurtosis * scores * (square - 3.0) / 24.0
        - skewness**2 * scores * (2.0 * square - 5.0) / 36.0
    )
    return np.asarray(mean + sd * corrected)
