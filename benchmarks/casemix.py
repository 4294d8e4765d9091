"""Patient records standardised beside the bare GROUP BY that counts their strata.

    python benchmarks/casemix.py [--records N] [--repeats N] [--write]

Records are made with DuckDB, in a Parquet file of a temporary folder that is deleted at the end. Each measurement runs in a
process of its own on two cores. `--write` puts the result into docs/casemix.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from casemix_child import CASEMIX, DEPARTMENTS, MEMORY, TRUSTS, combinations
from children import Child, end_with_children, run
from documents import DOCS, number, table, write_section
from machines import describe

HERE = Path(__file__).resolve().parent
PAGE = DOCS / "casemix.md"
PACKAGES = ("brightspots", "duckdb", "narwhals", "statsmodels", "numpy")
TARGET_RATIO, TARGET_GIB = 3.0, 4.0


def measure(task: str, data: Path, scratch: Path, give_up_after: float) -> Child:
    """Run one task of casemix_child.py."""
    child = run(
        [sys.executable, str(HERE / "casemix_child.py"), task, str(data)],
        scratch / f"{task}.csv",
        give_up_after,
    )
    if child.problem:
        raise SystemExit(f"{task}: {child.problem}")
    print(f"{task}: {child.one('seconds'):.2f} s, {child.peak:,.0f} MiB", file=sys.stderr, flush=True)
    return child


def section(records: int, size: int, bare: list[Child], small: Child, ours: list[Child], load: float) -> str:
    """The page's part."""
    first = ours[0]
    seconds = [[run.one("seconds") or 0.0 for run in runs] for runs in (bare, ours)]
    best_bare, best_ours = min(seconds[0]), min(seconds[1])
    ratio, peak = best_ours / best_bare, max(run.peak for run in ours) / 1024
    met = "met" if ratio <= TARGET_RATIO and peak <= TARGET_GIB else "missed"
    rows = [
        _row("bare GROUP BY trust × department × case mix", bare, "strata", best_bare),
        _row("the same without the trust", [small], "strata", best_bare),
        _row("`standardise()`", ours, "patterns", best_bare),
    ]
    columns = ", ".join(f"{name} ({len(levels)})" for name, levels in CASEMIX.items())
    return f"""## At twenty million records

Written by `benchmarks/casemix.py` on {describe(PACKAGES)}.

{records:,} simulated records in one Parquet file of {size / 2**20:,.0f} MiB: {TRUSTS} trusts × {DEPARTMENTS} departments, and ten
case-mix columns with levels drawn independently of each other ({columns}): {combinations():,} combinations, times departments.

*The bare GROUP BY* is the count that any method which brings the strata back must make:
`SELECT count(*) FROM (SELECT trust, specialty, ten columns, count(*), sum(died) FROM records GROUP BY ALL)`, run by DuckDB on the
same file with a limit of {MEMORY} and spilling allowed, its result counted and not fetched. `standardise()` does not make it: it counts
by department × case mix, fits {DEPARTMENTS} logistic models with statsmodels, and sums the fitted probabilities by trust × department in a
second pass over the file. Each ran in a process of its own on two cores, {len(ours)} times in turn; seconds are those of the fastest, imports
included, CPU seconds those of the run with the fewest, memory is the largest resident memory of any run. The load average of the machine
was {load:.1f} before the first run (2 cores are busy at 2): beside other processes, seconds are longer and CPU seconds nearly the same.

{table(("", "seconds", "ratio", "CPU seconds", "strata", "peak, GiB"), rows)}

Targets of at most {TARGET_RATIO:g} times the bare GROUP BY and {TARGET_GIB:g} GiB: {met}. All runs: bare {_listed(seconds[0])} s, `standardise()`
{_listed(seconds[1])} s. {first.one("cells"):,.0f} cells; the largest relative difference between expected and observed events of a department is
{first.one("imbalance"):.1e}."""


def _row(what: str, runs: list[Child], strata: str, bare: float) -> list[str]:
    """One line of the table: the fastest run, the least work, the largest memory."""
    seconds = min(run.one("seconds") or 0.0 for run in runs)
    cpu = min(run.one("cpu") or 0.0 for run in runs)
    peak = max(run.peak for run in runs) / 1024
    return [
        what, number(seconds), number(seconds / bare, 2), number(cpu), f"{runs[0].one(strata):,.0f}", number(peak, 2),
    ]  # fmt: skip


def _listed(seconds: list[float]) -> str:
    return ", ".join(number(value) for value in seconds)


def main() -> None:
    """Run and print; write where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=20_000_000)
    parser.add_argument("--repeats", type=int, default=2, help="runs of each, in turn")
    parser.add_argument("--write", action="store_true", help="put the result into docs/casemix.md")
    parser.add_argument("--give-up-after", type=float, default=1_800.0, help="seconds a process may take")
    given = parser.parse_args()
    end_with_children()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        scratch, data = Path(folder), Path(folder) / "records.parquet"
        made = run(
            [sys.executable, str(HERE / "casemix_child.py"), "make", str(given.records), str(data)],
            scratch / "make.csv",
            given.give_up_after,
        )
        if made.problem:
            raise SystemExit(f"making records: {made.problem}")
        bare, ours = [], []
        for _ in range(given.repeats):
            bare.append(measure("bare", data, scratch, given.give_up_after))
            ours.append(measure("standardise", data, scratch, given.give_up_after))
        small = measure("bare_departments", data, scratch, given.give_up_after)
        text = section(given.records, data.stat().st_size, bare, small, ours, load)
    print(text)
    if given.write:
        write_section("records", text, PAGE)


if __name__ == "__main__":
    main()
