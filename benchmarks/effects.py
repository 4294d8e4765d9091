"""Flags and intervals where effects are normal and where they are not: under normal effects, and as the data decide.

`python benchmarks/effects.py --write` writes the table between its marks in docs/decisions.md.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from documents import DOCS, table, write_section

import brightspots as bs
from brightspots.simulate.nation import simulate_nation

MARGIN = 1.1
SIZE, EXPECTED = (80, 15), 60.0
RATES, FLOORS = (0.05, 0.10), (0.5, 0.8)
SIDES = {"dark spot": 1, "bright spot": -1}
T3 = {"degrees_of_freedom": 3.0}
BY_TYPE = "σ of types from .05 to .40"
KINDS: Mapping[str, Mapping[str, Any]] = {
    "normal": {},
    "5% of departments fourfold": {"effects": "contaminated"},
    "departments t₃": {"effects": "student_t", **T3},
    "5% of trusts fourfold": {"trust_effects": "contaminated"},
    "trusts t₃": {"trust_effects": "student_t", **T3},
    BY_TYPE: {"sd_department": np.geomspace(0.05, 0.40, SIZE[1]).tolist()},
}
MODELS = {"normal": bs.Priors(effects="normal"), "decided": None}
REFERENCES = {"own": "own trust", "peer": "peers"}

Found = dict[tuple[object, ...], float]


def one(seed: int, kind: str) -> Found:
    """False discovery proportions, power and coverage of one nation, and the Bayes factors, by what they are of."""
    nation = simulate_nation(*SIZE, mean_expected=EXPECTED, rating_validity=None, seed=seed, **KINDS[kind])
    found: Found = {}
    for model, priors in MODELS.items():
        fit = bs.fit_hierarchy(nation.cells, seed=seed, method="integrate", priors=priors)
        found[model, "certified"] = float(fit.certificate.ok)
        found |= {(level, "factor"): log for level, log in fit.choice.log_bayes_factors.items()}
        departments = fit.departments(margin=MARGIN)
        for rate, floor in product(RATES, FLOORS):
            spots = fit.find_spots(bs.SpotRule(margin=MARGIN, fdr=rate, min_probability=floor)).table
            for each in REFERENCES:
                truth = nation.truth[f"log_{each}_ratio"].to_numpy()
                beyond = np.where(np.abs(truth) > np.log(MARGIN), np.sign(truth), 0.0)
                flags = spots[f"{each}_status"].map(SIDES).fillna(0).to_numpy(int)
                true, all_flags = np.sum((flags != 0) & (flags == beyond)), np.sum(flags != 0)
                found[model, each, "false", rate, floor] = 1.0 - true / all_flags if all_flags else 0.0
                found[model, each, "power", rate, floor] = true / np.sum(beyond != 0)
                if kind == BY_TYPE and each == "own" and (rate, floor) == (RATES[1], FLOORS[0]):
                    found |= _by_type(model, spots, flags, beyond)
        for each in REFERENCES:
            truth = nation.truth[f"log_{each}_ratio"].to_numpy()
            lower, upper = (
                np.log(departments[f"{each}_ratio_{end}"].to_numpy()) for end in ("lower", "upper")
            )
            inside = (lower <= truth) & (truth <= upper)
            found[model, each, "covered"] = float(inside[np.isfinite(truth)].mean())
    return found


def _by_type(
    model: str, spots: pd.DataFrame, flags: npt.NDArray[np.int_], beyond: npt.NDArray[np.float64]
) -> Found:
    """Of each type of department: flags, those that are false, and how many were expected to be, Σ(1 − p)."""
    p = np.where(flags > 0, spots["p_own_high"], spots["p_own_low"])
    parts = {
        "flags": flags != 0,
        "false": (flags != 0) & (flags != beyond),
        "said": np.where(flags != 0, 1.0 - p, 0.0),
    }
    return {
        (model, "type", name, part): float(values.sum())
        for part, all_values in parts.items()
        for name, values in pd.Series(all_values).groupby(spots["department"].to_numpy())
    }


def run(kind: str, nations: int) -> dict[tuple[object, ...], npt.NDArray[np.float64]]:
    """All nations of a kind, seeds from 1."""
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    started = time.perf_counter()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        each = list(pool.map(partial(one, kind=kind), range(1, nations + 1)))
    print(f"{kind}: {nations} nations in {time.perf_counter() - started:.0f} s", flush=True)
    return {key: np.array([found[key] for found in each]) for key in each[0]}


def text(results: Mapping[str, Mapping[tuple[object, ...], npt.NDArray[np.float64]]], nations: int) -> str:
    """The section of the page."""
    head = [
        "effects", "compared with", "model", "false at 0.05", "at 0.10", "power", "false at 0.05, floor 0.8", "at 0.10",
        "power", "intervals cover",
    ]  # fmt: skip
    rows = []
    for (kind, found), (each, said), model in product(results.items(), REFERENCES.items(), MODELS):
        cells = []
        for floor in FLOORS:
            cells += [_mean(found[model, each, "false", rate, floor]) for rate in RATES]
            cells.append(
                ", ".join(f"{100 * found[model, each, 'power', rate, floor].mean():.1f}" for rate in RATES)
            )
        rows.append([kind, said, model, *cells, f"{100 * found[model, each, 'covered'].mean():.1f}"])
    factors = [
        [kind, *(_range(found[level, "factor"]) for level in ("department", "trust", "department_by_type"))]
        for kind, found in results.items()
    ]
    # Departments appear in the order in which their σ's were given.
    names = (
        simulate_nation(*SIZE, rating_validity=None, seed=1, **KINDS[BY_TYPE]).cells["department"].unique()
    )
    of_types = []
    for name, spread in zip(names, KINDS[BY_TYPE]["sd_department"], strict=True):
        row = [f"{spread:.2f}"]
        for model in MODELS:
            flags, false, said = (
                results[BY_TYPE][model, "type", name, part] for part in ("flags", "false", "said")
            )
            error = (false - said).std(ddof=1) * len(false) ** 0.5
            row.append(f"{false.sum():.0f} of {flags.sum():.0f}; {said.sum():.0f} ± {error:.0f}")
        of_types.append(row)
    certified = {
        model: sum(int(found[model, "certified"].sum()) for found in results.values()) for model in MODELS
    }
    return "\n\n".join([
        f"{nations} nations of {SIZE[0]} trusts × {SIZE[1]} departments a row, seeds from 1; {EXPECTED:g} expected events; "
        "σ as above; all effects normal but those named; margin 1.1, floor 0.5 where no other is named; %, ± one standard "
        "error over nations.",
        table(head, rows),
        "Logarithm of the Bayes factor: least, median and most over nations.",
        table(["effects", "departments", "trusts", "types"], factors),
        f"{BY_TYPE}, against the own trust at 0.10: false flags of all flags of each type over all nations; how many were "
        "said to be false, Σ(1 − p), ± one standard error of the difference.",
        table(["σ of the type", *MODELS], of_types),
        f"Certified: {certified['normal']:,} and {certified['decided']:,} of {nations * len(results):,} fits.",
    ])  # fmt: skip


def _mean(values: npt.NDArray[np.float64]) -> str:
    return f"{100 * values.mean():.1f} ± {100 * values.std(ddof=1) / len(values) ** 0.5:.1f}"


def _range(values: npt.NDArray[np.float64]) -> str:
    return ", ".join(f"{value:.1f}" for value in np.quantile(values, [0.0, 0.5, 1.0]))


def main() -> None:
    """Measure, print and, where asked, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nations", type=int, default=200)
    parser.add_argument("--write", action="store_true", help="write the table into docs/decisions.md")
    arguments = parser.parse_args()
    said = text({kind: run(kind, arguments.nations) for kind in KINDS}, arguments.nations)
    print(said)
    if arguments.write:
        write_section("effects", said, DOCS / "decisions.md")


if __name__ == "__main__":
    main()
