"""The integrating engine: propose, weigh exactly, certify, resample.

Draws of (σ's, border) carry one importance weight each; all effects are integrated out of it trust by trust, so the
weights' efficiency does not fall as trusts, departments and periods multiply.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.common.settings import Priors
from brightspots.data.cells import Cells
from brightspots.engine.effects import DISTRIBUTIONS, EffectDraws, Heavy
from brightspots.engine.integration.border_proposal import BorderProposal
from brightspots.engine.integration.centre import settle
from brightspots.engine.integration.choice import Looked
from brightspots.engine.integration.conditional import ConditionalPosterior
from brightspots.engine.integration.draws import Draws, make_draws
from brightspots.engine.integration.evaluation import evaluate, expansion_error
from brightspots.engine.integration.expansion import expand
from brightspots.engine.integration.importance import Weights, effective_size, resample, smooth
from brightspots.engine.integration.mode import Mode, find_modes, log_marginal
from brightspots.engine.integration.model import Model
from brightspots.engine.integration.pilot import BlockPilot, block_pilot, middle_of
from brightspots.engine.integration.proposal import (
    Proposal,
    RestProposal,
    kernels,
    pilot,
    tempered,
)
from brightspots.engine.integration.rounds import Rounds
from brightspots.engine.integration.tree import Tree
from brightspots.engine.integration.type_blocks import TypesBlock
from brightspots.engine.integration.type_proposal import TypesProposal
from brightspots.engine.levels import Level
from brightspots.engine.posterior import Certificate, SharedDraws, worst_of
from brightspots.engine.terms import resolve_priors
from brightspots.likelihood.outcomes import Outcomes

__all__ = ["ConditionalPosterior", "integrate"]

EFFECTIVE_DRAWS = 1_000
PARETO_LIMIT = 0.7
# Standard deviation, over draws, of the error of log weights that interpolation may add.
EXPANSION_LIMIT = 0.1
# Draws of a pilot, and rounds at most: of normal effects, of others, and of others that differ by type besides.
_PILOT_DRAWS, _PILOT_DRAWS_OF_BOTH = 300, 1_200
_ROUNDS, _MOST_ROUNDS, _ROUNDS_OF_BOTH = 4, 8, 10
# Share of a pilot's draws that count from which it is drawn from again; draws that count below which a proposal lies
# beside its target, and how many are drawn on the way there.
_GOOD_PILOT, _FEW, _MANY, _ROUND_DRAWS, _AT_ONCE = 0.45, 60, 150, 400, 6.0
_MOST_DRAWS = 8_000
# The round from which so few draws that count are taken for a sign that there will not be many.
_PATIENCE, _HOPELESS = 2, 12.0
# Share of the average weight from which a draw counts where the border is told anew.
_COUNTS = 0.01
_LEAST_STEP = 1e-3
# Squared distance from the mode from which a draw's density is looked at, and the log ratio to the mode's below
# which it counts as nil.
_FAR = 16.0
_NEGLIGIBLE = 18.0
# So far below the mode of log σ its density, which falls at least as e^x, is nil whatever the data.
_LOWEST = -60.0
# By how much the information of two leaves may differ: more than that, and their sum has no digit of the one.
_FURTHEST_APART = 1e23


def integrate(
    cells: Cells,
    priors: Priors,
    *,
    draws: int | None = None,
    seed: int | None = None,
    effective: int = EFFECTIVE_DRAWS,
    looked: Looked | None = None,
) -> tuple[ConditionalPosterior, Certificate]:
    """Compute the posterior without Markov chains.

    Parameters
    ----------
    cells : Cells
    priors : Priors
    draws : int, optional
        Equally weighted draws of the shared parameters; default 1,000. At least as many effective
        ones are asked of the weights.
    effective : int, default 1,000
        Effective draws that are asked of the weights in any case.
    seed : int, optional
        The same seed gives the same numbers; without one, the seed that was used is on the result.
    looked : Looked, optional
        What was found already of this model, whatever the distributions of effects.

    Returns
    -------
    ConditionalPosterior, Certificate
        A certificate that does not hold has `ok` False and says why; nothing is raised.

    Raises
    ------
    ArithmeticError, numpy.linalg.LinAlgError
        Where numbers lie so far apart that they cannot be computed with.
    """
    started = time.perf_counter()
    _, information = Outcomes.of(cells).guess()
    if not information.max() <= _FURTHEST_APART * information.min():
        raise ArithmeticError(
            "what single rows say differs by more orders of magnitude than numbers have digits"
        )
    wanted = EFFECTIVE_DRAWS if draws is None else draws
    seed = secrets.randbits(32) if seed is None else seed
    generator = np.random.default_rng(seed)
    terms = resolve_priors(cells, priors)
    by_type = priors.department_by_type is not None and "department" in terms.levels
    tree = Tree(cells, terms.levels, effects_of(terms.levels, priors), by_type)
    sampled = _adapt(Model(tree, terms), max(wanted, effective), generator, looked)
    watched = _watched(sampled.draws, tree)
    chosen = resample(sampled.weights.values, _first_axis(sampled), wanted, generator)
    shared = _shared(tree, sampled.draws, chosen)
    reached = min(effective_size(sampled.weights.values, watched), float(wanted))
    certificate = certify(
        reached, sampled.weights.pareto_k, sampled.expansion_error, wanted, time.perf_counter() - started
    )
    return ConditionalPosterior(cells, shared, seed), certificate


def effects_of(levels: tuple[Level, ...], priors: Priors) -> dict[Level, Heavy]:
    """Distributions of the effects that are not normal, of the levels that are in a model."""
    return {level: DISTRIBUTIONS[name] for level, name in priors.distributions.items() if level in levels}


class Sample(NamedTuple):
    """All draws so far, their weights, and the estimated error of the expansion in log weights."""

    draws: Draws
    weights: Weights
    expansion_error: float


def _adapt(model: Model, wanted: int, generator: np.random.Generator, looked: Looked | None) -> Sample:
    """Pilot, then rounds from kernel mixtures, until the weights are good enough; all rounds count."""
    tree = model.tree
    modes = find_modes(model.normal) if looked is None else looked.modes
    known = None if looked is None else looked.blocks
    knots = np.max([each.log_sd for each in modes], axis=0)
    pilots: list[Proposal] = [
        pilot(mode.log_sd, mode.curvature)
        if tree.is_normal
        else block_pilot(model, mode, known if number == 0 else None)
        for number, mode in enumerate(modes)
    ]
    both = bool(tree.effects) and tree.by_type
    at_first = _PILOT_DRAWS_OF_BOTH if both else _PILOT_DRAWS
    at_most = _ROUNDS if tree.is_normal else _ROUNDS_OF_BOTH if both else _MOST_ROUNDS
    sources: list[tuple[int, Proposal]] = [(at_first, each) for each in pilots]
    of_border: RestProposal | None = None
    rounds, following, most = Rounds(), False, 0.0
    for number in range(at_most):
        parameters = np.concatenate([source.draw(size, generator) for size, source in sources])
        parameters = plausible(model, modes, pilots, parameters)
        if of_border is None:
            of_border = _rest_proposal(model, modes[0], pilots[0], parameters)
        border, log_border = of_border.draw(parameters, generator)
        batch = make_draws(tree, parameters, border)
        expansions = expand(tree, batch)
        by_unit = evaluate(expansions)
        target = by_unit.sum(axis=0) + log_prior(model, batch)
        rounds.add(sources, of_border, parameters, border, log_border, target)

        log_ratio, points, total = rounds.log_ratio(), rounds.parameters, rounds.n_proposed
        weights = smooth(log_ratio)
        everything = make_draws(tree, points, rounds.border)
        effective = effective_size(weights.values, _watched(everything, tree))
        if number > 0 and effective >= wanted and weights.pareto_k < PARETO_LIMIT:
            break
        if len(knots) < points.shape[1]:
            # Where nothing is known of them their priors have tails on the left like those of log σ.
            knots = np.concatenate([knots, (weights.values @ points)[len(knots) :]])
        count = 1.0 / np.sum(weights.values**2)
        most = max(most, count)
        if not tree.is_normal and number >= _PATIENCE and most < _HOPELESS:
            break
        # The share of draws that count is only roughly known after the pilot; the rest of the way needs this many.
        share = min(max(effective / total, 0.25), 0.75)
        size = int(min(max(1.15 * (wanted - effective) / share, 256.0), _MOST_DRAWS))
        if tree.is_normal:
            sources = [(size, kernels(points, weights.values, knots))]
        elif number == 0 and count > _GOOD_PILOT * total:
            sources = [(size, each) for each in pilots]
        else:
            of_draws = weights.values if count > _FEW else tempered(log_ratio)
            size = min(size, max(_ROUND_DRAWS, int(_AT_ONCE * count)))
            sources = [(size, kernels(points, of_draws, knots))]
            if not following and tree.effects:
                of_border = _told_anew(model, modes[0], pilots[0], everything, of_draws, _COUNTS / total)
                following = bool(count > _MANY)
            else:
                of_border = of_border.adapted(points, rounds.border, of_draws)
    error = expansion_error(expansions, by_unit, weights.values[-len(parameters) :], generator)
    return Sample(everything, weights, error)


def _rest_proposal(model: Model, mode: Mode, first: Proposal, parameters: FloatArray) -> RestProposal:
    """Proposal of what is drawn given the parameters, (S, k), of draws of the pilot."""
    if not model.tree.by_type:
        return _border_proposal(model, mode, parameters, parameters.mean(axis=0))
    assert isinstance(first, BlockPilot)
    middle, of_types = middle_of(model, mode, first.blocks)
    return _types_proposal(model, mode, first, parameters, middle, of_types)


def _told_anew(
    model: Model, mode: Mode, first: Proposal, draws: Draws, weights: FloatArray, least: float
) -> RestProposal:
    """The same, told where draws with weights (S,) have all parameters; of those with at least so much of it."""
    middle, counting = weights @ draws.parameters, draws.parameters[weights > least]
    if draws.of_types is not None:
        told = _types_proposal(model, mode, first, counting, middle, weights @ draws.of_types)
        return told.adapted(draws.parameters, np.column_stack([draws.border, draws.of_types]), weights)
    found = _border_proposal(model, mode, counting, middle, follow=True)
    return found.adapted(draws.parameters, draws.border, weights)


def _types_proposal(
    model: Model,
    mode: Mode,
    first: Proposal,
    draws: FloatArray,
    middle: FloatArray,
    of_types: FloatArray | None,
) -> TypesProposal:
    assert isinstance(first, BlockPilot)
    block, _ = first.blocks["department"]
    assert isinstance(block, TypesBlock)
    assert of_types is not None
    return TypesProposal.around(model, block.scales, draws, middle, of_types, mode.border)


def _border_proposal(
    model: Model, mode: Mode, parameters: FloatArray, middle: FloatArray, *, follow: bool = False
) -> BorderProposal:
    """Proposal of the border for draws of all else, (S, k), told where those are in the middle, (k,).

    Under effects that are not normal the border moves with more than σ's. To `follow` it costs 2k times as much.
    """
    if not model.tree.effects:
        return BorderProposal.fit(model, mode.data, mode.border, parameters)
    scales_of = model.tree.scales
    border, data, own = settle(model, scales_of(middle), mode.border)
    found = BorderProposal.fit(model, data, border, parameters, own)
    if not follow:
        return found
    steps = np.maximum(parameters.std(axis=0), _LEAST_STEP)
    borders = [
        [settle(model, scales_of(middle + sign * step), border)[0] for sign in (-1.0, 1.0)]
        for step in np.diag(steps)
    ]
    return found.following(middle, steps, np.array(borders))


def plausible(
    model: Model, modes: Sequence[Mode], pilots: Sequence[Proposal], parameters: FloatArray
) -> FloatArray:
    """Leave out the draws of log σ and what else is sampled, (S, k), whose posterior density is nil: their weight is 0.

    A heavy-tailed proposal reaches σ's that the data exclude by many orders of magnitude; an expansion wide enough
    for them would be poorer for all others. Only draws far from the highest mode are looked at, by the Laplace density.
    """
    if not model.tree.is_normal:
        nil = np.all([each.is_nil(parameters) for each in pilots if isinstance(each, BlockPilot)], axis=0)
        return parameters[~nil]
    highest, log_sd = modes[0], parameters
    away = log_sd - highest.log_sd
    far = np.flatnonzero(np.einsum("si,ij,sj->s", away, highest.curvature, away) > _FAR)
    lowest = np.min([mode.log_sd for mode in modes], axis=0) + _LOWEST
    too_low = (log_sd < lowest).any(axis=1)
    least = log_marginal(model, highest.data, highest.log_sd) - _NEGLIGIBLE
    none = [at for at in far if too_low[at] or not log_marginal(model, highest.data, log_sd[at]) > least]
    return np.delete(parameters, none, axis=0)


def log_prior(model: Model, draws: Draws) -> FloatArray:
    """Log prior density of all that is sampled at each draw, (S,), up to a constant."""
    mean, precision = model.border_prior(draws.scales)
    proper = precision[0] > 0.0
    density = 0.5 * np.sum(np.log(precision[:, proper]), axis=1) - 0.5 * np.sum(
        precision * (draws.border - mean) ** 2, axis=1
    )
    if draws.of_types is not None:
        density = density + model.log_prior_of_types(draws.parameters, draws.of_types)
    return np.asarray(density + model.log_prior(draws.parameters))


def certify(
    effective: float, pareto_k: float, expansion_error: float, wanted: int, seconds: float
) -> Certificate:
    """Judge the weights."""
    problems = []
    if not pareto_k < PARETO_LIMIT:
        problems.append(f"Pareto k̂ {pareto_k:.2f} is not below {PARETO_LIMIT}")
    if effective < wanted:
        problems.append(f"{effective:,.0f} effective draws of {wanted:,} wanted")
    if not expansion_error < EXPANSION_LIMIT:
        problems.append(
            f"interpolation error {expansion_error:.2f} of log weights is not below {EXPANSION_LIMIT}"
        )
    message = (
        "; ".join(problems) if problems else f"{effective:,.0f} effective draws, Pareto k̂ {pareto_k:.2f}"
    )
    shortfall = worst_of(
        pareto_k / PARETO_LIMIT, wanted / max(effective, 1e-9), expansion_error / EXPANSION_LIMIT
    )
    return Certificate(
        "integrate", effective, pareto_k, float("nan"), 0, seconds, not problems, message, shortfall
    )


def _watched(draws: Draws, tree: Tree) -> FloatArray:
    """The shared parameters whose effective draws are counted, (S, parameters)."""
    sds = np.exp(draws.parameters[:, : len(tree.levels)])
    natural = [
        np.log1p(values)
        for level, effect in tree.effects.items()
        for values in effect.natural(draws.parameters[:, tree.free[level]]).values()
    ]
    of_types = [] if draws.of_types is None else [np.exp(draws.of_types)]
    return np.column_stack([sds, *natural, draws.border, *of_types])


def _first_axis(sample: Sample) -> FloatArray:
    """Position along the direction in which the parameters vary most, (S,)."""
    points, weights = sample.draws.parameters, sample.weights.values
    centred = points - weights @ points
    _, vectors = np.linalg.eigh((weights[:, np.newaxis] * centred).T @ centred)
    return np.asarray(centred @ vectors[:, -1])


def _shared(tree: Tree, draws: Draws, chosen: IntArray) -> SharedDraws:
    """Arrange chosen draws as they are handed over."""
    border, n_fixed = draws.border[chosen], tree.fixed.shape[1]
    parameters = draws.parameters[chosen]
    types = border[:, n_fixed:] if tree.n_types else np.zeros((len(chosen), tree.cells.n_types))
    sds = dict(zip(tree.levels, np.exp(parameters[:, : len(tree.levels)]).T, strict=True))
    by_type = None if draws.of_types is None else np.exp(draws.of_types[chosen])
    if by_type is not None:
        sds["department"] = np.sqrt(by_type**2 @ tree.cells.share_of_types)
    return SharedDraws(
        intercept=border[:, 0],
        coefficients=border[:, 1:n_fixed],
        sd=sds,
        type_effect=types,
        effects={
            level: EffectDraws(effect, parameters[:, tree.free[level]])
            for level, effect in tree.effects.items()
        },
        sd_department_by_type=by_type,
    )
