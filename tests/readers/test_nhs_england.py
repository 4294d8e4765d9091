"""NHS England: waits added up and checked against the publisher's own sums; SHMI with its official limits."""

from __future__ import annotations

import io
import zipfile

import pytest

from brightspots.common.errors import DataError, SettingsError
from brightspots.readers import read_cqc_ratings, read_nhs_rtt, read_nhs_shmi
from tests.readers.files import RTT_COLUMNS, SHMI_COLUMNS, WEEKS, rtt, shmi, write

RTT_ROWS = [
    rtt("RAA", "C_100", {0: 5, 17: 2, 18: 3, 20: 1}),
    rtt("RAA", "C_100", {3: 4, 20: 2}, commissioner="02B"),
    rtt("RAA", "C_320", {1: 7, 19: 1}),
    rtt("RAA", "C_999", {0: 5, 1: 7, 3: 4, 17: 2, 18: 3, 19: 1, 20: 3}),
    rtt("RBB", "C_320", {2: 6}),
    rtt("RBB", "C_999", {2: 6}),
    rtt("NT1", "C_100", {2: 9}, name="INDEPENDENT"),
    rtt("NT1", "C_999", {2: 9}, name="INDEPENDENT"),
    rtt("RAA", "C_100", {2: 50}, part="Part_1B"),
]


def text_of(rows, columns=RTT_COLUMNS):
    return write(columns, rows)


def read(rows, columns=RTT_COLUMNS, **options):
    return read_nhs_rtt(io.StringIO(text_of(rows, columns)), **options)


def test_waits_are_added_over_commissioners():
    cells = read(RTT_ROWS)
    assert cells.to_dict("list") == {
        "trust": ["RAA", "RAA", "RBB"],
        "trust_name": ["AN NHS TRUST"] * 3,
        "department": ["Cardiology Service", "General Surgery Service", "Cardiology Service"],
        "period": ["2026-01"] * 3,
        "observed": [1, 6, 0],
        "denominator": [8, 17, 6],
    }


def test_what_is_dropped_is_said():
    notes = " ".join(read(RTT_ROWS).attrs["notes"])
    assert "Dropped 1 row of other parts than Part_2" in notes
    assert "3 rows of all functions together (C_999)" in notes
    assert "Dropped 1 provider whose code is not R" in notes
    assert "9 of 40 patients" in notes
    assert "Added up 4 rows by commissioner into 3 cells." in notes


def test_every_provider_can_be_kept():
    assert read(RTT_ROWS, providers="all")["trust"].unique().tolist() == ["NT1", "RAA", "RBB"]
    with pytest.raises(SettingsError, match="providers must be 'nhs' or 'all'; received 'NHS'"):
        read(RTT_ROWS, providers="NHS")


def test_nhs_trusts_with_other_codes_are_named():
    rows = [
        *RTT_ROWS,
        *(rtt("TAD", code, {2: 3}, name="CARE NHS FOUNDATION TRUST") for code in ("C_100", "C_999")),
    ]
    assert any("among them TAD CARE NHS FOUNDATION TRUST" in note for note in read(rows).attrs["notes"])


def test_the_file_is_read_inside_its_zip(tmp_path):
    path = tmp_path / "extract.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("20260131-RTT.csv", text_of(RTT_ROWS))
    assert read_nhs_rtt(path).equals(read(RTT_ROWS))


def test_order_of_columns_and_rows_does_not_matter():
    assert read(RTT_ROWS[::-1], RTT_COLUMNS[::-1]).equals(read(RTT_ROWS))


def test_cells_in_which_nobody_waits_are_dropped_and_counted():
    cells = read([*RTT_ROWS, rtt("RBB", "C_100", {})])
    assert len(cells) == 3
    assert any("Dropped 1 cell in which nobody waits" in note for note in cells.attrs["notes"])


def test_a_file_cut_short_does_not_add_up():
    for lost in (0, 1, 2, 4):
        with pytest.raises(DataError, match="do not add up to the row of all of them"):
            read(RTT_ROWS[:lost] + RTT_ROWS[lost + 1 :])


def test_rows_there_twice_are_refused_even_where_the_sums_still_agree():
    both = [row for row in RTT_ROWS if row["Provider Org Code"] == "RBB"]
    with pytest.raises(DataError, match="appears more than once; rows line 6, line 7, line 11, line 12"):
        read([*RTT_ROWS, *both])


