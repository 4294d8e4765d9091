"""What is proposed first where department types have standard deviations of their own, and how likely that is.

σ of a type moves with those of the other types by what they have in common alone: the typical type's, and how far types
differ. The two have a density on a grid, from which each type's σ is integrated out. Where effects are a mixture too,
σ stands here for that of the usual effects, of which the data tell more than of all; the exceptional ones are looked at
with every type in units of its own σ.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from brightspots.common.arrays import FloatArray, log_sum
from brightspots.common.settings import HalfNormal, ScalePrior
from brightspots.data.cells import Cells
from brightspots.engine.effects import NORMAL, Heavy
from brightspots.engine.integration.blocks import Block, level_block
from brightspots.engine.integration.grids import GridDensity, lay_grid
from brightspots.engine.integration.scales import usual_factor
from brightspots.engine.integration.tree import Tree
from brightspots.engine.integration.type_scales import TypeScales
from brightspots.engine.integration.unit_tables import UnitValues, lagrange, table_scales
from brightspots.engine.terms import Terms, log_density_of_log_sd

# Of a table with units in units of their own σ: as in `blocks`.
_RELATIVE = (0.3, 0.3, 14)
# Points of a grid of log σ, from how far below that of the normal model to how far above.
_KNOTS, _BELOW, _ABOVE = 81, 4.0, 3.0
# Where log σ of the typical type and log of how far types differ are looked for.
_TYPICAL, _SPREAD = (-2.5, 2.0), (-5.0, 1.1)
# Draws over which means of types are taken.
_DRAWS = 64


@dataclass(frozen=True, eq=False)
class TypesBlock:
    """Log σ of the typical type's departments, what follows of their distribution, and log of how far types differ.

    Parameters
    ----------
    effect : Heavy
    scales : TypeScales
        What the data say of σ of usual effects.
    prior, spread : ScalePrior
        Of σ of the typical type, and of how far types differ.
    alike : Block or None
        Of the distribution, with types in units of their own σ; None where effects are normal.
    alike_usual : float
        Log σ of usual effects there.
    """

    effect: Heavy
    scales: TypeScales
    prior: ScalePrior
    spread: ScalePrior
    alike: Block | None = None
    alike_usual: float = 0.0
    by_type: ClassVar[bool] = True

    def log_density(self, points: FloatArray) -> FloatArray:
        """Of the parameters at points (P, parameters) given the data, (P,), up to a constant."""
        log_sd, free, log_spread = points[:, 0], points[:, 1:-1], points[:, -1]
        usual_units = np.log(usual_factor(self.effect.mixing(free)))
        usual = log_sd + usual_units
        found = self.scales.log_total(usual, np.exp(log_spread))
        found += log_density_of_log_sd(self.prior, log_sd) + log_density_of_log_sd(self.spread, log_spread)
        if self.alike is None:
            return found
        return found + self.alike.log_density(np.column_stack([self.alike_usual - usual_units, free]))


@dataclass(frozen=True, eq=False)
class TypesDensity:
    """What those parameters are drawn from.

    Parameters
    ----------
    effect : Heavy
    usual : GridDensity
        Of log σ of the typical type's usual effects, and log of how far types differ.
    free : GridDensity or None
        Of what follows of the distribution.
    of_types : (D,)
        Means of log σ of the types.
    log_total, log_bayes_factor : float
        Log of the integral of the density as if effects were normal; and how much likelier they are distributed as they
        are here than normal.
    """

    effect: Heavy
    usual: GridDensity
    free: GridDensity | None
    of_types: FloatArray
    log_total: float
    log_bayes_factor: float

    @property
    def peak(self) -> FloatArray:
        """The likeliest point."""
        return self._point(self.usual.peak, None if self.free is None else self.free.peak)

    @property
    def mean(self) -> FloatArray:
        """Of each parameter."""
        return self._point(self.usual.mean, None if self.free is None else self.free.mean)

    def draw(self, size: int, generator: np.random.Generator) -> FloatArray:
        """Draws, (size, parameters)."""
        usual = self.usual.draw(size, generator)
        return self._point(usual, None if self.free is None else self.free.draw(size, generator))

    def log_density(self, points: FloatArray) -> FloatArray:
        """Log density at points (S, parameters), (S,)."""
        free = points[:, 1:-1]
        usual = points[:, 0] + np.log(usual_factor(self.effect.mixing(free)))
        found = self.usual.log_density(np.column_stack([usual, points[:, -1]]))
        return found if self.free is None else found + self.free.log_density(free)

    def _point(self, usual: FloatArray, free: FloatArray | None) -> FloatArray:
        """Parameters from those of the two grids, (…, parameters)."""
        rest = usual[..., :0] if free is None else free
        log_sd = usual[..., 0] - np.log(usual_factor(self.effect.mixing(rest)))
        return np.concatenate([log_sd[..., np.newaxis], rest, usual[..., 1:]], axis=-1)


TypesLevel = tuple[TypesBlock, TypesDensity]


def types_block(told: UnitValues, tree: Tree, terms: Terms, log_sd: float, effect: Heavy) -> TypesLevel:
    """What is said of department types' σ, and of the distribution of effects.

    Parameters
    ----------
    told : UnitValues
        Of departments.
    tree : Tree
    terms : Terms
    log_sd : float
        Log σ of departments if all had the same.
    effect : Heavy
    """
    normal = normal_types(told, tree, terms, log_sd)
    return normal if effect == NORMAL else mixed_types(told, tree, normal, log_sd, effect)


def normal_types(told: UnitValues, tree: Tree, terms: Terms, log_sd: float) -> TypesLevel:
    """The same if effects are normal."""
    knots = log_sd + np.linspace(-_BELOW, _ABOVE, _KNOTS)
    basis = lagrange(told.scales, told.floor, np.exp(knots))
    scales = TypeScales.of(knots, _by_type(tree.cells, told.values) @ basis, tree.loops)
    block = TypesBlock(NORMAL, scales, terms.scales["department"], terms.between_types)
    usual = _typical_density(block, log_sd)
    return block, TypesDensity(NORMAL, usual, None, _means(scales, usual), usual.log_total, 0.0)


def mixed_types(
    told: UnitValues, tree: Tree, as_normal: TypesLevel, log_sd: float, effect: Heavy
) -> TypesLevel:
    """The same if effects are distributed in another way, from what there is if they are normal."""
    normal, density = as_normal
    own = density.of_types[tree.cells.cell_department]
    alike, in_units, factor = _in_units_of_own(told, own, effect)
    mixing = effect.mixing(in_units.mean[1:])
    widths, knots = mixing.factor / usual_factor(mixing), normal.scales.knots
    mixed = log_sum(
        np.stack([
            told.values @ lagrange(told.scales, told.floor, width * np.exp(knots)) + log_weight
            for width, log_weight in zip(widths, mixing.log_weight, strict=True)
        ])
    )  # fmt: skip
    scales = TypeScales.of(knots, _by_type(tree.cells, mixed), tree.loops)
    usual = _typical_density(replace(normal, scales=scales), log_sd)
    of_peak = float(in_units.peak[0] + np.log(usual_factor(effect.mixing(in_units.peak[1:]))))
    block = TypesBlock(effect, scales, normal.prior, normal.spread, alike, of_peak)
    of_all = _means(scales, usual) - np.log(usual_factor(mixing))
    free = in_units.only(*range(1, len(in_units.axes)))
    return block, TypesDensity(effect, usual, free, of_all, density.log_total, factor)


def _by_type(cells: Cells, values: FloatArray) -> FloatArray:
    """Sums over each type's departments of values (cells, J), (D, J)."""
    columns = [np.bincount(cells.cell_department, column, cells.n_departments) for column in values.T]
    return np.stack(columns, axis=1)


