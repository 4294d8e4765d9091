"""The partition of variance between trusts, departments within trusts, and periods, as a bar chart."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from brightspots.common.wording import percent_interval, probability_text
from brightspots.figures import canvas
from brightspots.figures.palette import BRIGHT_COLOUR, INK, NEUTRAL, PALE

_WORDS = {
    "trust": "Between trusts",
    "department": "Between departments\nwithin a trust",
    "period": "Between periods\nwithin a department",
}
_COLOURS = {"trust": NEUTRAL, "department": BRIGHT_COLOUR, "period": PALE}
_COLUMNS = ("sd", "share", "share_lower", "share_upper")


def draw_partition(
    partition: pd.DataFrame,
    *,
    title: str | None = "Where the variation between departments lies",
    caption: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw each level's share of the variance with its interval.

    Parameters
    ----------
    partition : pandas.DataFrame
        `HierarchyFit.variance_partition()`: index `level`; columns `sd, share, share_lower, share_upper`, and
        `median_ratio` where there is one; ``.attrs["p_department_exceeds_trust"]`` is quoted where present.
    title, caption : str, optional
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    DataError
        Where a column is missing.
    """
    canvas.check_columns(partition, _COLUMNS, "the table of variance_partition()")
    levels = [str(level) for level in partition.index]
    height = np.arange(len(levels))[::-1].astype(float)
    share, low, high = (100.0 * partition[column].to_numpy() for column in _COLUMNS[1:])
    with canvas.style(levels, title, caption):
        ax = canvas.open_axes(ax, (8.0, 1.5 + 0.8 * len(levels)))
        ax.barh(
            height, share, height=0.52, color=[_COLOURS.get(level, NEUTRAL) for level in levels], zorder=2
        )
        ax.errorbar(
            share, height, xerr=np.maximum([share - low, high - share], 0.0), fmt="none", ecolor=INK, elinewidth=1.5,
            capsize=5.0, capthick=1.5, zorder=3,
        )  # fmt: skip
        for position, level in enumerate(levels):
            ax.annotate(
                _shares_text(partition.iloc[position]), xy=(max(high[position], share[position]), height[position]),
                xytext=(9.0, 0.0), textcoords="offset points", va="center", fontsize=9.5, annotation_clip=False,
            ).set_gid(level)  # fmt: skip
        ax.set_yticks(height, [_WORDS.get(level, level) for level in levels])
        ax.tick_params(axis="y", length=0)
        canvas.print_ticks_literally(ax)
        ax.set_ylim(-0.6, len(levels) - 0.4)
        ax.set_xlim(0.0, 100.0)
        ax.set_xlabel("Share of the variance between departments, % (line: interval)")
        canvas.number_axis(ax, "x")
        canvas.finish(
            ax,
            title=title,
            caption=canvas.sentence(_exceeds(partition), caption),
            description=_description(partition, levels, caption),
        )
    return ax


def _description(partition: pd.DataFrame, levels: list[str], caption: str | None) -> str:
    shares = [
        f"{_WORDS.get(level, level)}: {_shares_text(partition.loc[index])}".replace("\n", " ")
        for level, index in zip(levels, partition.index, strict=True)
    ]
    return canvas.sentence("Bar chart of the partition of variance", *shares, _exceeds(partition), caption)


def _shares_text(row: pd.Series[float]) -> str:
    text = percent_interval(row["share"], row["share_lower"], row["share_upper"])
    if "median_ratio" in row and np.isfinite(row["median_ratio"]):
        return f"{text}, median ratio {row['median_ratio']:.2f}"
    return text


def _exceeds(partition: pd.DataFrame) -> str | None:
    probability = partition.attrs.get("p_department_exceeds_trust")
    if probability is None or not np.isfinite(probability):
        return None
    return f"Probability that departments vary more than trusts: {probability_text(probability)}"
