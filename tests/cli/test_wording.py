"""Whatever the library says of its arguments reaches the terminal in the options of the command that was typed."""

from __future__ import annotations

import inspect
import re

import pandas as pd
import pytest
from typer.testing import CliRunner

import brightspots as bs
from brightspots.cli import app, counting, drawing, fitting
from brightspots.cli.terminal import options_of
from brightspots.cli.wording import RENAMED, WITHOUT_OPTION, in_options
from tests.conftest import simulate_frame

FIT = options_of(fitting.fit)
COUNT = options_of(counting.standardise)
FUNNEL = options_of(drawing.funnel)
QUOTED = re.compile(r"(?<!\w)'[^']*'(?!\w)")
ARGUMENTS = {
    name
    for function in (bs.fit_hierarchy, bs.standardise, bs.HierarchyFit.find_spots, bs.suppress, bs.funnel_limits,
                     bs.SpotRule, bs.Priors)
    for name in inspect.signature(function).parameters
}  # fmt: skip


def speaks_python(said: str) -> list[str]:
    """What only Python would write, outside quotation marks: keyword arguments, calls, names with underscores."""
    bare = QUOTED.sub("''", said)
    options = re.sub(r"--[\w-]+", "", bare)
    named = "|".join(sorted(ARGUMENTS))
    words = re.findall(rf"\b(?:{named})=|\bpass (?!--)\w+=|\b[A-Za-z_.]+\([^)]*\)|=…", options)
    return words + [name for name in ARGUMENTS if "_" in name and re.search(rf"(?<![\w-]){name}\b", options)]


@pytest.mark.parametrize(
    ("options", "said", "spoken"),
    [
        (FIT, "expected a column for trust; pass trust=… with one of: 'a', 'trust_code'",
         "expected a column for trust; give --trust-column with one of: 'a', 'trust_code'"),
        (FIT, "did you mean trust='Trust code', expected='exp'?",
         "did you mean --trust-column 'Trust code', --expected exp?"),
        (FIT, "name it with period=, or pass period=False to pool them",
         "name it with --period, or give --pool-periods to pool them"),
        (FIT, "(an interval: observed_lower=, observed_upper=)", "(an interval: --observed-lower, --observed-upper)"),
        (FIT, "pass rating_order=[…], worst first", "give --rating-order, worst first"),
        (FIT, "SpotRule(margin) must lie in [1, inf]; received 0.5", "--margin must lie in [1, inf]; received 0.5"),
        (FIT, "observed_lower and observed_upper must be given together",
         "--observed-lower and --observed-upper must be given together"),
        (FIT, "pass estimate_scale='difference' if they are days",
         "give --estimate-scale difference if they are days"),
        (FIT, "pass priors=Priors(department=None, department_type=None) to fit trusts alone",
         "to compare trusts alone, draw them with brightspots funnel"),
        (COUNT, "pass bins={'age': [40, 60, 75]} with cut points of your own, or bins={'age': 'levels'} if codes",
         "give --bins 'age=40, 60, 75' with cut points of your own, or --bins 'age=levels' if codes"),
        (COUNT, "missing_outcome='drop' leaves them out", "--missing-outcome drop leaves them out"),
        (COUNT, "pass trust=… with one of: 'x'", "give --trust with one of: 'x'"),
        (FUNNEL, "use method='poisson' or 'spiegelhalter', or give tau2",
         "use --method poisson or 'spiegelhalter', or state tau2 from Python"),
        (FIT, "column 'period=x': the standard_error is 'rating_order'",
         "column 'period=x': the --standard-error is 'rating_order'"),
        (FIT, "/data/period=2024/rating_order.csv cannot be read", "/data/period=2024/rating_order.csv cannot be read"),
    ],
)  # fmt: skip
def test_arguments_become_options(options, said, spoken):
    assert in_options(said, options) == spoken


def test_every_argument_has_an_option_or_is_known_to_have_none():
    known = {*FIT, *COUNT, *FUNNEL, *RENAMED, *WITHOUT_OPTION}
    spelt = {name for name in ARGUMENTS if "_" in name}
    assert spelt <= known, sorted(spelt - known)


