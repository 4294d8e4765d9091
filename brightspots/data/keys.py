"""Read columns of labels (trusts, departments, periods, outcomes) and check their kinds and spellings."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.arrays import IntArray, LabelArray
from brightspots.common.errors import DataError
from brightspots.data.labels import canonical_label, has_control, joined, tidy_label, twins
from brightspots.data.numbers import Source, check_rows
from brightspots.data.period_order import OrderedPeriods, declared_order, order_periods

# How many groups of spellings a message lists, and how many labels of each.
_SHOWN_GROUPS: Final = 10
_SHOWN_SPELLINGS: Final = 4
# Kinds of label by their types in Python, NumPy and pandas. Periods may be dates and times as well.
_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "text": (str,),
    "true and false": (bool, np.bool_),
    "numbers": (int, float, np.integer, np.floating),
}
_KINDS_OF_PERIOD: Final[Mapping[str, tuple[type, ...]]] = {
    **_KINDS,
    "numbers": (*_KINDS["numbers"], Decimal),
    "dates": (date, np.datetime64),
    "pandas periods": (pd.Period,),
    "times": (timedelta, np.timedelta64),
}


@dataclass(frozen=True, eq=False)
class KeyColumn:
    """Labels of a key column in order, and the code of each row.

    Parameters
    ----------
    labels : array (L,)
        Sorted; periods in the order of time where it is known.
    codes : int array (R,)
        Position of each row's label in `labels`.
    period_order : PeriodOrder
        How the order of periods in time is known.
    notes, warnings : tuple of str
        What tidying did. Notes only count, for the notes of the table; warnings name the labels.
    """

    labels: LabelArray
    codes: IntArray
    period_order: names.PeriodOrder = "unknown"
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def rows(self, keep: npt.NDArray[np.bool_]) -> tuple[KeyColumn, LabelArray]:
        """The key of the rows where `keep` is true, and the labels that none of them has."""
        used, codes = np.unique(self.codes[keep], return_inverse=True)
        return (
            replace(self, labels=self.labels[used], codes=codes.astype(np.int64)),
            np.delete(self.labels, used),
        )


def key_column(source: Source, column: str, part: str, *, tidy: bool = False) -> KeyColumn:
    """Read the labels of trusts, departments, periods or outcomes.

    Parameters
    ----------
    source : Source
    column : str
    part : {"trust", "department", "period", "outcome"}
    tidy : bool, default False
        Replace each label by its `tidy_label`, and join those that differ only by capitals as well.

    Raises
    ------
    DataError
        Where a label is missing, blank or of a kind that cannot be one, or where text and numbers are mixed; without
        `tidy` also where a label holds control characters, or two labels are spellings of one.
    """
    values = np.asarray(source.values(column))
    if values.dtype.kind in "OU":
        values = values.astype(object)
    _check_kinds(source, column, part, values)
    # Labels are few and rows may be millions: look at each label once.
    codes, found = pd.factorize(values)
    labels = np.asarray(found)
    blank = np.array([isinstance(label, str) and not tidy_label(label) for label in labels], dtype=bool)
    missing = (codes < 0) | np.append(blank, False)[codes]
    check_rows(
        source,
        column,
        missing,
        f"a {part} is missing or blank",
        expected=f"a {part} in every row",
        action="name it or drop the row",
    )
    spelt = _spelling(source, column, part, labels, codes, tidy=tidy)
    if spelt.kept is not None:
        place, found = pd.factorize(np.array([spelt.kept[str(label)] for label in labels], dtype=object))
        labels, codes = np.asarray(found, dtype=object), place[codes].astype(np.int64)
    ordered = _in_order(source, column, part, labels, spelt.kept or {})
    rank = np.argsort(ordered.order)
    return KeyColumn(
        _plain(labels[ordered.order]), rank[codes], ordered.known_by, spelt.notes, spelt.warnings
    )


@dataclass(frozen=True, eq=False)
class Spelling:
    """The spelling that each label of a column becomes.

    Parameters
    ----------
    kept : mapping of str to str, or None
        Label to spelling; None where every label stays as it is.
    notes, warnings : tuple of str
        As in `KeyColumn`.
    """

    kept: Mapping[str, str] | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def of(self, column: pd.Series[Any]) -> pd.Series[Any]:
        """A column in this spelling; categories keep the order that they declare."""
        kept = self.kept or {}

        def spell(value: Any) -> Any:
            return kept.get(value, value) if isinstance(value, str) else value

        if isinstance(column.dtype, pd.CategoricalDtype):
            categories = list(dict.fromkeys(spell(each) for each in column.cat.categories))
            values = pd.Categorical(
                [spell(value) for value in column], categories, ordered=column.cat.ordered
            )
            return pd.Series(values, index=column.index, name=column.name)
        return column.map(spell).astype(column.dtype)


def one_spelling(source: Source, column: str, part: str, *, tidy: bool) -> Spelling:
    """The spelling of the labels of a column; missing labels, and those that are not text, stay as they are.

    Raises
    ------
    DataError
        Where labels are spellings of one or hold control characters, and are not to be tidied.
    """
    values = np.asarray(source.values(column)).astype(object)
    text = np.array([isinstance(value, str) for value in values], dtype=bool)
    codes, labels = pd.factorize(values[text])
    return _spelling(source.rows(text), column, part, np.asarray(labels, dtype=object), codes, tidy=tidy)


def _spelling(
    source: Source, column: str, part: str, labels: LabelArray, codes: IntArray, *, tidy: bool
) -> Spelling:
    """As `one_spelling`, given the labels (L,) and the code of each row (R,)."""
    if not len(labels) or not isinstance(labels[0], str):
        return Spelling()
    if not tidy:
        _refuse_controls(source, column, labels, codes)
        _refuse_twins(source, column, part, labels, codes)
        return Spelling()
    rows = dict(zip(map(str, labels), np.bincount(codes, minlength=len(labels)).tolist(), strict=True))
    kept = joined(rows)
    if all(label == spelling for label, spelling in kept.items()):
        return Spelling()
    return Spelling(kept, *tidying_text(kept, rows, part, column))


def _check_kinds(source: Source, column: str, part: str, values: npt.NDArray[Any]) -> None:
    """Refuse values that cannot be labels, and labels of several kinds in one column."""
    kinds = _KINDS_OF_PERIOD if part == "period" else _KINDS
    if values.dtype.kind != "O":
        if values.dtype.kind in "Mm" and "dates" not in kinds:
            _refuse_kind(source, column, part, np.ones(len(values), dtype=bool), values)
        return
    kind_of = {each: _kind_of(each, kinds) for each in set(map(type, values))}
    if set(kind_of.values()) == {"text"}:  # by far the most frequent, and rows may be millions
        return
    kind = np.array([kind_of[type(value)] for value in values], dtype=object)
    no_label = kind == ""
    no_label[no_label] = [not _is_missing(value) for value in values[no_label]]
    _refuse_kind(source, column, part, no_label, values)
    kind[np.array([_is_missing(value) for value in values], dtype=bool)] = ""
    present, rows = np.unique(kind[kind != ""].astype(str), return_counts=True)
    if len(present) > 1:
        # The error names the rows of the rarest kind, which more likely hold the mistake.
        fewest = present[np.argmin(rows)]
        named = " and ".join(sorted(present, key=lambda each: each != "text"))
        check_rows(
            source,
            column,
            kind == fewest,
            f"{named} are mixed",
            expected="labels of one kind",
            action=f"convert the column to text, so that 1 and '1' cannot be two different {part}s",
        )


def _kind_of(python: type, kinds: Mapping[str, tuple[type, ...]]) -> str:
    return next((kind for kind, types in kinds.items() if issubclass(python, types)), "")


def _is_missing(value: object) -> bool:
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    return isinstance(value, float | np.floating | np.datetime64 | np.timedelta64) and bool(pd.isna(value))


def _refuse_kind(
    source: Source, column: str, part: str, bad: npt.NDArray[np.bool_], values: npt.NDArray[Any]
) -> None:
    if bad.any():
        what = sorted({type(value).__name__ for value in values[bad]})
        check_rows(
            source,
            column,
            bad,
            f"a {part} cannot be a value of this kind ({', '.join(what)})",
            expected="text or numbers" if part != "period" else "text, numbers or dates",
            action="convert the column to text",
        )


def _in_order(
    source: Source, column: str, part: str, labels: LabelArray, kept: Mapping[str, str]
) -> OrderedPeriods:
    try:
        if part == "period":
            declared = declared_order(source.frame[column].to_native())
            if declared is not None:
                declared = list(dict.fromkeys(kept.get(label, label) for label in declared))
            return order_periods(labels, declared)
        return OrderedPeriods(np.argsort(labels, kind="stable"), "unknown")
    except (TypeError, ValueError):
        kinds = ", ".join(sorted({type(label).__name__ for label in labels}))
        raise DataError(
            f"labels of kinds that cannot be ordered together: {kinds}",
            column=column,
            expected="labels of one kind",
            action="convert the column to text",
        ) from None


def _plain(labels: LabelArray) -> LabelArray:
    """Numbers and dates among objects as arrays of their own kind; other labels as they are."""
    if labels.dtype.kind != "O" or not len(labels) or isinstance(labels[0], str | pd.Period):
        return labels
    if all(isinstance(label, bool | np.bool_) for label in labels):
        return labels.astype(bool)
    if all(isinstance(label, int | np.integer) for label in labels):
        within = all(-(2**63) <= int(label) < 2**63 for label in labels)
        return labels.astype(np.int64) if within else np.array([str(label) for label in labels], dtype=object)
    if all(isinstance(label, int | float | np.integer | np.floating | Decimal) for label in labels):
        return labels.astype(np.float64)
    if all(isinstance(label, datetime) for label in labels):
        # Time zones are dropped and local times kept, so that a month still begins at midnight.
        plain = pd.DatetimeIndex([pd.Timestamp(label).tz_localize(None) for label in labels])
        return plain.to_numpy() if plain.is_unique else labels
    if all(isinstance(label, timedelta) for label in labels):
        return pd.TimedeltaIndex(labels).to_numpy()
    return labels


def _refuse_controls(source: Source, column: str, labels: LabelArray, codes: IntArray) -> None:
    bad = np.array([has_control(label) for label in labels], dtype=bool)
    if bad.any():
        check_rows(source, column, bad[codes], **controls_problem([str(label) for label in labels[bad]]))


def _refuse_twins(source: Source, column: str, part: str, labels: LabelArray, codes: IntArray) -> None:
    groups = twins(labels)
    if not groups:
        return
    rows = dict(zip(map(str, labels), np.bincount(codes, minlength=len(labels)).tolist(), strict=True))
    spare = {label for group in groups for label in group if label != max(group, key=rows.__getitem__)}
    bad = np.array([label in spare for label in labels], dtype=bool)[codes]
    check_rows(source, column, bad, **twins_problem(groups, rows, part))


def controls_problem(labels: Sequence[str]) -> dict[str, str]:
    """Arguments of a `DataError` on labels with control characters."""
    return {
        "problem": f"labels hold control characters ({_quoted(labels)})",
        "expected": "printable labels",
        "action": "pass tidy_labels=True to take them out, or read the file with the encoding it was written in",
    }


def twins_problem(
    groups: Sequence[Sequence[str]], rows: Mapping[str, int], part: str, *, counted: str = "row"
) -> dict[str, str]:
    """Arguments of a `DataError` on labels that are spellings of one unit.

    Parameters
    ----------
    groups : sequence of sequence of str
        Labels of one unit each (`labels.twins`).
    rows, part, counted
        As in `tidying_text`.
    """
    return {
        "problem": f"{spelt_differently(groups, rows, counted)} differ only by capitals, white space or invisible "
        "characters",
        "expected": f"one spelling of each {part}",
        "action": f"pass tidy_labels=True to join them, or give what are different {part}s different names",
    }


def tidying_text(
    kept: Mapping[str, str], rows: Mapping[str, int], part: str, column: str, *, counted: str = "row"
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What was joined and tidied: sentences that count, for notes, and sentences that name labels, for warnings.

    Parameters
    ----------
    kept : mapping of str to str
        Label to the spelling that it becomes.
    rows : mapping of str to int
        Rows of each label.
    part, column : str
    counted : {"row", "record"}
        What `rows` counts.
    """
    groups = twins(kept)
    spellings = sum(map(len, groups))
    notes, said = [], []
    if groups:
        notes.append(
            f"Joined {spellings:,} spellings of {len(groups):,} {part}{'s' if len(groups) > 1 else ''} that differ "
            "only by capitals, white space or invisible characters."
        )
        said.append(
            f"column {column!r}: joined {spelt_differently(groups, rows, counted)}, which differ only by capitals, "
            "white space or invisible characters"
        )
    alone = {label for group in groups for label in group}
    tidied = sum(label != spelling for label, spelling in kept.items() if label not in alone)
    if tidied:
        notes.append(
            f"Tidied {tidied:,} label{'s' if tidied > 1 else ''} of {part}s (white space, invisible characters, "
            "Unicode form)."
        )
    return tuple(notes), tuple(said)


