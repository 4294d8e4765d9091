"""Three files as people have them, each a clean table made differently messy, and that table."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from openpyxl import Workbook

import brightspots as bs

DEPARTMENTS = ("Cardiology", "General surgery", "Renal", "Stroke")
TRUSTS = (
    "Ashdown",
    "Brackley",
    "St Osyth’s",
    "Glan Môr",
    "Eastmere",
    "Fenwick",
    "Grangefield",
    "Holme",
    "Ivel",
    "Jarrow",
)


def clean_table(seed: int = 1) -> pd.DataFrame:
    """One of a few tables, a copy of which each test may change."""
    return _clean_table(seed).copy()


@cache
def _clean_table(seed: int) -> pd.DataFrame:
    """Ten trusts × four departments with a few small counts, and no two names alike."""
    cells = bs.simulate_nation(len(TRUSTS), len(DEPARTMENTS), missing_departments=0.0, seed=seed).cells
    cells = cells[["trust", "department", "observed", "expected"]].reset_index(drop=True)
    cells["trust"] = np.repeat(TRUSTS, len(DEPARTMENTS))
    cells["department"] = np.tile(DEPARTMENTS, len(TRUSTS))
    cells["expected"] = cells["expected"].round(1)
    cells.loc[[5, 14], "observed"] = [2, 4]
    cells.loc[[5, 14], "expected"] = [3.1, 3.4]
    cells.loc[22, ["observed", "expected"]] = [0, 1.2]
    cells.attrs = {}
    return cells


def nhs_export(path: Path) -> pd.DataFrame:
    """Semicolons, Windows-1252, decimal commas, rows above and below, ``<5``, a trailing blank and a row of 0 of 0."""
    clean = clean_table()
    lines = [
        "Deaths by treatment function;;;",
        "Period: April 2024 to March 2025;;;",
        ";;;",
        "Trust name;Treatment function;Deaths;Expected deaths",
    ]
    for row, cell in clean.iterrows():
        count = "<5" if 0 < cell["observed"] < 5 else f"{cell['observed']:.0f}"
        name = cell["trust"] + (" " if row == 9 else "")
        lines.append(f"{name};{cell['department']};{count};{cell['expected']:.1f}".replace(".", ","))
    lines.append("Holme;Maternity;0;0,0")
    lines += [
        ";;;",
        "Source: hospital statistics. Counts under 5 are shown as <5.;;;",
        "© Crown copyright;;;",
    ]
    path.write_bytes("\r\n".join(lines).encode("cp1252"))
    small = clean["observed"].between(1, 4)
    return clean.assign(
        observed=clean["observed"].astype(float).mask(small),
        observed_lower=np.where(small, 1.0, np.nan),
        observed_upper=np.where(small, 4.0, np.nan),
    )


def us_export(path: Path) -> pd.DataFrame:
    """Thousands, ``Not Available``, totals among departments and hospitals, ratings in words of its own."""
    clean = clean_table(2)
    clean["observed"] *= 40
    clean["expected"] = (clean["expected"] * 40).round(1)
    stars = dict(zip(TRUSTS, ("1", "2", "3", "4", "5", "3", "4", "2", "5", "3"), strict=True))
    clean["rating"] = clean["trust"].map(stars)
    spelt = {"1": "1 star", "2": "Two stars", "3": "3 stars", "4": "4", "5": "5 stars"}

    def line(name: str, department: str, observed: float, expected: float, rating: str) -> str:
        quoted = ",".join(f'"{value:,.{places}f}"' for value, places in ((observed, 0), (expected, 1)))
        return f'"{name}","{department}",{quoted},{rating}'

    lines = ["Hospital Name,Department,Deaths,Expected Deaths,rating"]
    for trust, cells in clean.groupby("trust", sort=False):
        rating = spelt[stars[trust]]
        lines += [
            line(trust, d, o, e, rating)
            for d, o, e in cells[["department", "observed", "expected"]].to_numpy()
        ]
        lines.append(line(trust, "All departments", cells["observed"].sum(), cells["expected"].sum(), rating))
    lines.append('"Kirkby","Renal","Not Available","Not Available",Not Available')
    for department, cells in clean.groupby("department", sort=False):
        of_all = cells["observed"].sum(), cells["expected"].sum()
        lines.append(line("National", department, *of_all, "Not Available"))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    return clean


def month_sheet(path: Path) -> pd.DataFrame:
    """A title, months across under a column that says deaths or expected, and each site named once for its rows."""
    months = ("Apr 2024", "May 2024", "Jun 2024")
    parts = [clean_table(seed).assign(period=month) for seed, month in enumerate(months, 3)]
    clean = pd.concat(parts, ignore_index=True)
    book = Workbook()
    sheet = book.active
    sheet.append(["Deaths at our sites, first quarter"])
    sheet.append([])
    sheet.append(["Site", "Ward type", "Measure", *months])
    for trust, cells in clean.groupby("trust", sort=False):
        named = trust
        for department, of_months in cells.groupby("department", sort=False):
            for measure, column in (("Deaths", "observed"), ("Expected", "expected")):
                sheet.append([named, department, measure, *of_months[column].tolist()])
                named = None
    book.save(path)
    return clean


SHIPPED = {"export.csv": nhs_export, "hospitals.csv": us_export, "months.xlsx": month_sheet}
"""The files of data_samples/messy, on which the documentation runs."""

if __name__ == "__main__":
    for name, write in SHIPPED.items():
        write(Path(__file__).parents[2] / "data_samples" / "messy" / name)
