"""The spellings, dates, footers and layouts that publishers have used over the years, each in a small excerpt."""

from __future__ import annotations

import io

import pytest

from brightspots.common.errors import DataError, DataWarning
from brightspots.readers import (
    read_cms_hrrp,
    read_cms_ratings,
    read_cqc_ratings,
    read_nhs_rtt,
    read_nhs_shmi,
    read_ny_iqi,
)
from tests.readers import files, test_cms, test_nhs_england
from tests.readers.files import HRRP_COLUMNS, SHMI_COLUMNS, STAR_COLUMNS, hrrp, shmi, write
from tests.readers.publications import older_waits


def hrrp_text(rows, columns=HRRP_COLUMNS, **spellings):
    """A readmissions file whose headings are spelt as told."""
    return write([spellings.get(name.replace(" ", "_"), name) for name in columns], [
        {spellings.get(name.replace(" ", "_"), name): value for name, value in row.items()} for row in rows
    ])  # fmt: skip


def read_hrrp(text):
    return read_cms_hrrp(io.StringIO(text))


def dated(first, last):
    return [{**row, "Start Date": first, "End Date": last} for row in test_cms.COUNTED]


@pytest.mark.parametrize(
    ("facility", "name"),
    [
        ("Facility ID", "Facility Name"),  # since 2020
        ("Provider ID", "Hospital Name"),  # fiscal year 2019
        ("Provider Number", "Hospital Name"),  # fiscal years 2016 and 2017
        ("facility_id", "facility_name"),  # the provider data catalogue, through its interface
        ("Provider.Number", "Hospital.Name"),  # saved from R
    ],
)
def test_readmissions_under_the_headings_of_every_release(facility, name):
    text = hrrp_text(test_cms.COUNTED, Facility_ID=facility, Facility_Name=name)
    assert read_hrrp(text).equals(read_hrrp(hrrp_text(test_cms.COUNTED)))


def test_measures_with_underscores_are_those_with_hyphens():
    underscored = [
        {**row, "Measure Name": row["Measure Name"].replace("-", "_")}
        for row in [*test_cms.COUNTED, hrrp("450001", "HIP-KNEE", 300, 14, "4.6")]
    ]
    cells = read_hrrp(hrrp_text(underscored))
    assert cells["department"].tolist() == [
        "Heart Attack", "Heart Failure", "Hip/Knee Replacement", "Pneumonia",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("07/01/2014", "06/30/2017"),
        ("7/1/2014", "6/30/2017"),
        ("01-JUL-14", "30-JUN-17"),
        ("01-Jul-2014", "30-Jun-2017"),
        ("01JUL2014:00:00:00", "30JUN2017:00:00:00"),
        ("2014-07-01", "2017-06-30"),
        ("2014-07-01T00:00:00.000", "2017-06-30T00:00:00.000"),
        ("2014-07-01T00:00:00Z", "2017-06-30T00:00:00Z"),
        ("2014-07-01 00:00:00", "2017-06-30 00:00:00"),
        ("07/01/2014 12:00:00 AM", "06/30/2017 12:00:00 AM"),
        ("7/1/2014 0:00", "6/30/2017 0:00"),
    ],
)
def test_days_are_read_however_a_release_writes_them(first, last):
    assert read_hrrp(hrrp_text(dated(first, last)))["period"].unique().tolist() == ["2014-07-01/2017-06-30"]


@pytest.mark.parametrize(
    "first", ["2014-07-01T13:30:00", "13/01/2014", "01-JUX-14", "July 2014", "01-JUL-2014-1", "1-JULI-14"]
)
def test_what_is_no_day_is_refused_by_line(first):
    with pytest.raises(DataError, match="a date is not a date; rows line 2, line 3, line 4"):
        read_hrrp(hrrp_text(dated(first, "06/30/2017")))


