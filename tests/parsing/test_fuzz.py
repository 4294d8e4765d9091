"""Damaged files end in a clear refusal, or in a table of which the change is said."""

from __future__ import annotations

from tests.parsing.fuzz import fuzz


def test_damaged_files_are_refused_or_said():
    found = fuzz(240, seed=1)
    assert found["refused"] > 20
    assert found["refused without naming the file"] == 0
    assert sum(found.values()) == 240
