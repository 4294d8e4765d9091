"""Funnel figures: units by size, with the limits that chance allows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from brightspots.common.arguments import checked
from brightspots.common.arrays import FloatArray
from brightspots.common.errors import SettingsError
from brightspots.common.vocabulary import HigherIs
from brightspots.figures import canvas
from brightspots.figures.funnel_artists import (
    SIZE_WORDS,
    Points,
    XScale,
    capital,
    draw_limits,
    draw_points,
    funnel_description,
    label_texts,
    lines_text,
    notes_text,
    read_points,
    set_scales,
    units_to_name,
    value_words,
)
from brightspots.figures.labels import place_labels
from brightspots.figures.marks import STATUS_MARKS, legend_entries, standing_out, zone_marks
from brightspots.limits.funnel import FunnelLimits


@checked
def plot_funnel(
    limits: FunnelLimits,
    labels: Sequence[object] | None = None,
    highlight: str | Sequence[object] | None = None,
    ax: Axes | None = None,
    *,
    title: str | None = None,
    xlabel: str | None = None,
    ylabel: str | None = None,
    multiplier: float = 1.0,
    higher_is: HigherIs = "worse",
    xscale: XScale = "auto",
    max_labels: int = 20,
    period: str | None = None,
    source: str | None = None,
    date: str | None = None,
) -> Axes:
    """Draw a funnel plot: every unit, the limits, and the names of those outside the widest limits.

    Parameters
    ----------
    limits : FunnelLimits
        From `funnel_limits`. Points are marked by its `zone`, curves are drawn by its `curve`.
    labels : sequence (n,), optional
        Names of the units; by default the index of the data.
    highlight : sequence, optional
        Labels of units to name and ring whatever their zone.
    ax : matplotlib.axes.Axes, optional
    title, xlabel, ylabel : str, optional
    multiplier : float, default 1
        What ratios or proportions are multiplied by (100: per 100); stated on the axis.
    higher_is : {"worse", "better"}, default "worse"
        Which side gets the colour of a dark spot.
    xscale : {"auto", "linear", "log"}, default "auto"
        "auto" is logarithmic where the largest unit is 12 times the middle one or more.
    max_labels : int, default 20
        Most names that are written: those highlighted, then the furthest outside.
    period, source, date : str, optional
        For the caption, beside the method: the period of the data, who published them, when they were drawn.

    Returns
    -------
    matplotlib.axes.Axes
        `brightspots.describe` gives its alternative text.

    Raises
    ------
    SettingsError
        Where labels do not match the units or a highlighted label is not among them.

    Examples
    --------
    >>> import brightspots as bs
    >>> trusts = bs.load_sample("nation").groupby("trust")[["observed", "expected"]].sum()
    >>> limits = bs.funnel_limits(trusts["observed"], trusts["expected"])
    >>> ax = bs.plot_funnel(limits, highlight=["T010"], multiplier=100, title="Deaths, 120 trusts")
    >>> bs.describe(ax)
    'Funnel plot: Deaths, 120 trusts. 120 units, ...'
    >>> ax.figure.savefig("trusts.png")
    """
    if not isinstance(limits, FunnelLimits):
        raise SettingsError(
            f"plot_funnel(limits) draws what funnel_limits() returns; received {type(limits).__name__}"
        )
    parts = (("Data", period), ("Source", source), ("Drawn", date))
    caption = canvas.sentence(*(f"{word}: {text}" for word, text in parts if text))
    return draw_funnel(
        limits, labels=labels, highlight=highlight, title=title, xlabel=xlabel, ylabel=ylabel,
        multiplier=multiplier, caption=caption, higher_is=higher_is, xscale=xscale, max_labels=max_labels, ax=ax,
    )  # fmt: skip


def draw_funnel(
    limits: FunnelLimits,
    *,
    labels: Sequence[object] | None = None,
    highlight: str | Sequence[object] | None = None,
    statuses: Sequence[str] | None = None,
    title: str | None = None,
    xlabel: str | None = None,
    ylabel: str | None = None,
    multiplier: float = 1.0,
    caption: str | None = None,
    higher_is: HigherIs = "worse",
    xscale: XScale = "auto",
    max_labels: int = 20,
    reference: tuple[float, str] | None = None,
    centre_name: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a funnel plot, as `plot_funnel` does, with statuses instead of zones where given.

    Parameters
    ----------
    statuses : sequence of str (n,), optional
        Status of each unit (`vocabulary.STATUSES`); bright and dark spots are marked and named. Without
        it, units are marked by their zone.
    caption : str, optional
        Added to the caption, which always names the method of the limits: for period, source, date.
    reference : tuple of float and str, optional
        A second horizontal line, on the scale of the limits, and its name.
    centre_name : str, optional
        Written at the end of the funnel's own centre line.
    labels, highlight, title, xlabel, ylabel, multiplier, higher_is, xscale, max_labels, ax
        As in `plot_funnel`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    SettingsError
        Where labels, highlights or statuses do not match the units, or the limits hold no observations.
    """
    points = read_points(limits, labels, highlight, statuses, multiplier)
    marks = STATUS_MARKS if statuses is not None else zone_marks(limits.levels, higher_is)
    with canvas.style(points.names, title, xlabel, ylabel, caption, reference, centre_name):
        ax = canvas.open_axes(ax)
        set_scales(ax, limits, points, multiplier, xscale)
        curves = draw_limits(ax, limits, multiplier, reference, centre_name)
        beyond = draw_points(ax, points, marks)
        ax.set_xlabel(xlabel or SIZE_WORDS[limits.size_name])
        ax.set_ylabel(ylabel or value_words(limits, multiplier))
        named = units_to_name(limits, points, max_labels)
        doubts = [capital(caution.statement) for caution in limits.cautions]
        notes = notes_text(points, beyond, len(named))
        told = [capital(limits.method_text), lines_text(limits), *doubts, notes]
        canvas.finish(
            ax,
            title=title,
            entries=legend_entries(points.kind, marks)[::-1],
            caption=canvas.sentence(*told, caption),
            description=funnel_description(limits, points, marks, multiplier, title, caption),
        )

        def write_names() -> int:
            return _write_names(ax, points, named, points.chosen | standing_out(points.kind, marks), curves)

        if missed := write_names():
            # A longer caption can make the axes smaller, so the names are placed again.
            canvas.set_caption(ax, canvas.sentence(*told, canvas.without_room(missed), caption))
            canvas.set_caption(ax, canvas.sentence(*told, canvas.without_room(write_names()), caption))
    return ax


