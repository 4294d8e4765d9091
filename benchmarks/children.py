"""One piece of work in a process of its own, so that its start, compilation and peak memory are its own.

A child is told when it was started and where to write. It writes two tables: `name,value` lines of what it measured, and,
where it fitted something, one line a cell with the posterior mean and standard deviation of log `peer_ratio`. CSV, since
R writes it too.

Whoever calls `run` must itself stay small: Linux counts the memory of a parent at the moment of its `fork` towards the
child's peak.
"""

from __future__ import annotations

import csv
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Child:
    """What one process did.

    Parameters
    ----------
    values : mapping
        What it measured itself; several values where it said a name more than once.
    peak : float
        Largest resident memory, MiB, of the process, or of the largest that it waited for.
    seconds : float
        Wall time from start to end.
    problem : str or None
        Why there is nothing else: too slow, or its last words.
    """

    values: Mapping[str, Sequence[float]]
    peak: float
    seconds: float
    problem: str | None = None

    def one(self, name: str) -> float | None:
        """The first value of `name`."""
        return self.values[name][0] if name in self.values else None


def run(
    command: Sequence[str], out: Path, timeout: float, environment: Mapping[str, str] | None = None
) -> Child:
    """Run `command`, which is given ``out`` and the time of its start (seconds since 1970) as last arguments."""
    words = out.with_suffix(".log")
    with words.open("w", encoding="utf-8") as log:
        started = time.time()
        process = subprocess.Popen(
            [*command, str(out), repr(started)],
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"BRIGHTSPOTS_LOOPS": "compiled"} | dict(environment or {}),
            start_new_session=True,
        )
        late = threading.Event()

        def stop() -> None:
            late.set()
            os.killpg(process.pid, signal.SIGKILL)

        clock = threading.Timer(timeout, stop)
        clock.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            os.killpg(
                process.pid, signal.SIGKILL
            )  # in a session of its own, it would outlive whoever stops us
            raise
        finally:
            clock.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)  # already waited for: Popen need not
    seconds, peak = time.time() - started, usage.ru_maxrss / 1024
    if late.is_set():
        return Child({}, peak, seconds, f"stopped after {timeout:,.0f} s")
    if process.returncode != 0:
        last = words.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        return Child({}, peak, seconds, f"failed ({process.returncode}): {' '.join(last)}")
    return Child(read_values(out), peak, seconds)


def processor_seconds() -> float:
    """Processor time of this process and of those that it waited for, so far."""
    used = (resource.getrusage(of) for of in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def end_with_children() -> None:
    """Let a request to stop this process end the child it waits for, too."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


def cells_file(out: Path) -> Path:
    """Where a child that writes to `out` puts its cells."""
    return out.with_name(f"{out.stem}_cells.csv")


def read_values(out: Path) -> dict[str, list[float]]:
    """Read `name,value` lines; a name may come more than once."""
    values: dict[str, list[float]] = defaultdict(list)
    with out.open(encoding="utf-8", newline="") as file:
        for name, value in csv.reader(file):
            values[name].append(float(value))
    return dict(values)


def write_values(out: Path, values: Mapping[str, float | Sequence[float]]) -> None:
    """Write `name,value` lines."""
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        for name, value in values.items():
            writer.writerows(
                (name, float(each)) for each in (value if isinstance(value, Sequence) else [value])
            )
