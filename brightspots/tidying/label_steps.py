"""Labels: blank, of two kinds, in several spellings, and those that read like totals."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

from brightspots import vocabulary as names
from brightspots.labels import joined, totals, twins
from brightspots.tidying.report import Finding
from brightspots.tidying.roles import Roles, present, row_word
from brightspots.tidying.step import QUOTED, Mask, Settled, Step, quoted, remedied
from brightspots.wording import counted, listed


def _blank(column: pd.Series) -> Mask:
    return np.array([pd.isna(value) or (isinstance(value, str) and not value.strip()) for value in column])


def _find_blank(frame: pd.DataFrame, roles: Roles) -> list[Finding]:
    found = []
    for part, column in present(frame, roles).items():
        blank = _blank(frame[column])
        if not blank.any():
            continue
        # Merged cells of a sheet: the label stands in the first of its rows only.
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


def _totals(frame: pd.DataFrame, roles: Roles) -> dict[str, list[str]]:
    words = {"trust": names.TRUST_TOTAL_WORDS, "department": names.TOTAL_WORDS}
    found = {}
    for part, column in present(frame, roles).items():
        if part in words:
            labels = totals(frame[column].dropna().unique(), words[part])
            if labels:
                found[column] = labels
    return found


def _find_totals(frame: pd.DataFrame, roles: Roles) -> list[Finding]:
    return [
        remedied(
            "totals", "doubt",
            f"{quoted(labels)} {'reads' if len(labels) == 1 else 'read'} like the sum of the others: left in, every "
            "event counts twice.",
            frame, column=column, bad=frame[column].isin(labels).to_numpy(),
        )
        for column, labels in _totals(frame, roles).items()
    ]  # fmt: skip


def _settle_totals(frame: pd.DataFrame, roles: Roles, _: str | None) -> Settled:
    found = _totals(frame, roles)
    bad = np.zeros(len(frame), dtype=bool)
    for column, labels in found.items():
        bad |= frame[column].isin(labels).to_numpy()
    if not bad.any():
        return frame, ""
    labels = [label for each in found.values() for label in each]
    return frame[~bad], f"Left out {counted(int(bad.sum()), 'row')} of totals ({quoted(labels)})."


BLANK: Final = Step("blank labels", _find_blank, _settle_blank)
LABEL_STEPS: Final = (
    Step("label kinds", _find_kinds, _settle_kinds),
    Step("twins", _find_twins, _settle_twins),
    Step("totals", _find_totals, _settle_totals),
)
