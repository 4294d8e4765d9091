"""Where parameters of effects that are not normal are proposed first: grids, one for each level that has them.

Under a mixture of two normals σ, the share of exceptional units and their factor have a posterior far from normal: a
bent ridge where there are exceptional units, most of the prior where there are none. But the levels' blocks are nearly
independent, and each has two or three parameters, so a density on a grid is cheap, if the log likelihood of a block
is. It is that of the level's units one by one, with all else where a simpler model has it: each unit's log likelihood
under a normal effect is tabulated by its standard deviation, and mixed for every point of the grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.engine.effects import NORMAL
from brightspots.engine.integration.blocks import Blocks, level_block, told_of
from brightspots.engine.integration.centre import settle
from brightspots.engine.integration.elimination import eliminate
from brightspots.engine.integration.mode import Mode
from brightspots.engine.integration.model import Model
from brightspots.engine.integration.proposal import StudentMixture, pilot
from brightspots.engine.integration.type_blocks import TypesDensity, types_block
from brightspots.engine.integration.unit_tables import Given
from brightspots.engine.levels import Level

# Log density below the peak's that is nil.
_NIL = 25.0
# Draws of the levels below over which what is said of a level is averaged.
_DRAWS_BELOW = 8


@dataclass(frozen=True, eq=False)
class BlockPilot:
    """A density on a grid for each block, and a t for all that is in none.

    Parameters
    ----------
    model : Model
    blocks : mapping of level to (block, density)
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
        for level, (_, density) in self.blocks.items():
            drawn[:, self._columns(level)] = density.draw(size, generator)
        if self.rest is not None:
            drawn[:, self.columns] = self.rest.draw(size, generator)
        return drawn

    def log_density(self, points: FloatArray) -> FloatArray:
        """Log density at points (S, parameters)."""
        of_blocks = (
            density.log_density(points[:, self._columns(level)])
            for level, (_, density) in self.blocks.items()
        )
        found = sum(of_blocks, np.zeros(len(points)))
        return found if self.rest is None else found + self.rest.log_density(points[:, self.columns])

    def is_nil(self, points: FloatArray) -> npt.NDArray[np.bool_]:
        """Whether the posterior density at points (S, parameters) is nil beside that at the peak, (S,)."""
        below = np.zeros(len(points))
        for level, (block, density) in self.blocks.items():
            peak = block.log_density(density.peak[np.newaxis])[0]
            below += np.minimum(block.log_density(points[:, self._columns(level)]) - peak, 0.0)
        below[np.isnan(below)] = -np.inf
        return below < -_NIL

    def _columns(self, level: Level) -> IntArray:
        return self.model.tree.columns(level)


def block_pilot(model: Model, mode: Mode, known: Blocks | None = None) -> BlockPilot:
    """What to propose from first, around a mode of the model with normal effects.

    `known` are blocks that were found there already; those of other distributions than the model's are not used.
    """
    tree = model.tree
    blocks = _blocks(model, mode, around(model, mode), known)
    # Once more from where effects lie under those distributions: extreme ones are shrunk less, others more.
    mean, of_types = middle_of(model, mode, blocks)
    scales = tree.scales(mean, of_types)
    border, data, own = settle(model, scales, mode.border)
    eliminated = eliminate(tree, data.information, data.linear, scales.usual(own))
    blocks = _blocks(model, mode, Given(border, scales, eliminated))
    rest = np.setdiff1d(np.arange(len(tree.levels)), [tree.levels.index(level) for level in blocks])
    if not len(rest):
        return BlockPilot(model, blocks, rest, None)
    covariance = np.linalg.inv(mode.curvature)[np.ix_(rest, rest)]
    return BlockPilot(model, blocks, rest, pilot(mode.log_sd[rest], np.linalg.inv(covariance)))


def middle_of(model: Model, mode: Mode, blocks: Blocks) -> tuple[FloatArray, FloatArray | None]:
    """Means of all parameters, (k,), and of log σ of department types, (D,), where these differ."""
    mean = np.zeros(model.tree.n_parameters)
    mean[: len(mode.log_sd)] = mode.log_sd
    for level, (_, density) in blocks.items():
        mean[model.tree.columns(level)] = density.mean
    return mean, _of_types(blocks)


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
        by_type = tree.by_type and level == "department"
        already = known.get(level) if known else None
        if already and already[0].effect == tree.effects.get(level, NORMAL) and already[0].by_type == by_type:
            found[level] = already
        else:
            log_sd = float(mode.log_sd[tree.levels.index(level)])
            effect = tree.effects.get(level, NORMAL)
            told = told_of(tree, given, level, log_sd, below, _of_types(found))
            found[level] = (
                types_block(told, tree, model.terms, log_sd, effect)
                if by_type
                else level_block(told, effect, model.terms.scales[level], log_sd)
            )
        below[:, tree.columns(level)] = found[level][1].draw(_DRAWS_BELOW, generator)
    return found


def _of_types(blocks: Blocks) -> FloatArray | None:
    """Means of log σ of department types, (D,), where these differ."""
    _, density = blocks.get("department", (None, None))
    return density.of_types if isinstance(density, TypesDensity) else None
