"""How departments are flagged today, as signed scores that can be cut anywhere and at the cut that is usual.

Every method gets what a careful analyst would give it: department types are first put right nationally, and a
department is compared with its own organisation through the ratio of the *other* departments there.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special, stats

import brightspots as bs

Array = npt.NDArray[np.float64]

R_SCRIPT = Path(__file__).with_name("decision_mixed_model.R")
# Two-sided 99.8% limits of funnels, two-sided 95% intervals of shrunken means.
FUNNEL_TAIL = 0.001
SHRUNKEN_CUT = float(stats.norm.ppf(0.975))


class Scores(NamedTuple):
    """A score per cell (above 0: higher than the reference) and what the method itself flags (−1, 0, 1)."""

    score: Array
    flag: npt.NDArray[np.int64]


def centred_expected(cells: pd.DataFrame, reference: str) -> Array:
    """Expected events at the level that a department is compared with: the nation's, or its own trust's without it."""
    totals = cells.groupby("department")[["observed", "expected"]].transform("sum")
    expected = (cells["expected"] * totals["observed"] / totals["expected"]).to_numpy()
    if reference == "peers":
        return expected
    by_trust = cells.assign(expected=expected).groupby("trust")[["observed", "expected"]].transform("sum")
    # Half an event is added on both sides, so that a trust without events elsewhere still has a level.
    others = (by_trust["observed"] - cells["observed"] + 0.5) / (by_trust["expected"] - expected + 0.5)
    return np.asarray(expected * others, dtype=np.float64)


def poisson_funnel(cells: pd.DataFrame, reference: str) -> Scores:
    """Exact Poisson limits, each department on its own; scored by the normal quantile of the tail probability."""
    expected, observed = centred_expected(cells, reference), cells["observed"].to_numpy()
    high, low = special.pdtrc(observed - 1.0, expected), special.pdtr(observed, expected)
    high = np.where(observed > 0, high, 1.0)
    score = np.where(high < low, -special.ndtri(high), special.ndtri(low))
    return Scores(score, np.where(high <= FUNNEL_TAIL, 1, np.where(low <= FUNNEL_TAIL, -1, 0)))


def overdispersed_funnel(cells: pd.DataFrame, reference: str) -> Scores:
    """Limits widened for over-dispersion as NHS England's SHMI does, from `brightspots.funnel_limits`."""
    expected, observed = centred_expected(cells, reference), cells["observed"].to_numpy()
    limits = bs.funnel_limits(observed, expected, method="shmi", levels=(1.0 - 2.0 * FUNNEL_TAIL,))
    ratio = np.maximum(observed, 0.5) / expected
    score = np.log(ratio) / np.sqrt(1.0 / expected + limits.tau2)
    table = limits.table
    above, below = table["ratio"] > table["upper_99.8"], table["ratio"] < table["lower_99.8"]
    return Scores(score, above.to_numpy().astype(int) - below.to_numpy().astype(int))


def shrunken_means(cells: pd.DataFrame, folder: Path | None = None) -> dict[str, Scores]:
    """Shrunken means of lme4's mixed model over their conditional standard deviation, flagged beyond 1.96."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        given, found = Path(place) / "cells.csv", Path(place) / "effects.csv"
        cells[["trust", "department", "observed", "expected"]].to_csv(given, index=False)
        subprocess.run(["Rscript", str(R_SCRIPT), str(given), str(found)], check=True, capture_output=True)
        effects = pd.read_csv(found)
    parts = {
        "organisation": (effects["v"], effects["v_variance"]),
        "peers": (effects["u"] + effects["v"], effects["u_variance"] + effects["v_variance"]),
    }
    result = {}
    for reference, (mean, variance) in parts.items():
        score = (mean / np.sqrt(variance)).to_numpy()
        result[reference] = Scores(
            score, np.where(np.abs(score) > SHRUNKEN_CUT, np.sign(score), 0).astype(int)
        )
    return result
