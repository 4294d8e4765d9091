"""Parameters of single levels: what the data say of each level's σ and distribution, with all above as given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from brightspots.common.arrays import FloatArray
from brightspots.common.settings import ScalePrior
from brightspots.engine.effects import Heavy
from brightspots.engine.integration.grids import GridDensity, lay_grid
from brightspots.engine.integration.tree import Tree
from brightspots.engine.integration.unit_tables import (
    Given,
    UnitTable,
    UnitValues,
    leaf_values,
    node_values,
    table_scales,
    top_values,
    unit_table,
)
from brightspots.engine.levels import Level
from brightspots.engine.terms import log_density_of_log_sd

# How far from that of the normal model log σ is looked for.
_HALF_WIDTH = 1.5
# Tables of what is told of units: their narrowest σ and their floor, in σ's of the normal model, and how many σ's. Some
# department types may be all alike.
_TABLE, _TABLE_BY_TYPE = (0.3, 0.3, 14), (0.0, 0.15, 20)


class AnyBlock(Protocol):
    """Parameters of one level: see `Block`."""

    @property
    def effect(self) -> Heavy:
        """Distribution of the effects."""
        ...

    @property
    def by_type(self) -> bool:
        """Whether department types have a σ each."""
        ...

    def log_density(self, points: FloatArray) -> FloatArray:
        """Of the parameters at points (P, parameters) given the data, (P,), up to a constant."""
        ...


class BlockDensity(Protocol):
    """What a level's parameters are drawn from: see `GridDensity`."""

    @property
    def peak(self) -> FloatArray:
        """The likeliest point, (parameters,)."""
        ...

    @property
    def mean(self) -> FloatArray:
        """Of each parameter, (parameters,)."""
        ...

    def draw(self, size: int, generator: np.random.Generator) -> FloatArray:
        """Draws, (size, parameters)."""
        ...

    def log_density(self, points: FloatArray) -> FloatArray:
        """Log density at points (S, parameters), (S,)."""
        ...


@dataclass(frozen=True, eq=False)
class Block:
    """Parameters of one level: its log σ and what follows of its distribution of effects.

    Parameters
    ----------
    effect : Heavy
    table : UnitTable
    prior : ScalePrior
        Of σ.
    """

    effect: Heavy
    table: UnitTable
    prior: ScalePrior
    by_type: ClassVar[bool] = False

    def log_density(self, points: FloatArray) -> FloatArray:
        """Of the parameters at points (P, parameters) given the units' data, (P,), up to a constant."""
        mixing = self.effect.mixing(points[:, 1:])
        found = self.table.log_likelihood(mixing.factor * np.exp(points[:, 0]), mixing.log_weight)
        prior = log_density_of_log_sd(self.prior, points[:, 0])
        return found + prior + self.effect.log_prior(points[:, 1:])


LevelBlock = tuple[Block, GridDensity]
Blocks = dict[Level, tuple[AnyBlock, BlockDensity]]


def told_of(
    tree: Tree,
    given: Given,
    level: Level,
    log_sd: float,
    below: FloatArray,
    of_types: FloatArray | None = None,
) -> UnitValues:
    """What all others say of a level's units, one by one, under normal effects of several σ's.

    Parameters
    ----------
    log_sd : float
        About where log σ lies.
    below : (n, k)
        Draws of the parameters of the levels below, over which is averaged.
    of_types : (D,), optional
        Log σ of department types, where these differ and lie below.
    """
    table = _TABLE_BY_TYPE if level == "department" else _TABLE
    sds, floor = table_scales(float(np.exp(log_sd)), *table)
    if level == tree.leaf_level:
        values = leaf_values(tree, given, sds)
    elif level == tree.nodes[0].name:
        values = top_values(tree, given.border, below, sds, of_types)
    else:
        inner = tree.nested[tree.nested.index(level) + 1 :]
        drawn = [given.scales.with_levels_of(tree.scales(row, of_types), inner) for row in below]
        values = np.mean([node_values(tree, given, scales, level, sds) for scales in drawn], axis=0)
    # As tables have them, so that totals can be compared.
    return UnitValues(sds, floor, values - values[:, :1])


def level_block(told: UnitValues, effect: Heavy, prior: ScalePrior, log_sd: float) -> LevelBlock:
    """Parameters of a level from what is told of its units, and their density on a grid around a log σ."""
    block = Block(effect, unit_table(told), prior)
    around = (log_sd - _HALF_WIDTH, log_sd + _HALF_WIDTH)
    return block, lay_grid(block.log_density, (around, *effect.start))
