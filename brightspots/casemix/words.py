"""Text and HTML of the model card and of standardised cells, rounded for people; text from data is escaped in HTML."""

from __future__ import annotations

import html
import textwrap
from typing import TYPE_CHECKING, Any

import pandas as pd

from brightspots import vocabulary as names
from brightspots.wording import percent, percent_interval

if TYPE_CHECKING:
    from brightspots.casemix.card import ModelCard
    from brightspots.casemix.indirect import Standardised

_SHOWN = 10
_WIDTH = 100
_MISSING = {"level": "a level of its own", "drop": "left out", "error": "refused"}


def standardised_text(cells: Standardised) -> str:
    """One screen: sizes, models, how well they fit, what should be known."""
    return "\n".join(
        [_headline(cells), "", card_text(cells.card), "", "Next: .table, .card, bs.fit_hierarchy(…)"]
    )


def standardised_html(cells: Standardised) -> str:
    """The same as a HTML fragment, with the first cells."""
    table: Any = _first_cells(cells.table).to_html(index=False, escape=True, border=0)
    more = len(cells.table) - _SHOWN
    hidden = f"<p>… and {more:,} more: see .table</p>" if more > 0 else ""
    return (
        f"<div class='brightspots'><p><b>{html.escape(_headline(cells))}</b></p>{table}{hidden}"
        f"{card_html(cells.card)}</div>"
    )


def card_text(card: ModelCard) -> str:
    """The card as lines of text."""
    lines = _lines(card)
    if len(card.covariates):
        lines += ["", _covariates(card).to_string(index=False)]
    lines += ["", "Calibration by tenth of risk", _calibration(card).to_string()]
    lines += [textwrap.fill(f"- {note}", _WIDTH, subsequent_indent="  ") for note in card.notes]
    return "\n".join(lines)


def card_html(card: ModelCard) -> str:
    """The card as a HTML fragment."""
    said = "".join(f"<p>{html.escape(line)}</p>" for line in _lines(card))
    tables = [_calibration(card).to_html(escape=True, border=0)]
    if len(card.covariates):
        tables.insert(0, _covariates(card).to_html(index=False, escape=True, border=0))
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in card.notes)
    return f"<div class='brightspots'>{said}{''.join(tables)}<ul>{notes}</ul></div>"


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


def _lines(card: ModelCard) -> list[str]:
    counts = card.types["model"].value_counts()
    said = [f"{counts[kind]:,} {kind}" for kind in ("own", "pooled", "left out") if kind in counts]
    penalised = int(card.types["penalised"].sum())
    extra = f", {penalised:,} of these penalised" if penalised else ""
    origin = "fitted to these records" if card.fitted else "brought along, not fitted to these records"
    return [
        f"Records: {card.records:,} with {card.events:,} events, from {card.source}",
        f"Logistic models {origin}; by department: {', '.join(said)}{extra}",
        f"c-statistic {card.c_statistic:.3f}; expected events {card.types['expected'].sum():,.1f}",
    ]


def _covariates(card: ModelCard) -> pd.DataFrame:
    frame = card.covariates
    missing = [
        f"{count:,} ({percent(share, 1)}), {_MISSING[card.missing]}" if count else "none"
        for count, share in zip(frame["records_missing"], frame["share_missing"], strict=True)
    ]
    return pd.DataFrame({"covariate": frame["covariate"], "levels": frame["levels"], "missing": missing})


def _calibration(card: ModelCard) -> pd.DataFrame:
    frame = card.calibration
    rate = [
        percent_interval(*row, decimals=2)
        for row in frame[["observed_rate", "observed_rate_lower", "observed_rate_upper"]].to_numpy()
    ]
    return pd.DataFrame(
        {
            "records": frame["records"].map("{:,}".format),
            "observed": frame["observed"].map("{:,}".format),
            "expected": frame["expected"].map("{:,.1f}".format),
            "expected rate": [percent(rate, 2) for rate in frame["expected_rate"]],
            "observed rate": rate,
        },
        index=frame.index,
    )


def _first_cells(table: pd.DataFrame) -> pd.DataFrame:
    shown = table.head(_SHOWN).copy()
    shown[names.EXPECTED] = shown[names.EXPECTED].map("{:,.2f}".format)
    return shown
