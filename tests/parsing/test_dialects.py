"""The same table in many dialects is the same table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from brightspots.parsing import parse_frame
from tests.parsing.dialects import KEYS, clean_table, random_dialect, read, written


@pytest.mark.parametrize("seed", range(150))
def test_a_table_comes_back_from_any_dialect(seed):
    rng = np.random.default_rng(seed)
    table, dialect = clean_table(rng), random_dialect(rng)
    came = read(written(table, dialect), "table.csv.gz" if dialect.packed else "table.csv", keys=KEYS)
    pd.testing.assert_frame_equal(
        came.frame.reset_index(drop=True), table, check_dtype=False, rtol=1e-12, obj=repr(dialect)
    )
    assert came.frame.index.name == "line"
    assert came.frame.attrs["notes"] == tuple(reading.text for reading in came.readings)


@pytest.mark.parametrize("seed", range(20))
def test_a_sheet_gives_back_the_table(seed, tmp_path):
    pytest.importorskip("openpyxl")
    table = clean_table(np.random.default_rng(seed))
    table.to_excel(tmp_path / "table.xlsx", index=False)
    came = read((tmp_path / "table.xlsx").read_bytes(), "table.xlsx", keys=KEYS)
    pd.testing.assert_frame_equal(came.frame.reset_index(drop=True), table, check_dtype=False)
    assert list(came.frame.index) == list(range(2, len(table) + 2))
    assert came.frame.index.name == "sheet row"
    assert came.readings == ()


@pytest.mark.parametrize("seed", range(20))
def test_a_frame_of_text_gives_back_the_table(seed):
    table = clean_table(np.random.default_rng(seed))
    text = table.map(lambda value: None if value != value else str(value))
    came, _ = parse_frame(text.astype(object), keys=KEYS)
    pd.testing.assert_frame_equal(came, table, check_dtype=False)


def test_reading_changes_nothing_that_was_passed():
    frame = pd.DataFrame({"trust": ["01", "02"], "observed": ["1,234", "5"], "expected": [1.5, 2.0]})
    before = frame.copy(deep=True)
    came, readings = parse_frame(frame)
    pd.testing.assert_frame_equal(frame, before)
    assert list(came["observed"]) == [1234, 5]
    assert [reading.code for reading in readings] == ["thousands"]
    assert list(came["trust"]) == ["01", "02"]


def test_a_frame_of_numbers_is_left_as_it_is():
    frame = clean_table(np.random.default_rng(0)).assign(when=pd.Timestamp("2024-01-01"), kind="a")
    came, readings = parse_frame(frame, keys=KEYS)
    pd.testing.assert_frame_equal(came, frame)
    assert readings == ()
