"""Steps for labels: blank ones, labels of two kinds, several spellings of one, and totals."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.wording import counted, listed, quoted
from brightspots.data.counts import Counts
from brightspots.data.labels import joined, twins
from brightspots.data.total_rows import TotalRows, total_rows
from brightspots.tidying.report import Finding
from brightspots.tidying.roles import Roles, numbers_of, present, row_word
from brightspots.tidying.step import QUOTED, Mask, Settled, Step, remedied


def _blank(column: pd.Series) -> Mask:
    return np.array([pd.isna(value) or (isinstance(value, str) and not value.strip()) for value in column])


def _find_blank(frame: pd.DataFrame, roles: Roles) -> list[Finding]:
    found = []
    for part, column in present(frame, roles).items():
        blank = _blank(frame[column])
        if not blank.any():
            continue
        # Cells that were merged in a sheet have their label in the first row only.
        text = f"In {counted(int(blank.sum()), 'row')} the {part} is blank."
        if part == "trust" and not blank[0]:
            text += " If it stands once for the rows that follow, it can be filled down; else name it, or drop the row."
            found.append(remedied("blank labels", "error", text, frame, bad=blank, column=column))
        else:
            rows = tuple(frame.index[blank].tolist())
            text += " Name it, or drop the row."
            found.append(Finding("blank labels", "error", text, column, rows, row_word(frame)))
    return found


def _settle_blank(frame: pd.DataFrame, roles: Roles, _: str | None) -> Settled:
    column = roles.columns.trust
    blank = _blank(frame[column]) if column in frame else np.zeros(len(frame), dtype=bool)
    if not blank.any() or blank[0]:
        return frame, ""
    filled = frame[column].astype(object).mask(blank).ffill()
    said = f"Filled in {counted(int(blank.sum()), 'blank label')} of {column!r} from the row above."
    return frame.assign(**{column: filled}), said


def _mixed(column: pd.Series) -> bool:
    is_text = {isinstance(value, str) for value in column.dropna().unique()}
    return len(is_text) > 1


def _find_kinds(frame: pd.DataFrame, roles: Roles) -> list[Finding]:
    return [
        remedied(
            "label kinds", "error",
            f"Labels are partly text and partly numbers, so that 1 and '1' could be two {part}s.", frame, column=column,
        )
        for part, column in present(frame, roles).items()
        if _mixed(frame[column])
    ]  # fmt: skip


def _settle_kinds(frame: pd.DataFrame, roles: Roles, _: str | None) -> Settled:
    mixed = [column for column in present(frame, roles).values() if _mixed(frame[column])]
    if not mixed:
        return frame, ""

    def as_text(value: Any) -> Any:
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)

    text = {column: frame[column].map(as_text, na_action="ignore") for column in mixed}
    return frame.assign(**text), f"Labels of {listed([repr(column) for column in mixed])} are text now."


def _label_counts(column: pd.Series) -> dict[str, int]:
    counts = column.value_counts(sort=False)
    return {str(label): int(n) for label, n in counts.items() if isinstance(label, str)}


def _find_twins(frame: pd.DataFrame, roles: Roles) -> list[Finding]:
    found = []
    for part, column in present(frame, roles).items():
        groups = twins(_label_counts(frame[column]))
        if not groups:
            continue
        told = "; ".join(" = ".join(map(repr, group)) for group in groups[:QUOTED])
        more = f"; and {len(groups) - QUOTED:,} more" if len(groups) > QUOTED else ""
        text = (
            f"{counted(len(groups), part)} {'is' if len(groups) == 1 else 'are'} written in several ways, which differ "
            f"only by capitals, white space or characters that are not seen: {told}{more}."
        )
        spelt = {label for group in groups for label in group}
        bad = frame[column].isin(spelt).to_numpy()
        found.append(
            remedied(
                "twins", "error", text, frame, bad=bad, column=column,
                in_python='tidy_labels=True, or bs.tidy(data, report, ["twins"])', in_shell="--tidy-labels",
            )
        )  # fmt: skip
    return found


def _settle_twins(frame: pd.DataFrame, roles: Roles, _: str | None) -> Settled:
    said = []
    for part, column in present(frame, roles).items():
        counts = _label_counts(frame[column])
        groups = twins(counts)
        if not groups:
            continue
        kept = joined(counts)
        frame = frame.assign(**{column: frame[column].map(lambda label, kept=kept: kept.get(label, label))})
        spellings = sum(map(len, groups))
        said.append(
            f"Joined {spellings:,} spellings in {column!r} to {counted(len(groups), part)} "
            "(they differed only by capitals, white space or characters that are not seen)."
        )
    return frame, " ".join(said)


def _totals(frame: pd.DataFrame, roles: Roles) -> dict[str, TotalRows]:
    """Column to its labels that are totals of the others."""
    words = {"trust": names.TRUST_TOTAL_WORDS, "department": names.TOTAL_WORDS}
    keys = present(frame, roles)
    found = {}
    for part, column in keys.items():
        if part not in words:
            continue
        codes, labels = pd.factorize(frame[column].astype(object))
        rest = [other for other in keys.values() if other != column]
        places = np.zeros(len(frame), dtype=np.int64)
        if rest:
            places = np.asarray(frame.groupby(rest, observed=True, dropna=False).ngroup(), dtype=np.int64)
        counts = _counts(frame, roles)
        known = codes >= 0
        if counts is not None:
            known &= np.isfinite(counts.lower) & np.isfinite(counts.size)
            counts = counts.at_leaves(known)
        totals = total_rows(
            np.asarray(labels, dtype=object),
            codes[known].astype(np.int64),
            places[known],
            counts,
            words[part],
        )
        if totals.called or totals.equal:
            found[column] = totals
    return found


def _counts(frame: pd.DataFrame, roles: Roles) -> Counts | None:
    """Counts as intervals, with expected events or denominators; None for a table without them."""
    numbers = {part: values.to_numpy() for part, values in numbers_of(frame, roles).items()}
    size = numbers.get("denominator", numbers.get("expected"))
    nothing = np.full(len(frame), np.nan)
    observed = numbers.get("observed", nothing)
    bounds = (numbers.get(part, nothing) for part in ("observed_lower", "observed_upper"))
    lower, upper = (np.where(np.isnan(bound), observed, bound) for bound in bounds)
    return None if size is None or np.isnan(lower).all() else Counts(lower, upper, size, None)


def _find_totals(frame: pd.DataFrame, roles: Roles) -> list[Finding]:
    found = []
    for column, totals in _totals(frame, roles).items():
        said = [
            f"{quoted(list(labels), QUOTED)} {one if len(labels) == 1 else many} the sum of the others"
            for labels, one, many in (
                (totals.equal, "equals", "equal"),
                (totals.called, "reads like", "read like"),
            )
            if labels
        ]
        text = f"{'; '.join(said)}: left in, every event counts twice."
        bad = frame[column].isin([*totals.equal, *totals.called]).to_numpy()
        found.append(remedied("totals", "doubt", text, frame, column=column, bad=bad))
    return found


def _settle_totals(frame: pd.DataFrame, roles: Roles, _: str | None) -> Settled:
    labels, bad = [], np.zeros(len(frame), dtype=bool)
    for column, totals in _totals(frame, roles).items():
        named = [*totals.equal, *totals.called]
        bad |= frame[column].isin(named).to_numpy()
        labels += named
    if not bad.any():
        return frame, ""
    return frame[~bad], f"Left out {counted(int(bad.sum()), 'row')} of totals ({quoted(labels, QUOTED)})."


BLANK: Final = Step("blank labels", _find_blank, _settle_blank)
LABEL_STEPS: Final = (
    Step("label kinds", _find_kinds, _settle_kinds),
    Step("twins", _find_twins, _settle_twins),
    Step("totals", _find_totals, _settle_totals),
)
