"""Detectable effects: by side, against brute force, and with the stated power where effects are planted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import special, stats

import brightspots as bs
from brightspots.common.settings import Priors
from brightspots.engine.integration.conditional import ConditionalPosterior
from brightspots.engine.integration.leave_one_out import _predict
from brightspots.likelihood.families import BINOMIAL, POISSON, family_of
from brightspots.simulate.nation import Nation, simulate_nation
from brightspots.statistics import contrasts, summaries
from brightspots.statistics.detectable import _effect, _needed_outcome, detectable_effects
from brightspots.statistics.left_out import Cavity, cavities
from tests.conftest import simulate_frame, table_of

MARGIN = float(np.log(1.1))


def cavity_of(**values: float) -> Cavity:
    """One set of variances, one cell, of which little but D is unknown."""
    known = {"location": 0.0, "variance": 0.05, "contrast": 0.0, "slope": 0.9, "rest": 0.004, "level": 0.0}
    return Cavity(**{name: np.array([[x]]) for name, x in (known | {"spread": 0.01} | values).items()})


def exceedance(cavity: Cavity, side: float, log_likelihood) -> float:
    """P(D beyond the margin | outcome), by brute force over t."""
    at = np.linspace(-12, 12, 100_001)
    weight = stats.norm.logpdf(at, cavity.location[0, 0], np.sqrt(cavity.variance[0, 0])) + log_likelihood(at)
    mean = cavity.contrast[0, 0] + cavity.slope[0, 0] * (at - cavity.location[0, 0])
    beyond = stats.norm.sf((MARGIN - side * mean) / np.sqrt(cavity.rest[0, 0]))
    return float(np.sum(special.softmax(weight) * beyond))


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("level", [1.5, 3.0, 6.0])
def test_the_count_needed_is_the_first_that_would_be_flagged(side, level):
    cavity = cavity_of(location=level, level=level)
    count = _needed_outcome(POISSON, np.ones(1), cavity, np.ones(1), side, MARGIN, 0.9)[0]
    if np.isnan(count) or count < 0:
        assert side < 0
        assert exceedance(cavity, side, lambda t: -np.exp(t)) < 0.9
        return
    assert exceedance(cavity, side, lambda t: count * t - np.exp(t)) == pytest.approx(0.9, abs=0.005)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_the_count_needed_of_a_proportion(side):
    cavity = cavity_of(location=-2.0, level=-2.0)
    count = _needed_outcome(BINOMIAL, np.array([800.0]), cavity, np.ones(1), side, MARGIN, 0.9)[0]
    found = exceedance(cavity, side, lambda t: count * t - 800 * np.logaddexp(0, t))
    assert found == pytest.approx(0.9, abs=0.005)


def test_standard_deviations_that_are_not_known_are_averaged_over_as_likely_as_the_count_makes_them():
    narrow, wide = cavity_of(location=3.0, variance=0.03), cavity_of(location=3.0, variance=0.2, slope=0.97)
    both = Cavity(
        *(np.concatenate(pair) for pair in zip(vars(narrow).values(), vars(wide).values(), strict=True))
    )
    was = 22.0
    count = _needed_outcome(POISSON, np.ones(1), both, np.array([was]), 1.0, MARGIN, 0.9)[0]
    at = np.linspace(-2, 7, 20_001)

    def marginal(cavity: Cavity, seen: float) -> float:
        prior = stats.norm.pdf(at, 3.0, np.sqrt(cavity.variance[0, 0]))
        return float(np.sum(prior * np.exp(seen * (at - 3.0) - np.exp(at))))

    likely = np.array([marginal(each, count) / marginal(each, was) for each in (narrow, wide)])
    found = [exceedance(each, 1.0, lambda t: count * t - np.exp(t)) for each in (narrow, wide)]
    assert likely @ found / likely.sum() == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize(("family", "level"), [("poisson", 2.5), ("poisson", 5.0), ("binomial", -1.5)])
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_the_effect_shows_an_outcome_that_is_flagged_four_times_in_five(family, level, side):
    """Simulated: the department's predictor is that of its comparison, which is not known exactly, plus the effect."""
    cells = _one_cell(family)
    cavity = cavity_of(location=level, level=level)
    effect = _effect(cells, cavity, side, MARGIN, 0.9, 0.8)[0]
    needed = _needed_outcome(family_of(family), np.array([400.0]), cavity, np.ones(1), side, MARGIN, 0.9)[0]
    rng = np.random.default_rng(1)
    predictor = level + effect + rng.normal(0, 0.1, 400_000)
    poisson = family == "poisson"
    count = rng.poisson(np.exp(predictor)) if poisson else rng.binomial(400, special.expit(predictor))
    flagged = count >= needed if side > 0 else count <= needed
    assert flagged.mean() == pytest.approx(0.8, abs=0.005)


