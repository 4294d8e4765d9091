"""Which machine and which versions a benchmark ran on: named so that a figure can be judged, not so that it can be found."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

_R_VERSIONS = """
cat(paste(R.version$major, R.version$minor, sep = "."), "\n")
for (name in commandArgs(TRUE)) if (requireNamespace(name, quietly = TRUE)) cat(name, format(packageVersion(name)), "\n")
"""


def describe(packages: Iterable[str]) -> str:
    """Processor, cores, memory, operating system, Python and the versions of `packages` that are installed."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = [f"{name} {metadata.version(name)}" for name in packages if _installed(name)]
    return (
        f"{_processor()}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB, {_system()}; "
        f"Python {platform.python_version()}, {', '.join(versions)}"
    )


def r_versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of R ("R") and of those of its `packages` that are installed; empty without Rscript."""
    if shutil.which("Rscript") is None:
        return {}
    said = subprocess.run(
        ["Rscript", "-e", _R_VERSIONS, *packages], capture_output=True, text=True, check=True
    )
    first, *rest = said.stdout.splitlines()
    return {"R": first.strip()} | dict(line.split() for line in rest)


def _installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return f"{platform.system()} {platform.release()}"
