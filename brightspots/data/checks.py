"""`data_cautions`: what looks unusual in checked data, found before any model is fitted.

Nothing here is an error. A national ratio far from 1, estimates that look shrunken, or most trusts beyond the limits of
chance can all be true. More often the first two mean that a column holds something else than it is taken for. In all
three cases words such as "in line" or "within limits" say less than they seem to.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.common.cautions import Caution
from brightspots.common.vocabulary import (
    EXPECTED_OFF,
    NATIONAL_RATIO,
    ORDER_UNKNOWN,
    OUTSIDE_PLAIN,
    SHRUNKEN,
    TOO_ALIKE,
)
from brightspots.data.cells import Cells
from brightspots.data.period_order import period_order_caution

# Range of Σ observed / Σ expected without a caution. Single indicators against a national reference reach from 0.4 to
# 1.4 in published data; totals over departments leave this range where the column is not what it is taken for.
USUAL_RATIO: Final = (0.5, 2.0)
# Coverage of the plain limits of the caution on units beyond them, and the fewest units for which it is given.
PLAIN_LEVEL: Final = 0.998
PLAIN_TAIL: Final = 0.5 * (1.0 - PLAIN_LEVEL)
_FEWEST_UNITS: Final = 5

# Estimates are called shrunken where the rank correlation of their deviations with their standard errors is below the
# first number (a weaker one would be shrinking too slight to matter) and significantly below 0 at the second, the share
# of false alarms. Their actual rate, and the power: docs/decisions.md (tests/calibration/test_shrunken.py).
_SHRUNKEN_CORRELATION: Final = -0.08
_FALSE_ALARMS: Final = 0.002
# Fewest estimates of a department type for it to enter the correlation within types.
_FEWEST_OF_TYPE: Final = 5
# Mean of (deviation/standard error)², about 1 by chance alone: 0.25 or less means errors at least twice too large.
_TOO_ALIKE: Final = 0.25


def data_cautions(cells: Cells) -> tuple[Caution, ...]:
    """Cautions on the data that readers of any result should know.

    Parameters
    ----------
    cells : Cells

    Returns
    -------
    tuple of Caution
        Doubts first, then statements. Suppressed counts enter as their intervals.
    """
    found = (_shrunken(cells), _too_alike(cells)) if not cells.family.is_count else (_national_ratio(cells),)
    order = period_order_caution(cells)
    order_unknown = None if order is None else Caution(ORDER_UNKNOWN, f"{order}.")
    every = (*found, _outside_plain(cells), order_unknown, _expected_error(cells))
    return tuple(caution for caution in every if caution is not None)


def _expected_error(cells: Cells) -> Caution | None:
    """How far expected events were said to be off, which no flag is set for."""
    if cells.expected_sd is None:
        return None
    least, most = float(cells.expected_sd.min()), float(cells.expected_sd.max())
    size = f"{100 * least:.3g}%" if least == most else f"{100 * least:.3g}% to {100 * most:.3g}%"
    what = "expected events are" if cells.expected is not None else "the level expected of a department is"
    return Caution(
        EXPECTED_OFF,
        f"By assumption {what} off by about {size} in each department. A difference of that size is not taken for the "
        "department's own, so fewer are flagged.",
    )


# ---- observed and expected -------------------------------------------------------------------------------------


def ratio_caution(
    observed: tuple[float, float], expected: float, ratio: tuple[float, float]
) -> Caution | None:
    """A caution where the national ratio lies outside 0.5 to 2, all of its interval and by more than chance; or None.

    Parameters
    ----------
    observed : tuple of float
        The least and the most that all observed events can be; equal where no count is suppressed.
    expected : float
        All expected events.
    ratio : tuple of float
        `observed` over `expected`, or estimates of it where small counts are absent from the data.
    """
    least, most = ratio
    if least <= USUAL_RATIO[1] and most >= USUAL_RATIO[0]:
        return None
    if not beyond_chance(np.array([observed[0]]), np.array([observed[1]]), np.array([expected]))[0]:
        return None
    if least > USUAL_RATIO[1]:
        instead = "a rate, a percentage or a probability, or events of a shorter period or another measure"
    else:
        instead = "a population or a number of patients, or events of a longer period or another measure"
    return Caution(
        NATIONAL_RATIO,
        f"{_span(observed)} events were observed and {_amount(expected)} expected, a ratio of {_span(ratio)} where "
        f"{USUAL_RATIO[0]:g} to {USUAL_RATIO[1]:g} is usual: the expected events are probably something else "
        f"({instead}), and then nothing that is compared with them can be relied on. Give the number of events "
        "expected in each row, in the unit of the observed.",
    )


def _national_ratio(cells: Cells) -> Caution | None:
    if cells.expected is None:
        return None
    expected = float(cells.expected.sum())
    least, most = (float(bound.sum()) for bound in (cells.lower, cells.upper))
    ratio = (least / expected, most / expected)
    if cells.counted_from is not None:
        # Small counts are absent, so that those present are too many for what was expected of them.
        ratio = (
            _truncated_ratio(least, cells.expected, cells.counted_from),
            _truncated_ratio(most, cells.expected, cells.counted_from),
        )
    return ratio_caution((least, most), expected, ratio)


def _truncated_ratio(observed: float, expected: FloatArray, least: FloatArray) -> float:
    """The ratio r at which Poisson(r·E) counts of at least `least` would on average sum to `observed`."""
    if math.isinf(observed):
        return math.inf

    def surplus(log_ratio: float) -> float:
        mean = math.exp(log_ratio) * expected
        at_least_one_fewer = special.gammainc(np.maximum(least - 1.0, 0.0), mean)
        shown = np.where(least > 0, special.gammainc(np.maximum(least, 1.0), mean), 1.0)
        # E[y | y ≥ c] = λ P(y ≥ c − 1) / P(y ≥ c), which tends to c as λ tends to 0.
        given = mean * at_least_one_fewer / np.maximum(shown, 1e-300)
        return float(np.sum(np.where(least > 0, np.maximum(given, least), mean))) - observed

    widest = 25.0
    if surplus(-widest) >= 0.0:
        return 0.0
    if surplus(widest) <= 0.0:
        return math.inf
    return math.exp(float(optimize.brentq(surplus, -widest, widest)))


# ---- estimates -------------------------------------------------------------------------------------------------


def shrinkage(
    estimate: FloatArray, error: FloatArray, kind: IntArray, group: IntArray
) -> tuple[float, float]:
    """Rank correlation of absolute deviations with standard errors, and z, the correlation over its standard error.

    Estimates with larger standard errors deviate further from the median, or equally far where true differences are
    much larger than the errors: the correlation is positive or about 0. Where a model has shrunk the estimates towards
    their mean, more so where the error was larger, those with larger errors deviate less: it is negative.

    Parameters
    ----------
    estimate, error : float array (N,)
    kind : int array (N,)
        Department type; deviations are from its median, and ranks are taken within it.
    group : int array (N,)
        Trust; estimates of one trust may be correlated, so the standard error is computed from sums over each trust.

    Returns
    -------
    correlation, z : float
        NaN where nothing varies.
    """
    deviation, size = np.zeros(len(estimate)), np.zeros(len(estimate))
    order = np.argsort(kind, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(kind[order])) + 1):
        if len(rows) >= _FEWEST_OF_TYPE:
            away = np.abs(estimate[rows] - np.median(estimate[rows]))
            deviation[rows] = stats.rankdata(away) / (len(rows) + 1) - 0.5
            size[rows] = stats.rankdata(error[rows]) / (len(rows) + 1) - 0.5
    spread = math.sqrt(float(np.sum(deviation**2)) * float(np.sum(size**2)))
    if spread == 0.0:
        return math.nan, math.nan
    correlation = float(np.sum(deviation * size)) / spread
    # Each estimate's share in the correlation (its influence), summed over trusts.
    share = math.sqrt(float(np.sum(size**2)) / float(np.sum(deviation**2)))
    influence = deviation * size - 0.5 * correlation * (deviation**2 * share + size**2 / share)
    own_error = float(np.linalg.norm(np.bincount(group, influence))) / spread
    return correlation, correlation / own_error if own_error > 0.0 else math.nan


def looks_shrunken(estimate: FloatArray, error: FloatArray, kind: IntArray, group: IntArray) -> float | None:
    """The correlation of `shrinkage` (same arguments) where it shows that the estimates were shrunk; else None."""
    found = [shrinkage(estimate, error, kind, group)]
    whole = 1.0 if estimate.max() < 1.0 else 100.0
    if estimate.min() > 0.0 and estimate.max() < whole:
        # Errors of proportions are smaller the further these are from a half, which alone gives a negative correlation:
        # so the correlation must also hold with errors divided by √(p(1 − p)).
        size = error / np.sqrt(estimate * (whole - estimate))
        found.append(shrinkage(estimate, size, kind, group))
    correlation, z = max(found, key=lambda pair: pair[1])
    limit = float(stats.t.ppf(_FALSE_ALARMS, max(len(np.unique(group)) - 1, 1)))
    return correlation if correlation < _SHRUNKEN_CORRELATION and z < limit else None


def _shrunken(cells: Cells) -> Caution | None:
    correlation = looks_shrunken(cells.lower, cells.size, cells.leaf_type, cells.leaf_trust)
    if correlation is None:
        return None
    return Caution(
        SHRUNKEN,
        "the estimates lie the closer together the larger their standard errors are (rank correlation "
        f"{correlation:.2f}), as they do where a model has pulled them towards the average already, like published "
        "risk-standardised rates and ratios of predicted to expected: fitted again they are pulled twice, and nearly "
        "all look in line. Give the counts, or the estimates and standard errors from before that model.",
    )


def _too_alike(cells: Cells) -> Caution | None:
    """A caution where the standard errors are far larger than the spread of the estimates; or None."""
    deviation, precision = _about_types(cells)
    freedom = cells.n_leaves - len(np.unique(cells.leaf_type))
    if freedom < 1:
        return None
    squares = float(np.sum(deviation**2 * precision))
    if squares > _TOO_ALIKE * freedom or squares > stats.chi2.ppf(_FALSE_ALARMS, freedom):
        return None
    return Caution(
        TOO_ALIKE,
        "the estimates differ by much less than their standard errors allow (mean squared deviation "
        f"{squares / freedom:.2g} times the squared standard error, where chance alone makes it 1): the standard "
        "errors are probably something else (standard deviations of patients, widths of intervals), or a model has "
        "pulled the estimates together already. Give the standard error of each estimate.",
    )


def _about_types(cells: Cells) -> tuple[FloatArray, FloatArray]:
    """Deviations from the weighted mean of each department-type effect and precisions, (N,) each."""
    precision = cells.size**-2.0
    weight = np.bincount(cells.leaf_type, precision, cells.n_types)
    total = np.bincount(cells.leaf_type, precision * cells.lower, cells.n_types)
    mean = total / np.where(weight > 0.0, weight, 1.0)
    return cells.lower - mean[cells.leaf_type], precision


# ---- chance alone ----------------------------------------------------------------------------------------------


def beyond_chance(
    lower: FloatArray, upper: FloatArray, expected: FloatArray, people: FloatArray | None = None
) -> npt.NDArray[np.bool_]:
    """Which counts lie beyond the exact 99.8% limits of chance alone, wherever in their interval they are, (n,).

    Parameters
    ----------
    lower, upper : float array (n,)
        The count, as an interval.
    expected : float array (n,)
        Mean by chance alone.
    people : float array (n,), optional
        Among how many: binomial instead of Poisson.
    """
    if people is None:
        few = stats.poisson.cdf(upper, expected)
        many = stats.poisson.sf(lower - 1.0, expected)
    else:
        rate = np.clip(expected / people, 0.0, 1.0)
        few, many = stats.binom.cdf(upper, people, rate), stats.binom.sf(lower - 1.0, people, rate)
    return np.asarray(np.minimum(few, many) < PLAIN_TAIL)


def plain_caution(parts: Iterable[tuple[int, int, str]], how: str) -> Caution | None:
    """A caution that most units lie beyond the plain limits, where they do; else None.

    Parameters
    ----------
    parts : iterable of (int, int, str)
        Number of units beyond the limits, number of all units, and what they are called.
    how : str
        Words for the limits.
    """
    most = [(n, units, called) for n, units, called in parts if units >= _FEWEST_UNITS and 2 * n > units]
    if not most:
        return None
    said = " and ".join(f"{n:,} of {units:,} {called}" for n, units, called in most)
    return Caution(
        OUTSIDE_PLAIN,
        f"{said} lie beyond the {PLAIN_LEVEL * 100:g}% limits of chance alone ({how}), so that limits which hold most "
        "of them show who differs from the others, not who is as expected.",
    )


def _outside_plain(cells: Cells) -> Caution | None:
    """A caution where most trusts or departments lie beyond plain limits (`plain_caution`); else None.

    The limits are about the expected events where these are given, else about the national level of each type.
    """
    # Counts of which small ones are absent have limits of another shape, and are left out.
    used = np.ones(cells.n_leaves, dtype=bool) if cells.counted_from is None else cells.counted_from == 0
    parts = []
    for leaf_unit, called in ((cells.leaf_trust, "trusts"), (cells.leaf_cell, "departments")):
        present, unit = np.unique(leaf_unit[used], return_inverse=True)
        if len(present):
            beyond = _beyond(cells, used, unit.astype(np.int64))
            parts.append((int(beyond.sum()), len(beyond), called))
    about = (
        "the national level of each type of department" if cells.expected is None else "the expected events"
    )
    return plain_caution(parts, f"{cells.family.plain} limits about {about}")


def _beyond(cells: Cells, used: npt.NDArray[np.bool_], unit: IntArray) -> npt.NDArray[np.bool_]:
    """Which units, sums of the leaves used, lie beyond plain limits, (n,)."""

    def total(values: FloatArray) -> FloatArray:
        return np.bincount(unit, values[used]).astype(np.float64)

    if not cells.family.is_count:
        deviation, precision = _about_types(cells)
        z = total(deviation * precision) / np.sqrt(total(precision))
        return np.asarray(np.abs(z) > -special.ndtri(PLAIN_TAIL))
    expected = _national_events(cells) if cells.expected is None else cells.expected
    people = total(cells.size) if cells.family.is_bounded else None
    return beyond_chance(total(cells.lower), total(cells.upper), total(expected), people)


def _national_events(cells: Cells) -> FloatArray:
    """Events of each leaf at the national proportion of its department-type effect, (N,)."""
    middle = np.where(np.isfinite(cells.upper), 0.5 * (cells.lower + cells.upper), cells.lower)
    total = np.bincount(cells.leaf_type, cells.size, cells.n_types)
    level = np.bincount(cells.leaf_type, middle, cells.n_types) / np.where(total > 0.0, total, 1.0)
    return cells.size * level[cells.leaf_type]


def _span(bounds: tuple[float, float]) -> str:
    least, most = bounds
    if least == most:
        return _amount(least)
    return f"{_amount(least)} or more" if math.isinf(most) else f"{_amount(least)} to {_amount(most)}"


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value >= 100.0 or value == 0.0 else f"{value:.3g}"
