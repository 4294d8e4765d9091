"""`load_fit()`: read a saved fit; damaged files, and files that brightspots did not write, are refused."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import h5netcdf
import xarray as xr

from brightspots.common.arguments import checked
from brightspots.common.errors import DataError
from brightspots.common.sealing import check_seal, damaged, not_ours
from brightspots.data.columns import Columns
from brightspots.data.tables import Table
from brightspots.disclosure.rules import Rules
from brightspots.engine.effect_choice import EffectChoice
from brightspots.engine.integration.conditional import ConditionalPosterior
from brightspots.engine.posterior import Certificate, Posterior, StoredPosterior
from brightspots.engine.run import Request
from brightspots.fit.hierarchy_fit import HierarchyFit
from brightspots.fit.saved_checks import check_cells, check_rows, check_shared, check_stored
from brightspots.fit.saved_parts import cells_from, decision_from, extras_from, priors_from_json, shared_from
from brightspots.fit.storage import FORMAT


@checked
def load_fit(path: str | os.PathLike[str]) -> HierarchyFit:
    """Read a fit that `HierarchyFit.save` wrote.

    The bytes of the file are compared with the digest at its end before anything else is read. Files of the first
    release have no digest. Of every file it is also checked that arrays agree in shape and hold possible values.

    Raises
    ------
    DataError
        Where the file is not one of ours, of a later format, or damaged.
    OSError
        Where there is no such file, or it may not be read.
    """
    whole = check_seal(path)
    header = _header(path)
    if header["format"] > FORMAT:
        raise DataError(
            f"{os.fspath(path)} was saved by brightspots {header['version']}, a later format",
            action="install that version or a newer one",
        )
    if header.get("sealed") and not whole:
        raise damaged(path, "its digest is not behind its end")
    try:
        with xr.open_datatree(path, engine="h5netcdf") as opened:
            return _fit_from(opened.load(), header)
    except DataError as error:
        raise damaged(path, str(error)) from error
    except (
        Exception
    ) as error:  # HDF5, xarray and NumPy fail in many ways where groups or arrays are not whole
        raise damaged(path, "what it holds is not a whole fit") from error


def _header(path: str | os.PathLike[str]) -> dict[str, Any]:
    try:
        with h5netcdf.File(path, "r") as file:
            text = file.attrs.get("brightspots")
    except Exception as error:  # whatever HDF5 objects to
        raise damaged(path, "HDF5 cannot read it") from error
    if text is None:
        raise not_ours(path)
    try:
        header: dict[str, Any] = json.loads(text)
        _ = header["format"] > FORMAT, header["version"]
    except Exception as error:  # no JSON, or JSON of something else
        raise damaged(path, "its header cannot be read") from error
    return header


def _fit_from(tree: xr.DataTree, header: Mapping[str, Any]) -> HierarchyFit:
    """A fit from the groups of a file.

    Raises
    ------
    DataError
        Where arrays do not agree in shape or hold impossible values. Other exceptions where groups are missing.
    """
    cells = cells_from(tree["cells"].to_dataset(), header)
    check_cells(cells)
    shared = shared_from(tree["shared"].to_dataset())
    check_shared(cells, shared)
    effects: Posterior
    if header["effects_seed"] is None:
        stored = tree["effects"].to_dataset()
        effects = StoredPosterior(
            cells,
            shared,
            stored["trust_effect"].to_numpy(),
            stored["department_effect"].to_numpy(),
            header["chains"],
        )
        check_stored(effects)
    else:
        effects = ConditionalPosterior(cells, shared, header["effects_seed"])
    extras, row_cell = extras_from(tree["extras"].to_dataset())
    check_rows(cells, row_cell)
    certificate: dict[str, Any] = {
        key: float("nan") if value is None and key in ("pareto_k", "r_hat") else value
        for key, value in header["certificate"].items()
    }
    return HierarchyFit(
        Table(cells, extras, row_cell, tuple(header.get("notes", ())), header.get("tidy_labels", False)),
        Columns(**header["columns"]),
        priors_from_json(header["priors"]),
        header["higher_is"],
        header["seed"],
        Certificate(**certificate),
        effects,
        # Files of the first release have none of these entries.
        Request(**header.get("request", {})),
        None if header.get("rules") is None else Rules(**header["rules"]),
        None if header.get("decision") is None else decision_from(tree, header["decision"], cells),
        tuple(header.get("disclosed", ())),
        _choice_from(header.get("choice", {})),
    )


def _choice_from(said: Mapping[str, Any]) -> EffectChoice:
    return EffectChoice(said.get("log_bayes_factors", {}), tuple(said.get("set_aside", ())))
