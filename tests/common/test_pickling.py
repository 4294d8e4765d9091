"""What the library returns can be pickled, copied and sent to other processes, whatever was asked of it before."""

from __future__ import annotations

import copy
import inspect
import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import brightspots as bs
from brightspots.common.pickling import made_alike
from brightspots.report.manifest import make_manifest
from tests.conftest import simulate_frame

WAYS: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@cache
def fit() -> bs.HierarchyFit:
    frame = simulate_frame(8, 4)
    years = pd.concat([frame.assign(period=2023), frame.assign(period=2024)], ignore_index=True)
    return bs.fit_hierarchy(years, seed=1, draws=400)


@cache
def records() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    return pd.DataFrame(
        {
            "trust": rng.choice(["A", "B", "C"], 3_000),
            "department": rng.choice(["x", "y"], 3_000),
            "age": rng.choice(["young", "old"], 3_000),
            "died": rng.random(3_000) < 0.1,
        }
    )


def outcomes() -> bs.OutcomeFits:
    frame = simulate_frame(8, 4)
    both = pd.concat([frame.assign(outcome="deaths"), frame.assign(outcome="falls")], ignore_index=True)
    return bs.fit_hierarchy(both, outcome="outcome", seed=1, draws=400)


def limits(method: str = "shmi") -> bs.FunnelLimits:
    expected = np.random.default_rng(5).uniform(50, 900, 40)
    return bs.funnel_limits(np.random.default_rng(6).poisson(expected), expected=expected, method=method)


def standardised() -> bs.Standardised:
    return bs.standardise(records(), outcome="died", casemix=["age"])


def card() -> bs.ModelCard:
    """Its frames have been asked for their types, which pandas keeps in its columns from then on."""
    made = standardised().card
    for each in vars(made).values():
        if isinstance(each, pd.DataFrame):
            assert len(each.dtypes) == each.shape[1]
    return made


MAKERS: dict[str, Callable[[], Any]] = {
    "HierarchyFit": lambda: copy.copy(fit()),  # whose own memory is empty
    "Spots": lambda: copy.copy(fit()).find_spots(),
    "OutcomeFits": outcomes,
    "FunnelLimits": limits,
    "Standardised": standardised,
    "ModelCard": card,
    "Nation": lambda: bs.simulate_nation(6, 3, seed=1),
    "Sensitivity": lambda: fit().sensitivity(),
    "Manifest": lambda: make_manifest(fit(), arguments={"seed": 1}),
    "SpotRule": bs.SpotRule,
    "Columns": bs.Columns,
    "Finding": lambda: bs.Finding("totals", "doubt", "A sentence.", rows=(1, 2)),
    "TableReport": lambda: bs.check_table(simulate_frame(8, 4)),
    "Priors": lambda: bs.Priors(trust=bs.InverseGamma(0.1, 0.1)),
    "DataError": lambda: bs.DataError("is odd", column="x", rows=[1, 2], expected="even", action="double it"),
    "SettingsError": lambda: bs.SettingsError("no"),
    "MissingExtraError": lambda: bs.MissingExtraError("duckdb", extra="duckdb", purpose="reading"),
}
# Of the public classes: what these are made of, which the others hold.
INSIDE = {
    "BrightspotsError",
    "CertificateWarning",
    "DataWarning",
    "Flat",
    "HalfNormal",
    "InverseGamma",
    "Normal",
}

# Arguments of the public methods that cannot do without; a new method that needs some is to be added here.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "draws": {"n": 100},
    "save": {"path": "fit.nc"},
    "suppressed": {"below": 3},
    "plot_two_stage": {"trust": "T003"},
    "plot_trend": {"trust": "T003", "department": "D02"},
    "plot_mosaic": {},
    "is_of": {},
    "curve": {"x": [10.0, 100.0]},
    "get": {"key": "deaths"},
    "extremes": {"share": 0.1},
    "extreme_size": {"reference": "peers", "share": 0.1},
    "described": {"margin": 1.1, "probability": 0.95},
    "trust_summary": {"margin": 1.1, "probability": 0.95},
    "cell_summary": {"margin": 1.1, "probability": 0.95},
    "scaled": {"factor": 2.0},
    "text": {"shell": True},
    "of_weight": {"weight": "note"},
    "name_of": {"part": "period"},
    "margin": {"rule": bs.SpotRule()},
    "rule_in_use": {"rule": bs.SpotRule()},
}
# Calls to sampling or to packages that take seconds to import, which keep nothing in the object.
HEAVY = {("HierarchyFit", "pymc_model"), ("HierarchyFit", "suppressed"), ("OutcomeFits", "suppressed")}


