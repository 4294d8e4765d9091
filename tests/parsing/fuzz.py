"""Damage to table files, and what may come of it: a clear refusal, the same table, or something said.

A digit that has become another digit is a correct file about something else, which nobody can notice; but then rows
whose own lines are intact come out as they were.
"""

from __future__ import annotations

import io
import time
from collections import Counter

import numpy as np
import pandas as pd

from brightspots.common.errors import DataError, SettingsError
from brightspots.parsing import TableFile
from tests.parsing.dialects import KEYS, clean_table, random_dialect, read, written

_MEANT = np.frombuffer(b'0123456789,".;\t|*-<\r\n \x00\xef\xff', dtype=np.uint8)
SECONDS = 60.0


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """One to three kinds of damage: cut, changed, inserted, removed or doubled bytes."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(0, len(data) + 1))
        kind = rng.integers(0, 6)
        some = rng.choice(_MEANT, int(rng.integers(1, 4))).tobytes()
        if kind == 0:
            del data[at:]
        elif kind in (1, 2) and at < len(data):
            data[at] = int(rng.choice(_MEANT)) if kind == 1 else int(rng.integers(0, 256))
        elif kind == 3:
            data[at:at] = some
        elif kind == 4:
            del data[at : at + int(rng.integers(1, 40))]
        else:
            data[at:at] = data[at : at + int(rng.integers(1, 200))]
    return bytes(data)


def _rows(table: TableFile) -> Counter[tuple[object, ...]]:
    frame = table.frame.astype(object).where(table.frame.notna(), None)
    return Counter(
        tuple(None if value is None else value if isinstance(value, str) else float(value) for value in row)
        for row in frame.to_numpy()
    )


def outcome(before: TableFile, damage: bytes, name: str) -> str:
    """What comes of a damaged file: "refused", "equal", "said", "rows changed"; an error where rows are lost."""
    started = time.monotonic()
    try:
        after = read(damage, name, keys=KEYS)
    except (DataError, SettingsError) as refusal:
        named = str(refusal).startswith(name) or isinstance(refusal, SettingsError)
        return "refused" if named else "refused without naming the file"
    finally:
        assert time.monotonic() - started < SECONDS, "hangs"
    if before.frame.reset_index(drop=True).equals(after.frame.reset_index(drop=True)):
        return "equal"
    if {reading.text for reading in after.readings} != {reading.text for reading in before.readings}:
        return "said"
    if list(before.frame.columns) != list(after.frame.columns):
        return "columns renamed"
    lost = (_rows(before) - _rows(after)).total()
    # Each kind of damage touches a few neighbouring lines at most; the others are as they were.
    changed = len(before.frame) - len(after.frame)
    assert lost <= max(12, changed), f"{lost} rows have changed in silence"
    return "rows changed"


def fuzz(count: int, seed: int = 0) -> Counter[str]:
    """Damage `count` text files and a fifth as many workbooks, and count what comes of it.

    Raises
    ------
    AssertionError
        With the seed of the file, where something else than a refusal comes of it.
    """
    found: Counter[str] = Counter()
    for number in range(seed, seed + count):
        rng = np.random.default_rng(number)
        dialect = random_dialect(rng)
        name, content = "table.csv", written(clean_table(rng), dialect)
        if dialect.packed:
            name = "table.csv.gz"
        if number % 6 == 5:
            name, content = "table.xlsx", _workbook(clean_table(rng))
        before = read(content, name, keys=KEYS)
        try:
            found[outcome(before, damaged(content, rng), name)] += 1
        except Exception as failure:
            raise AssertionError(f"seed {number}, {name}, {dialect}: {failure!r}") from failure
    return found


def _workbook(table: pd.DataFrame) -> bytes:
    file = io.BytesIO()
    table.to_excel(file, index=False)
    return file.getvalue()


if __name__ == "__main__":
    import sys

    print(dict(fuzz(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)))