def _one_cell(family: str):
    frame = simulate_frame(2, 2).assign(denominator=400)
    cells = table_of(frame, **({"denominator": "denominator"} if family == "binomial" else {})).cells
    assert cells.family.name == family
    return cells.only(np.array([0]))


def test_none_is_never_enough_where_few_events_are_expected_and_many_may_be():
    effects = detectable_of(simulate_frame(40, 6, mean_expected=6.0))
    assert np.mean(np.isneginf(effects.low)) > 0.8
    assert np.isfinite(effects.high).all()
    assert (effects.high > MARGIN).all()


def test_more_data_detect_less_on_either_side():
    frames = [simulate_frame(40, 6, mean_expected=mean) for mean in (30.0, 300.0)]
    few, many = (detectable_of(frame) for frame in frames)
    assert np.median(few.high) > np.median(many.high) > MARGIN
    assert np.median(few.low) < np.median(many.low) < -MARGIN
    # Fewer events say less than more: the low side is the further one.
    assert np.median(-few.low) > np.median(few.high)


def detectable_of(frame, **options):
    fit = bs.fit_hierarchy(frame, seed=1)
    summary = summaries.cell_summary(fit.effects, 1.1, 0.95)
    return detectable_effects(fit.table.cells, fit.effects.shared, summary, MARGIN, **options)


def test_what_is_needed_moves_what_is_detected():
    frame = simulate_frame(30, 5, mean_expected=100.0)
    strict, usual, lax = (detectable_of(frame, needed=needed) for needed in (0.99, 0.95, 0.8))
    for surer, less_sure in ((strict, usual), (usual, lax), (detectable_of(frame, power=0.9), usual)):
        assert (surer.high > less_sure.high).all()
        assert (surer.low <= less_sure.low).all()


def test_a_trusts_only_department_has_none_and_departments_that_do_not_differ_cannot_be_found():
    frame = simulate_frame(12, 4)
    frame = frame[(frame["trust"] != "T000") | (frame["department"] == "D00")]
    table = bs.fit_hierarchy(frame, seed=1).departments()
    alone = table["trust"] == "T000"
    sides = [f"detectable_ratio{side}" for side in ("", "_high", "_low")]
    assert table.loc[alone, sides].isna().all().all()
    assert table.loc[~alone, sides].notna().all().all()
    trusts_only = bs.fit_hierarchy(frame, priors=Priors(department=None), seed=1).departments()[~alone]
    assert np.isposinf(trusts_only["detectable_ratio_high"]).all()
    assert (trusts_only["detectable_ratio_low"] == 0.0).all()


def test_the_one_without_a_side_is_that_of_the_dark_side():
    frame = simulate_frame(20, 5)
    for higher_is, side in (("worse", "high"), ("better", "low")):
        fit = bs.fit_hierarchy(frame, seed=1, higher_is=higher_is)
        for table in (fit.departments(), fit.find_spots().table):
            np.testing.assert_array_equal(table["detectable_ratio"], table[f"detectable_ratio_{side}"])