def ask_everything(name: str, thing: Any) -> None:
    """Use every public property and call every public method."""
    repr(thing)
    for member in dir(type(thing)):
        private = member.startswith("_") and member != "_repr_html_"
        if private or (name, member) in HEAVY or hasattr(BaseException, member):
            continue
        value = getattr(thing, member)
        if callable(value) and inspect.isroutine(value):
            given = {"fit": thing.fit} if member == "is_of" else ARGUMENTS.get(member, {})
            value(*given.values()) if member == "get" else value(**given)
            plt.close("all")


def results(thing: Any) -> Any:
    """What users read of a thing."""
    if isinstance(thing, bs.HierarchyFit):
        return [thing.departments(), thing.trusts(), thing.variance_partition(), thing.find_spots().table]
    if isinstance(thing, bs.Spots):
        return [thing.table, thing.summary(), thing.learning_pairs(), thing.rating_explains()]
    if isinstance(thing, bs.OutcomeFits):
        return [thing.departments(), *(spots.table for spots in thing.find_spots().values())]
    if isinstance(thing, bs.FunnelLimits):
        return [thing.table, thing.curve([10.0, 100.0])]
    if isinstance(thing, Exception):
        return [str(thing), {**vars(thing)}]
    return thing


def test_every_public_class_is_tried():
    classes = {name for name in bs.__all__ if inspect.isclass(getattr(bs, name))}
    assert classes - INSIDE <= set(MAKERS)


@pytest.mark.parametrize("name", MAKERS)
def test_copies_are_the_same_before_and_after_everything_was_asked(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    thing = MAKERS[name]()
    size = len(pickle.dumps(thing))
    fresh = [way(thing) for way in WAYS.values()]
    ask_everything(name, thing)
    copies = [*fresh, *(way(thing) for way in WAYS.values())]
    # What was computed does not travel, and goes on being there.
    assert len(pickle.dumps(thing)) == pytest.approx(size, rel=0.02)
    if not isinstance(thing, Exception):
        assert all(made_alike(each, thing) for each in copies)
    assert made_alike(results(copies[-1]), results(thing))


@pytest.mark.parametrize("kind", ["poisson", "spiegelhalter", "cqc", "phs"])
def test_limits_of_every_method_can_be_pickled(kind):
    made = limits(kind)
    assert made_alike(results(WAYS["pickle"](made)), results(made))


@pytest.mark.parametrize("where", [None, "T003"])
def test_limits_of_a_fit_can_be_pickled(where):
    from brightspots.fit import funnels as fit_limits

    fitted = fit()
    asked = ("hierarchical", (0.95, 0.998))
    made = (
        fit_limits.trust_limits(fitted, *asked)
        if where is None
        else fit_limits.department_limits(fitted, where, *asked)
    )
    assert made_alike(results(WAYS["pickle"](made)), results(made))


def _elsewhere(fitted: bs.HierarchyFit, spots: bs.Spots) -> tuple[bs.Spots, pd.DataFrame]:
    """What a worker does: compute, and send back what it computed with."""
    bs.write_board_pack(fitted, spots, "board.html")
    return spots, fitted.departments()


def test_another_process_gives_the_same_and_what_it_sends_back_can_be_used(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fitted = fit()
    spots = fitted.find_spots()
    spots.table  # noqa: B018  (asked before it is sent)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        back, departments = pool.submit(_elsewhere, fitted, spots).result()
    assert made_alike(departments, fitted.departments())
    assert made_alike(back.table, spots.table)
    assert back.is_of(fitted)
    assert bs.write_board_pack(fitted, back, "again.html").exists()


def test_an_error_of_another_process_arrives_as_it_was_raised():
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        sent = pool.submit(_fail)
    with pytest.raises(bs.MissingExtraError, match="reading needs duckdb"):
        sent.result()


def _fail() -> None:
    raise bs.MissingExtraError("duckdb", extra="duckdb", purpose="reading")


def test_spots_of_another_fit_are_not_of_this_one():
    other = bs.fit_hierarchy(simulate_frame(12, 5), seed=2, draws=400)
    assert not other.find_spots().is_of(fit())
    with pytest.raises(bs.SettingsError, match="the spots come from another fit"):
        fit().save("fit.nc", other.find_spots())
