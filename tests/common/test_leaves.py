"""Taking some leaves takes every array that has one value a leaf: none is listed by hand, and none can be forgotten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brightspots.common.leaves import leaf_fields
from brightspots.data.cells import Cells
from brightspots.data.counts import Counts
from brightspots.likelihood.outcomes import Outcomes
from tests.conftest import simulate_frame, table_of


@pytest.fixture(scope="module")
def cells() -> Cells:
    """With everything that cells can hold, and no two sizes alike: the first axis tells what an array is of."""
    frame = simulate_frame(7, 4)
    frame = pd.concat([frame.assign(period=year) for year in (2021, 2022, 2023)], ignore_index=True)
    made = table_of(
        frame.assign(counted_from=1, beds=np.arange(len(frame)) % 11), covariates="beds", expected_sd=0.1
    ).cells
    assert made.periods is not None
    sizes = [made.n_leaves, made.n_cells, made.n_trusts, made.n_departments, len(made.periods)]
    assert len({*sizes, made.n_types, len(made.covariates)}) == 7
    return made


def counts(cells: Cells) -> Counts:
    return Counts(cells.lower, cells.upper, cells.size, cells.expected, cells.counted_from)


HOLDERS: dict[type, Callable[[Cells], Any]] = {
    Cells: lambda cells: cells,
    Counts: counts,
    Outcomes: Outcomes.of,
}


@pytest.mark.parametrize("kind", HOLDERS)
def test_every_array_with_a_value_a_leaf_is_marked(cells: Cells, kind: type):
    """A new field that is not marked would be left as it is where some of the leaves are taken."""
    holder = HOLDERS[kind](cells)
    missing = [item.name for item in fields(kind) if getattr(holder, item.name) is None]
    assert not missing, "the data of this test are to fill every field"
    of_leaves = [
        item.name for item in fields(kind) if len(np.atleast_1d(getattr(holder, item.name))) == cells.n_leaves
    ]
    assert tuple(of_leaves) == leaf_fields(kind)


@pytest.mark.parametrize("kind", HOLDERS)
def test_every_marked_array_is_taken(cells: Cells, kind: type):
    leaves = np.flatnonzero(np.arange(cells.n_leaves) % 3 == 1)
    holder = HOLDERS[kind](cells)
    some = Outcomes.of(holder, leaves) if kind is Outcomes else holder.at_leaves(leaves)
    for name in leaf_fields(kind):
        taken = getattr(holder, name)[leaves]
        if name == "leaf_cell":  # cells are numbered anew
            taken = np.unique(taken, return_inverse=True)[1]
        np.testing.assert_array_equal(getattr(some, name), taken)


def test_cells_and_trusts_without_a_leaf_are_gone(cells: Cells):
    """The leaves of one cell of each of two trusts; department types stay, so that their effects keep their places."""
    first, last = np.flatnonzero(cells.cell_trust == 1)[1], np.flatnonzero(cells.cell_trust == 5)[2]
    some = cells.at_leaves(np.isin(cells.leaf_cell, [first, last]))
    assert some.trusts.tolist() == cells.trusts[[1, 5]].tolist()
    assert some.cell_trust.tolist() == [0, 1]
    assert some.leaf_cell.tolist() == [0, 0, 0, 1, 1, 1]
    assert some.cell_department.tolist() == cells.cell_department[[first, last]].tolist()
    assert some.departments is cells.departments
    assert some.periods is cells.periods


def test_one_leaf_of_a_cell_can_be_missing(cells: Cells):
    keep = np.ones(cells.n_leaves, dtype=bool)
    keep[4] = False
    some = cells.at_leaves(keep)
    assert (some.n_cells, some.n_leaves) == (cells.n_cells, cells.n_leaves - 1)
    np.testing.assert_array_equal(some.leaf_cell, cells.leaf_cell[keep])
