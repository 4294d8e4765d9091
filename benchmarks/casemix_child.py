"""One task on patient records in a process of its own; started by casemix.py.

python casemix_child.py make RECORDS records.parquet out.csv started
python casemix_child.py bare|bare_departments|standardise records.parquet out.csv started
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from itertools import accumulate
from pathlib import Path

import duckdb
from children import write_values

TRUSTS, DEPARTMENTS = 150, 100
MEMORY = "4 GiB"
_CORES = 2
# Levels of each case-mix column, with the share of records and the log odds ratio of each.
CASEMIX: dict[str, dict[str, tuple[float, float]]] = {
    "age_band": {
        "00-17": (0.08, -2.0), "18-39": (0.15, -1.2), "40-49": (0.10, -0.6), "50-59": (0.14, 0.0),
        "60-69": (0.18, 0.5), "70-79": (0.19, 1.0), "80-89": (0.13, 1.5), "90+": (0.03, 2.0),
    },
    "sex": {"F": (0.53, 0.0), "M": (0.47, 0.1)},
    "admission": {"elective": (0.45, 0.0), "emergency": (0.50, 0.7), "transfer": (0.05, 0.9)},
    "deprivation": {"1": (0.24, 0.2), "2": (0.22, 0.15), "3": (0.20, 0.1), "4": (0.18, 0.05), "5": (0.16, 0.0)},
    "comorbidity": {"0": (0.55, 0.0), "1-2": (0.28, 0.5), "3-4": (0.12, 1.0), "5+": (0.05, 1.6)},
    "ethnicity": {
        "A": (0.78, 0.0), "B": (0.08, 0.0), "C": (0.04, 0.0), "D": (0.03, 0.0), "E": (0.02, 0.0), "not stated": (0.05, 0.2),
    },
    "frailty": {"low": (0.70, 0.0), "moderate": (0.20, 0.4), "high": (0.10, 0.9)},
    "prior_admissions": {"0": (0.60, 0.0), "1": (0.25, 0.1), "2+": (0.15, 0.3)},
    "arrival": {"weekday": (0.76, 0.0), "weekend": (0.24, 0.05)},
    "dementia": {"no": (0.93, 0.0), "yes": (0.07, 0.5)},
}  # fmt: skip


def combinations() -> int:
    """How many case mixes there can be."""
    product = 1
    for levels in CASEMIX.values():
        product *= len(levels)
    return product


def _uniform(seed: int) -> str:
    """A number in [0, 1) that depends on the record and the seed alone."""
    return f"(hash(i * 1000003 + {seed}) / 18446744073709551616.0)"


def _pick(seed: int, values: list[str], ends: list[float]) -> str:
    """SQL that picks the first value whose end lies above a uniform number."""
    whens = " ".join(
        f"WHEN {_uniform(seed)} < {end!r} THEN {value}" for value, end in zip(values, ends, strict=True)
    )
    return f"CASE {whens} ELSE {values[-1]} END"


def make(records: int, path: str) -> None:
    """Write records whose risk follows a logistic model; departments differ in their baseline."""
    columns, eta = [], ["-5.0 + 0.02 * (d % 40)"]
    for position, (name, levels) in enumerate(CASEMIX.items()):
        ends = list(accumulate(share for share, _ in levels.values()))
        columns.append(f"{_pick(position + 10, [repr(level) for level in levels], ends)} AS {name}")
        eta.append(f"({_pick(position + 10, [repr(effect) for _, effect in levels.values()], ends)})")
    trust = f"floor({TRUSTS} * pow({_uniform(1)}, 1.3))::INT"  # some trusts are larger than others
    died = f"({_uniform(3)} < 1 / (1 + exp(-({' + '.join(eta)}))))::TINYINT AS died"
    with connect() as connection:
        connection.execute(
            f"COPY (SELECT 'R' || lpad(t::VARCHAR, 3, '0') AS trust, 'Specialty ' || lpad(d::VARCHAR, 2, '0') AS specialty, "
            f"{', '.join(columns)}, {died} FROM (SELECT i, {trust} AS t, floor({DEPARTMENTS} * {_uniform(2)})::INT AS d "
            f"FROM range({records}) AS r(i))) TO '{path}' (FORMAT parquet)"
        )


def connect() -> duckdb.DuckDBPyConnection:
    """DuckDB on two cores, with a limit of memory and a folder to spill to."""
    connection = duckdb.connect()
    connection.execute(
        f"SET threads = {_CORES}; SET memory_limit = '{MEMORY}'; SET preserve_insertion_order = false"
    )
    connection.execute(f"SET temp_directory = '{tempfile.gettempdir()}/brightspots-spill-{os.getpid()}'")
    return connection


def bare(path: str, keys: tuple[str, ...]) -> dict[str, float]:
    """Count strata and nothing else."""
    by = ", ".join((*keys, *CASEMIX))
    began, busy = time.perf_counter(), time.process_time()
    with connect() as connection:
        (strata,) = connection.execute(
            f"SELECT count(*) FROM (SELECT {by}, count(*) AS records, sum(died) AS events FROM '{path}' GROUP BY ALL "
            "HAVING records > 0 AND events >= 0)"  # so that the sums cannot be left out
        ).fetchone()  # type: ignore[misc]
    return {"seconds": time.perf_counter() - began, "cpu": time.process_time() - busy, "strata": strata}


def standardise(path: str) -> dict[str, float]:
    """The library's own, from the import on."""
    began, busy = time.perf_counter(), time.process_time()
    import brightspots as bs

    cells = bs.standardise(path, outcome="died", department="specialty", casemix=list(CASEMIX))
    seconds, cpu = time.perf_counter() - began, time.process_time() - busy
    types = cells.card.types
    imbalance = float((types["expected"] / types["observed"] - 1.0).abs().max())
    return {
        "seconds": seconds,
        "cpu": cpu,
        "cells": len(cells),
        "patterns": cells.card.strata,
        "imbalance": imbalance,
    }


def main() -> None:
    """Do what is asked, on two cores."""
    task, *given, path, out, _ = sys.argv[1:]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:_CORES])
    if task == "make":
        make(int(given[0]), path)
        values = {}
    elif task == "standardise":
        values = standardise(path)
    else:
        values = bare(path, ("trust", "specialty") if task == "bare" else ("specialty",))
    write_values(Path(out), values)


if __name__ == "__main__":
    main()
