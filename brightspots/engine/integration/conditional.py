"""The posterior as shared draws plus exact conditionals: effects are generated trust by trust when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from scipy.special import ndtri

from brightspots.common.parallel import map_in_order
from brightspots.common.pickling import PickledByFields
from brightspots.common.settings import Flat
from brightspots.data.cells import Cells, FloatArray
from brightspots.engine.integration.expansion import Expansion, draws_of, expand
from brightspots.engine.integration.leaf import cornish_fisher, shape_of
from brightspots.engine.integration.polynomials import (
    TrustPolynomials,
    integrate_polynomials,
    integrate_trusts,
    trust_groups,
    trust_polynomials,
)
from brightspots.engine.integration.tree import MIDDLE_NODES, Tree
from brightspots.engine.posterior import Conditional, EffectBlock, SharedDraws
from brightspots.engine.terms import Terms

Result = TypeVar("Result")

# Draws that are kept once dealt, with what they were drawn from (24 bytes each): 200 megabytes.
HELD_NUMBERS = 8_000_000
# The same where many questions will be asked (`ConditionalPosterior.held`): 600 megabytes.
MOST_HELD = 25_000_000


def terms_of(shared: SharedDraws) -> Terms:
    """Terms of the model that made some draws; the priors, which draws no longer need, are flat."""

    def prior(values: FloatArray | None) -> Flat | None:
        return None if values is None else Flat()

    return Terms(
        intercept=Flat(),
        covariate=Flat(),
        trust=Flat(),
        department=prior(shared.sd_department),
        period=prior(shared.sd_period),
        department_type=prior(shared.sd_department_type),
    )


@dataclass(frozen=True)
class ConditionalPosterior(PickledByFields):
    """Shared draws of the σ's and the border, from which the effects follow by exact conditional distributions.

    Given a draw of the shared parameters a trust's effect has a known one-dimensional distribution, and given
    that so has each department's. Their draws are stratified over the S draws (one from each of S slices of
    equal probability), so averages carry far less noise than S independent draws would give.

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
        tree = Tree(self.cells, terms_of(self.shared))
        return expand(tree, draws_of(tree, self.shared))

    def held(self) -> ConditionalPosterior:
        """Deal the effects once and keep them with what they were drawn from, where there are at most `MOST_HELD`."""
        if self._numbers <= MOST_HELD:
            _ = self._held
        return self

    @property
    def _numbers(self) -> int:
        """How many effects there are: S of every trust and of every cell."""
        return self.shared.n_draws * (self.cells.n_trusts + self.cells.n_cells)

    @cached_property
    def _held(self) -> tuple[EffectBlock, ...]:
        return tuple(map_in_order(self._deal, self._groups))

    @cached_property
    def _groups(self) -> list[tuple[slice, slice, slice]]:
        return trust_groups(self.cells, self.shared.n_draws)

    def _deal(self, group: tuple[slice, slice, slice]) -> EffectBlock:
        return effect_block(self.expansions, group, self.seed)

    def map_blocks(self, work: Callable[[EffectBlock], Result]) -> Iterator[Result]:
        """Apply `work` to every block, on all cores, in order.

        Draws of a table of ordinary size are kept once dealt; those of a larger one are dealt again each time, unless
        `held` was asked for.
        """
        if self._numbers <= HELD_NUMBERS or "_held" in vars(self):
            return map_in_order(work, self._held)
        _ = self.expansions  # made once, before threads ask for it
        return map_in_order(lambda group: work(self._deal(group)), self._groups)

    def blocks(self) -> Iterator[EffectBlock]:
        """Every trust once, in order; the same numbers each time it is called."""
        return self.map_blocks(lambda block: block)


def effect_block(
    expansions: Sequence[Expansion], group: tuple[slice, slice, slice], seed: int
) -> EffectBlock:
    """Draw the effects of one group of trusts."""
    trusts, cells, _ = group
    tree = expansions[0].tree
    size = sum(band.draws.size for band in expansions)
    of_trust, of_cell = _shuffled_scores(tree.cells, trusts, size, seed)
    trust_effect = np.empty((trusts.stop - trusts.start, size))
    dealt = np.zeros((5, cells.stop - cells.start, size))
    for band in expansions:
        scales, at = band.draws.scales, band.members
        polynomials = trust_polynomials(band, group, by_cell=not tree.has_middle)
        mean, sd, skewness, kurtosis = shape_of(*integrate_trusts(band, polynomials)[1:])
        of_band = scales.trust * cornish_fisher(mean, sd, skewness, kurtosis, of_trust[:, at])
        trust_effect[:, at] = of_band
        if tree.terms.department is not None:
            dealt[:, :, at] = _department_effects(band, polynomials, of_band, of_cell[:, at])
    conditional = None if tree.terms.department is None else Conditional(*dealt[1:].astype(np.float32))
    return EffectBlock(trusts, cells, trust_effect, dealt[0], conditional)


def _department_effects(
    band: Expansion, group: TrustPolynomials, trust_effect: FloatArray, scores: FloatArray
) -> FloatArray:
    """Draws of v given u and the shared parameters, and the four numbers of `Conditional`, (5, C', S)."""
    of_cell = band.tree.cells.cell_trust[group.cells]
    away = (trust_effect - group.centre)[of_cell - group.trusts.start]
    if group.inner is None:
        effects: FloatArray = band.tree.loops.leaf_effects(
            group.cell,
            band.trust_reach[of_cell],
            np.ascontiguousarray(away),
            band.draws.scales.leaf,
            np.ascontiguousarray(scores),
        )
        return effects
    sd = band.draws.scales.middle
    centre = band.cell[group.cells][:, np.newaxis] - away
    mean, width, skewness, kurtosis = shape_of(
        *integrate_polynomials(band, group.inner, band.cell_reach[group.cells], centre, sd, MIDDLE_NODES)[1:]
    )
    drawn = cornish_fisher(mean, width, skewness, kurtosis, scores)
    return np.stack([sd * drawn, sd * mean, sd * width, skewness, kurtosis])


def _shuffled_scores(cells: Cells, trusts: slice, size: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Normal scores in an order of their own for each trust (T', S) and each cell (C', S).

    A trust shuffles once, and its rows are rotations of that order by different amounts: any two rows are then
    paired as by an independent shuffle, at the price of a copy.
    """
    scores = normal_scores(size)
    of_trust = np.empty((trusts.stop - trusts.start, size))
    of_cell = np.empty((int(cells.trust_cells[trusts.stop] - cells.trust_cells[trusts.start]), size))
    row = 0
    for trust in range(trusts.start, trusts.stop):
        # A generator of its own makes a trust's numbers independent of how trusts are grouped.
        generator = np.random.default_rng([seed, trust])
        count = int(cells.trust_cells[trust + 1] - cells.trust_cells[trust])
        turns = np.concatenate([generator.permutation(size) for _ in range(count // size + 1)])
        for number in range(count + 1):
            if number % size == 0:
                doubled = np.tile(generator.permutation(scores), 2)
            turned = doubled[turns[number] : turns[number] + size]
            if number == 0:
                of_trust[trust - trusts.start] = turned
            else:
                of_cell[row] = turned
                row += 1
    return of_trust, of_cell


def normal_scores(size: int) -> FloatArray:
    """Quantiles of the standard normal at the middle of `size` equal slices, scaled to unit variance."""
    scores: FloatArray = ndtri((np.arange(size) + 0.5) / size)
    return scores / np.sqrt(np.mean(scores**2))
