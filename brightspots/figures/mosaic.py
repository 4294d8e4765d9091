"""The statuses of every department of every trust as a grid on one sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes

from brightspots.common.errors import DataError, SettingsError
from brightspots.common.vocabulary import BRIGHT, DARK, DEPARTMENT, RATING, STATUSES, TRUST
from brightspots.figures import canvas
from brightspots.figures.describe import listed
from brightspots.figures.marks import STATUS_MARKS, legend_entries
from brightspots.figures.palette import FILL, INK, PALE

# Inches of a row and of a column, and what surrounds the grid.
_ROW, _COLUMN, _MARGIN = 0.155, 0.34, (3.2, 2.9)
# Rows from which the departments are named at the top too.
_TALL = 40
_NAMES_ON_TOP = 1.6
_NO_RATING = "Not rated"
# Grids with more rows or columns are refused: nobody could read them.
_MOST_TRUSTS, _MOST_DEPARTMENTS = 400, 250


def draw_mosaic(
    spots_table: pd.DataFrame,
    *,
    order: Sequence[object] | None = None,
    trust_names: dict[object, str] | None = None,
    department_names: dict[object, str] | None = None,
    title: str | None = "Bright and dark spots by trust and department",
    caption: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the trust × department grid of statuses.

    Trusts stand in alphabetical order, or grouped by overall rating where `order` is given: never by their results.

    Parameters
    ----------
    spots_table : pandas.DataFrame
        `Spots.table`: `trust, department, status`, and `rating` where `order` is given.
    order : sequence, optional
        Ratings from the highest to the lowest; groups the rows. Trusts without one of them come last.
    trust_names, department_names : dict, optional
        Names to write instead of the labels.
    title, caption : str, optional
    ax : matplotlib.axes.Axes, optional
        Without it the figure is made large enough for every row to be read.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    DataError
        Where a column is missing, a status unknown, or a cell given twice.
    SettingsError
        Where the grid has more trusts or departments than a sheet can show.
    """
    _check_table(spots_table, order is not None)
    _check_size(spots_table)
    grid = _arrange(spots_table, order, trust_names or {}, department_names or {})
    with canvas.style(grid.cell_trust, grid.cell_department, order, title, caption):
        tall, columns = len(grid.trusts) > _TALL, len(grid.departments)
        width = _MARGIN[0] + _COLUMN * max(columns, 10)
        height = _MARGIN[1] + _ROW * len(grid.trusts) + (_NAMES_ON_TOP if tall else 0.0)
        ax = canvas.open_axes(ax, (width, height))
        _draw_grid(ax, grid)
        _write_names(ax, grid, tall)
        if order is not None:
            _draw_groups(ax, grid.group, [*map(str, order), _NO_RATING], columns)
        grouped = "in alphabetical order" if order is None else "grouped by overall rating, then alphabetical"
        arranged = f"Trusts are {grouped}; this is not a ranking"
        blank = "An empty cell: no such department. “Cannot tell” is not reassurance: the data do not say"
        canvas.finish(
            ax,
            title=title,
            entries=legend_entries(grid.status, STATUS_MARKS, all_marks=True),
            lift=_name_height(ax) if tall else 0.0,
            caption=canvas.sentence(arranged, blank, caption),
            description=_description(grid, arranged, caption),
        )
    return ax


@dataclass(frozen=True, eq=False)
class _Grid:
    """Cells (n,) with their places, rows and columns.

    `cell_trust` and `cell_department` are the names of each cell's trust and department; `trusts` (rows,) and
    `departments` (columns,) those written beside the grid, and `group` (rows,) the position of each trust's rating.
    """

    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    status: npt.NDArray[np.object_]
    cell_trust: pd.Series[str]
    cell_department: pd.Series[str]
    trusts: list[str]
    departments: list[str]
    group: npt.NDArray[np.int64]


def _arrange(
    table: pd.DataFrame,
    order: Sequence[object] | None,
    trust_names: Mapping[object, str],
    department_names: Mapping[object, str],
) -> _Grid:
    """Give every cell its row and column: trusts by the order of their ratings, then by name; departments by name."""
    names = table[TRUST].map(lambda label: str(trust_names.get(label, label)))
    columns_of = table[DEPARTMENT].map(lambda label: str(department_names.get(label, label)))
    rows = (
        pd.DataFrame({"group": _groups(table, order), "name": names, "trust": table[TRUST]})
        .drop_duplicates("trust")
        .sort_values(
            ["group", "name"], key=lambda column: column if column.name == "group" else column.str.casefold()
        )
    )
    departments = sorted(columns_of.unique(), key=str.casefold)
    row_of = {trust: position for position, trust in enumerate(rows["trust"])}
    y = table[TRUST].map(row_of).to_numpy(dtype=float)
    x = columns_of.map({name: position for position, name in enumerate(departments)}).to_numpy(dtype=float)
    if len(set(zip(x, y, strict=True))) < len(x):
        raise DataError("a trust has the same department twice", expected="one row per trust and department")
    status = table["status"].to_numpy(dtype=object)
    return _Grid(
        x, y, status, names, columns_of, rows["name"].tolist(), departments, rows["group"].to_numpy()
    )


