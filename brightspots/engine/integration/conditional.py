"""The posterior as shared draws plus conditional distributions: effects are generated trust by trust when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from scipy.special import ndtri

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.common.parallel import map_in_order
from brightspots.common.pickling import PickledByFields
from brightspots.data.cells import Cells
from brightspots.engine.integration.expansion import Expansion, expand_around
from brightspots.engine.integration.leaf import cornish_fisher, shape_of
from brightspots.engine.integration.polynomials import (
    TrustGroup,
    TrustPolynomials,
    integrate_polynomials,
    integrate_trusts,
    trust_groups,
    trust_polynomials,
)
from brightspots.engine.integration.tree import INNER_NODES, Tree
from brightspots.engine.levels import Level, down_to_departments
from brightspots.engine.posterior import Conditional, EffectBlock, ShapeBlock, SharedDraws
from brightspots.engine.thinning import thin

Result = TypeVar("Result")

# Draws that are kept once dealt, with what they were drawn from (24 bytes each): 200 megabytes.
HELD_NUMBERS = 8_000_000
# Distributions that are kept once computed (16 bytes each): 50 megabytes.
HELD_SHAPES = 3_000_000


@dataclass(frozen=True)
class ConditionalPosterior(PickledByFields):
    """Shared draws of the σ's and the border, from which the effects follow by their conditional distributions.

    Given a draw of the shared parameters a trust's effect has a known one-dimensional distribution, and given that so
    has each department's; each is drawn by its first four cumulants. Draws are stratified over the S draws (one from
    each of S slices of equal probability), so averages carry far less noise than S independent draws would give.

    Parameters
    ----------
    cells : Cells
    shared : SharedDraws
    seed : int
        Of the effects; with the other two it determines every number.
    """

    cells: Cells
    shared: SharedDraws
    seed: int

    @property
    def chains(self) -> int:
        """One: the draws are independent."""
        return 1

    @cached_property
    def expansions(self) -> tuple[Expansion, ...]:
        """Polynomials of the leaves around these draws."""
        return expand_around(self.cells, self.shared)

    def shapes(self, most: int) -> ConditionalShapes | None:
        """Distributions of effects given at most so many draws, the same object each time; None without departments."""
        if "department" not in self.shared.sd:
            return None
        if most not in self._shapes:
            self._shapes[most] = ConditionalShapes(self.cells, thin(self.shared, self.cells, most))
        return self._shapes[most]

    @cached_property
    def _shapes(self) -> dict[int, ConditionalShapes]:
        return {}

    @property
    def _numbers(self) -> int:
        """How many effects there are: S of every trust and of every cell."""
        return self.shared.n_draws * (self.cells.n_trusts + self.cells.n_cells)

    @cached_property
    def _held(self) -> tuple[EffectBlock, ...]:
        return tuple(map_in_order(self._block, self._groups))

    @cached_property
    def _groups(self) -> list[TrustGroup]:
        return trust_groups(self.cells, self.shared.n_draws)

    def _block(self, group: TrustGroup) -> EffectBlock:
        return effect_block(self.expansions, group, self.seed)

    def map_blocks(self, work: Callable[[EffectBlock], Result]) -> Iterator[Result]:
        """Apply `work` to every block, on all cores, in order.

        Draws of a table of ordinary size are kept once dealt; those of a larger one are dealt again each time.
        """
        if self._numbers <= HELD_NUMBERS:
            return map_in_order(work, self._held)
        _ = self.expansions  # made once, before threads ask for it
        return map_in_order(lambda group: work(self._block(group)), self._groups)

    def blocks(self) -> Iterator[EffectBlock]:
        """Every trust once, in order; the same numbers each time it is called."""
        return self.map_blocks(lambda block: block)


def effect_block(expansions: Sequence[Expansion], group: TrustGroup, seed: int) -> EffectBlock:
    """Draw the effects of one group of trusts."""
    tree = expansions[0].tree
    size = sum(band.draws.size for band in expansions)
    scores = _shuffled_scores(tree, group, size, seed)
    drawn = {level: np.zeros((5, *of_level.shape)) for level, of_level in scores.items()}
    for band in expansions:
        of_band = {level: score[:, band.members] for level, score in scores.items()}
        for level, values in _effects(band, group, of_band):
            drawn[level][:, :, band.members] = values
    of_department = drawn["department"]
    conditional = Conditional(*of_department[1:].astype(np.float32)) if "department" in tree.levels else None
    return EffectBlock(group.trusts, group.cells, drawn["trust"][0], of_department[0], conditional)


@dataclass(frozen=True)
class ConditionalShapes(PickledByFields):
    """Distributions of effects given draws of what all trusts share.

    Parameters
    ----------
    cells : Cells
    shared : SharedDraws
    """

    cells: Cells
    shared: SharedDraws

    @cached_property
    def expansions(self) -> tuple[Expansion, ...]:
        """Polynomials of the leaves around these draws."""
        return expand_around(self.cells, self.shared)

    def map_shapes(self, work: Callable[[ShapeBlock], Result]) -> Iterator[Result]:
        """Apply `work` to every trust once, in order, on all cores; small tables keep what they computed once."""
        if self.cells.n_cells * self.shared.n_draws <= HELD_SHAPES:
            return map_in_order(work, self._held)
        return self._map(work)

    @cached_property
    def _held(self) -> tuple[ShapeBlock, ...]:
        return tuple(self._map(lambda block: block))

    def _map(self, work: Callable[[ShapeBlock], Result]) -> Iterator[Result]:
        expansions = self.expansions  # made once, before threads ask for it
        groups = trust_groups(self.cells, self.shared.n_draws)
        return map_in_order(lambda group: work(shape_block(expansions, group)), groups)


def shape_block(expansions: Sequence[Expansion], group: TrustGroup) -> ShapeBlock:
    """Distributions of the effects of one group of trusts."""
    size = sum(band.draws.size for band in expansions)
    levels = down_to_departments(expansions[0].tree.of_data)
    units = {level.name: level.units(group.leaves) for level in levels}
    found = {level: np.empty((4, run.stop - run.start, size)) for level, run in units.items()}
    for band in expansions:
        for level, values in _effects(band, group, dict.fromkeys(found)):
            found[level][:, :, band.members] = values[1:]
    trust, department = (Conditional(*found[level].astype(np.float32)) for level in ("trust", "department"))
    return ShapeBlock(group.trusts, group.cells, trust, department)


def _effects(
    band: Expansion, group: TrustGroup, scores: Mapping[Level, FloatArray | None]
) -> Iterator[tuple[Level, FloatArray]]:
    """Draw the effects of the levels that scores are given for, each given those above it, from the top down.

    Where scores are None effects are set to their mean.

    Yields
    ------
    Level, (5, units, S)
        Effects; mean, standard deviation, skewness and excess kurtosis of the distribution each was drawn from.
    """
    tree = band.tree
    polynomials = trust_polynomials(band, group, by_cell=True)
    top = tree.nodes[0]
    sd = tree.sd(top.name, band.draws.scales)
    dealt = _deal(integrate_trusts(band, polynomials)[1:], sd, scores[top.name])
    yield top.name, dealt
    # How far the sum of effects down to the level above lies from where that level's polynomials are centred.
    away = dealt[0] - polynomials.centre
    for link in tree.links:
        level = link.node.name
        if level not in scores:
            return
        units = link.node.units(group.leaves)
        away = away[link.parent[units] - link.outer.units(group.leaves).start]
        centre = band.centre[level][units][:, np.newaxis]
        sd = tree.sd(level, band.draws.scales, units)
        cumulants = integrate_polynomials(
            band, polynomials.by_node[level], band.reach[level][units], centre - away, sd, INNER_NODES
        )[1:]
        dealt = _deal(cumulants, sd, scores[level])
        yield level, _without_error(band, level, units, dealt, scores[level])
        away = away + dealt[0] - centre
    innermost = tree.leaf_level
    if innermost is not None and innermost in scores:
        dealt = _leaf_effects(band, polynomials, away, scores[innermost])
        yield innermost, _without_error(band, innermost, group.leaves, dealt, scores[innermost])


def _deal(cumulants: FloatArray, sd: FloatArray, scores: FloatArray | None) -> FloatArray:
    """Effects (n, S) with given cumulants of effect/σ, (4, n, S), and their shape, (5, n, S): see `_effects`."""
    mean, width, skewness, kurtosis = shape_of(*cumulants)
    drawn = mean if scores is None else cornish_fisher(mean, width, skewness, kurtosis, scores)
    return np.stack([sd * drawn, sd * mean, sd * width, skewness, kurtosis])


def _without_error(
    band: Expansion, level: Level, units: slice, dealt: FloatArray, scores: FloatArray | None
) -> FloatArray:
    """Effects v of some units where those dealt are v + ε, ε ~ N(0, e²) the error of what was expected, (5, n, S).

    Given the sum s, v ~ N(κs, κe²) with κ = σ²/(σ² + e²). So the cumulants of v are those of s times κⁿ, and κe² more
    for the variance.
    """
    error = band.tree.error_variance(level, units)
    if error is None:
        return dealt
    kept = band.draws.scales[level] ** 2 / band.tree.variance(level, band.draws.scales, units)
    _, mean, width, skewness, kurtosis = dealt
    sd = np.sqrt((kept * width) ** 2 + kept * error[:, np.newaxis])
    share = kept * width / sd
    shape = kept * mean, sd, share**3 * skewness, share**4 * kurtosis
    return np.stack([shape[0] if scores is None else cornish_fisher(*shape, scores), *shape])


def _leaf_effects(
    band: Expansion, polynomials: TrustPolynomials, away: FloatArray, scores: FloatArray | None
) -> FloatArray:
    """Effects of leaves that are a cell each, given those above; see `_effects`."""
    tree, leaves = band.tree, polynomials.group.leaves
    innermost = tree.nodes[-1]
    parent = innermost.of_leaf[leaves]
    away = np.ascontiguousarray(away[parent - parent[0]])
    effects: FloatArray = tree.loops.leaf_effects(
        polynomials.cell,
        band.reach[innermost.name][parent],
        away,
        np.ascontiguousarray(tree.leaf_sd(band.draws.scales, leaves)),
        np.zeros_like(away) if scores is None else np.ascontiguousarray(scores),
    )
    if scores is None:
        effects[0] = effects[1]
    return effects


def _shuffled_scores(tree: Tree, group: TrustGroup, size: int, seed: int) -> dict[Level, FloatArray]:
    """Normal scores in an order of their own for each unit of the levels down to the departments, (units, S) each.

    A unit of the outermost level shuffles once, and the rows of what lies in it are rotations of that order by
    different amounts: any two rows are then paired as by an independent shuffle, at the price of a copy.
    """
    levels = down_to_departments(tree.of_data)
    top, scores = levels[0], normal_scores(size)
    found = {level.name: _empty(level.units(group.leaves), size) for level in levels}
    rows = dict.fromkeys(found, 0)
    units = top.units(group.leaves)
    for unit in range(units.start, units.stop):
        # A generator of its own makes a unit's numbers independent of how units are grouped.
        generator = np.random.default_rng([seed, unit])
        leaves = slice(int(top.leaves[unit]), int(top.leaves[unit + 1]))
        inside = [(level.name, level.units(leaves)) for level in levels]
        names = [name for name, run in inside for _ in range(run.start, run.stop)]
        turns = np.concatenate([generator.permutation(size) for _ in range((len(names) - 1) // size + 1)])
        for number, name in enumerate(names):
            if number % size == 0:
                doubled = np.tile(generator.permutation(scores), 2)
            found[name][rows[name]] = doubled[turns[number] : turns[number] + size]
            rows[name] += 1
    return found


def _empty(units: slice, size: int) -> FloatArray:
    return np.empty((units.stop - units.start, size))


def normal_scores(size: int) -> FloatArray:
    """Quantiles of the standard normal at the middle of `size` equal slices, scaled to unit variance."""
    scores: FloatArray = ndtri((np.arange(size) + 0.5) / size)
    return scores / np.sqrt(np.mean(scores**2))


def rotations(scores: FloatArray, turns: IntArray) -> FloatArray:
    """One order of scores, (S,), begun at the places `turns`, (n,), 0 to S − 1: (n, S)."""
    return np.asarray(np.tile(scores, 2)[turns[:, np.newaxis] + np.arange(len(scores))])
