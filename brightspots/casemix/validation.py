"""Discrimination and calibration of fitted probabilities, from counts by stratum: c-statistic, tenths of risk."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from brightspots.common.arrays import FloatArray, IntArray

_BANDS: Final = 10
_LEVEL: Final = 0.95


def by_risk(p: FloatArray, records: IntArray, events: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Sort strata by fitted risk p and merge those with equal risk: distinct risks, records and events, (R,) each."""
    order = np.argsort(p, kind="stable")
    risk = p[order]
    first = np.flatnonzero(np.append(True, risk[1:] > risk[:-1]))
    n, y = (np.add.reduceat(counts[order], first).astype(np.float64) for counts in (records, events))
    return risk[first], n, y


def c_statistic(records: FloatArray, events: FloatArray) -> float:
    """Probability that of two records, one with the event and one without, the first had the higher risk; ties half.

    Parameters
    ----------
    records, events : float array (R,)
        By distinct risk, from the lowest, see `by_risk`.

    Returns
    -------
    float
        NaN where all records or none have the event (Hanley & McNeil 1982, Radiology 143:29).
    """
    without = records - events
    pairs = events.sum() * without.sum()
    if pairs == 0:
        return float("nan")
    below = np.cumsum(without) - without
    return float((events * (below + 0.5 * without)).sum() / pairs)


def calibration(risk: FloatArray, records: FloatArray, events: FloatArray) -> pd.DataFrame:
    """Observed and expected events by tenth of fitted risk.

    Strata of one risk are never split, so that tenths differ somewhat in size and there may be fewer than ten.

    Parameters
    ----------
    risk, records, events : float array (R,)
        By distinct risk, from the lowest, see `by_risk`.

    Returns
    -------
    pandas.DataFrame
        Indexed by decile (1: lowest risk): records, observed, expected, expected_rate, observed_rate and its 95%
        interval (Wilson 1927, J Am Stat Assoc 22:209).
    """
    from statsmodels.stats.proportion import proportion_confint

    middle = (np.cumsum(records) - records / 2.0) / records.sum()
    band = np.minimum((_BANDS * middle).astype(np.int64), _BANDS - 1)
    sums = [np.bincount(band, values, _BANDS) for values in (records, events, records * risk)]
    table = pd.DataFrame(dict(zip(("records", "observed", "expected"), sums, strict=True)))
    table.index = pd.RangeIndex(1, _BANDS + 1, name="decile")
    table = table[table["records"] > 0]
    table = table.astype({"records": np.int64, "observed": np.int64})
    table["expected_rate"] = table["expected"] / table["records"]
    table["observed_rate"] = table["observed"] / table["records"]
    lower, upper = proportion_confint(
        table["observed"], table["records"], alpha=1.0 - _LEVEL, method="wilson"
    )
    return table.assign(observed_rate_lower=np.asarray(lower), observed_rate_upper=np.asarray(upper))
