"""Do the promises of a rule hold: floors, readings, shares, errors of what was expected? Over nations with a known truth.

`python benchmarks/readings.py --write` writes the tables between its marks in docs/decisions.md.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from documents import DOCS, table, write_section

import brightspots as bs
from brightspots.simulate.nation import simulate_nation

MARGIN = 1.1
SIZE = (60, 12)
RATES = (0.05, 0.10)
FLOORS = (0.5, 0.8)
SHARE = 0.1
SIDES = {"dark spot": 1, "bright spot": -1}

Flags = npt.NDArray[np.int64]
Counts = dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Setting:
    """A kind of nation, how far its expected events are off, and what the fit is told of that."""

    name: str
    nation: Mapping[str, Any] = field(default_factory=dict)
    off: float = 0.0
    expected_sd: float | None = None


HEAVY = {"effects": "contaminated"}
T3 = {"effects": "student_t", "degrees_of_freedom": 3.0}
SETTINGS = (
    *(Setting(f"{n:,.0f} expected events", {"mean_expected": n}) for n in (40.0, 100.0, 400.0, 2_000.0)),
    *(Setting(f"{n:,.0f}, 5% of effects fourfold", {"mean_expected": n, **HEAVY}) for n in (40.0, 400.0)),
    *(Setting(f"{n:,.0f}, t with 3 degrees of freedom", {"mean_expected": n, **T3}) for n in (40.0, 400.0)),
    *(
        Setting(f"{n:,.0f}, expected off by 10%, expected_sd={said}", {"mean_expected": n}, 0.1, said)
        for n in (40.0, 400.0, 2_000.0)
        for said in (None, 0.1)
    ),
)


def one(seed: int, setting: Setting) -> Counts:
    """Parts and wholes of every share, of one nation: flags that are false of those set, and so on."""
    nation = simulate_nation(*SIZE, rating_validity=None, seed=seed, **setting.nation)
    error = np.random.default_rng([seed, 7]).normal(0.0, setting.off, len(nation.cells))
    frame = nation.cells.assign(expected=nation.cells["expected"] * np.exp(error))
    fit = bs.fit_hierarchy(
        frame,
        seed=seed,
        method="integrate",
        expected_sd=setting.expected_sd,
        priors=bs.Priors(effects="normal"),
    )
    truth = {each: nation.truth[f"log_{each}_ratio"].to_numpy() for each in ("own", "peer")}
    found: Counts = {"certified": (float(fit.certificate.ok), 1.0)}
    for rate in RATES:
        for floor in FLOORS:
            rule = bs.SpotRule(margin=MARGIN, fdr=rate, min_probability=floor)
            spots = fit.find_spots(rule)
            for each in truth:
                flags = spots.table[f"{each}_status"].map(SIDES).fillna(0).to_numpy(int)
                found |= _of_flags(f"{each} {rate} {floor}", flags, _beyond(truth[each], np.log(MARGIN)))
    spots = fit.find_spots(bs.SpotRule(margin=MARGIN))
    share = fit.find_spots(bs.SpotRule(share=SHARE)).table
    for each in truth:
        flags = share[f"{each}_status"].map(SIDES).fillna(0).to_numpy(int)
        low, high = np.quantile(truth[each], [SHARE / 2, 1.0 - SHARE / 2])
        found |= _of_flags(f"{each} share", flags, np.where(truth[each] > high, 1, -1 * (truth[each] < low)))
    departments = spots.table
    in_line = (departments["status"] == "in line").to_numpy()
    near = np.maximum(np.abs(truth["own"]), np.abs(truth["peer"])) <= np.log(MARGIN)
    found["in line"] = float(np.sum(in_line & near)), float(np.sum(in_line))
    found["departments in line"] = float(np.sum(in_line)), float(len(in_line))
    peer_dark = (departments["peer_status"] == "dark spot").to_numpy()
    found["peer dark"] = float(np.sum(peer_dark & (truth["peer"] > np.log(MARGIN)))), float(peer_dark.sum())
    for each in truth:
        ends = (np.log(departments[f"{each}_ratio_{end}"].to_numpy()) for end in ("lower", "upper"))
        lower, upper = ends
        inside = (lower <= truth[each]) & (truth[each] <= upper)
        found[f"{each} covered"] = float(inside.sum()), float(len(inside))
    return found | _pairs(spots, nation.truth)


def _beyond(truth: npt.NDArray[np.float64], reach: float) -> Flags:
    return np.where(np.abs(truth) > reach, np.sign(truth), 0.0).astype(int)


def _of_flags(name: str, flags: Flags, truth: Flags) -> Counts:
    """False flags of those set, and true ones of the departments that lie beyond."""
    true = (flags != 0) & (flags == truth)
    n = float(np.sum(flags != 0))
    return {
        f"false {name}": (n - float(true.sum()), n),
        f"power {name}": (float(true.sum()), float(np.sum(truth != 0))),
    }


def _pairs(spots: bs.Spots, truth: pd.DataFrame) -> Counts:
    """Learning pairs said to be truly better with .8 to .9, and those that are; what is said of these on average."""
    pairs = spots.learning_pairs(k=3)
    peer = truth.set_index(["trust", "department"])["log_peer_ratio"]
    dark, partner = (
        peer.loc[list(zip(pairs[trust], pairs["department"], strict=True))].to_numpy()
        for trust in ("trust", "partner_trust")
    )
    said = pairs["p_truly_better"].to_numpy()
    chosen = (said >= 0.8) & (said < 0.9)
    truly = dark - partner > np.log(MARGIN)
    return {
        "pairs": (float(np.sum(chosen & truly)), float(np.sum(chosen))),
        "pairs said": (float(np.sum(said[chosen])), float(np.sum(chosen))),
    }


def run(setting: Setting, nations: int) -> dict[str, npt.NDArray[np.float64]]:
    """Parts and wholes of all nations, (nations, 2) each."""
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    started = time.perf_counter()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for counts in pool.map(partial(one, setting=setting), range(1, nations + 1)):
            for name, pair in counts.items():
                found[name].append(pair)
    print(f"{setting.name}: {nations} nations in {time.perf_counter() - started:.0f} s", flush=True)
    return {name: np.array(pairs) for name, pairs in found.items()}


def mean_share(pairs: npt.NDArray[np.float64]) -> str:
    """Mean over nations of part/whole, 0 where there is no whole: as a false discovery rate is defined."""
    shares = np.divide(pairs[:, 0], pairs[:, 1], out=np.zeros(len(pairs)), where=pairs[:, 1] > 0)
    return f"{100 * shares.mean():.1f} ± {100 * shares.std(ddof=1) / len(shares) ** 0.5:.1f}"


def pooled(pairs: npt.NDArray[np.float64]) -> str:
    """Σ part/Σ whole in percent with its standard error over nations (ratio estimator), and the whole."""
    part, whole = pairs.sum(axis=0)
    if whole == 0:
        return "–"
    ratio = part / whole
    error = np.sqrt(np.sum((pairs[:, 0] - ratio * pairs[:, 1]) ** 2)) / whole
    return f"{100 * ratio:.1f} ± {100 * error:.1f} of {whole:,.0f}"


def text(results: dict[str, dict[str, npt.NDArray[np.float64]]], nations: int) -> str:
    """The tables of the page."""

    def rows(columns: list[tuple[str, Any]]) -> list[list[str]]:
        return [[name, *(form(found[key]) for key, form in columns)] for name, found in results.items()]

    flags = []
    for each, said in (
        ("own", "the other departments of the own trust"),
        ("peer", "the same department nationally"),
    ):
        columns = [
            (f"{what} {each} {rate} {floor}", mean_share)
            for rate in RATES
            for floor in FLOORS
            for what in ("false", "power")
        ]
        head = [
            "nations with",
            *(
                f"{what}, fdr {rate:g}, floor {floor:g}"
                for rate in RATES
                for floor in FLOORS
                for what in ("false", "power")
            ),
        ]
        flags.append(f"Flags against {said}, %:\n\n{table(head, rows(columns))}")
    readings = table(
        ["nations with", "called in line", "of these truly within both", "dark against peers: truly beyond",
         "pairs said .8 to .9: said", "truly better by the margin", "own intervals cover", "peer intervals cover"],
        rows([("departments in line", pooled), ("in line", pooled), ("peer dark", pooled), ("pairs said", pooled),
              ("pairs", pooled), ("own covered", mean_share), ("peer covered", mean_share)]),
    )  # fmt: skip
    share = table(
        ["nations with", "own trust: false", "power", "peers: false", "power"],
        rows(
            [(f"{what} {each} share", mean_share) for each in ("own", "peer") for what in ("false", "power")]
        ),
    )
    certified = sum(found["certified"][:, 0].sum() for found in results.values())
    return "\n\n".join(
        [
            f"{nations} nations of {SIZE[0]} trusts × {SIZE[1]} departments a setting, seeds 1, 2, …; σ between trusts "
            f"0.12, between departments 0.19, between types 0.08; margin {MARGIN}; ± one standard error over nations. "
            f"{certified:,.0f} of {nations * len(results):,} fits earned their certificate; all are counted.",
            *flags,
            f"Readings and pairs (fdr 0.05, floor 0.8), %:\n\n{readings}",
            f"`SpotRule(share={SHARE:g})`, against the most extreme tenth of the nation's own true effects, %:\n\n{share}",
        ]
    )


def main() -> None:
    """Measure, print and, where asked, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nations", type=int, default=200)
    parser.add_argument("--write", action="store_true", help="write the tables into docs/decisions.md")
    arguments = parser.parse_args()
    results = {setting.name: run(setting, arguments.nations) for setting in SETTINGS}
    said = text(results, arguments.nations)
    print(said)
    if arguments.write:
        write_section("readings", said, DOCS / "decisions.md")


if __name__ == "__main__":
    main()
