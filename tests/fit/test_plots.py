"""Figures of a fit: the flags drawn are the flags listed, on one scale, for every family."""

from __future__ import annotations

import inspect

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from scipy import stats

import brightspots as bs
from brightspots import SettingsError
from brightspots.fit import funnels as fit_limits
from brightspots.fit import plots
from brightspots.likelihood.families import BINOMIAL, POISSON
from tests.conftest import simulate_frame, withhold


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def fit() -> bs.HierarchyFit:
    return bs.fit_hierarchy(simulate_frame(15, 6, sd_department=0.3), seed=1)


FAMILIES = {
    "poisson": {},
    "binomial": {"denominator": "denominator"},
    "proportion": {"denominator": "denominator", "expected": None},
    "normal": {"family": "normal"},
}


@pytest.fixture(scope="module", params=FAMILIES)
def any_fit(request) -> bs.HierarchyFit:
    frame = simulate_frame(10, 5).assign(denominator=2_000, standard_error=0.1)
    frame["estimate"] = np.log((frame["observed"] + 0.5) / frame["expected"])
    return bs.fit_hierarchy(frame, seed=1, **FAMILIES[request.param])


def words_on(ax: Axes) -> str:
    return " ".join(text.get_text() for text in ax.figure.findobj(plt.Text)).replace("\n", " ")


@pytest.mark.parametrize("limits", ["hierarchical", "exact"])
@pytest.mark.parametrize("trust", [None, "T003"])
def test_a_funnel_is_drawn_for_every_family(any_fit, trust, limits):
    ax = any_fit.plot_funnel(trust, limits=limits)
    cells = any_fit.table.cells
    drawn = sum(len(line.get_xdata()) for line in ax.lines if line.get_gid() == "units")
    assert drawn == (cells.n_trusts if trust is None else 5)
    curves = {line.get_gid() for line in ax.lines if str(line.get_gid()).startswith(("lower", "upper"))}
    assert curves == {"lower_95", "upper_95", "lower_99.8", "upper_99.8"}
    assert bs.describe(ax).startswith(
        "Funnel plot: " + ("Trusts" if trust is None else "Departments of T003")
    )


def test_trusts_are_centred_on_the_nation_and_departments_on_their_trust(any_fit):
    national = fit_limits.trust_limits(any_fit, "hierarchical", (0.95,))
    own = fit_limits.department_limits(any_fit, "T003", "hierarchical", (0.95,))
    level = any_fit.trust_level()[3]
    if any_fit.table.cells.family.name == "normal":
        assert (national.target, own.target) == (0.0, pytest.approx(level))
    else:
        assert national.target == pytest.approx(1.0)
        assert np.sign(own.target - 1.0) == np.sign(level)


def test_observed_over_national_expected(fit):
    cells = fit.table.cells
    units = fit_limits.gather_units(cells, fit.effects.shared, cells.leaf_trust, cells.trusts)
    np.testing.assert_allclose(
        units.lower, simulate_frame(15, 6, sd_department=0.3).groupby("trust")["observed"].sum()
    )
    by_hand = np.exp(
        fit.effects.shared.intercept.mean()
        + fit.effects.shared.type_effect.mean(axis=0)[cells.cell_department]
    )
    np.testing.assert_allclose(units.expected, np.bincount(cells.cell_trust, cells.size * by_hand))


def test_hierarchical_limits_are_wider_than_chance_alone(fit):
    wide = fit_limits.trust_limits(fit, "hierarchical", (0.95,))
    narrow = fit_limits.trust_limits(fit, "exact", (0.95,))
    assert np.all(wide.table["upper_95"] > narrow.table["upper_95"])
    assert np.all(wide.table["lower_95"] < narrow.table["lower_95"])


def test_the_departments_drawn_carry_the_statuses_listed(fit):
    spots = fit.find_spots()
    limits = fit_limits.department_limits(fit, "T002", "hierarchical", (0.95,))
    drawn = dict(zip(limits.table.index, plots.department_statuses(spots, "T002", limits), strict=True))
    listed = spots.table[spots.table["trust"] == "T002"].set_index("department")["status"].to_dict()
    assert drawn == listed


@pytest.mark.parametrize("limits", ["hierarchical", "exact"])
def test_suppressed_units_are_drawn_from_the_least_to_the_most_they_can_be(limits):
    frame = withhold(simulate_frame(8, 4), 5, 1, 7)
    fit = bs.fit_hierarchy(frame, seed=1)
    own = fit_limits.department_limits(fit, "T001", limits, (0.95,))
    assert own.suppressed.tolist() == [False, True, False, False]
    national = fit.effects.shared.mean_leaf_predictor(fit.table.cells)[5]
    ax = fit.plot_funnel("T001", limits=limits)
    (bar,) = (artist for artist in ax.collections if artist.get_gid() == "suppressed units")
    ((bottom, top),) = bar.get_segments()
    np.testing.assert_allclose([bottom[0], top[0]], np.exp(national))
    np.testing.assert_allclose([bottom[1], top[1]], np.array([1, 7]) / np.exp(national))
    drawn = sum(len(line.get_xdata()) for line in ax.lines if line.get_gid() == "units")
    assert drawn == 3
    assert "1 unit has a suppressed count and is drawn as a bar" in words_on(ax)
    assert "Suppressed counts, drawn as bars from the least to the most they can be: D01" in bs.describe(ax)


