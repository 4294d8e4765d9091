"""Disclosure control on the way out: small counts withheld, others rounded, and nothing left that gives them back.

Suppress first, compute afterwards. What is computed from a suppressed table cannot say more than the table does; what
is computed from the exact one can: a posterior mean of a small cell is one of ten numbers, and so, to enough digits, is
that of its neighbour. `suppress` makes the table that may be published; ``fit.suppressed(…)``, the command line and
the board pack fit that.

Published practice: CMS lets no count from 1 to 10 be shown, or be derived from what is shown, and zeros are no
violation (CMS Cell Size Suppression Policy, 2024): ``below=11``. NHS hospital statistics write * for 1 to 7 and round
all others to 5, zeros shown (Disclosure control methodology for HES and ECDS, 2018): ``below=8, round_to=5``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import narwhals as nw
import numpy as np
import numpy.typing as npt
import pandas as pd

from brightspots import vocabulary as names
from brightspots.cells import FloatArray
from brightspots.columns import Source, number_column
from brightspots.errors import DataError, SettingsError
from brightspots.secondary import Secondary, protect

BoolArray = npt.NDArray[np.bool_]
Zeros = Literal["shown", "withheld"]
Totals = Literal["trust", "department"]

WITHHELD: Final = "withheld"
SMALL: Final = "small"
BESIDE: Final = "beside"
GIVEN: Final = "given"

# Columns of our own tables that follow from the counts of their row: from them a count can be worked out.
_ESTIMATES: Final = ("peer_ratio", "own_ratio", "peer_difference", "own_difference", "excess")
_DERIVED: Final = (
    *(f"{name}{end}" for name in _ESTIMATES for end in ("", "_lower", "_upper")),
    "raw_ratio", "p_peer_high", "p_peer_low", "p_own_high", "p_own_low", "reliability", "surprise",
    "detectable_ratio", "detectable_difference", "status", "probability", "rating_status", "p_other_band",
    "p_two_bands", "periods_same_side", "periods_compared",
)  # fmt: skip
_DECIMALS: Final = 2


@dataclass(frozen=True)
class Rules:
    """How counts are suppressed; checks itself.

    Parameters
    ----------
    below : int or None
        Counts under this are withheld.
    round_to : int or None
        Counts are rounded to multiples of this.
    zeros : {"shown", "withheld"}
        Whether a zero is shown, or withheld like a small count.
    totals : tuple of {"trust", "department"}
        Which totals others know.
    """

    below: int | None = None
    round_to: int | None = None
    zeros: Zeros = "shown"
    totals: tuple[Totals, ...] = ("trust", "department")

    def __post_init__(self) -> None:
        for name, value, least in (("below", self.below, 2), ("round_to", self.round_to, 2)):
            whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
            if value is not None and (not whole or value < least):
                raise SettingsError(f"{name} must be a whole number of {least} or more; received {value!r}")
        if self.below is None and self.round_to is None:
            raise SettingsError("give below=…, round_to=… or both: there is nothing to do otherwise")
        if self.zeros not in ("shown", "withheld"):
            raise SettingsError(f"zeros must be 'shown' or 'withheld'; received {self.zeros!r}")
        if set(self.totals) - {"trust", "department"}:
            raise SettingsError(
                f"totals are among 'trust' and 'department', in a tuple; received {self.totals!r}"
            )

    @property
    def least(self) -> int:
        """Least that a withheld small count can be."""
        return 1 if self.zeros == "shown" else 0

    @property
    def text(self) -> str:
        """One sentence on what was done."""
        parts = []
        if self.below is not None:
            parts.append(
                f"counts from {self.least} to {self.below - 1} were withheld, with as many others as it takes to keep "
                "totals from giving them back"
            )
        if self.round_to is not None:
            parts.append(f"counts were rounded to multiples of {self.round_to}")
        text = " and ".join(parts)
        return f"{text[0].upper()}{text[1:]}."


@dataclass(frozen=True, eq=False)
class Disclosed:
    """Counts as they may be shown, (R,) each.

    Parameters
    ----------
    shown : float array
        Rounded where that was asked for; NaN where withheld.
    lower, upper : float array
        What may be known of each: equal to `shown` where it is shown; upper is infinite where nothing bounds it.
    reason : object array
        "", "small", "beside" (withheld so that a total gives no small one back) or "given" (withheld already).
    """

    shown: FloatArray
    lower: FloatArray
    upper: FloatArray
    reason: npt.NDArray[np.object_]


@dataclass(frozen=True, eq=False)
class TwoWay:
    """Where each count stands, (R,) int arrays: its table (a period), and its row and column there."""

    table: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]
    column: npt.NDArray[np.int64]


def disclose(
    lower: FloatArray, upper: FloatArray, at: TwoWay, rules: Rules, *, of: FloatArray | None = None
) -> tuple[Disclosed, tuple[Secondary, ...]]:
    """Withhold and round counts.

    Parameters
    ----------
    lower, upper : (R,)
        Counts as intervals: equal where exact, wider where they were withheld before.
    at : TwoWay
    rules : Rules
    of : (R,), optional
        How many people each count is among: those without the event are a count too.
    """
    exact = lower == upper
    small = np.zeros(len(lower), dtype=bool)
    low, high = lower.copy(), upper.copy()
    secondary: list[Secondary] = []
    beside = np.zeros(len(lower), dtype=bool)
    if rules.below is not None:
        least, most = rules.least, rules.below - 1
        few = exact & (lower >= least) & (lower <= most)
        low[few], high[few] = least, most
        small = few
        if of is not None:
            high[few] = np.minimum(high[few], of[few])
            rest = of - lower
            nearly_all = exact & ~few & (rest >= least) & (rest <= most)
            low[nearly_all], high[nearly_all] = of[nearly_all] - most, of[nearly_all] - least
            small = few | nearly_all
        if rules.totals:
            for table in np.unique(at.table[small]):
                inside = np.flatnonzero(at.table == table)
                found = protect(
                    np.where(exact, lower, np.nan)[inside], small[inside], at.row[inside], at.column[inside],
                    least=2 * rules.below - 1, by_row="trust" in rules.totals, by_column="department" in rules.totals,
                )  # fmt: skip
                beside[inside] = found.beside
                secondary.append(found)
        low[beside] = rules.below
        high[beside] = np.inf if of is None else of[beside]
    shown = np.where(exact & ~small & ~beside, lower, np.nan)
    if rules.round_to is not None:
        shown = rounded(shown, rules.round_to)
        known = ~np.isnan(shown)
        low[known] = high[known] = shown[known]
    reason = np.full(len(lower), "", dtype=object)
    reason[~exact], reason[small], reason[beside] = GIVEN, SMALL, BESIDE
    return Disclosed(shown, low, high, reason), tuple(secondary)


def rounded(values: FloatArray, multiple: int) -> FloatArray:
    """Nearest multiple, halves up."""
    return np.floor(values / multiple + 0.5) * multiple


def suppress(
    frame: Any,
    *,
    below: int | None = None,
    round_to: int | None = None,
    zeros: Zeros = "shown",
    totals: Sequence[Totals] = ("trust", "department"),
    mark: str | None = None,
    trust: str = names.TRUST,
    department: str = names.DEPARTMENT,
    period: str = names.PERIOD,
    observed: str = names.OBSERVED,
    expected: str = names.EXPECTED,
    denominator: str = names.DENOMINATOR,
) -> pd.DataFrame:
    """Withhold small counts, and round the others, so that a table may be published.

    Parameters
    ----------
    frame : eager dataframe
        One row a trust × department (× period) or, without a department, a trust: cells to be fitted, or what
        ``fit.departments()`` gives. Counts are `observed` and `denominator`, where it has them.
    below : int, optional
        Counts under this are withheld: 8 as in NHS hospital statistics, 11 as CMS asks. Those *without* the event are a
        count as well where there is a `denominator`. A withheld count is missing; `observed_lower` and
        `observed_upper` (which may be infinite) say what may be known of it, and `fit_hierarchy` takes it so.
    round_to : int, optional
        Counts are rounded to its multiples, halves up. `expected` keeps its ratio to a rounded `denominator`;
        `raw_ratio` is worked out again from what is shown.
    zeros : {"shown", "withheld"}, default "shown"
        A zero says of nobody that something happened to them, and both publishers above show it. "withheld" treats it
        as a small count: intervals then begin at 0.
    totals : sequence of {"trust", "department"}, default both
        Totals that others know or can find. Further counts are withheld so that these do not give a small one back
        (see `brightspots.secondary`); ``()`` where there are none. Periods are tables of their own.
    mark : str, optional
        Write this text (``"*"``) in place of a missing value, and no bounds: for people to read.
    trust, department, period, observed, expected, denominator : str
        Names of the columns.

    Returns
    -------
    pandas.DataFrame
        A copy with the column `withheld` (``""``, ``"small"``, ``"beside"``: to protect a small one, ``"given"``: it
        came withheld). Estimates of withheld rows are missing, all others are rounded to two decimals.
        ``.attrs["notes"]`` says how many were withheld, and of which totals must not be published because nothing else
        could protect what stands in them.

    Raises
    ------
    DataError
        Where the frame has no counts, a count is not a whole number, or a cell appears more than once.
    SettingsError
        Where an option cannot be used.

    Notes
    -----
    Estimates that stand on exact counts can be compared with those of every possible count. To publish estimates,
    suppress first and fit afterwards, or use ``fit.suppressed(…)``.
    """
    rules = Rules(below, round_to, zeros, tuple(totals))
    table = _as_pandas(frame)
    counts = [name for name in (observed, denominator) if name in table]
    if not counts:
        raise DataError(
            f"there is no column {observed!r} or {denominator!r}", expected="counts to withhold or round",
            action=f"name them with observed=…, denominator=…; the frame has {', '.join(map(repr, table.columns))}",
        )  # fmt: skip
    at = _places(table, trust, department, period)
    notes = [*table.attrs.get("notes", ()), rules.text]
    people = None
    result = table.copy()
    result.attrs = dict(table.attrs)
    withheld_people = np.zeros(len(table), dtype=bool)
    if denominator in table:
        people = _interval(table, denominator, None, None)[0]
        shown, secondary = disclose(people, people, at, rules)
        notes += _say(table, shown, secondary, at, denominator, trust, department)
        withheld_people = np.isnan(shown.shown)
        if expected in table:
            scale = np.where(
                withheld_people,
                np.nan,
                np.divide(shown.shown, people, where=people > 0, out=np.ones(len(people))),
            )
            result[expected] = table[expected].to_numpy(dtype=np.float64) * scale
        result[denominator] = _column(shown.shown, mark)
    reason = np.where(withheld_people, SMALL, "").astype(object)
    if observed in table:
        lower, upper = _interval(table, observed, names.OBSERVED_LOWER, names.OBSERVED_UPPER)
        disclosed, secondary = disclose(lower, upper, at, rules, of=people)
        notes += _say(table, disclosed, secondary, at, observed, trust, department)
        result[observed] = _column(disclosed.shown, mark)
        if mark is None and np.isnan(disclosed.shown).any():
            result[names.OBSERVED_LOWER] = disclosed.lower
            result[names.OBSERVED_UPPER] = disclosed.upper
        elif mark is not None:
            result = result.drop(columns=[names.OBSERVED_LOWER, names.OBSERVED_UPPER], errors="ignore")
        reason = np.where(disclosed.reason == "", reason, disclosed.reason).astype(object)
        if "raw_ratio" in result:
            ratio = (
                disclosed.shown / result[expected].to_numpy(dtype=np.float64)
                if expected in result
                else np.nan
            )
            result["raw_ratio"] = ratio
    result[WITHHELD] = reason
    _coarsen(result, reason != "", round_to)
    result.attrs["notes"] = tuple(notes)
    return result


def _as_pandas(frame: Any) -> pd.DataFrame:
    if isinstance(frame, pd.DataFrame):
        return frame
    try:
        return nw.from_native(frame, eager_only=True).to_pandas()
    except TypeError:
        raise DataError(f"the data are a {type(frame).__name__}", expected="an eager dataframe") from None


def _places(table: pd.DataFrame, trust: str, department: str, period: str) -> TwoWay:
    """Where each row stands; without departments (or trusts) all stand in one line, whose total is known."""

    def codes(column: str) -> npt.NDArray[np.int64]:
        if column not in table:
            return np.zeros(len(table), dtype=np.int64)
        return pd.factorize(table[column])[0].astype(np.int64)

    tables, rows, columns = codes(period), codes(trust), codes(department)
    if trust not in table and department not in table:
        columns = np.arange(len(table))
    where = pd.DataFrame({"table": tables, "row": rows, "column": columns})
    twice = where.duplicated(keep=False).to_numpy()
    if twice.any():
        keys = [column for column in (trust, department, period) if column in table]
        raise DataError(
            "the same cell appears more than once", column=", ".join(keys), rows=table.index[twice].tolist(),
            expected=f"one row per {' × '.join(keys)}", action="suppress one outcome or part at a time",
        )  # fmt: skip
    return TwoWay(tables, rows, columns)


def _interval(
    table: pd.DataFrame, column: str, lower: str | None, upper: str | None
) -> tuple[FloatArray, FloatArray]:
    """Counts as intervals; a missing one is unknown (0 to infinity) unless its bounds are given."""
    source = Source(nw.from_native(table, eager_only=True), table.index.to_numpy())
    values = number_column(source, column, "counts", allow_missing=True)
    known = ~np.isnan(values)
    bad = known & ((values < 0) | (values != np.floor(values)))
    if bad.any():
        raise DataError(
            "a count is negative or fractional", column=column, rows=table.index[bad].tolist(),
            expected="whole numbers of zero or more", action="suppress counts; estimates are rounded with them",
        )  # fmt: skip
    low, high = np.where(known, values, 0.0), np.where(known, values, np.inf)
    for name, bounds in ((lower, low), (upper, high)):
        if name is not None and name in table:
            given = number_column(source, name, "bounds", allow_missing=True, allow_infinite=True)
            use = ~known & ~np.isnan(given)
            bounds[use] = given[use]
    return low, high


def _column(values: FloatArray, mark: str | None) -> Any:
    if mark is not None:
        return [mark if np.isnan(value) else int(value) for value in values]
    return values if np.isnan(values).any() else values.astype(np.int64)


def _coarsen(result: pd.DataFrame, hidden: BoolArray, round_to: int | None) -> None:
    """Take away the estimates of withheld rows, and the digits of all others."""
    for column in _DERIVED:
        if column not in result:
            continue
        if result[column].dtype.kind in "if":
            values = result[column].to_numpy(dtype=np.float64)
            of_events = column.startswith("excess")
            values = rounded(values, round_to or 1) if of_events else np.round(values, _DECIMALS)
            result[column] = np.where(hidden, np.nan, values)
        else:
            result[column] = result[column].astype(object).mask(hidden, None)


def _say(
    table: pd.DataFrame, shown: Disclosed, secondary: tuple[Secondary, ...], at: TwoWay, column: str, trust: str,
    department: str,
) -> list[str]:  # fmt: skip
    """Sentences on how many counts of a column are withheld, and on totals that must not be published."""
    small, beside = int(np.sum(shown.reason == SMALL)), int(np.sum(shown.reason == BESIDE))
    said = []
    if small or beside:
        said.append(
            f"Withheld {small:,} small counts and {beside:,} beside them of {len(table):,} in {column!r}."
        )
    for what, totals, codes in (
        (trust, [each.row_totals for each in secondary], at.row),
        (department, [each.column_totals for each in secondary], at.column),
    ):
        wanted = frozenset().union(*totals)
        if wanted:
            labels = (
                table[what][np.isin(codes, list(wanted))].drop_duplicates()
                if what in table
                else ["the whole"]
            )
            said.append(
                f"Do not publish the totals of {column!r} of these, which would give a small count back: "
                f"{', '.join(map(str, labels))}."
            )
    if any(each.grand_total for each in secondary):
        said.append(f"Do not publish the overall total of {column!r}, which would give a small count back.")
    return said