def _check_table(table: pd.DataFrame, rated: bool) -> None:
    canvas.check_columns(
        table, (TRUST, DEPARTMENT, "status", *([RATING] if rated else [])), "the table of find_spots()"
    )
    unknown = table.index[~table["status"].isin(STATUSES)]
    if len(unknown):
        raise DataError(
            "unknown status", column="status", rows=unknown.tolist(), expected=", ".join(STATUSES)
        )


def _check_size(table: pd.DataFrame) -> None:
    for column, most in ((TRUST, _MOST_TRUSTS), (DEPARTMENT, _MOST_DEPARTMENTS)):
        count = table[column].nunique()
        if count > most:
            raise SettingsError(
                f"a grid of {count:,} {column}s cannot be read ({most:,} at most); choose some of them, "
                "plot_mosaic(trusts=[…]), or draw the flagged rows of spots.table"
            )


def _groups(table: pd.DataFrame, order: Sequence[object] | None) -> pd.Series[int]:
    """Position of each row's rating in the order; those without one come last."""
    if order is None:
        return pd.Series(0, index=table.index)
    position = {str(rating): place for place, rating in enumerate(order)}
    return table[RATING].map(lambda rating: position.get(str(rating), len(position))).astype(int)


def _draw_grid(ax: Axes, grid: _Grid) -> None:
    rows, columns = len(grid.trusts), len(grid.departments)
    # Every second row is tinted, so that rows can be followed across the sheet.
    for row in range(0, rows, 2):
        ax.axhspan(row - 0.5, row + 0.5, color=FILL, alpha=0.5, linewidth=0.0, zorder=0)
    ax.vlines(np.arange(columns + 1) - 0.5, -0.5, rows - 0.5, color=PALE, linewidth=0.4, zorder=1)
    for name, mark in STATUS_MARKS.items():
        here = grid.status == name
        if here.any():
            canvas.draw_marks(ax, grid.x[here], grid.y[here], mark)
    ax.set_xlim(-0.6, columns - 0.4)
    ax.set_ylim(rows - 0.4, -0.6)


def _write_names(ax: Axes, grid: _Grid, tall: bool) -> None:
    """Name the rows and the columns; a tall sheet names its departments at both ends."""
    ax.set_xticks(range(len(grid.departments)), canvas.shorten_apart(grid.departments, 30), rotation=90.0)
    ax.set_yticks(range(len(grid.trusts)), canvas.shorten_apart(grid.trusts, 42))
    ax.tick_params(axis="both", length=0, labelsize=7.5)
    ax.tick_params(axis="x", labeltop=tall, labelbottom=True, labelrotation=90.0)
    canvas.print_ticks_literally(ax)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)


def _name_height(ax: Axes) -> float:
    """Height in points of the tallest department name, with its distance from the axes."""
    canvas.settle(ax)
    tallest = max(label.get_window_extent().height for label in ax.get_xticklabels())
    return float(tallest) * 72.0 / canvas.figure_of(ax).figure.dpi + 6.0


def _draw_groups(ax: Axes, group: npt.NDArray[np.int64], names: list[str], columns: int) -> None:
    """Rule off the ratings and name them on the right."""
    for position, name in enumerate(names):
        rows = np.flatnonzero(group == position)
        if len(rows):
            ax.hlines(rows[-1] + 0.5, -0.6, columns - 0.4, color=INK, linewidth=0.9, zorder=2)
            ax.annotate(
                canvas.shorten(name, 28), xy=(columns - 0.4, rows.mean()), xytext=(5.0, 0.0),
                textcoords="offset points", va="center", rotation=270.0 if len(rows) > 8 else 0.0, fontsize=8.5,
                annotation_clip=False,
            )  # fmt: skip


def _description(grid: _Grid, arranged: str, caption: str | None) -> str:
    def cells(status: str) -> str | None:
        here = grid.status == status
        if not here.any():
            return None
        pairs = [
            f"{canvas.shorten(department, 40)} at {canvas.shorten(trust, 40)}"
            for trust, department in zip(grid.cell_trust[here], grid.cell_department[here], strict=True)
        ]
        return f"{status.capitalize()}s: {listed(pairs)}"

    return canvas.sentence(
        f"Grid of {len(grid.trusts):,} trusts by {len(grid.departments):,} departments",
        ", ".join(f"{int((grid.status == status).sum()):,} {status}" for status in STATUSES),
        cells(DARK), cells(BRIGHT), arranged, caption,
    )  # fmt: skip
