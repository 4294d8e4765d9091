"""`write_card`: compute the model card from the models and the counts of the records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from brightspots.casemix.card import ModelCard
from brightspots.casemix.intake import Roles
from brightspots.casemix.models import LEFT_OUT, POOLED, CaseMixModel, predict
from brightspots.casemix.strata import Patterns
from brightspots.casemix.validation import by_risk, c_statistic, calibration
from brightspots.common.arrays import IntArray
from brightspots.common.parallel import map_in_order

_LISTED = 5


def write_card(
    model: CaseMixModel,
    roles: Roles,
    patterns: Patterns,
    *,
    source: str,
    fitted: bool,
    missing: IntArray,
    missing_of: int,
    unanswered: int,
    dropped: tuple[int, int],
    strangers: Sequence[str],
) -> tuple[ModelCard, list[str]]:
    """Describe the models and how well they predict the records.

    Parameters
    ----------
    model : CaseMixModel
    roles : Roles
    patterns : Patterns
        Of the records that were scored, including types that are left out.
    source : str
        The engine that held the records, in words.
    fitted : bool
        Whether the models were fitted to these records.
    missing : int array (K,)
        Records with a missing value, of `missing_of`.
    missing_of : int
    unanswered : int
        Records without an outcome.
    dropped : tuple of int
        Records dropped for missing case mix, and events among them.
    strangers : sequence of str
        Values that the model does not know, in words.

    Returns
    -------
    ModelCard
    list of str
        Notes that the caller should warn of.
    """
    p, strange = predict(model, patterns)
    types = _types(model, patterns, p)
    kept = ~np.isnan(p)
    left_out = _left_out(types, unanswered, dropped)
    loud = _loud_notes(
        model, patterns, types, unanswered, dropped, strange & kept[:, None], strangers, fitted
    )
    covariates = pd.DataFrame(
        {
            "covariate": list(roles.casemix),
            "levels": [len(factor.labels) - 1 for factor in model.factors],
            "records_missing": missing,
            "share_missing": missing / max(1, missing_of),
        }
    )
    records, events = patterns.records[kept], patterns.events[kept]
    merged = by_risk(p[kept], records, events)
    card = ModelCard(
        outcome=roles.outcome,
        trust=roles.trust,
        department=roles.department,
        period=roles.period,
        casemix=roles.casemix,
        source=source,
        fitted=fitted,
        records=int(records.sum()),
        events=int(events.sum()),
        strata=len(records),
        min_events=model.min_events,
        missing=model.missing,
        c_statistic=c_statistic(*merged[1:]),
        types=types,
        coefficients=_coefficients(model),
        covariates=covariates,
        calibration=calibration(*merged),
        left_out=left_out,
        notes=(*loud, *_quiet_notes(model)),
    )
    return card, loud


def _types(model: CaseMixModel, patterns: Patterns, p: np.ndarray) -> pd.DataFrame:
    """Table `types` of the card: one row a department type that has records."""
    penalised = np.zeros(len(model.departments), dtype=bool)
    for fit, members in zip(model.fits, model.members, strict=True):
        penalised[members] = bool(fit.penalty)

    def describe(position: int) -> dict[str, Any] | None:
        part = patterns.of_type(position)
        records, events = patterns.records[part], patterns.events[part]
        if len(records) == 0:
            return None
        out = model.kind[position] == LEFT_OUT
        return {
            "department": model.departments.tolist()[position],
            "model": model.kind[position],
            "records": int(records.sum()),
            "observed": int(events.sum()),
            "expected": np.nan if out else float((records * p[part]).sum()),
            "c_statistic": np.nan if out else c_statistic(*by_risk(p[part], records, events)[1:]),
            "penalised": penalised[position],
        }

    rows = map_in_order(describe, range(len(model.departments)))
    return pd.DataFrame([row for row in rows if row is not None])


def _coefficients(model: CaseMixModel) -> pd.DataFrame:
    """Table `coefficients` of the card: one row for each intercept and each level of a model."""
    columns: dict[str, list[Any]] = {
        name: []
        for name in (
            "model",
            "covariate",
            "level",
            "coefficient",
            "standard_error",
            "records",
            "observed",
            "note",
        )
    }

    def add(*row: Any) -> None:
        for column, value in zip(columns.values(), row, strict=True):
            column.append(value)

    for fit, members in zip(model.fits, model.members, strict=True):
        name = POOLED if model.kind[members[0]] == POOLED else model.departments[members[0]]
        for position, member in enumerate(members):
            intercept, error = fit.intercepts[position], fit.intercept_errors[position]
            add(name, "(intercept)", str(model.departments[member]), intercept, error, None, None, "")
        for k, factor in enumerate(model.factors):
            if (fit.records[k] > 0).sum() < 2:
                continue
            for level in map(int, np.flatnonzero(fit.records[k] > 0)):
                note = (
                    "reference"
                    if level == fit.references[k]
                    else "aliased"
                    if (k, level) in fit.aliased
                    else ""
                )
                if (k, level) in fit.separated:
                    note = f"{note}, no events" if fit.events[k][level] == 0 else f"{note}, only events"
                add(
                    name, factor.column, factor.labels[level], fit.coefficients[k][level], fit.errors[k][level],
                    int(fit.records[k][level]), int(fit.events[k][level]), note.removeprefix(", "),
                )  # fmt: skip
    frame = pd.DataFrame(columns)
    return frame.astype({"records": "Int64", "observed": "Int64"})


def _left_out(types: pd.DataFrame, unanswered: int, dropped: tuple[int, int]) -> pd.DataFrame:
    rows = []
    if unanswered:
        rows.append({"reason": "no outcome", "records": unanswered, "events": pd.NA})
    if dropped[0]:
        rows.append({"reason": "missing case mix", "records": dropped[0], "events": dropped[1]})
    out = types[types["model"] == LEFT_OUT]
    if len(out):
        rows.append(
            {
                "reason": "department whose outcome never varies",
                "records": int(out["records"].sum()),
                "events": int(out["observed"].sum()),
            }
        )
    return pd.DataFrame(rows, columns=["reason", "records", "events"]).astype(
        {"records": "int64", "events": "Int64"}
    )


def _loud_notes(
    model: CaseMixModel,
    patterns: Patterns,
    types: pd.DataFrame,
    unanswered: int,
    dropped: tuple[int, int],
    strange: np.ndarray,
    strangers: Sequence[str],
    fitted: bool,
) -> list[str]:
    """Notes to warn of: records or departments left out, constant columns, values unknown to the model."""
    notes = []
    if unanswered:
        notes.append(f"{unanswered:,} records without an outcome are left out")
    if dropped[0]:
        notes.append(
            f"{dropped[0]:,} records with missing case mix are left out, {dropped[1]:,} events among them"
        )
    out = types[types["model"] == LEFT_OUT]
    if len(out):
        said = [f"{row.department} ({row.observed:,} of {row.records:,})" for row in out.itertuples()]
        never = "outcome never varies" if fitted else "outcome never varied where the model was fitted"
        notes.append(
            f"{len(out):,} {'department is' if len(out) == 1 else 'departments are'} left out, for "
            f"{'its' if len(out) == 1 else 'their'} {never} (events of records): {_some(said)}"
        )
    constant = [
        factor.column
        for k, factor in enumerate(model.factors)
        if fitted and sum(fit.records[k] for fit in model.fits).astype(bool).sum() == 1  # type: ignore[union-attr]
    ]
    if constant:
        notes.append(f"the same value in every record, so that nothing is adjusted for it: {_some(constant)}")
    unknown = strange.any(axis=1)
    if unknown.any():
        columns = [factor.column for k, factor in enumerate(model.factors) if strange[:, k].any()]
        values = f" ({_some(strangers)})" if strangers else ""
        notes.append(
            f"{int(patterns.records[unknown].sum()):,} records have a value of {_some(columns)} that the model of "
            f"their department was not fitted to{values}; each is given the mean coefficient of the column"
        )
    return notes


def _quiet_notes(model: CaseMixModel) -> list[str]:
    """Notes on how the models were fitted: pooling, penalties, aliased levels, missing values."""
    notes = []
    pooled = model.departments[model.kind == POOLED]
    if len(pooled):
        notes.append(
            f"{len(pooled):,} departments share the coefficients of one model, with an intercept each, for fewer than "
            f"{model.min_events:,} events or records without the event, or to fill that pool: {_some(pooled.tolist())}"
        )
    named = [
        (POOLED if model.kind[members[0]] == POOLED else str(model.departments[members[0]]), fit)
        for fit, members in zip(model.fits, model.members, strict=True)
    ]
    for reason in sorted({fit.penalty for _, fit in named if fit.penalty}):
        penalised = [name for name, fit in named if fit.penalty == reason]
        notes.append(
            f"{len(penalised):,} {'model is' if len(penalised) == 1 else 'models are'} penalised (log-F(1, 1) prior on "
            f"every coefficient but the intercepts), for {reason}: {_some(penalised)}"
        )
    aliased = {
        f"{model.factors[k].column} = {model.factors[k].labels[level]}"
        for _, fit in named
        for k, level in fit.aliased
    }
    if aliased:
        notes.append(f"no coefficient, for other columns determine these levels: {_some(sorted(aliased))}")
    if model.missing == "level":
        gaps = [
            factor.column
            for k, factor in enumerate(model.factors)
            if any(fit.records[k][factor.missing] for fit in model.fits)
        ]
        if gaps:
            notes.append(f"missing values are a level of their own: {_some(gaps)}")
    return notes


def _some(words: Sequence[Any]) -> str:
    """The first few, and how many more there are."""
    shown = ", ".join(str(word) for word in words[:_LISTED])
    return f"{shown} and {len(words) - _LISTED:,} more" if len(words) > _LISTED else shown
