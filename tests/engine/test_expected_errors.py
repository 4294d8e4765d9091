"""Expected events that are known to be off: a part of a department's variance that is not the department's own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import brightspots as bs
from brightspots import DataError, SettingsError
from brightspots.data.cells import Cells
from brightspots.engine.integration.conditional import ConditionalPosterior
from brightspots.engine.integration.integrate import integrate
from brightspots.engine.integration.leave_one_out import leave_one_out
from brightspots.statistics.detectable import detectable_effects
from brightspots.statistics.ensemble import extremes
from brightspots.statistics.summaries import cell_summary, trust_summary
from tests.conftest import simulate_frame, table_of

OFF = 0.15
REACH = 1.1


def estimates(standard_error: float) -> Cells:
    """A table of 45 trusts, estimates with one standard error throughout."""
    rng = np.random.default_rng(4)
    frame = simulate_frame(45, 8, seed=4)
    effect = np.log(frame["observed"] + 0.5) - np.log(frame["expected"] + 0.5)
    frame = frame.assign(estimate=effect + rng.normal(0.0, 0.1, len(frame)), standard_error=standard_error)
    return table_of(frame, family="normal").cells


def test_an_error_of_estimates_is_a_larger_standard_error():
    """Without periods the two cannot be told apart, so that every estimand is the same in either way."""
    within = replace(estimates(0.2), expected_sd=np.full(360, OFF))
    beside = estimates(float(np.hypot(0.2, OFF)))
    (_, certificate), (other, _) = (integrate(cells, bs.Priors(), seed=1) for cells in (within, beside))
    assert certificate.ok, certificate.message
    one = ConditionalPosterior(within, other.shared, other.seed)
    ours, theirs = (cell_summary(posterior, REACH, 0.95) for posterior in (one, other))
    for name in ("peer", "own", "excess"):
        for part in ("point", "lower", "upper"):
            np.testing.assert_allclose(
                getattr(getattr(ours, name), part), getattr(getattr(theirs, name), part), atol=2e-3
            )
    for name in vars(ours):
        if name.startswith("p_") or name in ("own_sd", "reliability", "own_evidence", "peer_evidence"):
            np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), atol=2e-3, err_msg=name)
    for part, same in zip(leave_one_out(one), leave_one_out(other), strict=True):
        np.testing.assert_allclose(part, same, atol=2e-3)
    detectable = (
        detectable_effects(posterior.cells, posterior.shared, summary, np.log(REACH))
        for posterior, summary in ((one, ours), (other, theirs))
    )
    for part, same in zip(*detectable, strict=True):
        np.testing.assert_allclose(part, same, rtol=1e-3)
    trusts = [trust_summary(posterior, REACH, 0.95).rankability.point for posterior in (one, other)]
    assert trusts[0] == pytest.approx(trusts[1], abs=1e-6)
    tails = [extremes(posterior, 0.1).own_high for posterior in (one, other)]
    np.testing.assert_allclose(*tails, atol=0.002)


def off_by(frame: pd.DataFrame, sd: float, seed: int = 1) -> pd.DataFrame:
    """Expected events in which every department has an error of its own, the same in all its periods."""
    keys = frame["trust"].astype(str) + frame["department"].astype(str)
    code, labels = pd.factorize(keys)
    error = np.random.default_rng(seed).normal(0.0, sd, len(labels))
    return frame.assign(expected=frame["expected"] * np.exp(error[code]))


@pytest.mark.parametrize("periods", [None, 4])
def test_the_error_is_not_taken_for_the_departments(periods):
    """The standard deviation between departments is the true one, where without it the error would be in it."""
    nation = bs.simulate_nation(
        80, 12, periods, sd_department=0.15, mean_expected=300.0 if periods is None else 100.0, seed=2
    )
    frame = off_by(nation.cells, OFF)
    sds = [
        bs.fit_hierarchy(frame, seed=1, expected_sd=error).variance_partition()["sd"]["department"]
        for error in (None, OFF)
    ]
    assert sds[0] == pytest.approx(np.hypot(0.15, OFF), abs=0.02)
    assert sds[1] == pytest.approx(0.15, abs=0.02)


@pytest.mark.nuts
@pytest.mark.filterwarnings("ignore::brightspots.CertificateWarning")
@pytest.mark.parametrize("periods", [None, 3])
def test_the_sampled_model_has_the_same_effects(periods):
    """Means and standard deviations of department effects and σ's beside chains, with errors that differ."""
    frame = bs.simulate_nation(10, 5, periods, mean_expected=60.0, sd_department=0.25, seed=6).cells
    frame = off_by(frame, 0.2)
    frame["off"] = 0.1 * (pd.factorize(frame["department"])[0] % 4)
    computed, sampled = (
        bs.fit_hierarchy(frame, expected_sd="off", method=method, draws=8_000, seed=1)
        for method in ("integrate", "nuts")
    )
    for level in computed.effects.shared.sd:
        ours, theirs = (fit.effects.shared.sd[level] for fit in (computed, sampled))
        assert ours.mean() == pytest.approx(theirs.mean(), abs=0.1 * theirs.std()), level
    ours, theirs = (
        np.concatenate([block.department_effect for block in fit.effects.blocks()])
        for fit in (computed, sampled)
    )
    spread = theirs.std(axis=1)
    np.testing.assert_allclose((ours.mean(axis=1) - theirs.mean(axis=1)) / spread, 0.0, atol=0.1)
    np.testing.assert_allclose(ours.std(axis=1) / spread, 1.0, atol=0.1)


