"""How flags fare over nations with a known truth, beside the ways in which departments are flagged today.

`python benchmarks/decisions.py --write` writes the tables of docs/decisions.md and its figure. Rscript with lme4 is
needed for the shrunken means; without it that row is left out, and the page says so.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import decision_page
import numpy as np
import numpy.typing as npt
from decision_rivals import Array, Scores, overdispersed_funnel, poisson_funnel, shrunken_means

import brightspots as bs
from brightspots.simulate.nation import simulate_nation

MARGIN = 1.1
RATES = (0.05, 0.10)
REFERENCES = ("organisation", "peers")
OURS = "brightspots"
SCENARIOS: dict[str, dict[str, Any]] = {
    "as the model assumes": {},
    "heavy tails (t, 4 degrees of freedom)": {"effects": "student_t"},
    "contaminated (5% of effects fourfold)": {"effects": "contaminated"},
    "small departments (10 expected events)": {"mean_expected": 10.0},
}


@dataclass(frozen=True)
class Trial:
    """One nation under one reference: true log ratios, each method's scores, ours flagged at each rate, coverage."""

    truth: Array
    methods: dict[str, Scores]
    flags: dict[float, npt.NDArray[np.int64]]
    covered: float
    certified: bool


def run_nation(seed: int, scenario: str, rivals_in_r: bool) -> dict[str, Trial]:
    """Simulate, fit and flag one nation, by every method and against both references."""
    nation = simulate_nation(120, 20, rating_validity=None, seed=seed, **SCENARIOS[scenario])
    normal = bs.Priors(effects="normal")  # what the data decide instead: effects.py
    fit = bs.fit_hierarchy(nation.cells, seed=seed, method="integrate", priors=normal)
    table = fit.departments(margin=MARGIN)
    keys = ["trust", "department"]
    if not table[keys].equals(nation.truth[keys]) or not table[keys].equals(nation.cells[keys]):
        raise AssertionError("the departments, the data and the truth are not in one order")
    shrunken = shrunken_means(nation.cells) if rivals_in_r else {}
    trials = {}
    for reference in REFERENCES:
        name = {"organisation": "own", "peers": "peer"}[reference]
        truth = nation.truth[f"log_{name}_ratio"].to_numpy()
        high, low = (table[f"p_{name}_{side}"].to_numpy() for side in ("high", "low"))
        flags = {}
        for rate in RATES:
            spots = fit.find_spots(
                bs.SpotRule(margin=MARGIN, fdr=rate, reference=reference, min_probability=0.0)
            )
            status = spots.table["status"].to_numpy()
            flags[rate] = (status == "dark spot").astype(int) - (status == "bright spot").astype(int)
        methods = {
            OURS: Scores(np.where(high >= low, high, -low), flags[RATES[0]]),
            "exact Poisson funnel, 99.8%": poisson_funnel(nation.cells, reference),
            "SHMI over-dispersion, 99.8%": overdispersed_funnel(nation.cells, reference),
        }
        if rivals_in_r:
            methods["shrunken means of glmer, 95%"] = shrunken[reference]
        inside = (np.log(table[f"{name}_ratio_lower"]) <= truth) & (
            truth <= np.log(table[f"{name}_ratio_upper"])
        )
        trials[reference] = Trial(truth, methods, flags, float(inside.mean()), fit.certificate.ok)
    return trials


def proportions(truth: Array, flag: npt.NDArray[np.int64], margin: float = MARGIN) -> tuple[float, float]:
    """False discovery proportion (0 where nothing is flagged) and power of one list.

    A flag is true where the department lies beyond the margin on the flagged side; power is the share found of the
    departments that lie beyond it.
    """
    beyond = np.where(np.abs(truth) > np.log(margin), np.sign(truth), 0.0)
    flagged = flag != 0
    found = flagged & (flag == beyond)
    return float(1.0 - found.sum() / flagged.sum()) if flagged.any() else 0.0, float(
        found.sum() / (beyond != 0).sum()
    )


def over_nations(truths: Sequence[Array], flags: Sequence[npt.NDArray[np.int64]]) -> Array:
    """`proportions` of each nation, (nations, 2)."""
    return np.array([proportions(truth, flag) for truth, flag in zip(truths, flags, strict=True)])


