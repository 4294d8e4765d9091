"""Damage to a published file, and what may come of it.

What is noticeable. A reader sees only what is written. It must notice, by an error or by notes that differ, every
row that is lost or there twice, every value that has turned into something of another kind (a number into text or
nothing), every rate that its own parts contradict, every sum that no longer adds up. It cannot notice a digit that has
become another digit, or a letter another letter, where nothing else in the file depends on it: such a file is a
correct file about something else. Even then, rows whose own lines are intact must come out as they were.
"""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import hypothesis
import pandas as pd
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from brightspots.common.errors import DataError, DataWarning

MEASURED = ("observed", "observed_lower", "observed_upper", "expected", "denominator", "rating")
KEYS = ("trust", "department", "period")

Rows = list[tuple[str, ...]]


# What may come of a damaged file, and what must not.
REFUSED, SAID, ALIKE = "clear error", "said", "alike"
ACCEPTABLE = (REFUSED, SAID, ALIKE)
RAW, SILENT = "raw exception", "silent loss"

Reader = Callable[[Any], pd.DataFrame]


def run(
    reader: Reader, content: bytes, *, trials: int, seed: int, failures: list[str] | None = None
) -> Counter[str]:
    """Damage a good file in many ways, and count what comes of it.

    Parameters
    ----------
    reader : callable
        Takes an open binary file.
    content : bytes
        The good file; see `tests.readers.publications.GOOD_FILES`.
    trials, seed : int
    failures : list of str, optional
        Gets a description of each trial that came to `RAW` or `SILENT`.

    Returns
    -------
    Counter
        `REFUSED` (a `DataError`), `SAID` (notes differ), `ALIKE` (the same table, or one in which nothing can be
        noticed); and, which must not be, `RAW` (another exception) and `SILENT` (something is lost, and no word of it).
    """
    good = read_or_refuse(reader, content)
    outcomes: Counter[str] = Counter()

    @hypothesis.seed(seed)
    @settings(
        max_examples=trials,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(damaged=damage(content))
    def count(damaged: Damaged) -> None:
        came, why = outcome(reader, content, good, damaged)
        outcomes[came] += 1
        if failures is not None and why:
            failures.append(f"{came}:{damaged.told}: {why}")

    count()
    return outcomes


def outcome(reader: Reader, content: bytes, good: pd.DataFrame | None, damaged: Damaged) -> tuple[str, str]:
    """Say what comes of one damaged file, and where it must not, why."""
    try:
        got = read_or_refuse(reader, damaged.content)
    except Exception as raw:  # noqa: BLE001 (any other exception is what is looked for)
        return RAW, repr(raw)
    if got is None:
        return (SILENT, "refused though whole") if damaged.harmless else (REFUSED, "")
    if good is None:
        return SILENT, "read though the good file is not"
    try:
        check(good, got, content, damaged)
    except AssertionError as loss:
        return SILENT, str(loss)
    return (SAID if got.attrs["notes"] != good.attrs["notes"] else ALIKE), ""


def read_or_refuse(reader: Reader, content: bytes) -> pd.DataFrame | None:
    """The table, or None where the file is refused; any other exception goes through."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        try:
            return reader(io.BytesIO(content))
        except DataError:
            return None


@dataclass(frozen=True)
class Damaged:
    """Bytes of a damaged file, and whether all of its rows are still there with their values (in any order)."""

    content: bytes
    harmless: bool
    told: str

    def __repr__(self) -> str:
        return f"Damaged({self.told})"


@st.composite
def damage(draw: st.DrawFn, content: bytes) -> Damaged:
    """One to three kinds of damage, one after another."""
    result = Damaged(content, True, "")
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(sorted(_KINDS)))
        result = draw(_KINDS[kind](result))
    return result


@st.composite
def _cut(draw: st.DrawFn, file: Damaged) -> Damaged:
    end = draw(st.integers(0, len(file.content)))
    return Damaged(
        file.content[:end], file.harmless and end == len(file.content), f"{file.told} cut at {end}"
    )


@st.composite
def _flip(draw: st.DrawFn, file: Damaged) -> Damaged:
    content = bytearray(file.content)
    for _ in range(draw(st.integers(1, 3))):
        if content:
            at = draw(st.integers(0, len(content) - 1))
            # Half of the time a character that means something in such files.
            content[at] = draw(st.one_of(st.integers(0, 255), st.sampled_from(b'0123456789,".*-\r\n ;ORovA')))
    return Damaged(bytes(content), False, f"{file.told} flipped")


@st.composite
def _insert(draw: st.DrawFn, file: Damaged) -> Damaged:
    at = draw(st.integers(0, len(file.content)))
    new = draw(
        st.one_of(
            st.binary(min_size=1, max_size=4),
            st.sampled_from([b",", b'"', b"\r\n", b"\n", b"0", b"\xef\xbb\xbf"]),
        )
    )
    return Damaged(
        file.content[:at] + new + file.content[at:], False, f"{file.told} inserted {new!r} at {at}"
    )


@st.composite
def _remove(draw: st.DrawFn, file: Damaged) -> Damaged:
    at = draw(st.integers(0, len(file.content)))
    length = draw(st.integers(1, 12))
    return Damaged(
        file.content[:at] + file.content[at + length :], False, f"{file.told} removed {length} at {at}"
    )


@st.composite
def _shuffle_columns(draw: st.DrawFn, file: Damaged) -> Damaged:
    rows = parse(file.content)
    if rows is None or len({len(row) for row in rows}) != 1:
        return file
    order = draw(st.permutations(range(len(rows[0]))))
    return Damaged(_write([[row[at] for at in order] for row in rows]), file.harmless, f"{file.told} columns")


@st.composite
def _shuffle_rows(draw: st.DrawFn, file: Damaged) -> Damaged:
    rows = parse(file.content)
    if rows is None:
        return file
    body = draw(st.permutations(rows[1:]))
    # A line below the table that comes into it is no row of it.
    whole = all(sum(bool(value.strip()) for value in row) > 1 for row in body)
    return Damaged(_write([rows[0], *body]), file.harmless and whole, f"{file.told} rows")


@st.composite
def _repeat_row(draw: st.DrawFn, file: Damaged) -> Damaged:
    rows = parse(file.content)
    if rows is None or len(rows) < 2:
        return file
    row = draw(st.sampled_from(rows[1:]))
    at = draw(st.integers(1, len(rows)))
    return Damaged(_write([*rows[:at], row, *rows[at:]]), False, f"{file.told} repeated {row}")


@st.composite
def _drop_row(draw: st.DrawFn, file: Damaged) -> Damaged:
    rows = parse(file.content)
    if rows is None or len(rows) < 2:
        return file
    at = draw(st.integers(1, len(rows) - 1))
    return Damaged(_write(rows[:at] + rows[at + 1 :]), False, f"{file.told} dropped {rows[at]}")


@st.composite
def _encode(draw: st.DrawFn, file: Damaged) -> Damaged:
    encoding = draw(
        st.sampled_from(
            ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "cp037", "mac-roman"]
        )
    )
    try:
        content = file.content.decode("utf-8").encode(encoding)
    except UnicodeError:
        return file
    once = b"\0" not in file.content and not file.content.startswith(b"\xef\xbb\xbf")
    known = encoding.startswith("utf") or (file.content.isascii() and encoding != "cp037")
    return Damaged(content, file.harmless and known and once, f"{file.told} as {encoding}")


_KINDS = {
    "cut": _cut, "flip": _flip, "insert": _insert, "remove": _remove, "columns": _shuffle_columns,
    "rows": _shuffle_rows, "repeat": _repeat_row, "drop": _drop_row, "encode": _encode,
}  # fmt: skip


def parse(content: bytes) -> Rows | None:
    """Rows of a file as a lenient program would see them; None where there is no text or no row."""
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content[:4]
    for encoding in ("utf-32", "utf-16", "utf-16-le", "utf-16-be") if wide else ("utf-8-sig", "cp1252"):
        try:
            text = content.decode(encoding)
            if "\0" in text[:8] or (wide and not text[:8].isascii()):
                continue
            rows = [
                tuple(row) for row in csv.reader(io.StringIO(text, newline="")) if any(v.strip() for v in row)
            ]
        except (UnicodeError, csv.Error):
            continue
        return _from_header(rows) or None
    return None


def _from_header(rows: Rows) -> Rows:
    """Leave out cover rows, which fill hardly a cell where a header fills many."""
    header = next((at for at, row in enumerate(rows) if sum(bool(value.strip()) for value in row) > 2), 0)
    return rows[header:]


def _write(rows: list) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


def check(good: pd.DataFrame, got: pd.DataFrame, original: bytes, damaged: Damaged) -> None:
    """Assert that a table read from a damaged file is right, or that its notes say what differs.

    Parameters
    ----------
    good, got : pandas.DataFrame
        Read from the undamaged and from the damaged file.
    """
    if got.equals(good):
        return
    assert not damaged.harmless, f"nothing was lost, and the table differs:{damaged.told}\n{got}"
    before, after = _records(original), _records(damaged.content)
    said = got.attrs["notes"] != good.attrs["notes"]
    ignored = {column for column in before[0] if not any(record[column] for record in before)}
    alike = len(before) == len(after) and _like_for_like(before, after, ignored)
    # A row that differs has lost nothing and nothing can be seen, or it is said.
    assert said or alike, f"nothing is said:{damaged.told}\n{got}\n{got.attrs['notes']}"
    _check_intact_rows(good, got, before, after, said, damaged)


def _records(content: bytes) -> list[dict[str, str]]:
    rows = parse(content) or [()]
    header = [re.sub(r"[^0-9a-z]+", " ", name.casefold()).strip() for name in rows[0]]
    return [dict(zip(header, (value.strip() for value in row), strict=False)) for row in rows[1:]]


def _kind(column: str, value: str) -> str:
    if "name" in column or "county" in column or "region" in column:
        return "label"
    if {"id", "code", "provider"} & set(column.split()):
        return "code" if value else "nothing"
    if re.fullmatch(r"[+-]?[0-9][0-9,]*(\.[0-9]*)?|\.[0-9]+", value):
        return "number"
    return "nothing" if value.lower() in ("", ".", "-", "n/a", "na", "null", "not available", "*") else "text"


def _like_for_like(before: list[dict[str, str]], after: list[dict[str, str]], ignored: set[str]) -> bool:
    """Whether records differ only by values of the same kind, each set against the one most like it.

    Columns that are blank throughout are none that a reader reads.
    """
    gone, new = _unmatched(before, after), _unmatched(after, before)
    for record in gone:
        if not new:
            return False
        twin = max(new, key=lambda other: sum(record.get(k) == v for k, v in other.items()))
        new.remove(twin)
        changed = [c for c in record if c in twin and c not in ignored and record[c] != twin[c]]
        if any(_kind(column, record[column]) != _kind(column, twin[column]) for column in changed):
            return False
    return True


def _unmatched(some: list[dict[str, str]], others: list[dict[str, str]]) -> list[dict[str, str]]:
    left = Counter(frozenset(record.items()) for record in others)
    result = []
    for record in some:
        key = frozenset(record.items())
        if left[key]:
            left[key] -= 1
        else:
            result.append(record)
    return result


def _check_intact_rows(
    good: pd.DataFrame, got: pd.DataFrame, before: list, after: list, said: bool, damaged: Damaged
) -> None:
    """Rows of trusts whose records are all intact, in the header too, are as they were, or their absence is said."""
    if before and after and set(before[0]) != set(after[0]):
        return
    touched = {
        value.upper().zfill(6)
        for record in _unmatched(before, after) + _unmatched(after, before)
        for value in record.values()
    }
    keys = [key for key in KEYS if key in good and key in got]
    columns = [column for column in MEASURED if column in good and column in got]
    found = got.set_index(keys)[columns]
    for key, row in good.set_index(keys)[columns].iterrows():
        trust = key if isinstance(key, str) else key[0]
        if trust.zfill(6) in touched:
            continue
        if key not in found.index:
            assert said, f"{key} is lost in silence:{damaged.told}"
            continue
        now = found.loc[key]
        assert all(
            str(a) == str(b) or (pd.isna(a) and pd.isna(b)) or a == b for a, b in zip(row, now, strict=True)
        ), f"{key} has changed though its lines have not:{damaged.told}\n{row}\n{now}"