# ---- how it is said ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return simulate_frame(12, 5)


def test_a_number_is_a_column_of_it(frame):
    number = bs.fit_hierarchy(frame, expected_sd=0.1, seed=1)
    column = bs.fit_hierarchy(frame.assign(off=0.1), expected_sd="off", seed=1)
    pd.testing.assert_frame_equal(number.departments(), column.departments())
    assert "off" not in column.table.extras


def test_none_zero_and_a_column_of_zeros_are_the_same(frame):
    nothing, zero, zeros = (
        table_of(frame.assign(off=0.0), **options).cells
        for options in ({}, {"expected_sd": 0}, {"expected_sd": "off"})
    )
    assert nothing.expected_sd is zero.expected_sd is zeros.expected_sd is None


def test_an_error_of_expected_proportions_is_larger_on_the_log_odds(frame):
    """d logit(p) = d log(p)/(1 − p)."""
    people = frame.assign(denominator=1_000, expected=400.0, observed=400)
    assert table_of(people, denominator="denominator", expected_sd=0.1).cells.error_variance == pytest.approx(
        (0.1 / 0.6) ** 2
    )
    rare = people.assign(expected=1.0)
    assert table_of(rare, denominator="denominator", expected_sd=0.1).cells.error_variance == pytest.approx(
        0.01, rel=0.01
    )
    alone = people.drop(columns="expected")
    assert table_of(alone, denominator="denominator", expected_sd=0.1).cells.error_variance == pytest.approx(
        0.01
    )


@pytest.mark.parametrize("value", [-0.1, 10, float("nan"), float("inf"), True, [0.1]])
def test_what_cannot_be_one_is_refused(frame, value):
    with pytest.raises(SettingsError, match="expected_sd"):
        bs.fit_hierarchy(frame, expected_sd=value)


def test_estimates_and_models_without_departments_have_no_place_for_it(frame):
    estimate = frame.assign(estimate=0.1, standard_error=0.2)
    with pytest.raises(SettingsError, match=r"put it into the standard error"):
        bs.fit_hierarchy(estimate, family="normal", expected_sd=0.1)
    with pytest.raises(SettingsError, match=r"Priors\(department=None\)"):
        bs.fit_hierarchy(frame, expected_sd=0.1, priors=bs.Priors(department=None))


def test_a_column_at_fault_is_named_with_its_rows(frame):
    with pytest.raises(DataError, match="'error': is not in the data"):
        bs.fit_hierarchy(frame, expected_sd="error")
    percent = frame.assign(off=10.0)
    with pytest.raises(DataError, match=r"off.*rows 0, 1.*0 to 2.*not as percentages"):
        bs.fit_hierarchy(percent, expected_sd="off")
    with pytest.raises(DataError, match=r"off.*row 3"):
        bs.fit_hierarchy(frame.assign(off=np.where(frame.index == 3, np.nan, 0.1)), expected_sd="off")


def test_the_periods_of_a_department_share_the_error():
    nation = bs.simulate_nation(6, 4, 2, seed=1).cells
    differs = nation.assign(off=0.1 * nation["period"])
    with pytest.raises(DataError, match="differs between the rows of a department"):
        bs.fit_hierarchy(differs, expected_sd="off")
    pooled = bs.fit_hierarchy(nation.assign(off=0.1), expected_sd="off", period=False, seed=1)
    assert len(pooled.table.cells.expected_sd) == pooled.table.cells.n_cells


def test_it_is_said_saved_and_kept_by_a_suppressed_fit(frame, tmp_path):
    fit = bs.fit_hierarchy(frame, expected_sd=0.1, seed=1)
    assert "expected events are off by about 10% in each department" in repr(fit)
    fit.save(tmp_path / "fit.nc")
    again = bs.load_fit(tmp_path / "fit.nc")
    pd.testing.assert_frame_equal(again.departments(), fit.departments())
    np.testing.assert_array_equal(again.table.cells.expected_sd, fit.table.cells.expected_sd)
    hidden = fit.suppressed(below=7)
    np.testing.assert_array_equal(hidden.table.cells.expected_sd, 0.1)
    assert not any("expected_sd" in note for note in hidden.disclosed)
    varies = frame.assign(off=0.05 * (np.arange(len(frame)) % 3))
    noted = bs.fit_hierarchy(varies, expected_sd="off", seed=1).suppressed(below=7).disclosed
    assert sum("expected_sd" in note and "none follows from a count" in note for note in noted) == 1


def test_sensitivity_says_which_flags_survive():
    frame = bs.simulate_nation(40, 10, mean_expected=200.0, seed=3).cells
    fit = bs.fit_hierarchy(frame, seed=1)
    found, spots = fit.sensitivity(), fit.find_spots()
    flagged = len(spots.bright) + len(spots.dark)
    assert len(found.surviving) == flagged > 10
    kept = [int(found.surviving[f"survives_{size:g}"].sum()) for size in (0.05, 0.1)]
    assert flagged > kept[0] > kept[1]
    for size, survive in zip((0.05, 0.1), kept, strict=True):
        assert found.expected.loc[size, "lost"] == flagged - survive
        assert f"off by about {100 * size:g}%: {survive} of {flagged} flags survive" in repr(found)
        other = bs.fit_hierarchy(frame, expected_sd=size, seed=1).find_spots()
        assert found.expected.loc[size, "flagged"] == len(other.bright) + len(other.dark)
    assumed = bs.fit_hierarchy(frame, expected_sd=0.07, seed=1).sensitivity()
    assert list(assumed.expected.index) == [0.1]
