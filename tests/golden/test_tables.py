"""The fits of `tables.py` say what they said when their tables were kept."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import brightspots as bs
from tests.golden import tables

# One of each kind; `python -m tests.golden.tables check` compares them all.
QUICK = ("poisson_periods", "binomial", "difference", "suppressed", "counted_from", "covariates")


@pytest.fixture(scope="module")
def kept():
    return tables.kept()


def test_every_subject_that_is_kept_is_there(kept):
    wanted = {name for name, subject in tables.SUBJECTS.items() if subject.kept}
    assert {name.split(" ")[0] for name in kept if not name.startswith(("funnel", "disclosed"))} == wanted
    assert set(QUICK) <= wanted


@pytest.mark.parametrize("name", QUICK)
def test_a_fit_says_what_it_said(kept, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bs.DataWarning)
        found = {
            f"{name} {table}.csv": frame.to_csv(index=False)
            for table, frame in tables.tables_of(tables.SUBJECTS[name])
        }
    assert found.keys() == {file for file in kept if file.split(" ")[0] == name}
    for file, text in found.items():
        assert list(tables.beyond(file, kept[file], text)) == []


def test_limits_and_suppressed_tables_are_what_they_were(kept):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bs.DataWarning)
        found = dict(tables.published())
    assert found.keys() == {file for file in kept if file.startswith(("funnel", "disclosed"))}
    for file, text in found.items():
        assert list(tables.beyond(file, kept[file], text)) == []


def test_a_number_that_moves_is_seen():
    table = "name,value,note\na,1.0,x 0.25\nb,,x 2\n"

    def found(after: str) -> dict[str, float]:
        return dict(tables.differences(table, after))

    assert found(table) == {"name": 0.0, "value": 0.0, "note": 0.0}
    assert found(table.replace("1.0", "1.00001"))["value"] == pytest.approx(1e-5, rel=1e-3)
    assert found(table.replace("0.25", "0.26"))["note"] == pytest.approx(1 / 26)
    assert found(table.replace("x 2", "y 2"))["note"] == np.inf
    assert found(table.replace("b,,", "b,3.0,"))["value"] == np.inf
    assert found(table + "c,1.0,x 1\n") == {"columns or rows": np.inf}


def test_what_draws_decide_may_move_by_less_than_their_error():
    table = "value\n1.0\n0.001\n"
    for file, allowed, too_far in (
        ("poisson partition.csv", "1.0000005", "1.000005"),
        ("poisson departments.csv", "1.004", "1.006"),
    ):
        assert list(tables.beyond(file, table, table.replace("1.0", allowed))) == []
        assert [name for name, _ in tables.beyond(file, table, table.replace("1.0", too_far))] == ["value"]
    assert list(tables.beyond("poisson spots.csv", table, table.replace("0.001", "0.002"))) == []
