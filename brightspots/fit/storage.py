"""Write fits as netCDF files, which the xarray of either ArviZ generation reads; `fit.load` reads them back."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from dataclasses import asdict

import h5netcdf
import xarray as xr
from xarray.backends import H5NetCDFStore

from brightspots._version import __version__
from brightspots.common.files import write_bytes
from brightspots.common.sealing import sealed
from brightspots.engine.integration.conditional import ConditionalPosterior
from brightspots.engine.posterior import StoredPosterior
from brightspots.fit.fitted import Fitted
from brightspots.fit.saved_parts import (
    arrays_dataset,
    cells_dataset,
    decision_to_json,
    extras_dataset,
    kind_of_labels,
    priors_to_json,
    shared_dataset,
)
from brightspots.statistics.kept_decision import Decision

FORMAT = 1


def save(fit: Fitted, path: str | os.PathLike[str], decision: Decision | None) -> None:
    """Write a fit to netCDF: to a temporary file first, renamed when whole, so that no partial file is ever seen.

    Parameters
    ----------
    fit : Fitted
    path : path
    decision : Decision or None
        The rule and ratings to keep with it.
    """
    cells, effects = fit.table.cells, fit.effects
    header = {
        "format": FORMAT,
        "version": __version__,
        "sealed": True,
        "seed": fit.seed,
        "higher_is": fit.higher_is,
        "family": cells.family.name,
        "estimate_scale": cells.estimate_scale,
        "period_order": cells.period_order,
        "period_kind": kind_of_labels(cells.periods),
        "covariates": list(cells.covariates),
        "chains": effects.chains,
        # A ConditionalPosterior draws effects again from its seed, which exists even where the fit was given none.
        "effects_seed": effects.seed if isinstance(effects, ConditionalPosterior) else None,
        "columns": asdict(fit.columns),
        "priors": priors_to_json(fit.priors),
        "certificate": asdict(fit.certificate),
        "request": asdict(fit.request),
        "notes": list(fit.table.notes),
        "tidy_labels": fit.table.tidy_labels,
        "rules": None if fit.rules is None else asdict(fit.rules),
        "disclosed": list(fit.disclosed),
        "choice": asdict(fit.choice),
        "decision": None if decision is None else decision_to_json(decision),
    }
    groups = {
        "/": xr.Dataset(attrs={"brightspots": json.dumps(header)}),
        "/cells": cells_dataset(cells),
        "/shared": shared_dataset(effects.shared),
        "/extras": extras_dataset(fit.table),
    }
    if isinstance(effects, StoredPosterior):
        groups["/effects"] = arrays_dataset(
            {"trust_effect": effects.trust_effect, "department_effect": effects.department_effect}
        )
    if decision is not None and decision.ratings is not None:
        groups["/ratings"] = arrays_dataset(
            {name: getattr(decision.ratings, name) for name in ("cell_band", "trust_band")}
        )
    write_bytes(path, sealed(_netcdf(groups)))


def _netcdf(groups: Mapping[str, xr.Dataset]) -> bytes:
    """The bytes of a netCDF file with one dataset per group.

    Made in memory, since HDF5 aborts the process where the disk is full.
    """
    held = io.BytesIO()
    with h5netcdf.File(held, "w") as file:
        for name, group in groups.items():
            # xarray writes a whole tree to memory too, but only from 2025 on.
            group.dump_to_store(H5NetCDFStore(file, group=name, mode="a", autoclose=False))
    return held.getvalue()
