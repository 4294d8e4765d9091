"""New York State: indicators that do not overlap, windows that do not overlap, one name a hospital."""

from __future__ import annotations

import io

import pandas as pd
import pytest

from brightspots.common.errors import DataError, SettingsError
from brightspots.readers import read_ny_cardiac, read_ny_iqi
from tests.readers.files import CARDIAC_COLUMNS, IQI_COLUMNS, cardiac, iqi, write

IQI_ROWS = [
    iqi(1, "IQI20", 2013, 200, 10, 40.0, name="OLD NAME"),
    iqi("0001", "IQI20", 2014, 250, 12, 44.0, name="NEW NAME"),
    iqi(1, "IQI15", 2014, 100, 5, 60.0, name="NEW NAME"),
    iqi(22, "IQI20", 2014, 90, 0, 30.0),
]


def read_iqi(rows, columns=IQI_COLUMNS, **options):
    return read_ny_iqi(io.StringIO(write(columns, rows)), **options)


def read_cardiac(rows, **options):
    return read_ny_cardiac(io.StringIO(write(CARDIAC_COLUMNS, rows)), **options)


def test_expected_deaths_come_from_rates_per_thousand():
    cells = read_iqi(IQI_ROWS)
    row = cells.query("trust == '0001' and department == 'Pneumonia' and period == 2013").iloc[0]
    assert row["observed"] == 10
    assert row["denominator"] == 200
    assert row["expected"] == pytest.approx(200 * 40 / 1000)
    assert cells.columns.tolist() == [
        "trust", "trust_name", "department", "period", "observed", "expected", "denominator",
    ]  # fmt: skip


def test_a_hospital_has_one_id_and_its_latest_name():
    cells = read_iqi(IQI_ROWS)
    assert cells["trust"].unique().tolist() == ["0001", "0022"]
    assert cells.loc[cells["trust"] == "0001", "trust_name"].unique().tolist() == ["NEW NAME"]
    assert any("several names for 1 hospital." in note for note in cells.attrs["notes"])


def test_statewide_rows_and_overlapping_indicators_are_dropped_and_counted():
    extra = [
        iqi(0, "IQI20", 2014, 9000, 300, "", name="Statewide"),
        {"Year": 2014, "Hospital Name": "National", "IQI Code": "IQI20", "Observed Rate": 30.1},
        iqi(1, "IQI32", 2014, 90, 4, 60.0),
        iqi(1, "IQI33", 2014, 90, 4, ""),
    ]
    cells = read_iqi(IQI_ROWS + extra)
    assert len(cells) == len(IQI_ROWS)
    notes = " ".join(cells.attrs["notes"])
    assert "2 rows of statewide and national rates" in notes
    assert "2 rows of indicators" in notes
    assert "(IQI32, IQI33)" in notes


@pytest.mark.parametrize("nothing", ["", ".", "N/A", "Not Available"])
def test_rows_without_an_expected_rate_are_dropped_and_counted(nothing):
    cells = read_iqi([*IQI_ROWS, iqi(3, "IQI20", 2014, 90, 4, nothing)])
    assert "Dropped 1 row without an expected rate." in cells.attrs["notes"]
    assert "0003" not in set(cells["trust"])


def test_years_can_be_chosen():
    cells = read_iqi(IQI_ROWS, years=[2013])
    assert cells["period"].tolist() == [2013]
    with pytest.raises(SettingsError, match=r"years \[1999\] are not in the file, which has \[2013, 2014\]"):
        read_iqi(IQI_ROWS, years=[1999])


def test_shuffled_columns_read_the_same():
    straight, shuffled = read_iqi(IQI_ROWS), read_iqi(IQI_ROWS[::-1], columns=IQI_COLUMNS[::-1])
    assert straight.equals(shuffled)


@pytest.mark.parametrize(
    ("spoilt", "message"),
    [
        ({"Observed Rate": 4.0}, "published rate is not deaths / cases × 1,000; row line 6"),
        ({"Numerator": "*"}, "missing or not a number"),
        ({"Numerator": 101}, "more deaths than cases"),
        ({"Total Cases": ""}, "missing or not a number"),
        ({"Expected Rate": 0}, "not between zero and all cases"),
        ({"Expected Rate": 1200}, "not between zero and all cases"),
        ({"Year": "14"}, "a year is not a year"),
        ({"Facility ID": ""}, "blank"),
    ],
)
def test_a_row_whose_meaning_is_not_certain_is_refused(spoilt, message):
    row = {**iqi(5, "IQI20", 2014, 100, 4, 60.0), **spoilt}
    with pytest.raises(DataError, match=message):
        read_iqi([*IQI_ROWS, row])


def test_the_same_cell_twice_is_refused():
    with pytest.raises(DataError, match="appears more than once; rows line 2, line 6"):
        read_iqi([*IQI_ROWS, iqi("001", "IQI20", 2013, 100, 4, 60.0)])


def test_a_file_with_none_of_the_indicators_is_refused():
    with pytest.raises(DataError, match="no rows are left"):
        read_iqi([iqi(1, "IQI33", 2014, 90, 4, "")])


