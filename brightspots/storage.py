"""Fits as netCDF files that either ArviZ generation's xarray reads."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import h5netcdf
import numpy as np
import pandas as pd
import xarray as xr
from xarray.backends import H5NetCDFStore

from brightspots import settings
from brightspots import vocabulary as names
from brightspots._version import __version__
from brightspots.arguments import checked
from brightspots.cells import Cells, IntArray, LabelArray
from brightspots.counts import ColumnNames
from brightspots.disclosure.rules import Rules
from brightspots.engine.conditional import ConditionalPosterior
from brightspots.engine.run import Request
from brightspots.errors import DataError
from brightspots.exports import write_bytes
from brightspots.kept_decision import Decision
from brightspots.period_order import order_periods
from brightspots.posterior import Certificate, Posterior, SharedDraws, StoredPosterior
from brightspots.ratings import Ratings
from brightspots.saved_checks import check_cells, check_ratings, check_rows, check_shared, check_stored
from brightspots.sealing import check_seal, damaged, not_ours, sealed
from brightspots.tables import Table

if TYPE_CHECKING:
    from brightspots.fits import HierarchyFit

FORMAT = 1


def save(fit: HierarchyFit, path: str | os.PathLike[str], decision: Decision | None) -> None:
    """Write a fit to netCDF: first beside the target, then moved into place, so that no half file is ever seen."""
    cells, effects = fit.table.cells, fit.effects
    header = {
        "format": FORMAT,
        "version": __version__,
        "sealed": True,
        "seed": fit.seed,
        "higher_is": fit.higher_is,
        "family": cells.family,
        "estimate_scale": cells.estimate_scale,
        "period_order": cells.period_order,
        "period_kind": _kind_of_labels(cells.periods),
        "covariates": list(cells.covariates),
        "chains": effects.chains,
        # Effects dealt on demand come back from their seed, which exists even where the fit was given none.
        "effects_seed": effects.seed if isinstance(effects, ConditionalPosterior) else None,
        "columns": asdict(fit.columns),
        "priors": _priors_to_json(fit.priors),
        "certificate": asdict(fit.certificate),
        "request": asdict(fit.request),
        "notes": list(fit.table.notes),
        "tidy_labels": fit.table.tidy_labels,
        "rules": None if fit.rules is None else asdict(fit.rules),
        "disclosed": list(fit.disclosed),
        "decision": None if decision is None else _decision_to_json(decision),
    }
    groups = {
        "/": xr.Dataset(attrs={"brightspots": json.dumps(header)}),
        "/cells": _cells_dataset(cells),
        "/shared": _arrays_dataset({f.name: getattr(effects.shared, f.name) for f in fields(SharedDraws)}),
        "/extras": _extras_dataset(fit.table),
    }
    if isinstance(effects, StoredPosterior):
        groups["/effects"] = _arrays_dataset(
            {"trust_effect": effects.trust_effect, "department_effect": effects.department_effect}
        )
    if decision is not None and decision.ratings is not None:
        groups["/ratings"] = _arrays_dataset(
            {name: getattr(decision.ratings, name) for name in ("cell_band", "trust_band")}
        )
    write_bytes(path, sealed(_netcdf(groups)))


def _netcdf(groups: Mapping[str, xr.Dataset]) -> bytes:
    """A netCDF file in memory: HDF5 ends the process where the disk is full as it writes."""
    held = io.BytesIO()
    with h5netcdf.File(held, "w") as file:
        for name, group in groups.items():
            # xarray writes a whole tree to memory too, but only from 2025 on.
            group.dump_to_store(H5NetCDFStore(file, group=name, mode="a", autoclose=False))
    return held.getvalue()


@checked
def load_fit(path: str | os.PathLike[str]) -> HierarchyFit:
    """Read a fit that `HierarchyFit.save` wrote.

    The bytes of the file are checked against the digest that it carries before anything of it is read. Files of the
    first release carry none: of them is checked that arrays fit one another and hold what they can hold.

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
        Where arrays do not fit one another; anything else where groups or entries are missing.
    """
    from brightspots.fits import HierarchyFit

    cells = _cells_from(tree["cells"].to_dataset(), header)
    check_cells(cells)
    shared = SharedDraws(**_arrays_from(tree["shared"].to_dataset(), fields(SharedDraws)))
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
    extras, row_cell = _extras_from(tree["extras"].to_dataset())
    check_rows(cells, row_cell)
    certificate: dict[str, Any] = {
        key: float("nan") if value is None and key in ("pareto_k", "r_hat") else value
        for key, value in header["certificate"].items()
    }
    return HierarchyFit(
        Table(cells, extras, row_cell, tuple(header.get("notes", ())), header.get("tidy_labels", False)),
        ColumnNames(**header["columns"]),
        _priors_from_json(header["priors"]),
        header["higher_is"],
        header["seed"],
        Certificate(**certificate),
        effects,
        # Files of the first release say none of these.
        Request(**header.get("request", {})),
        None if header.get("rules") is None else Rules(**header["rules"]),
        None if header.get("decision") is None else _decision_from(tree, header["decision"], cells),
        tuple(header.get("disclosed", ())),
    )


def _decision_to_json(decision: Decision) -> dict[str, Any]:
    """All of a decision but the bands of trusts and cells, which are arrays."""
    rated = decision.ratings
    ratings = None if rated is None else {
        "levels": [_json_value(level) for level in rated.levels],
        "strong": None if rated.strong is None else rated.strong.tolist(),
        "strong_rule": rated.strong_rule,
    }  # fmt: skip
    return {
        "rule": asdict(decision.rule),
        "ratings": ratings,
        "rating_uses_outcome": decision.rating_uses_outcome,
        "rating_asked": decision.rating_asked,
    }


def _decision_from(tree: xr.DataTree, data: Mapping[str, Any], cells: Cells) -> Decision:
    ratings = None
    if data["ratings"] is not None:
        bands, said = tree["ratings"].to_dataset(), data["ratings"]
        ratings = Ratings(
            levels=tuple(said["levels"]),
            cell_band=bands["cell_band"].to_numpy(),
            trust_band=bands["trust_band"].to_numpy() if "trust_band" in bands else None,
            strong=None if said["strong"] is None else np.array(said["strong"], dtype=bool),
            strong_rule=said["strong_rule"],
        )
        check_ratings(cells, ratings)
    return Decision(
        settings.SpotRule(**data["rule"]), ratings, data["rating_uses_outcome"], data["rating_asked"]
    )


def _priors_to_json(priors: settings.Priors) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for item in fields(priors):
        value = getattr(priors, item.name)
        named = value is None or isinstance(value, str)
        out[item.name] = value if named else {"kind": type(value).__name__, **asdict(value)}
    return out


def _priors_from_json(data: Mapping[str, Any]) -> settings.Priors:
    kinds = {
        kind.__name__: kind
        for kind in (settings.Normal, settings.HalfNormal, settings.InverseGamma, settings.Flat)
    }
    values: dict[str, Any] = {}
    for name, value in data.items():
        if value is None or isinstance(value, str):
            values[name] = value
        else:
            arguments = {key: number for key, number in value.items() if key != "kind"}
            values[name] = kinds[value["kind"]](**arguments)
    return settings.Priors(**values)


def _arrays_dataset(arrays: Mapping[str, Any]) -> xr.Dataset:
    """Arrays as variables with private dimension names; None is left out."""
    return xr.Dataset(
        {
            name: (tuple(f"{name}_{axis}" for axis in range(np.ndim(values))), values)
            for name, values in arrays.items()
            if values is not None
        }
    )


def _arrays_from(dataset: xr.Dataset, wanted: tuple[Any, ...]) -> dict[str, Any]:
    return {item.name: dataset[item.name].to_numpy() if item.name in dataset else None for item in wanted}


_IN_HEADER: Final = {"family", "covariates", "estimate_scale", "period_order"}


def _cells_dataset(cells: Cells) -> xr.Dataset:
    arrays = {f.name: getattr(cells, f.name) for f in fields(Cells) if f.name not in _IN_HEADER}
    if _kind_of_labels(cells.periods) is not None:
        arrays["periods"] = np.array(list(map(str, arrays["periods"])), dtype=object)
    return _arrays_dataset(arrays)


def _kind_of_labels(labels: LabelArray | None) -> str | None:
    """What labels are that a file holds as text: dates, or pandas periods with their frequency; else None."""
    if labels is None or labels.dtype != object:
        return None
    if all(isinstance(label, pd.Period) for label in labels):
        return str(labels[0].freqstr)
    return "date" if all(type(label) is date for label in labels) else None


def _labels_of_kind(text: LabelArray, kind: str | None) -> LabelArray:
    """Labels as they were before they were written as text."""
    if kind is None:
        return text
    read = date.fromisoformat if kind == "date" else lambda label: pd.Period(label, freq=kind)
    return np.array([read(label) for label in text], dtype=object)


def _cells_from(dataset: xr.Dataset, header: Mapping[str, Any]) -> Cells:
    arrays = _arrays_from(dataset, tuple(f for f in fields(Cells) if f.name not in _IN_HEADER))
    known_by: names.PeriodOrder = "unknown"
    if arrays["periods"] is not None:
        arrays["periods"] = _labels_of_kind(arrays["periods"], header.get("period_kind"))
        # Older files hold periods in the order of their labels, which may be that of time.
        ordered = order_periods(arrays["periods"])
        in_order = np.array_equal(ordered.order, np.arange(len(ordered.order)))
        known_by = header.get("period_order", ordered.known_by if in_order else "unknown")
    return Cells(
        period_order=known_by,
        family=header["family"],
        covariates=tuple(header["covariates"]),
        estimate_scale=header.get("estimate_scale", "log ratio"),  # files from before there was a choice
        **arrays,
    )


def _extras_dataset(table: Table) -> xr.Dataset:
    """Columns that the model did not use. Text stays text; a categorical keeps its order in attributes."""
    variables: dict[str, Any] = {"row_cell": ("row", table.row_cell)}
    for position, name in enumerate(table.extras.columns):
        column = table.extras[name]
        attrs: dict[str, Any] = {"column": str(name)}
        if isinstance(column.dtype, pd.CategoricalDtype):
            attrs["categories"] = json.dumps([_json_value(value) for value in column.cat.categories])
            attrs["ordered"] = int(bool(column.cat.ordered))
            variables[f"column_{position:04d}"] = ("row", column.cat.codes.to_numpy().astype(np.int64), attrs)
            continue
        if column.dtype.kind in "ifubM":
            variables[f"column_{position:04d}"] = ("row", column.to_numpy(), attrs)
            continue
        attrs["json"] = 1
        encoded = [None if np.ndim(value) == 0 and pd.isna(value) else _json_value(value) for value in column]
        text = np.array([json.dumps(value) for value in encoded], dtype=object)
        variables[f"column_{position:04d}"] = ("row", text, attrs)
    return xr.Dataset(variables)


def _json_value(value: Any) -> Any:
    """A value that JSON can hold: numbers and text as they are, anything else as its text."""
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, str):
        return plain.encode("utf-8", "replace").decode("utf-8")  # half a character is none in any file
    return plain if isinstance(plain, str | int | float | bool) else str(plain)


def _extras_from(dataset: xr.Dataset) -> tuple[pd.DataFrame, IntArray]:
    columns: dict[str, Any] = {}
    for name in dataset.data_vars:
        if name == "row_cell":
            continue
        variable = dataset[name]
        values: Any = variable.to_numpy()
        if "categories" in variable.attrs:
            categories = json.loads(variable.attrs["categories"])
            values = pd.Categorical.from_codes(
                values, categories=categories, ordered=bool(variable.attrs["ordered"])
            )
        elif "json" in variable.attrs:
            values = [json.loads(text) for text in values]
        columns[variable.attrs["column"]] = values
    return pd.DataFrame(columns, index=range(dataset.sizes["row"])), dataset["row_cell"].to_numpy()
