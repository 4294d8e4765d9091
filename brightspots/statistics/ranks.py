"""Ranks of units with sets of ranks that hold for all of them at once.

A bare rank says nothing of chance. Here every unit has the set of ranks that it may have, and all sets hold at once: in
at least 95% of draws from the posterior every unit's rank lies in its set. Sets follow from differences between pairs
of units (Mogstad, Romano, Shaikh & Wilhelm 2024, Rev Econ Stud 91:476): with m and s a unit's posterior mean and
standard deviation, unit i is surely above unit j where

    m_i − m_j > c·√(s_i² + s_j²),

and its ranks go from 1 + (units surely below it) to n − (units surely above it). The smallest c for which the sets hold
is found on the draws themselves, so that correlations between units count, and none of the caution is needed by which
Bonferroni's correction for all n(n − 1)/2 pairs is too wide. One number is fitted to S draws; for fresh draws to lie
inside as often, it is chosen for a share of the draws that is higher by a standard error and a half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.common.parallel import spans
from brightspots.engine.posterior import Posterior
from brightspots.statistics.contrasts import peer_effect
from brightspots.statistics.summaries import Interval, summarise, trust_effects

# Steps of the bisection for c, and the largest c: ten standard deviations of a difference.
_STEPS, _LARGEST = 16, 10.0
# By how many standard errors of a share of S draws the share wanted is exceeded.
_CAUTION = 1.5
# Pairs of units compared at once.
_PAIRS_AT_ONCE = 200_000
# Effects of departments held at once (400 megabytes), and the fewest draws of them.
_NUMBERS_HELD, _LEAST_DRAWS = 50_000_000, 200


@dataclass(frozen=True)
class Ranks:
    """Ranks of n units within their groups, (n,) each; rank 1 is the lowest effect.

    Parameters
    ----------
    rank : Interval
        Expected rank (Laird & Louis 1989, J Educ Stat 14:29) and the central interval of each unit by itself.
    set_lower, set_upper : int (n,)
        Smallest and largest rank of sets that hold for all units of all groups at once.
    """

    rank: Interval
    set_lower: IntArray
    set_upper: IntArray


def trust_ranks(posterior: Posterior, probability: float) -> Ranks:
    """Ranks of all trusts by their effect u, (T,) each."""
    effects = trust_effects(posterior)
    return simultaneous_ranks(effects, [np.arange(len(effects))], probability)


def department_ranks(posterior: Posterior, probability: float) -> Ranks:
    """Ranks of all departments by u + v among those of their type, (C,) each.

    Effects of all cells are held, at evenly spaced draws where those of all draws would be too many.
    """
    cells = posterior.cells
    most = max(_NUMBERS_HELD // cells.n_cells, _LEAST_DRAWS)
    draws = posterior.shared.n_draws
    taken = np.arange(draws) if draws <= most else np.linspace(0, draws - 1, most).astype(np.int64)
    effects = np.concatenate([peer_effect(cells, block)[:, taken] for block in posterior.blocks()])
    by_type = np.argsort(cells.cell_department, kind="stable")
    sizes = np.bincount(cells.cell_department, minlength=cells.n_departments)
    return simultaneous_ranks(effects, np.split(by_type, np.cumsum(sizes)[:-1]), probability)


def simultaneous_ranks(effects: FloatArray, groups: Sequence[IntArray], probability: float) -> Ranks:
    """Rank units within groups, with sets of ranks that hold at once.

    Parameters
    ----------
    effects : (n, S)
        Joint posterior draws.
    groups : sequence of int arrays
        Units of each group; together every unit once. Units are compared within their group.
    probability : float
        Of the intervals, and of all sets together.
    """
    draws = effects.shape[1]
    mean, sd = effects.mean(axis=1), effects.std(axis=1)
    ranks = np.empty(effects.shape)
    for units in groups:
        ranks[units] = stats.rankdata(effects[units], axis=0, method="ordinal")
    wanted = min(probability + _CAUTION * np.sqrt(probability * (1.0 - probability) / draws), 1.0)
    low, high = 0.0, _LARGEST
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        lower, upper = _sets(mean, sd, groups, middle)
        inside = np.all((ranks >= lower[:, np.newaxis]) & (ranks <= upper[:, np.newaxis]), axis=0)
        low, high = (low, middle) if np.mean(inside) >= wanted else (middle, high)
    return Ranks(summarise(ranks, probability), *_sets(mean, sd, groups, high))


def _sets(
    mean: FloatArray, sd: FloatArray, groups: Sequence[IntArray], critical: float
) -> tuple[IntArray, IntArray]:
    """Smallest and largest rank of every unit, (n,) each, where differences beyond `critical` deviations are sure."""
    lower, upper = np.empty(len(mean), dtype=np.int64), np.empty(len(mean), dtype=np.int64)
    for units in groups:
        # Single precision: the pairs are many, and c is found with these very comparisons.
        m, variance = mean[units].astype(np.float32), (critical * sd[units]).astype(np.float32) ** 2
        for some in spans(len(units), max(_PAIRS_AT_ONCE // len(units), 1)):
            gap = m[some, np.newaxis] - m
            gap *= np.abs(gap)
            width = variance[some, np.newaxis] + variance
            lower[units[some]] = 1 + np.count_nonzero(gap > width, axis=1)
            upper[units[some]] = len(units) - np.count_nonzero(gap < -width, axis=1)
    return lower, upper