def test_a_trust_with_a_suppressed_department_is_a_bar_of_its_total():
    frame = withhold(simulate_frame(8, 4), 5, 1, 7)
    limits = fit_limits.trust_limits(bs.fit_hierarchy(frame, seed=1), "hierarchical", (0.95,))
    others = frame.loc[[4, 6, 7], "observed"].sum()
    row = limits.table.loc["T001"]
    size = limits.size[1]
    np.testing.assert_allclose(
        [row["ratio_lower"] * size, row["ratio_upper"] * size], [others + 1, others + 7]
    )


def test_a_funnel_in_which_every_count_is_suppressed_is_drawn():
    frame = withhold(simulate_frame(8, 4), slice(4, 7), 1, 7)
    ax = bs.fit_hierarchy(frame, seed=1).plot_funnel("T001")
    (bars,) = (artist for artist in ax.collections if artist.get_gid() == "suppressed units")
    assert len(bars.get_segments()) == 4
    assert not [line for line in ax.lines if line.get_gid() == "units"]
    assert "4 units have suppressed counts and are drawn as bars" in words_on(ax)
    assert "the most they can be: D00, D01, D02, D03." in bs.describe(ax)


def test_periods_that_are_suppressed_are_not_drawn_in_a_trend():
    years = pd.concat([simulate_frame(6, 4, seed=year).assign(period=year) for year in (2021, 2022, 2023)])
    years = withhold(years.reset_index(drop=True), 0, 1, 7)
    ax = bs.fit_hierarchy(years, seed=1).plot_trend("T000", "D00")
    assert "1 with suppressed counts is not drawn" in words_on(ax)


def test_periods_have_exact_intervals_of_chance():
    units = fit_limits.FunnelUnits(
        np.arange(3),
        np.array([0.0, 15.0, 40.0]),
        np.array([0.0, 15.0, 40.0]),
        np.array([50.0, 50.0, 40.0]),
        np.array([10.0, 10.0, 10.0]),
    )
    poisson = fit_limits.period_ratios(units, POISSON)
    published = (
        stats.poisson(poisson["upper"][1] * 10).cdf(15),
        stats.poisson(poisson["lower"][1] * 10).sf(14),
    )
    np.testing.assert_allclose(published, 0.025)
    assert poisson["lower"][0] == 0.0
    binomial = fit_limits.period_ratios(units, BINOMIAL)
    exact = stats.binomtest(15, 50).proportion_ci(method="exact")
    np.testing.assert_allclose([binomial["lower"][1], binomial["upper"][1]], np.array(exact) * 5)
    assert binomial["upper"][2] == 4.0


def test_the_figure_of_ratings_says_what_is_strong(fit):
    assert "Strong: Good or better, on the Care Quality Commission's scale." in bs.describe(fit.plot_rating())
    trusts = fit.table.cells.trusts
    unknown = fit.find_spots(rating={trust: 6 + k % 2 for k, trust in enumerate(trusts)})
    assert "Which ratings count as strong is not known." in bs.describe(fit.plot_rating(spots=unknown))


def test_rounded_counts_are_bars_that_are_placed_where_they_lie_in_one_zone():
    """Rounded to the nearest 5: most bars lie within the limits or outside, a few reach over one."""
    frame = simulate_frame(30, 4, mean_expected=40.0, sd_department=0.4)
    near = 5.0 * np.floor(frame["observed"] / 5 + 0.5)
    rounded = frame.assign(observed=near, observed_lower=(near - 2).clip(lower=0), observed_upper=near + 2)
    fit = bs.fit_hierarchy(rounded, seed=1)
    limits = fit_limits.department_limits(fit, "T001", "hierarchical", (0.95,))
    assert limits.suppressed.all()
    national = np.exp(fit.effects.shared.mean_leaf_predictor(fit.table.cells)[4:8])
    np.testing.assert_allclose(limits.table["ratio_lower"], rounded["observed_lower"][4:8] / national)
    np.testing.assert_allclose(limits.table["ratio_upper"], rounded["observed_upper"][4:8] / national)
    bars = bs.funnel_limits(
        rounded["observed"], frame["expected"], method="poisson",
        observed_lower=rounded["observed_lower"], observed_upper=rounded["observed_upper"],
    ).table  # fmt: skip
    ends = [
        bs.funnel_limits(rounded[end].astype(int), frame["expected"], method="poisson").table["zone"]
        for end in ("observed_lower", "observed_upper")
    ]
    placed = bars["zone"] != "cannot be placed"
    assert 0 < (~placed).sum() < placed.sum()
    assert (bars["zone"][placed] == ends[0][placed]).all()
    assert (placed == (ends[0] == ends[1])).all()


