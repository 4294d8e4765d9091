"""Estimands of the cells of one block of whole trusts: from the distributions of their effects, or from draws alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from brightspots.common.arrays import BoolArray, FloatArray
from brightspots.data.cells import Cells
from brightspots.engine.posterior import EffectBlock, ShapeBlock, SharedDraws
from brightspots.statistics import mixtures
from brightspots.statistics.contrasts import others_mean
from brightspots.statistics.mixtures import Described


class CellColumns(NamedTuple):
    """Estimands of n cells, (n,) each; `summaries.CellSummary` says what they are.

    Parameters
    ----------
    peer, own : Described
        u + v and D.
    excess : (mean, lower, upper)
    both_high, both_low, both_within
        P(u + v and D both above the margin), both below, both within.
    variance
        Posterior variance of v.
    level, level_sd
        Mean and standard deviation of the level of the other departments of the trust, the posterior mean of what is
        national left out.
    peer_level_sd
        Standard deviation of the national level.
    """

    peer: Described
    own: Described
    excess: tuple[FloatArray, FloatArray, FloatArray]
    both_high: FloatArray
    both_low: FloatArray
    both_within: FloatArray
    variance: FloatArray
    level: FloatArray
    level_sd: FloatArray
    peer_level_sd: FloatArray


def joined(blocks: Iterable[CellColumns]) -> CellColumns:
    """Columns of all blocks, one after another."""
    parts = list(zip(*blocks, strict=True))
    peer, own, excess = ([np.concatenate(column) for column in zip(*part, strict=True)] for part in parts[:3])
    return CellColumns(
        Described(*peer), Described(*own), (excess[0], excess[1], excess[2]), *map(np.concatenate, parts[3:])
    )


def from_shapes(
    cells: Cells,
    shared: SharedDraws,
    block: ShapeBlock,
    *,
    reach: float,
    probability: float,
    in_events: bool = True,
) -> CellColumns:
    """Columns of the cells of a block, from the distributions of their effects: with far less noise than from draws.

    Parameters
    ----------
    shared : SharedDraws
        Those that the distributions are given.
    block : ShapeBlock
    reach : float
    probability : float
    in_events : bool, default True
        Whether the excess is wanted as a number of events, which takes most of the time; else it is D.
    """
    loops = mixtures.loops_for(cells, shared.n_draws)
    fixed = shared.leaf_predictor(cells, leaves_of(cells, block.cells))
    found = mixtures.distributions(cells, shared, block, loops)
    peer, own = (mixtures.describe(each, reach, probability, loops) for each in (found.peer, found.own))
    level = mixtures.level_draws(block, found.level)
    follows = found.own.location + found.follows * (level - found.level.location)
    given_level = found.own_given_level._replace(location=follows)
    high, low, within = mixtures.beyond_both(given_level, level, reach, loops)
    excess = own.mean, own.lower, own.upper
    if cells.family.is_count and in_events:
        total = mixtures.total_of(cells, block, fixed, level, given_level)
        ends = mixtures.change_in_count(total, given_level, own, probability, loops)
        excess = total.mean_change(given_level), *ends
    away = _mean_over_leaves(cells, block.cells, fixed)
    at = found.level.location + away
    return CellColumns(
        peer,
        own,
        excess,
        # No more probable than either by itself, which is known more exactly.
        np.minimum(high, np.minimum(own.above, peer.above)),
        np.minimum(low, np.minimum(own.below, peer.below)),
        within,
        found.variance,
        at.mean(axis=1),
        np.sqrt(at.var(axis=1) + np.mean(found.level.sd**2, axis=1)),
        away.std(axis=1),
    )


def from_draws(
    cells: Cells, shared: SharedDraws, block: EffectBlock, *, reach: float, probability: float
) -> CellColumns:
    """Columns of the cells of a block, from draws of their effects alone; arguments as for `from_shapes`."""
    trust = block.trust_effect[cells.cell_trust[block.cells] - block.trusts.start]
    others = others_mean(cells, block)
    fixed = shared.leaf_predictor(cells, leaves_of(cells, block.cells))
    peer, own = trust + block.department_effect, block.department_effect - others
    alone = np.isnan(own[:, 0])
    away = _mean_over_leaves(cells, block.cells, fixed)
    level = trust + others + away

    def described(draws: FloatArray) -> Described:
        sides = [np.mean(draws > reach, axis=1), np.mean(draws < -reach, axis=1)]
        above, below = (np.where(np.isnan(draws[:, 0]), np.nan, side) for side in sides)
        return Described(*_central(draws, probability), above, below, draws.std(axis=1))

    def both(here: BoolArray, there: BoolArray) -> FloatArray:
        share = np.mean(here & there, axis=1)
        return np.where(alone, np.nan, share)

    return CellColumns(
        described(peer),
        described(own),
        _central(_excess(cells, fixed, block, peer, own), probability),
        both(peer > reach, own > reach),
        both(peer < -reach, own < -reach),
        both(np.abs(peer) <= reach, np.abs(own) <= reach),
        block.department_effect.var(axis=1),
        level.mean(axis=1),
        level.std(axis=1),
        away.std(axis=1),
    )


def _central(draws: FloatArray, probability: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean and central interval of draws (n, S)."""
    tail = (1.0 - probability) / 2.0
    return draws.mean(axis=1), *np.quantile(draws, [tail, 1.0 - tail], axis=1)


def leaves_of(cells: Cells, run: slice) -> slice:
    """Leaves of a run of cells."""
    return slice(int(cells.cell_leaves[run.start]), int(cells.cell_leaves[run.stop]))


def _mean_over_leaves(cells: Cells, run: slice, fixed: FloatArray) -> FloatArray:
    """Offset + x'β + a less its posterior mean, averaged over the leaves of each cell, (cells, S).

    Leaves are weighted by their expected events or people; estimates by their precision.
    """
    away = fixed - fixed.mean(axis=1, keepdims=True)
    leaves = leaves_of(cells, run)
    if leaves.stop - leaves.start == len(range(run.start, run.stop)):
        return away
    size = cells.family.weight(cells.size[leaves])
    starts = cells.cell_leaves[run.start : run.stop] - leaves.start
    weighted = np.add.reduceat(size[:, np.newaxis] * away, starts, axis=0)
    return np.asarray(weighted / np.add.reduceat(size, starts)[:, np.newaxis])


def _excess(
    cells: Cells, fixed: FloatArray, block: EffectBlock, peer: FloatArray, own: FloatArray
) -> FloatArray:
    """Events that a cell has above its own trust's level, (cells, S): mean count at η minus mean count at η − D.

    The effects w of single periods, and errors of what was expected, are set to 0.
    """
    if not cells.family.is_count:
        return own
    bounds = cells.cell_leaves[block.cells.start : block.cells.stop + 1]
    leaves = leaves_of(cells, block.cells)
    cell = cells.leaf_cell[leaves] - block.cells.start
    if cells.family.link == "log":
        # One exponential a leaf: E·exp(fixed)·(exp(peer) − exp(peer − D)), the bracket shared by the cell's leaves.
        base = np.add.reduceat(np.exp(fixed), bounds[:-1] - bounds[0], axis=0)
        return base * (np.exp(peer) - np.exp(peer - own))
    size = cells.size[leaves, np.newaxis]
    eta = fixed + peer[cell]
    events = cells.family.mean(size, eta) - cells.family.mean(size, eta - own[cell])
    return np.add.reduceat(events, bounds[:-1] - bounds[0], axis=0)
