"""How well fitted probabilities discriminate and agree, from counts by stratum: c-statistic and calibration."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from brightspots.cells import FloatArray, IntArray

_BANDS: Final = 10
_LEVEL: Final = 0.95


def c_statistic(p: FloatArray, records: IntArray, events: IntArray) -> float:
    """Probability that of two records, one with the event and one without, the first had the higher risk; ties half.

    Parameters
    ----------
    p : float array (P,)
        Fitted probability of each stratum.
    records, events : int array (P,)

    Returns
    -------
    float
        NaN where all records or none have the event (Hanley & McNeil 1982, Radiology 143:29).
    """
    _, tie = np.unique(p, return_inverse=True)
    with_event = np.bincount(tie, events).astype(np.float64)
    without = np.bincount(tie, records - events).astype(np.float64)
    pairs = with_event.sum() * without.sum()
    if pairs == 0:
        return float("nan")
    below = np.cumsum(without) - without
    return float(with_event @ (below + 0.5 * without) / pairs)


def calibration(p: FloatArray, records: IntArray, events: IntArray) -> pd.DataFrame:
    """Observed and expected events by tenth of fitted risk.

    Strata of one risk are never split, so that tenths differ somewhat in size and there may be fewer than ten.

    Returns
    -------
    pandas.DataFrame
        Indexed by decile (1: lowest risk): records, observed, expected, expected_rate, observed_rate and its 95%
        interval (Wilson 1927, J Am Stat Assoc 22:209).
    """
    from statsmodels.stats.proportion import proportion_confint

    risk, tie = np.unique(p, return_inverse=True)
    n = np.bincount(tie, records).astype(np.float64)
    y = np.bincount(tie, events).astype(np.float64)
    middle = (np.cumsum(n) - n / 2.0) / n.sum()
    band = np.minimum((_BANDS * middle).astype(np.int64), _BANDS - 1)
    table = pd.DataFrame({"decile": band + 1, "records": n, "observed": y, "expected": n * risk})
    table = table.groupby("decile").sum()
    table[["records", "observed"]] = table[["records", "observed"]].astype(np.int64)
    table["expected_rate"] = table["expected"] / table["records"]
    table["observed_rate"] = table["observed"] / table["records"]
    lower, upper = proportion_confint(
        table["observed"], table["records"], alpha=1.0 - _LEVEL, method="wilson"
    )
    return table.assign(observed_rate_lower=np.asarray(lower), observed_rate_upper=np.asarray(upper))
