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
from children import processor_seconds, write_values

import brightspots as bs


def peak() -> float:
    """Largest resident memory of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def simulate(trusts: int, departments: int, table: Path, out: Path) -> None:
    """Write a table."""
    began = time.perf_counter()
    nation = bs.simulate_nation(trusts, departments, missing_departments=0.0, seed=1)
    seconds = time.perf_counter() - began
    nation.cells[["trust", "department", "observed", "expected", "rating"]].to_pickle(table)
    write_values(out, {"cells": len(nation.cells), "simulated": seconds})


def fit(repeat_within: float, table: Path, out: Path) -> None:
    """Do the whole job, twice where the first time leaves time for that; what the last one took is kept."""
    cells = pd.read_pickle(table)
    values: dict[str, float] = {"peak_table": peak()}
    for name in ("first", "again"):
        began, used = time.perf_counter(), processor_seconds()
        fitted = bs.fit_hierarchy(cells, method="integrate", seed=1)
        values |= {"fit": time.perf_counter() - began, "peak_fit": peak()}
        certificate = fitted.certificate
        values |= {"ok": certificate.ok, "pareto_k": certificate.pareto_k}
        values |= {"effective": certificate.effective_draws}
        write_values(out, values)  # kept should the tables not end well
        at = time.perf_counter()
        fitted.departments()
        values["departments"] = time.perf_counter() - at
        at = time.perf_counter()
        _ = fitted.find_spots(rating="rating").table
        values["spots"] = time.perf_counter() - at
        values |= {name: time.perf_counter() - began, "processor": processor_seconds() - used}
        values["peak"] = peak()
        write_values(out, values)
        if values[name] > repeat_within:
            break


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