def test_a_count_that_would_be_withheld_is_not_flagged():
    """Counts of 1 to 9 come back as an interval: what is needed moves out of it, on either side."""
    frame = simulate_frame(30, 6, mean_expected=25.0).astype({"observed": float})
    small = frame["observed"].between(1, 9)
    at = small.to_numpy()
    effects, levels = (
        of(
            frame.assign(
                observed=frame["observed"].mask(small),
                observed_lower=frame["observed"].mask(small, 1),
                observed_upper=frame["observed"].mask(small, 9),
            )
        )
        for of in (detectable_of, cavities_of)
    )
    level = levels.level.mean(axis=0)[at]
    # Above: at least ten, with a probability of 0.8. Below: none.
    assert (np.exp(level + effects.high[at]) > stats.gamma.ppf(0.8, 10)).all()
    assert (np.exp(level + effects.low[at]) < 1.05 * stats.gamma.ppf(0.2, 1)).all()


def cavities_of(frame) -> Cavity:
    fit = bs.fit_hierarchy(frame, seed=1)
    return cavities(fit.table.cells, fit.effects.shared, summaries.cell_summary(fit.effects, 1.1, 0.95))


def test_what_is_known_without_the_cell_and_its_count_give_its_posterior_back():
    """The normal algebra of the cavity, put together with the count again, against the engine's own posterior of D."""
    fit = bs.fit_hierarchy(simulate_frame(40, 6, mean_expected=80.0), seed=1)
    cells, summary = fit.table.cells, summaries.cell_summary(fit.effects, 1.1, 0.95)
    cavity = cavities(cells, fit.effects.shared, summary)
    at = np.linspace(-1.5, 1.5, 3_001)
    mean, variance = [], []
    for k in range(len(cavity.location)):
        t = cavity.location[k][:, None] + at
        log_weight = -0.5 * at**2 / cavity.variance[k][:, None] + cells.lower[:, None] * t - np.exp(t)
        weight = special.softmax(log_weight, axis=1)
        centre = weight @ at
        mean.append(cavity.contrast[k] + cavity.slope[k] * centre)
        variance.append(cavity.rest[k] + cavity.slope[k] ** 2 * (weight @ at**2 - centre**2))
    sd = np.sqrt(np.mean(variance, axis=0) + np.var(mean, axis=0))
    np.testing.assert_allclose(np.mean(mean, axis=0), summary.own.point, atol=0.25 * np.median(sd))
    assert np.median(np.abs(np.mean(mean, axis=0) - summary.own.point) / sd) < 0.04
    np.testing.assert_allclose(sd, summary.own_sd, rtol=0.08)


# ---- power, where effects are planted --------------------------------------------------------------------------


def planted(nation: Nation, seed: int) -> list[np.ndarray]:
    """Flags of departments at their stated detectable effect, a random one of each trust, either side in turn.

    Each department is judged as if it alone were planted: a hundred would move the standard deviations as one does not.
    Returns side, size and whether flagged.
    """
    options = {"family": "normal"} if nation.parameters["family"] == "normal" else {}
    if nation.parameters["family"] == "binomial":
        options = {"denominator": "denominator"}
    fit = bs.fit_hierarchy(nation.cells, seed=seed, **options)
    cells, shared, rng = fit.table.cells, fit.effects.shared, np.random.default_rng(seed)
    summary, needed = fit.cell_summary(1.1, 0.95), fit.find_spots().decisions.needed
    effects = detectable_effects(cells, shared, summary, MARGIN, needed=needed)
    keys = ["trust", "department", *(["period"] if cells.has_periods else [])]
    rows = nation.cells.sort_values(keys, kind="stable").index
    truth = nation.truth.sort_values(keys[:2], kind="stable")
    own, eta = truth["log_own_ratio"].to_numpy(), nation.row_truth.loc[rows, "log_ratio"].to_numpy()
    found = []
    for turn in (0, 1):
        chosen = rng.integers(cells.trust_cells[:-1], cells.trust_cells[1:])
        side = np.where(np.arange(len(chosen)) % 2 == turn, 1, -1)
        effect = np.where(side > 0, effects.high[chosen], effects.low[chosen])
        keep = np.isfinite(effect)
        chosen, side, effect = chosen[keep], side[keep], effect[keep]
        moved = np.zeros(cells.n_cells)
        moved[chosen] = effect - own[chosen]
        predictor = cells.offset + eta + moved[cells.leaf_cell]
        if cells.family.name == "poisson":
            outcome = rng.poisson(np.exp(predictor))
        elif cells.family.name == "binomial":
            outcome = rng.binomial(cells.size.astype(int), special.expit(predictor))
        else:
            outcome = rng.normal(predictor, cells.size)
        value = np.where(np.isin(cells.leaf_cell, chosen), outcome, cells.lower).astype(float)
        after = ConditionalPosterior(replace(cells, lower=value, upper=value), shared, seed)
        p = flagged_with(fit.effects, after)[chosen, (side < 0).astype(int)]
        found.append(np.column_stack([side, cells.weight[chosen], p >= needed]))
    return found


