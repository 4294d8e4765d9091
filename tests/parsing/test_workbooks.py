"""Sheets of Excel as people have them."""

from __future__ import annotations

import datetime as dt
import io
import zipfile

import numpy as np
import pandas as pd
import pytest

from brightspots.common.errors import DataError
from tests.parsing.dialects import codes, read

openpyxl = pytest.importorskip("openpyxl")


def book(*sheets, change=None):
    """A workbook with sheets of rows; `change` may do more to it."""
    made = openpyxl.Workbook()
    made.remove(made.active)
    for title, rows in sheets:
        sheet = made.create_sheet(title)
        for row in rows:
            sheet.append(row)
    if change:
        change(made)
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


def opened(*sheets, keys=(), sheet=None, change=None):
    return read(book(*sheets, change=change), "book.xlsx", keys=keys, sheet=sheet)


def rewritten(content, part, before, after):
    """A workbook in which one part has been edited."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, data.replace(before, after) if name.endswith(part) else data)
    return file.getvalue()


TABLE = [["trust", "department", "observed"], ["A", "x", 3], ["B", "y", 4]]


def test_a_pivoted_sheet_with_merged_months_merged_trusts_numbers_as_text_and_a_stated_threshold():
    rows = [
        ["Deaths by month"], [], ["Trust", "Department", "January", None, "February", None],
        [None, None, "deaths", "spells", "deaths", "spells"],
        ["R0A", "x", 1, "1,000", "<5", 20], [None, "y", 0, 400, 3, 30], ["R0B", "x", "5", 12, "*", "#REF!"],
        [], ["* denotes less than 8"],
    ]  # fmt: skip

    def merge(made):
        for cells in ("A1:F1", "A3:A4", "B3:B4", "C3:D3", "E3:F3", "A5:A6"):
            made["Deaths"].merge_cells(cells)

    table = opened(("Deaths", rows), change=merge)
    assert list(table.frame["Trust"]) == ["R0A", "R0A", "R0B"]
    assert table.frame["January | deaths"].tolist() == [1, 0, 5]
    assert table.frame["January | spells"].tolist() == [1000, 400, 12]
    assert table.frame["February | deaths_upper"].fillna(-1).tolist() == [4, -1, 7]
    assert np.isnan(table.frame["February | spells"].iloc[2])
    assert list(table.frame.index) == [5, 6, 7]
    assert {
        "cover rows", "footer", "header rows", "merged cells", "text numbers", "suppressed", "error cells",
    } <= set(codes(table))  # fmt: skip


def test_the_first_visible_sheet_with_a_table_is_read_and_said():
    def hide(made):
        made["Old"].sheet_state = "hidden"

    sheets = (
        ("Contents", [["Sheet", "What"], ["Data", "deaths"]]),
        ("Old", TABLE),
        ("Data", TABLE),
        ("More", TABLE),
    )
    table = opened(*sheets, change=hide)
    (said,) = table.readings
    assert said.code == "sheet"
    assert "'Data'" in said.text
    assert "'Old' is hidden" in said.text
    assert "'More' may hold others" in said.text
    assert opened(*sheets, sheet="Old", change=hide).readings == ()
    with pytest.raises(
        DataError, match=r"book\.xlsx: has no sheet 'none'; it has 'Contents', 'Old', 'Data', 'More'"
    ):
        opened(*sheets, sheet="none")


def test_codes_percents_and_dates_are_read_as_they_are_shown_or_said():
    rows = [
        ["Trust", dt.datetime(2024, 1, 1), "share", "when"],
        [12, 3, 0.12, dt.datetime(2024, 1, 5)],
        [345, 4, 0.5, dt.datetime(2024, 1, 6)],
    ]

    def show(made):
        sheet = made["Data"]
        sheet["B1"].number_format = "mmm-yy"
        for row in (2, 3):
            sheet[f"A{row}"].number_format, sheet[f"C{row}"].number_format = "00000", "0%"

    table = opened(("Data", rows), keys=["Trust"], change=show)
    assert list(table.frame.columns) == ["Trust", "2024-01", "share", "when"]
    assert list(table.frame["Trust"]) == ["00012", "00345"]
    assert list(table.frame["share"]) == [0.12, 0.5]
    assert table.frame["when"].iloc[0] == pd.Timestamp("2024-01-05")
    assert codes(table) == ["identifiers", "percent"]


def test_numbers_in_key_columns_are_text_as_they_are_shown():
    table = opened(("Data", [["trust", "observed"], [101, 3], [102.5, 4]]))
    assert list(table.frame["trust"]) == ["101", "102.5"]


def test_a_formula_without_a_stored_value_is_refused():
    with pytest.raises(
        DataError, match=r"book\.xlsx: the sheet 'Data' has 1 formula without a stored value \('C3'\)"
    ):
        opened(("Data", [*TABLE[:2], ["B", "y", "=C2+1"]]))


def test_a_sheet_that_claims_a_million_rows_is_read_in_a_moment():
    def claim(made):
        made["Data"].cell(1_048_576, 16_384).number_format = "0.00"
        made["Data"].row_dimensions[1_048_576].height = 3

    assert len(opened(("Data", TABLE), change=claim).frame) == 2


@pytest.mark.parametrize(
    "declared", [b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>', b"<!DOCTYPE x>"]
)
def test_entities_are_refused_before_any_parser_sees_them(declared):
    content = rewritten(book(("Data", TABLE)), "sheet1.xml", b"<worksheet", declared + b"<worksheet")
    with pytest.raises(DataError, match=r"book\.xlsx: declares a document type or an entity"):
        read(content, "book.xlsx")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK", "cannot be read as an Excel file"),
        (b"trust,observed\nA,3\n", "cannot be read as an Excel file"),
        (book(("Data", TABLE))[:2000], "damaged"),
        (rewritten(book(("Data", TABLE)), "sheet1.xml", b"</sheetData>", b"</sheet>"), "Excel file"),
        (book(("Data", [])), "nothing is written"),
        (book(("Data", [["trust", "observed"]])), "no rows"),
        (book(("Data", [["trust", "trust"], ["A", 3]])), "'trust' is the name of columns 1 and 2"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_with_the_name_of_the_file(content, said):
    with pytest.raises(DataError, match=rf"book\.xlsx: .*({said})"):
        read(content, "book.xlsx")


def test_an_open_document_sheet_is_refused():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("content.xml", "<x/>")
    with pytest.raises(DataError, match=r"a\.ods: is an OpenDocument sheet"):
        read(file.getvalue(), "a.ods")


def test_a_workbook_under_another_name_is_read_as_what_it_is():
    assert len(read(book(("Data", TABLE)), "table.csv").frame) == 2
