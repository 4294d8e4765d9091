"""Findings on the units of checked cells: department types of a single trust, months that are out of order."""

from __future__ import annotations

import numpy as np
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.wording import counted, quoted
from brightspots.data.cells import Cells
from brightspots.data.checks import data_cautions
from brightspots.data.period_order import order_periods
from brightspots.tidying.report import Finding
from brightspots.tidying.roles import Roles, present
from brightspots.tidying.step import QUOTED


def unit_findings(frame: pd.DataFrame, roles: Roles, cells: Cells) -> list[Finding]:
    """Findings on the units of cells.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table that the cells were read from.
    roles : Roles
    cells : Cells
    """
    found = [
        Finding(caution.code, "doubt" if caution.is_doubt else "note", caution.text)
        for caution in data_cautions(cells)
    ]
    departments = roles.columns.department
    trusts_of = np.bincount(cells.cell_department, minlength=cells.n_departments)
    lonely = [str(label) for label in cells.departments[trusts_of == 1]]
    if lonely:
        one = len(lonely) == 1
        text = (
            f"{counted(len(lonely), 'kind')} of department {'is' if one else 'are'} found in one trust only "
            f"({quoted(lonely, QUOTED)}): {'it has' if one else 'they have'} no peers to be compared with. The same "
            "kind may have another name elsewhere."
        )
        found.append(Finding("department in one trust", "note", text, departments))
    alone = [str(label) for label in cells.trusts[np.diff(cells.trust_cells) == 1]]
    if alone:
        text = (
            f"{counted(len(alone), 'trust')} {'has' if len(alone) == 1 else 'have'} a single department "
            f"({quoted(alone, QUOTED)}), which is not compared with any of its own."
        )
        found.append(Finding("trust with one department", "note", text, roles.columns.trust))
    return found + _months_out_of_order(frame, roles)


def _months_out_of_order(frame: pd.DataFrame, roles: Roles) -> list[Finding]:
    """A finding where months without a year are not in calendar order in the table: most likely a financial year."""
    column = present(frame, roles).get("period")
    if column is None or isinstance(frame[column].dtype, pd.CategoricalDtype):
        return []
    labels = list(dict.fromkeys(frame[column].dropna()))
    if len(labels) < 3 or not all(isinstance(label, str) for label in labels):
        return []
    ordered = order_periods(labels)
    if ordered.known_by != "month" or list(ordered.order) == list(range(len(labels))):
        return []
    text = (
        f"Months stand in the table from {labels[0]} to {labels[-1]}, and are shown in the order of the calendar, "
        f"{labels[ordered.order[0]]} first. If they are those of a financial year, give the years with them, or an "
        "ordered categorical."
    )
    categories = ", ".join(map(repr, labels))
    return [
        Finding(
            names.ORDER_UNKNOWN, "note", text, column,
            in_python=f"table[{column!r}] = pandas.Categorical(table[{column!r}], [{categories}], ordered=True)",
        )
    ]  # fmt: skip
