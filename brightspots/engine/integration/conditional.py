"""The posterior as shared draws plus conditional distributions: effects are generated trust by trust when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from brightspots.common.parallel import map_in_order
from brightspots.common.pickling import PickledByFields
from brightspots.data.cells import Cells
from brightspots.engine.integration.deal import deal
from brightspots.engine.integration.expansion import Expansion, expand_around
from brightspots.engine.integration.polynomials import TrustGroup, trust_groups
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
    dealt = deal(expansions, group, seed)
    of_department = dealt["department"].shapes
    conditional = Conditional(*of_department[1:].astype(np.float32)) if "department" in tree.levels else None
    return EffectBlock(group.trusts, group.cells, dealt["trust"].shapes[0], of_department[0], conditional)


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
    dealt = deal(expansions, group, None)
    trust, department = (
        Conditional(*dealt[level].shapes[1:].astype(np.float32)) for level in ("trust", "department")
    )
    return ShapeBlock(
        group.trusts,
        group.cells,
        trust,
        department,
        dealt["trust"].prior_sd,
        dealt["department"].prior_sd,
        {level: of.exceptional for level, of in dealt.items() if of.exceptional is not None},
    )
