"""Units and limits of the funnels and trends of a fit, as numbers, for `plots` and the report to draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import special, stats

from brightspots.common import vocabulary as names
from brightspots.common.arguments import is_label, shown
from brightspots.common.arrays import FloatArray, IntArray, LabelArray
from brightspots.common.errors import SettingsError
from brightspots.data.cells import Cells
from brightspots.engine.levels import Level
from brightspots.engine.posterior import SharedDraws
from brightspots.fit.fitted import Fitted
from brightspots.likelihood.families import POISSON
from brightspots.likelihood.family import CountFamily, Family
from brightspots.likelihood.mixtures import Spread
from brightspots.limits.funnel import FunnelLimits, method_limits
from brightspots.limits.hierarchical import hierarchical_limits
from brightspots.limits.units import Units

FunnelKind = Literal["hierarchical", "exact"]


@dataclass(frozen=True)
class FunnelUnits:
    """Units of a funnel, (n,) each, with what they are compared with: the national level of their departments.

    Parameters
    ----------
    labels : array (n,)
    lower, upper : (n,)
        Events, as an interval where a count is suppressed; estimates less their national level.
    size : (n,)
        Events expected at the national level of each department (poisson), people (binomial), standard error (normal).
    expected : (n,)
        Events expected at the national level of each department.
    """

    labels: LabelArray
    lower: FloatArray
    upper: FloatArray
    size: FloatArray
    expected: FloatArray

    @property
    def suppressed(self) -> int:
        """How many units have a suppressed count."""
        return int(np.sum(self.lower != self.upper))


def gather_units(cells: Cells, shared: SharedDraws, group: IntArray, labels: LabelArray) -> FunnelUnits:
    """Sum leaves into units, (n,).

    Parameters
    ----------
    cells : Cells
    shared : SharedDraws
    group : int array (N,)
        Unit of each leaf, −1 for leaves that belong to none.
    labels : array (n,)
    """
    inside = group >= 0
    member, count = group[inside], len(labels)

    def total(values: FloatArray) -> FloatArray:
        return np.bincount(member, values[inside], count).astype(np.float64, copy=False)

    national, family = shared.mean_leaf_predictor(cells), cells.family
    if not family.is_count:
        precision = total(family.weight(cells.size))
        gap = total(family.weight(cells.size) * (cells.lower - national)) / precision
        error = precision**-0.5
        return FunnelUnits(labels, gap, gap, error, error)
    expected = total(family.mean(cells.size, national))
    size = total(cells.size) if family.is_bounded else expected
    return FunnelUnits(labels, total(cells.lower), total(cells.upper), size, expected)


def only_known(units: FunnelUnits) -> FunnelUnits:
    """The units whose counts are not suppressed."""
    known = units.lower == units.upper
    columns = (units.labels, units.lower, units.upper, units.size, units.expected)
    return FunnelUnits(*(column[known] for column in columns))


def unit_limits(
    units: FunnelUnits,
    family: Family,
    *,
    spread: Spread,
    centre: float,
    kind: FunnelKind,
    levels: Sequence[float],
) -> FunnelLimits:
    """Limits of the units: predictive ones of the fitted hierarchy, or those of chance alone.

    Parameters
    ----------
    units : FunnelUnits
    family : Family
    spread : Spread
        How the linear predictor varies between units; `kind` "exact" does not use it.
    centre : float
        Its mean.
    kind : {"hierarchical", "exact"}
    levels : sequence of float
        Coverage of the limits.
    """
    if kind not in ("hierarchical", "exact"):
        raise SettingsError(f"limits must be 'hierarchical' or 'exact'; received {kind!r}")
    known = np.where(units.lower == units.upper, units.lower, np.nan)
    if kind == "exact" and family == POISSON:
        counted = Units(pd.Index(units.labels), known, units.lower, units.upper, units.expected)
        return method_limits(counted, names.EXPECTED, "spiegelhalter", levels, target=float(np.exp(centre)))
    observed = pd.Series(known, index=units.labels)
    lower, upper = (units.lower, units.upper) if units.suppressed else (None, None)
    offset = special.logit(units.expected / units.size) if family.is_bounded else None
    between = spread if kind == "hierarchical" else 0.0
    return hierarchical_limits(
        units.size, between, centre, observed=observed, family=family.name, offset=offset, levels=levels,
        observed_lower=lower, observed_upper=upper,
    )  # fmt: skip


def trust_limits(fit: Fitted, kind: FunnelKind, levels: Sequence[float]) -> FunnelLimits:
    """Limits of all trusts about the national level.

    The log ratio of a trust is about u + Σ ω_d·v_d, with ω its departments' weights, which sum to 1. Its variance is
    σ_u² + Σ ω²·(σ_v² + e²), with e² that of errors of expected events; the median of the sum over trusts is used for
    all. Where u is a mixture of normals so is this.
    """
    cells, shared = fit.table.cells, fit.effects.shared
    units = gather_units(cells, shared, cells.leaf_trust, cells.trusts)
    below = 0.0
    if "department" in shared.sd:
        weight = cells.weight / np.bincount(cells.cell_trust, cells.weight)[cells.cell_trust]
        of_departments = weight**2 * (shared.department_variance(cells) + cells.error_variance)
        below = float(np.median(np.bincount(cells.cell_trust, of_departments)))
    weights, variance = _components(shared, "trust", shared.sd["trust"][np.newaxis])
    spread = Spread(weights, np.sqrt(variance + below))
    return _with_doubts(
        fit, unit_limits(units, cells.family, spread=spread, centre=0.0, kind=kind, levels=levels)
    )


def _components(shared: SharedDraws, level: Level, sd: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The normals that a level's effects are a mixture of: mean weights, (M,), and variances, (M, units).

    From draws of σ, (units, S), or (1, S).
    """
    if level not in shared.effects:
        return np.ones(1), np.mean(sd**2, axis=1)[np.newaxis]
    log_weight, factor = shared.effects[level].mixing
    weight = np.exp(log_weight).mean(axis=1)
    return weight / weight.sum(), np.stack([np.mean((sd * each) ** 2, axis=1) for each in factor])


