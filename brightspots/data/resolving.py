"""Find the columns of a table: those that the caller named, and standard names; and errors for missing ones."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any, Final

from brightspots.common import vocabulary as names
from brightspots.common.errors import DataError, SettingsError
from brightspots.data.columns import Columns
from brightspots.data.numbers import Source
from brightspots.likelihood.families import BINOMIAL, NORMAL, POISSON, family_of
from brightspots.likelihood.family import Family

# Names of a table's columns that an error lists.
_SHOWN_COLUMNS: Final = 20


def resolve_names(source: Source, columns: Columns, name: names.FamilyName | None) -> Columns:
    """Fill in the standard names that the data have, and check that all columns needed exist.

    Parameters
    ----------
    source : Source
    columns : Columns
        As the caller named them.
    name : {"poisson", "binomial", "normal"} or None
        The family, where the caller said it.

    Returns
    -------
    Columns
        Every part that is not None is a column of the data; parts that the family does not use are None.

    Raises
    ------
    DataError
        Where a column that is named or needed does not exist.
    SettingsError
        Where only one of the bounds is given.
    """
    family = None if name is None else family_of(name)
    estimates = family is not None and not family.is_count
    have = set(source.columns)
    resolved: dict[str, Any] = dict(vars(columns))

    def adopt(part: str) -> None:
        # Bounds are also found under the name of the count: deaths_lower where observed="deaths".
        beside = (
            f"{columns.observed}{part.removeprefix('observed')}" if part.startswith("observed_") else part
        )
        for column in (part, beside):
            if resolved[part] is None and column in have:
                resolved[part] = column

    if estimates or (family is None and columns.observed not in have):
        adopt("estimate")
        adopt("standard_error")
    if resolved["estimate"] is None and (
        (family is not None and family.is_bounded) or (family is None and columns.expected not in have)
    ):
        adopt("denominator")
    if resolved["estimate"] is None:
        adopt("observed_lower")
        adopt("observed_upper")
        adopt("counted_from")
        bounded = resolved["observed_lower"] is not None and resolved["observed_upper"] is not None
        if bounded and columns.observed == names.OBSERVED and names.OBSERVED not in have:
            resolved["observed"] = None  # bounds alone say what was counted
    if resolved["period"] is None:
        adopt("period")

    if estimates or resolved["estimate"] is not None:
        for part in ("expected", "denominator", "observed_lower", "observed_upper", "counted_from"):
            resolved[part] = None
        resolved["observed"] = None
        required = ["trust", "department", "estimate", "standard_error"]
    else:
        resolved["standard_error"] = None
        if family is not None and not family.is_bounded:
            resolved["denominator"] = None
        among_people = (family is not None and family.is_bounded) or resolved["denominator"] is not None
        if among_people and columns.expected == names.EXPECTED and names.EXPECTED not in have:
            resolved["expected"] = None
        counted = [] if resolved["observed_lower"] is not None else ["observed"]
        required = ["trust", "department", *counted, "denominator" if among_people else "expected"]
    sought = {part: resolved[part] or part for part in required}
    sought |= {part: name for part, name in resolved.items() if isinstance(name, str)}
    missing = [(part, name) for part, name in sought.items() if name not in have]
    if missing:
        raise missing_columns(missing, source.columns)
    if (resolved["observed_lower"] is None) != (resolved["observed_upper"] is None):
        raise SettingsError("observed_lower and observed_upper must be given together")
    return Columns(**resolved)


def missing_columns(
    missing: Sequence[tuple[str, str]], columns: Sequence[str], what: str = "data"
) -> DataError:
    """The error for missing columns: the part that each plays, and existing columns that might be meant.

    Parameters
    ----------
    missing : sequence of (part, column)
    columns : sequence of str
        Names of the existing columns.
    what : str, default "data"
        Word for the table they were looked for in.
    """
    plain = {" ".join(name.replace("_", " ").split()).casefold(): name for name in columns}
    meant = []
    for part, name in missing:
        near = [
            close
            for wanted in dict.fromkeys((name, part))
            for close in difflib.get_close_matches(
                wanted.replace("_", " ").casefold(), plain, n=1, cutoff=0.7
            )
        ]
        near += [word for word in plain if part in word.split()]
        if near:
            meant.append(f"{part}={plain[near[0]]!r}")
    parts = list(dict.fromkeys(part for part, _ in missing))
    several = len(missing) > 1
    hidden = len(columns) - _SHOWN_COLUMNS
    known = ", ".join(map(repr, columns[:_SHOWN_COLUMNS])) + (f" and {hidden:,} more" if hidden > 0 else "")
    perhaps = f"did you mean {', '.join(meant)}? " if meant else ""
    return DataError(
        f"{'are' if several else 'is'} not in the {what}",
        column=[name for _, name in missing],
        expected=f"{'columns' if several else 'a column'} for {', '.join(parts)}",
        action=f"{perhaps}pass {', '.join(f'{part}=…' for part in parts)} with one of: {known}",
    )


def infer_family(columns: Columns) -> Family:
    """The family of resolved columns: normal with an estimate, binomial with a denominator, else Poisson."""
    if columns.estimate is not None:
        return NORMAL
    return BINOMIAL if columns.denominator is not None else POISSON