def cut_at(scores: Sequence[Array], cut: float) -> list[npt.NDArray[np.int64]]:
    """Flag all scores beyond one cut, in every nation."""
    return [np.where(np.abs(score) >= cut, np.sign(score), 0).astype(int) for score in scores]


def equal_false_discovery(truths: Sequence[Array], scores: Sequence[Array], wanted: float) -> Array:
    """Proportions at the one cut, the same for all nations, whose mean false discovery proportion is `wanted`.

    The cut is found with knowledge of the truth, which no analyst has: a gift to the rival. The most generous cut that
    keeps the rate is taken.
    """
    pooled = np.unique(np.quantile(np.abs(np.concatenate(scores)), np.linspace(0.5, 1.0, 2_000)))
    low, high = 0, len(pooled) - 1
    while low < high:
        middle = (low + high) // 2
        if over_nations(truths, cut_at(scores, pooled[middle]))[:, 0].mean() <= wanted:
            high = middle
        else:
            low = middle + 1
    return over_nations(truths, cut_at(scores, pooled[low]))


def curve(truths: Sequence[Array], scores: Sequence[Array], points: int = 40) -> Array:
    """Mean false discovery proportion and power as the cut moves, (points, 2)."""
    pooled = np.abs(np.concatenate(scores))
    cuts = np.quantile(pooled, 1.0 - np.geomspace(0.002, 0.6, points))
    return np.array([over_nations(truths, cut_at(scores, cut)).mean(axis=0) for cut in cuts])


def run(nations: int, scenarios: Sequence[str], rivals_in_r: bool) -> dict[str, dict[str, list[Trial]]]:
    """All trials, by scenario and reference; nation i has seed i in every scenario."""
    # One thread a process: nations, not loops, are spread over the cores.
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    results: dict[str, dict[str, list[Trial]]] = {}
    for scenario in scenarios:
        started = time.perf_counter()
        work = partial(run_nation, scenario=scenario, rivals_in_r=rivals_in_r)
        with ProcessPoolExecutor(os.cpu_count()) as pool:
            trials = list(pool.map(work, range(1, nations + 1)))
        results[scenario] = {reference: [trial[reference] for trial in trials] for reference in REFERENCES}
        print(f"{scenario}: {nations} nations in {time.perf_counter() - started:.0f} s", flush=True)
    return results


def summarise(trials: list[Trial]) -> decision_page.Summary:
    """Everything that the page says of one scenario and reference."""
    truths = [trial.truth for trial in trials]
    ours = {rate: over_nations(truths, [trial.flags[rate] for trial in trials]) for rate in RATES}
    rows = {}
    for name in trials[0].methods:
        if name == OURS:
            continue
        scores = [trial.methods[name].score for trial in trials]
        usual = over_nations(truths, [trial.methods[name].flag for trial in trials])
        equal = {
            rate: equal_false_discovery(truths, scores, float(ours[rate][:, 0].mean())) for rate in RATES
        }
        rows[name] = decision_page.RivalRow(usual, equal, curve(truths, scores))
    return decision_page.Summary(
        ours=ours,
        rivals=rows,
        curve=curve(truths, [trial.methods[OURS].score for trial in trials]),
        coverage=np.array([trial.covered for trial in trials]),
        certified=sum(trial.certified for trial in trials),
    )


def main() -> None:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nations", type=int, default=200)
    parser.add_argument("--scenarios", nargs="*", choices=list(SCENARIOS), default=list(SCENARIOS))
    parser.add_argument("--write", action="store_true", help="write docs/decisions.md and its figure")
    arguments = parser.parse_args()
    rivals_in_r = shutil.which("Rscript") is not None
    results = run(arguments.nations, arguments.scenarios, rivals_in_r)
    summaries = {key: summarise(results[key[0]][key[1]]) for key in product(arguments.scenarios, REFERENCES)}
    text = decision_page.text(summaries, arguments.nations, rivals_in_r)
    print(text)
    if arguments.write:
        decision_page.write(text, summaries)


if __name__ == "__main__":
    main()
