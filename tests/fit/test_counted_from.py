"""Counts that are in the data only because they are not small: read, fitted, compared with replicates of their kind."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pymc as pm
import pytest
from scipy import stats

import brightspots as bs
from brightspots.common.errors import DataError
from brightspots.engine.chains.pymc_model import build_model
from brightspots.engine.integration.leave_one_out import Prediction, tail_probability
from brightspots.likelihood.outcomes import Outcomes
from tests.conftest import simulate_frame, table_of, withhold

LEAST = 11


def shown(frame: pd.DataFrame) -> pd.DataFrame:
    """What a publisher who withholds small cells altogether lets others see."""
    return frame[frame["observed"] >= LEAST].assign(counted_from=LEAST)


def test_the_column_is_read_by_its_name():
    frame = shown(simulate_frame(12, 6, mean_expected=25.0))
    frame = frame.astype({"counted_from": float})
    frame.loc[frame.index[:3], "counted_from"] = [np.nan, 0, 5]
    cells = table_of(frame).cells
    assert sorted(cells.counted_from)[:3] == [0, 0, 5]
    assert table_of(frame.assign(counted_from=0)).cells.counted_from is None
    named = frame.rename(columns={"counted_from": "from"})
    assert table_of(named).cells.counted_from is None
    np.testing.assert_array_equal(table_of(named, counted_from="from").cells.counted_from, cells.counted_from)
    some = cells.only(np.array([2, 4]))
    np.testing.assert_array_equal(some.counted_from, cells.counted_from[[2, 4]])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([500.0], "below the smallest count that would be shown; row 0"),
        ([-1.0], "a smallest count is negative"),
        ([1.5], "a smallest count is fractional"),
    ],
)
def test_values_that_cannot_be_are_refused(values, message):
    frame = simulate_frame(12, 6).assign(counted_from=0.0)
    frame.loc[0, "counted_from"] = values[0]
    with pytest.raises(DataError, match=message):
        table_of(frame)


def test_truncated_counts_cannot_be_added_up():
    frame = shown(simulate_frame(12, 6, mean_expected=40.0))
    years = pd.concat([frame.assign(period=2020), frame.assign(period=2021)], ignore_index=True)
    with pytest.raises(DataError, match="rows with a smallest count cannot be added up"):
        table_of(years, period=False)


@pytest.mark.parametrize("family", ["poisson", "binomial"])
def test_the_pymc_model_has_the_same_density(family):
    frame = shown(simulate_frame(12, 6, mean_expected=25.0))
    options = {}
    if family == "binomial":
        frame["denominator"] = 400
        options = {"denominator": "denominator", "expected": None}
    shown_frame = withhold(frame, frame.index[3], 12, 400 if family == "binomial" else np.inf)
    shown_frame.iloc[5, shown_frame.columns.get_loc("counted_from")] = 0
    cells = table_of(shown_frame, family=family, **options).cells
    model = build_model(cells, bs.Priors())
    data_terms = [each for each in model.potentials if each.name.startswith(("observed", "counted"))]
    effects = [
        model[name] for name in ("intercept", "trust_effect", "department_type_effect", "department_effect")
    ]
    with model:
        outputs = model.replace_rvs_by_values([*data_terms, *effects])
        compiled = model.compile_fn(outputs, inputs=model.value_vars, on_unused_input="ignore")
    point, rng, differences = model.initial_point(), np.random.default_rng(1), []
    for _ in range(3):
        moved = {
            name: np.asarray(value + 0.1 * rng.normal(size=np.shape(value))) for name, value in point.items()
        }
        values = compiled(moved)
        intercept, trust, kind, department = values[len(data_terms) :]
        predictor = cells.offset + intercept + trust[cells.leaf_trust] + department[cells.leaf_cell]
        predictor = predictor + kind.ravel()[cells.leaf_type]
        ours = Outcomes.of(cells).derivatives(predictor[:, np.newaxis]).value.sum()
        differences.append(sum(values[: len(data_terms)]) - ours)
    np.testing.assert_allclose(differences, differences[0], atol=1e-6)  # the constants alone differ


# Chains of weakly known σ's mix slowly, which may cost the certificate; what is asserted is about the numbers.
@pytest.mark.nuts
@pytest.mark.filterwarnings("ignore::brightspots.CertificateWarning")
def test_the_engine_agrees_with_nuts():
    frame = shown(simulate_frame(40, 6, mean_expected=20.0))
    ours = bs.fit_hierarchy(frame, seed=1, method="integrate", draws=2_000).effects.shared
    theirs = bs.fit_hierarchy(frame, seed=1, method="nuts", draws=8_000).effects.shared
    for level in ("sd_trust", "sd_department", "intercept"):
        a, b = ours.scalars[level], theirs.scalars[level]
        assert abs(a.mean() - b.mean()) < 0.15 * b.std(), level


def test_surprise_compares_with_replicates_that_would_be_shown():
    cells = table_of(shown(simulate_frame(12, 6, mean_expected=12.0))).cells
    location, sd = np.log(cells.size)[:, None], np.full((cells.n_cells, 1), 0.3)
    found = tail_probability(cells, slice(0, cells.n_cells), Prediction(location, sd, np.zeros_like(sd)))
    rng = np.random.default_rng(3)
    for cell in (0, 5, 11):
        replicate = rng.poisson(np.exp(location[cell] + 0.3 * rng.normal(size=400_000)))
        replicate = replicate[replicate >= LEAST]
        seen = cells.lower[cell]
        by_hand = np.mean(replicate > seen) + 0.5 * np.mean(replicate == seen)
        assert found[cell, 0] == pytest.approx(by_hand, abs=0.01)


def selected_nations(sd_trust: float, sd_department: float, count: int):
    """Nations of many small departments, whole and as a publisher who withholds small cells shows them."""
    for seed in range(count):
        frame = simulate_frame(
            300,
            6,
            sd_trust=sd_trust,
            sd_department=sd_department,
            sd_type=0.04,
            mean_expected=16.0,
            seed=seed,
        )
        yield frame, shown(frame)


def test_what_dropping_small_counts_does_and_conditioning_mends():
    """σ's and the national level are biased by plain dropping, and recovered by the truncated likelihood."""
    sd_trust, sd_department = 0.1, 0.1
    found = []
    for whole, seen in selected_nations(sd_trust, sd_department, 3):
        assert 0.5 < len(seen) / len(whole) < 0.85
        row = []
        for table in (whole, seen.drop(columns="counted_from"), seen):
            shared = bs.fit_hierarchy(table, seed=1, method="integrate", draws=300).effects.shared
            row.append([shared.sd["trust"].mean(), shared.sd["department"].mean(), shared.intercept.mean()])
        found.append(row)
    whole, dropped, truncated = np.mean(found, axis=0)
    # Whole tables are what can be reached: conditioning comes close to them, dropping does not.
    assert abs(truncated[1] - whole[1]) < 0.5 * abs(dropped[1] - whole[1])
    assert dropped[1] < whole[1] - 0.01
    assert abs(truncated[1] - sd_department) < 0.02
    assert abs(truncated[2] - whole[2]) < 0.02
    assert dropped[2] > whole[2] + 0.03


@pytest.mark.real
def test_the_readmissions_say_from_where_they_are_counted(real_data):
    with pytest.warns(bs.DataWarning):
        cells = bs.read_cms_hrrp(real_data / "cms_hrrp_fy2026.csv")
    assert (cells["counted_from"] == LEAST).all()
    # Of the smallest cells the file has far more than are expected; given that they are shown, it has not.
    small = cells[cells["expected"] < 10]
    expected = small["expected"].to_numpy()
    given = expected * stats.poisson.sf(LEAST - 2, expected) / stats.poisson.sf(LEAST - 1, expected)
    assert small["observed"].sum() / expected.sum() == pytest.approx(1.47, abs=0.005)
    assert small["observed"].sum() / given.sum() == pytest.approx(1.0, abs=0.06)


def test_models_that_are_extended_carry_the_truncation():
    cells = table_of(shown(simulate_frame(12, 6, mean_expected=25.0))).cells
    model = build_model(cells, bs.Priors())
    assert isinstance(model, pm.Model)
    assert "counted_from" in [potential.name for potential in model.potentials]
