"""The table of a funnel: one column for each limit, and the zone in which each unit lies."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from brightspots.common.arrays import FloatArray
from brightspots.limits.units import Sides, Units

WITHIN: Final = "within limits"
# Zone of a unit whose count is suppressed where the ends of its interval lie in different zones.
CANNOT_PLACE: Final = "cannot be placed"


def limit_column(side: Literal["lower", "upper"], level: float) -> str:
    """Name of a limit in the table: ``lower_95``, ``upper_99.8``."""
    return f"{side}_{level_text(level)[:-1]}"


def zone_names(levels: Iterable[float], sides: Sides = "two") -> tuple[str, ...]:
    """Names of all zones, from the lowest to the highest."""
    ascending = sorted(levels)
    below = [f"below {level_text(level)}" for level in reversed(ascending)] if sides != "upper" else []
    above = [f"above {level_text(level)}" for level in ascending] if sides != "lower" else []
    return (*below, WITHIN, *above)


def level_text(level: float) -> str:
    """``95%``, ``99.8%``."""
    return f"{100.0 * level:.10g}%"


def limit_columns(
    limit: Callable[[float, bool], FloatArray], levels: tuple[float, ...], sides: Sides
) -> dict[str, FloatArray]:
    """The limits of every level, by name of their column.

    Parameters
    ----------
    limit : callable
        Limits (n,) of units, from the probability that is left in the tail and whether the limit is the upper one.
    levels : tuple of float
        Coverage, ascending.
    sides : {"two", "upper", "lower"}
    """
    columns = {}
    for level in levels:
        tail = (1.0 - level) / (2.0 if sides == "two" else 1.0)
        if sides != "upper":
            columns[limit_column("lower", level)] = limit(tail, False)
        if sides != "lower":
            columns[limit_column("upper", level)] = limit(tail, True)
    return columns


def limits_table(
    units: Units,
    scale: FloatArray | None,
    limit: Callable[[float, bool], FloatArray],
    levels: tuple[float, ...],
    sides: Sides,
) -> pd.DataFrame:
    """The table of `FunnelLimits`: limits and, where values are known, ratios and zones.

    Parameters
    ----------
    units : Units
    scale : float array (n,) or None
        Numbers by which values are divided to give ratios; None where there are no values.
    limit, levels, sides
        As in `limit_columns`.
    """
    columns: dict[str, Any] = limit_columns(limit, levels, sides)
    if scale is not None:
        low, high = units.lower / scale, units.upper / scale
        zone, other = (_zones(ratio, columns, levels) for ratio in (low, high))
        zone[zone != other] = CANNOT_PLACE
        ratio = {"ratio": np.where(units.known, low, np.nan)}
        if not units.known.all():
            ratio |= {"ratio_lower": low, "ratio_upper": high}
        columns = {**ratio, **columns, "zone": zone}
    return pd.DataFrame(columns, index=units.index)


def _zones(
    ratio: FloatArray, limits: dict[str, FloatArray], levels: tuple[float, ...]
) -> npt.NDArray[np.object_]:
    """Zone of each ratio, (n,): named after the widest limit that it lies strictly outside; `levels` ascend."""
    zone = np.full(len(ratio), WITHIN, dtype=object)
    for level in levels:
        lower, upper = limits.get(limit_column("lower", level)), limits.get(limit_column("upper", level))
        if lower is not None:
            zone[ratio < lower] = f"below {level_text(level)}"
        if upper is not None:
            zone[ratio > upper] = f"above {level_text(level)}"
    return zone
