"""Summaries as pandas frames with standard column names, at full precision; only displays round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.arrays import FloatArray, IntArray
from brightspots.common.settings import EffectLevel, EffectQuestion
from brightspots.common.wording import times_text
from brightspots.data.cells import Cells
from brightspots.data.tables import Table
from brightspots.engine.effect_choice import ENOUGH, EffectChoice
from brightspots.engine.integration.leave_one_out import Surprise
from brightspots.statistics import summaries
from brightspots.statistics.detectable import Detectable
from brightspots.statistics.effect_shape import EffectShape
from brightspots.statistics.ranks import Ranks
from brightspots.statistics.scale import effect_name, effect_values
from brightspots.statistics.summaries import CellSummary, Interval, Partition, TrustSummary

OWN_UNDEFINED = "{} is missing for a trust's only department: there is no other department to compare with"

# A department is called surprising where its mid-p is below this, or above 1 less this.
SURPRISING = 0.025


def partition_frame(partition: Partition, *, ratios: bool = True) -> pd.DataFrame:
    """One row a level: σ, share and median ratio (or, where effects are not ratios, difference) with intervals."""
    columns = _interval_columns("sd", partition.sd) | _interval_columns("share", partition.share)
    if ratios:
        columns |= _interval_columns("median_ratio", partition.median_ratio)
    else:
        sd, factor = partition.sd, summaries.MEDIAN_RATIO_FACTOR
        columns |= _interval_columns(
            "median_difference", Interval(factor * sd.point, factor * sd.lower, factor * sd.upper)
        )
    frame = pd.DataFrame(columns, index=pd.Index(partition.levels, name="level"))
    frame.attrs["p_department_exceeds_trust"] = partition.p_department_exceeds_trust
    if partition.department_type_sd is not None:
        types = partition.department_type_sd
        frame.attrs["sd_department_type"] = tuple(float(v) for v in (types.point, types.lower, types.upper))
    return frame


def shape_frame(shapes: dict[str, EffectShape]) -> pd.DataFrame:
    """One row a level: number of units, excess kurtosis of their effects with its interval, and p."""
    rows = {
        level: {
            "units": shape.units,
            "excess_kurtosis": shape.excess_kurtosis,
            "excess_kurtosis_lower": shape.lower,
            "excess_kurtosis_upper": shape.upper,
            "p": shape.p,
        }
        for level, shape in shapes.items()
    }
    return pd.DataFrame(list(rows.values()), index=pd.Index(list(rows), name="level"))


def distribution_frame(
    levels: Sequence[EffectLevel],
    choice: EffectChoice,
    fitted: Mapping[EffectLevel, str],
    *,
    by_type: bool,
) -> pd.DataFrame:
    """One row a level: the distribution of its effects, the log Bayes factor of a mixture where it was looked at, why.

    Parameters
    ----------
    levels : sequence of level
        Those in the model.
    choice : EffectChoice
    fitted : mapping of level to str
        The distributions that are not normal.
    by_type : bool
        Whether each type of department has an sd of its own.
    """
    factors = choice.log_bayes_factors
    of_types = {"department": factors.get("department_by_type", np.nan)}
    questions: dict[EffectLevel, list[EffectQuestion]] = {level: [level] for level in levels}
    if "department_by_type" in factors:
        questions["department"].append("department_by_type")
    columns = {
        "distribution": [fitted.get(level, "normal") for level in levels],
        "sd_by_type": [by_type and level == "department" for level in levels],
        "log_bayes_factor": [factors.get(level, np.nan) for level in levels],
        "log_bayes_factor_by_type": [of_types.get(level, np.nan) for level in levels],
        "why": ["; ".join(why(question, choice) for question in questions[level]) for level in levels],
    }
    return pd.DataFrame(columns, index=pd.Index(levels, name="level"))


# The less simple and the simpler answer to a question.
_ANSWERS: Final[Mapping[EffectQuestion, tuple[str, str]]] = {
    "trust": ("under a mixture of two normals", "under one normal"),
    "department": ("under a mixture of two normals", "under one normal"),
    "department_by_type": ("if each type of department has an sd of its own", "if all have the same"),
}


def why(question: EffectQuestion, choice: EffectChoice) -> str:
    """Why the fit has the answer to a question on the distribution of effects that it has."""
    if question not in choice.log_bayes_factors:
        return "as the priors say"
    found = choice.log_bayes_factors[question]
    times = f"{times_text(abs(found))} times likelier"
    less_simple, simpler = _ANSWERS[question]
    if question in choice.set_aside:
        return f"{times} {less_simple}, but with that the fit earned no certificate"
    if found > ENOUGH:
        return f"the data are {times} {less_simple} than {simpler}"
    if found > 0.0:
        return f"the data do not tell: {times} {less_simple}, where {times_text(ENOUGH)} times would do"
    return f"the data are {times} {simpler} than {less_simple}"


def cell_order(cells: Cells) -> IntArray:
    """Cells in the order in which the data first mention them, (C,)."""
    first_row = np.minimum.reduceat(cells.row, cells.cell_leaves[:-1])
    return np.argsort(first_row, kind="stable")


def departments_frame(
    table: Table,
    summary: CellSummary,
    surprise: Surprise,
    detectable: Detectable,
    exceptional: FloatArray | None,
    margin: float,
    higher_is: names.HigherIs,
) -> pd.DataFrame:
    """The table of `Fitted.departments`: one row a cell, in the order of the data."""
    cells = table.cells
    columns: dict[str, object] = {
        names.TRUST: cells.trusts[cells.cell_trust],
        names.DEPARTMENT: cells.departments[cells.cell_department],
    }
    for name in (names.TRUST_NAME, names.DEPARTMENT_NAME):
        if name in table.extras:
            first = np.unique(table.row_cell, return_index=True)[1]
            columns[name] = table.extras[name].array[first]
    columns |= _data_columns(cells)
    if cells.is_ratio:
        columns["raw_ratio"] = summaries.raw_ratio(cells)
    columns |= _effect_columns(cells, "peer", summary.peer)
    columns |= _effect_columns(cells, "own", summary.own)
    if cells.is_ratio:  # of a difference in units of its own there is no excess besides
        columns |= _interval_columns("excess", summary.excess)
    columns |= {
        "p_peer_high": summary.p_peer_high,
        "p_peer_low": summary.p_peer_low,
        "p_own_high": summary.p_own_high,
        "p_own_low": summary.p_own_low,
        "reliability": summary.reliability,
        "surprise": surprise.value,
    }
    columns |= _detectable_columns(cells, detectable, higher_is)
    if exceptional is not None:
        columns[names.P_EXCEPTIONAL] = exceptional
    frame = pd.DataFrame(columns).iloc[cell_order(cells)].reset_index(drop=True)
    frame.attrs["margin"] = margin
    said = surprise_bounds(surprise, higher_is)
    if said:
        frame.attrs["surprise"] = said
    own = effect_name(cells, "own")
    if frame[own].isna().any():
        frame.attrs[own] = OWN_UNDEFINED.format(own)
    return frame


def surprise_bounds(surprise: Surprise, higher_is: names.HigherIs) -> str:
    """In how many departments `surprise` cannot be extreme on one side, as text; may be empty."""
    cells = len(surprise.value)
    bright, dark = ("bright", "dark") if higher_is == "worse" else ("dark", "bright")
    said = []
    few = int(np.sum(surprise.most < 1.0 - SURPRISING))
    if few:
        said.append(
            f"surprise cannot exceed {1.0 - SURPRISING:g} in {few:,} of {cells:,} departments: so few events are "
            f"predicted there that even none would be no surprise, and no department can stand out on the {bright} side"
        )
    many = int(np.sum(surprise.least > SURPRISING))
    if many:
        said.append(
            f"surprise cannot fall below {SURPRISING:g} in {many:,} of {cells:,} departments: so nearly everybody is "
            f"predicted to have the event that even everybody would be no surprise, and no department can stand out "
            f"on the {dark} side"
        )
    return "; ".join(said)


def _data_columns(cells: Cells) -> dict[str, FloatArray]:
    family = cells.family
    if not family.is_count:
        precision = family.weight(cells.size)
        total = cells.cell_sum(precision)
        return {
            names.ESTIMATE: cells.cell_sum(precision * cells.lower) / total,
            names.STANDARD_ERROR: total**-0.5,
        }
    columns = {names.OBSERVED: summaries.observed_total(cells)}
    if cells.censored.any():
        columns |= {
            names.OBSERVED_LOWER: cells.cell_sum(cells.lower),
            names.OBSERVED_UPPER: cells.cell_sum(cells.upper),
        }
    if cells.counted_from is not None:
        columns[names.COUNTED_FROM] = cells.cell_sum(cells.counted_from)
    if cells.expected is not None:
        columns[names.EXPECTED] = cells.cell_sum(cells.expected)
    if family.is_bounded:
        columns[names.DENOMINATOR] = cells.cell_sum(cells.size)
    return columns


def trusts_frame(table: Table, summary: TrustSummary, exceptional: FloatArray | None) -> pd.DataFrame:
    """One row a trust, sorted by label (never by performance)."""
    cells = table.cells
    columns: dict[str, object] = {names.TRUST: cells.trusts}
    if names.TRUST_NAME in table.extras:
        first = np.unique(cells.cell_trust[table.row_cell], return_index=True)[1]
        columns[names.TRUST_NAME] = table.extras[names.TRUST_NAME].array[first]
    columns["departments"] = np.diff(cells.trust_cells)
    columns |= _effect_columns(cells, "trust", summary.effect)
    columns |= {"p_high": summary.p_high, "p_low": summary.p_low}
    columns |= _interval_columns("expected_rank", summary.rank)
    if exceptional is not None:
        columns[names.P_EXCEPTIONAL] = exceptional
    frame = pd.DataFrame(columns)
    rankability = summary.rankability
    frame.attrs["rankability"] = float(rankability.point)
    frame.attrs["rankability_interval"] = (float(rankability.lower), float(rankability.upper))
    return frame


def ranks_frame(cells: Cells, ranks: Ranks, *, of_departments: bool) -> pd.DataFrame:
    """One row a unit: its rank, and the set of ranks that it may have."""
    columns: dict[str, object] = {names.TRUST: cells.trusts, "units": np.full(cells.n_trusts, cells.n_trusts)}
    if of_departments:
        of_type = np.bincount(cells.cell_department, minlength=cells.n_departments)
        columns = {
            names.TRUST: cells.trusts[cells.cell_trust],
            names.DEPARTMENT: cells.departments[cells.cell_department],
            "units": of_type[cells.cell_department],
        }
    columns |= _interval_columns("rank", ranks.rank)
    columns |= {"set_lower": ranks.set_lower, "set_upper": ranks.set_upper}
    frame = pd.DataFrame(columns)
    return frame.iloc[cell_order(cells)].reset_index(drop=True) if of_departments else frame


def types_frame(cells: Cells, effects: Interval, spread: Interval | None = None) -> pd.DataFrame:
    """One row a department type (a department type and period where there are periods)."""
    columns: dict[str, object] = {names.DEPARTMENT: cells.departments}
    if cells.periods is not None:
        columns = {
            names.DEPARTMENT: np.repeat(cells.departments, len(cells.periods)),
            names.PERIOD: np.tile(cells.periods, cells.n_departments),
        }
    frame = pd.DataFrame(columns | _effect_columns(cells, "type", effects))
    if spread is not None:
        repeats = 1 if cells.periods is None else len(cells.periods)
        for name, values in _interval_columns("sd_department", spread).items():
            frame[name] = np.repeat(values, repeats)
    return frame


def _interval_columns(name: str, interval: Interval) -> dict[str, FloatArray]:
    return {name: interval.point, f"{name}_lower": interval.lower, f"{name}_upper": interval.upper}


def _detectable_columns(cells: Cells, found: Detectable, higher_is: names.HigherIs) -> dict[str, FloatArray]:
    """`detectable_ratio` (`detectable_difference` where effects are not ratios), (C,), with `_high` and `_low`.

    The column without a suffix is the one of the dark side.
    """
    high, low = (effect_values(cells, effect) for effect in found)
    name = effect_name(cells, "detectable")
    return {name: high if higher_is == "worse" else low, f"{name}_high": high, f"{name}_low": low}


def _effect_columns(cells: Cells, of: str, effect: Interval) -> dict[str, FloatArray]:
    """An effect with its interval; the point value of a ratio is exp(posterior mean of the logarithm)."""
    values = (effect_values(cells, each) for each in (effect.point, effect.lower, effect.upper))
    return _interval_columns(effect_name(cells, of), Interval(*values))


def with_interval(frame: pd.DataFrame, name: str) -> FloatArray:
    """A column with the ends of its interval, (rows, 3)."""
    return frame[[name, f"{name}_lower", f"{name}_upper"]].to_numpy(dtype=np.float64)
