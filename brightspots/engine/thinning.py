"""A few draws of the shared parameters that stand for all of them, for what takes a share of the time for each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.data.cells import Cells
from brightspots.engine.effects import EffectDraws
from brightspots.engine.posterior import SharedDraws

# After so many turns the distributions of sums and of their parts hardly change.
_TURNS = 4


def thin(shared: SharedDraws, cells: Cells, most: int) -> SharedDraws:
    """At most `most` of the draws.

    They are spread evenly over the draws in the order of the standard deviation of departments. Then the border is
    moved: the intercept with each type's effect, how far each type lies from the average one, and coefficients come to
    be distributed as in all draws, and types to go with their average as there. Where counts are large, departments are
    as uncertain as the first against their peers, and as the second against their own trust. What is averaged over the
    draws then differs by little more than their interplay.

    Parameters
    ----------
    shared : SharedDraws
    cells : Cells
        Their weights say which types make up the average.
    most : int
    """
    if shared.n_draws <= most:
        return shared
    some = shared.take(spread_evenly(shared.sd_of("department"), most))
    by_type = np.bincount(cells.leaf_type, cells.weight[cells.leaf_cell], minlength=cells.n_types)
    weight = by_type / by_type.sum()
    every = shared.intercept[:, np.newaxis] + shared.type_effect
    every_average = every @ weight
    every_away = every - every_average[:, np.newaxis]
    wanted, wanted_average, wanted_away = (_slices(x, most) for x in (every, every_average, every_away))
    of_type = some.intercept[:, np.newaxis] + some.type_effect
    for _ in range(_TURNS):
        average = of_type @ weight
        away = _in_order_of(of_type - average[:, np.newaxis], wanted_away)
        average = _in_order_of(average, wanted_average)
        away = _going_with(average, away, every_average, every_away)
        of_type = _in_order_of(average[:, np.newaxis] + away, wanted)
    intercept = _in_order_of(some.intercept, _slices(shared.intercept, most))
    effects = {
        level: EffectDraws(of.distribution, _in_order_of(some.effects[level].free, _slices(of.free, most)))
        for level, of in shared.effects.items()
    }
    return replace(
        some,
        intercept=intercept,
        coefficients=_in_order_of(some.coefficients, _slices(shared.coefficients, most)),
        type_effect=of_type - intercept[:, np.newaxis],
        effects=effects,
    )


def spread_evenly(key: FloatArray, count: int) -> IntArray:
    """Which of S ≥ `count` draws to take so that they lie evenly in the order of `key`, (S,): ascending indices."""
    order = np.argsort(key, kind="stable")
    return np.sort(order[((np.arange(count) + 0.5) * len(key) / count).astype(np.int64)])


def _slices(every: FloatArray, count: int) -> FloatArray:
    """Means of equal slices of sorted draws (S, …), stretched to their spread, (count, …)."""
    total = np.concatenate([np.zeros_like(every[:1]), np.cumsum(np.sort(every, axis=0), axis=0)])
    ends = np.arange(count + 1) * (len(every) / count)
    whole = np.minimum(ends.astype(np.int64), len(every) - 1)
    part = (ends - whole).reshape(-1, *(1,) * (every.ndim - 1))
    means = np.diff(total[whole] + part * (total[whole + 1] - total[whole]), axis=0) * (count / len(every))
    spread, middle = means.std(axis=0), every.mean(axis=0)
    stretch = np.divide(every.std(axis=0), spread, out=np.ones_like(spread), where=spread > 0.0)
    return np.asarray(middle + (means - middle) * stretch)


def _in_order_of(some: FloatArray, wanted: FloatArray) -> FloatArray:
    """The wanted values, ascending, in the order of `some`, (s, …) each."""
    place = np.argsort(np.argsort(some, axis=0, kind="stable"), axis=0, kind="stable")
    return np.take_along_axis(wanted, place, axis=0)


def _going_with(
    average: FloatArray, away: FloatArray, every_average: FloatArray, every_away: FloatArray
) -> FloatArray:
    """`away`, (s, K), with the covariance with the average, (s,), and the spread that it has in every draw."""

    def split(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Slopes on x, (K,), and what is left of y less its mean."""
        x = x - x.mean()
        slope = x @ y / max(float(x @ x), 1e-300)
        return slope, y - y.mean(axis=0) - np.outer(x, slope)

    (_, rest), (slope, every_rest) = split(average, away), split(every_average, every_away)
    spread = rest.std(axis=0)
    stretch = np.divide(every_rest.std(axis=0), spread, out=np.zeros_like(spread), where=spread > 0.0)
    followed = np.outer(average - average.mean(), slope)
    return np.asarray(every_away.mean(axis=0) + followed + rest * stretch)
