"""The façade: what goes in, what comes out, and the relations that must hold."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import brightspots as bs
from brightspots import DataError, Priors, SettingsError
from tests.conftest import simulate_frame

FRAME = simulate_frame(12, 5)
FEW = {"draws": 1_000, "seed": 1}
PROPERTY = settings(max_examples=5, deadline=None, derandomize=True)
SEEDS = st.integers(0, 2**32 - 1)


@functools.cache
def fitted() -> bs.HierarchyFit:
    return bs.fit_hierarchy(FRAME, **FEW)


@pytest.fixture
def fit() -> bs.HierarchyFit:
    return fitted()


@PROPERTY
@given(SEEDS)
def test_row_order_never_reaches_the_result(seed):
    fit = fitted()
    shuffled = bs.fit_hierarchy(FRAME.sample(frac=1.0, random_state=seed), **FEW)
    pd.testing.assert_frame_equal(shuffled.variance_partition(), fit.variance_partition())
    keys = ["trust", "department"]
    pd.testing.assert_frame_equal(
        shuffled.departments().sort_values(keys, ignore_index=True), fit.departments(), check_exact=True
    )


@pytest.mark.parametrize(
    "convert", [pl.from_pandas, pa.Table.from_pandas, lambda frame: frame.to_dict("list")]
)
def test_every_kind_of_table_gives_the_same_result(fit, convert):
    other = bs.fit_hierarchy(convert(FRAME), **FEW)
    pd.testing.assert_frame_equal(other.departments(), fit.departments(), check_exact=True)


@PROPERTY
@given(SEEDS)
def test_relabelling_changes_nothing_but_the_labels(seed):
    """Labels decide the order in which random numbers are dealt, so the agreement is within Monte Carlo error."""
    rng, fit = np.random.default_rng(seed), fitted()
    renamed = FRAME.copy()
    for key in ("trust", "department"):
        labels = FRAME[key].unique()
        renamed[key] = FRAME[key].map(dict(zip(labels, rng.permutation(labels), strict=True)))
    other = bs.fit_hierarchy(renamed, **FEW)
    ours, theirs = fit.departments(), other.departments()
    assert list(theirs["trust"]) == list(renamed["trust"])
    spread = np.log(ours["peer_ratio_upper"] / ours["peer_ratio_lower"]) / 3.92
    gap = np.abs(np.log(theirs["peer_ratio"] / ours["peer_ratio"])) / spread
    assert gap.max() < 0.15
    p = ours["p_own_high"]
    error = np.sqrt(2 * p * (1 - p) / FEW["draws"])
    assert np.all(np.abs(theirs["p_own_high"] - p) < 4.5 * error + 0.005)
    np.testing.assert_allclose(other.variance_partition()["sd"], fit.variance_partition()["sd"], rtol=0.1)


def test_shrunken_ratios_lie_between_raw_and_pooled(fit):
    """Each department's ratio is pulled from its own data towards what the rest of the model says of it.

    With one level the pull is towards the nation exactly; with trusts in between it is towards the trust's level.
    """
    alone = FRAME.groupby("trust", as_index=False)[["observed", "expected"]].sum().assign(department="all")
    priors = Priors(department=None, department_type=None)
    trusts = bs.fit_hierarchy(alone, priors=priors, **FEW)
    raw = np.log(alone["observed"] / alone["expected"])
    level = trusts.effects.shared.intercept.mean()
    shrunken = level + np.log(trusts.trusts()["trust_ratio"])
    between = (shrunken - level) * (raw - level)
    assert np.all(between > -1e-3)
    assert np.all(np.abs(shrunken - level) <= np.abs(raw - level) + 5e-3)


def test_departments_come_in_the_order_of_the_data_one_row_a_cell():
    years = pd.concat([FRAME.assign(period=2022), FRAME.iloc[::-1].assign(period=2021)])
    fit = bs.fit_hierarchy(years, **FEW)
    table = fit.departments()
    assert list(table["trust"]) == list(FRAME["trust"])
    assert list(table["department"]) == list(FRAME["department"])
    np.testing.assert_allclose(table["expected"], 2 * FRAME["expected"])
    assert list(fit.variance_partition().index) == ["trust", "department", "period"]
    assert list(fit.department_types().columns[:2]) == ["department", "period"]


def test_the_columns_of_the_contract_are_there(fit):
    contract = """
        trust department observed expected raw_ratio peer_ratio peer_ratio_lower peer_ratio_upper own_ratio
        own_ratio_lower own_ratio_upper excess excess_lower excess_upper p_peer_high p_peer_low p_own_high
        p_own_low reliability surprise detectable_ratio detectable_ratio_high detectable_ratio_low
    """
    assert set(fit.departments()) >= set(contract.split())
    assert list(fit.variance_partition()) == [
        "sd", "sd_lower", "sd_upper", "share", "share_lower", "share_upper",
        "median_ratio", "median_ratio_lower", "median_ratio_upper",
    ]  # fmt: skip
    assert 0 <= fit.variance_partition().attrs["p_department_exceeds_trust"] <= 1
    rankability, (lower, upper) = (
        fit.trusts().attrs[name] for name in ("rankability", "rankability_interval")
    )
    assert 0 <= lower < rankability < upper <= 1


def test_intervals_hold_their_points_and_nest(fit):
    table, narrow = fit.departments(), fit.departments(probability=0.5)
    for name in ("peer_ratio", "own_ratio", "excess"):
        assert np.all(table[f"{name}_lower"] <= narrow[f"{name}_lower"])
        assert np.all(narrow[f"{name}_lower"] <= table[name])
        assert np.all(table[name] <= table[f"{name}_upper"])


def test_the_posterior_is_a_tree_with_the_dims_of_the_contract(fit):
    posterior = fit.posterior["posterior"].to_dataset()
    assert posterior["trust_effect"].dims == ("chain", "draw", "trust")
    assert posterior["department_effect"].dims == ("chain", "draw", "cell")
    assert posterior["department_type_effect"].dims == ("chain", "draw", "department")
    assert posterior["sd_trust"].dims == ("chain", "draw")
    np.testing.assert_allclose(
        np.exp(posterior["trust_effect"].mean(("chain", "draw"))), fit.trusts()["trust_ratio"]
    )
    few = fit.draws(50)["posterior"].to_dataset()
    assert few.sizes["draw"] == 50


def test_arviz_takes_what_to_arviz_gives(fit):
    import arviz as az

    effective = az.ess(fit.to_arviz(), var_names=["sd_trust"])
    assert float(np.asarray(effective["sd_trust"])) > 100


def test_more_draws_than_there_are_is_an_error(fit):
    with pytest.raises(SettingsError, match="refit with draws="):
        fit.draws(10_000_000)


def test_one_hierarchy_per_outcome():
    both = pd.concat(
        [FRAME.assign(outcome="deaths"), FRAME.assign(outcome="readmissions", observed=FRAME["observed"] + 3)]
    )
    fits = bs.fit_hierarchy(both, outcome="outcome", **FEW)
    assert list(fits) == ["deaths", "readmissions"]
    alone = bs.fit_hierarchy(FRAME, **FEW)
    pd.testing.assert_frame_equal(fits["deaths"].departments(), alone.departments(), check_exact=True)
    assert list(fits.variance_partition().index.names) == ["outcome", "level"]
    assert len(fits.departments()) == 2 * len(FRAME)


def test_an_outcome_column_that_is_not_there_is_an_error():
    with pytest.raises(DataError, match="'outcome'"):
        bs.fit_hierarchy(FRAME, outcome="outcome")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"method": "mcmc"}, "method"),
        ({"family": "gamma"}, "family"),
        ({"higher_is": "good"}, "higher_is"),
        ({"draws": 0}, "draws"),
        ({"draws": 10.5}, "draws"),
        ({"seed": -1}, "seed"),
        ({"seed": "one"}, "seed"),
        ({"priors": {"trust": 1}}, "priors"),
        ({"period": True}, "period"),
    ],
    ids=str,
)
def test_arguments_that_cannot_be_used_are_named(arguments, named):
    with pytest.raises(SettingsError, match=named):
        bs.fit_hierarchy(FRAME, **arguments)


def test_a_misspelt_argument_is_an_error():
    with pytest.raises(TypeError, match="expcted"):
        bs.fit_hierarchy(FRAME, expcted="expected")


def test_the_text_says_sizes_partition_certificate_and_flags(fit):
    text = repr(fit)
    for said in (
        "12 trusts",
        "5 departments",
        "60 cells",
        "between trusts",
        "Certificate: integrate",
        "cannot tell",
    ):
        assert said in text
    assert len(text.splitlines()) < 20


def test_html_escapes_what_the_data_say():
    wicked = FRAME.replace({"trust": {"T000": "<script>alert(1)</script>"}}).assign(rating="<b>")
    spots = bs.fit_hierarchy(wicked.drop(columns="rating"), **FEW).find_spots(
        bs.SpotRule(fdr=0.9, min_probability=0.0)
    )
    html = spots.to_html()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_higher_is_better_swaps_bright_and_dark(fit):
    other = bs.fit_hierarchy(FRAME, higher_is="better", **FEW).find_spots()
    swap = {"dark spot": "bright spot", "bright spot": "dark spot"}
    assert list(other.table["status"]) == [
        swap.get(status, status) for status in fit.find_spots().table["status"]
    ]


@pytest.mark.nuts
@pytest.mark.filterwarnings("ignore::brightspots.CertificateWarning")
def test_the_engine_agrees_with_the_sampler(fit):
    sampled = bs.fit_hierarchy(FRAME, method="nuts", draws=8_000, seed=2)
    ours, theirs = fit.departments(), sampled.departments()
    spread = np.log(theirs["peer_ratio_upper"] / theirs["peer_ratio_lower"]) / 3.92
    gap = np.log(ours["peer_ratio"] / theirs["peer_ratio"]) / spread
    assert np.sqrt(np.mean(gap**2)) < 0.05
    assert np.sqrt(np.mean((ours["p_own_high"] - theirs["p_own_high"]) ** 2)) < 0.015
    np.testing.assert_allclose(ours["surprise"], theirs["surprise"], atol=0.03)
    np.testing.assert_allclose(fit.variance_partition()["sd"], sampled.variance_partition()["sd"], rtol=0.06)
