"""Opening published files: packings, encodings, columns, and damage that must not pass in silence."""

from __future__ import annotations

import gzip
import io
import zipfile

import pytest

from brightspots.errors import DataError, SettingsError
from brightspots.readers.opening import read_content
from brightspots.readers.published import Layout, read_records

LAYOUT = Layout(
    "a register of beds", {"code": ("Org Code", "Provider Code"), "beds": ("Beds",)}, {"name": ("Name",)}
)
TEXT = "Org Code,Name,Beds\r\nR01,Caffè,12\r\nR02,,7\r\n"


def zipped(**members: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name.replace("_csv", ".csv").replace("_txt", ".txt"), text)
    return packed.getvalue()


def records_of(content: bytes | str):
    return read_records(io.BytesIO(content) if isinstance(content, bytes) else io.StringIO(content), LAYOUT)


@pytest.mark.parametrize(
    "content",
    [
        TEXT,
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        gzip.compress(TEXT.encode()),
        zipped(beds_csv=TEXT),
        zipped(beds_csv=TEXT, readme_txt="read me"),
        TEXT.replace("\r\n", "\n") + "\n,,\n",
    ],
    ids=[
        "text",
        "bytes",
        "byte-order mark",
        "utf-16",
        "gzip",
        "zip",
        "zip with a text",
        "unix with blank lines",
    ],
)
def test_every_packing_gives_the_same_rows(content):
    records = records_of(content)
    assert records.frame["code"].tolist() == ["R01", "R02"]
    assert records.frame["name"].tolist() == ["Caffè", ""]
    assert records.counts("beds").tolist() == [12, 7]
    assert records.notes == []


def test_windows_text_is_read_and_said_to_be():
    records = records_of(TEXT.encode("cp1252"))
    assert records.frame["name"].iloc[0] == "Caffè"
    assert "Windows-1252" in records.notes[0]


def test_paths_and_file_urls_are_opened(tmp_path):
    path = tmp_path / "beds.csv"
    path.write_bytes(TEXT.encode())
    for source in (path, str(path), path.as_uri()):
        assert read_content(source) == TEXT.encode()
    with path.open("rb") as handle:
        assert read_content(handle) == TEXT.encode()
        assert not handle.closed


def test_what_cannot_be_opened_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_content(tmp_path / "absent.csv")
    with pytest.raises(SettingsError, match="open it and pass the open file"):
        read_content("s3://bucket/beds.csv")
    with pytest.raises(SettingsError, match="a path, a URL or an open file; received 3"):
        read_content(3)  # type: ignore[arg-type]


def test_columns_are_found_by_any_spelling_in_any_order():
    records = records_of(" beds ,Unrelated,PROVIDER_CODE\n12,x,R01\n")
    assert records.frame.iloc[0].to_dict() == {"code": "R01", "beds": "12"}
    assert "name" not in records


def test_a_missing_column_says_what_the_file_should_be():
    with pytest.raises(
        DataError, match=r"not a register of beds.*no column 'Beds'.*the file has: 'Org Code', 'Sheep'"
    ):
        records_of("Org Code,Sheep\nR01,12\n")


def test_two_columns_for_one_thing_are_refused():
    with pytest.raises(DataError, match="two columns could be the code"):
        records_of("Org Code,Provider Code,Beds\nR01,R02,12\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"Org Code,Beds\r\n", "a header and no rows"),
        (b"Org Code,Beds\nR01,12\nR02", "2 values that the header announces; row line 3"),
        (b"Org Code,Beds\nTrust, The,12\n", "2 values that the header announces; row line 2"),
        (b'Org Code,Beds\n"R01,12\n', "cannot be read as CSV"),
        (b"Org Code,Beds\nR01,12\nR02,", "ends in the middle of its last row"),
        (zipped(a_csv=TEXT, b_csv=TEXT), "holds 2 CSV files"),
        (zipped(a_csv=TEXT)[:-30], "cannot be unpacked"),
        (gzip.compress(TEXT.encode())[:-12], "cannot be unpacked"),
        (b"\x81\x8d\x8f\x90", "not text in UTF-8"),
        (b"\xff\xfeO\x00r", "cannot be read as CSV"),
    ],
    ids=[  # named: the bytes of a gzip hold the time, and workers must agree on the tests they run
        "nothing",
        "header only",
        "row too short",
        "row too long",
        "open quote",
        "cut in a row",
        "two files",
        "cut zip",
        "cut gzip",
        "not UTF-8",
        "half a character",
    ],
)
def test_damage_is_refused(content, message):
    with pytest.raises(DataError, match=message):
        records_of(content)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("12", 12.0),
        (" 12 ", 12.0),
        ("1,234", 1234.0),
        ("1,234,567.5", 1234567.5),
        (".5", 0.5),
        ("-3", -3.0),
        ("7.", 7.0),
    ],
)
def test_numbers_are_read_as_publishers_write_them(written, read):
    assert records_of(f'Org Code,Beds\nR01,"{written}"\n').numbers("beds").tolist() == [read]


@pytest.mark.parametrize(
    "written", ["", "*", "N/A", "12 beds", "1e5", "nan", "inf", "1_000", "0x1F", "1.2.3", "12%"]
)
def test_what_is_not_a_number_is_refused_by_line(written):
    records = records_of(f"Org Code,Beds\nR01,12\nR02,{written}\n")
    with pytest.raises(DataError, match="column 'Beds': a value is missing or not a number; row line 3"):
        records.numbers("beds")


@pytest.mark.parametrize("written", ["", ".", "-", "N/A", "Not Available", "not applicable"])
def test_known_ways_to_write_nothing_can_stand_for_a_value(written):
    records = records_of(f"Org Code,Beds\nR01,{written}\n")
    assert records.numbers("beds", blank=0.0).tolist() == [0.0]


@pytest.mark.parametrize("written", ["-1", "2.5"])
def test_counts_are_whole_and_not_negative(written):
    with pytest.raises(DataError, match="negative or fractional"):
        records_of(f"Org Code,Beds\nR01,{written}\n").counts("beds")


def test_identifiers_get_their_zeros_back():
    records = records_of("Org Code,Beds\n7,1\n0012,2\n01014f,3\n")
    assert records.identifiers("code", 6).tolist() == ["000007", "000012", "01014F"]


@pytest.mark.parametrize("written", ["33.0", "1.0E+05", "1234567", "", "R 1"])
def test_identifiers_that_a_spreadsheet_spoilt_are_refused(written):
    with pytest.raises(DataError, match=r"identifier|blank"):
        records_of(f"Org Code,Beds\n{written},1\n").identifiers("code", 6)
