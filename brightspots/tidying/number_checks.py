"""Findings on columns of numbers: missing columns, other values than numbers, and impossible numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from brightspots.common.errors import DataError, SettingsError
from brightspots.common.wording import counted, quoted
from brightspots.data.opening import open_source
from brightspots.data.options import ReadOptions
from brightspots.data.resolving import resolve_names
from brightspots.tidying.report import Finding
from brightspots.tidying.roles import COUNTS, Roles, column_of, numbers_of, row_word
from brightspots.tidying.step import QUOTED, Mask


def missing_columns(frame: pd.DataFrame, options: ReadOptions) -> list[Finding]:
    """Findings on columns that a fit needs and the frame lacks."""
    try:
        resolve_names(open_source(frame), options.columns, options.family)
    except (DataError, SettingsError) as error:
        return [
            Finding(
                "missing column", "error", f"{str(error)[:1].upper()}{str(error)[1:]}.",
                in_python='trust="…", department="…", observed="…", expected="…" (or denominator=, estimate=)',
                in_shell="--trust-column … --department-column … --observed … --expected … (or --denominator …)",
            )
        ]  # fmt: skip
    return []


def number_findings(frame: pd.DataFrame, roles: Roles) -> list[Finding]:
    """Findings on text among numbers, and on values that a count, denominator or standard error cannot have."""
    found = _not_numbers(frame, roles)
    numbers = {part: series.to_numpy() for part, series in numbers_of(frame, roles).items()}

    def add(code: str, part: str, bad: Mask, text: str) -> None:
        if bad.any():
            rows = tuple(frame.index[bad].tolist())
            found.append(
                Finding(
                    code,
                    "error",
                    f"{counted(len(rows), 'row')}: {text}",
                    column_of(frame, roles, part),
                    rows,
                    row_word(frame),
                )
            )

    for part, values in numbers.items():
        if part != "observed_upper":
            add("infinite numbers", part, np.isinf(values), "a number is infinite.")
        if part in COUNTS:
            add("negative counts", part, values < 0, "a count is negative; differences and scores are estimates, with "
                "standard errors.")  # fmt: skip
        if part in ("observed", "observed_lower", "observed_upper", "denominator"):
            whole = np.where(np.isfinite(values), values, 0.0)
            add("fractional counts", part, whole != np.floor(whole), "a count is fractional; rates and scores are "
                "estimates, with standard errors.")  # fmt: skip
    if "standard_error" in numbers:
        add(
            "no standard error",
            "standard_error",
            numbers["standard_error"] <= 0,
            "a standard error is zero or negative.",
        )
    events = np.fmax(
        numbers.get("observed", np.zeros(len(frame))), numbers.get("observed_lower", np.zeros(len(frame)))
    )
    for part, what in (("denominator", "people at risk"), ("expected", "expected events")):
        if part in numbers:
            add(
                "events without anybody",
                part,
                (numbers[part] == 0) & (events > 0),
                f"there are events, but no {what}.",
            )
    if "denominator" in numbers:
        people = numbers["denominator"]
        add("more events than people", "observed", (events > people) & (people > 0), "more events than people at "
            "risk; the two are not of the same people.")  # fmt: skip
        if "expected" in numbers:
            add("expected of everybody", "expected", (numbers["expected"] >= people) & (people > 0), "as many events "
                "are expected as there are people, or more.")  # fmt: skip
    return found


def _not_numbers(frame: pd.DataFrame, roles: Roles) -> list[Finding]:
    parts = ("estimate", "standard_error") if roles.of_estimates(frame) else COUNTS
    found = []
    for part in parts:
        column = column_of(frame, roles, part)
        if column is None or pd.api.types.is_numeric_dtype(frame[column]):
            continue
        values = frame[column]
        bad = (values.notna() & pd.to_numeric(values, errors="coerce").isna()).to_numpy()
        if not bad.any():  # dates, booleans: numbers to pandas
            bad = values.notna().to_numpy()
        examples = quoted(dict.fromkeys(values[bad].astype(str)), QUOTED)
        what = part.replace("_", " ")
        text = f"{counted(int(bad.sum()), 'row')} of {what} hold something else than numbers: {examples}."
        rows = tuple(frame.index[bad].tolist())
        found.append(Finding("not numbers", "error", text, column, rows, row_word(frame)))
    return found
