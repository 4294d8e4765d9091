"""The posterior as a labelled tree, and fits as netCDF files that either ArviZ generation's xarray reads."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from brightspots import settings
from brightspots import vocabulary as names
from brightspots._version import __version__
from brightspots.arguments import checked
from brightspots.cells import Cells, FloatArray, IntArray, LabelArray
from brightspots.counts import ColumnNames
from brightspots.disclosure.rules import Rules
from brightspots.engine.conditional import ConditionalPosterior
from brightspots.engine.run import Request
from brightspots.errors import DataError
from brightspots.exports import atomic_path
from brightspots.period_order import order_periods
from brightspots.posterior import Certificate, Posterior, SharedDraws, StoredPosterior
from brightspots.tables import Table

if TYPE_CHECKING:
    from brightspots.fits import HierarchyFit

FORMAT = 1
_SHARED_SCALARS = (
    names.INTERCEPT,
    names.SD_TRUST,
    names.SD_DEPARTMENT,
    names.SD_PERIOD,
    names.SD_DEPARTMENT_TYPE,
    names.DEGREES_OF_FREEDOM,
)


def posterior_tree(effects: Posterior, keep: IntArray | None = None) -> xr.DataTree:
    """Draws as a DataTree with one group, `posterior`, dims (chain, draw, trust | department | cell).

    Parameters
    ----------
    effects : Posterior
    keep : int array, optional
        Which draws; with a subset all are one chain.
    """
    cells, shared = effects.cells, effects.shared
    chains = effects.chains if keep is None else 1
    picked: Any = slice(None) if keep is None else keep

    def by_chain(values: FloatArray) -> FloatArray:
        """From (S, ...) to (chain, draw, ...)."""
        chosen = values[picked]
        return chosen.reshape(chains, -1, *values.shape[1:])

    variables: dict[str, Any] = {}
    for name in _SHARED_SCALARS:
        values = getattr(shared, name)
        if values is not None:
            variables[name] = (("chain", "draw"), by_chain(values))
    if cells.covariates:
        variables[names.COEFFICIENT] = (("chain", "draw", names.COVARIATE), by_chain(shared.coefficients))
    if shared.sd_department_by_type is not None:
        dims_of_type = ("chain", "draw", names.DEPARTMENT)
        variables[names.SD_DEPARTMENT_BY_TYPE] = (dims_of_type, by_chain(shared.sd_department_by_type))
    types = by_chain(shared.type_effect)
    dims = (names.DEPARTMENT,)
    if cells.periods is not None:
        dims = (names.DEPARTMENT, names.PERIOD)  # type: ignore[assignment]
        types = types.reshape(*types.shape[:2], cells.n_departments, len(cells.periods))
    variables[names.DEPARTMENT_TYPE_EFFECT] = (("chain", "draw", *dims), types)
    blocks = [
        (block.trust_effect[:, picked], block.department_effect[:, picked]) for block in effects.blocks()
    ]
    trust_effect = np.concatenate([trust for trust, _ in blocks]).T
    department_effect = np.concatenate([department for _, department in blocks]).T
    for name, dim, values in (
        (names.TRUST_EFFECT, names.TRUST, trust_effect),
        (names.DEPARTMENT_EFFECT, names.CELL, department_effect),
    ):
        variables[name] = (("chain", "draw", dim), values.reshape(chains, -1, values.shape[1]))
    coords: dict[str, Any] = {
        "chain": np.arange(chains),
        "draw": np.arange(variables[names.INTERCEPT][1].shape[1]),
        names.TRUST: cells.trusts,
        names.DEPARTMENT: cells.departments,
        names.CELL: np.arange(cells.n_cells),
        "cell_trust": (names.CELL, cells.trusts[cells.cell_trust]),
        "cell_department": (names.CELL, cells.departments[cells.cell_department]),
    }
    if cells.periods is not None:
        coords[names.PERIOD] = cells.periods
    if cells.covariates:
        coords[names.COVARIATE] = list(cells.covariates)
    dataset = xr.Dataset(variables, coords=coords, attrs={"library": f"brightspots {__version__}"})
    return xr.DataTree.from_dict({"/posterior": dataset})


def save(fit: HierarchyFit, path: str | os.PathLike[str]) -> None:
    """Write a fit to netCDF: first beside the target, then moved into place, so that no half file is ever seen."""
    cells, effects = fit.table.cells, fit.effects
    header = {
        "format": FORMAT,
        "version": __version__,
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
        "rules": None if fit.rules is None else asdict(fit.rules),
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
    with atomic_path(path) as temporary:
        xr.DataTree.from_dict(groups).to_netcdf(temporary, engine="h5netcdf")


@checked
def load_fit(path: str | os.PathLike[str]) -> HierarchyFit:
    """Read a fit that `HierarchyFit.save` wrote.

    Raises
    ------
    DataError
        Where the file is not one of ours, or of a later format.
    """
    from brightspots.fits import HierarchyFit

    with xr.open_datatree(path, engine="h5netcdf") as opened:
        tree = opened.load()
    if "brightspots" not in tree.attrs:
        raise DataError(f"{os.fspath(path)} is not a fit saved by brightspots")
    header = json.loads(tree.attrs["brightspots"])
    if header["format"] > FORMAT:
        raise DataError(
            f"{os.fspath(path)} was saved by brightspots {header['version']}, a later format",
            action="install that version or a newer one",
        )
    cells = _cells_from(tree["cells"].to_dataset(), header)
    shared = SharedDraws(**_arrays_from(tree["shared"].to_dataset(), fields(SharedDraws)))
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
    else:
        effects = ConditionalPosterior(cells, shared, header["effects_seed"])
    extras, row_cell = _extras_from(tree["extras"].to_dataset())
    certificate: dict[str, Any] = {
        key: float("nan") if value is None and key in ("pareto_k", "r_hat") else value
        for key, value in header["certificate"].items()
    }
    return HierarchyFit(
        Table(cells, extras, row_cell, tuple(header.get("notes", ()))),
        ColumnNames(**header["columns"]),
        _priors_from_json(header["priors"]),
        header["higher_is"],
        header["seed"],
        Certificate(**certificate),
        effects,
        # Files of the first release say neither.
        Request(**header.get("request", {})),
        None if header.get("rules") is None else Rules(**header["rules"]),
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
        encoded = [None if pd.isna(value) else _json_value(value) for value in column]
        text = np.array([json.dumps(value) for value in encoded], dtype=object)
        variables[f"column_{position:04d}"] = ("row", text, attrs)
    return xr.Dataset(variables)


def _json_value(value: Any) -> Any:
    """A value that JSON can hold: numbers and text as they are, anything else as its text."""
    plain = value.item() if isinstance(value, np.generic) else value
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
