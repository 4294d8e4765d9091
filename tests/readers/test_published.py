"""Opening published files: packings, encodings, columns, and damage that must not pass in silence."""

from __future__ import annotations

import gzip
import io
import sys
import zipfile

import pytest

from brightspots.common.errors import DataError, MissingExtraError, SettingsError
from brightspots.readers import opening
from brightspots.readers.layout import Layout
from brightspots.readers.opening import read_content
from brightspots.readers.published import read_records

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
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        TEXT.encode("utf-32"),
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
        "utf-16 little endian without a mark",
        "utf-16 big endian without a mark",
        "utf-32",
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


def test_a_member_of_a_zip_can_be_named_or_opened(tmp_path):
    path = tmp_path / "all.zip"
    path.write_bytes(zipped(beds_csv=TEXT, other_csv="Org Code\nR01\n"))
    assert read_content(f"{path}/beds.csv") == TEXT.encode()
    assert read_content(path / "beds.csv") == TEXT.encode()
    assert read_content(f"zip://beds.csv::{path}") == TEXT.encode()
    assert read_content(zipfile.Path(path, "beds.csv")) == TEXT.encode()
    with zipfile.ZipFile(path) as archive, archive.open("beds.csv") as member:
        assert read_content(member) == TEXT.encode()
    with pytest.raises(DataError, match=r"holds 0 members named 'wards\.csv': beds\.csv, other\.csv"):
        read_content(f"{path}/wards.csv")


def test_a_folder_named_like_a_zip_is_a_folder(tmp_path):
    folder = tmp_path / "beds.zip"
    folder.mkdir()
    (folder / "beds.csv").write_bytes(TEXT.encode())
    assert read_content(f"{folder}/beds.csv") == TEXT.encode()


def test_whatever_pandas_opens_as_a_url_is_opened():
    fsspec = pytest.importorskip("fsspec")
    with fsspec.open("memory://beds.csv", "wb") as file:
        file.write(TEXT.encode())
    assert read_content("memory://beds.csv") == TEXT.encode()
    with pytest.raises(SettingsError, match="open it and pass the open file"):
        read_content("carrier-pigeon://beds.csv")


def test_without_fsspec_such_a_url_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingExtraError, match=r"s3://bucket/beds.csv.*brightspots\[remote\]"):
        read_content("s3://bucket/beds.csv")


def test_what_cannot_be_opened_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_content(tmp_path / "absent.csv")
    with pytest.raises(SettingsError, match="a path, a URL or an open file; received 3"):
        read_content(3)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="no NUL character"):
        read_content("beds\0.csv")
    closed = io.BytesIO(TEXT.encode())
    closed.close()
    with pytest.raises(SettingsError, match="the open file cannot be read"):
        read_content(closed)


def test_text_that_was_opened_in_the_wrong_encoding_is_refused(tmp_path):
    path = tmp_path / "beds.csv"
    path.write_bytes(TEXT.encode("cp1252"))
    with path.open(encoding="utf-8") as text, pytest.raises(DataError, match="open it in binary mode"):
        read_content(text)
    broken = path.open(encoding="utf-8", errors="surrogateescape")
    with broken as text, pytest.raises(DataError, match="half characters; open it in binary mode"):
        read_content(text)


def test_an_archive_that_would_fill_the_memory_is_refused(monkeypatch):
    monkeypatch.setattr(opening, "_MOST_BYTES", 5 * 1024**2)
    bomb = "0" * (6 * 1024**2)
    for packed in (zipped(beds_csv=bomb), gzip.compress(bomb.encode())):
        with pytest.raises(DataError, match="the archive holds more than"):
            read_content(io.BytesIO(packed))


def test_a_workbook_is_not_csv():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    with pytest.raises(DataError, match="this is an Excel workbook; expected CSV"):
        records_of(packed.getvalue())


@pytest.mark.parametrize(("separator", "called"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")])
def test_other_separators_are_refused_by_name(separator, called):
    with pytest.raises(DataError, match=f"separated by {called}"):
        records_of(TEXT.replace(",", separator))


def test_a_file_without_a_last_line_end_says_that_its_last_value_is_not_sure():
    records = records_of("Org Code,Beds\nR01,12\nR02,34")
    assert records.notes[0] == (
        "The file does not end with a line end: the last value of line 3 may be cut short."
    )
    assert records.notes[1].startswith("The file has no column 'Name'")


@pytest.mark.parametrize("hidden", ["\x00", "\u200b", "\ufeff", "\x85", "\n"])
def test_invisible_characters_in_a_value_are_refused(hidden):
    with pytest.raises(DataError, match="column 'Org Code': a value holds an invisible character; row line"):
        records_of(f'Org Code,Beds\n"R{hidden}01",12\n')


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
        (b"Org Code,Beds\r\nR01,12\rR02,7\r\n", "a line is broken by a carriage return; row line 2"),
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
        "lone carriage return",
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
    "written", ["", "*", "N/A", "12 beds", "1e5", "nan", "inf", "1_000", "0x1F", "1.2.3", "12%", "+3"]
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


def test_an_invisible_character_in_the_header_is_refused():
    with pytest.raises(DataError, match="the header holds an invisible character"):
        records_of("Org Code,Be\u200bds\nR01,12\n")


def test_identifiers_get_their_zeros_back():
    records = records_of("Org Code,Beds\n7,1\n0012,2\n01014f,3\n")
    assert records.identifiers("code", 6, "[0-9]{5}[0-9A-Z]").tolist() == ["000007", "000012", "01014F"]


@pytest.mark.parametrize("written", ["33.0", "1.0E+05", "1234567", "", "R 1", "A10001"])
def test_identifiers_that_a_spreadsheet_spoilt_are_refused(written):
    with pytest.raises(DataError, match=r"identifier|blank"):
        records_of(f"Org Code,Beds\n{written},1\n").identifiers("code", 6, "[0-9]{5}[0-9A-Z]")