@pytest.mark.parametrize(
    ("discharges", "rate", "readmissions"),
    [
        ("Not Available", "17.963", "Not Available"),  # fiscal year 2019
        ("Not Available", "17.963", "Too Few to Report"),  # 2016 and 2017
        ("N/A", "17.963", "Too Few to Report"),  # 2020 to 2024
        ("", "17.963", ""),  # 2026
    ],
)
def test_withheld_cells_of_every_release_are_left_out_loudly(discharges, rate, readmissions):
    rows = [*test_cms.COUNTED, hrrp("240064", "COPD", discharges, readmissions, rate)]
    with pytest.warns(DataWarning, match="1 of 4 assessed cells were left out"):
        assert len(read_hrrp(hrrp_text(rows))) == 3


@pytest.mark.parametrize(("discharges", "nothing"), [("0", "Not Available"), ("N/A", "N/A"), ("0.0", "")])
def test_cells_that_no_release_assessed_are_left_out(discharges, nothing):
    cells = read_hrrp(hrrp_text([*test_cms.COUNTED, hrrp("240064", "COPD", discharges, nothing, nothing)]))
    assert "Dropped 1 cell without an expected rate: not assessed." in cells.attrs["notes"]


def test_counts_that_went_through_a_database_are_whole_numbers():
    rows = [{**row, "Number of Discharges": f"{row['Number of Discharges']}.0"} for row in test_cms.COUNTED]
    assert read_hrrp(hrrp_text(rows)).equals(read_hrrp(hrrp_text(test_cms.COUNTED)))


def test_another_publication_of_readmissions_is_named_by_what_it_lacks():
    with pytest.raises(
        DataError, match=r"it has no column 'Number of Discharges', .*'Number of Readmissions'"
    ):
        read_hrrp(
            "Facility ID,Facility Name,Measure ID,Measure Name,Score\n010001,A,READM_30_HF,Heart failure,21.0\n"
        )


@pytest.mark.parametrize(
    ("facility", "rating"),
    [
        ("Facility ID", "Hospital overall rating"),
        ("Provider ID", "Hospital overall rating"),
        ("Provider.ID", "Hospital.overall.rating"),
        ("facility_id", "hospital_overall_rating"),
    ],
)
def test_stars_under_the_headings_of_every_release(facility, rating):
    text = f"{facility},{rating},{rating} footnote,Location\n10001,3,,\n650003,Not Available,16,\n"
    stars = read_cms_ratings(io.StringIO(text))
    assert stars["trust"].tolist() == ["010001", "650003"]
    assert stars["rating"].fillna(-1).tolist() == [3, -1]


def test_a_last_row_that_ends_in_a_blank_column_that_is_not_read_is_whole():
    text = "Provider ID,Hospital overall rating,Location\n10001,3,\n10005,2,"
    stars = read_cms_ratings(io.StringIO(text))
    assert stars["rating"].tolist() == [3, 2]
    assert any("line 3 may be cut short" in note for note in stars.attrs["notes"])


COPYRIGHT = (
    ",,,,,,,,,,,\r\n"
    '"Copyright © 2013, Health and Social Care Information Centre. All Rights Reserved",,,,,,,,,,,\r\n'
)
SHMI_ROWS = [shmi("RA1", 913, 768.4005), shmi("RA2", 1346, 1478.9925)]


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_a_row_of_commas_and_a_copyright_line_below_the_table_are_left_out_and_said(encoding):
    text = write(SHMI_COLUMNS, SHMI_ROWS)
    cells = read_nhs_shmi(io.BytesIO((text + COPYRIGHT).encode(encoding)))
    assert cells.equals(read_nhs_shmi(io.StringIO(text)))
    assert "Line 5 is below the table (source, copyright or notes), and left out." in cells.attrs["notes"]


def test_a_copyright_sign_of_another_encoding_does_not_spoil_the_names():
    rows = [*SHMI_ROWS, shmi("RA3", 90, 80, **{"PROVIDER NAME": "YSBYTY CÔR"})]
    content = write(SHMI_COLUMNS, rows).encode() + COPYRIGHT.encode("cp1252")
    cells = read_nhs_shmi(io.BytesIO(content))
    assert cells["trust_name"].iloc[2] == "YSBYTY CÔR"
    assert any(
        note.startswith("Line 6 is not valid UTF-8, as the others are, and read as Windows-1252")
        for note in cells.attrs["notes"]
    )


