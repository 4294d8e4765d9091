"""How long large figures and pages take: 100,000 units on a funnel, a 150 × 142 nation as a page.

    python benchmarks/figures.py

Seconds are medians of three; the bare scatter plot of the same points in the same run is the floor.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt

import brightspots as bs

mpl.use("Agg")


def median_seconds(work: Callable[[], object], times: int = 3) -> float:
    """Median wall time of `work`, all figures closed between runs."""
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
        plt.close("all")
    return statistics.median(seconds)


def main() -> None:
    """Print one line a piece of work."""
    rng = np.random.default_rng(1)
    expected = np.exp(rng.normal(2.5, 1.2, 100_000))
    observed = rng.poisson(expected)
    names = [f"Unit {unit}" for unit in range(len(expected))]

    def funnel() -> None:
        limits = bs.funnel_limits(observed, expected, method="shmi")
        bs.plot_funnel(limits, labels=names).figure.canvas.draw()

    def scatter() -> None:
        figure, ax = plt.subplots()
        ax.plot(expected, observed / expected, ".")
        figure.canvas.draw()

    floor = median_seconds(scatter)
    seconds = median_seconds(funnel)
    print(f"funnel of 100,000 units: {seconds:.2f} s, {seconds / floor:.1f} times a bare scatter plot")

    nation = bs.simulate_nation(trusts=150, departments=142, seed=1)
    fit = bs.fit_hierarchy(nation.cells, seed=1)
    spots = fit.find_spots()
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "board.html"
        started = time.perf_counter()
        bs.write_board_pack(fit, spots, page)
        seconds = time.perf_counter() - started
        print(f"page of 150 × 142 departments: {seconds:.1f} s, {page.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
