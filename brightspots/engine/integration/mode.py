"""Mode of the standard deviations under normal effects.

Leaves are replaced by normal pseudo-observations of the same slope and curvature (see `centre`). Because a normal
mixture obeys the heat equation, ∂m/∂σ² = ½(m'' + m'²), that replacement also matches the leaf's derivative in its own
σ; so maximising the closed-form marginal density of the replaced tree and replacing again converges to the mode of the
Laplace approximation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from brightspots.common.arrays import FloatArray
from brightspots.common.settings import HalfNormal
from brightspots.engine.integration.centre import PseudoData, pseudo_data
from brightspots.engine.integration.elimination import eliminate, path_sd, solve_effects
from brightspots.engine.integration.model import Model, solve_border
from brightspots.engine.integration.scales import Scales
from brightspots.likelihood.outcomes import Outcomes

_ROUNDS = 40
_AVERAGED_ROUNDS = 2
_LONGEST_SHIFT = 2.0
_LONGEST_LOG_STEP = 1.0
_TOLERANCE = 1e-2
_DIFFERENCE = 0.02
# Prior standard deviations (or scales) beyond which an intercept, a coefficient or a σ counts as strained.
_STRAIN = 2.0
# A σ that is next to nothing on the scale of logarithms, from which other modes are looked for.
_NARROW = 0.02
# Squared distance, by the curvature at a mode, beyond which a summit is another one.
_APART = 9.0
# Log density below the highest place's from which another counts for nothing.
_NO_ACCOUNT = 12.0


@dataclass(frozen=True, eq=False)
class Mode:
    """Where the Laplace marginal density of log σ peaks.

    Parameters
    ----------
    log_sd : (k,)
    curvature : (k, k)
        Minus the Hessian of the log density, made positive definite.
    border : (B,)
    data : PseudoData
    """

    log_sd: FloatArray
    curvature: FloatArray
    border: FloatArray
    data: PseudoData


def find_modes(model: Model) -> tuple[Mode, ...]:
    """Find where the density of the σ's lies: at its mode, and elsewhere too if the data strain against a prior.

    Where the intercept lies many prior standard deviations out, a wide σ that lets department types or trusts share the
    distance may be likelier by far, and no path uphill leads there: all counts thirty times what was expected are
    one level far off, or three types that all are. Or it is as likely, along a bend that the curvature at the mode does
    not show. So wherever something is strained (see `_strained`) each σ in turn, and all of them, are set as far
    as the strain reaches, half as far and near nothing; the density is followed uphill from there, once with that
    σ held and once free.

    Returns
    -------
    tuple of Mode
        Places that differ and count, the likeliest first: modes, and points of a ridge between them.
    """
    first = find_mode(model)
    reach = _strained(model, first)
    if reach == 0.0:
        return (first,)
    places = [first]

    def is_new(log_sd: FloatArray) -> bool:
        return not any(_same(log_sd, known) for known in places)

    k = len(first.log_sd)
    for sd in (reach, 0.5 * reach, _NARROW):
        for level in (*range(k), None):
            held = np.ones(k, dtype=bool) if level is None else np.arange(k) == level
            start = np.where(held, np.log(sd), first.log_sd)
            ridge, curvature = _climb(model, first.data, start, ~held)
            summit, _ = _climb(model, first.data, ridge, known=places)
            if is_new(summit) and is_new((found := find_mode(model, summit)).log_sd):
                places.append(found)
            if is_new(ridge):
                places.append(replace(first, log_sd=ridge, curvature=curvature))
    heights = np.array([log_marginal(model, first.data, place.log_sd) for place in places])
    order = np.argsort(-heights, kind="stable")
    return tuple(places[at] for at in order if heights[at] > heights.max() - _NO_ACCOUNT)


def _strained(model: Model, mode: Mode) -> float:
    """How far the data pull something that its prior holds, 0 where nothing is strained.

    Strained are an intercept or coefficient more than `_STRAIN` prior standard deviations from its prior's mean, and a
    σ that is more than `_STRAIN` times the scale of its half-normal prior.
    """
    mean, precision = model.border_prior(model.tree.scales(mode.log_sd))
    n_fixed = model.tree.fixed.shape[1]
    away = np.abs(mode.border - mean)[:n_fixed]
    pulled = [float(distance) for distance in away[away * np.sqrt(precision[:n_fixed]) > _STRAIN]]
    for prior, sd in zip(model.terms.scales.values(), np.exp(mode.log_sd), strict=True):
        if isinstance(prior, HalfNormal) and sd > _STRAIN * prior.scale:
            pulled.append(float(sd))
    return max(pulled, default=0.0)


def _same(log_sd: FloatArray, mode: Mode) -> bool:
    """Whether a summit is a mode that is known already: no further than its curvature makes plausible."""
    away = log_sd - mode.log_sd
    return bool(away @ mode.curvature @ away < _APART)


def _climb(
    model: Model,
    data: PseudoData,
    log_sd: FloatArray,
    free: npt.NDArray[np.bool_] | None = None,
    known: Sequence[Mode] = (),
) -> tuple[FloatArray, FloatArray]:
    """Follow the density of log σ under given pseudo-data uphill, along those that are free; the curvature there.

    A climb that comes to a mode that is known ends there.
    """
    for _ in range(_ROUNDS):
        step, curvature = _newton_step(model, data, log_sd, free)
        log_sd = log_sd + step
        if np.abs(step).max() < _TOLERANCE or any(_same(log_sd, mode) for mode in known):
            break
    return log_sd, curvature


def find_mode(model: Model, start: FloatArray | None = None) -> Mode:
    """Alternate between replacing the leaves and maximising over log σ, border and effects.

    Parameters
    ----------
    model : Model
    start : (k,), optional
        Where log σ starts; by default at half the spread of the data, for every level.
    """
    tree, cells = model.tree, model.tree.cells
    guess, information = Outcomes.of(cells).guess()
    raw = guess - cells.offset
    centre = float(np.average(raw, weights=information))
    spread = float(np.sqrt(np.average((raw - centre) ** 2, weights=information)))
    narrow = np.log(max(0.5 * spread, 1e-3))
    log_sd = np.full(len(tree.levels), narrow) if start is None else start
    predictor = cells.offset + centre
    for _ in range(_ROUNDS):
        scales = tree.scales(log_sd)
        data = pseudo_data(tree, predictor, scales)
        step, curvature = _newton_step(model, data, log_sd)
        log_sd = log_sd + step
        scales = tree.scales(log_sd)
        _, fitted = _solve(model, data, scales)
        shift = np.clip(fitted - predictor, -_LONGEST_SHIFT, _LONGEST_SHIFT)
        predictor = predictor + shift
        if np.abs(step).max() < _TOLERANCE and np.sqrt(np.mean(shift**2)) < _TOLERANCE * spread:
            break
    for _ in range(_AVERAGED_ROUNDS):
        eliminated = eliminate(tree, data.information, data.linear, scales)
        data = pseudo_data(tree, predictor, scales, path_sd(tree, eliminated))
        step, curvature = _newton_step(model, data, log_sd)
        log_sd = log_sd + step
        scales = tree.scales(log_sd)
        border, predictor = _solve(model, data, scales)
    return Mode(log_sd, curvature, border, data)


def _solve(model: Model, data: PseudoData, scales: Scales) -> tuple[FloatArray, FloatArray]:
    """Mode of the border, (B,), and the linear predictor of every leaf at the modes of border and nodes, (N,)."""
    tree = model.tree
    eliminated = eliminate(tree, data.information, data.linear, scales)
    border = solve_border(model, eliminated, scales).border
    return border, tree.predictor(border) + tree.path(solve_effects(tree, eliminated, border))


def log_marginal(model: Model, data: PseudoData, log_sd: FloatArray) -> float:
    """Log density of log σ under the pseudo-data, up to a constant."""
    scales = model.tree.scales(log_sd)
    eliminated = eliminate(model.tree, data.information, data.linear, scales)
    return float(model.log_prior(log_sd)) + solve_border(model, eliminated, scales).log_marginal


def _newton_step(
    model: Model, data: PseudoData, at: FloatArray, free: npt.NDArray[np.bool_] | None = None
) -> tuple[FloatArray, FloatArray]:
    """One damped Newton step for log σ (those that are free, by default all) by differences, and the curvature."""
    k = len(at)
    free = np.ones(k, dtype=bool) if free is None else free
    steps = _DIFFERENCE * np.eye(k)

    def density(log_sd: FloatArray) -> float:
        return log_marginal(model, data, log_sd)

    here = density(at)
    up = np.array([density(at + step) for step in steps])
    down = np.array([density(at - step) for step in steps])
    gradient = (up - down) / (2.0 * _DIFFERENCE)
    curvature = np.diag(-(up - 2.0 * here + down))
    for i in range(k):
        for j in range(i):
            both = density(at + steps[i] + steps[j])
            curvature[i, j] = curvature[j, i] = -(both - up[i] - up[j] + here)
    values, vectors = np.linalg.eigh(curvature / _DIFFERENCE**2)
    # Below 0 only on the way: there too a step is as long as the bend allows (Dauphin et al. 2014, NeurIPS 27). Flat
    # towards a boundary.
    values = np.maximum(np.abs(values), 0.5)
    positive = (vectors * values) @ vectors.T
    step = np.zeros(k)
    step[free] = np.linalg.solve(positive[np.ix_(free, free)], gradient[free])
    step = np.clip(step, -_LONGEST_LOG_STEP, _LONGEST_LOG_STEP)
    for _ in range(6):
        if density(at + step) >= here - 1e-6:
            break
        step = 0.5 * step
    return step, positive