def test_a_comma_that_shifts_a_row_is_refused():
    text = text_of(RTT_ROWS).replace("AN NHS TRUST", "AN NHS, TRUST", 1)
    with pytest.raises(DataError, match="30 values that the header announces; row line 2"):
        read_nhs_rtt(io.StringIO(text))
    assert read_nhs_rtt(io.StringIO(text.replace("AN NHS, TRUST", '"AN NHS, TRUST"'))).equals(read(RTT_ROWS))


def test_a_column_called_total_alone_is_not_the_total():
    assert read([{**row, "Total": 999} for row in RTT_ROWS]).equals(read(RTT_ROWS))


def test_two_months_add_up_each_on_its_own():
    later = [{**row, "Period": "RTT-February-2026"} for row in RTT_ROWS]
    assert read([*RTT_ROWS, *later])["period"].value_counts().to_dict() == {"2026-01": 3, "2026-02": 3}
    with pytest.raises(DataError, match="do not add up"):
        read([*RTT_ROWS[1:], *later])


def test_a_function_of_several_names_has_the_last_one_and_says_so():
    cells = read([*RTT_ROWS[:4], {**RTT_ROWS[4], "Treatment Function Name": "Heart Service"}, *RTT_ROWS[5:]])
    assert set(cells["department"]) == {"Heart Service", "General Surgery Service"}
    assert "Used the last of several names for 1 treatment function (C_320)." in cells.attrs["notes"]


def test_without_rows_of_all_functions_the_check_is_said_to_be_missing():
    rows = [row for row in RTT_ROWS if row["Treatment Function Code"] != "C_999"]
    assert any("to check the sums with" in note for note in read(rows).attrs["notes"])


@pytest.mark.parametrize(
    ("spoilt", "message"),
    [
        ({"Total All": ""}, "a total is missing or not a whole number; row line 11"),
        ({"Total All": 3}, "fewer patients wait in all"),
        ({WEEKS[4]: "*"}, "a number of patients is not a whole number; row line 11"),
        ({WEEKS[4]: 1.5}, "a number of patients is not a whole number"),
        ({WEEKS[4]: -2}, "a number of patients is not a whole number"),
        ({"RTT Part Type": "Part_9"}, "not about any known part"),
    ],
)
def test_a_row_whose_meaning_is_not_certain_is_refused(spoilt, message):
    with pytest.raises(DataError, match=message):
        read([*RTT_ROWS, {**rtt("RCC", "C_100", {4: 5}), **spoilt}])


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        (3, "a total is missing or not a whole number; row line 12"),
        (10, "30 values that the header announces; row line 12"),
    ],
)
def test_a_row_whose_last_values_are_cut_off_is_refused(cut, message):
    text = text_of([*RTT_ROWS, rtt("RCC", "C_999", {4: 5}), rtt("RCC", "C_100", {4: 5})])
    with pytest.raises(DataError, match=message):
        read_nhs_rtt(io.StringIO(text[:-cut]))


def test_a_missing_week_is_refused():
    with pytest.raises(DataError, match="first 18 weeks are not complete"):
        read(RTT_ROWS, [name for name in RTT_COLUMNS if name != WEEKS[9]])


def test_files_about_something_else_are_refused():
    with pytest.raises(DataError, match="no row is about patients who are waiting"):
        read(RTT_ROWS[-1:])
    with pytest.raises(DataError, match="no provider has the code of an NHS trust"):
        read(RTT_ROWS[6:8])
    with pytest.raises(DataError, match="no column 'Total All'"):
        read(RTT_ROWS, [name for name in RTT_COLUMNS if name != "Total All"])


def read_shmi(rows, columns=SHMI_COLUMNS):
    return read_nhs_shmi(io.StringIO(write(columns, rows)))


def test_shmi_keeps_the_official_limits_and_banding():
    cells = read_shmi([shmi("RA1", 913, 768.4005, OD_BANDING=1), shmi("RA2", 1346, 1478.99, OD_BANDING=3)])
    assert cells["observed"].tolist() == [913, 1346]
    assert cells["expected"].tolist() == [768.4005, 1478.99]
    assert cells["denominator"].tolist() == [40000, 40000]
    assert cells["official_banding"].tolist() == ["higher than expected", "lower than expected"]
    official = cells[["official_poisson_lower", "official_poisson_upper", "official_lower", "official_upper"]]
    assert official.iloc[0].tolist() == [0.9, 1.1, 0.88, 1.13]


def test_shmi_of_later_years_has_other_names_and_no_date():
    renamed = {
        "PROVIDER": "PROVIDER_CODE", "PROVIDER NAME": "PROVIDER_NAME", "VALUE": "SHMI_VALUE",
        "OD_BANDING": "SHMI_BANDING", "DENOMINATOR": "SPELLS",
    }  # fmt: skip
    rows = [{renamed.get(name, name): value for name, value in shmi("RA1", 915, 770).items()}]
    columns = [renamed.get(name, name) for name in SHMI_COLUMNS if name != "DATE"]
    later, earlier = read_shmi(rows, columns), read_shmi([shmi("RA1", 915, 770)])
    assert later.equals(earlier.drop(columns="period"))