def test_no_message_in_the_sources_stays_python_in_a_terminal():
    """Every piece of an error or a warning that the table and its readers can give."""
    from tests.conftest import ROOT

    sources = (
        "data/tables", "data/opening", "data/resolving", "data/keys",
        "data/numbers", "data/counts", "data/intervals", "data/covariates", "data/estimates",
        "data/checks", "data/period_order", "fit/fitting", "fit/spots", "fit/decided", "fit/publishable",
        "statistics/ratings", "statistics/rating_scales", "common/settings", "common/files", "limits/units",
        "limits/checks", "limits/overdispersion", "engine/run", "engine/chains/nuts", "casemix/intake",
        "casemix/factors", "casemix/indirect", "casemix/records", "disclosure/intake", "disclosure/rules",
        "disclosure/words",
    )  # fmt: skip
    bad = []
    for source in sources:
        for said in messages(ROOT / "brightspots" / f"{source}.py"):
            spoken = in_options(
                said,
                COUNT if source.startswith("casemix") else FUNNEL if source.startswith("limits") else FIT,
            )
            bad += [f"{source}: {spoken}  {words}" for words in [speaks_python(spoken)] if words]
    assert not bad, "\n".join(bad)


def messages(path):
    """Texts inside the calls that raise or warn, with what is filled in left as 'x'."""
    import ast

    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        named = isinstance(node, ast.Call) and (
            getattr(node.func, "id", "") or getattr(node.func, "attr", "")
        )
        if named in ("DataError", "SettingsError", "check_rows", "Caution", "warn", "append"):
            for part in [*node.args, *(keyword.value for keyword in node.keywords)]:
                text = text_of(part)
                if text and " " in text:
                    yield text


def text_of(node) -> str:
    import ast

    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            each.value if isinstance(each, ast.Constant) else "'x'" if each.conversion == 114 else "trust"
            for each in node.values
        )
    if isinstance(node, ast.BinOp):
        return text_of(node.left) + text_of(node.right)
    return ""


FAULTS = {
    "no columns": (lambda f: f.rename(columns=str.upper), []),
    "one column": (lambda f: f.drop(columns="expected"), []),
    "text": (lambda f: f.assign(observed="many"), []),
    "numbers as text": (lambda f: f.assign(observed="3 "), []),
    "repeated": (lambda f: pd.concat([f, f]), []),
    "one trust": (lambda f: f[f["trust"] == "T000"], []),
    "one department": (lambda f: f[f["department"] == "D00"], []),
    "nothing happened": (lambda f: f.assign(observed=0), []),
    "margin": (None, ["--margin", "0.2"]),
    "fdr": (None, ["--fdr", "2"]),
    "draws": (None, ["--draws", "0"]),
    "seed": (None, ["--seed", "-1"]),
    "suppress": (None, ["--suppress-below", "1"]),
    "round": (None, ["--round-to", "0"]),
    "zeros": (None, ["--withhold-zeros"]),
    "bounds": (None, ["--observed-lower", "observed"]),
    "covariate": (None, ["--covariates", "beds"]),
    "formula": (None, ["--covariates", "1 +* 2"]),
    "constant covariate": (lambda f: f.assign(beds=1), ["--covariates", "beds"]),
    "family": (None, ["--family", "normal"]),
    "binomial": (None, ["--family", "binomial"]),
    "denominator": (None, ["--denominator", "nowhere"]),
    "order of ratings": (lambda f: f.assign(rating=[*"abc"] * (len(f) // 3)), []),
    "order left out": (None, ["--rating-order", "Good"]),
    "strong": (None, ["--strong-from", "Poor"]),
    "rating": (None, ["--rating", "stars"]),
    "pooled": (lambda f: f.assign(period=1), ["--period", "year", "--pool-periods"]),
    "estimate": (None, ["--estimate", "expected"]),
    "large estimates": (lambda f: f.assign(estimate=50.0 + f["observed"], se=1.0),
                        ["--estimate", "estimate", "--standard-error", "se", "--draws", "50"]),
    "total": (lambda f: f.replace({"department": {"D00": "Total"}}), ["--draws", "50", "--method", "auto"]),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_is_said_in_options(fault, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    change, arguments = FAULTS[fault]
    table = simulate_frame(6, 3)
    (table if change is None else change(table)).to_csv("cells.csv", index=False)
    result = CliRunner().invoke(app, ["fit", "cells.csv", "-o", "out", "--draws", "200", *arguments])
    assert result.exit_code in (0, 2, 3), result.exception
    assert result.stderr or result.exit_code == 0
    assert not speaks_python(result.stderr), result.stderr


def test_all_missing_columns_are_told_at_once_with_what_is_near(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = simulate_frame(6, 3).rename(columns={"trust": "Trust code", "expected": "Expected deaths"})
    table.to_csv("cells.csv", index=False)
    said = CliRunner().invoke(app, ["fit", "cells.csv", "-o", "out"]).stderr
    assert "columns 'trust', 'expected': are not in the data" in said
    assert "did you mean --trust-column 'Trust code', --expected 'Expected deaths'?" in said
