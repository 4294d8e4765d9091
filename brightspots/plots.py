"""Figures of a fit: from its tables to the drawing functions, which know nothing of fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from scipy import special, stats

from brightspots import summaries
from brightspots import vocabulary as names
from brightspots.cells import Cells, FloatArray, IntArray, LabelArray
from brightspots.errors import SettingsError
from brightspots.limits import FunnelLimits, funnel_limits, hierarchical_limits
from brightspots.posterior import SharedDraws

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from brightspots.fits import HierarchyFit
    from brightspots.spots import Spots

FunnelKind = Literal["hierarchical", "exact"]


@dataclass(frozen=True)
class FunnelUnits:
    """Units of a funnel, already put on the nation's terms (n,).

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

    national = shared.mean_leaf_predictor(cells)
    if cells.family == "normal":
        precision = total(cells.size**-2.0)
        gap = total(cells.size**-2.0 * (cells.lower - national)) / precision
        error = precision**-0.5
        return FunnelUnits(labels, gap, gap, error, error)
    if cells.family == "poisson":
        expected = total(np.exp(national))
        size = expected
    else:
        expected = total(cells.size * special.expit(national))
        size = total(cells.size)
    return FunnelUnits(labels, total(cells.lower), total(cells.upper), size, expected)


def only_known(units: FunnelUnits) -> FunnelUnits:
    """Those whose counts are not suppressed."""
    known = units.lower == units.upper
    columns = (units.labels, units.lower, units.upper, units.size, units.expected)
    return FunnelUnits(*(column[known] for column in columns))


def unit_limits(
    units: FunnelUnits,
    family: names.Family,
    *,
    sd: float,
    centre: float,
    kind: FunnelKind,
    levels: Sequence[float],
) -> FunnelLimits:
    """Limits of the units: the fitted hierarchy's predictive ones, or those of chance alone."""
    if kind not in ("hierarchical", "exact"):
        raise SettingsError(f"limits must be 'hierarchical' or 'exact'; received {kind!r}")
    observed = pd.Series(np.where(units.lower == units.upper, units.lower, np.nan), index=units.labels)
    lower, upper = (units.lower, units.upper) if units.suppressed else (None, None)
    if kind == "exact" and family == "poisson":
        return funnel_limits(
            observed, units.expected, method="spiegelhalter", levels=levels, target=float(np.exp(centre)),
            observed_lower=lower, observed_upper=upper,
        )  # fmt: skip
    offset = special.logit(units.expected / units.size) if family == "binomial" else None
    spread = sd if kind == "hierarchical" else 0.0
    return hierarchical_limits(
        units.size, spread, centre, observed=observed, family=family, offset=offset, levels=levels,
        observed_lower=lower, observed_upper=upper,
    )  # fmt: skip


def trust_limits(fit: HierarchyFit, kind: FunnelKind, levels: Sequence[float]) -> FunnelLimits:
    """Limits of all trusts about the national level.

    A trust's total varies by its own effect and by what its departments' effects leave over in the average, so that the
    variance on the log scale is σ_u² + σ_v²·Σω², Σω² being that of a trust in the middle.
    """
    cells, shared = fit.table.cells, fit.effects.shared
    units = gather_units(cells, shared, cells.leaf_trust, cells.trusts)
    variance = float(np.mean(shared.sd_trust**2))
    if shared.sd_department is not None:
        weight = cells.weight / np.bincount(cells.cell_trust, cells.weight)[cells.cell_trust]
        left_over = float(np.median(np.bincount(cells.cell_trust, weight**2)))
        variance += float(np.mean(shared.sd_department**2)) * left_over
    sd = float(np.sqrt(variance))
    return unit_limits(units, cells.family, sd=sd, centre=0.0, kind=kind, levels=levels)


def department_limits(
    fit: HierarchyFit, trust: object, kind: FunnelKind, levels: Sequence[float]
) -> FunnelLimits:
    """Limits of one trust's departments about the trust's own level.

    A department in several periods averages what passes: σ_w² is divided by their number (its median).
    """
    cells, shared = fit.table.cells, fit.effects.shared
    if shared.sd_department is None:
        raise SettingsError("the fit has no departments: it was made with Priors(department=None)")
    position = trust_position(cells, trust)
    own = slice(int(cells.trust_cells[position]), int(cells.trust_cells[position + 1]))
    group = np.where(cells.leaf_trust == position, cells.leaf_cell - own.start, -1)
    units = gather_units(cells, shared, group, cells.departments[cells.cell_department[own]])
    centre = float(trust_level(fit)[position])
    variance = float(np.mean(shared.sd_department**2))
    if shared.sd_period is not None:
        periods = float(np.median(np.diff(cells.cell_leaves)[own]))
        variance += float(np.mean(shared.sd_period**2)) / periods
    return unit_limits(
        units, cells.family, sd=float(np.sqrt(variance)), centre=centre, kind=kind, levels=levels
    )


