"""What stands around a table: left out where it cannot be data, and said; otherwise refused, never guessed."""

from __future__ import annotations

import io
import zipfile

import pytest

from brightspots.common.errors import DataError
from tests.readers.test_published import records_of

ROWS = "Org Code,Name,Beds\nR01,A,12\nR02,B,7\n"


def codes_and_notes(content):
    records = records_of(content)
    return records.frame["code"].tolist(), records.notes


def read_codes_and_beds(content):
    records = records_of(content)
    return records.text("code"), records.counts("beds")


@pytest.mark.parametrize(
    "below",
    [
        ",,\nCopyright © 2013,,\n",
        "Source: the publisher,,\n",
        '"Copyright © 2013, The Publisher. All Rights Reserved",,\n',
        "Copyright © 2013, The Publisher, All Rights Reserved, London\n",  # commas without quotation marks
        "\nFigures of two hospitals,,\n",
        "* withheld,,\n",
        "Note\nNotes: 1. Beds at midnight,,",
        "\n\nPublished 12 May 2020\n\nContact us\n",
        "Crown copyright\n",
        ",,Source: the publisher\n",  # the columns were put into another order
    ],
)
def test_lines_below_a_table_are_left_out_and_said(below):
    codes, notes = codes_and_notes(ROWS + below)
    assert codes == ["R01", "R02"]
    assert "below the table (source, copyright or notes), and left out." in notes[0]


@pytest.mark.parametrize(
    "below",
    [
        "R03\n",  # a row cut short
        "R03,,\n",  # a row without its number
        "\nR03\n",  # the same, below a blank line: one word is no remark
        "All hospitals,,\n",  # nothing parts it from the table, and it does not begin as a remark
        ",A remark,\n",  # not in the first column
        "Source: A,12\nR03,C,9\n",  # inside the table
    ],
)
def test_what_may_be_a_row_is_not_taken_for_a_remark(below):
    with pytest.raises(
        DataError, match=r"3 values that the header announces|missing or not a number|key is blank"
    ):
        read_codes_and_beds(ROWS + below)


def test_a_row_cut_short_above_a_remark_is_still_refused():
    with pytest.raises(DataError, match="3 values that the header announces; row line 4"):
        records_of(ROWS + "R03\n,,\nCopyright © 2013,,\n")


@pytest.mark.parametrize("above", ["Beds in hospitals\n", "Beds in hospitals,,\n,,\nPeriod:,2020,\n", "\n\n"])
def test_lines_above_a_table_are_left_out_and_said(above):
    records = records_of(above + ROWS)
    assert records.frame["code"].tolist() == ["R01", "R02"]
    assert records.frame.index[0] == above.count("\n") + 2  # messages name the line of the file
    assert [note for note in records.notes if "above the header" in note] == records.notes
    assert bool(records.notes) == bool(above.strip())


def test_a_header_broken_over_two_lines_is_refused():
    with pytest.raises(
        DataError, match="a heading of the table stands above its header, which is on line 2; row line 1"
    ):
        records_of("Name\nOrg Code,Beds\nR01,12\n")


def test_where_no_line_is_a_header_the_one_most_like_it_is_spoken_of():
    with pytest.raises(DataError, match=r"no column 'Beds'.*the file has: 'Org Code', 'Name', 'Cots'"):
        records_of("Cots in hospitals,,\nOrg Code,Name,Cots\nR01,A,12\n")


def test_blank_rows_inside_a_table_are_passed_over_and_said():
    codes, notes = codes_and_notes(ROWS.replace("R02", ",,\nR02"))
    assert codes == ["R01", "R02"]
    assert notes == ["Line 3 is blank inside the table, and passed over."]


def test_the_header_once_more_is_passed_over_and_said():
    codes, notes = codes_and_notes(ROWS + ROWS.replace("R0", "R1"))
    assert codes == ["R01", "R02", "R11", "R12"]
    assert notes == ["Line 4 is the header once more, and passed over."]


@pytest.mark.parametrize(
    "content",
    [
        "Org Code,Name,Beds,,\nR01,A,12,,\nR02,B,7,,\n",
        "Org Code,Name,Beds\nR01,A,12,\nR02,B,7,\n",
        "Org Code,Name,Beds,\nR01,A,12\nR02,B,7\n",
    ],
)
def test_blank_columns_at_the_right_are_left_out_and_said(content):
    codes, notes = codes_and_notes(content)
    assert codes == ["R01", "R02"]
    assert notes == ["Columns at the right without a heading and without values were left out."]


@pytest.mark.parametrize(
    "content",
    [
        "Org Code,Name,Beds\nR01,A,12,\nR02,B,7\n",  # one row only
        "Org Code,Name,Beds\nR01,A,12,9\nR02,B,7,\n",  # a value without a heading
        "Org Code,Name,Beds\nR01,A\nR02,B\n",
    ],
)
def test_rows_that_are_longer_or_shorter_than_the_header_are_refused(content):
    with pytest.raises(DataError, match="3 values that the header announces"):
        records_of(content)


def test_a_column_twice_is_refused():
    with pytest.raises(DataError, match="column 'Beds, Beds': two columns could be the beds"):
        records_of("Org Code,Beds,Beds\nR01,12,13\n")


def test_the_last_value_of_a_table_above_a_remark_is_whole():
    _, notes = codes_and_notes(ROWS + "Source: the publisher")
    assert notes == ["Line 4 is below the table (source, copyright or notes), and left out."]


def test_nul_characters_are_refused():
    with pytest.raises(DataError, match="a value holds an invisible character; row line 2"):
        records_of(ROWS.replace("R01", "R\x0001"))
    with pytest.raises(DataError, match="3 values that the header announces; row line 4"):
        records_of(ROWS.encode() + b"\x00" * 64)


def test_utf_16_with_lines_around_the_table():
    codes, _ = codes_and_notes(("Beds\n\n" + ROWS + ",,\nCopyright © 2013,,\n").encode("utf-16"))
    assert codes == ["R01", "R02"]


ENTITIES = (
    '<?xml version="1.0"?><!DOCTYPE s [<!ENTITY a SYSTEM "file:///etc/hostname"><!ENTITY b "&a;&a;&a;&a;">]>'
    "<workbook>&b;</workbook>"
)


def workbook(*members):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in members:
            archive.writestr(name, ENTITIES)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (workbook("[Content_Types].xml", "xl/workbook.xml"), "this is an Excel workbook; expected CSV"),
        (workbook("[Content_Types].xml", "xl/sharedStrings.xml"), "this is an Excel workbook; expected CSV"),
        (workbook("mimetype", "content.xml"), "this is an OpenDocument spreadsheet; expected CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 504, "an Excel workbook of the old kind"),
        (ENTITIES.encode(), "this is a web page or XML; expected CSV"),
        (b"\n<!DOCTYPE html><html><body>Page not found</body></html>", "this is a web page or XML"),
        (b"%PDF-1.7\n", "this is a PDF document"),
        (b"PAR1\x15\x04", "this is a Parquet file"),
    ],
    ids=["xlsx", "xlsx without a book", "ods", "xls", "xml", "html", "pdf", "parquet"],
)
def test_what_is_no_csv_is_refused_by_name_and_unread(content, message):
    with pytest.raises(DataError, match=message):
        records_of(content)
