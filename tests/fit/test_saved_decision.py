"""A saved fit remembers by which rule and ratings its spots were found, and finds the same ones again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

import brightspots as bs
from brightspots import SettingsError, SpotRule
from brightspots.cli import app
from brightspots.common.pickling import made_alike
from tests.conftest import simulate_frame
from tests.fit.test_storage import rewrite_header
from tests.report.conftest import make_fit

RULE = SpotRule(margin=1.2, fdr=0.15, reference="peers", in_line=0.7)


def rated(trusts: int = 12) -> dict[str, str]:
    """Ratings on a scale that nobody knows, for all trusts but the last."""
    return {f"T{t:03d}": ("bronze", "silver", "gold")[t % 3] for t in range(trusts - 1)}


def saved_and_loaded(fit: bs.HierarchyFit, path: Path, spots: bs.Spots | None) -> bs.HierarchyFit:
    fit.save(path / "fit.nc", spots)
    return bs.load_fit(path / "fit.nc")


def same_spots(one: bs.Spots, other: bs.Spots) -> None:
    pd.testing.assert_frame_equal(one.table, other.table, check_exact=True)
    assert (one.rule, one.rating_note, one.rating_uses_outcome) == (
        other.rule,
        other.rating_note,
        other.rating_uses_outcome,
    )
    assert made_alike(one.ratings, other.ratings)


RATINGS = {
    "none": {},
    "refused": {"rating": {}},
    "column": {"rating": "rating"},
    "by trust": {"rating": rated(), "rating_order": ["bronze", "silver", "gold", "platinum"]},
    "numbers": {"rating": {f"T{t:03d}": 6 + t % 3 for t in range(12)}},
    "stars": {"rating": {f"T{t:03d}": 1.0 + t % 4 for t in range(12)}, "rating_uses_outcome": True},
    "by department": {
        "rating": {(f"T{t:03d}", f"D{d:02d}"): 1 + (t + d) % 5 for t in range(12) for d in range(5)},
        "strong_from": 3,
    },
}


@pytest.mark.parametrize("given", RATINGS)
def test_the_loaded_fit_finds_the_same_spots(tmp_path, given):
    fit = make_fit(simulate_frame(12, 6))
    spots = fit.find_spots(RULE, **RATINGS[given])
    loaded = saved_and_loaded(fit, tmp_path, spots)
    assert loaded.decision.rule == RULE
    same_spots(loaded.find_spots(), spots)
    # What is loaded and saved again still knows.
    same_spots(saved_and_loaded(loaded, tmp_path, None).find_spots(), spots)


def test_a_fit_saved_without_spots_remembers_nothing(tmp_path):
    fit = make_fit(simulate_frame(12, 6))
    loaded = saved_and_loaded(fit, tmp_path, None)
    assert loaded.decision is None
    same_spots(loaded.find_spots(), fit.find_spots())


def test_a_file_of_the_first_release_is_decided_by_default(tmp_path):
    fit = make_fit(simulate_frame(12, 6))
    fit.save(tmp_path / "fit.nc", fit.find_spots(RULE))
    rewrite_header(tmp_path / "fit.nc", "decision", "sealed")
    loaded = bs.load_fit(tmp_path / "fit.nc")
    same_spots(loaded.find_spots(), fit.find_spots())


def test_what_is_given_wins_over_what_is_remembered(tmp_path):
    fit = make_fit(simulate_frame(12, 6))
    loaded = saved_and_loaded(fit, tmp_path, fit.find_spots(RULE, **RATINGS["by trust"]))
    same_spots(loaded.find_spots(SpotRule()), fit.find_spots(SpotRule(), **RATINGS["by trust"]))
    same_spots(loaded.find_spots(rating="rating"), fit.find_spots(RULE, "rating"))
    assert loaded.find_spots(rating={}).ratings is None
    stronger = loaded.find_spots(strong_from="gold")
    assert stronger.ratings.levels == ("bronze", "silver", "gold")
    assert stronger.ratings.strong.tolist() == [False, False, True]
    turned = loaded.find_spots(rating_order=["gold", "silver", "bronze"])
    assert turned.ratings.levels == ("gold", "silver", "bronze")


def test_a_band_that_occurs_nowhere_can_still_be_the_lowest_strong_one(tmp_path):
    """The Care Quality Commission's scale is known, whoever is rated."""
    fit = make_fit(simulate_frame(12, 6))
    only = {f"T{t:03d}": ("Inadequate", "Outstanding")[t % 2] for t in range(12)}
    loaded = saved_and_loaded(fit, tmp_path, fit.find_spots(rating=only))
    same_spots(loaded.find_spots(strong_from="Good"), fit.find_spots(rating=only, strong_from="Good"))


