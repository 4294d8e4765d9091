"""One size of table in a process of its own; started by scale.py.

    python scale_child.py simulate TRUSTS DEPARTMENTS table.pkl out.csv started
    python scale_child.py fit SECONDS table.pkl out.csv started

The table is simulated by another process than the one that fits it, so that only the fit's memory is counted.
"""

from __future__ import annotations

import resource
import sys
import time
import warnings
from pathlib import Path

import pandas as pd
from children import write_values

import brightspots as bs


def peak() -> float:
    """Largest resident memory of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def simulate(trusts: int, departments: int, table: Path, out: Path) -> None:
    """Write a table."""
    began = time.perf_counter()
    nation = bs.simulate_nation(trusts, departments, missing_departments=0.0, rating_validity=None, seed=1)
    seconds = time.perf_counter() - began
    nation.cells[["trust", "department", "observed", "expected"]].to_pickle(table)
    write_values(out, {"cells": len(nation.cells), "simulated": seconds})


def fit(repeat_within: float, table: Path, out: Path) -> None:
    """Fit it, twice where the first fit leaves time for that, and then summarise all cells."""
    cells = pd.read_pickle(table)
    values: dict[str, float] = {"peak_table": peak()}
    for name in ("first", "again"):
        began = time.perf_counter()
        fitted = bs.fit_hierarchy(cells, method="integrate", seed=1)
        values[name] = time.perf_counter() - began
        if values[name] > repeat_within:
            break
    certificate = fitted.certificate
    values |= {"peak_fit": peak(), "ok": certificate.ok, "pareto_k": certificate.pareto_k}
    values |= {"effective": certificate.effective_draws}
    write_values(out, values)  # kept should the summary not end well
    began = time.perf_counter()
    fitted.departments()
    values |= {"summary": time.perf_counter() - began, "peak_summary": peak()}
    write_values(out, values)


def main() -> None:
    """Do what is asked."""
    warnings.simplefilter("ignore", bs.CertificateWarning)
    task, *given, table, out, _ = sys.argv[1:]
    if task == "simulate":
        simulate(int(given[0]), int(given[1]), Path(table), Path(out))
    else:
        fit(float(given[0]), Path(table), Path(out))


if __name__ == "__main__":
    main()
