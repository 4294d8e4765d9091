"""CMS: withheld counts are never lost in silence, and the shrunken rates are never used."""

from __future__ import annotations

import io

import numpy as np
import pytest

from brightspots.common.errors import DataError, DataWarning
from brightspots.readers import read_cms_hrrp, read_cms_ratings
from tests.readers.files import HRRP_COLUMNS, STAR_COLUMNS, hrrp, write

COUNTED = [
    hrrp(10001, "AMI", 273, 33, "14.1948"),
    hrrp("450001", "HF", 100, 16),
    hrrp("450001", "PN", 200, 28),
]


def read(rows, columns=HRRP_COLUMNS):
    return read_cms_hrrp(io.StringIO(write(columns, rows)))


def read_stars(*ratings):
    rows = [
        {"Facility ID": f"{10001 + at}", "Hospital overall rating": stars} for at, stars in enumerate(ratings)
    ]
    return read_cms_ratings(io.StringIO(write(STAR_COLUMNS, rows)))


def test_expected_readmissions_come_from_the_expected_rate():
    cells = read(COUNTED)
    row = cells.iloc[0]
    assert row["trust"] == "010001"
    assert row["department"] == "Heart Attack"
    assert row["period"] == "2021-07-01/2024-06-30"
    assert row["observed"] == 33
    assert row["denominator"] == 273
    assert row["expected"] == pytest.approx(273 * 14.1948 / 100)


def test_the_shrunken_rate_has_no_influence():
    other = [{**row, "Predicted Readmission Rate": 1.0, "Excess Readmission Ratio": 7} for row in COUNTED]
    assert read(COUNTED).equals(read(other))


def test_cells_without_discharges_are_left_out_loudly():
    with pytest.warns(DataWarning, match="1 of 4 assessed cells were left out"):
        cells = read([*COUNTED, hrrp(10005, "HF", "", "")])
    assert len(cells) == 3
    assert any("look worse than they are" in note for note in cells.attrs["notes"])


@pytest.mark.parametrize("withheld", ["Too Few to Report", "", "N/A", "*"])
def test_withheld_counts_with_discharges_are_kept_as_intervals(withheld):
    cells = read([*COUNTED, hrrp(10005, "HF", 60, withheld), hrrp(10005, "AMI", 6, withheld)])
    hidden = cells[cells["trust"] == "010005"].set_index("department")
    assert hidden["observed"].isna().all()
    assert hidden["observed_lower"].tolist() == [0, 0]
    assert hidden["observed_upper"].to_dict() == {"Heart Failure": 10, "Heart Attack": 6}
    counted = cells[cells["trust"] != "010005"]
    np.testing.assert_array_equal(counted["observed_lower"], counted["observed"])
    np.testing.assert_array_equal(counted["observed_upper"], counted["observed"])


def test_withheld_discharges_are_no_discharges():
    with pytest.warns(DataWarning, match="1 of 4 assessed cells were left out"):
        cells = read([*COUNTED, hrrp(10005, "HF", "Too Few to Report", "Too Few to Report")])
    assert cells["counted_from"].tolist() == [
        11,
        11,
        11,
    ]  # the others are there because they are not that small
    assert cells.drop(columns="counted_from").equals(read(COUNTED))


@pytest.mark.parametrize("withheld", ["Too Few to Report", "", "*"])
def test_a_count_that_cannot_be_fewer_than_11_is_not_believed_to_be(withheld):
    with pytest.raises(
        DataError, match="more than 50 readmissions are expected, so that it cannot be fewer than 11"
    ):
        read([*COUNTED, hrrp(10005, "HF", 600, withheld)])


def test_cells_that_were_not_assessed_are_dropped_and_counted():
    cells = read([*COUNTED, hrrp(10005, "HF", "", "", ""), hrrp(10005, "PN", 0, "", "Not Available")])
    assert len(cells) == 3
    assert cells.attrs["notes"][0].startswith("Dropped 2 cells without an expected rate")
    assert "observed_lower" not in cells