def spelt_differently(groups: Sequence[Sequence[str]], rows: Mapping[str, int], counted: str = "row") -> str:
    """List groups of spellings with the number of rows of each, in each group the commonest spelling first."""
    told = [_group(group, rows, counted) for group in groups[:_SHOWN_GROUPS]]
    hidden = len(groups) - len(told)
    if hidden:
        told.append(f"{hidden:,} more group{'s' if hidden > 1 else ''}")
    return "; ".join(told)


def _group(group: Sequence[str], rows: Mapping[str, int], counted: str) -> str:
    ordered = sorted(group, key=lambda label: (-rows[label], label))
    quote = _quoting(ordered)
    shown = [
        f"{quote(label)} ({rows[label]:,} {counted}{'s' if rows[label] != 1 else ''})"
        for label in ordered[:_SHOWN_SPELLINGS]
    ]
    hidden = len(ordered) - len(shown)
    if hidden:
        shown.append(f"{hidden:,} more")
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


def _quoting(labels: Iterable[str]) -> Any:
    """A function that quotes labels: by `repr`, or by `ascii` (with escapes) where some would look alike."""
    seen = [unicodedata.normalize("NFC", _short(repr(label))) for label in labels]
    return (lambda label: _short(repr(label))) if len(set(seen)) == len(seen) else ascii


def _quoted(labels: Sequence[str]) -> str:
    return ", ".join([*(_short(repr(label)) for label in labels[:3]), *(["…"] if len(labels) > 3 else [])])


def _short(text: str, most: int = 80) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def matching_labels(given: Iterable[Any]) -> list[Any]:
    """Labels for matching regardless of spelling: `canonical_label` of text, anything else as it is."""
    return [canonical_label(label) if isinstance(label, str) else label for label in given]
