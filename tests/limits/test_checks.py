"""What is said of a funnel: expected that is something else, limits from few units, limits without width."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import brightspots as bs
from brightspots import DataWarning
from brightspots.cli import app
from brightspots.limits.funnel import funnel_limits
from brightspots.limits.hierarchical import hierarchical_limits
from brightspots.limits.zones import WITHIN
from brightspots.report.manifest import make_manifest

ADDITIVE = ("shmi", "cqc")


def in_control(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Units that differ by chance alone."""
    rng = np.random.default_rng(seed)
    expected = 100.0 * np.exp(rng.normal(0.0, 0.5, n))
    return rng.poisson(expected), expected


def codes(limits) -> list[str]:
    return [caution.code for caution in limits.cautions]


# ---- expected that is something else ---------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["poisson", "spiegelhalter", "shmi", "cqc", "phs"])
def test_a_rate_or_a_population_for_expected_is_doubted_by_every_method(method):
    observed, expected = in_control(40)
    for factor, said in (
        (1 / 103, "a rate, a percentage"),
        (1_000.0, "a population or a number of patients"),
    ):
        with pytest.warns(
            DataWarning, match=rf"events were observed and .* where 0\.5 to 2 is usual.*{said}"
        ):
            limits = funnel_limits(observed, expected * factor, method=method)
        assert codes(limits)[0] == "national ratio"
        assert "caution: " in repr(limits)


def test_a_rate_for_expected_leaves_all_within_shmi_limits_and_it_is_said():
    """The numbers of patients differ, the rates hardly do: τ² swallows everything."""
    rng = np.random.default_rng(5)
    patients = 5_000 * np.exp(rng.normal(0.0, 1.0, 60))
    rate = rng.normal(3.0, 0.1, 60)
    observed = rng.poisson(patients * rate / 100)
    with pytest.warns(DataWarning, match="a ratio of"):
        limits = funnel_limits(observed, rate, method="shmi")
    assert (limits.table["zone"] == WITHIN).all()
    assert codes(limits) == ["national ratio", "outside plain limits"]
    assert "60 of 60 units lie beyond the 99.8% limits of chance alone" in limits.cautions[1].text


def test_a_target_is_what_the_ratio_is_compared_with():
    observed, expected = in_control(40)
    assert codes(funnel_limits(observed * 4, expected, method="poisson", target=4.0)) == []
    with pytest.warns(DataWarning, match="a ratio of 0.2"):
        funnel_limits(observed, expected, method="poisson", target=4.0)


def test_a_proportion_may_be_anything():
    observed, people = in_control(40)
    people = np.ceil(people * 50)
    assert codes(funnel_limits(observed, denominator=people, method="spiegelhalter", target=0.2)) == []


def test_suppressed_counts_are_doubted_only_where_all_they_can_be_is():
    unknown, least, most = np.full(20, np.nan), np.ones(20), np.full(20, 7.0)
    bounds = {"observed_lower": least, "observed_upper": most, "method": "poisson"}
    assert codes(funnel_limits(unknown, np.full(20, 3.0), **bounds)) == []
    with pytest.warns(DataWarning, match="20 to 140 events were observed and 4 expected, a ratio of 5 to 35"):
        funnel_limits(unknown, np.full(20, 0.2), **bounds)


def test_a_funnel_of_a_fit_does_not_doubt_what_the_fit_has_put_on_national_terms():
    """A trust's own level is the centre of its departments' funnel, and may be anything."""
    limits = hierarchical_limits([10.0] * 6, sd=0.2, centre=1.5, observed=[10, 9, 11, 10, 12, 8])
    assert "national ratio" not in codes(limits)


# ---- few units -------------------------------------------------------------------------------------------------


def test_multiplicative_limits_from_few_units_are_warned_of():
    """At 31, the number of hospitals in Scotland's publication, the warning ends."""
    with pytest.warns(DataWarning, match="rest on 30 units and are too narrow by chance with fewer than 31"):
        limits = funnel_limits(*in_control(30), method="phs")
    assert codes(limits) == ["few units"]
    assert "caution: the multiplicative limits rest on 30 units" in repr(limits)
    assert codes(funnel_limits(*in_control(31), method="phs")) == []


def test_without_width_is_said():
    observed = np.full(40, 20)
    observed[0], observed[1] = 45, 3
    with pytest.warns(
        DataWarning, match="φ is 0, so that the limits have no width, and every unit not exactly on"
    ):
        limits = funnel_limits(observed, np.full(40, 20.0), method="phs")
    assert limits.phi == 0.0
    assert (limits.table["upper_99.8"] == 1.0).all()
    assert codes(limits) == ["narrow limits"]


def test_less_than_half_as_wide_as_chance_is_said_with_its_width():
    observed = 100 + np.tile([-3, 3], 20)
    with pytest.warns(
        DataWarning, match=r"φ is 0\.09, so that the limits are 0\.3 times as wide as chance alone"
    ):
        limits = funnel_limits(observed, np.full(40, 100.0), method="phs")
    assert codes(limits) == ["narrow limits"]


