"""Sentences on a suppressed table: how much is withheld, what else was done, what must not be published."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from brightspots.data.columns import Columns
from brightspots.disclosure.counts import BESIDE, SMALL, BoolArray, Shown, TwoWay
from brightspots.disclosure.rules import Rules


def withheld_text(table: pd.DataFrame, shown: Shown, at: TwoWay, columns: Columns, part: str) -> list[str]:
    """Sentences on how many counts of a part are withheld, and on totals that must not be published."""
    column = columns.name_of(part)
    small, beside = int(np.sum(shown.reason == SMALL)), int(np.sum(shown.reason == BESIDE))
    secondary = list(shown.protected.values())
    said = []
    if small or beside:
        said.append(
            f"Withheld {small:,} small counts and {beside:,} beside them of {len(table):,} in {column!r}."
        )
    for what, totals, codes in (
        (columns.trust, [each.row_totals for each in secondary], at.row),
        (columns.department, [each.column_totals for each in secondary], at.column),
    ):
        wanted = frozenset().union(*totals)
        if wanted:
            labels = (
                table[what][np.isin(codes, list(wanted))].drop_duplicates()
                if what in table
                else ["the whole"]
            )
            said.append(
                f"Do not publish the totals of {column!r} of these, which would give a small count back: "
                f"{', '.join(map(str, labels))}."
            )
    if any(each.grand_total for each in secondary):
        said.append(f"Do not publish the overall total of {column!r}, which would give a small count back.")
    return said


def changed_text(table: pd.DataFrame, changed: BoolArray, columns: Columns) -> list[str]:
    """Sentences on expected events that were changed because they sum to the observed ones."""
    if not changed.any():
        return []
    department = columns.department
    labels = table[department][changed].drop_duplicates() if department in table else ["all rows"]
    return [
        f"{columns.name_of('expected')!r} sums to the observed events, and so would tell what is withheld or rounded: "
        f"in {', '.join(map(str, labels))} it was changed to sum to what is shown (see the page on disclosure)."
    ]


def results_text(results: Sequence[str]) -> str:
    """Sentences on columns that were treated as results, and on what their rounding does not prevent."""
    named = ", ".join(map(repr, results[:5])) + (f" and {len(results) - 5} more" if len(results) > 5 else "")
    return (
        f"Taken for results: {named}. They are missing where something is withheld and rounded elsewhere, but were "
        "worked out from exact counts, and whoever works them out for every possible count can find the right one: "
        "to publish results use fit.suppressed(). Name with keep=… what says nothing of counts."
    )


def still_small_text(table: pd.DataFrame, results: Sequence[str], rules: Rules) -> list[str]:
    """Sentences on columns treated as results that look like counts, with small ones still shown."""
    said = []
    for name in results:
        if table[name].dtype.kind not in "if":
            continue
        values = table[name].to_numpy(dtype=np.float64)
        seen = values[np.isfinite(values)]
        small = int(np.sum((seen >= max(rules.least, 1)) & (seen <= rules.most)))
        if small and np.all((seen >= 0) & (seen == np.floor(seen))):
            said.append(
                f"{name!r} looks like counts and is not suppressed as one: {small:,} of 1 to {rules.most} are still "
                "shown. Suppress it by itself, with observed=…"
            )
    return said
