"""The tables on which rivals meet; started by rivals.py.

    python rival_tables.py TABLE table.csv folder out.csv started

Rows are sorted by trust and department, so that all rivals speak of the same cells in the same order.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import dataclass
from pathlib import Path

from children import write_values


@dataclass(frozen=True)
class Problem:
    """One table.

    Parameters
    ----------
    title, source : str
    centred : frozenset of str
        Effects that the hand-written rivals sample as they are, the others as σ times standard normals: of the usual
        forms, the one that gave NumPyro the most effective draws a second.
    published : bool
        Whether it is read from the folder of published files.
    quick : bool
        Whether it is there only to check that the script runs.
    """

    title: str
    source: str
    centred: frozenset[str]
    published: bool = False
    quick: bool = False


PROBLEMS = {
    "quick": Problem(
        "Simulated, 30 × 8",
        "simulate_nation(30, 8, missing_departments=0, seed=1)",
        frozenset({"trust", "department"}),
        quick=True,
    ),
    "ny_iqi": Problem(
        "New York, deaths in hospital, 2009–2014 pooled",
        "read_ny_iqi, years summed",
        frozenset({"trust"}),
        published=True,
    ),
    "simulated_20": Problem(
        "Simulated, 120 × 20",
        "simulate_nation(120, 20, missing_departments=0, seed=1)",
        frozenset({"trust", "department"}),
    ),
    "simulated_100": Problem(
        "Simulated, 24 × 100",
        "simulate_nation(24, 100, missing_departments=0, seed=1)",
        frozenset({"trust"}),
    ),
    "simulated_142": Problem(
        "Simulated, 120 × 142",
        "simulate_nation(120, 142, missing_departments=0, mean_expected=35, sd_department_size=1.6, seed=1)",
        frozenset({"trust"}),
    ),
    "simulated_10": Problem(
        "Simulated, 1,704 × 10",
        "simulate_nation(1_704, 10, missing_departments=0, mean_expected=35, sd_department_size=1.6, seed=1)",
        frozenset({"department", "trust"}),
    ),
    "hrrp": Problem(
        "United States, readmissions (HRRP, fiscal year 2026)",
        "read_cms_hrrp",
        frozenset({"trust"}),
        published=True,
    ),
}


def main() -> None:
    """Write the table named, and what it is like."""
    import pandas as pd

    import brightspots as bs

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("problem", choices=PROBLEMS)
    parser.add_argument("table", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("started", type=float)
    given = parser.parse_args()
    warnings.simplefilter("ignore", bs.DataWarning)
    simulated = {"missing_departments": 0.0, "seed": 1}
    sizes = {"mean_expected": 35.0, "sd_department_size": 1.6}
    cells: pd.DataFrame
    match given.problem:
        case "quick":
            cells = bs.simulate_nation(30, 8, **simulated).cells
        case "simulated_20":
            cells = bs.simulate_nation(120, 20, **simulated).cells
        case "simulated_100":
            cells = bs.simulate_nation(24, 100, **simulated).cells
        case "simulated_142":
            cells = bs.simulate_nation(120, 142, **sizes, **simulated).cells
        case "simulated_10":
            cells = bs.simulate_nation(1_704, 10, **sizes, **simulated).cells
        case "ny_iqi":
            cells = bs.read_ny_iqi(given.folder / "ny_iqi_2009_2014.csv")
        case _:
            cells = bs.read_cms_hrrp(given.folder / "cms_hrrp_fy2026.csv")
    keys = ["trust", "department"]
    pooled = (
        cells.groupby(keys, observed=True)[["observed", "expected"]].sum().reset_index().sort_values(keys)
    )
    if "rating" in cells:  # of the trust
        pooled["rating"] = pooled["trust"].map(cells.drop_duplicates("trust").set_index("trust")["rating"])
    pooled.to_csv(given.table, index=False)
    write_values(
        given.out,
        {
            "cells": len(pooled),
            "trusts": pooled["trust"].nunique(),
            "departments": pooled["department"].nunique(),
            "expect_below_one": float((pooled["expected"] < 1.0).mean()),
            "none_observed": float((pooled["observed"] == 0).mean()),
        },
    )


if __name__ == "__main__":
    main()
