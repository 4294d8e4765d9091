"""Every public callable, found by itself, with arguments that work: what option fuzz starts from."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import brightspots as bs
from brightspots.common.errors import BrightspotsError

# Their arguments are words for messages, or they are made by the library alone.
NOT_CALLED = {
    "Finding", "FunnelLimits", "HierarchyFit", "ModelCard", "Nation", "OutcomeFits", "Spots", "Standardised",
    "TableReport",
}  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """A public callable and arguments, by name, under which it works."""

    name: str
    function: Callable[..., Any]
    works: Mapping[str, Any]

    @property
    def parameters(self) -> list[str]:
        """Names of what it takes."""
        return [
            name
            for name, parameter in inspect.signature(self.function).parameters.items()
            if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        ]

    def call(self, **changed: Any) -> Any:
        """Call with some arguments changed."""
        return self.function(**{**self.works, **changed})


@functools.cache
def nation() -> pd.DataFrame:
    """Six trusts and three departments with two periods, two outcomes and a column besides."""
    cells = bs.simulate_nation(6, 3, missing_departments=0, seed=1).cells
    return cells.assign(beds=np.arange(len(cells)))


@functools.cache
def patients() -> pd.DataFrame:
    """Records of 600 patients."""
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "trust": rng.choice(["A", "B", "C"], 600),
            "department": rng.choice(["Renal", "Stroke"], 600),
            "age": rng.choice(["young", "old"], 600),
            "sex": rng.choice(["f", "m"], 600),
            "died": rng.integers(0, 2, 600),
        }
    )


@functools.cache
def fits() -> bs.OutcomeFits:
    """Fits of two outcomes."""
    both = pd.concat([nation().assign(outcome=name) for name in ("deaths", "stays")])
    return bs.fit_hierarchy(both, outcome="outcome", seed=1, draws=200)


@functools.cache
def results() -> dict[str, Any]:
    """One of everything that public functions return and that has methods of its own."""
    fit = fits()["deaths"]
    cells = bs.simulate_nation(6, 3, periods=3, missing_departments=0, seed=1).cells
    standardised = bs.standardise(patients(), outcome="died", casemix=["age"])
    return {
        "HierarchyFit": fit,
        "HierarchyFit of periods": bs.fit_hierarchy(cells, seed=1, draws=200),
        "Spots": fit.find_spots(),
        "OutcomeFits": fits(),
        "FunnelLimits": bs.funnel_limits([5, 9, 7, 12], [6, 7, 8, 9], method="poisson"),
        "Standardised": standardised,
        "ModelCard": standardised.card,
        "Sensitivity": fit.sensitivity(),
        "TableReport": bs.check_table(nation()),
    }


def subjects(folder: Path) -> list[Subject]:
    """Every public function, class to be filled in, and method of a result."""
    return [*_public(folder), *_methods(folder)]


def _public(folder: Path) -> Iterator[Subject]:
    fit = results()["HierarchyFit"]
    fit.save(folder / "fit.nc")
    limits = results()["FunnelLimits"]
    works: dict[str, dict[str, Any]] = {
        "check_table": {"data": nation()},
        "tidy": {"data": nation(), "report": bs.check_table(nation()), "remedies": ["totals"]},
        "describe": {"ax": bs.plot_funnel(limits)},
        "fit_hierarchy": {"data": nation(), "seed": 1, "draws": 200},
        "funnel_limits": {"observed": [5, 9, 7, 12], "expected": [6, 7, 8, 9], "method": "poisson"},
        "InverseGamma": {"shape": 1.0, "scale": 1.0},
        "HalfNormal": {"scale": 1.0},
        "Normal": {"mean": 0.0, "sd": 1.0},
        "load_fit": {"path": folder / "fit.nc"},
        "load_sample": {"name": "surgical"},
        "plot_funnel": {"limits": limits},
        "simulate_nation": {"trusts": 4, "departments": 3, "seed": 1},
        "standardise": {"records": patients(), "outcome": "died", "casemix": ["age", "sex"]},
        "suppress": {"frame": nation(), "below": 8},
        "write_board_pack": {"fit": fit, "spots": fit.find_spots(), "path": folder / "board.html"},
    }
    for name in bs.__all__:
        thing = getattr(bs, name)
        is_error = isinstance(thing, type) and issubclass(thing, Warning | BrightspotsError)
        if not callable(thing) or is_error or name in NOT_CALLED:
            continue
        if name.startswith("read_"):
            yield Subject(name, thing, {"path": folder / "fit.nc"})  # a file that is no publisher's
        else:
            yield Subject(name, thing, works.get(name, {}))


def _methods(folder: Path) -> Iterator[Subject]:
    works: dict[str, dict[str, Any]] = {
        "draws": {"n": 10},
        "extremes": {"share": 0.1},
        "extreme_size": {"reference": "peers", "share": 0.1},
        "described": {"margin": 1.1, "probability": 0.95},
        "trust_summary": {"margin": 1.1, "probability": 0.95},
        "cell_summary": {"margin": 1.1, "probability": 0.95},
        "margin": {"rule": bs.SpotRule()},
        "rule_in_use": {"rule": None},
        "save": {"path": folder / "saved.nc"},
        "curve": {"x": [1.0, 2.0]},
        "suppressed": {"below": 8},
        "text": {"shell": False},
        "of_weight": {"weight": "note"},
        "is_of": {"fit": results()["HierarchyFit"]},
        "plot_two_stage": {"trust": "T001"},
        "plot_trend": {"trust": "T001", "department": "Cardiology"},
        "plot_rating": {},
    }
    for kind, result in results().items():
        for name, method in inspect.getmembers(result, inspect.ismethod):
            if not name.startswith("_") and name not in ("get", "items", "keys", "values"):
                yield Subject(f"{kind}.{name}", method, works.get(name, {}))
