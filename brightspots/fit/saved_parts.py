"""Convert parts of a fit to and from their form in a file: decision, priors, cells, other columns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from brightspots.common import settings
from brightspots.common import vocabulary as names
from brightspots.common.arrays import IntArray, LabelArray
from brightspots.common.errors import DataError
from brightspots.data.cells import Cells
from brightspots.data.period_order import order_periods
from brightspots.data.tables import Table
from brightspots.engine.effects import DISTRIBUTIONS, EffectDraws
from brightspots.engine.levels import LEVELS, Level, effect_name, sd_name
from brightspots.engine.posterior import SharedDraws
from brightspots.fit.saved_checks import check_effects, check_ratings
from brightspots.likelihood.families import family_of
from brightspots.statistics.kept_decision import Decision
from brightspots.statistics.ratings import Ratings

# What a rule was before it had a floor for each flag: fits saved then remember it without one.
_BEFORE_FLOOR: Final = {"min_probability": 0.0}


def decision_to_json(decision: Decision) -> dict[str, Any]:
    """A decision as JSON values, without the bands of trusts and cells, which are stored as arrays."""
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


def decision_from(tree: xr.DataTree, data: Mapping[str, Any], cells: Cells) -> Decision:
    """A decision from the header's entry and the group of ratings."""
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
        settings.SpotRule(**(_BEFORE_FLOOR | data["rule"])),
        ratings,
        data["rating_uses_outcome"],
        data["rating_asked"],
    )


def priors_to_json(priors: settings.Priors) -> dict[str, Any]:
    """Priors as JSON values: each a mapping of its class name ("kind") and its numbers."""
    out: dict[str, Any] = {}
    for item in fields(priors):
        value = getattr(priors, item.name)
        named = value is None or isinstance(value, str)
        out[item.name] = value if named else {"kind": type(value).__name__, **asdict(value)}
    return out


def priors_from_json(data: Mapping[str, Any]) -> settings.Priors:
    """Priors from what `priors_to_json` made."""
    if "trust_effects" not in data and data.get("effects", "normal") != "normal":
        data = {**data, "trust_effects": "normal"}  # when it was written, trusts' effects always were
    data = {"effects": "normal", **data}  # files of the first release do not say so
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


def arrays_dataset(arrays: Mapping[str, Any]) -> xr.Dataset:
    """A dataset of arrays, each with dimension names of its own (``name_0``, ``name_1``); None is left out."""
    return xr.Dataset(
        {
            name: (tuple(f"{name}_{axis}" for axis in range(np.ndim(values))), values)
            for name, values in arrays.items()
            if values is not None
        }
    )


def arrays_from(dataset: xr.Dataset, wanted: tuple[Any, ...]) -> dict[str, Any]:
    """Arrays by the names of dataclass fields; None for those that the dataset lacks."""
    return {item.name: dataset[item.name].to_numpy() if item.name in dataset else None for item in wanted}


# What is stored for every level: by names of levels, not of fields.
_BY_LEVEL: Final = ("sd", "effects")
_SHARED: Final = tuple(item for item in fields(SharedDraws) if item.name not in _BY_LEVEL)


def shared_dataset(shared: SharedDraws) -> xr.Dataset:
    """Draws of the shared parameters, single numbers by their published names.

    The parameters of effects that are not normal are there twice: as published and, so that a fit comes back to the
    last digit, as they are sampled.
    """
    arrays: dict[str, Any] = {item.name: getattr(shared, item.name) for item in _SHARED}
    arrays |= {sd_name(level): values for level, values in shared.sd.items()}
    for level, of in shared.effects.items():
        arrays |= {effect_name(level, name): values for name, values in of.natural.items()}
        arrays[_as_sampled(level)] = of.free
    return arrays_dataset(arrays)


def shared_from(dataset: xr.Dataset) -> SharedDraws:
    """Draws of the shared parameters from a file; what it lacks is None, or no level, or normal effects."""
    sd = {level: dataset[sd_name(level)].to_numpy() for level in LEVELS if sd_name(level) in dataset}
    effects = {level: of for level in LEVELS if (of := _effects_from(dataset, level)) is not None}
    return SharedDraws(sd=sd, effects=effects, **arrays_from(dataset, _SHARED))


def _as_sampled(level: Level) -> str:
    return f"{level}_effects_as_sampled"


def _effects_from(dataset: xr.Dataset, level: Level) -> EffectDraws | None:
    """The distribution of a level's effects, known by the names of its parameters; None where it is normal."""
    for heavy in DISTRIBUTIONS.values():
        published = {name: effect_name(level, name) for name in heavy.names}
        held = {name: dataset[of].to_numpy() for name, of in published.items() if of in dataset}
        if held:
            free = dataset[_as_sampled(level)].to_numpy() if _as_sampled(level) in dataset else None
            return check_effects(level, heavy, held, free)
    if _as_sampled(level) in dataset:
        raise DataError(f"the parameters of {level} effects are missing")
    return None


_IN_HEADER: Final = {"family", "covariates", "estimate_scale", "period_order"}


def cells_dataset(cells: Cells) -> xr.Dataset:
    """A dataset of the arrays of the cells; other fields are in the header of the file."""
    arrays = {f.name: getattr(cells, f.name) for f in fields(Cells) if f.name not in _IN_HEADER}
    if kind_of_labels(cells.periods) is not None:
        arrays["periods"] = np.array(list(map(str, arrays["periods"])), dtype=object)
    return arrays_dataset(arrays)


def kind_of_labels(labels: LabelArray | None) -> str | None:
    """Kind of labels that have to be stored as text: "date", or the frequency of pandas periods; else None."""
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


def cells_from(dataset: xr.Dataset, header: Mapping[str, Any]) -> Cells:
    """Cells from their arrays and the header."""
    arrays = arrays_from(dataset, tuple(f for f in fields(Cells) if f.name not in _IN_HEADER))
    known_by: names.PeriodOrder = "unknown"
    if arrays["periods"] is not None:
        arrays["periods"] = _labels_of_kind(arrays["periods"], header.get("period_kind"))
        # Older files do not say how the order is known; it is known where the labels, as stored, are in order of time.
        ordered = order_periods(arrays["periods"])
        in_order = np.array_equal(ordered.order, np.arange(len(ordered.order)))
        known_by = header.get("period_order", ordered.known_by if in_order else "unknown")
    return Cells(
        period_order=known_by,
        family=family_of(header["family"]),
        covariates=tuple(header["covariates"]),
        estimate_scale=header.get("estimate_scale", "log ratio"),  # files from before there was a choice
        **arrays,
    )


def extras_dataset(table: Table) -> xr.Dataset:
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
        return plain.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate cannot be written as UTF-8
    return plain if isinstance(plain, str | int | float | bool) else str(plain)


def extras_from(dataset: xr.Dataset) -> tuple[pd.DataFrame, IntArray]:
    """The other columns, and the cell of each row."""
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
