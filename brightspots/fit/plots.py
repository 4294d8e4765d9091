"""Figures of a fit: from its tables to the drawing functions, which know nothing of fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.arguments import is_label, shown
from brightspots.common.errors import SettingsError
from brightspots.fit.fitted import Fitted
from brightspots.fit.funnels import (
    FunnelKind,
    department_limits,
    gather_units,
    only_known,
    period_ratios,
    trust_limits,
    trust_position,
)
from brightspots.fit.spots import Spots, find_spots
from brightspots.limits.funnel import FunnelLimits
from brightspots.statistics.scale import effect_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _check_ratios(fit: Fitted, what: str) -> None:
    """Raise `SettingsError` for a figure of ratios where effects are not ratios: never a wrong label."""
    if not fit.table.cells.is_ratio:
        raise SettingsError(
            f"{what} draws ratios, and is not available for a fit with estimate_scale='difference'; plot_partition(), "
            "plot_funnel(), plot_two_stage(), plot_mosaic(spots=…) and plot_caterpillar(spots=…) are"
        )


def _suppressed(left_out: int) -> str | None:
    if not left_out:
        return None
    return f"{left_out:,} with suppressed counts {'is' if left_out == 1 else 'are'} not drawn"


def _value_words(fit: Fitted, multiplier: float = 1.0) -> str:
    times = "" if multiplier == 1.0 else f" × {multiplier:,g}"
    if not fit.table.cells.family.is_count:
        return f"Estimate above the national level{times}"
    return f"Observed / expected at the national level{times}"


def funnel(
    fit: Fitted,
    trust: object,
    *,
    limits: FunnelKind,
    levels: Sequence[float],
    highlight: str | Sequence[object] | None,
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
    drawn = department_limits(fit, trust, limits, levels)
    return draw_funnel(
        drawn,
        title=f"Departments of {trust} against its own level",
        statuses=_statuses(fit, trust, drawn),
        caption=caption,
        reference=(1.0 if drawn.statistic == "ratio" else 0.0, "national"),
        centre_name="own level",
        **shared,
    )


def _statuses(fit: Fitted, trust: object, limits: FunnelLimits) -> list[str] | None:
    """Statuses by the usual rule; none for differences, of which no usual rule knows how large a one matters."""
    if not fit.table.cells.is_ratio:
        return None
    return department_statuses(find_spots(fit, rating={}), trust, limits)


def department_statuses(spots: Spots, trust: object, limits: FunnelLimits) -> list[str]:
    """Statuses of the departments drawn, in their order."""
    cells = spots.effects.cells
    mine = cells.cell_trust == trust_position(cells, trust)
    labels = cells.departments[cells.cell_department[mine]].tolist()
    by_label = dict(zip(labels, spots.decisions.status[mine].tolist(), strict=True))
    return [by_label[label] for label in limits.table.index]


def two_stage(
    fit: Fitted,
    trust: object,
    *,
    limits: FunnelKind,
    levels: Sequence[float],
    caption: str | None,
    axes: tuple[Axes, Axes] | None,
) -> tuple[Axes, Axes]:
    """See `HierarchyFit.plot_two_stage`."""
    from brightspots.figures.funnel import draw_two_stage

    national = trust_limits(fit, limits, levels)
    own = department_limits(fit, trust, limits, levels)
    return draw_two_stage(
        national,
        own,
        trust=trust,
        department_statuses=_statuses(fit, trust, own),
        ylabel=_value_words(fit),
        caption=caption,
        higher_is=fit.higher_is,
        axes=axes,
    )


def partition(fit: Fitted, *, caption: str | None, ax: Axes | None) -> Axes:
    """See `HierarchyFit.plot_partition`."""
    from brightspots.figures.partition import draw_partition

    return draw_partition(fit.variance_partition(), caption=caption, ax=ax)


def mosaic(
    fit: Fitted,
    spots: Spots | None,
    *,
    trusts: Sequence[object] | None,
    caption: str | None,
    ax: Axes | None,
) -> Axes:
    """See `HierarchyFit.plot_mosaic`."""
    from brightspots.figures.mosaic import draw_mosaic

    table = (spots or find_spots(fit, rating={})).table
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


def trend(fit: Fitted, trust: object, department: object, *, caption: str | None, ax: Axes | None) -> Axes:
    """See `HierarchyFit.plot_trend`."""
    from brightspots.figures.canvas import sentence
    from brightspots.figures.trend import draw_trend

    _check_ratios(fit, "plot_trend()")
    cells, shared = fit.table.cells, fit.effects.shared
    if cells.periods is None or cells.leaf_period is None:
        raise SettingsError("the fit has no periods: there is no trend to draw")
    table = fit.departments()
    known = is_label(trust) and is_label(department)
    # As objects: a column of text would refuse to be compared with some of what can be a label.
    of_trust, of_department = (table[key].to_numpy(dtype=object) for key in (names.TRUST, names.DEPARTMENT))
    chosen = table[(of_trust == trust) & (of_department == department)] if known else table[:0]
    if chosen.empty:
        raise SettingsError(f"there is no department {shown(department)} in trust {shown(trust)}")
    inside = (cells.leaf_trust == trust_position(cells, trust)) & (
        cells.departments[cells.cell_department[cells.leaf_cell]] == department
    )
    leaves = np.flatnonzero(inside)
    group = np.full(cells.n_leaves, -1)
    group[leaves] = np.arange(len(leaves))
    every = gather_units(cells, shared, group, cells.periods[cells.leaf_period[leaves]])
    units = only_known(every)
    labels: Any = units.labels
    if cells.period_order != "unknown":
        # The order was told from all labels; those of one department might not be enough to tell it.
        labels = pd.Categorical(labels, categories=pd.Index(cells.periods), ordered=True)
    frame = pd.DataFrame({names.PERIOD: labels, **period_ratios(units, cells.family)})
    level = chosen.iloc[0]
    return draw_trend(
        frame,
        level=level["peer_ratio"],
        level_lower=level["peer_ratio_lower"],
        level_upper=level["peer_ratio_upper"],
        lower="lower",
        upper="upper",
        title=f"{department} at {trust}: each period and the average over them",
        ylabel="Observed / expected at the national level",
        caption=sentence(_suppressed(every.suppressed), caption),
        ax=ax,
    )


def caterpillar(
    fit: Fitted, trust: object, spots: Spots | None, *, caption: str | None, ax: Axes | None
) -> Axes:
    """See `HierarchyFit.plot_caterpillar`."""
    from brightspots.figures.caterpillar import draw_caterpillar

    spots, cells = spots or find_spots(fit, rating={}), fit.table.cells
    scale: dict[str, Any] = {"margin": spots.margin, "of_ratios": cells.is_ratio}
    if trust is None:
        table = fit.trusts(margin=spots.rule.margin, difference=spots.rule.difference)
        return draw_caterpillar(
            table, ratio=effect_name(cells, "trust"), label=names.TRUST, status=None,
            title="Trusts against the national level", caption=caption, ax=ax, **scale,
        )  # fmt: skip
    trust_position(fit.table.cells, trust)
    table = spots.table[spots.table[names.TRUST] == trust]
    peers = spots.rule.reference == "peers"
    against = "the same departments nationally" if peers else "the other departments of the trust"
    return draw_caterpillar(
        table, ratio=effect_name(cells, "peer" if peers else "own"),
        title=f"Departments of {trust} against {against}", caption=caption, ax=ax, **scale,
    )  # fmt: skip


def rating(fit: Fitted, spots: Spots | None, *, caption: str | None, ax: Axes | None) -> Axes:
    """See `HierarchyFit.plot_rating`."""
    from brightspots.figures.rating import draw_rating

    _check_ratios(fit, "plot_rating()")
    spots = spots or find_spots(fit)
    if spots.ratings is None:
        raise SettingsError(spots.rating_note or "no rating was given: pass spots=fit.find_spots(rating=…)")
    order, by_department, strong = (
        spots.ratings.levels,
        spots.ratings.by_department,
        spots.ratings.strong_rule,
    )
    if by_department:
        title = "Departments against their own rating"
        return draw_rating(
            spots.table,
            order=order,
            higher_is=fit.higher_is,
            of="department",
            strong=strong,
            title=title,
            caption=caption,
            ax=ax,
        )
    return draw_rating(
        spots.table, order=order, higher_is=fit.higher_is, strong=strong, caption=caption, ax=ax
    )
