"""Find whether the rows of a table are sorted by a count or a result, which reveals something of it; a safe order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations, permutations
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from brightspots.common.arrays import FloatArray
from brightspots.data.columns import Columns
from brightspots.disclosure.counts import TwoWay
from brightspots.disclosure.intake import keys_in

# Fewest changes from one row to the next, all in one direction, for rows to count as sorted by a column.
_STEPS: Final = 3


def came_sorted(columns: Iterable[FloatArray], groups: Iterable[npt.NDArray[Any]]) -> bool:
    """Whether rows are sorted by one of some columns, as a whole or within the groups of some labels.

    In sorted rows a withheld number lies between its neighbours.

    Parameters
    ----------
    columns : iterable of float arrays (R,)
        The numbers that are tried; NaN is skipped.
    groups : iterable of int arrays (R,)
        Codes of labels; rows are grouped by each of them, and by combinations of all but one.
    """
    codes = [*groups]
    together = [
        pd.factorize(pd.MultiIndex.from_arrays(some))[0]
        for size in range(1, len(codes))
        for some in combinations(codes, size)
    ]
    for values in columns:
        for group in (np.zeros(len(values), dtype=np.int64), *together):
            by_group = np.argsort(group, kind="stable")
            ordered, group_of = values[by_group], group[by_group]
            steps = np.diff(ordered)[(np.diff(group_of) == 0)]
            steps = steps[np.isfinite(steps)]
            if np.sum(steps != 0) >= _STEPS and (np.all(steps >= 0) or np.all(steps <= 0)):
                return True
    return False


def order_of_labels(
    table: pd.DataFrame, columns: Columns, at: TwoWay, counts: Sequence[str], results: Sequence[str]
) -> npt.NDArray[np.int64] | None:
    """Positions that sort the rows by label, where they were sorted by numbers; None where they need not be moved.

    Parameters
    ----------
    table : pandas.DataFrame (R rows)
    columns : Columns
    at : TwoWay
        Place of each row; periods are sorted in time by it.
    counts, results : sequence of str
        Columns whose order would reveal something; so would that of ratios of the first count to the others. Columns
        that the table lacks are ignored.
    """
    period = columns.name_of("period")
    codes = {
        key: pd.factorize(table[key].astype(str).to_numpy(), sort=True)[0] for key in keys_in(table, columns)
    }
    if period in codes:
        codes[period] = at.table
    for order in permutations(codes):
        combined = np.lexsort([codes[key] for key in reversed(order)]) if order else np.arange(len(table))
        if np.array_equal(combined, np.arange(len(table))):
            return None
    numbers = [
        table[name].to_numpy(dtype=np.float64)
        for name in dict.fromkeys((*counts, *results))
        if name in table and table[name].dtype.kind in "if"
    ]
    present = [name for name in counts if name in table and table[name].dtype.kind in "if"]
    if len(present) > 1:
        with np.errstate(divide="ignore", invalid="ignore"):
            first = table[present[0]].to_numpy(dtype=np.float64)
            numbers += [first / table[name].to_numpy(dtype=np.float64) for name in present[1:]]
    if not came_sorted(numbers, codes.values()):
        return None
    return np.lexsort([codes[key] for key in reversed(list(codes))]) if codes else None