def test_everything_that_decides_by_default_decides_by_the_remembered_rule(tmp_path):
    fit = bs.fit_hierarchy(simulate_frame(12, 5), seed=1, draws=400)
    loaded = saved_and_loaded(fit, tmp_path, fit.find_spots(RULE))
    assert loaded.sensitivity().rule == RULE
    assert fit.sensitivity().rule == SpotRule()
    flags = fit.find_spots(RULE).summary()["departments"]
    assert f"{flags['bright spot']} bright" in repr(loaded)


def test_differences_remember_how_large_they_must_be(tmp_path):
    rng = np.random.default_rng(1)
    frame = simulate_frame(12, 5)[["trust", "department"]]
    frame = frame.assign(estimate=rng.normal(0.0, 2.0, 60), standard_error=0.5)
    fit = bs.fit_hierarchy(frame, estimate="estimate", standard_error="standard_error",
                           estimate_scale="difference", seed=1, draws=400)  # fmt: skip
    spots = fit.find_spots(SpotRule(difference=1.5))
    loaded = saved_and_loaded(fit, tmp_path, spots)
    same_spots(loaded.find_spots(), spots)
    assert "say how large a difference matters" not in repr(loaded)


def test_periods_are_no_hindrance(tmp_path):
    frame = simulate_frame(6, 4)
    years = pd.concat([frame.assign(period=y) for y in (2023, 2024)], ignore_index=True)
    fit = bs.fit_hierarchy(years, seed=1, draws=400)
    spots = fit.find_spots(RULE, {f"T{t:03d}": t % 3 for t in range(6)})
    same_spots(saved_and_loaded(fit, tmp_path, spots).find_spots(), spots)


def test_each_outcome_is_saved_with_its_own(tmp_path):
    frame = simulate_frame(8, 4)
    both = pd.concat([frame.assign(outcome=o) for o in ("deaths", "falls")], ignore_index=True)
    fits = bs.fit_hierarchy(both, outcome="outcome", seed=1, draws=400)
    spots = fits.find_spots(RULE)
    loaded = {}
    for outcome, fit in fits.items():
        fit.save(tmp_path / f"{outcome}.nc", spots[outcome])
        loaded[outcome] = bs.load_fit(tmp_path / f"{outcome}.nc")
    for outcome, found in bs.OutcomeFits(loaded).find_spots().items():
        same_spots(found, spots[outcome])


def test_a_suppressed_fit_takes_what_is_remembered_along_and_no_count(tmp_path):
    frame = simulate_frame(12, 5, mean_expected=25.0)
    fit = bs.fit_hierarchy(frame, seed=1, draws=400)
    loaded = saved_and_loaded(
        fit, tmp_path, fit.find_spots(RULE, rated(), rating_order=["bronze", "silver", "gold"])
    )
    safe = loaded.suppressed(below=6)
    assert safe.decision.rule == RULE
    assert set(safe.find_spots().table["rating"].dropna()) <= {"bronze", "silver", "gold"}
    again = saved_and_loaded(safe, tmp_path, None)
    same_spots(again.find_spots(), safe.find_spots())
    # Nothing is in the file that the suppressed table and the ratings do not hold.
    assert set(again.table.extras) <= {"rating"}
    assert np.any(again.table.cells.lower != again.table.cells.upper)


def test_spots_of_another_fit_are_not_saved(tmp_path):
    fit, other = make_fit(simulate_frame(12, 6)), make_fit(simulate_frame(12, 6, seed=2))
    with pytest.raises(SettingsError, match="the spots come from another fit"):
        fit.save(tmp_path / "fit.nc", other.find_spots())
    assert not (tmp_path / "fit.nc").exists()


# ---- the command line ------------------------------------------------------------------------------------------


