"""The same number reads alike wherever it is printed."""

from __future__ import annotations

import ast
import re

import numpy as np
import pytest
from typer.testing import CliRunner

import brightspots as bs
from brightspots.cli import app
from brightspots.common.wording import (
    interval_text,
    percent,
    percent_interval,
    probability_text,
    stated_probability,
    times_text,
)
from brightspots.fit import frames, spots_text
from brightspots.report import words
from brightspots.report.gather import nation_facts
from brightspots.report.pack import write_board_pack
from brightspots.report.subject import Subject
from brightspots.report.tables import spots_table
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("probability", "said"),
    [
        (0.0, "below 0.01"),
        (0.0049, "below 0.01"),
        (0.0051, "0.01"),
        (0.05, "0.05"),
        (0.5, "0.50"),
        (0.987, "0.99"),
        (0.992, "0.99"),
        (0.9949, "0.99"),
        (0.9951, "above 0.99"),
        (1.0, "above 0.99"),
    ],
)
def test_a_probability_is_never_certain_or_impossible(probability, said):
    assert probability_text(probability) == said


def test_the_cut_is_where_rounding_would_give_a_certainty():
    """Nothing is said to be above 0.99 that another place would round to 0.99."""
    for probability in np.linspace(0.0, 1.0, 20_001):
        rounded = f"{probability:.2f}"
        said = probability_text(probability)
        assert said == {"0.00": "below 0.01", "1.00": "above 0.99"}.get(rounded, rounded)


def test_the_phrase_of_a_probability_is_that_of_the_number_beside_it():
    for probability in np.linspace(0.0, 1.0, 20_001):
        phrase, number = re.fullmatch(r"(.*) \(probability (.*)\)", words.likelihood(probability)).groups()
        read = {"below 0.01": 0.0, "above 0.99": 1.0}.get(number)
        read = float(number) if read is None else read
        assert phrase == next(each for least, each in words.PROBABILITY_WORDS if read >= least)


@pytest.mark.parametrize(
    ("share", "decimals", "said"),
    [
        (0.0, 0, "0%"),
        (0.0004, 0, "under 1%"),
        (0.0049, 0, "under 1%"),
        (0.006, 0, "1%"),
        (0.294, 0, "29%"),
        (0.9951, 0, "over 99%"),
        (1.0, 0, "100%"),
        (0.0004, 1, "under 0.1%"),
        (0.0004, 2, "0.04%"),
        (0.9996, 1, "over 99.9%"),
        (0.99999, 2, "over 99.99%"),
    ],
)
def test_a_share_is_never_rounded_to_none_or_all(share, decimals, said):
    assert percent(share, decimals) == said


def test_a_number_stands_before_its_interval():
    assert interval_text(1.206, 1.1, 1.338) == "1.21 (1.10 to 1.34)"
    assert interval_text(0.0123, -1.5, 12.0, form=".3g") == "0.0123 (-1.5 to 12)"
    assert percent_interval(0.003, 0.0, 0.354) == "under 1% (0% to 35%)"


@pytest.mark.parametrize(
    ("asked", "said"), [(0.8, "0.80"), (0.95, "0.95"), (0.995, "0.995"), (0.9999, "0.9999")]
)
def test_a_probability_that_was_asked_for_is_said_as_it_was(asked, said):
    assert stated_probability(asked) == said


# --- through the library ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fit():
    return bs.fit_hierarchy(bs.simulate_nation(12, 5, sd_department=0.5, seed=2).cells, seed=2)


PLACES = (0.9949, 0.9951, 0.992, 0.5, 0.0049, 0.0051)


