"""`funnel_limits`: limits within which units of a given size fall by chance, and which units lie outside.

Limits are computed once: the zones in the table, the points marked in a figure and the curves drawn in it all come from
one `FunnelLimits`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from brightspots.common.arguments import checked, shown
from brightspots.common.arrays import FloatArray
from brightspots.common.cautions import Caution, warn_of
from brightspots.common.errors import DataWarning, SettingsError
from brightspots.common.vocabulary import EXPECTED, OBSERVED, WAY_IN
from brightspots.data.empty_rows import left_out_note
from brightspots.limits.boundaries import Boundary, method_boundary
from brightspots.limits.checks import funnel_cautions
from brightspots.limits.overdispersion import Dispersion, method_dispersion
from brightspots.limits.units import (
    FunnelMethod,
    Sides,
    Units,
    check_levels,
    check_options,
    check_sides,
    check_target,
    checked_counts,
    choose_size,
    read_units,
    refuse_twin_units,
    without_empty_units,
)
from brightspots.limits.zones import CANNOT_PLACE, level_text, limit_columns, limits_table, zone_names

Statistic = Literal["ratio", "proportion", "estimate"]

_METHOD_WORDS: Final = {
    "poisson": "exact Poisson limits",
    "spiegelhalter": "exact limits, interpolated (Spiegelhalter 2005)",
    "shmi": "limits widened for over-dispersion (SHMI: log ratio, trimmed, additive)",
    "cqc": "limits widened for over-dispersion (CQC: square root of the ratio, winsorised, additive)",
    "proportion": "limits widened for over-dispersion (arcsine of the proportion, winsorised, additive)",
    "phs": "limits widened for over-dispersion (Public Health Scotland: multiplicative)",
    "hierarchical": "predictive limits of the fitted hierarchy",
}


@checked
@dataclass(frozen=True, eq=False, repr=False)
class FunnelLimits:
    """Limits of every unit, and the curves that they lie on.

    Parameters
    ----------
    method : str
        One of `FunnelMethod`, or ``"hierarchical"``.
    statistic : {"ratio", "proportion", "estimate"}
        What the table's `ratio` is: observed over expected, observed over denominator, or an estimate.
    size_name : {"expected", "denominator", "precision"}
        What the size of a unit is; precision is 1/standard error².
    target : float
        Centre of the funnel on the scale of `ratio`.
    levels : tuple of float
        Coverage of the limits, ascending.
    sides : {"two", "upper", "lower"}
    table : pandas.DataFrame (n rows)
        ``ratio, lower_95, upper_95, lower_99.8, upper_99.8, zone`` (one pair a level; one column a level
        where one-sided), indexed like the data. `zone` names the widest limit that the unit lies strictly
        outside: ``"within limits"``, ``"above 95%"``, ``"above 99.8%"``, ``"below 95%"``, ``"below 99.8%"``.
        `ratio` and `zone` are absent where limits were asked for without observations. Where counts are suppressed,
        `ratio` is missing for them, `ratio_lower` and `ratio_upper` bound it, and the zone is ``"cannot be placed"``
        unless both bounds lie in the same one.
    size : float array (n,)
        Position of each unit along the funnel.
    phi : float
        Mean squared z-score; NaN where the method estimates none.
    tau2 : float
        Variance between units, on the method's own scale, that widens the limits; 0 where there is none.
    kept : int
        Number of z-scores from which φ is computed; 0 where it is not estimated.
    boundary : callable
        Limits of units of given sizes (see `brightspots.limits.boundaries`).
    cautions : tuple of Caution
        What readers should know of the data and of these limits (see `brightspots.limits.checks`).
    """

    method: str
    statistic: Statistic
    size_name: str
    target: float
    levels: tuple[float, ...]
    sides: Sides
    table: pd.DataFrame
    size: FloatArray
    phi: float
    tau2: float
    kept: int
    boundary: Boundary
    cautions: tuple[Caution, ...] = ()

    def curve(self, x: npt.ArrayLike) -> pd.DataFrame:
        """Limits at any sizes, computed by the code that gave the units' own.

        Parameters
        ----------
        x : array-like (m,)
            Expected events, denominators or precisions: positive, on the scale of `size`.

        Returns
        -------
        pandas.DataFrame (m rows)
            The table's limit columns, indexed by `x`.

        Raises
        ------
        SettingsError
            Where a size is not positive and finite.
        """
        try:
            sizes = np.atleast_1d(np.asarray(x, dtype=np.float64))
        except (TypeError, ValueError, OverflowError):
            sizes = np.array([np.nan])
        if sizes.ndim != 1 or not np.all(np.isfinite(sizes) & (sizes > 0)):
            raise SettingsError(
                f"curve(x) takes positive finite sizes ({self.size_name}); received {shown(x)}"
            )
        columns = limit_columns(partial(self.boundary, sizes), self.levels, self.sides)
        return pd.DataFrame(columns, index=pd.Index(sizes, name=self.size_name))

    @property
    def method_text(self) -> str:
        """One sentence without a full stop, as a caption needs it: the method and what it estimated."""
        words = _METHOD_WORDS[self.method]
        if self.method == "hierarchical":
            return f"{words} (between-unit SD {math.sqrt(self.tau2):.3g})"
        if math.isnan(self.phi):
            return words if self.tau2 == 0.0 else f"{words}: τ² = {self.tau2:.3g}, given"
        estimated = f"φ = {self.phi:.2f}" + ("" if self.method == "phs" else f", τ² = {self.tau2:.3g}")
        return f"{words}: {estimated} from {self.kept:,} of {len(self.size):,} units"

    @property
    def suppressed(self) -> npt.NDArray[np.bool_]:
        """Which units have a suppressed count, (n,)."""
        if "ratio" not in self.table:
            return np.zeros(len(self.size), dtype=bool)
        return np.isnan(self.table["ratio"].to_numpy(dtype=np.float64))

    def __repr__(self) -> str:
        parts = [
            f"{len(self.size):,} units",
            f"levels {', '.join(map(level_text, self.levels))}",
            self.method_text,
        ]
        if "zone" in self.table:
            counts = self.table["zone"].value_counts()
            zones = zone_names(self.levels, self.sides)
            parts.append(
                ", ".join(f"{counts[zone]:,} {zone}" for zone in (*zones, CANNOT_PLACE) if zone in counts)
            )
        parts += [f"caution: {caution.statement}" for caution in self.cautions]
        return f"FunnelLimits({'; '.join(parts)})"


@checked
def funnel_limits(
    observed: Any,
    expected: Any = None,
    denominator: Any = None,
    method: FunnelMethod = "shmi",
    levels: Iterable[float] = (0.95, 0.998),
    *,
    sides: Sides = "two",
    target: float | None = None,
    trim: float | None = None,
    tau2: float | None = None,
    observed_lower: Any = None,
    observed_upper: Any = None,
) -> FunnelLimits:
    """Funnel limits of standardised ratios or proportions.

    Parameters
    ----------
    observed : array-like (n,) or None
        Events: whole numbers, zero or more. The index of a pandas Series is kept. None where there are only bounds.
    expected : array-like (n,), optional
        Expected events, positive: a ratio O/E is plotted.
    denominator : array-like (n,), optional
        Patients, whole and positive: a proportion O/n is plotted. Give this or `expected`, not both.
    method : str, default "shmi"
        ========================  ======================================================================
        ``"poisson"``             exact, by the link of Poisson and χ²; ratios; no over-dispersion
        ``"spiegelhalter"``       exact, interpolated between counts (Spiegelhalter 2005, Stat Med
                                  24:1185, appendix); ratios or proportions; no over-dispersion
        ``"shmi"``                ln(O/E), z-scores trimmed, τ² added (NHS England's SHMI); ratios
        ``"cqc"``                 √(O/E), z-scores winsorised, τ² added, squared back
                                  (Spiegelhalter et al. 2012, JRSS A 175:1); ratios
        ``"proportion"``          asin √p, z-scores winsorised, τ² added; proportions
        ``"phs"``                 z-scores scaled by a multiplicative W = √φ (Scotland's HSMR); ratios
        ========================  ======================================================================
    levels : sequence of float, default (0.95, 0.998)
        Coverage of the limits, each strictly between 0 and 1.
    sides : {"two", "upper", "lower"}, default "two"
        One-sided limits leave 1 − level in their one tail; the other side's columns are absent.
    target : float, optional
        Centre of the funnel. Default 1 for ratios, the overall proportion for proportions. Ratios are
        compared with `target` times their expected events.
    trim : float, default 0.1
        Share trimmed or winsorised at each end (`shmi`, `cqc`, `proportion`), in [0, 0.5).
    tau2 : float, optional
        A known τ² instead of the estimate (`shmi`, `cqc`, `proportion`): a published one, or 0 for none.
    observed_lower, observed_upper : array-like (n,), optional
        Bounds of counts that are known only as an interval: missing in `observed` (which may be None) because they are
        suppressed, or rounded. Such a unit is drawn as a bar and has a zone only where its whole interval lies in one;
        φ, τ² and a target are estimated without it. Blank bounds, or bounds equal to the count, leave it exact.

    Returns
    -------
    FunnelLimits

    Raises
    ------
    DataError
        Missing, infinite, negative or fractional counts, bounds that contradict them or each other, an expected or
        denominator that is not positive (but for units of 0 of 0), events above the denominator, labels that differ
        only by capitals, white space or invisible characters, too few units for the method; the offending rows are
        named.
    SettingsError
        An unknown method, levels outside (0, 1), an argument that the method does not use.

    Warns
    -----
    DataWarning
        Where observed over expected events lies outside 0.5 to 2 in all, so that expected is probably something else;
        where units of 0 of 0 are left out;
        where `phs` has fewer than 31 units or makes limits of less than half the width of chance. `cautions` of the
        result has the same, and says where few units make other limits too wide (fewer than 10), and where most units
        lie beyond the limits of chance alone.

    Notes
    -----
    A count of zero is never dropped. Its ratio is 0. Where a method takes a logarithm (`shmi`) its z-score uses
    ln((0 + ½)/(E + ½)), which is finite and on the low side whatever E. For every method a lower limit is 0
    where no event at all is more probable by chance than the limit's tail (E < 3.7 for 95%, E < 6.9 for
    99.8%), so that a small unit is not flagged for a zero. Limits below 0 (or outside 0 to 1 for
    proportions) are cut off there. A unit exactly on a limit is within it.

    Examples
    --------
    >>> limits = funnel_limits([100, 150, 180, 80, 120, 225], [108, 112, 165, 95, 100, 220], method="shmi")
    >>> round(limits.phi, 3), round(limits.tau2, 4)
    (2.948, 0.0195)
    >>> limits.table[["ratio", "lower_99.8", "upper_99.8", "zone"]].head(2).round(3)
       ratio  lower_99.8  upper_99.8           zone
    0  0.926       0.592       1.689  within limits
    1  1.339       0.594       1.683  within limits
    """
    if method not in get_args(FunnelMethod):
        raise SettingsError(f"method must be one of {', '.join(get_args(FunnelMethod))}; received {method!r}")
    levels = check_levels(levels)
    check_sides(sides)
    check_options(method, trim, tau2)
    size_name = choose_size(method, expected is not None, denominator is not None)
    if observed is None and observed_lower is None:
        raise SettingsError("give observed, or the bounds observed_lower and observed_upper")
    sizes_given = expected if size_name == EXPECTED else denominator
    units = read_units(observed, sizes_given, OBSERVED, size_name, (observed_lower, observed_upper))
    refuse_twin_units(units.index)
    given = len(units.size)
    units, left_out = without_empty_units(units)
    noted: tuple[Caution, ...] = ()
    if left_out is not None:
        warnings.warn(left_out, DataWarning, stacklevel=3)
        noted = (Caution(WAY_IN, left_out_note(given - len(units.size))),)
    units = checked_counts(units, size_name)
    share = 0.1 if trim is None else float(trim)
    limits = method_limits(
        units, size_name, method, levels, sides=sides, target=target, trim=share, tau2=tau2
    )
    dispersion = Dispersion(limits.phi, limits.tau2, limits.kept)
    cautions = funnel_cautions(method, units, size_name, limits.target, dispersion, share)
    warn_of(cautions, stacklevel=3)
    return replace(limits, cautions=(*cautions, *noted))


def method_limits(
    units: Units,
    size_name: str,
    method: FunnelMethod,
    levels: Iterable[float],
    *,
    sides: Sides = "two",
    target: float | None = None,
    trim: float = 0.1,
    tau2: float | None = None,
) -> FunnelLimits:
    """As `funnel_limits`, of units that have been read and checked, without cautions or warnings.

    `size_name` is "expected" or "denominator"; the other arguments are those of `funnel_limits`.
    """
    levels = check_levels(levels)
    check_sides(sides)
    known, size = units.known, units.size
    counted = units.lower[known], size[known]
    target = check_target(target, *counted, size_name)
    dispersion = method_dispersion(method, *counted, target, trim, tau2)
    boundary = method_boundary(method, size_name, target, dispersion)
    return FunnelLimits(
        method=method,
        statistic="ratio" if size_name == EXPECTED else "proportion",
        size_name=size_name,
        target=target,
        levels=levels,
        sides=sides,
        table=limits_table(units, size, partial(boundary, size), levels, sides),
        size=size,
        phi=dispersion.phi,
        tau2=dispersion.tau2,
        kept=dispersion.kept,
        boundary=boundary,
    )
