"""What is said of a suppressed table: how much is withheld, what else was done, what must not be published."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from brightspots.disclosure.counts import BESIDE, SMALL, BoolArray, Shown, TwoWay


def withheld_text(
    table: pd.DataFrame, shown: Shown, at: TwoWay, column: str, trust: str, department: str
) -> list[str]:
    """Sentences on how many counts of a column are withheld, and on totals that must not be published."""
    small, beside = int(np.sum(shown.reason == SMALL)), int(np.sum(shown.reason == BESIDE))
    secondary = list(shown.protected.values())
    said = []
    if small or beside:
        said.append(
            f"Withheld {small:,} small counts and {beside:,} beside them of {len(table):,} in {column!r}."
        )
    for what, totals, codes in (
        (trust, [each.row_totals for each in secondary], at.row),
        (department, [each.column_totals for each in secondary], at.column),
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


def rescaled_text(table: pd.DataFrame, rescaled: BoolArray, expected: str, department: str) -> list[str]:
    """Sentences on expected events that would have told a total."""
    if not rescaled.any():
        return []
    labels = table[department][rescaled].drop_duplicates() if department in table else ["all rows"]
    return [
        f"{expected!r} sums to the observed events, and so would tell totals that are withheld or rounded; it is "
        f"multiplied by one factor a department type in {', '.join(map(str, labels))}, and left out where no row says "
        "which."
    ]


def results_text(results: Sequence[str]) -> str:
    """Sentences on columns that were taken for results, and what their rounding does not stop."""
    named = ", ".join(map(repr, results[:5])) + (f" and {len(results) - 5} more" if len(results) > 5 else "")
    return (
        f"Taken for results: {named}. They are missing where something is withheld and rounded elsewhere, but were "
        "worked out from exact counts, and whoever works them out for every possible count can find the right one: "
        "to publish results use fit.suppressed(). Name with keep=… what says nothing of counts."
    )