def flagged_with(before: ConditionalPosterior, after: ConditionalPosterior) -> np.ndarray:
    """P(D beyond the margin), above and below, (C, 2), had each cell *alone* the data that it has in `after`.

    The draws of what trusts share are those of before; each is worth what it foretells of the cell's new data over what
    it foretold of the old (importance sampling).
    """
    cells, result = after.cells, np.empty((after.cells.n_cells, 2))
    for group, block in zip(after._groups, after.blocks(), strict=True):
        old, new = (_predict(each.expansions, each.shared, group)[0].log_weight for each in (before, after))
        weight = special.softmax(old - new, axis=1)
        others = contrasts.others_mean(cells, block)
        above, below = block.above(MARGIN + others), 1.0 - block.above(-MARGIN + others)
        result[block.cells] = np.column_stack([np.sum(weight * each, axis=1) for each in (above, below)])
    return result


SETTINGS = {
    "5 expected": {"mean_expected": 5.0},
    "15 expected": {"mean_expected": 15.0},
    "40 expected": {"mean_expected": 40.0},
    "400 expected": {"mean_expected": 400.0},
    "proportions": {"family": "binomial", "mean_expected": 40.0},
    "estimates": {"family": "normal", "mean_expected": 40.0},
    "four periods": {"periods": 4, "mean_expected": 15.0},
}


@pytest.mark.calibration
@pytest.mark.parametrize("setting", SETTINGS)
def test_planted_effects_are_flagged_four_times_in_five_on_either_side(setting):
    """12 nations of 120 × 20 (four periods: 60 × 10), at most 1,440 planted departments a side."""
    size = (60, 10) if setting == "four periods" else (120, 20)
    nations = [
        simulate_nation(*size, rating_validity=None, seed=seed, **SETTINGS[setting]) for seed in range(12)
    ]
    flags = np.concatenate([each for seed, nation in enumerate(nations) for each in planted(nation, seed)])
    for side in (1, -1):
        of_side = flags[flags[:, 0] == side]
        if len(of_side) < 100:
            continue  # of 5 expected events hardly any count is few enough to be flagged
        error = np.sqrt(0.16 / len(of_side))
        assert abs(of_side[:, 2].mean() - 0.8) <= 0.03 + 2 * error
        bands = np.digitize(of_side[:, 1], np.quantile(of_side[:, 1], [1 / 3, 2 / 3]))
        for band in range(3):
            assert abs(of_side[bands == band, 2].mean() - 0.8) <= 0.05 + 3 * error


def test_planted_effects_are_flagged_about_as_often_as_stated():
    """The short version of the above: one nation, about 60 a side."""
    flags = np.concatenate(
        planted(simulate_nation(60, 10, mean_expected=60.0, rating_validity=None, seed=1), 1)
    )
    for side in (1, -1):
        assert 0.68 <= flags[flags[:, 0] == side, 2].mean() <= 0.92
