"""The one place that knows two generations of PyMC and ArviZ (5.21 and later with 0.20 and later, and 6 with 1.x)."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import numpy as np
import xarray as xr

from brightspots.common.arrays import FloatArray
from brightspots.common.errors import MissingExtraError

SAMPLERS = ("nutpie", "numpyro", "pymc")


def choose_sampler(sampler: str, *, can_stop: bool = False) -> str:
    """Return the sampler to use: the fastest that is installed for "auto", else the one named.

    Parameters
    ----------
    sampler : {"auto", "nutpie", "numpyro", "pymc"}
    can_stop : bool, default False
        Take only such as can be stopped for "auto", which NumPyro's compiled loop cannot.

    Raises
    ------
    MissingExtraError
        Where the one named is not installed.
    """
    installed = [name for name in SAMPLERS if importlib.util.find_spec(name) is not None]
    if sampler == "auto":
        return next(name for name in installed if name != "numpyro" or not can_stop)
    if sampler not in installed:
        raise MissingExtraError(sampler, extra=sampler, purpose=f"sampler={sampler!r}")
    return sampler


def group(sampled: Any, name: str) -> xr.Dataset:
    """One group of an InferenceData (ArviZ 0.x) or DataTree (1.x) as a Dataset."""
    found = sampled[name]
    return found if isinstance(found, xr.Dataset) else found.to_dataset()


def r_hat(draws: FloatArray) -> FloatArray:
    """Rank-normalised split R-hat (Vehtari et al. 2021) of draws (chain, draw, n), (n,)."""
    az: Any = importlib.import_module("arviz")

    return np.asarray(az.rhat(_labelled(draws))["x"], dtype=np.float64)


def effective_draws(draws: FloatArray) -> FloatArray:
    """Bulk effective sample size (Vehtari et al. 2021) of draws (chain, draw, n), (n,)."""
    az: Any = importlib.import_module("arviz")

    return np.asarray(az.ess(_labelled(draws), method="bulk")["x"], dtype=np.float64)


def _labelled(draws: FloatArray) -> xr.Dataset:
    return xr.Dataset({"x": (("chain", "draw", "n"), draws)})


def to_arviz(tree: xr.DataTree) -> Any:
    """Give a DataTree in the form that the installed ArviZ takes."""
    az: Any = importlib.import_module("arviz")

    if int(az.__version__.split(".")[0]) >= 1:
        return tree
    groups = {name: node.to_dataset() for name, node in tree.children.items()}
    return az.InferenceData(**groups)
