"""`Standardised`, which `standardise()` returns, with its text and HTML."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from brightspots.casemix.card import ModelCard, card_html, card_text
from brightspots.casemix.models import CaseMixModel
from brightspots.common import vocabulary as names
from brightspots.common.arguments import checked
from brightspots.data.opening import CellTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN = 10


@checked
@dataclass(frozen=True, eq=False, repr=False)
class Standardised(CellTable):
    """Observed and expected events by trust and department, with the model card; `fit_hierarchy` takes it as it is.

    Parameters
    ----------
    table : pandas.DataFrame
        trust, department[, period], observed, expected, denominator (records), sorted by label, periods by time.
    card : ModelCard
    model : CaseMixModel
        The fitted models, with which other records can be scored: ``standardise(…, model=cells)``.
    """

    table: pd.DataFrame
    card: ModelCard
    model: CaseMixModel

    def __repr__(self) -> str:
        return standardised_text(self)

    def _repr_html_(self) -> str:
        return standardised_html(self)

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, column: str) -> pd.Series[Any]:
        return self.table[column]

    def plot_calibration(self, *, ax: Axes | None = None) -> Axes:
        """Draw observed against expected events by tenth of risk, see `ModelCard.plot_calibration`."""
        return self.card.plot_calibration(ax=ax)


def standardised_text(cells: Standardised) -> str:
    """One screen of text: sizes, and the model card."""
    return "\n".join(
        [_headline(cells), "", card_text(cells.card), "", "Next: .table, .card, bs.fit_hierarchy(…)"]
    )


def standardised_html(cells: Standardised) -> str:
    """An HTML fragment: sizes, the first cells, and the model card."""
    table: Any = _first_cells(cells.table).to_html(index=False, escape=True, border=0)
    more = len(cells.table) - _SHOWN
    hidden = f"<p>… and {more:,} more: see .table</p>" if more > 0 else ""
    return (
        f"<div class='brightspots'><p><b>{html.escape(_headline(cells))}</b></p>{table}{hidden}"
        f"{card_html(cells.card)}</div>"
    )


def _headline(cells: Standardised) -> str:
    table, card = cells.table, cells.card
    sizes = [
        f"{table[names.TRUST].nunique():,} trusts",
        f"{table[names.DEPARTMENT].nunique():,} departments",
        f"{len(table):,} cells",
    ]
    if names.PERIOD in table:
        sizes.insert(2, f"{table[names.PERIOD].nunique():,} periods")
    return f"'{card.outcome}' standardised for case mix: {', '.join(sizes)}"


def _first_cells(table: pd.DataFrame) -> pd.DataFrame:
    shown = table.head(_SHOWN).copy()
    shown[names.EXPECTED] = shown[names.EXPECTED].map("{:,.2f}".format)
    return shown
