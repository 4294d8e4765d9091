"""Text files as people have them: layout, encoding and separator."""

from __future__ import annotations

import io
import zipfile

import pandas as pd
import pytest

from brightspots.common.errors import DataError
from tests.parsing.dialects import codes, read

PLAIN = "trust,department,observed,expected\nA,x,3,2.5\nB,y,4,1.5\n"


def reading(table, code):
    """The one reading of a kind."""
    (found,) = [one for one in table.readings if one.code == code]
    return found


def test_a_plain_file_is_read_as_pandas_reads_it_and_nothing_is_said():
    table = read(PLAIN)
    pd.testing.assert_frame_equal(table.frame.reset_index(drop=True), pd.read_csv(io.StringIO(PLAIN)))
    assert table.readings == ()
    assert table.name == "table.csv"
    assert table.content == PLAIN.encode()
    assert list(table.frame.index) == [2, 3]


def test_an_export_with_cover_rows_semicolons_decimal_commas_and_withheld_counts():
    text = (
        "Deaths by provider;;;\n;;;\nPeriod: 2023/24;;;\n\nProvider;Ward;Deaths;Expected\n"
        "R0A;Général;12;10,5\nR0A;Café;<5;2,25\nR0B;Ward;1.234;1.200,5\nTotal;;1.300;\n\n"
        "Source: NHS England; all rights reserved\n"
    )
    table = read(text.encode("cp1252"), keys=["Provider", "Ward"])
    assert list(table.frame["Provider"]) == ["R0A", "R0A", "R0B", "Total"]  # a total is no footer
    assert table.frame["Ward"].isna().tolist() == [False, False, False, True]
    assert table.frame["Ward"].iloc[0] == "Général"
    assert table.frame["Deaths"].tolist()[::2] == [12, 1234]
    assert table.frame["Expected"].tolist()[:3] == [10.5, 2.25, 1200.5]
    assert (table.frame["Deaths_lower"].iloc[1], table.frame["Deaths_upper"].iloc[1]) == (0, 4)
    assert reading(table, "cover rows").rows == (1, 3)
    assert reading(table, "footer").rows == (11,)
    assert list(table.frame.index) == [6, 7, 8, 9]
    assert {"encoding", "separator", "decimal comma", "thousands", "suppressed"} <= set(codes(table))


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_every_separator_is_told_from_the_file(separator):
    table = read(PLAIN.replace(",", separator))
    assert list(table.frame.columns) == ["trust", "department", "observed", "expected"]
    assert codes(table) == ([] if separator == "," else ["separator"])


def test_the_first_line_may_say_how_values_are_separated():
    table = read("sep=;\ntrust;observed\nA;1\nB;2\n")
    assert table.frame["observed"].tolist() == [1, 2]
    assert list(table.frame.index) == [3, 4]


def test_a_semicolon_file_in_which_every_number_has_a_comma_is_not_taken_for_commas():
    table = read("Provider;Ward;Deaths;Rate\nA;x;1,5;2,5\nB;y;3,5;4,5\n")
    assert table.frame["Deaths"].tolist() == [1.5, 3.5]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_in_every_form(encoding):
    table = read(PLAIN.replace("A,x", "A,Ysbyty Gŵyr").encode(encoding))
    assert table.frame["department"].iloc[0] == "Ysbyty Gŵyr"


def test_lines_count_as_an_editor_counts_them():
    table = read('trust,department,observed\nA,"two\nlines",3\n\nB,y,4\ntrust,department,observed\nC,z,5\n')
    assert list(table.frame.index) == [2, 5, 7]
    assert reading(table, "empty rows").rows == (4,)
    assert reading(table, "repeated header").rows == (6,)


def test_empty_columns_and_the_ends_of_lines_go_and_a_nameless_one_with_values_is_called_by_place():
    table = read(",trust,,observed,,\n0,A,,3,,\n1,B,,4,,\n")
    assert list(table.frame.columns) == ["column 1", "trust", "observed"]
    assert codes(table) == ["unnamed columns", "empty columns"]


def test_two_rows_of_names_are_joined():
    table = read(
        ",,January,,February,\ntrust,department,deaths,spells,deaths,spells\nA,x,1,10,2,20\nA,y,3,30,4,40\n"
    )
    assert list(table.frame.columns) == [
        "trust", "department", "January | deaths", "January | spells", "February | deaths", "February | spells",
    ]  # fmt: skip
    assert "'January | deaths'" in reading(table, "header rows").text


