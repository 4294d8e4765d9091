"""What data say of themselves: a rate taken for expected, estimates already shrunken, most trusts beyond chance."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import brightspots as bs
from brightspots import DataWarning
from brightspots.data.checks import beyond_chance, data_cautions, shrinkage
from brightspots.fit.fit_text import fit_html, fit_text
from brightspots.report.manifest import make_manifest
from brightspots.report.pack import compose
from brightspots.report.subject import Subject
from tests.conftest import simulate_frame, table_of
from tests.report.conftest import make_fit


def codes(cells) -> list[str]:
    return [caution.code for caution in data_cautions(cells)]


def counts(observed: float, expected: float, **more) -> pd.DataFrame:
    """Ten trusts of two departments, all alike."""
    keys = [(f"T{trust}", department) for trust in range(10) for department in "AB"]
    frame = pd.DataFrame(keys, columns=["trust", "department"])
    return frame.assign(observed=observed, expected=expected, **more)


# ---- expected that is something else ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("observed", "expected", "instead"),
    [
        (103, 1.0, "a rate, a percentage or a probability"),
        (103, 50.0, "a rate, a percentage or a probability"),
        (103, 5_000.0, "a population or a number of patients"),
        (103, 210.0, "a population or a number of patients"),
    ],
)
def test_a_national_ratio_outside_a_half_to_twice_is_doubted(observed, expected, instead):
    found = data_cautions(table_of(counts(observed, expected)).cells)
    caution = next(each for each in found if each.code == "national ratio")
    assert caution.is_doubt
    assert caution.text.startswith(f"2,060 events were observed and {20 * expected:,.3g}".split(" and ")[0])
    assert f"a ratio of {observed / expected:.3g} where 0.5 to 2 is usual" in caution.text
    assert instead in caution.text


@pytest.mark.parametrize("expected", [52.0, 103.0, 205.0])
def test_a_national_ratio_between_a_half_and_twice_is_nothing(expected):
    assert "national ratio" not in codes(table_of(counts(103, expected)).cells)


def test_a_ratio_that_chance_explains_is_nothing():
    """Three deaths against one expected are a ratio of 3, and no reason to doubt the expected."""
    frame = counts(0, 0.05)
    frame.loc[[0, 5, 9], "observed"] = 1
    assert codes(table_of(frame).cells) == []


def test_departments_may_differ_from_their_expected_while_the_total_does_not():
    frame = counts(100, 100.0)
    frame["expected"] = np.where(frame["department"] == "A", 40.0, 160.0)
    assert "national ratio" not in codes(table_of(frame).cells)


def test_binomial_counts_have_a_national_ratio_where_expected_is_given():
    frame = counts(60, 20.0, n=400)
    assert "national ratio" in codes(table_of(frame, denominator="n").cells)
    assert codes(table_of(frame.drop(columns="expected"), denominator="n", expected=None).cells) == []


def test_suppressed_counts_are_doubted_only_where_all_they_can_be_is():
    bounds = {"observed_lower": "least", "observed_upper": "most"}
    frame = counts(np.nan, 2.0, least=1, most=7)
    assert "national ratio" not in codes(table_of(frame, **bounds).cells)
    caution = data_cautions(table_of(frame.assign(expected=0.2), **bounds).cells)[0]
    assert "20 to 140 events were observed and 4 expected, a ratio of 5 to 35" in caution.text
    unbounded = frame.assign(expected=0.2, most=np.inf)
    assert "20 or more events were observed" in data_cautions(table_of(unbounded, **bounds).cells)[0].text


def test_counts_of_which_small_ones_are_absent_are_not_too_many_for_their_expected():
    """Poisson counts of mean 6, of which those below 11 are absent: twice as many as expected, and nothing wrong."""
    rng = np.random.default_rng(1)
    keys = [(f"T{trust:03d}", department) for trust in range(400) for department in "ABCDE"]
    frame = pd.DataFrame(keys, columns=["trust", "department"]).assign(
        observed=rng.poisson(6.0, 2_000), expected=6.0, counted_from=11
    )
    shown = frame[frame["observed"] >= 11]
    assert shown["observed"].sum() / shown["expected"].sum() > 1.9
    assert codes(table_of(shown, counted_from="counted_from").cells) == []
    wrong = shown.assign(expected=0.06)
    caution = data_cautions(table_of(wrong, counted_from="counted_from").cells)[0]
    ratio = float(caution.text.split("a ratio of ")[1].split(" ")[0])
    assert ratio == pytest.approx(100.0, rel=0.1)


# ---- estimates that a model has shrunken -----------------------------------------------------------------------


def estimates(n_trusts: int = 150, tau: float = 0.2, *, seed: int = 1, centre: float = 0.0) -> pd.DataFrame:
    """Honest estimates of eight departments: true values N(centre, tau²), errors over a wide range of sizes."""
    rng = np.random.default_rng(seed)
    keys = [(f"T{trust:03d}", f"D{department}") for trust in range(n_trusts) for department in range(8)]
    frame = pd.DataFrame(keys, columns=["trust", "department"])
    frame["error"] = 0.2 * np.exp(rng.normal(0.0, 0.5, len(frame)))
    truth = centre + tau * rng.normal(size=len(frame))
    return frame.assign(estimate=truth + frame["error"] * rng.normal(size=len(frame)))


def shrunken(honest: pd.DataFrame, tau: float = 0.2) -> pd.DataFrame:
    """What a normal-normal model publishes of them: posterior means and standard deviations."""
    kept = tau**2 / (tau**2 + honest["error"] ** 2)
    return honest.assign(estimate=kept * honest["estimate"], error=np.sqrt(kept) * honest["error"])


def cells_of(frame: pd.DataFrame):
    return table_of(frame, estimate="estimate", standard_error="error").cells


@pytest.mark.parametrize("scale", ["log ratio", "difference"])
def test_posterior_means_are_recognised_on_either_scale_and_honest_estimates_are_not(scale):
    honest = estimates()
    assert "shrunken estimates" not in codes(replace(cells_of(honest), estimate_scale=scale))
    found = data_cautions(replace(cells_of(shrunken(honest)), estimate_scale=scale))
    assert found[0].code == "shrunken estimates"
    assert found[0].is_doubt
    assert "rank correlation -0." in found[0].text


@pytest.mark.parametrize("tau", [0.0, 0.2, 5.0])
def test_honest_estimates_are_not_doubted_whatever_their_true_spread(tau):
    assert not {"shrunken estimates", "too alike"} & set(codes(cells_of(estimates(tau=tau, seed=7))))


def test_departments_with_larger_errors_and_less_spread_do_not_look_shrunken():
    """Where types differ in both, it is not within a type that deviations fall as errors grow."""
    frame = estimates(tau=0.0)
    kind = frame["department"].str[1:].astype(int)
    rng = np.random.default_rng(5)
    frame["error"] = 0.01 * (1 + kind)
    frame["estimate"] = rng.normal(size=len(frame)) * 2.0 / (1 + kind)
    assert "shrunken estimates" not in codes(cells_of(frame))


def test_proportions_about_a_half_do_not_look_shrunken_for_their_smaller_errors_at_the_ends():
    rng = np.random.default_rng(3)
    keys = [(f"T{trust:03d}", f"D{department}") for trust in range(250) for department in range(8)]
    frame = pd.DataFrame(keys, columns=["trust", "department"])
    p = 1.0 / (1.0 + np.exp(-rng.normal(0.0, 1.0, len(frame))))
    for whole in (1.0, 100.0):
        frame["estimate"], frame["error"] = whole * p, whole * np.sqrt(p * (1 - p) / 1_000)
        cells = cells_of(frame)
        correlation, _ = shrinkage(cells.lower, cells.size, cells.leaf_type, cells.leaf_trust)
        assert correlation < -0.9  # p(1 − p) alone
        assert "shrunken estimates" not in codes(cells)


def test_the_correlation_is_spearmans_within_a_type():
    rng = np.random.default_rng(2)
    estimate, error = rng.normal(size=200), rng.gamma(2.0, 1.0, 200)
    correlation, z = shrinkage(estimate, error, np.zeros(200, dtype=int), np.arange(200))
    away = (estimate - np.median(estimate)) ** 2
    assert correlation == pytest.approx(stats.spearmanr(away, error).statistic)
    assert z == pytest.approx(correlation * np.sqrt(200), rel=0.1)  # each estimate a trust of its own


def test_a_correlation_needs_something_that_varies():
    assert np.isnan(shrinkage(np.ones(20), np.ones(20), np.zeros(20, dtype=int), np.arange(20))).all()
    assert "shrunken estimates" not in codes(cells_of(estimates().assign(error=0.3)))


def test_standard_deviations_given_as_standard_errors_are_doubted():
    frame = estimates(tau=0.1)
    assert "too alike" in codes(cells_of(frame.assign(error=frame["error"] * 10)))


def test_ratios_given_as_log_ratios_are_doubted_aloud():
    frame = estimates(12, tau=0.05, centre=1.0).assign(error=0.1)
    frame["estimate"] = frame["estimate"].clip(0.3)
    columns = {"estimate": "estimate", "standard_error": "error", "seed": 1}
    with pytest.warns(DataWarning, match="all are positive and typically they are .*logarithm"):
        bs.fit_hierarchy(frame, **columns)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        bs.fit_hierarchy(frame, estimate_scale="log ratio", **columns)


# ---- beyond chance ---------------------------------------------------------------------------------------------


def test_counts_beyond_chance_are_those_whose_exact_tail_is_below_a_thousandth():
    observed = np.arange(0.0, 60.0)
    beyond = beyond_chance(observed, observed, np.full(60, 20.0))
    tails = [min(stats.poisson.cdf(n, 20), stats.poisson.sf(n - 1, 20)) < 0.001 for n in observed]
    assert beyond.tolist() == tails
    people = beyond_chance(observed, observed, np.full(60, 20.0), np.full(60, 80.0))
    tails = [min(stats.binom.cdf(n, 80, 0.25), stats.binom.sf(n - 1, 80, 0.25)) < 0.001 for n in observed]
    assert people.tolist() == tails


def test_a_suppressed_count_is_beyond_chance_only_where_all_of_its_interval_is():
    lower, upper = np.array([1.0, 1.0, 40.0]), np.array([7.0, np.inf, np.inf])
    assert beyond_chance(lower, upper, np.array([9.0, 30.0, 9.0])).tolist() == [False, False, True]


def test_it_is_stated_that_most_trusts_lie_beyond_chance():
    frame = counts(100, 100.0)
    frame.loc[frame["trust"] < "T6", "observed"] = 160
    frame.loc[frame["trust"] < "T3", "observed"] = 50
    (caution,) = data_cautions(table_of(frame).cells)
    assert caution.code == "outside plain limits"
    assert not caution.is_doubt
    assert caution.text.startswith(
        "6 of 10 trusts and 12 of 20 departments lie beyond the 99.8% limits of chance alone (plain Poisson limits "
        "about the expected events)"
    )
    frame.loc[frame["trust"] == "T5", "observed"] = 100
    assert codes(table_of(frame).cells) == []  # five of ten are not most


def test_proportions_and_estimates_have_plain_limits_about_their_national_levels():
    frame = counts(100, 100.0, n=1_000)
    frame.loc[frame["trust"] < "T3", "observed"] = 20
    frame.loc[frame["trust"] > "T6", "observed"] = 180
    said = data_cautions(table_of(frame, denominator="n", expected=None).cells)[0].text
    assert "plain binomial limits about the national level of each type of department" in said
    frame = estimates(20, tau=2.0)
    frame["estimate"] += np.where(frame["trust"] < "T010", -3.0, 3.0)
    said = data_cautions(cells_of(frame))[-1].text
    assert said.startswith("20 of 20 trusts and 145 of 160 departments")
    assert "normal limits about the national level" in said


# ---- where it is said ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wrong():
    """A fit whose expected events are a rate."""
    frame = simulate_frame(12, 6).drop(columns="rating")
    return make_fit(frame.assign(expected=frame["expected"] / 100))


def test_a_fit_says_it_in_text_html_manifest_and_pack(wrong):
    assert wrong.cautions[0].code == "national ratio"
    text = wrong.cautions[0].text
    assert f"CAUTION: {text}" in fit_text(wrong)
    assert "CAUTION: " in fit_html(wrong)
    manifest = make_manifest(wrong)
    assert manifest.cautions == wrong.cautions
    assert json.loads(manifest.as_json())["cautions"][0] == {"code": "national ratio", "text": text}
    document = compose(Subject.of(wrong, wrong.find_spots()))
    assert document.warning.startswith("Check the data before relying on these numbers: the expected events")
    paragraphs = {block.text: block.strong for block in document.sections[-1].blocks}
    assert paragraphs[f"About the data: {text}"] is True


def test_the_funnels_of_a_fit_say_what_is_doubtful_about_its_data(wrong):
    for limits in ("hierarchical", "exact"):
        said = bs.describe(wrong.plot_funnel(limits=limits))
        assert "events were observed and" in said
        assert "the expected events are probably something else" in said
    assert "probably something else" in bs.describe(wrong.plot_funnel("T003"))


def test_a_statement_stands_with_the_funnel_and_is_no_warning():
    frame = simulate_frame(12, 6).drop(columns="rating")
    factor = np.where(frame["trust"].str[1:].astype(int) % 2, 0.7, 1.4)
    fit = make_fit(
        frame.assign(observed=(frame["observed"] * 20 * factor).round(), expected=frame["expected"] * 20)
    )
    assert [caution.code for caution in fit.cautions] == ["outside plain limits"]
    document = compose(Subject.of(fit, fit.find_spots()))
    assert document.warning is None
    funnel = next(section for section in document.sections if section.kind == "funnel")
    assert funnel.blocks[-1].text == f"About the data: {fit.cautions[0].text}"
    assert f"Caution: {fit.cautions[0].text}" in fit_text(fit)


def test_a_fit_of_ordinary_data_says_nothing_of_the_kind():
    fit = make_fit(simulate_frame(12, 6))
    assert fit.cautions == ()
    assert "aution" not in fit_text(fit)
    assert make_manifest(fit).cautions == ()


def test_fitting_warns_at_the_line_that_called_and_names_the_outcome():
    frame = counts(103, 1.0)
    with pytest.warns(DataWarning, match=r"^2,060 events were observed and 20 expected") as caught:
        bs.fit_hierarchy(frame, seed=1)
    assert [each.filename for each in caught] == [__file__]
    both = pd.concat([frame.assign(outcome="deaths"), counts(103, 100.0).assign(outcome="falls")])
    with pytest.warns(DataWarning, match=r"^outcome deaths: 2,060 events") as caught:
        fits = bs.fit_hierarchy(both, outcome="outcome", seed=1)
    assert [each.filename for each in caught] == [__file__]
    assert fits.cautions["deaths"][0].code == "national ratio"
    assert fits.cautions["falls"] == ()
    assert "CAUTION: 2,060 events" in repr(fits)


@pytest.mark.real
def test_new_york_lies_beyond_chance_and_published_readmission_ratios_are_shrunken(real_data):
    new_york = bs.read_ny_iqi(real_data / "ny_iqi_2009_2014.csv")
    (said,) = data_cautions(table_of(new_york, period=False).cells)
    assert said.text.startswith("117 of 197 trusts lie beyond the 99.8% limits of chance alone")
    summed = new_york.groupby(["trust", "department"], as_index=False)[["observed", "expected"]].sum()
    summed["estimate"] = np.log((summed["observed"] + 0.5) / (summed["expected"] + 0.5))
    summed["error"] = (summed["observed"] + 0.5) ** -0.5
    assert codes(cells_of(summed.drop(columns=["observed", "expected"]))) == []
    published = pd.read_csv(real_data / "cms_hrrp_fy2026.csv", na_values=["N/A", "Too Few to Report"])
    columns = {
        "Facility ID": "trust", "Measure Name": "department", "Excess Readmission Ratio": "estimate",
        "Number of Discharges": "n", "Expected Readmission Rate": "rate",
    }  # fmt: skip
    published = published[list(columns)].rename(columns=columns)
    for name in ("estimate", "n", "rate"):
        published[name] = pd.to_numeric(published[name], errors="coerce")
    published = published.dropna().query("n > 0")
    published["estimate"] = np.log(published["estimate"])
    published["error"] = (published["n"] * published["rate"] / 100) ** -0.5
    found = data_cautions(cells_of(published[["trust", "department", "estimate", "error"]]))
    assert found[0].code == "shrunken estimates"
    assert "rank correlation -0.20" in found[0].text