def _typical_density(block: TypesBlock, log_sd: float) -> GridDensity:
    """Of log σ of the typical type and log of how far types differ, on a grid."""
    around = (log_sd + _TYPICAL[0], log_sd + _TYPICAL[1])
    return lay_grid(block.log_density, (around, _SPREAD))


def _means(scales: TypeScales, density: GridDensity) -> FloatArray:
    """Means of log σ of the types, (D,)."""
    generator = np.random.default_rng(0)
    drawn = density.draw(_DRAWS, generator)
    places = (np.arange(_DRAWS)[:, np.newaxis] + generator.random((_DRAWS, scales.n_types))) / _DRAWS
    found, _ = scales.draw(drawn[:, 0], np.exp(drawn[:, 1]), generator.permuted(places, axis=0))
    return np.asarray(found.mean(axis=0))


def _in_units_of_own(told: UnitValues, log_sd: FloatArray, effect: Heavy) -> tuple[Block, GridDensity, float]:
    """The distribution of effects with each unit in units of its own σ, from log σ (units,), and its log Bayes factor.

    The factor is of how much likelier that is than normal effects.
    """
    relative, floor = table_scales(1.0, *_RELATIVE)
    scaled = np.empty((len(told.values), len(relative)))
    for one in np.unique(log_sd):
        units = log_sd == one
        scaled[units] = told.values[units] @ lagrange(told.scales, told.floor, np.exp(one) * relative)
    in_units = UnitValues(relative, floor, scaled)
    block, density = level_block(in_units, effect, HalfNormal(1.0), 0.0)
    _, usual = level_block(in_units, NORMAL, HalfNormal(1.0), 0.0)
    return block, density, density.log_total - usual.log_total
