"""Are departments that are called in line within the margin? Over nations with a known truth, by the rule before and now.

`python benchmarks/in_line.py --write` writes the table between its marks in docs/decisions.md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

import brightspots as bs

MARGIN = 1.1
AT_LEAST = 0.8
PAGE = Path(__file__).parents[1] / "docs" / "decisions.md"
START, END = "<!-- in line: start -->", "<!-- in line: end -->"

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Setting:
    """Trusts × types: expected events and the standard deviation of departments, one number for each type.

    Counted are the departments from `first_type` on.
    """

    name: str
    trusts: int
    expected: Array
    department_sd: Array
    trust_sd: float = 0.12
    first_type: int = 0


def settings() -> Iterable[Setting]:
    """Settings in the order of the table."""
    for events in (0.05, 2.0):
        expected, spread = np.full(10, 100.0), np.full(10, 0.02)
        expected[-1], spread[-1] = events, 0.2
        name = f"a type that expects {events:g} (σ 0.2) among nine that expect 100 (σ 0.02); that type alone"
        yield Setting(name, 40, expected, spread, first_type=9)
    yield Setting(
        "σ of the types from 0.05 to 0.40, 100 expected", 80, np.full(15, 100.0), np.linspace(0.05, 0.4, 15)
    )
    for events, spread in ((40, 0.05), (40, 0.19), (400, 0.19), (2_000, 0.19), (2_000, 0.05)):
        name = f"as the model assumes, σ {spread:g}, {events:,} expected"
        yield Setting(name, 80, np.full(15, float(events)), np.full(15, spread))


def simulate(setting: Setting, seed: int) -> tuple[pd.DataFrame, Array, Array]:
    """Cells, and the true logarithms of `own_ratio` and `peer_ratio`, row by row."""
    rng = np.random.default_rng(seed)
    types = len(setting.expected)
    expected = setting.expected * rng.gamma(4.0, 0.25, (setting.trusts, types))
    trust = rng.normal(0.0, setting.trust_sd, (setting.trusts, 1))
    department = rng.normal(0.0, setting.department_sd, (setting.trusts, types))
    national = rng.normal(0.0, 0.08, types)
    observed = rng.poisson(expected * np.exp(national + trust + department))
    weighted, total = expected * department, expected.sum(axis=1, keepdims=True)
    others = (weighted.sum(axis=1, keepdims=True) - weighted) / (total - expected)
    frame = pd.DataFrame({
        "trust": np.repeat([f"T{t:03d}" for t in range(setting.trusts)], types),
        "department": np.tile([f"D{d:02d}" for d in range(types)], setting.trusts),
        "observed": observed.ravel(),
        "expected": expected.ravel(),
    })  # fmt: skip
    return frame, (department - others).ravel(), (trust + department).ravel()


def one(setting: Setting, seed: int) -> Array:
    """Departments, and those called in line by the model alone, truly so, called in line now, truly so (own, both)."""
    frame, own, peer = simulate(setting, seed)
    table = bs.fit_hierarchy(frame, seed=seed, method="integrate").find_spots().table
    counted = np.tile(np.arange(len(setting.expected)) >= setting.first_type, setting.trusts)
    table, own, peer = table[counted], own[counted], peer[counted]
    by_model = 1.0 - table["p_own_high"] - table["p_own_low"] >= AT_LEAST
    by_model &= ~table["status"].isin(["bright spot", "dark spot"])
    now = table["status"] == "in line"
    reach = np.log(MARGIN)
    near, both = np.abs(own) <= reach, np.maximum(np.abs(own), np.abs(peer)) <= reach
    counts = [
        len(table),
        by_model.sum(),
        (by_model & near).sum(),
        now.sum(),
        (now & near).sum(),
        (now & both).sum(),
    ]
    return np.array(counts, dtype=float)


def share(part: float, whole: float, nations: Array, of: int, within: int) -> str:
    """A percentage with its standard error over nations (ratio estimator)."""
    if whole == 0:
        return "–"
    ratio = part / whole
    error = np.sqrt(np.sum((nations[:, of] - ratio * nations[:, within]) ** 2)) / whole
    return f"{100 * ratio:.1f} ± {100 * error:.1f}"


def table(nations: int) -> str:
    """Simulate every setting and write the table."""
    head = [
        "setting", "departments", "in line by the model alone", "of these truly within (own trust), %",
        "in line now", "of these truly within (own trust), %", "of these truly within both, %",
    ]  # fmt: skip
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    for setting in settings():
        started = time.perf_counter()
        found = np.array([one(setting, seed) for seed in range(1, nations + 1)])
        cells, before, before_true, now, now_own, now_both = found.sum(axis=0)
        row = [
            setting.name, f"{cells:,.0f}", f"{before:,.0f}", share(before_true, before, found, 2, 1),
            f"{now:,.0f}", share(now_own, now, found, 4, 3), share(now_both, now, found, 5, 3),
        ]  # fmt: skip
        lines.append("| " + " | ".join(row) + " |")
        print(lines[-1], f"{time.perf_counter() - started:.0f} s", flush=True)
    return "\n".join(lines)


def main() -> None:
    """Measure, print and, where asked, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nations", type=int, default=20)
    parser.add_argument("--write", action="store_true", help="write the table into docs/decisions.md")
    arguments = parser.parse_args()
    text = f"{arguments.nations} nations a setting, seeds 1, 2, …; margin {MARGIN}; ± one standard error over nations.\n\n"
    text += table(arguments.nations)
    if arguments.write:
        before, rest = PAGE.read_text(encoding="utf-8").split(START)
        after = rest.split(END)[1]
        PAGE.write_text(f"{before}{START}\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
