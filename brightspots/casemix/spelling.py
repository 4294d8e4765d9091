"""Join or refuse several spellings of one label in patient records of any engine."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any, Final

import narwhals as nw

from brightspots.casemix.intake import PERIOD, TRUST, TYPE, Roles
from brightspots.casemix.records import Records, beside, collect
from brightspots.common.errors import DataError
from brightspots.data.keys import controls_problem, tidying_text, twins_problem
from brightspots.data.labels import has_control, joined, twins

_GIVEN, _SPELT, _RECORDS = "given_label", "spelt_label", "n"
_PARTS: Final = {TRUST: "trust", TYPE: "department", PERIOD: "period"}


def with_one_spelling(
    records: Records, roles: Roles, *, tidy: bool
) -> tuple[Records, tuple[str, ...], tuple[str, ...]]:
    """Join the spellings of each label.

    Returns the records, sentences that count what was joined (for notes), and sentences that name the labels (for
    warnings).

    Parameters
    ----------
    records : Records
        From `intake.prepare`, so that their columns have our names; at least one record.
    roles : Roles
    tidy : bool
        Join labels that differ only by capitals, white space or invisible characters.

    Raises
    ------
    DataError
        Where there are such labels, or some with control characters, and they are not to be tidied.
    """
    keys = dict(zip((TRUST, TYPE, PERIOD), roles.keys, strict=False))
    cells = collect(records.frame.group_by(list(keys)).agg(nw.len().alias(_RECORDS)))
    sizes = cells[_RECORDS].to_list()
    notes: list[str] = []
    said: list[str] = []
    for key, column in keys.items():
        rows: Counter[str] = Counter()
        for label, size in zip(cells[key].to_list(), sizes, strict=True):
            if isinstance(label, str):
                rows[label] += int(size)
        if not tidy:
            _refuse(rows, column, _PARTS[key])
            continue
        kept = joined(rows)
        if any(label != spelling for label, spelling in kept.items()):
            found = tidying_text(kept, rows, _PARTS[key], column, counted="record")
            notes += found[0]
            said += found[1]
            records = _spelt(records, key, kept)
    return records, tuple(notes), tuple(said)


def _refuse(rows: Counter[str], column: str, part: str) -> None:
    held = [label for label in rows if has_control(label)]
    if held:
        raise DataError(column=column, **controls_problem(held))
    groups = twins(rows)
    if groups:
        raise DataError(column=column, **twins_problem(groups, rows, part, counted="record"))


def _spelt(records: Records, key: str, kept: dict[str, str]) -> Records:
    """Records with each label of one key replaced by `kept[label]`, by a join in the engine that holds them."""
    table = {_GIVEN: list(kept), _SPELT: list(kept.values())}

    def exchanged(frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        columns = frame.collect_schema().names()
        met = frame.join(beside(records.frame, table), left_on=key, right_on=_GIVEN, how="inner")
        return met.select(
            *(nw.col(_SPELT).alias(key) if column == key else nw.col(column) for column in columns)
        )

    return replace(
        records, frame=exchanged(records.frame), parts=tuple(exchanged(part) for part in records.parts)
    )