@pytest.mark.parametrize("method", ADDITIVE)
def test_additive_limits_from_few_units_hide_who_stands_out_and_say_so(method):
    """A unit at four times its expected lies within limits that it has widened itself."""
    observed, expected = np.array([100, 98, 103, 400]), np.full(4, 100.0)
    limits = funnel_limits(observed, expected, method=method)
    assert limits.table["zone"].iloc[-1] != "above 99.8%"
    assert codes(limits)[0] == "wide limits"
    assert "a unit that stands out widens them until it lies within" in repr(limits)
    assert not limits.cautions[0].is_doubt  # no warning: the two lines above would have failed


def test_proportions_from_few_units_say_it_too():
    limits = funnel_limits([10, 12, 9, 60], denominator=[100] * 4, method="proportion")
    assert codes(limits)[0] == "wide limits"


@pytest.mark.parametrize("method", ADDITIVE)
def test_ten_units_are_enough_for_additive_limits_unless_less_is_trimmed(method):
    assert codes(funnel_limits(*in_control(10), method=method)) == []
    assert codes(funnel_limits(*in_control(9), method=method)) == ["wide limits"]
    assert codes(funnel_limits(*in_control(18), method=method, trim=0.05)) == ["wide limits"]
    assert codes(funnel_limits(*in_control(19), method=method, trim=0.05)) == []


def test_what_is_not_estimated_from_the_units_needs_none():
    for arguments in ({"method": "poisson"}, {"method": "spiegelhalter"}, {"method": "shmi", "tau2": 0.01}):
        assert "wide limits" not in codes(funnel_limits(*in_control(4), **arguments))


# ---- most units beyond chance ----------------------------------------------------------------------------------


def over_dispersed(n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    expected = 1_000.0 * np.exp(rng.normal(0.0, 0.3, n))
    return rng.poisson(expected * np.exp(rng.normal(0.0, 0.25, n))), expected


@pytest.mark.parametrize("method", ["shmi", "cqc", "phs"])
def test_widened_limits_say_where_most_lie_beyond_chance(method):
    limits = funnel_limits(*over_dispersed(), method=method)
    assert codes(limits) == ["outside plain limits"]
    assert "of 60 units lie beyond the 99.8% limits of chance alone (plain Poisson limits" in repr(limits)
    assert "outside plain limits" not in codes(funnel_limits(*over_dispersed(), method="spiegelhalter"))


def test_proportions_and_predictive_limits_say_it_too():
    observed, expected = over_dispersed()
    limits = funnel_limits(observed, denominator=np.ceil(expected * 10), method="proportion")
    assert "plain binomial limits about the target" in limits.cautions[-1].text
    hierarchy = {"sd": 0.25, "observed": observed}
    assert codes(hierarchical_limits(expected, **hierarchy)) == ["outside plain limits"]
    people = np.ceil(expected * 10)
    assert codes(hierarchical_limits(people, family="binomial", offset=-2.2, **hierarchy)) == [
        "outside plain limits"
    ]
    estimates = np.tile([-1.0, 1.0], 20)
    normal = hierarchical_limits(np.full(40, 0.1), sd=1.0, observed=estimates, family="normal")
    assert codes(normal) == ["outside plain limits"]
    assert codes(hierarchical_limits(expected, sd=0.0, observed=observed)) == []  # these are the plain limits
    assert codes(hierarchical_limits(expected, sd=0.25)) == []  # nothing observed


# ---- where it is said ------------------------------------------------------------------------------------------


def test_a_warning_points_at_the_line_that_called():
    with pytest.warns(DataWarning) as caught:
        funnel_limits(*in_control(4), method="phs")
    assert {each.filename for each in caught} == {__file__}


def test_the_figure_says_it_in_caption_and_alternative_text():
    limits = funnel_limits(*over_dispersed(), method="shmi")
    axes = bs.plot_funnel(limits)
    assert "units lie beyond the 99.8% limits of chance alone" in bs.describe(axes)
    written = " ".join(
        text.get_text().replace("\n", " ") for text in axes.figure.findobj(lambda a: hasattr(a, "get_text"))
    )
    assert "units lie beyond the 99.8% limits of chance alone" in written


def test_manifest_and_command_say_it(tmp_path):
    limits = funnel_limits(*over_dispersed(), method="shmi")
    assert make_manifest(limits=limits).cautions == limits.cautions
    observed, expected = in_control(12)
    table = pd.DataFrame(
        {"trust": [f"T{i}" for i in range(12)], "observed": observed, "expected": expected / 103}
    )
    table.to_csv(tmp_path / "trusts.csv", index=False)
    arguments = [
        "funnel",
        str(tmp_path / "trusts.csv"),
        "--method",
        "phs",
        "-o",
        str(tmp_path / "f.svg"),
        "--json",
    ]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    assert [caution["code"] for caution in summary["cautions"]] == [
        "national ratio",
        "few units",
        "outside plain limits",
    ]
    assert summary["manifest"]["cautions"] == summary["cautions"]
    assert "warning: " in done.stderr
    assert "the multiplicative limits rest on 12 units" in (tmp_path / "f.svg").read_text(encoding="utf-8")