# Every figure of a fit, by its method and what it needs besides.
FIGURES: dict[str, tuple[str, dict[str, object]]] = {
    "trusts in a funnel": ("plot_funnel", {}),
    "departments in a funnel": ("plot_funnel", {"trust": "T001"}),
    "two stages": ("plot_two_stage", {"trust": "T001"}),
    "partition": ("plot_partition", {}),
    "mosaic": ("plot_mosaic", {}),
    "trend": ("plot_trend", {"trust": "T001", "department": "D02"}),
    "trusts in a caterpillar": ("plot_caterpillar", {}),
    "departments in a caterpillar": ("plot_caterpillar", {"trust": "T001"}),
    "rating": ("plot_rating", {}),
}
KIND_OF_FIGURE = {
    "plot_funnel": "Funnel plot", "plot_two_stage": "Funnel plot", "plot_partition": "Bar chart",
    "plot_mosaic": "Grid of", "plot_trend": "Trend", "plot_caterpillar": "Caterpillar plot",
    "plot_rating": "Departments by overall rating",
}  # fmt: skip


@pytest.fixture(scope="module")
def by_year() -> bs.HierarchyFit:
    years = [simulate_frame(6, 4, seed=year).assign(period=year, rating="Good") for year in (2021, 2022)]
    return bs.fit_hierarchy(pd.concat(years), seed=1)


def test_every_figure_of_a_fit_is_held_to_this():
    assert {method for method, _ in FIGURES.values()} == {
        name for name in dir(bs.HierarchyFit) if name.startswith("plot_")
    }


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_of_a_fit_is_drawn_on_given_axes_with_its_caption_and_described(by_year, figure):
    method, arguments = FIGURES[figure]
    _, panels = plt.subplots(1, 2, figsize=(14, 7))
    given = {"axes": tuple(panels)} if method == "plot_two_stage" else {"ax": panels[0]}
    said = "Source: simulated; drawn 1 May 2026"
    drawn = getattr(by_year, method)(**arguments, **given, caption=said)
    drawn = drawn if isinstance(drawn, tuple) else (drawn,)
    assert drawn == tuple(panels)[: len(drawn)]
    assert plt.get_fignums() == [panels[0].figure.number]
    for ax in drawn:
        assert bs.describe(ax).startswith(KIND_OF_FIGURE[method])
        assert bs.describe(ax).endswith(f"{said}.")
        assert f"{said}." in words_on(ax)


@pytest.mark.parametrize("method", sorted({method for method, _ in FIGURES.values()}))
def test_a_figure_of_a_fit_is_declared_once_with_its_arguments_checked(fit, method):
    declared = [each for each in type(fit).__mro__ if method in vars(each)]
    assert len(declared) == 1
    assert inspect.getdoc(getattr(fit, method))
    parameters = inspect.signature(getattr(fit, method)).parameters
    where = "axes" if method == "plot_two_stage" else "ax"
    assert list(parameters)[-2:] == ["caption", where]
    assert [(p.kind, p.default) for p in list(parameters.values())[-2:]] == [
        (inspect.Parameter.KEYWORD_ONLY, None)
    ] * 2
    required = {name: "T001" for name, p in parameters.items() if p.default is inspect.Parameter.empty}
    with pytest.raises(SettingsError, match=f"{where} must be"):
        getattr(fit, method)(**required, **{where: "here"})
    with pytest.raises(SettingsError, match="caption must be text or None"):
        getattr(fit, method)(**required, caption=2026)


def test_a_multiplier_is_stated_and_moves_points_and_limits_alike(fit):
    one, hundred = fit.plot_funnel(), fit.plot_funnel(multiplier=100)
    assert hundred.get_ylabel() == "Observed / expected at the national level × 100"
    moved = [
        np.allclose(after.get_ydata(), 100.0 * np.asarray(before.get_ydata()))
        for before, after in zip(one.lines, hundred.lines, strict=True)
    ]
    # Four limits, and the trusts of at least one zone.
    assert len(moved) >= 5
    assert all(moved)


def test_a_mosaic_of_some_trusts(fit):
    ax = fit.plot_mosaic(trusts=["T001", "T003"])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["T001", "T003"]
    with pytest.raises(SettingsError, match="no trust 'T999'"):
        fit.plot_mosaic(trusts=["T001", "T999"])


def test_what_cannot_be_drawn_says_why(fit):
    with pytest.raises(SettingsError, match="no trust 'T999'; the data have 15"):
        fit.plot_funnel("T999")
    with pytest.raises(SettingsError, match="'hierarchical' or 'exact'"):
        fit.plot_funnel(limits="shmi")
    with pytest.raises(SettingsError, match="no periods"):
        fit.plot_trend("T001", "D00")
    with pytest.raises(SettingsError, match="no rating"):
        bs.fit_hierarchy(simulate_frame(5, 3).drop(columns="rating"), seed=1).plot_rating()