@pytest.mark.parametrize("probability", PLACES)
def test_the_probability_that_departments_vary_more_reads_alike_everywhere(
    fit, probability, monkeypatch, tmp_path
):
    """In the text and HTML of a fit, in the figure and its description, on the command line, and in the pack."""
    exact = frames.partition_frame

    def partition_frame(*arguments, **options):
        frame = exact(*arguments, **options)
        frame.attrs["p_department_exceeds_trust"] = probability
        return frame

    monkeypatch.setattr(frames, "partition_frame", partition_frame)
    said = probability_text(probability)
    assert f"P(departments vary more than trusts): {said}\n" in repr(fit)
    ax = fit.plot_partition()
    assert f"Probability that departments vary more than trusts: {said}." in bs.describe(ax)
    written = " ".join(" ".join(text.get_text() for text in ax.texts).split())
    assert f"vary more than trusts: {said}." in written
    monkeypatch.setattr("brightspots.fit.fitting.fit_hierarchy", lambda *_, **__: fit)  # of these very cells
    bs.simulate_nation(12, 5, sd_department=0.5, seed=2).cells.to_csv(tmp_path / "cells.csv", index=False)
    told = CliRunner().invoke(
        app, ["fit", str(tmp_path / "cells.csv"), "-o", str(tmp_path / "out"), "--seed", "2"]
    )
    assert f"P(departments vary more than trusts): {said}\n" in told.output
    # A pack says which of the two is likelier.
    write_board_pack(fit, fit.find_spots(), tmp_path / "pack.html")
    likelier = probability_text(max(probability, 1.0 - probability))
    assert f"(probability {likelier}) that" in (tmp_path / "pack.html").read_text("utf-8")


def test_the_probability_of_a_flag_reads_alike_in_print_html_and_pack(fit):
    spots = fit.find_spots()
    flagged = spots.table[spots.table["status"].isin(["bright spot", "dark spot"])]
    said = {
        (trust, department): probability_text(probability)
        for trust, department, probability in zip(
            flagged["trust"], flagged["department"], flagged["probability"], strict=True
        )
    }
    assert "above 0.99" in said.values()
    assert len(set(said.values())) > 3

    table = spots_text.spots_table(spots)
    assert (
        dict(zip(zip(table["trust"], table["department"], strict=True), table["probability"], strict=True))
        == said
    )
    for (trust, department), probability in said.items():
        row = rf"<td>{trust}</td>\s*<td>{department}</td>.*?<td>{re.escape(probability)}</td>"
        assert re.search(row, spots._repr_html_(), re.DOTALL)

    facts = nation_facts(Subject.of(fit, spots))
    in_pack = spots_table(facts.spots, facts.shared.setting, None)
    of = [column.heading for column in in_pack.columns].index("Probability of the status")
    assert {(row[0].text[-5:-1], row[1].text): row[of].text for row in in_pack.rows} == said  # … (T001)


# --- nobody formats one by itself ------------------------------------------------------------------------------------

# Names of probabilities and of shares, as they stand in a format: p, p.point, row.p_high, probability, share.lower …
NAMED = re.compile(r"\b(?:p|p_\w+|\w*probability|shares?|exceeds|rate)\b")
# Axes are marked with round shares, never estimated.
ALLOWED = {"pictures.py: value", "svg.py: tick"}


def formats(path):
    """Formatted values of a module: (line, expression, format)."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FormattedValue) and node.format_spec is not None:
            yield node.lineno, ast.unparse(node.value), ast.unparse(node.format_spec)


def rounds_by_itself(value, form):
    """Whether a formatted value is a probability or a share with its digits cut off, or a percentage of anything."""
    return "%" in form or (form.endswith(("f'", "e'")) and NAMED.search(value) is not None)


def test_no_module_formats_a_probability_or_a_share_by_itself():
    """What a name does not tell no sweep can find; the tests above compare what is printed."""
    found = {
        f"{path.name}: {value}"
        for path in (ROOT / "brightspots").rglob("*.py")
        if path.name != "wording.py"
        for _, value, form in formats(path)
        if rounds_by_itself(value, form)
    }
    assert found == ALLOWED


def test_the_sweep_finds_what_it_looks_for(tmp_path):
    module = tmp_path / "module.py"
    module.write_text('def said(row):\n    return f"{row.p_high:.2f} {row.share:.0%}"\n', "utf-8")
    assert [(value, form) for _, value, form in formats(module) if rounds_by_itself(value, form)] == [
        ("row.p_high", "f'.2f'"),
        ("row.share", "f'.0%'"),
    ]


@pytest.mark.parametrize(
    ("log_ratio", "said"),
    [
        (0.0, "1.0"),
        (0.3, "1.3"),
        (2.3, "10"),
        (3.2, "25"),
        (7.39, "1,600"),
        (13.0, "440,000"),
        (40.0, "10^17"),
    ],
)
def test_how_many_times(log_ratio, said):
    assert times_text(log_ratio) == said