def test_names_that_a_publication_leaves_out_come_from_another_one():
    rows = [
        shmi("RA1", 900, 800, "2012-04-01"),
        shmi("RA1", 900, 800, "2012-07-01", **{"PROVIDER NAME": ""}),
        shmi("RA2", 900, 800, **{"PROVIDER NAME": ""}),
    ]
    cells = read_shmi(rows)
    assert cells["trust_name"].iloc[:2].tolist() == ["TRUST RA1", "TRUST RA1"]
    assert cells["trust_name"].isna().tolist() == [False, False, True]


def test_dates_are_read_day_first_and_names_are_the_latest():
    rows = [
        shmi("RA1", 900, 800, "01/10/2012", **{"PROVIDER NAME": "NEW NAME"}),
        shmi("RA1", 910, 800, "01/11/2011", **{"PROVIDER NAME": "OLD NAME"}),
    ]
    cells = read_shmi(rows)
    assert cells["period"].tolist() == ["2011-11-01", "2012-10-01"]
    assert cells["trust_name"].tolist() == ["NEW NAME", "NEW NAME"]
    with pytest.raises(DataError, match="a date is not a date; row line 2; expected day/month/year"):
        read_shmi([shmi("RA1", 900, 800, "10/31/2012"), rows[1]])
    spans = [shmi("RA1", 900, 800, "Oct 2018 - Sep 2019")]
    assert read_shmi(spans)["period"].tolist() == ["Oct 2018 - Sep 2019"]


def test_official_values_that_are_missing_are_counted():
    notes = read_shmi([shmi("RA1", 913, 768.4, OD_LL="-", OD_BANDING=""), shmi("RA2", 91, 80)]).attrs["notes"]
    assert "1 official value missing in the file." in notes
    assert "1 official banding missing in the file." in notes


def test_withheld_deaths_are_an_interval():
    cells = read_shmi([shmi("RA1", "*", 5.5), shmi("RA2", 90, 80)])
    assert cells["observed"].isna().tolist() == [True, False]
    assert cells["observed_lower"].tolist() == [1, 90]
    assert cells["observed_upper"].tolist() == [7, 90]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (shmi("RA1", 900, 800, VALUE=1.9), "published rate is not observed / expected deaths"),
        (shmi("RA1", 900, 0.0001, VALUE=""), None),
        (shmi("RA1", 900, -5.0, VALUE=""), "expected deaths are not positive"),
        (shmi("RA1", "few", 800), "not a number"),
        (shmi("RA1", 900, 800, OD_BANDING=4), "a banding is not known"),
        (shmi("RA2", 900, 800), "appears more than once"),
    ],
)
def test_a_shmi_row_whose_meaning_is_not_certain_is_refused(row, message):
    rows = [shmi("RA2", 91, 80), row]
    if message is None:
        assert len(read_shmi(rows)) == 2
    else:
        with pytest.raises(DataError, match=message):
            read_shmi(rows)


@pytest.mark.real
def test_the_published_waits_join_the_published_ratings(real_data):
    cells = read_nhs_rtt(real_data / "nhs_rtt_2026_01_full_extract.zip")
    assert len(cells) == 2404
    assert cells["trust"].nunique() == 149
    assert cells["department"].nunique() == 23
    assert (cells["observed"] <= cells["denominator"]).all()
    ratings = read_cqc_ratings(real_data / "cqc_provider_ratings_2013_2019.csv")
    assert cells.drop_duplicates("trust")["trust"].isin(ratings["trust"]).sum() == 146
    everyone = read_nhs_rtt(real_data / "nhs_rtt_2026_01_full_extract.zip", providers="all")
    assert everyone["trust"].nunique() == 515


@pytest.mark.real
def test_the_published_mortality(real_data):
    quarterly = read_nhs_shmi(real_data / "nhs_shmi_quarterly_2011_2012.csv")
    assert quarterly.groupby("period").size().tolist() == [147, 147, 147, 143, 142]
    yearly = read_nhs_shmi(real_data / "nhs_shmi_trust_2018_10_to_2019_09.csv")
    assert len(yearly) == 129
    assert "period" not in yearly
    assert any("rounded to 5" in note for note in yearly.attrs["notes"])
    assert not any("rounded to 5" in note for note in quarterly.attrs["notes"])
