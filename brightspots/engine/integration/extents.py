"""Where effects lie, from their densities on grids: for trusts in which slope and curvature at the mode do not tell.

No event in a large denominator says that an effect is not high, and nothing of how low it is. Where σ is wide the
density of such an effect reaches far to one side and not at all to the other, and a polynomial that reached as far
either way would be none of use. So densities are looked at on grids: up the tree what the data say of the effects of
each unit, down again what is left of it for the units inside.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np

from brightspots.common.arrays import FloatArray, IntArray, log_sum
from brightspots.common.parallel import map_in_order
from brightspots.engine.integration.profiles import said_by_leaves
from brightspots.engine.integration.scales import Scales
from brightspots.engine.integration.tree import Tree
from brightspots.engine.levels import Level

# How far the log density has fallen where polynomials may end.
_DEEP = 12.0
# Points of a grid, times that it is laid anew over what is left, and how much wider than the first guess it starts.
_POINTS, _ZOOMS, _WIDER = 41, 2, 1.2
_QUADRATURE = 7
_LEAVES_AT_ONCE = 1_000
_LEAST_SD = 1e-9

Ranges = dict[Level, tuple[FloatArray, FloatArray]]


@dataclass(frozen=True, eq=False)
class Extremes:
    """The least and the most of what draws that share an expansion have.

    Parameters
    ----------
    narrowest, widest : Scales
        Numbers.
    lowest, highest : (units,)
        Move of the border at each unit of the outermost level.
    """

    narrowest: Scales
    widest: Scales
    lowest: FloatArray
    highest: FloatArray


def extents(tree: Tree, border: FloatArray, extremes: Extremes, guess: Ranges, top_units: IntArray) -> Ranges:
    """Between which values the sum of effects down to each node lies, for all units in some of the outermost level.

    Parameters
    ----------
    tree : Tree
    border : (B,)
    extremes : Extremes
    guess : mapping of level to pair of (units,)
        Where to look, of every node.
    top_units : (n,)
        Of the outermost level.

    Returns
    -------
    mapping of level to pair of (units,)
        As `guess`, with those of the wanted units in place.
    """
    found = {level: (low.copy(), high.copy()) for level, (low, high) in guess.items()}
    sizes = np.diff(tree.nodes[0].leaves)[top_units]
    bounds = np.cumsum(sizes) // _LEAVES_AT_ONCE
    groups = np.split(top_units, np.flatnonzero(np.diff(bounds)) + 1)

    def one(units: IntArray) -> None:
        part = _Part.of(tree, border, units)
        ranges = {
            level: _widened(low[part.units[level]], high[part.units[level]], _WIDER)
            for level, (low, high) in found.items()
        }
        for _ in range(_ZOOMS):
            ranges = part.zoom(ranges, extremes)
        for level, (low, high) in ranges.items():
            found[level][0][part.units[level]], found[level][1][part.units[level]] = low, high

    deque(map_in_order(one, groups), maxlen=0)
    return found


@dataclass(frozen=True, eq=False)
class _Part:
    """Some units of the outermost level, with all that is inside.

    Parameters
    ----------
    tree : Tree
    leaves : (L,)
    predictor : (L,)
        Of the border alone.
    units : mapping of level to (n,)
        Units of each node.
    owner : mapping of level to (n,)
        Place among `units` of the node above of the unit that each lies in; of `leaves`, for the level of the leaves.
    """

    tree: Tree
    leaves: IntArray
    predictor: FloatArray
    units: Mapping[Level, IntArray]
    owner: tuple[IntArray, ...]

    @staticmethod
    def of(tree: Tree, border: FloatArray, top_units: IntArray) -> _Part:
        """Those of some units."""
        bounds = tree.nodes[0].leaves
        leaves = np.concatenate([np.arange(bounds[unit], bounds[unit + 1]) for unit in top_units])
        places = [np.unique(node.of_leaf[leaves], return_index=True) for node in tree.nodes]
        owner = [
            np.searchsorted(outer, node.of_leaf[leaves[first]])
            for node, (outer, _), (_, first) in zip(tree.nodes, places, places[1:], strict=False)
        ]
        innermost = np.searchsorted(places[-1][0], tree.nodes[-1].of_leaf[leaves])
        units = {node.name: of for node, (of, _) in zip(tree.nodes, places, strict=True)}
        return _Part(tree, leaves, tree.predictor(border)[leaves], units, (*owner, innermost))

    def zoom(self, ranges: Ranges, extremes: Extremes) -> Ranges:
        """Narrower ranges, outside of which densities have fallen by more than `_DEEP`, whatever the draw."""
        lines = np.linspace(0.0, 1.0, _POINTS)
        grids = {
            level: low[:, np.newaxis] + (high - low)[:, np.newaxis] * lines
            for level, (low, high) in ranges.items()
        }
        top = self.tree.nodes[0].name
        found: Ranges = {}
        for below in (extremes.narrowest, extremes.widest):
            values, messages = self._upwards(grids, below)
            for of_top, moved in product(
                (extremes.narrowest, extremes.widest), (extremes.lowest, extremes.highest)
            ):
                effect = grids[top] - moved[self.units[top], np.newaxis]
                density = values[top] + self._log_prior(top, of_top, effect, np.zeros(1))
                for level, (low, high) in self._downwards(grids, below, density, values, messages).items():
                    known = found.get(level, (low, high))
                    found[level] = np.minimum(known[0], low), np.maximum(known[1], high)
        return found

    def _upwards(
        self, grids: Mapping[Level, FloatArray], scales: Scales
    ) -> tuple[dict[Level, FloatArray], dict[Level, FloatArray]]:
        """Log likelihood of each unit at its own grid, and at that of the unit above, (n, P) each."""
        tree, innermost = self.tree, self.tree.nodes[-1].name
        at = self.predictor[:, np.newaxis] + grids[innermost][self.owner[-1]]
        of_leaves = said_by_leaves(tree, scales, self.leaves, at, _QUADRATURE)
        values = {innermost: np.add.reduceat(of_leaves, _starts(self.owner[-1]), axis=0)}
        messages = {}
        for link, owner in zip(reversed(tree.links), self.owner[-2::-1], strict=True):
            level, outer = link.node.name, link.outer.name
            step = np.log(grids[level][:, 1] - grids[level][:, 0])
            kernel = self._kernel(level, scales, grids[level], grids[outer][owner])
            messages[level] = (
                log_sum(np.moveaxis(values[level][:, :, np.newaxis] + kernel, 1, 0)) + step[:, np.newaxis]
            )
            values[outer] = np.add.reduceat(messages[level], _starts(owner), axis=0)
        return values, messages

    def _downwards(
        self,
        grids: Mapping[Level, FloatArray],
        scales: Scales,
        density: FloatArray,
        values: Mapping[Level, FloatArray],
        messages: Mapping[Level, FloatArray],
    ) -> Ranges:
        """Where the density of each unit's effects is, from that of the outermost level's, (n, P)."""
        tree = self.tree
        ranges = {tree.nodes[0].name: _within(grids[tree.nodes[0].name], density)}
        for link, owner in zip(tree.links, self.owner, strict=False):
            level, outer = link.node.name, link.outer.name
            kernel = self._kernel(level, scales, grids[level], grids[outer][owner])
            cavity = density[owner] - messages[level]
            density = values[level] + log_sum(np.moveaxis(kernel + cavity[:, np.newaxis], 2, 0))
            ranges[level] = _within(grids[level], density)
        return ranges

    def _kernel(self, level: Level, scales: Scales, inner: FloatArray, outer: FloatArray) -> FloatArray:
        """Log density of a level's effects between two grids, (n, P, P'), blurred by the steps of the grids."""
        step = np.maximum(inner[:, 1] - inner[:, 0], outer[:, 1] - outer[:, 0])
        return self._log_prior(level, scales, inner[:, :, np.newaxis] - outer[:, np.newaxis], step)

    def _log_prior(self, level: Level, scales: Scales, effect: FloatArray, blur: FloatArray) -> FloatArray:
        """Log density of effects, (n, …), with an error of standard deviation `blur`, (n,) or (1,)."""
        parts = []
        for log_weight, of_level in self.tree.components(level, scales, self.units[level]):
            sd = np.sqrt(of_level**2 + blur**2 + _LEAST_SD**2).reshape(-1, *(1,) * (effect.ndim - 1))
            parts.append(log_weight - np.log(sd) - 0.5 * (effect / sd) ** 2)
        return log_sum(np.stack(parts)) if len(parts) > 1 else parts[0]


def _starts(owner: IntArray) -> IntArray:
    """Where each owner's run starts."""
    return np.flatnonzero(np.diff(owner, prepend=-1))


def _within(grid: FloatArray, density: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Between which values a density, (n, P), has not fallen by more than `_DEEP`, with a step to spare."""
    near = density > density.max(axis=1, keepdims=True) - _DEEP
    first, last = near.argmax(axis=1), near.shape[1] - 1 - near[:, ::-1].argmax(axis=1)
    rows, step = np.arange(len(grid)), grid[:, 1] - grid[:, 0]
    return grid[rows, first] - step, grid[rows, last] + step


def _widened(low: FloatArray, high: FloatArray, factor: float) -> tuple[FloatArray, FloatArray]:
    """A range around the same middle."""
    middle, half = 0.5 * (low + high), 0.5 * factor * (high - low)
    return middle - half, middle + half
