"""The model card: what was fitted to which records, how well it describes them, and what was left out."""

from __future__ import annotations

import html
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from brightspots.common.arguments import checked
from brightspots.common.wording import percent, percent_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH = 100
_MISSING = {"level": "a level of its own", "drop": "left out", "error": "refused"}


@checked
@dataclass(frozen=True, eq=False, repr=False)
class ModelCard:
    """How expected events were computed: the models, their fit, and what was left out.

    Parameters
    ----------
    outcome, trust, department : str
        Columns of the records.
    period : str or None
    casemix : tuple of str
    source : str
        The engine that held the records, in words.
    fitted : bool
        Whether the models were fitted to these records; else they were given (``standardise(…, model=…)``).
    records, events : int
        Records that were counted, and events among them.
    strata : int
        Number of combinations of department type and case mix that have records.
    min_events : int
        Events, and records without the event, that a department needs for a model of its own.
    missing : {"level", "drop", "error"}
        What was done with missing case mix.
    c_statistic : float
        Over all records.
    types : pandas.DataFrame
        One row a department type: department, model ("own", "pooled", "left out"), records, observed, expected,
        c_statistic, penalised.
    coefficients : pandas.DataFrame
        One row a coefficient: model (the department, or "pooled"), covariate, level, coefficient (log odds ratio;
        the log odds for an intercept), standard_error, records, observed, note.
    covariates : pandas.DataFrame
        One row a case-mix column: covariate, levels, records_missing, share_missing.
    calibration : pandas.DataFrame
        Observed and expected by tenth of risk, see `brightspots.casemix.validation.calibration`.
    left_out : pandas.DataFrame
        Records that are in no cell: reason, records, events.
    notes : tuple of str
        What readers should know, a sentence each.
    """

    outcome: str
    trust: str
    department: str
    period: str | None
    casemix: tuple[str, ...]
    source: str
    fitted: bool
    records: int
    events: int
    strata: int
    min_events: int
    missing: str
    c_statistic: float
    types: pd.DataFrame
    coefficients: pd.DataFrame
    covariates: pd.DataFrame
    calibration: pd.DataFrame
    left_out: pd.DataFrame
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        return card_text(self)

    def _repr_html_(self) -> str:
        return card_html(self)

    def plot_calibration(self, *, ax: Axes | None = None) -> Axes:
        """Draw observed against expected events by tenth of risk.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional

        Returns
        -------
        matplotlib.axes.Axes
        """
        from brightspots.figures.calibration import draw_calibration

        return draw_calibration(
            self.calibration,
            title=f"Observed and expected '{self.outcome}' by tenth of risk",
            caption=f"{self.records:,} records, c-statistic {self.c_statistic:.3f}.",
            ax=ax,
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts, lists, text and numbers, for JSON."""
        plain: dict[str, Any] = {}
        for name, value in vars(self).items():
            if isinstance(value, pd.DataFrame):
                frame = value.reset_index() if value.index.name else value
                plain[name] = [
                    {
                        key: None if pd.isna(item) else item
                        for key, item in zip(frame.columns, row, strict=True)
                    }
                    for row in frame.itertuples(index=False)
                ]
            else:
                plain[name] = list(value) if isinstance(value, tuple) else value
        return plain


def card_text(card: ModelCard) -> str:
    """The card as lines of text."""
    lines = _lines(card)
    if len(card.covariates):
        lines += ["", _covariates(card).to_string(index=False)]
    lines += ["", "Calibration by tenth of risk", _calibration(card).to_string()]
    lines += [textwrap.fill(f"- {note}", _WIDTH, subsequent_indent="  ") for note in card.notes]
    return "\n".join(lines)


def card_html(card: ModelCard) -> str:
    """The card as an HTML fragment."""
    said = "".join(f"<p>{html.escape(line)}</p>" for line in _lines(card))
    tables = [_calibration(card).to_html(escape=True, border=0)]
    if len(card.covariates):
        tables.insert(0, _covariates(card).to_html(index=False, escape=True, border=0))
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in card.notes)
    return f"<div class='brightspots'>{said}{''.join(tables)}<ul>{notes}</ul></div>"


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