OPTIONS = ("--margin", 1.25, "--fdr", 0.2, "--reference", "peers", "--rating-order", "bronze,silver,gold",
           "--strong-from", "gold", "--rating-uses-outcome")  # fmt: skip


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A table, ratings beside it, and a fit by options that are all not the default."""
    folder = tmp_path_factory.mktemp("cli")
    simulate_frame(12, 5).drop(columns="rating").to_csv(folder / "cells.csv", index=False)
    pd.Series(rated(), name="rating").rename_axis("trust").to_csv(folder / "ratings.csv")
    result = run("fit", folder / "cells.csv", "-o", folder / "out", "--draws", 1000, *OPTIONS,
                 "--ratings-file", folder / "ratings.csv")  # fmt: skip
    assert result.exit_code == 0, result.output
    return folder


def reported(folder: Path, *options: object, source: str = "out/fit.nc") -> dict:
    result = run("report", folder / source, "-o", folder / "board.html", "--force", "--json", *options)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_report_of_a_saved_fit_is_decided_as_the_fit_was(folder):
    written = json.loads((folder / "out" / "fit.json").read_text(encoding="utf-8"))
    report = reported(folder)
    assert report["spots"] == written["spots"]
    default = reported(folder, "--margin", 1.1, "--fdr", 0.05, "--reference", "organisation")
    assert default["spots"] != written["spots"]
    rule = {"margin": 1.25, "fdr": 0.2, "reference": "peers"}
    assert rule.items() <= report["rule"].items()
    assert rule.items() <= report["manifest"]["arguments"].items()
    assert {report["rule"]["from"][name] for name in rule} == {"saved fit"}
    assert [written["rule"]["from"][name] for name in ("margin", "fdr", "in_line")] == [
        "--margin", "--fdr", "default",
    ]  # fmt: skip
    assert written["ratings"] == {
        "of": "trusts", "bands": {"bronze": 4, "silver": 4, "gold": 3}, "strong": "gold or better, as was stated",
        "uses_outcome": True, "from": f"--ratings-file {folder / 'ratings.csv'}",
    }  # fmt: skip
    assert report["ratings"] == written["ratings"] | {"from": "saved fit"}


@pytest.mark.parametrize("disclosure", [(), ("--suppress-below", 6)])
def test_the_pack_is_the_one_of_the_table_with_the_same_options(folder, disclosure, monkeypatch):
    """But for what says from which file it came."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    options = (*OPTIONS, "--ratings-file", folder / "ratings.csv", "--draws", 1000, *disclosure)
    out = folder / f"out{len(disclosure)}"
    run("fit", folder / "cells.csv", "-o", out, "--force", *options)
    reported(folder, source=f"{out.name}/fit.nc")
    of_fit = (folder / "board.html").read_text(encoding="utf-8")
    reported(folder, *options, source="cells.csv")
    of_table = (folder / "board.html").read_text(encoding="utf-8")
    assert shown(of_fit) == shown(of_table)


def shown(page: str) -> str:
    """A pack without its manifest and times."""
    page = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    page = re.sub(r"\d+(\.\d+)? s(econds)?\b", "", page)
    return re.sub(r'<tr><th scope="row">Input</th>.*?</tr>\s*', "", page)


def test_options_that_are_given_win_and_it_is_said(folder):
    report = reported(folder, "--margin", 1.5)
    assert (report["rule"]["margin"], report["rule"]["fdr"]) == (1.5, 0.2)
    assert (report["rule"]["from"]["margin"], report["rule"]["from"]["fdr"]) == ("--margin", "saved fit")
    said = run("report", folder / "out" / "fit.nc", "-o", folder / "b.html", "--force", "--margin", 1.5)
    assert "--margin 1.5 is used, and" in said.stdout
    assert "was saved with 1.25" in said.stdout
    said = run("report", folder / "out" / "fit.nc", "-o", folder / "b.html", "--force", "--share", 0.1)
    assert "was saved with --margin 1.25 in its place" in " ".join(said.stdout.split())
    said = run("report", folder / "out" / "fit.nc", "-o", folder / "b.html", "--force")
    assert "decided by the rule and ratings with which" in said.stdout


def test_a_fit_without_a_rule_says_that_the_default_is_used(folder):
    path = folder / "bare.nc"
    bs.load_fit(folder / "out" / "fit.nc")
    path.write_bytes((folder / "out" / "fit.nc").read_bytes())
    rewrite_header(path, "decision", "sealed")
    said = run("report", path, "-o", folder / "b.html", "--force")
    assert said.exit_code == 0
    assert "was saved without its rule and ratings: the default rule is used" in said.stdout
    assert reported(folder, source="bare.nc")["rule"]["from"]["margin"] == "default"


@pytest.mark.parametrize("option", [("--higher-is", "worse"), ("--seed", 2), ("--observed", "deaths")])
def test_options_of_the_fit_are_refused_by_a_report_of_a_saved_one(folder, option):
    said = run("report", folder / "out" / "fit.nc", "-o", folder / "b.html", "--force", *option)
    assert said.exit_code == 2
    assert "is fitted already" in said.stderr


@pytest.mark.parametrize(
    "option", [("--higher-is", "better"), ("--method", "cqc"), ("--sum",), ("--title", "x")]
)
def test_options_of_a_table_are_refused_by_a_funnel_of_a_saved_fit(folder, option):
    said = run("funnel", folder / "out" / "fit.nc", "-o", folder / "funnel.png", *option)
    assert said.exit_code == 2
    assert f"{option[0]} would change nothing" in said.stderr


def test_a_margin_says_nothing_of_differences(folder, tmp_path):
    rng = np.random.default_rng(1)
    frame = simulate_frame(6, 4)[["trust", "department"]]
    frame = frame.assign(estimate=rng.normal(0.0, 2.0, 24), standard_error=0.5)
    columns = {"estimate": "estimate", "standard_error": "standard_error"}
    fit = bs.fit_hierarchy(frame, **columns, estimate_scale="difference", seed=1, draws=400)
    fit.save(tmp_path / "fit.nc", fit.find_spots(SpotRule(difference=1.0)))
    said = run("report", tmp_path / "fit.nc", "-o", tmp_path / "board.html", "--margin", 1.2)
    assert said.exit_code == 2
    assert "--margin is of ratios" in said.stderr
