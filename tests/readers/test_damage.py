"""Damaged files end in a `DataError` or in a table that is right: never in another exception, never in silent loss."""

from __future__ import annotations

import io
import os
import random
import warnings

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brightspots.errors import DataError, DataWarning
from brightspots.readers import (
    read_cms_hrrp,
    read_cms_ratings,
    read_cqc_ratings,
    read_nhs_rtt,
    read_nhs_shmi,
    read_ny_cardiac,
    read_ny_iqi,
)
from tests.readers import files, fuzz, test_cms, test_cqc, test_new_york, test_nhs_england

STARS = [{"Facility ID": f"{10001 + at}", "Hospital overall rating": at % 5 + 1} for at in range(6)]
SHMI = [
    files.shmi("RA1", 913, 768.4005),
    files.shmi("RA2", 1346, 1478.9925),
    files.shmi("RA3", 1023, 909.8874),
    files.shmi("RA4", "*", 5.5, **{"PROVIDER NAME": "YSBYTY, CÔR"}),
]
HRRP = [
    *test_cms.COUNTED,
    files.hrrp("450001", "AMI", 60, "Too Few to Report"),
    files.hrrp(33, "HF", "", "", "12.5"),
    files.hrrp(33, "PN", "N/A", "N/A", "N/A"),
    {**files.hrrp(44, "CABG", 120, 18), "Facility Name": 'ST. "OLAF", HOSPITAL'},
]

PUBLICATIONS = {
    "iqi": (read_ny_iqi, files.IQI_COLUMNS, test_new_york.IQI_ROWS),
    "cardiac": (read_ny_cardiac, files.CARDIAC_COLUMNS, test_new_york.CARDIAC_ROWS),
    "hrrp": (read_cms_hrrp, files.HRRP_COLUMNS, HRRP),
    "stars": (read_cms_ratings, files.STAR_COLUMNS, STARS),
    "cqc": (read_cqc_ratings, files.CQC_COLUMNS, test_cqc.ROWS),
    "rtt": (read_nhs_rtt, files.RTT_COLUMNS, test_nhs_england.RTT_ROWS),
    "shmi": (read_nhs_shmi, files.SHMI_COLUMNS, SHMI),
}

# More by hand: BRIGHTSPOTS_FUZZ=5000 python -m pytest tests/readers/test_damage.py -k fuzzed
EXAMPLES = int(os.environ.get("BRIGHTSPOTS_FUZZ", "60"))

deterministic = settings(derandomize=True, deadline=None, max_examples=40)
fuzzed = settings(
    derandomize=True,
    deadline=None,
    max_examples=EXAMPLES,
    suppress_health_check=list(HealthCheck),
    database=None,
)


@pytest.fixture(params=PUBLICATIONS, scope="module")
def publication(request):
    reader, columns, rows = PUBLICATIONS[request.param]
    return reader, columns, rows, files.write(columns, rows).encode()


def read_or_refuse(reader, content: bytes) -> pd.DataFrame | None:
    """The table, or None where the file is refused; any other exception goes through."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        try:
            return reader(io.BytesIO(content))
        except DataError:
            return None


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


@pytest.mark.parametrize("name", PUBLICATIONS)
@fuzzed
@given(data=st.data())
def test_fuzzed_files_end_in_an_error_or_in_a_table_that_is_right_or_says_what_differs(name, data):
    reader, columns, rows = PUBLICATIONS[name]
    content = files.write(columns, rows).encode()
    good = read_or_refuse(reader, content)
    damaged = data.draw(fuzz.damage(content))
    got = read_or_refuse(reader, damaged.content)
    if got is None:
        assert not damaged.harmless, damaged.told
    else:
        fuzz.check(good, got, content, damaged)