def _check_ratios(fit: HierarchyFit, what: str) -> None:
    """Raise `SettingsError` for a figure of ratios where effects are not ratios: never a wrong label."""
    if not fit.table.cells.is_ratio:
        raise SettingsError(
            f"{what} draws ratios, and is not available for a fit with estimate_scale='difference'; "
            "plot_partition() and plot_funnel() of all trusts are"
        )


def trust_position(cells: Cells, trust: object) -> int:
    """Index of a trust's label, or `SettingsError`."""
    found = np.flatnonzero(cells.trusts == trust)
    if not len(found):
        some = ", ".join(repr(label) for label in cells.trusts[:3].tolist())
        raise SettingsError(f"there is no trust {trust!r}; the data have {cells.n_trusts:,}, such as {some}")
    return int(found[0])


def trust_level(fit: HierarchyFit) -> FloatArray:
    """Posterior mean of u, (T,)."""
    if "trust_level" not in fit._cache:
        fit._cache["trust_level"] = summaries.trust_effects(fit.effects).mean(axis=1)
    level: FloatArray = fit._cache["trust_level"]
    return level


def _suppressed(left_out: int) -> str | None:
    if not left_out:
        return None
    return f"{left_out:,} with suppressed counts {'is' if left_out == 1 else 'are'} not drawn"


def _value_words(fit: HierarchyFit, multiplier: float = 1.0) -> str:
    times = "" if multiplier == 1.0 else f" × {multiplier:,g}"
    if fit.table.cells.family == "normal":
        return f"Estimate above the national level{times}"
    return f"Observed / expected at the national level{times}"


def funnel(
    fit: HierarchyFit,
    trust: object,
    *,
    limits: FunnelKind,
    levels: Sequence[float],
    highlight: Sequence[object] | None,
    multiplier: float,
    caption: str | None,
    ax: Axes | None,
) -> Axes:
    """See `HierarchyFit.plot_funnel`."""
    from brightspots.figures.funnel import draw_funnel

    shared: dict[str, Any] = {
        "highlight": highlight,
        "multiplier": multiplier,
        "ylabel": _value_words(fit, multiplier),
        "higher_is": fit.higher_is,
        "ax": ax,
    }
    if trust is None:
        drawn = trust_limits(fit, limits, levels)
        return draw_funnel(drawn, title="Trusts against the national level", caption=caption, **shared)
    _check_ratios(fit, "plot_funnel(trust=…)")
    drawn = department_limits(fit, trust, limits, levels)
    return draw_funnel(
        drawn,
        title=f"Departments of {trust} against its own level",
        statuses=department_statuses(fit.find_spots(), trust, drawn),
        caption=caption,
        reference=(1.0 if drawn.statistic == "ratio" else 0.0, "national"),
        centre_name="own level",
        **shared,
    )


def department_statuses(spots: Spots, trust: object, limits: FunnelLimits) -> list[str]:
    """Statuses of the departments drawn, in their order."""
    cells = spots.effects.cells
    mine = cells.cell_trust == trust_position(cells, trust)
    labels = cells.departments[cells.cell_department[mine]].tolist()
    by_label = dict(zip(labels, spots.decisions.status[mine].tolist(), strict=True))
    return [by_label[label] for label in limits.table.index]


def two_stage(
    fit: HierarchyFit,
    trust: object,
    *,
    limits: FunnelKind,
    levels: Sequence[float],
    caption: str | None,
    axes: tuple[Axes, Axes] | None,
) -> tuple[Axes, Axes]:
    """See `HierarchyFit.plot_two_stage`."""
    from brightspots.figures.funnel import draw_two_stage

    _check_ratios(fit, "plot_two_stage()")
    national = trust_limits(fit, limits, levels)
    own = department_limits(fit, trust, limits, levels)
    return draw_two_stage(
        national,
        own,
        trust=trust,
        department_statuses=department_statuses(fit.find_spots(), trust, own),
        ylabel=_value_words(fit),
        caption=caption,
        higher_is=fit.higher_is,
        axes=axes,
    )


def partition(fit: HierarchyFit, *, caption: str | None, ax: Axes | None) -> Axes:
    """See `HierarchyFit.plot_partition`."""
    from brightspots.figures.partition import draw_partition

    return draw_partition(fit.variance_partition(), caption=caption, ax=ax)


def mosaic(
    fit: HierarchyFit,
    spots: Spots | None,
    *,
    trusts: Sequence[object] | None,
    caption: str | None,
    ax: Axes | None,
) -> Axes:
    """See `HierarchyFit.plot_mosaic`."""
    from brightspots.figures.mosaic import draw_mosaic

    _check_ratios(fit, "plot_mosaic()")
    table = (spots or fit.find_spots()).table
    if trusts is not None:
        for trust in trusts:
            trust_position(fit.table.cells, trust)
        table = table[table[names.TRUST].isin(list(trusts))]

    def named(key: str) -> dict[object, str] | None:
        column = f"{key}_name"
        return dict(zip(table[key], table[column], strict=True)) if column in table else None

    return draw_mosaic(
        table,
        trust_names=named(names.TRUST),
        department_names=named(names.DEPARTMENT),
        caption=caption,
        ax=ax,
    )