def department_limits(fit: Fitted, trust: object, kind: FunnelKind, levels: Sequence[float]) -> FunnelLimits:
    """Limits of one trust's departments about the trust's own level.

    The variance about that level is σ_v², with periods plus σ_w² divided by their number, and plus that of errors of
    expected events (of both the median of the trust's departments). Where v is a mixture of normals so is this, and
    where σ_v differs by type each department has the limits of its own.
    """
    cells, shared = fit.table.cells, fit.effects.shared
    if "department" not in shared.sd:
        raise SettingsError("the fit has no departments: it was made with Priors(department=None)")
    position = trust_position(cells, trust)
    own = slice(int(cells.trust_cells[position]), int(cells.trust_cells[position + 1]))
    group = np.where(cells.leaf_trust == position, cells.leaf_cell - own.start, -1)
    units = gather_units(cells, shared, group, cells.departments[cells.cell_department[own]])
    centre = float(fit.trust_level()[position])
    more = float(np.median(cells.error_variance[own]))
    if "period" in shared.sd:
        periods = float(np.median(np.diff(cells.cell_leaves)[own]))
        more += shared.mean_variance("period") / periods
    weights, variance = _components(shared, "department", shared.sd_of_cells(cells, own))
    spread = Spread(weights, np.sqrt(variance + more))
    limits = unit_limits(units, cells.family, spread=spread, centre=centre, kind=kind, levels=levels)
    return _with_doubts(fit, limits)


def _with_doubts(fit: Fitted, limits: FunnelLimits) -> FunnelLimits:
    """The limits with the doubts about the fit's data in front of their own cautions."""
    doubts = [caution for caution in fit.cautions if caution.is_doubt]
    return replace(limits, cautions=(*doubts, *limits.cautions))


def trust_position(cells: Cells, trust: object) -> int:
    """Index of a trust's label, or `SettingsError`."""
    found = np.flatnonzero(cells.trusts == trust) if is_label(trust) else np.empty(0, dtype=np.int64)
    if not len(found):
        some = ", ".join(repr(label) for label in cells.trusts[:3].tolist())
        raise SettingsError(
            f"there is no trust {shown(trust)}; the data have {cells.n_trusts:,}, such as {some}"
        )
    return int(found[0])


def department_periods(fit: Fitted, trust: object, department: object) -> tuple[pd.DataFrame, int]:
    """Ratios of a department to the national level in each period, without periods whose counts are suppressed.

    Parameters
    ----------
    fit : Fitted
        Of a table with periods.
    trust, department : label

    Returns
    -------
    pandas.DataFrame
        Columns `period, ratio, lower, upper`, with the interval of `period_ratios`.
    int
        Number of periods left out because their counts are suppressed.
    """
    cells = fit.table.cells
    assert cells.periods is not None  # asked only of a fit with periods
    assert cells.leaf_period is not None
    inside = (cells.leaf_trust == trust_position(cells, trust)) & (
        cells.departments[cells.cell_department[cells.leaf_cell]] == department
    )
    leaves = np.flatnonzero(inside)
    group = np.full(cells.n_leaves, -1)
    group[leaves] = np.arange(len(leaves))
    every = gather_units(cells, fit.effects.shared, group, cells.periods[cells.leaf_period[leaves]])
    units = only_known(every)
    labels: Any = units.labels
    if cells.period_order != "unknown":
        # The order is known from all labels; from those of one department alone it might not be.
        labels = pd.Categorical(labels, categories=pd.Index(cells.periods), ordered=True)
    frame = pd.DataFrame({names.PERIOD: labels, **period_ratios(units, cells.family)})
    return frame, every.suppressed


def period_ratios(units: FunnelUnits, family: Family) -> dict[str, FloatArray]:
    """Ratio of each unit to its national level with the 95% interval of chance alone, (n,) each.

    Exact for counts (Garwood 1936 for Poisson, Clopper & Pearson 1934 for binomial). For estimates exp(d ± 1.96·s),
    with d the estimate less the national level and s its standard error.
    """
    observed, size, tail = units.lower, units.size, 0.025
    if not isinstance(family, CountFamily):
        reach = stats.norm.isf(tail) * size
        return {
            "ratio": np.exp(observed),
            "lower": np.exp(observed - reach),
            "upper": np.exp(observed + reach),
        }
    lower, upper = family.chance_interval(observed, size, tail)
    return {
        "ratio": observed / units.expected,
        "lower": lower / units.expected,
        "upper": upper / units.expected,
    }
