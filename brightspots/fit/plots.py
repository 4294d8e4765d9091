"""The figures of a fit: methods that pass tables of the fit to the drawing functions in `brightspots.figures`.

`HierarchyFit` inherits the methods. The drawing functions are imported inside them, so that ``import brightspots`` does
not load matplotlib.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.arguments import checked, is_label, shown
from brightspots.common.errors import SettingsError
from brightspots.fit.fitted import Fitted
from brightspots.fit.funnels import (
    department_limits,
    department_periods,
    trust_limits,
    trust_position,
)
from brightspots.fit.spots import Spots, find_spots
from brightspots.limits.funnel import FunnelLimits
from brightspots.statistics.scale import effect_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@checked
class Drawable(Fitted):
    """A fit with its figures."""

    def plot_funnel(
        self,
        trust: object = None,
        *,
        limits: Literal["hierarchical", "exact"] = "hierarchical",
        levels: Sequence[float] = (0.95, 0.998),
        highlight: str | Sequence[object] | None = None,
        multiplier: float = 1.0,
        caption: str | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw a funnel: the trusts of the nation, or the departments of one trust about the trust's own level.

        Parameters
        ----------
        trust : label, optional
            Draw the departments of this trust; None draws all trusts.
        limits : {"hierarchical", "exact"}, default "hierarchical"
            Predictive limits of the fitted model, or limits of chance alone.
        levels : sequence of float, default (0.95, 0.998)
        highlight : sequence of labels, optional
            Points to name besides those outside the limits.
        multiplier : float, default 1
            What ratios are multiplied by, such as 100; stated on the axis.
        caption : str, optional
            Added to the caption, which always names the method of the limits: for period, source, date.
        ax : matplotlib Axes, optional

        Returns
        -------
        matplotlib.axes.Axes
        """
        from brightspots.figures.funnel import draw_funnel

        if trust is None:
            drawn, title = trust_limits(self, limits, levels), "Trusts against the national level"
        else:
            drawn = department_limits(self, trust, limits, levels)
            title = f"Departments of {trust} against its own level"
        national = 1.0 if drawn.statistic == "ratio" else 0.0
        return draw_funnel(
            drawn,
            title=title,
            ylabel=_value_words(self, multiplier),
            statuses=None if trust is None else _statuses(self, trust, drawn),
            reference=None if trust is None else (national, "national"),
            centre_name=None if trust is None else "own level",
            highlight=highlight,
            multiplier=multiplier,
            higher_is=self.higher_is,
            caption=caption,
            ax=ax,
        )

    def plot_two_stage(
        self,
        trust: object,
        *,
        limits: Literal["hierarchical", "exact"] = "hierarchical",
        levels: Sequence[float] = (0.95, 0.998),
        caption: str | None = None,
        axes: tuple[Axes, Axes] | None = None,
    ) -> tuple[Axes, Axes]:
        """Draw one trust among all trusts and, beside it on the same scale, its departments about its own level.

        Parameters
        ----------
        trust : label
        limits, levels, caption
            As in `plot_funnel`.
        axes : two matplotlib Axes, optional
            Where to draw; without it a figure of two panels is made.

        Returns
        -------
        tuple of matplotlib.axes.Axes
            The trusts' panel, the departments' panel.
        """
        from brightspots.figures.funnel import draw_two_stage

        national = trust_limits(self, limits, levels)
        own = department_limits(self, trust, limits, levels)
        return draw_two_stage(
            national,
            own,
            trust=trust,
            department_statuses=_statuses(self, trust, own),
            ylabel=_value_words(self),
            higher_is=self.higher_is,
            caption=caption,
            axes=axes,
        )

    def plot_partition(self, *, caption: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw the shares of variance of `variance_partition()` with their intervals.

        Parameters
        ----------
        caption, ax
            As in `plot_funnel`.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from brightspots.figures.partition import draw_partition

        return draw_partition(self.variance_partition(), caption=caption, ax=ax)

    def plot_mosaic(
        self,
        *,
        spots: Spots | None = None,
        trusts: Sequence[object] | None = None,
        caption: str | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw the trust × department grid of bright, dark, in line and cannot tell.

        Parameters
        ----------
        spots : Spots, optional
            The statuses to draw; by default those of ``find_spots()``.
        trusts : sequence of labels, optional
            The trusts to draw; by default all. One figure shows 400 at most.
        caption, ax
            As in `plot_funnel`.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from brightspots.figures.mosaic import draw_mosaic

        table = (spots or find_spots(self, rating={})).table
        if trusts is not None:
            for trust in trusts:
                trust_position(self.table.cells, trust)
            table = table[table[names.TRUST].isin(list(trusts))]
        return draw_mosaic(
            table,
            trust_names=_names(table, names.TRUST),
            department_names=_names(table, names.DEPARTMENT),
            caption=caption,
            ax=ax,
        )

    def plot_trend(
        self, trust: object, department: object, *, caption: str | None = None, ax: Axes | None = None
    ) -> Axes:
        """Draw one department's ratio in each period, with the interval of chance alone, and its average over them.

        Parameters
        ----------
        trust, department : label
        caption, ax
            As in `plot_funnel`.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        SettingsError
            Where the fit has no periods, there is no such department, or effects are differences.
        """
        from brightspots.figures.canvas import sentence
        from brightspots.figures.trend import draw_trend

        _check_ratios(self, "plot_trend()")
        average = _average(self, trust, department)
        frame, suppressed = department_periods(self, trust, department)
        return draw_trend(
            frame,
            level=average["peer_ratio"],
            level_lower=average["peer_ratio_lower"],
            level_upper=average["peer_ratio_upper"],
            lower="lower",
            upper="upper",
            title=f"{department} at {trust}: each period and the average over them",
            ylabel="Observed / expected at the national level",
            caption=sentence(_suppressed(suppressed), caption),
            ax=ax,
        )

    def plot_caterpillar(
        self,
        trust: object = None,
        *,
        spots: Spots | None = None,
        caption: str | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw ratios with intervals, sorted: all trusts, or the departments of one trust.

        Parameters
        ----------
        trust : label, optional
            Draw the departments of this trust; None draws all trusts.
        spots : Spots, optional
            The margin, reference and statuses to draw; by default those of ``find_spots()``.
        caption, ax
            As in `plot_funnel`.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from brightspots.figures.caterpillar import draw_caterpillar

        spots, cells = spots or find_spots(self, rating={}), self.table.cells
        peers = spots.rule.reference == "peers"
        if trust is None:
            table = self.trusts(margin=spots.rule.ordinary_margin, difference=spots.rule.difference)
            effect, title = "trust", "Trusts against the national level"
        else:
            trust_position(cells, trust)
            table = spots.table[spots.table[names.TRUST] == trust]
            effect = "peer" if peers else "own"
            against = "the same departments nationally" if peers else "the other departments of the trust"
            title = f"Departments of {trust} against {against}"
        return draw_caterpillar(
            table,
            ratio=effect_name(cells, effect),
            label=names.TRUST if trust is None else names.DEPARTMENT,
            status=None if trust is None else "status",
            margin=spots.margin,
            of_ratios=cells.is_ratio,
            title=title,
            caption=caption,
            ax=ax,
        )

    def plot_rating(
        self, *, spots: Spots | None = None, caption: str | None = None, ax: Axes | None = None
    ) -> Axes:
        """Draw departments against their trust's overall rating, the divergent ones named.

        Parameters
        ----------
        spots : Spots, optional
            The statuses and ratings to draw; by default those of ``find_spots()``.
        caption, ax
            As in `plot_funnel`.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        SettingsError
            Where there are no ratings, or effects are differences.
        """
        from brightspots.figures.rating import draw_rating

        _check_ratios(self, "plot_rating()")
        spots = spots or find_spots(self)
        ratings = spots.ratings
        if ratings is None:
            raise SettingsError(
                spots.rating_note or "no rating was given: pass spots=fit.find_spots(rating=…)"
            )
        whose = "their own rating" if ratings.by_department else "the overall rating of their trust"
        return draw_rating(
            spots.table,
            order=ratings.levels,
            higher_is=self.higher_is,
            of="department" if ratings.by_department else "trust",
            strong=ratings.strong_rule,
            title=f"Departments against {whose}",
            caption=caption,
            ax=ax,
        )


def department_statuses(spots: Spots, trust: object, limits: FunnelLimits) -> list[str]:
    """Statuses of a trust's departments, in the order of the table of `limits`."""
    cells = spots.effects.cells
    mine = cells.cell_trust == trust_position(cells, trust)
    labels = cells.departments[cells.cell_department[mine]].tolist()
    by_label = dict(zip(labels, spots.decisions.status[mine].tolist(), strict=True))
    return [by_label[label] for label in limits.table.index]


def _check_ratios(fit: Fitted, what: str) -> None:
    """Raise `SettingsError` where effects are not ratios, for a figure whose labels say that they are."""
    if not fit.table.cells.is_ratio:
        raise SettingsError(
            f"{what} draws ratios, and is not available for a fit with estimate_scale='difference'; plot_partition(), "
            "plot_funnel(), plot_two_stage(), plot_mosaic(spots=…) and plot_caterpillar(spots=…) are"
        )


def _value_words(fit: Fitted, multiplier: float = 1.0) -> str:
    """Label of the vertical axis of a funnel."""
    times = "" if multiplier == 1.0 else f" × {multiplier:,g}"
    if not fit.table.cells.family.is_count:
        return f"Estimate above the national level{times}"
    return f"Observed / expected at the national level{times}"


def _statuses(fit: Fitted, trust: object, limits: FunnelLimits) -> list[str] | None:
    """Statuses of a trust's departments under the default rule; None for differences, which have no default margin."""
    if not fit.table.cells.is_ratio:
        return None
    return department_statuses(find_spots(fit, rating={}), trust, limits)


def _names(table: pd.DataFrame, key: str) -> dict[object, str] | None:
    """Label to name for the labels in column `key`, where the table has a column of names; else None."""
    column = f"{key}_name"
    return dict(zip(table[key], table[column], strict=True)) if column in table else None


def _average(fit: Fitted, trust: object, department: object) -> pd.Series[Any]:
    """The row of `Fitted.departments` of one department, or `SettingsError` where there is no such, or no period."""
    if fit.table.cells.periods is None:
        raise SettingsError("the fit has no periods: there is no trend to draw")
    table = fit.departments()
    known = is_label(trust) and is_label(department)
    # As objects: a column of text would refuse to be compared with some of what can be a label.
    of_trust, of_department = (table[key].to_numpy(dtype=object) for key in (names.TRUST, names.DEPARTMENT))
    chosen = table[(of_trust == trust) & (of_department == department)] if known else table[:0]
    if chosen.empty:
        raise SettingsError(f"there is no department {shown(department)} in trust {shown(trust)}")
    return chosen.iloc[0]


def _suppressed(left_out: int) -> str | None:
    if not left_out:
        return None
    return f"{left_out:,} with suppressed counts {'is' if left_out == 1 else 'are'} not drawn"
