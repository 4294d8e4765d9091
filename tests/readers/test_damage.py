"""Damaged files end in a `DataError` or in a table that is right: never in another exception, never in silent loss."""

from __future__ import annotations

import os
import random

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.readers import files, fuzz
from tests.readers.fuzz import read_or_refuse
from tests.readers.publications import GOOD_FILES, HISTORICAL, PUBLICATIONS

# More by hand: BRIGHTSPOTS_FUZZ=5000 python -m pytest tests/readers/test_damage.py -k fuzzed
EXAMPLES = int(os.environ.get("BRIGHTSPOTS_FUZZ", "60"))

deterministic = settings(derandomize=True, deadline=None, max_examples=40)


@pytest.fixture(params=PUBLICATIONS, scope="module")
def publication(request):
    reader, columns, rows = PUBLICATIONS[request.param]
    return reader, columns, rows, files.write(columns, rows).encode()


def test_a_file_cut_short_anywhere_gives_whole_rows_or_an_error(publication):
    reader, _, _, content = publication
    tables: dict[bytes, pd.DataFrame | None] = {}
    last_line = len(content) - len(content.splitlines()[-1]) - 2
    for end in [*range(0, last_line, 7), *range(last_line, len(content))]:
        cut = read_or_refuse(reader, content[:end])
        if cut is not None:
            # A line counts as whole when only its end is missing.
            lines = content[: end + 2].splitlines(keepends=True)
            whole = b"".join(line for line in lines if line.endswith(b"\r\n"))
            if whole not in tables:
                tables[whole] = read_or_refuse(reader, whole)
            assert cut.equals(tables[whole]), content[:end][-60:]
    assert tables


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_columns_give_the_same_table(publication, seed):
    reader, columns, rows, content = publication
    shuffled = random.Random(seed).sample(columns, len(columns))
    assert read_or_refuse(reader, files.write(shuffled, rows).encode()).equals(
        read_or_refuse(reader, content)
    )


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252", "latin-1"])
def test_other_encodings_give_the_same_table(publication, encoding):
    reader, _, _, content = publication
    encoded = content.decode().encode(encoding)
    assert read_or_refuse(reader, encoded).equals(read_or_refuse(reader, content))


@pytest.mark.parametrize("name", PUBLICATIONS)
@deterministic
@given(data=st.data())
def test_spoilt_bytes_never_escape(name, data):
    reader, columns, rows = PUBLICATIONS[name]
    content = bytearray(files.write(columns, rows).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    table = read_or_refuse(reader, bytes(content))
    if table is not None:
        assert table.attrs["notes"]
        assert "trust" in table


@pytest.mark.parametrize("name", PUBLICATIONS)
@deterministic
@given(content=st.binary(max_size=300))
def test_random_bytes_are_refused(name, content):
    assert read_or_refuse(PUBLICATIONS[name][0], content) is None


@pytest.mark.parametrize("name", PUBLICATIONS)
@deterministic
@given(data=st.data())
def test_values_of_another_kind_never_escape(name, data):
    reader, columns, rows = PUBLICATIONS[name]
    spoilt = [dict(row) for row in rows]
    strange = st.sampled_from(
        ["", "*", ".", "N/A", "-1", "1e308", "9" * 400, "nan", "inf", "0", "1.5", "١٢", "=1+1", "\x00"]
    )
    for _ in range(data.draw(st.integers(1, 3))):
        row = data.draw(st.sampled_from(spoilt))
        row[data.draw(st.sampled_from(columns))] = data.draw(strange)
    read_or_refuse(reader, files.write(columns, spoilt).encode())


@pytest.mark.parametrize("name", GOOD_FILES)
def test_fuzzed_files_end_in_an_error_or_in_a_table_that_is_right_or_says_what_differs(name):
    """Older layouts share the code of the present ones, so that a part of the examples goes to them."""
    reader, content = GOOD_FILES[name]
    trials = EXAMPLES // 3 if name in HISTORICAL else EXAMPLES
    failures: list[str] = []
    outcomes = fuzz.run(reader, content, trials=trials, seed=0, failures=failures)
    assert set(outcomes) <= {*fuzz.ACCEPTABLE}, failures
    assert outcomes.total() >= trials


def test_fuzzing_is_repeatable_and_tells_what_it_found():
    reader, content = GOOD_FILES["stars"]
    assert fuzz.run(reader, content, trials=20, seed=3) == fuzz.run(reader, content, trials=20, seed=3)

    def careless(file):
        table = reader(file)
        return table if content == file.getvalue() else table.iloc[1:]

    def clumsy(file):
        return reader(file) if content == file.getvalue() else {}[file]

    failures: list[str] = []
    assert fuzz.run(careless, content, trials=20, seed=3, failures=failures)[fuzz.SILENT] == len(failures) > 0
    assert fuzz.run(clumsy, content, trials=20, seed=3)[fuzz.RAW] > 0
