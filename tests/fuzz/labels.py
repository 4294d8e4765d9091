"""Labels as nobody wants them, through everything that a table of outcomes goes through."""

from __future__ import annotations

import random
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import brightspots as bs
from brightspots.common.files import write_table
from tests.conftest import simulate_frame
from tests.fuzz.trials import LostError

LABELS = (
    "a\0b", "\u202egnirts", "\u2066x\u2069", "x" * 40_000, "Ward 🏥", "e\u0301", "é",
    "A\u030a\u0327\u0301" * 50, '"', "'", "`", "''';--", "=1+1", "@SUM(A1)", "+44", "-1",
    "<b>x</b>", "&amp;", "a\nb", "a\r\nb", "\t", "   ", "", "\u00a0", "\u200b", "01", "1", "1.0",
    "1e5", "nan", "None", "NA", "NULL", "True", "2024-01-01", "ŵ", "病院", "مستشفى", "\ud800",
    "\ufeffx", "\x1b[31m", "$x_1$", "{{ 1 }}", "%s %d {0}", "../../x", "CON", "a/b", "a\\b",
    "C:", "|", ";", ",", "Total", "England", "trust", None, float("nan"), 1, 2.5, True, b"x",
    "ﬀ", "ß", "SS", "İ", "I", "ı", "x ", " x",
)  # fmt: skip
STEPS = (
    "csv",
    "xlsx",
    "parquet",
    "html",
    "docx",
    "pptx",
    "funnel",
    "two stage",
    "mosaic",
    "caterpillar",
    "saved",
)
_WAYS = {"trust": 6, "department": 3}


def hostile_table(seed: int) -> pd.DataFrame:
    """Six trusts and three departments, some of which have hostile labels instead of theirs."""
    rng = random.Random(seed)
    table = simulate_frame(6, 3)
    for key, units in _WAYS.items():
        labels = table[key].unique()[: rng.randint(1, units)]
        chosen = dict(zip(labels, rng.sample(LABELS, len(labels)), strict=True))
        column = pd.Series([chosen.get(label, label) for label in table[key]], table.index, dtype=object)
        # pandas has no column of text for half of a character.
        plain = rng.random() < 0.5 and "\ud800" not in chosen.values()
        table[key] = column.infer_objects() if plain else column
    return table


def carry_through(table: pd.DataFrame, step: str, folder: Path) -> None:
    """Fit, find spots and take one step; raise `LostError` where rows or cases went missing on the way."""
    fit = bs.fit_hierarchy(table, seed=1, draws=200)
    spots = fit.find_spots()
    departments = fit.departments()
    if len(departments) != len(table) or departments["observed"].sum() != table["observed"].sum():
        raise LostError(f"{len(table)} rows, {len(departments)} departments")
    if set(departments["trust"]) != set(table["trust"]):
        raise LostError("trusts have other labels")
    trust = departments["trust"].iloc[0]
    if step in ("csv", "xlsx", "parquet"):
        _write_and_read(spots.table, folder / f"spots.{step}")
    elif step in ("html", "docx", "pptx"):
        for whose in (None, trust):
            path = bs.write_board_pack(
                fit, spots, folder / f"board.{step}", trust=whose, title=str(trust), notes=[str(trust)]
            )
            if path.stat().st_size < 1_000:
                raise LostError("an empty pack")
    elif step == "saved":
        fit.save(folder / "fit.nc")
        loaded = bs.load_fit(folder / "fit.nc").departments()
        if not all(
            np.array_equal(loaded[key], departments[key]) for key in ("trust", "department", "observed")
        ):
            raise LostError("a saved fit has other labels or counts")
    else:
        _draw(fit, spots, step, trust, folder)


def _write_and_read(table: pd.DataFrame, path: Path) -> None:
    write_table(table, path)
    read = {
        ".csv": lambda: pd.read_csv(path, dtype={"trust": str, "department": str}, keep_default_na=False),
        ".xlsx": lambda: pd.read_excel(path, dtype={"trust": str, "department": str}, keep_default_na=False),
        ".parquet": lambda: pd.read_parquet(path),
    }[path.suffix]()
    if len(read) != len(table) or read["observed"].astype(float).sum() != table["observed"].sum():
        raise LostError(f"{len(table)} rows written, {len(read)} read")
    if read["trust"].nunique() != table["trust"].nunique():
        raise LostError(f"{table['trust'].nunique()} trusts written, {read['trust'].nunique()} read")


def _draw(fit: bs.HierarchyFit, spots: bs.Spots, step: str, trust: object, folder: Path) -> None:
    if step == "funnel":
        fit.plot_funnel(highlight=[trust])
        ax = fit.plot_funnel(trust)
    elif step == "two stage":
        ax = fit.plot_two_stage(trust)[0]
    elif step == "mosaic":
        ax = fit.plot_mosaic(spots=spots)
    else:
        ax = fit.plot_caterpillar(trust)
    if not bs.describe(ax):
        raise LostError("a figure without words")
    ax.figure.savefig(folder / "figure.png", dpi=30)
    ax.figure.savefig(folder / "figure.svg")
    plt.close("all")
