"""Funnel figures: the artists hold the numbers of the limits, and words stand where they can be read."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import combinations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes

from brightspots.common.errors import SettingsError
from brightspots.figures.describe import describe
from brightspots.figures.funnel import draw_funnel, draw_two_stage, plot_funnel
from brightspots.limits.funnel import FunnelLimits, funnel_limits
from brightspots.limits.hierarchical import hierarchical_limits

from .conftest import NAMES

OBSERVED = np.array([20, 35, 110, 90, 160, 100, 12])
EXPECTED = np.array([40.0, 36.0, 60.0, 92.0, 150.0, 101.0, 14.0])


@pytest.fixture
def limits() -> FunnelLimits:
    return funnel_limits(OBSERVED, EXPECTED, method="poisson")


def units(ax: Axes) -> np.ndarray:
    """Positions of all drawn units, sorted by x."""
    drawn = np.concatenate([line.get_xydata() for line in ax.lines if line.get_gid() == "units"])
    return drawn[np.argsort(drawn[:, 0])]


def labels(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts if text.get_gid() == "label"]


def legend(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_points_and_curves_are_those_of_the_limits(limits: FunnelLimits):
    ax = plot_funnel(limits, multiplier=100)
    order = np.argsort(EXPECTED)
    np.testing.assert_allclose(units(ax), np.column_stack([EXPECTED, 100 * OBSERVED / EXPECTED])[order])
    curves = {line.get_gid(): line for line in ax.lines if str(line.get_gid()).startswith(("lower", "upper"))}
    assert set(curves) == {"lower_95", "upper_95", "lower_99.8", "upper_99.8"}
    for column, line in curves.items():
        x, y = line.get_data()
        np.testing.assert_array_equal(y, 100 * limits.curve(x)[column])


def test_flags_in_the_figure_move_with_the_table(limits: FunnelLimits):
    assert labels(plot_funnel(limits, labels=list("abcdefg"))) == ["c", "a"]
    assert legend(plot_funnel(limits))[0] == "Above 99.8% (1)"

    table = limits.table.copy()
    table.loc[4, "zone"] = "above 99.8%"
    moved = plot_funnel(replace(limits, table=table), labels=list("abcdefg"))
    assert set(labels(moved)) == {"c", "a", "e"}
    assert legend(moved)[0] == "Above 99.8% (2)"


def test_labels_do_not_cover_each_other_or_marked_points():
    rng = np.random.default_rng(2)
    expected = rng.uniform(50, 400, 60)
    observed = rng.poisson(expected * np.exp(rng.normal(0, 0.5, 60)))
    names = [f"Hospital number {i} of the county" for i in range(60)]
    ax = plot_funnel(funnel_limits(observed, expected, method="poisson"), labels=names)
    ax.figure.draw_without_rendering()
    # An annotation's extent includes its leader; the text alone is what may not be covered.
    boxes = [mpl.text.Text.get_window_extent(text) for text in ax.texts if text.get_gid() == "label"]
    assert len(boxes) >= 10
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


def test_the_furthest_outside_are_named_first():
    expected = np.full(30, 200.0)
    observed = np.r_[np.arange(300, 320), np.full(10, 200)]
    ax = plot_funnel(funnel_limits(observed, expected, method="poisson"), max_labels=3)
    assert len(labels(ax)) <= 3
    assert labels(ax)[0] == "19"
    assert "20 units stand out; the 3 furthest out are named." in describe_caption(ax)


def test_a_name_without_a_leader_is_nearest_to_its_own_point():
    rng = np.random.default_rng(8)
    expected = rng.uniform(50, 400, 80)
    observed = rng.poisson(expected * np.exp(rng.normal(0, 0.5, 80)))
    limits = funnel_limits(observed, expected, method="poisson")
    ax = plot_funnel(limits, labels=[f"Hospital number {i}" for i in range(80)], max_labels=40)
    ax.figure.draw_without_rendering()
    outside = np.flatnonzero(limits.table["zone"].str.endswith("99.8%"))
    points = ax.transData.transform(np.column_stack([expected, observed / expected])[outside])
    close = [text for text in ax.texts if text.get_gid() == "label" and text.arrow_patch is None]
    assert len(close) >= 10
    for text in close:
        box = mpl.text.Text.get_window_extent(text)
        nearest = np.hypot(
            np.clip(points[:, 0], box.x0, box.x1) - points[:, 0],
            np.clip(points[:, 1], box.y0, box.y1) - points[:, 1],
        )
        assert text.get_text() == f"Hospital number {outside[np.argmin(nearest)]}"


def test_names_without_room_are_counted():
    # Forty units on one spot: a label a place, and the rest are told.
    table = funnel_limits(np.full(40, 400), np.full(40, 200.0), method="poisson")
    ax = plot_funnel(table, labels=[f"The same place number {i}" for i in range(40)], max_labels=40)
    written = len(labels(ax))
    assert 0 < written < 40
    assert f"{40 - written} names left out for lack of room" in describe_caption(ax)
    assert sum(text.get_gid() == "caption" for text in ax.texts) == 1


def describe_caption(ax: Axes) -> str:
    return " ".join(text.get_text() for text in ax.texts if "Lines:" in text.get_text()).replace("\n", " ")


def test_the_caption_states_method_period_source_and_date(limits: FunnelLimits):
    ax = plot_funnel(limits, period="2024/25", source="NHS England", date="1 May 2026")
    caption = describe_caption(ax)
    assert caption == (
        "Exact Poisson limits. Lines: 95% (dashed), 99.8% (solid). "
        "Data: 2024/25. Source: NHS England. Drawn: 1 May 2026."
    )
    assert "Source: NHS England" in describe(ax)


def test_axes_use_thousands_and_state_the_multiplier():
    limits = funnel_limits([400, 2600], denominator=[9_000, 41_000], method="spiegelhalter")
    ax = plot_funnel(limits, multiplier=1000)
    assert ax.get_ylabel() == "Events per 1,000 patients"
    ax.figure.draw_without_rendering()
    assert "40,000" in [tick.get_text() for tick in ax.get_xticklabels()]
    assert (
        plot_funnel(funnel_limits(OBSERVED, EXPECTED), multiplier=100).get_ylabel()
        == "Observed ÷ expected (× 100)"
    )


def test_names_are_printed_literally(limits: FunnelLimits):
    names = [*NAMES, "b", "c", "d", "e"]
    ax = plot_funnel(limits, labels=names, highlight=names[:3], title="Costs $5 & _more_ " + NAMES[1])
    ax.figure.draw_without_rendering()
    assert "St $George's$ & <script>" in labels(ax)
    assert max(map(len, labels(ax))) <= 34
    assert all(not text.get_parse_math() for text in (*ax.texts, ax._left_title))
    assert "$5 & _more_" in ax.get_title(loc="left").replace("\n", " ")


def test_statuses_replace_zones(limits: FunnelLimits):
    statuses = ["bright spot", "in line", "dark spot", "cannot tell", "in line", "in line", "cannot tell"]
    ax = draw_funnel(limits, labels=list("abcdefg"), statuses=statuses)
    assert set(labels(ax)) == {"a", "c"}
    assert legend(ax) == ["Cannot tell (2)", "In line (3)", "Dark spot (1)", "Bright spot (1)"]
    with pytest.raises(SettingsError, match="statuses must be among"):
        draw_funnel(limits, statuses=["good"] * 7)


def test_both_stages_share_their_vertical_axis():
    trusts = hierarchical_limits([400.0, 900.0, 1500.0], 0.1, observed=[390, 1000, 1400])
    departments = hierarchical_limits([30.0, 80.0], 0.2, np.log(1.11), observed=[70, 85])
    left, right = draw_two_stage(
        trusts, departments, trust="B", trust_labels=list("ABC"), department_labels=["x", "y"]
    )
    assert left.get_ylim() == right.get_ylim()
    assert labels(left) == ["B"]
    assert "x" in labels(right)
    written = [text.get_text() for text in right.texts]
    assert {"national", "own level"} <= set(written)

    figure, axes = plt.subplots(1, 2)
    again = draw_two_stage(trusts, departments, trust="B", trust_labels=list("ABC"), axes=tuple(axes))
    assert again[0].get_ylim() == again[1].get_ylim()
    assert all(ax.figure is figure for ax in again)


def test_two_stages_of_different_statistics_are_refused(limits: FunnelLimits):
    proportions = funnel_limits([4, 5], denominator=[50, 60], method="spiegelhalter")
    with pytest.raises(SettingsError, match="same statistic"):
        draw_two_stage(limits, proportions, trust=0)


def test_a_unit_beyond_the_view_is_drawn_on_its_edge_and_its_value_written():
    expected = np.full(101, 100.0)
    observed = np.r_[np.arange(75, 125), np.arange(75, 125), 900]
    ax = plot_funnel(funnel_limits(observed, expected, method="poisson"))
    assert ax.get_ylim()[1] < 3.0
    assert units(ax)[:, 1].max() == ax.get_ylim()[1]
    assert labels(ax) == ["100 (9)"]
    assert "1 unit lies above the top of the axis and is drawn on it" in describe_caption(ax)


def test_given_axes_are_used_and_the_style_does_not_leak(limits: FunnelLimits):
    before = dict(mpl.rcParams)
    _, ax = plt.subplots()
    assert plot_funnel(limits, ax=ax) is ax
    assert dict(mpl.rcParams) == before


def test_importing_the_library_loads_no_matplotlib():
    code = "import sys, brightspots.limits; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_one_unit_and_units_of_one_size():
    plot_funnel(funnel_limits([3], [2.0], method="poisson")).figure.draw_without_rendering()
    plot_funnel(funnel_limits([0, 0], [2.0, 2.0], method="poisson")).figure.draw_without_rendering()
    one_sided = funnel_limits([3, 9], [2.0, 5.0], method="poisson", sides="upper", levels=[0.99])
    assert "99% (solid)" in describe_caption(plot_funnel(one_sided))


def test_estimates_of_any_sign():
    limits = hierarchical_limits([0.2, 0.1, 0.4], 0.1, observed=[-0.9, 0.05, 0.3], family="normal")
    ax = plot_funnel(limits)
    assert ax.get_ylim()[0] < -0.9
    assert ax.get_ylabel() == "Estimate"


def test_a_hundred_thousand_units_do_not_hide_the_outliers():
    rng = np.random.default_rng(1)
    n = 100_000
    expected = np.exp(rng.normal(2.5, 1.2, n))
    observed = rng.poisson(expected)
    observed[:5] = np.ceil(expected[:5] * 4 + 20)
    names = [f"Unit {i}" for i in range(n)]
    ax = plot_funnel(funnel_limits(observed, expected, method="shmi"), labels=names)
    ax.figure.canvas.draw()
    drawn = [line for line in ax.lines if line.get_gid() == "units"]
    crowd = max(drawn, key=lambda line: len(line.get_xdata()))
    assert crowd.get_rasterized()
    assert crowd.get_alpha() < 0.5
    assert all(crowd.get_zorder() <= line.get_zorder() for line in drawn)
    assert set(labels(ax)) & set(names[:5])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": ["a"]}, "labels must be one per unit: 7 units, 1 labels"),
        ({"highlight": ["zzz"]}, "not among the labels: zzz"),
        ({"multiplier": 0}, "multiplier must be a positive number"),
        ({"xscale": "root"}, "xscale must be one of auto, linear, log; received 'root'"),
        ({"ax": "here"}, "ax must be a matplotlib Axes"),
    ],
)
def test_faulty_calls(limits: FunnelLimits, arguments: dict[str, object], message: str):
    with pytest.raises(SettingsError, match=message):
        plot_funnel(limits, **arguments)


def test_limits_without_observations_cannot_be_drawn():
    with pytest.raises(SettingsError, match="no observations"):
        draw_funnel(hierarchical_limits([4.0, 5.0], 0.1))


def test_alternative_text(limits: FunnelLimits):
    text = describe(plot_funnel(limits, labels=list("abcdefg"), title="Deaths"))
    assert text.startswith(
        "Funnel plot: Deaths. 7 units, expected events from 14 to 150, observed ÷ expected, centred on 1."
    )
    assert "1 above 99.8%" in text
    assert "Standing out: a, c." in text
    _, foreign = plt.subplots()
    with pytest.raises(SettingsError, match="brightspots figure"):
        describe(foreign)


def test_a_table_is_not_limits():
    said = r"limits must be what funnel_limits\(\) returns; received a value of type DataFrame"
    with pytest.raises(SettingsError, match=said):
        plot_funnel(funnel_limits([100, 150], [108, 112], method="poisson").table)
