"""Columns of text: numbers where every value fits, intervals where counts are withheld, text otherwise."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from brightspots.parsing import parse_frame
from tests.parsing.dialects import codes, read


def column(*texts, **others):
    """One column of text, read; with it what was said."""
    frame, readings = parse_frame(pd.DataFrame({"n": pd.Series(texts, dtype=object), **others}))
    return frame, [reading.code for reading in readings]


@pytest.mark.parametrize(
    ("texts", "values", "said"),
    [
        (["1", "20", "-3"], [1, 20, -3], []),
        (["1.5", "2", "1e-05"], [1.5, 2, 1e-5], []),
        (["1,234", "12,345,678", "5"], [1234, 12345678, 5], ["thousands"]),
        (["1 234", "1\u00a0234", "5"], [1234, 1234, 5], ["thousands"]),
        (["1\u202f234,5", "2,5"], [1234.5, 2.5], ["decimal comma", "thousands"]),
        (["1'234", "5"], [1234, 5], ["thousands"]),
        (["1.234,5", "2"], [1234.5, 2], ["decimal comma", "thousands"]),
        (["0,123", "1,5"], [0.123, 1.5], ["decimal comma"]),
        (["£1,200.50", "£3"], [1200.5, 3], ["thousands", "currency"]),
        (["12%", "3.5 %", "0"], [12, 3.5, 0], ["percent"]),
        (["−4", " 5 "], [-4, 5], []),
        (["3", "Not Available", "–", "..", ":", "#N/A"], [3, *[np.nan] * 5], ["missing words"]),
        (["3", "#REF!", "#DIV/0!"], [3, np.nan, np.nan], ["error cells"]),
    ],
)  # fmt: skip
def test_numbers_as_people_write_them(texts, values, said):
    frame, readings = column(*texts)
    np.testing.assert_array_equal(frame["n"].to_numpy(dtype=float), values)
    assert readings == said


@pytest.mark.parametrize(
    "texts",
    [
        ["(5)", "6"],  # a negative number, or a note
        ["5 beds", "6 beds"],
        ["5*", "6"],
        ["12,34", "1.5"],  # two styles in one column
        ["1,234,56", "7"],
        ["12%", "13"],
        ["18-24", "25-34", "35-44"],
        ["007", "12"],
        ["5E10", "6E2"],
        ["<0.1", "0.5"],
        ["2024-01", "2024-02"],
        ["01/02/2024", "03/02/2024"],
        ["Good", "3"],
    ],
)
def test_what_is_not_certain_stays_text(texts):
    assert column(*texts)[0]["n"].tolist() == texts


def test_a_comma_that_could_be_either_is_left_and_said_unless_the_table_tells():
    assert column("1,234", "5,678")[1] == ["ambiguous numbers"]
    assert column("1,234", "5,678")[0]["n"].tolist() == ["1,234", "5,678"]
    assert column("1,234", "5,678", other=[1.5, 2.5])[0]["n"].tolist() == [1234, 5678]
    assert column("1,234", "5,678", other=["1,5", "2"])[0]["n"].tolist() == [1.234, 5.678]
    # Whole numbers below a thousand would be rare among numbers with three decimals.
    assert column("1,234", "56", "789")[0]["n"].tolist() == [1234, 56, 789]


def test_points_in_a_semicolon_file_could_set_thousands_apart():
    assert codes(read("trust;n\nA;1.234\nB;5.678\n")) == ["separator", "ambiguous numbers"]
    assert read("trust;n;e\nA;1.234;1,5\nB;5.678;2\n").frame["n"].tolist() == [1234, 5678]
    assert read("trust;n;e\nA;1.234;1.5\nB;5.678;2\n").frame["n"].tolist() == [1.234, 5.678]
    assert read("trust,n\nA,1.234\nB,5.678\n").frame["n"].tolist() == [1.234, 5.678]


def test_a_style_contradicted_far_below_the_first_rows_is_found():
    rows = "".join(f"T{n};{n}.5;\n" for n in range(500))
    table = read(f"trust;n;m\n{rows}X;7.5;1.234\nY;8.5;3,5\n")
    assert table.frame["n"].tolist()[-1] == 8.5
    assert table.frame["m"].dropna().tolist() == [1234, 3.5]


@pytest.mark.parametrize(
    ("mark", "lower", "upper"),
    [
        ("<5", 0, 4), ("< 5", 0, 4), ("≤4", 0, 4), ("<=4", 0, 4), ("fewer than 5", 0, 4), ("Less than 5", 0, 4),
        ("4 or fewer", 0, 4), ("1-4", 1, 4), ("1–4", 1, 4), ("1 to 4", 1, 4), ("between 1 and 4", 1, 4),
    ],
)  # fmt: skip
def test_withheld_counts_are_intervals(mark, lower, upper):
    frame, said = column("12", mark, "30", "8")
    assert list(frame.columns) == ["n", "n_lower", "n_upper"]
    assert np.isnan(frame["n"].iloc[1])
    assert (frame["n_lower"].iloc[1], frame["n_upper"].iloc[1]) == (lower, upper)
    assert frame["n_lower"].isna().tolist() == [True, False, True, True]
    assert said == ["suppressed"]


def test_a_zero_shown_elsewhere_says_that_a_withheld_count_is_none():
    frame, _ = column("12", "<5", "0")
    assert frame["n_lower"].iloc[1] == 1


def test_a_star_without_a_threshold_is_missing_and_said_even_beside_a_mark_that_has_one():
    assert column("12", "*", "30")[1] == ["suppressed without bounds"]
    frame, said = column("12", "*", "30", "<5")
    assert said == ["suppressed", "suppressed without bounds"]
    assert frame["n_upper"].isna().tolist() == [True, True, True, False]


@pytest.mark.parametrize(
    ("note", "upper"),
    [
        ("* fewer than 8 deaths", 7),
        ("* denotes a count of 1 to 7", 7),
        ("Counts below 8 are suppressed", None),
    ],
)
def test_a_threshold_that_the_notes_state_is_taken(note, upper):
    table = read(f"trust,department,observed\nA,x,12\nA,y,*\nB,x,0\n\n{note}\n")
    if upper is None:
        assert "suppressed without bounds" in codes(table)
    else:
        assert (table.frame["observed_lower"].iloc[1], table.frame["observed_upper"].iloc[1]) == (1, upper)


def test_bounds_that_the_file_has_are_not_overwritten():
    table = read("trust,observed,observed_lower,observed_upper\nA,*,1,7\nB,9,,\n")
    assert table.frame["observed_lower"].tolist()[0] == 1
    assert codes(table) == ["suppressed"]


def test_a_column_that_is_nearly_numbers_says_what_keeps_it_text():
    table = read("trust,observed\nA,1\nB,2\nC,3\nD,many\n")
    (said,) = table.readings
    assert (said.code, said.column, said.rows) == ("not numbers", "observed", (5,))
    assert "many" not in said.text  # notes outlive disclosure control


def test_notes_name_no_unit():
    table = read('trust,observed\nR0A,<5\nR0B,"1,234"\nR0C,12\nR0D,N/A\n')
    assert not any(
        unit in text for text in table.frame.attrs["notes"] for unit in ("R0A", "R0B", "R0D", "1234")
    )