HISTORICAL = (
    "TIME_PERIOD,PUBLICATION_MONTH,PROVIDER_CODE,PROVIDER_NAME,SHMI_VALUE,SHMI_BANDING,SPELLS,OBSERVED,EXPECTED,"
    "OD_LL,OD_UL\n"
    "APR22_MAR23,AUG_23,RA1,A TRUST,1.1882,1.0,18730,915,770.0,0.87,1.15\n"
    "MAY22_APR23,SEP_23,RA1,A TRUST,**,**,18740,1145,1000.0,**,**\n"
)


def test_windows_of_twelve_months_are_their_first_and_last_day_and_overlap():
    cells = read_nhs_shmi(io.StringIO(HISTORICAL))
    assert cells["period"].tolist() == ["2022-04-01/2023-03-31", "2022-05-01/2023-04-30"]
    assert cells["official_banding"].iloc[0] == "higher than expected"
    assert cells["official_banding"].isna().tolist() == [False, True]
    assert cells["official_lower"].isna().tolist() == [False, True]
    notes = " ".join(cells.attrs["notes"])
    assert "periods must not be added up" in notes
    assert "3 official values missing in the file." in notes


def test_the_sheet_of_the_shmi_workbook_saved_as_csv_has_cover_rows_and_words():
    text = (
        "Summary Hospital-level Mortality Indicator (SHMI),,,,,,\n,,,,,,\n"
        "Reporting period:,July 2020 to June 2021,,,,,\n"
        "Provider code,Provider name,SHMI value,SHMI banding,Number of spells,Observed deaths,Expected deaths\n"
        'RA1,A TRUST,1.1883,Higher than expected,"18,730",915,770\n'
        'RA2,B TRUST,0.9101,As expected,"43,925","1,345",1478\n'
        "Source: NHS Digital,,,,,,\n"
    )
    cells = read_nhs_shmi(io.StringIO(text))
    assert cells["observed"].tolist() == [915, 1345]
    assert cells["denominator"].tolist() == [18730, 43925]
    assert cells["official_banding"].tolist() == ["higher than expected", "as expected"]
    assert cells.attrs["notes"][:2] == (
        "Lines 1 and 3 are above the header of the table, and left out.",
        "Line 7 is below the table (source, copyright or notes), and left out.",
    )


@pytest.mark.parametrize(
    ("column", "what"), [("SITE_CODE", "by hospital site"), ("DIAGNOSIS_GROUP", "by diagnosis group")]
)
def test_the_shmi_of_parts_of_a_trust_is_refused_by_name(column, what):
    rows = [{**row, column: "X"} for row in SHMI_ROWS]
    with pytest.raises(DataError, match=f"column '{column}': this is the SHMI {what}"):
        read_nhs_shmi(io.StringIO(write([*SHMI_COLUMNS, column], rows)))


def test_england_is_no_trust():
    rows = [*SHMI_ROWS, shmi("ENGLAND", 2259, 2247.393)]
    cells = read_nhs_shmi(io.StringIO(write(SHMI_COLUMNS, rows)))
    assert cells["trust"].tolist() == ["RA1", "RA2"]
    assert "Dropped 1 row of England as a whole." in cells.attrs["notes"]


@pytest.mark.parametrize(
    "spelt",
    [
        {},
        {"month": "JAN"},
        # July 2016: the code stands under "Name".
        {"code": "Treatment Function Name", "name": "Treatment Function Description"},
    ],
)
def test_waits_of_before_october_2017(spelt):
    cells = read_nhs_rtt(io.StringIO(older_waits(test_nhs_england.RTT_ROWS, **spelt)))
    assert cells.equals(test_nhs_england.read(test_nhs_england.RTT_ROWS))
    assert cells.attrs["notes"][0] == "Line 1 is above the header of the table, and left out."