def test_older_column_names_are_known():
    older = [name.replace("Facility", "Hospital") if name.endswith("Name") else name for name in HRRP_COLUMNS]
    older = ["Provider Number" if name == "Facility ID" else name for name in older]
    rows = [{**row, "Hospital Name": "HOSPITAL", "Provider Number": row["Facility ID"]} for row in COUNTED]
    assert read(rows, older).equals(read(COUNTED))


def test_a_file_without_dates_has_no_period():
    assert "period" not in read(COUNTED, [name for name in HRRP_COLUMNS if not name.endswith("Date")])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (hrrp(10005, "HF", 50, 51), "at least as many discharges"),
        (hrrp(10005, "HF", "", 20), "at least as many discharges"),
        (hrrp(10005, "HF", 50, 20, ""), "without an expected rate"),
        (hrrp(10005, "HF", 50, 20, 120), "not a percentage"),
        (hrrp(10005, "HF", 50, 20.5), "negative or fractional"),
        (hrrp(10005, "HF", 50, "about 20"), "not a number"),
        (hrrp(10005, "XYZ", 50, 20), "not one of the six"),
        (hrrp("010001", "AMI", 50, 20), "appears more than once"),
        ({**hrrp(10005, "HF", 50, 20), "End Date": "31/06/2024"}, "a date is not a date"),
    ],
)
def test_a_row_whose_meaning_is_not_certain_is_refused(row, message):
    with pytest.raises(DataError, match=message):
        read([*COUNTED, row])


def test_rates_on_another_scale_are_refused():
    with pytest.raises(DataError, match="77 readmissions were observed and 1 expected"):
        read([{**row, "Expected Readmission Rate": 0.15} for row in COUNTED])


def test_a_file_in_which_nothing_is_counted_is_refused():
    with pytest.raises(DataError, match="no cell has both"):
        read([hrrp(10005, "HF", "", "")])


def test_stars_are_whole_and_unrated_hospitals_are_missing():
    stars = read_stars("5", "Not Available", "1", "")
    assert stars["trust"].tolist() == ["010001", "010002", "010003", "010004"]
    assert stars["rating"].fillna(-1).tolist() == [5, -1, 1, -1]
    assert str(stars["rating"].dtype) == "Int64"
    assert stars.attrs["notes"] == ("2 of 4 hospitals have an overall rating; the others are missing.",)


@pytest.mark.parametrize("rating", ["6", "0", "3.5"])
def test_other_ratings_are_refused(rating):
    with pytest.raises(DataError, match="not one to five stars; row line 3"):
        read_stars("4", rating)


@pytest.mark.real
def test_the_published_readmissions_and_stars(real_data):
    with pytest.warns(DataWarning, match="3,683 of 11,720"):
        cells = read_cms_hrrp(real_data / "cms_hrrp_fy2026.csv")
    assert len(cells) == 8037
    assert cells["trust"].nunique() == 2477
    assert cells["department"].nunique() == 6
    assert cells["observed"].min() == 11
    stars = read_cms_ratings(real_data / "cms_hospital_general_information_2026.csv")
    assert stars["rating"].value_counts().to_dict() == {3: 987, 4: 950, 2: 662, 5: 384, 1: 199}
    joined = cells.drop_duplicates("trust")["trust"].isin(stars["trust"])
    assert joined.mean() > 0.997


@pytest.mark.real
def test_truncation_shows_where_little_is_expected_and_not_elsewhere(real_data):
    with pytest.warns(DataWarning):
        cells = read_cms_hrrp(real_data / "cms_hrrp_fy2026.csv")
    small, large = cells[cells["expected"] < 10], cells[cells["expected"] >= 25]
    assert small["observed"].sum() / small["expected"].sum() == pytest.approx(1.47, abs=0.005)
    assert large["observed"].sum() / large["expected"].sum() == pytest.approx(1.00, abs=0.005)
