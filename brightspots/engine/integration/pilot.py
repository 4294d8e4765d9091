"""Where parameters of effects that are not normal are proposed first: grids, one for each level that has them.

Under a mixture of two normals σ, the share of exceptional units and their factor have a posterior far from normal: a
bent ridge where there are exceptional units, most of the prior where there are none. But the levels' blocks are nearly
independent, and each has two or three parameters, so a density on a grid is cheap, if the log likelihood of a block
is. It is that of the level's units one by one, with all else where a simpler model has it: each unit's log likelihood
under a normal effect is tabulated by its standard deviation, and mixed for every point of the grid.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.engine.effects import NORMAL, Heavy
from brightspots.engine.integration.centre import settle
from brightspots.engine.integration.elimination import eliminate
from brightspots.engine.integration.mode import Mode
from brightspots.engine.integration.model import Model
from brightspots.engine.integration.proposal import StudentMixture, pilot
from brightspots.engine.integration.unit_tables import (
    Given,
    UnitTable,
    leaf_values,
    node_values,
    table_scales,
    top_values,
    unit_table,
)
from brightspots.engine.levels import Level
from brightspots.engine.terms import log_density_of_log_sd

# Points of a grid of one, two or three parameters along each, how often it is zoomed, how far below its peak it goes.
_POINTS, _ZOOMS, _DEEP = {1: 41, 2: 21, 3: 13}, 4, 10.0
_HALF_WIDTH = 1.5
# Log density below the peak's that is nil.
_NIL = 25.0
# Draws of the levels below over which what is said of a level is averaged.
_DRAWS_BELOW = 8


@dataclass(frozen=True, eq=False)
class GridDensity:
    """Multilinear density on a regular grid: a mixture of products of triangles, one around each point.

    Parameters
    ----------
    axes : sequence of arrays
    weights : (points of the first axis, of the second, …)
        Probabilities of the points.
    log_total : float
        Log of the integral of what was tabulated.
    """

    axes: Sequence[FloatArray]
    weights: FloatArray
    log_total: float = 0.0

    @property
    def _steps(self) -> FloatArray:
        return np.array([axis[1] - axis[0] for axis in self.axes])

    def draw(self, size: int, generator: np.random.Generator) -> FloatArray:
        """Stratified draws, (size, axes)."""
        places = (generator.permutation(size) + generator.random()) / size
        at = np.minimum(np.searchsorted(np.cumsum(self.weights), places), self.weights.size - 1)
        point = np.stack(np.unravel_index(at, self.weights.shape), axis=1)
        within = generator.random(point.shape) + generator.random(point.shape) - 1.0
        return np.array([axis[0] for axis in self.axes]) + (point + within) * self._steps

    def log_density(self, points: FloatArray) -> FloatArray:
        """Log density at points (S, axes); −inf outside."""
        place = (points - np.array([axis[0] for axis in self.axes])) / self._steps
        below = np.floor(place).astype(np.int64)
        share = place - below
        density = np.zeros(len(points))
        for corner in itertools.product((0, 1), repeat=len(self.axes)):
            at = below + np.array(corner)
            inside = np.all((at >= 0) & (at < self.weights.shape), axis=1)
            weight = np.prod(np.where(np.array(corner) == 1, share, 1.0 - share), axis=1)
            density[inside] += weight[inside] * self.weights[tuple(at[inside].T)]
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(density) - np.log(self._steps).sum())

    @property
    def peak(self) -> FloatArray:
        """The likeliest point, (axes,)."""
        at = np.unravel_index(np.argmax(self.weights), self.weights.shape)
        return np.array([axis[place] for axis, place in zip(self.axes, at, strict=True)])

    @property
    def mean(self) -> FloatArray:
        """Of each parameter, (axes,)."""
        return np.array([
            axis @ np.moveaxis(self.weights, number, 0).reshape(len(axis), -1).sum(axis=1)
            for number, axis in enumerate(self.axes)
        ])  # fmt: skip


@dataclass(frozen=True, eq=False)
class Block:
    """Parameters of one level: its log σ and what follows of its distribution of effects.

    Parameters
    ----------
    level : Level
    columns : int array
        Their places among all parameters.
    effect : Heavy
    table : UnitTable
    """

    level: Level
    columns: IntArray
    effect: Heavy
    table: UnitTable

    def log_density(self, model: Model, points: FloatArray) -> FloatArray:
        """Of the parameters at points (P, columns) given the units' data, (P,), up to a constant."""
        mixing = self.effect.mixing(points[:, 1:])
        found = self.table.log_likelihood(mixing.factor * np.exp(points[:, 0]), mixing.log_weight)
        prior = log_density_of_log_sd(model.terms.scales[self.level], points[:, 0])
        return found + prior + self.effect.log_prior(points[:, 1:])


Blocks = dict[Level, tuple[Block, GridDensity]]