@pytest.mark.parametrize(
    ("year", "month", "period"),
    [("2016-17", "MAY", "2016-05"), ("2016-17", "March", "2017-03"), ("2015/16", "SEPT", "2015-09")],
)
def test_a_month_of_a_financial_year_is_one_of_a_calendar_year(year, month, period):
    text = older_waits(test_nhs_england.RTT_ROWS, year=year, month=month)
    assert read_nhs_rtt(io.StringIO(text))["period"].unique().tolist() == [period]


@pytest.mark.parametrize(
    ("year", "month"), [("2016-18", "MAY"), ("2016", "MAY"), ("2016-17", "Q1"), ("2016-17", "")]
)
def test_what_is_no_month_of_a_financial_year_is_refused_by_line(year, month):
    with pytest.raises(DataError, match="a month is not a month of a financial year; rows line 4, line 5"):
        read_nhs_rtt(io.StringIO(older_waits(test_nhs_england.RTT_ROWS, year=year, month=month)))


@pytest.mark.parametrize("written", ["RTT-APRIL-2022", "RTT-Apr-2022", "rtt_april_2022"])
def test_months_of_the_waits_in_any_spelling(written):
    rows = [{**row, "Period": written} for row in test_nhs_england.RTT_ROWS]
    assert test_nhs_england.read(rows)["period"].unique().tolist() == ["2022-04"]


def test_lines_below_the_waits_are_left_out_and_their_lines_named():
    text = test_nhs_england.text_of(test_nhs_england.RTT_ROWS)
    width = len(files.RTT_COLUMNS)
    cells = read_nhs_rtt(
        io.StringIO(text + "," * (width - 1) + "\r\nSource: NHS England, monthly return\r\n")
    )
    assert cells.equals(test_nhs_england.read(test_nhs_england.RTT_ROWS))
    assert "Line 12 is below the table (source, copyright or notes), and left out." in cells.attrs["notes"]


def test_two_columns_for_one_week_are_refused():
    twice = [*files.RTT_COLUMNS, files.WEEKS[4]]
    with pytest.raises(DataError, match="two columns count the patients of one week"):
        test_nhs_england.read(test_nhs_england.RTT_ROWS, twice)


@pytest.mark.parametrize("question", ["Domain", "Key Question"])
def test_ratings_of_the_monthly_sheet_of_providers(question):
    text = (
        f"Provider ID,Provider Name,Service / Population Group,{question},Latest Rating,Publication Date,Report Type\n"
        "RA1,A TRUST,Overall,Overall,Good,2018-12-21T00:00:00,Provider\n"
        "RA1,A TRUST,Overall,Safe,Inadequate,21/12/2018,Provider\n"
    )
    ratings = read_cqc_ratings(io.StringIO(text))
    assert ratings[["trust", "rating"]].to_numpy().tolist() == [["RA1", "Good"]]


def test_ratings_of_locations_are_not_those_of_providers():
    text = (
        "Location ID,Provider ID,Service / Population Group,Domain,Latest Rating,Publication Date\n"
        "RA101,RA1,Overall,Overall,Good,21/12/2018\n"
    )
    with pytest.raises(
        DataError, match=r"column 'Location ID': this is the ratings of locations \(the sheet Locations\)"
    ):
        read_cqc_ratings(io.StringIO(text))


def test_new_york_through_its_interface_has_small_letters_and_underscores():
    rows = [files.iqi(1, "IQI15", 2014, 498, 37, 47.2)]
    text = write(files.IQI_COLUMNS, rows)
    small = text.replace(text.splitlines()[0], text.splitlines()[0].lower().replace(" ", "_"))
    assert read_ny_iqi(io.StringIO(small)).equals(read_ny_iqi(io.StringIO(text)))


def test_one_star_column_alone_is_enough_of_a_header():
    assert len(read_cms_ratings(io.StringIO(write(STAR_COLUMNS, [{"Facility ID": "10001"}])))) == 1
