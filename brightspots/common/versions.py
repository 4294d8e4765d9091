"""Versions of what results depend on."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Final

from brightspots._version import __version__

# Packages whose version can change a number. Read from what is installed, never by importing them.
_PACKAGES: Final = (
    "numpy",
    "scipy",
    "pandas",
    "xarray",
    "numba",
    "formulaic",
    "statsmodels",
    "narwhals",
    "duckdb",
)
_SAMPLER_PACKAGES: Final = ("pymc", "pytensor", "nutpie", "arviz")


def versions(*, sampled: bool = False) -> dict[str, str]:
    """Versions of brightspots, of Python and of the installed packages that numbers depend on.

    Parameters
    ----------
    sampled : bool, default False
        Include PyMC and what it samples with.
    """
    found = {"brightspots": __version__, "python": platform.python_version()}
    for package in (*_PACKAGES, *(_SAMPLER_PACKAGES if sampled else ())):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue  # an extra that is not installed took no part
    return found