CARDIAC_ROWS = [
    cardiac(1, "CABG", "2018", 200, 4),
    cardiac("0001", "CABG", "2019", 210, 3, flag="Rate significantly lower than Statewide Rate"),
    *(cardiac("0001", "TAVR", f"{start}-{start + 2}", 90, 3) for start in range(2012, 2018)),
    cardiac("0001", "All PCI", "2019", 500, 5),
    cardiac("0001", "Non-Emergency PCI", "2019", 400, 3),
    cardiac("0001", "Emergency PCI", "2017-2019", 100, 2),
    cardiac("0", "CABG", "2019", 9000, 100, flag="Statewide Rate", name="NYS - All Hospitals"),
]


def test_windows_that_overlap_are_never_both_kept():
    cells = read_cardiac(CARDIAC_ROWS)
    tavr = cells.loc[cells["department"] == "TAVR", "period"]
    assert tavr.tolist() == ["2014-2016", "2017-2019"]
    assert cells.loc[cells["department"] == "CABG", "period"].tolist() == ["2018", "2019"]
    assert any("Dropped 4 rows of years that overlap" in note for note in cells.attrs["notes"])


def test_cardiac_expected_deaths_come_from_percentages():
    cells = read_cardiac(CARDIAC_ROWS)
    row = cells.query("department == 'CABG' and period == '2018'").iloc[0]
    assert row["trust"] == "0001"
    assert row["expected"] == pytest.approx(4.0)
    assert row["official_comparison"] == "not different"
    assert row[["official_adjusted_rate", "official_lower", "official_upper"]].tolist() == [2.5, 0.5, 4.5]
    assert cells.query("period == '2019' and department == 'CABG'")["official_comparison"].item() == "lower"


def test_all_pci_is_read_only_when_asked_for_and_only_without_its_parts():
    assert "All PCI" not in set(read_cardiac(CARDIAC_ROWS)["department"])
    assert read_cardiac(CARDIAC_ROWS, procedures=["CABG", "All PCI"])["department"].unique().tolist() == [
        "All PCI",
        "CABG",
    ]
    with pytest.raises(SettingsError, match="All PCI contains the other kinds"):
        read_cardiac(CARDIAC_ROWS, procedures=["All PCI", "Emergency PCI"])
    with pytest.raises(SettingsError, match="procedures must be among"):
        read_cardiac(CARDIAC_ROWS, procedures=["CABBAGE"])


@pytest.mark.parametrize(
    ("spoilt", "message"),
    [
        ({"Comparison Results": "Fine"}, "official comparison is not one of the known ones"),
        ({"Year of Hospital Discharge": "19"}, "neither a year nor a span"),
        ({"Observed Mortality Rate": 20.0}, "not deaths / cases × 100"),
    ],
)
def test_a_cardiac_row_whose_meaning_is_not_certain_is_refused(spoilt, message):
    with pytest.raises(DataError, match=message):
        read_cardiac([*CARDIAC_ROWS, {**cardiac(9, "CABG", "2019", 100, 2), **spoilt}])


@pytest.mark.real
def test_the_published_indicators(real_data):
    cells = read_ny_iqi(real_data / "ny_iqi_2009_2014.csv")
    assert len(cells) == 6128
    assert cells["trust"].nunique() == 197
    assert cells["department"].nunique() == 11
    assert len(cells.drop_duplicates(["trust", "department"])) == 1156
    assert sorted(cells["period"].unique()) == list(range(2009, 2015))
    assert cells.groupby("trust")["trust_name"].nunique().eq(1).all()
    # Expected deaths stand on a national reference, so whole indicators lie off 1.
    sums = cells.groupby("department")[["observed", "expected"]].sum()
    ratio = sums["observed"] / sums["expected"]
    assert ratio.round(2).agg(["min", "max"]).tolist() == [0.47, 1.40]


@pytest.mark.real
def test_the_published_cardiac_file(real_data):
    path = real_data / "ny_cardiac_2008_2019.csv"
    cells = read_ny_cardiac(path)
    assert "Dropped 55 rows of statewide and national rates." in cells.attrs["notes"]
    windows = cells.loc[cells["department"] == "Valve or Valve/CABG", "period"].unique()
    assert windows.tolist() == ["2008-2010", "2011-2013", "2014-2016", "2017-2019"]
    # Of the 2,757 rows of hospitals 129 are officially higher and 93 lower; those that are kept keep their word.
    raw = pd.read_csv(path, dtype=str)
    raw = raw[raw["Comparison Results"] != "Statewide Rate"]
    assert raw["Comparison Results"].str.split().str[2].value_counts().to_dict() == {
        "different": 2535, "higher": 129, "lower": 93,
    }  # fmt: skip
    raw.index = pd.MultiIndex.from_arrays(
        [raw["Facility ID"].str.zfill(4), raw["Procedure"], raw["Year of Hospital Discharge"]]
    )
    said = raw["Comparison Results"].loc[
        list(zip(cells["trust"], cells["department"], cells["period"], strict=True))
    ]
    assert (said.str.contains("higher").to_numpy() == (cells["official_comparison"] == "higher")).all()
    assert (said.str.contains("lower").to_numpy() == (cells["official_comparison"] == "lower")).all()
    everything = read_ny_cardiac(path, procedures=["All PCI"])
    assert sorted(everything["period"].unique()) == [str(year) for year in range(2010, 2020)]
    # Some years pad the ids with zeros and others do not: 104 spellings are 70 hospitals.
    assert everything["trust"].nunique() == 70
