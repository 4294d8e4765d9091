"""The levels of a hierarchy as data: what carries effects, outermost first, and which leaves belong to each unit.

*Nested* levels are runs of leaves within runs of leaves: a trust, a department within a trust, a period within a
department. A unit of a nested level has one normal effect, which all of its leaves share. Department types are
*crossed* with trusts: their effects belong to no run of leaves, and are parameters of the whole table.

A nested level is added by its name in `Level` and `NESTED`, its units in `nested_levels`, and its prior in
`terms.resolve_priors` (CONTRIBUTING.md has all steps): the engine goes through the list, from the leaves up to
eliminate and from the top down to draw.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.data.cells import Cells

Level = Literal["trust", "department", "period", "department_type"]
# Those whose effects may be other than normal.
ShapedLevel = Literal["trust", "department"]

# The order in which engines keep the standard deviations: nested levels, outermost first, then crossed ones.
NESTED: Final[tuple[Level, ...]] = ("trust", "department", "period")
LEVELS: Final[tuple[Level, ...]] = (*NESTED, "department_type")

# The letter of each level's effects, as in the documentation.
_SYMBOLS: Final[Mapping[Level, str]] = {
    "trust": "u",
    "department": "v",
    "period": "w",
    "department_type": "a",
}


# What effects of a standard deviation σ are distributed as, by the names that `Priors` knows.
_DISTRIBUTIONS: Final[Mapping[str, str]] = {
    "normal": "N(0, σ²)",
    "student_t": "t(ν, 0, σ²)",
    "mixture": "N(0, c²) or, with probability π, N(0, k²c²), of variance σ²",
}


def sd_name(level: Level) -> str:
    """Name under which draws of the standard deviation of a level are published and saved."""
    return f"sd_{level}"


def effect_name(level: Level, parameter: str) -> str:
    """Name under which a parameter of the distribution of a level's effects is published: of departments as it is."""
    return parameter if level == "department" else f"{level}_{parameter}"


@dataclass(frozen=True, eq=False)
class NestedLevel:
    """The units of one nested level.

    Parameters
    ----------
    name : Level
    of_leaf : int array (N,)
        Unit of each leaf, ascending, so that a unit's leaves are neighbours.
    n_units : int
    """

    name: Level
    of_leaf: IntArray
    n_units: int

    @cached_property
    def leaves(self) -> IntArray:
        """Bounds of each unit's leaves, (n_units + 1,): unit i owns ``leaves[i]:leaves[i + 1]``."""
        return np.searchsorted(self.of_leaf, np.arange(self.n_units + 1)).astype(np.int64)

    def sum(self, leaf_values: FloatArray) -> FloatArray:
        """Sum a leaf array (N,) over the leaves of each unit, (n_units,)."""
        return np.bincount(self.of_leaf, leaf_values, self.n_units).astype(np.float64, copy=False)

    def units(self, leaves: slice) -> slice:
        """The units of a run of leaves, which must begin and end where units do."""
        return slice(int(self.of_leaf[leaves.start]), int(self.of_leaf[leaves.stop - 1]) + 1)


def nested_levels(cells: Cells) -> tuple[NestedLevel, ...]:
    """All nested levels that the data have, whether in the model or not, outermost first.

    The last one is that of the leaves themselves: each of its units is one leaf.
    """
    trust = NestedLevel("trust", cells.leaf_trust, cells.n_trusts)
    department = NestedLevel("department", cells.leaf_cell, cells.n_cells)
    if not cells.has_periods:
        return trust, department
    return trust, department, NestedLevel("period", np.arange(cells.n_leaves), cells.n_leaves)


def down_to_departments(levels: tuple[NestedLevel, ...]) -> tuple[NestedLevel, ...]:
    """The nested levels whose effects are handed over: departments and all above; those below are integrated out."""
    return levels[: 1 + [level.name for level in levels].index("department")]


def structure(
    cells: Cells, priors: Mapping[Level, object], *, distributions: Mapping[ShapedLevel, str] | None = None
) -> str:
    """Say which levels a model has, how many units each, and what their effects and standard deviations come from.

    Parameters
    ----------
    cells : Cells
    priors : mapping of level to the prior of its standard deviation
        Levels that it does not have are not in the model.
    distributions : mapping of level to {"normal", "student_t", "mixture"}, optional
        Of the levels whose effects are not normal.

    Returns
    -------
    str
        One line a level: nested ones indented below the level that they are in, then those crossed with them.
    """
    named: dict[str, str] = {} if distributions is None else dict(distributions.items())
    lines: list[tuple[str, str, str]] = []
    for depth, level in enumerate(nested_levels(cells)):
        inside = "" if depth == 0 else f" in {lines[-1][0].strip()}s"
        lines.append(
            (
                "  " * depth + level.name,
                f"{level.n_units:,}{inside}",
                _effect(level.name, priors, named),
            )
        )
    size = f"{cells.n_types:,} across trusts"
    lines.append(("department_type", size, _effect("department_type", priors, named)))
    widths = [max(len(line[column]) for line in lines) for column in (0, 1)]
    return "\n".join(f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c}" for a, b, c in lines)


def _effect(level: Level, priors: Mapping[Level, object], distributions: Mapping[str, str]) -> str:
    if level not in priors:
        return "no effects in the model"
    distribution = _DISTRIBUTIONS[distributions.get(level, "normal")]
    return f"{_SYMBOLS[level]} ~ {distribution}, σ ~ {priors[level]}"