def _write_names(
    ax: Axes,
    points: Points,
    named: npt.NDArray[np.intp],
    standing: npt.NDArray[np.bool_],
    curves: FloatArray,
) -> int:
    """Name some units (`named`, positions), without covering those in `standing` (n,) or points of `curves` (m, 2).

    Returns
    -------
    int
        Number of names that found no room.
    """
    top = ax.get_ylim()[1]
    drawn = np.column_stack([points.x, np.minimum(points.y, top)])
    others = np.concatenate([drawn[~standing], curves])
    texts = label_texts(points, named, top)
    return place_labels(
        ax, drawn[named, 0], drawn[named, 1], texts, drawn[standing], others, points.chosen[named]
    )


def draw_two_stage(
    trust_limits: FunnelLimits,
    department_limits: FunnelLimits,
    *,
    trust: object,
    trust_labels: Sequence[object] | None = None,
    department_labels: Sequence[object] | None = None,
    trust_statuses: Sequence[str] | None = None,
    department_statuses: Sequence[str] | None = None,
    highlight: Sequence[object] | None = None,
    ylabel: str | None = None,
    multiplier: float = 1.0,
    caption: str | None = None,
    higher_is: HigherIs = "worse",
    xscale: XScale = "auto",
    max_labels: int = 12,
    axes: tuple[Axes, Axes] | None = None,
) -> tuple[Axes, Axes]:
    """Draw a trust on the national funnel, and beside it its departments about the trust's own level.

    Both panels share one vertical axis: the same ratio, the same multiplier, the same range. The national level is a
    line in both.

    Parameters
    ----------
    trust_limits : FunnelLimits
        All trusts, centred on the national level.
    department_limits : FunnelLimits
        The departments of one trust, centred (`target`) on that trust's own level.
    trust : object
        The trust's label among `trust_labels`; ringed and named on the national funnel.
    trust_labels, department_labels : sequence, optional
        By default the indexes of the tables.
    trust_statuses, department_statuses : sequence of str, optional
        Statuses to mark instead of zones.
    highlight : sequence, optional
        Departments to name.
    axes : tuple of two Axes, optional
        Where to draw; without it a figure of two panels is made.
    ylabel, multiplier, caption, higher_is, xscale, max_labels
        As in `draw_funnel`.

    Returns
    -------
    tuple of matplotlib.axes.Axes
        National panel, departments' panel.

    Raises
    ------
    SettingsError
        As in `draw_funnel`, and where the two funnels plot different statistics.
    """
    if trust_limits.statistic != department_limits.statistic:
        raise SettingsError(
            "both stages must plot the same statistic; received "
            f"{trust_limits.statistic!r} and {department_limits.statistic!r}"
        )
    with canvas.style(trust):
        left, right = _two_axes() if axes is None else axes
        if not left.get_shared_y_axes().joined(left, right):
            right.sharey(left)
    draw_funnel(
        trust_limits, labels=trust_labels, highlight=[trust], statuses=trust_statuses, ylabel=ylabel,
        title="1. Trusts against the national level", multiplier=multiplier, caption=caption,
        higher_is=higher_is, xscale=xscale, max_labels=max_labels, ax=left,
    )  # fmt: skip
    draw_funnel(
        department_limits, labels=department_labels, highlight=highlight, statuses=department_statuses,
        title=f"2. Departments of {canvas.shorten(trust, 60)} against its own level", ylabel=ylabel,
        multiplier=multiplier, caption=caption, higher_is=higher_is, xscale=xscale, max_labels=max_labels,
        reference=(trust_limits.target, "national"), centre_name="own level", ax=right,
    )  # fmt: skip
    with canvas.style(trust):
        # The titles are put at one height, above the taller of the two legends.
        room = max(canvas.legend_room(left), canvas.legend_room(right))
        for ax in (left, right):
            canvas.set_title(ax, ax.get_title(loc="left").replace("\n", " "), room)
    return left, right


def _two_axes() -> tuple[Axes, Axes]:
    _, (left, right) = plt.subplots(1, 2, figsize=(14.0, 6.0), sharey=True)
    return left, right
