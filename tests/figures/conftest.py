"""Small tables as the figures take them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

NAMES = ["Ysbyty Gwynedd", "St $George's$ & <script>", "Trust_of_x_1 " + "very long " * 20]
RATINGS = ["Inadequate", "Requires improvement", "Good", "Outstanding"]


def spots_frame(trusts: int = 8, departments: int = 5, seed: int = 4) -> pd.DataFrame:
    """What `Spots.table` holds, made up: statuses by the ratio, one trust without a rating."""
    rng = np.random.default_rng(seed)
    trust = np.repeat([f"R{t:02d}" for t in range(trusts)], departments)
    ratio = np.exp(rng.normal(0.0, 0.25, trusts * departments))
    ratio[:2] = [2.2, 0.4]
    status = np.select(
        [ratio > 1.4, ratio < 0.7, ratio > 1.0], ["dark spot", "bright spot", "in line"], "cannot tell"
    )
    rating = np.repeat(np.array([*RATINGS[::-1], None] * trusts, dtype=object)[:trusts], departments)
    strong = np.isin(rating, RATINGS[2:])
    unrated = np.array([value is None for value in rating])
    rating_status = np.select(
        [unrated, (status == "dark spot") & strong, (status == "bright spot") & ~strong],
        ["not rated", "dark in strong", "bright in weak"],
        "concordant",
    )
    return pd.DataFrame(
        {
            "trust": trust,
            "department": np.tile([f"D{d:02d}" for d in range(departments)], trusts),
            "status": status,
            "own_ratio": ratio,
            "own_ratio_lower": ratio * 0.8,
            "own_ratio_upper": ratio / 0.8,
            "peer_ratio": ratio,
            "rating": rating,
            "rating_status": rating_status,
        }
    )


@pytest.fixture
def spots_table() -> pd.DataFrame:
    """8 trusts × 5 departments."""
    return spots_frame()