@dataclass(frozen=True, eq=False)
class BlockPilot:
    """A density on a grid for each block, and a t for all that is in none.

    Parameters
    ----------
    model : Model
    blocks : mapping of level to (Block, GridDensity)
    columns : int array
        Of the rest.
    rest : StudentMixture or None
    """

    model: Model
    blocks: Blocks
    columns: IntArray
    rest: StudentMixture | None

    def draw(self, size: int, generator: np.random.Generator) -> FloatArray:
        """Draws, (size, parameters)."""
        drawn = np.empty((size, self.model.tree.n_parameters))
        for block, density in self.blocks.values():
            drawn[:, block.columns] = density.draw(size, generator)
        if self.rest is not None:
            drawn[:, self.columns] = self.rest.draw(size, generator)
        return drawn

    def log_density(self, points: FloatArray) -> FloatArray:
        """Log density at points (S, parameters)."""
        of_blocks = (density.log_density(points[:, block.columns]) for block, density in self.blocks.values())
        found = sum(of_blocks, np.zeros(len(points)))
        return found if self.rest is None else found + self.rest.log_density(points[:, self.columns])

    def is_nil(self, points: FloatArray) -> npt.NDArray[np.bool_]:
        """Whether the posterior density at points (S, parameters) is nil beside that at the peak, (S,)."""
        below = np.zeros(len(points))
        for block, density in self.blocks.values():
            peak = block.log_density(self.model, density.peak[np.newaxis])[0]
            below += np.minimum(block.log_density(self.model, points[:, block.columns]) - peak, 0.0)
        below[np.isnan(below)] = -np.inf
        return below < -_NIL


def block_pilot(model: Model, mode: Mode, known: Blocks | None = None) -> BlockPilot:
    """What to propose from first, around a mode of the model with normal effects.

    `known` are blocks that were found there already; those of other distributions than the model's are not used.
    """
    tree = model.tree
    blocks = _blocks(model, mode, around(model, mode), known)
    # Once more from where effects lie under those distributions: extreme ones are shrunk less, others more.
    mean = np.concatenate([mode.log_sd, *(np.zeros(len(effect.names)) for effect in tree.effects.values())])
    for block, density in blocks.values():
        mean[block.columns] = density.mean
    scales = tree.scales(mean)
    border, data, own = settle(model, mean, mode.border)
    eliminated = eliminate(tree, data.information, data.linear, scales.usual(own))
    blocks = _blocks(model, mode, Given(border, scales, eliminated))
    rest = np.setdiff1d(np.arange(len(tree.levels)), [block.columns[0] for block, _ in blocks.values()])
    if not len(rest):
        return BlockPilot(model, blocks, rest, None)
    covariance = np.linalg.inv(mode.curvature)[np.ix_(rest, rest)]
    return BlockPilot(model, blocks, rest, pilot(mode.log_sd[rest], np.linalg.inv(covariance)))


def around(model: Model, mode: Mode) -> Given:
    """All that the model with normal effects has at its mode."""
    normal = model.tree.normal.scales(mode.log_sd)
    eliminated = eliminate(model.tree, mode.data.information, mode.data.linear, normal)
    return Given(mode.border, normal, eliminated)


def _blocks(model: Model, mode: Mode, given: Given, known: Blocks | None = None) -> Blocks:
    """Densities of the nested levels' parameters on grids, each as if all above were as given."""
    tree, generator = model.tree, np.random.default_rng(0)
    below = np.zeros((_DRAWS_BELOW, tree.n_parameters))
    below[:, : len(tree.levels)] = mode.log_sd
    found: Blocks = {}
    # From the leaves up, for what the leaves say of a level depends on the distribution of the effects below it.
    for level in reversed(tree.nested):
        if known and level in known and known[level][0].effect == tree.effects.get(level, NORMAL):
            block, density = known[level]
        else:
            block = level_block(model, mode, given, level, below)
            density = grid_density(model, block, mode)
        block = replace(block, columns=tree.columns(level))
        found[level] = block, density
        below[:, block.columns] = density.draw(_DRAWS_BELOW, generator)
    return found


def level_block(model: Model, mode: Mode, given: Given, level: Level, below: FloatArray) -> Block:
    """Table what all others say of a level's units, averaged over draws (n, k) of the parameters of those below."""
    tree = model.tree
    sds, floor = table_scales(float(np.exp(mode.log_sd[tree.levels.index(level)])))
    if level == tree.leaf_level:
        values = leaf_values(tree, given, sds)
    elif level == tree.nodes[0].name:
        values = top_values(tree, given.border, below, sds)
    else:
        inner = tree.nested[tree.nested.index(level) + 1 :]
        drawn = [given.scales.with_levels_of(tree.scales(row), inner) for row in below]
        values = np.mean([node_values(tree, given, scales, level, sds) for scales in drawn], axis=0)
    effect = tree.effects.get(level, NORMAL)
    return Block(level, tree.columns(level), effect, unit_table(sds, floor, values))


def grid_density(model: Model, block: Block, mode: Mode) -> GridDensity:
    """Lay a grid over where a block's density is, zooming in on it."""
    middle = mode.log_sd[block.columns[0]]
    ranges = ((middle - _HALF_WIDTH, middle + _HALF_WIDTH), *block.effect.start)
    count = _POINTS[len(ranges)]
    axes = [np.linspace(low, high, count) for low, high in ranges]

    def density(axes: Sequence[FloatArray]) -> FloatArray:
        points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
        return block.log_density(model, points.reshape(-1, len(axes))).reshape(points.shape[:-1])

    for _ in range(_ZOOMS):
        logs = density(axes)
        near = logs > logs.max() - _DEEP
        for number, axis in enumerate(axes):
            others = tuple(i for i in range(len(axes)) if i != number)
            at = np.flatnonzero(near.any(axis=others))
            ends = axis[max(at[0] - 1, 0)], axis[min(at[-1] + 1, len(axis) - 1)]
            axes[number] = np.linspace(*ends, count)
    logs = density(axes)
    weights = np.exp(logs - logs.max())
    cell = math.prod(float(axis[1] - axis[0]) for axis in axes)
    return GridDensity(tuple(axes), weights / weights.sum(), float(logs.max() + np.log(weights.sum() * cell)))