def trend(
    fit: HierarchyFit, trust: object, department: object, *, caption: str | None, ax: Axes | None
) -> Axes:
    """See `HierarchyFit.plot_trend`."""
    from brightspots.figures.canvas import sentence
    from brightspots.figures.trend import draw_trend

    _check_ratios(fit, "plot_trend()")
    cells, shared = fit.table.cells, fit.effects.shared
    if cells.periods is None or cells.leaf_period is None:
        raise SettingsError("the fit has no periods: there is no trend to draw")
    table = fit.departments()
    chosen = table[(table[names.TRUST] == trust) & (table[names.DEPARTMENT] == department)]
    if chosen.empty:
        raise SettingsError(f"there is no department {department!r} in trust {trust!r}")
    inside = (cells.leaf_trust == trust_position(cells, trust)) & (
        cells.departments[cells.cell_department[cells.leaf_cell]] == department
    )
    leaves = np.flatnonzero(inside)
    group = np.full(cells.n_leaves, -1)
    group[leaves] = np.arange(len(leaves))
    every = gather_units(cells, shared, group, cells.periods[cells.leaf_period[leaves]])
    units = only_known(every)
    frame = pd.DataFrame({names.PERIOD: units.labels, **period_ratios(units, cells.family)})
    level = chosen.iloc[0]
    return draw_trend(
        frame,
        level=level["peer_ratio"],
        level_lower=level["peer_ratio_lower"],
        level_upper=level["peer_ratio_upper"],
        lower="lower",
        upper="upper",
        title=f"{department} at {trust}: each period and the lasting level",
        ylabel="Observed / expected at the national level",
        caption=sentence(_suppressed(every.suppressed), caption),
        ax=ax,
    )


def period_ratios(units: FunnelUnits, family: names.Family) -> dict[str, FloatArray]:
    """Ratio of each unit to its national level with the 95% interval of chance alone, (n,) each.

    Exact for counts (Garwood 1936 for Poisson, Clopper & Pearson 1934 for binomial); exp(z ± 1.96·s) for estimates.
    """
    observed, size, tail = units.lower, units.size, 0.025
    if family == "normal":
        reach = stats.norm.isf(tail) * size
        return {
            "ratio": np.exp(observed),
            "lower": np.exp(observed - reach),
            "upper": np.exp(observed + reach),
        }
    if family == "poisson":
        lower = stats.gamma.ppf(tail, observed)
        upper = stats.gamma.isf(tail, observed + 1.0)
    else:
        lower = size * stats.beta.ppf(tail, observed, size - observed + 1.0)
        upper = size * stats.beta.isf(tail, observed + 1.0, size - observed)
        upper = np.where(observed == size, size, upper)
    lower = np.where(observed == 0, 0.0, lower)
    return {
        "ratio": observed / units.expected,
        "lower": lower / units.expected,
        "upper": upper / units.expected,
    }


def caterpillar(
    fit: HierarchyFit, trust: object, spots: Spots | None, *, caption: str | None, ax: Axes | None
) -> Axes:
    """See `HierarchyFit.plot_caterpillar`."""
    from brightspots.figures.caterpillar import draw_caterpillar

    _check_ratios(fit, "plot_caterpillar()")
    spots = spots or fit.find_spots()
    if trust is None:
        return draw_caterpillar(
            fit.trusts(), ratio="trust_ratio", label=names.TRUST, status=None, margin=spots.rule.margin,
            title="Trusts against the national level", caption=caption, ax=ax,
        )  # fmt: skip
    trust_position(fit.table.cells, trust)
    table = spots.table[spots.table[names.TRUST] == trust]
    peers = spots.rule.reference == "peers"
    against = "the same departments nationally" if peers else "the other departments of the trust"
    return draw_caterpillar(
        table, ratio="peer_ratio" if peers else "own_ratio", margin=spots.rule.margin,
        title=f"Departments of {trust} against {against}", caption=caption, ax=ax,
    )  # fmt: skip


def rating(fit: HierarchyFit, spots: Spots | None, *, caption: str | None, ax: Axes | None) -> Axes:
    """See `HierarchyFit.plot_rating`."""
    from brightspots.figures.rating import draw_rating

    _check_ratios(fit, "plot_rating()")
    spots = spots or fit.find_spots()
    if spots.ratings is None:
        raise SettingsError("no rating was given: pass spots=fit.find_spots(rating=…)")
    order, by_department = spots.ratings.levels, spots.ratings.by_department
    if by_department:
        title = "Departments against their own rating"
        return draw_rating(
            spots.table,
            order=order,
            higher_is=fit.higher_is,
            of="department",
            title=title,
            caption=caption,
            ax=ax,
        )
    return draw_rating(spots.table, order=order, higher_is=fit.higher_is, caption=caption, ax=ax)