def test_a_gap_in_the_names_does_not_make_the_first_row_a_header():
    table = read("Title\n\n,trust,observed,expected\n0,A,3,1.5\n1,B,4,2.5\n")
    assert list(table.frame.columns) == ["column 1", "trust", "observed", "expected"]
    assert len(table.frame) == 2


def test_rows_that_are_too_short_are_said_and_too_long_ones_refused():
    table = read("trust,department,observed\nA,x,3\nB,y\n")
    assert reading(table, "short rows").rows == (3,)
    assert table.frame["observed"].isna().tolist() == [False, True]
    with pytest.raises(DataError, match=r"table\.csv: line 3 has more values than the 3 columns"):
        read("trust,department,observed\nA,x,3\nB,Ward 1, east,4\n")


def test_a_row_that_has_lost_a_separator_is_said_where_all_lines_end_in_one():
    assert reading(read("trust;ward;n;\nA;x;3;\nB y;4;\nC;z;5;\n"), "short rows").rows == (3,)
    assert "short rows" not in codes(read("trust;ward;n;\nA;x;3\nB;y;4\n"))


def test_a_label_cut_short_at_the_end_is_no_footer():
    table = read("trust,department,observed\nA,x,3\nA,y,4\nA\n")
    assert len(table.frame) == 3
    assert codes(table) == ["short rows"]


def test_codes_keep_their_zeros_and_what_looks_like_a_power_of_ten():
    table = read("trust,site,ward,Facility ID,observed\n01,007,5E10,100,3\n02,12,1E5,101,4\n")
    assert table.frame.iloc[0, :4].tolist() == ["01", "007", "5E10", "100"]
    assert table.frame["observed"].tolist() == [3, 4]


def test_only_an_empty_key_is_missing():
    table = read("trust,ward,observed\nNA,-,3\n,null,4\n", keys=["ward"])
    assert table.frame["trust"].isna().tolist() == [False, True]
    assert table.frame["ward"].tolist() == ["-", "null"]


def test_tabs_and_protection_against_excel_are_taken_off():
    table = read('trust,department,observed\n"\t001",="x",3\n002,y,4\n'.replace('="x"', '"=""x"""'))
    assert table.frame["trust"].tolist() == ["001", "002"]
    assert table.frame["department"].tolist() == ["x", "y"]
    assert codes(table) == ["tabs", "tabs"]


def test_inches_in_a_file_without_quotes_are_characters():
    assert read('trust\tward\n A\t5" pipe\nB\ty\n', "a.tsv").frame["ward"].iloc[0] == '5" pipe'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "nothing is written in it"),
        ("\n\n ,,\n", "nothing is written in it"),
        ("trust,observed\n", "no rows"),
        ("trust,observed\nA,\x003\n", "line 2 holds a NUL byte"),
        ("trust,observed,trust\nA,3,B\n", "'trust' is the name of columns 1 and 3"),
        ('trust,observed\nA,"3\nB,4\n', r"quotation marks do not match \(line 2"),
        ("trust,observed\nA,3\rB,4\nC,5\n", "line 2 is broken by a carriage return"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Excel 97 to 2003, which is not read; save it as .xlsx"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "protected by a password"),
        ("<html><table>", "is a web page"),
        ("%PDF-1.4", "is a PDF"),
        ('{"trust": "A"}', "is JSON"),
        (b"\xff\xfeA", "says that it is UTF-16 and is not"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_with_certainty_is_refused(content, said):
    with pytest.raises(DataError, match=rf"table\.csv: .*{said}"):
        read(content)


def test_a_zip_with_one_file_is_read_and_one_with_two_refused():
    def packed(*names):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for name in names:
                archive.writestr(name, PLAIN)
        return file.getvalue()

    assert len(read(packed("a.csv"), "a.zip").frame) == 2
    with pytest.raises(DataError, match=r"a\.zip: the archive holds 2 CSV files"):
        read(packed("a.csv", "b.csv"), "a.zip")


def test_parquet_keeps_its_index(tmp_path):
    frame = pd.DataFrame({"trust": ["01"], "observed": [3]})
    frame.to_parquet(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(read((tmp_path / "a.parquet").read_bytes(), "a.parquet").frame, frame)


def test_a_long_table_after_a_long_cover():
    cover = "".join(f"Line {n} of the cover\n" for n in range(20))
    body = "".join(f"T{n},x,{n},1.5\n" for n in range(400))
    table = read(f"{cover}\nHospital,Unit,Deaths,Expected deaths\n{body}\nNote 1. Rounded, and more\n")
    assert len(table.frame) == 400
    assert table.frame.columns[0] == "Hospital"
    assert table.frame.index[0] == 23
    assert reading(table, "footer").rows == (424,)
