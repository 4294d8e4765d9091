"""How time and memory grow with the table, from 1,000 cells to a million.

    python benchmarks/scale.py [--quick] [--write] [--largest CELLS]

Each size is simulated and fitted in processes of its own. `--write` puts the result into docs/benchmarks.md and the
figure into docs/figures/scale.png.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from children import Child, end_with_children, read_values, run
from documents import DOCS, number, table, write_section
from machines import describe

HERE = Path(__file__).resolve().parent
FIGURE = DOCS / "figures" / "scale.png"
# Of each size, few trusts with many departments and many with few.
SHAPES = (
    (25, 40), (100, 10), (75, 40), (300, 10), (250, 40), (1_000, 10), (500, 60), (3_000, 10), (500, 200), (10_000, 10),
    (1_500, 200), (30_000, 10), (5_000, 200), (100_000, 10),
)  # fmt: skip
PACKAGES = ("brightspots", "numpy", "scipy", "numba", "pandas")
_QUICK = 3_000
# Departments of a trust up to which a table counts as one of many trusts with few.
_FEW = 10
# From here on the fixed cost of a fit no longer hides how it grows.
_SLOPE_FROM = 10_000
_BLUE, _ORANGE, _GREY = "#005EB8", "#e46c0a", "#768692"


class Size(NamedTuple):
    """One size of table and what fitting it took."""

    trusts: int
    departments: int
    fit: Child

    @property
    def cells(self) -> int:
        """Rows of the table."""
        return self.trusts * self.departments

    @property
    def seconds(self) -> float | None:
        """Of the later job where there were two, else of the only one."""
        return self.fit.one("again") or self.fit.one("first")


def measure(trusts: int, departments: int, scratch: Path, repeat_within: float, give_up_after: float) -> Size:
    """Simulate and fit one size."""
    child = [sys.executable, str(HERE / "scale_child.py")]
    data, out = scratch / "table.pkl", scratch / "fit.csv"
    out.unlink(missing_ok=True)
    simulated = run(
        [*child, "simulate", str(trusts), str(departments), str(data)], scratch / "table.csv", give_up_after
    )
    if simulated.problem:
        raise SystemExit(f"{trusts} × {departments}: {simulated.problem}")
    fitted = run([*child, "fit", str(repeat_within), str(data)], out, give_up_after)
    if fitted.problem and out.exists():
        fitted = Child(read_values(out), fitted.peak, fitted.seconds, f"tables {fitted.problem}")
    said = fitted.problem or f"{fitted.seconds:.1f} s, {fitted.peak:,.0f} MiB"
    print(f"{trusts:,} × {departments}: {said}", file=sys.stderr, flush=True)
    return Size(trusts, departments, fitted)


def slope(cells: Sequence[float], values: Sequence[float | None]) -> float | None:
    """Least-squares slope of log value on log cells over the larger tables; 1 is linear growth."""
    pairs = [(n, v) for n, v in zip(cells, values, strict=True) if n >= _SLOPE_FROM and v]
    if len(pairs) < 2:
        return None
    x, y = np.log(np.array(pairs)).T
    return float(np.polyfit(x, y, 1)[0])


def draw(sizes: Sequence[Size], path: Path) -> None:
    """Seconds against cells, both logarithmic, with linear growth for the eye; memory from zero. Of many departments a trust."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 3.8), layout="constrained")
    sizes = [size for size in sizes if size.departments > _FEW]
    cells = np.array([size.cells for size in sizes], dtype=float)

    def line(ax: plt.Axes, values: Sequence[float | None], label: str, colour: str, marker: str) -> None:
        ax.plot(cells, [np.nan if v is None else v for v in values], color=colour, marker=marker, label=label)

    def gib(name: str) -> list[float | None]:
        mib = [size.fit.one(name) for size in sizes]
        return [None if value is None else value / 1024 for value in mib]

    seconds = [size.seconds for size in sizes]
    line(left, seconds, "whole job", _BLUE, "o")
    line(left, [size.fit.one("fit") for size in sizes], "fit_hierarchy()", _ORANGE, "s")
    known = [(n, v) for n, v in zip(cells, seconds, strict=True) if v]
    if known:
        last, value = known[-1]
        left.plot(
            cells, value * cells / last, color=_GREY, linestyle="--", linewidth=1, label="linear growth"
        )
    left.set(ylabel="seconds", title="Time", yscale="log")
    line(right, gib("peak"), "whole job", _BLUE, "o")
    line(right, gib("peak_fit"), "fit_hierarchy()", _ORANGE, "s")
    line(right, gib("peak_table"), "Python and the table", _GREY, "^")
    right.set(ylabel="GiB", title="Peak memory of the process", ylim=(0.0, None))
    for ax in (left, right):
        ax.set(xscale="log", xlabel="cells (trusts × departments)")
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False, fontsize="small")
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def section(sizes: Sequence[Size]) -> str:
    """The page's part."""
    head = (
        "cells", "trusts × departments", "whole job, s", "processor, s", "fit, s", "departments(), s", "spots, s", "µs a cell",
        "peak, MiB", "effective draws", "Pareto k̂", "certificate",
    )  # fmt: skip
    rows = []
    for size in sizes:
        one = size.fit.one
        shape = f"{size.trusts:,} × {size.departments}"
        if size.seconds is None:
            rows.append([f"{size.cells:,}", shape, size.fit.problem or "–", *["–"] * 9])
            continue
        earned = "holds" if one("ok") else "does not hold"
        seconds = (
            size.seconds,
            one("processor"),
            one("fit"),
            one("departments"),
            one("spots"),
            1e6 * size.seconds / size.cells,
        )
        rows.append([
            f"{size.cells:,}", shape, *map(number, (*seconds, one("peak"), one("effective"))), number(one("pareto_k"), 2), earned,
        ])  # fmt: skip
    tall, flat = ([size for size in sizes if (size.departments > _FEW) is many] for many in (True, False))
    slopes = [
        slope([size.cells for size in some], [size.fit.one(name) or size.seconds for size in some])
        for some in (tall, flat)
        for name in ("again", "fit")
    ]
    grown = [[size.fit.one(name) for size in tall] for name in ("peak", "peak_table")]
    of_memory = slope(
        [size.cells for size in tall],
        [None if a is None or b is None else a - b for a, b in zip(*grown, strict=True)],
    )
    return f"""## How time and memory grow

Written by `benchmarks/scale.py` on {describe(PACKAGES)}.

Nations without gaps from `simulate_nation(trusts, departments, missing_departments=0, seed=1)`, 40 events expected in a cell on
average. The whole job is `fit_hierarchy(method="integrate", seed=1)`, `fit.departments()` and `fit.find_spots(rating="rating").table`,
each size in a process of its own. Seconds are those of the second time in the process where the first was short, of the only one otherwise;
processor seconds are of all cores. Memory is the largest resident memory of the process, Python, libraries and the table included.

{table(head, rows)}

From {_SLOPE_FROM:,} cells on, the slope of log seconds on log cells is {number(slopes[0], 2)} for the whole job and {number(slopes[1], 2)} for
the fit with many departments a trust, {number(slopes[2], 2)} and {number(slopes[3], 2)} with ten; that of the memory beyond Python and the table is
{number(of_memory, 2)} (1 is linear).

![Seconds and peak memory against cells; cells and seconds on logarithmic axes](figures/scale.png)"""


def main() -> None:
    """Run and print; write where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="the small sizes only, to check the script")
    parser.add_argument("--write", action="store_true", help="put the result into docs/")
    parser.add_argument("--largest", type=int, default=10**6, help="cells of the largest table")
    parser.add_argument(
        "--repeat-within", type=float, default=30.0, help="fit twice where the first took fewer seconds"
    )
    parser.add_argument("--give-up-after", type=float, default=1_800.0, help="seconds a size may take")
    parser.add_argument("--figure", type=Path, help="draw here instead of into docs/")
    given = parser.parse_args()
    end_with_children()
    largest = _QUICK if given.quick else given.largest
    with tempfile.TemporaryDirectory() as scratch:
        sizes = [
            measure(trusts, departments, Path(scratch), given.repeat_within, given.give_up_after)
            for trusts, departments in SHAPES
            if trusts * departments <= largest
        ]
    text = section(sizes)
    print(text)
    if given.write:
        write_section("scale", text)
    if given.write or given.figure:
        draw(sizes, given.figure or FIGURE)


if __name__ == "__main__":
    main()
