"""Nations with a known truth: trusts × departments (× periods) drawn from the model that the library fits.

A seed means the same nation on every platform and every NumPy, and changing one ingredient (a σ, the
suppression, the ratings) leaves what the others are drawn from as it was: see `simulated_draws`.

``python -m brightspots.simulate data_samples/nation.csv.gz`` writes the nation that ships as a sample.
"""

from __future__ import annotations

import argparse
import gzip
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, get_args

import numpy as np
import pandas as pd
from scipy import special

from brightspots.common import vocabulary as names
from brightspots.common.arguments import checked
from brightspots.common.errors import SettingsError
from brightspots.common.settings import check_probability, check_seed
from brightspots.data.cells import LabelArray
from brightspots.simulate.draws import (
    EffectShape,
    Stream,
    cell_estimands,
    cut_bands,
    draw_outcomes,
    expected_events,
    latent_rating,
    normal_draws,
    rows_present,
    standard_effects,
    suppress_counts,
    uniform_draws,
)

DEPARTMENT_NAMES: Final = (
    "Cardiology", "General surgery", "Stroke medicine", "Trauma and orthopaedics", "Respiratory medicine",
    "Gastroenterology", "Urology", "Geriatric medicine", "Acute medicine", "Vascular surgery",
    "Renal medicine", "Haematology", "Medical oncology", "Neurology", "Gynaecology", "Critical care",
    "Diabetes and endocrinology", "Colorectal surgery", "Ear, nose and throat", "Emergency medicine",
    "Rheumatology", "Cardiac surgery", "Neurosurgery", "Infectious diseases",
)  # fmt: skip

# Share of each band among the 243 rated organisations of the Care Quality Commission's file of 2013–2019.
CQC_FREQUENCIES: Final[Mapping[str, float]] = MappingProxyType(
    dict(zip(names.CQC_RATINGS, (6 / 243, 88 / 243, 126 / 243, 23 / 243), strict=True))
)

# Standard deviation of the logit of a department type's base rate (binomial).
_SD_TYPE_RATE: Final = 0.5

# Units of one kind; beyond it a number is a mistake, and memory would not hold the nation.
_MOST_UNITS: Final = 1_000_000
_MOST_EXPECTED: Final = 1_000_000_000
# Logarithms: e¹⁰ between units one standard deviation apart is beyond all that is counted.
_MOST_SD: Final = 10.0
_SAMPLE_SEED: Final = 20210401


@dataclass(frozen=True, eq=False)
class Nation:
    """A simulated nation and the truth behind it.

    Parameters
    ----------
    cells : pandas.DataFrame
        What an analyst would be given, one row per trust × department (× period), sorted: `trust, trust_name,
        department[, period]`, then `observed, expected` (poisson), `observed, denominator, expected`
        (binomial) or `estimate, standard_error` (normal); `observed_lower, observed_upper` where counts are
        suppressed (`observed` is then missing); `rating`, an ordered categorical, where there are ratings.
    truth : pandas.DataFrame
        One row per trust × department: `trust, department, trust_effect` (u), `department_effect` (v),
        `department_type_effect` (a, its mean over periods), `log_peer_ratio` (u + v), `log_own_ratio`
        (v minus the mean v of the other departments of the trust weighed by their expected events; missing
        for a trust's only department), `expected` (summed over periods).
    row_truth : pandas.DataFrame
        Row by row of `cells`: `department_type_effect`, `period_effect` (w, 0 without periods), `log_ratio`
        (η without its offset) and `observed` before suppression (or the estimate).
    trusts : pandas.DataFrame
        One row per trust: `trust, trust_effect`, and `latent_rating` (higher is better) where there
        are ratings.
    parameters : mapping
        Every argument of `simulate_nation` as used, the seed included.
    """

    cells: pd.DataFrame
    truth: pd.DataFrame
    row_truth: pd.DataFrame
    trusts: pd.DataFrame
    parameters: Mapping[str, Any]

    def __post_init__(self) -> None:
        plain = {
            name: dict(value) if isinstance(value, Mapping) else value
            for name, value in self.parameters.items()
        }
        object.__setattr__(self, "parameters", MappingProxyType(plain))

    def __reduce__(self) -> tuple[type[Nation], tuple[Any, ...]]:
        # A view that cannot be written to cannot be pickled either.
        return Nation, (self.cells, self.truth, self.row_truth, self.trusts, dict(self.parameters))


@checked
def simulate_nation(
    trusts: int = 120,
    departments: int | Sequence[str] = 20,
    periods: int | Sequence[int] | Sequence[str] | None = None,
    *,
    family: names.Family = "poisson",
    intercept: float = 0.0,
    sd_trust: float = 0.12,
    sd_department: float = 0.19,
    sd_period: float = 0.08,
    sd_department_type: float = 0.08,
    effects: EffectShape = "normal",
    degrees_of_freedom: float = 4.0,
    contamination_share: float = 0.05,
    contamination_scale: float = 4.0,
    mean_expected: float = 40.0,
    sd_trust_size: float = 0.5,
    sd_department_size: float = 0.7,
    sd_cell_size: float = 0.3,
    base_rate: float = 0.05,
    missing_departments: float = 0.1,
    rating_validity: float | None = 0.5,
    rating_frequencies: Mapping[str, float] = CQC_FREQUENCIES,
    suppress: tuple[int, int] | None = None,
    seed: int | None = None,
) -> Nation:
    """Simulate outcomes by trust × department (× period) with a known truth.

    The model is η = intercept + a + u + v (+ w with periods), as in `fit_hierarchy`.

    Parameters
    ----------
    trusts : int, default 120
        How many. Identifiers are `T001`, `T002`, …: longer than any real trust code.
    departments : int or sequence of str, default 20
        How many, or their names.
    periods : int or sequence, optional
        How many (labelled 1, 2, …), or their labels. None simulates no periods.
    family : {"poisson", "binomial", "normal"}
        Poisson counts around E·exp(η); binomial counts of n around logit⁻¹(logit(E/n) + η); estimates
        of η with standard error E^(−½).
    intercept : float, default 0
        National level of η.
    sd_trust, sd_department, sd_period, sd_department_type : float
        Standard deviations of u, v, w and a. `sd_period` is used with periods only; a is then drawn
        afresh for each department type and period.
    effects : {"normal", "student_t", "contaminated"}
        Distribution of the department effects v. `student_t` is scaled so that `sd_department` stays its
        standard deviation; `contaminated` multiplies a random share of normal effects by a constant.
    degrees_of_freedom : float, default 4
        Of `student_t`; above 2.
    contamination_share, contamination_scale : float, default 0.05 and 4
        Share of departments whose effect is multiplied, and by what.
    mean_expected : float, default 40
        Expected events of a cell in one period, on average over sizes.
    sd_trust_size, sd_department_size, sd_cell_size : float
        Standard deviations of the logarithms of trust size, department-type size and what is particular to a
        cell; a cell's size is their product. Trusts and departments of equal size: 0, 0, 0.
    base_rate : float, default 0.05
        Binomial: events per person nationally; department types differ around it (standard deviation 0.5
        on the logit scale).
    missing_departments : float, default 0.1
        Probability that a trust does not have a department. Every trust keeps at least one, every department
        is in at least one trust.
    rating_validity : float or None, default 0.5
        Correlation between the latent rating (higher is better) and the trust effect with its sign changed,
        so that better trusts tend to be rated higher. Between −1 and 1; None gives no ratings.
    rating_frequencies : mapping, default as in England
        Share of trusts in each band, worst band first. Bands are cut in the nation at hand: the counts of
        trusts are these shares, rounded.
    suppress : (lower, upper), optional
        Counts within this closed interval are withheld and given as the interval, for example (1, 7).
    seed : int, optional
        The same seed gives the same nation. Without one it is drawn, and kept in `Nation.parameters`.

    Returns
    -------
    Nation

    Raises
    ------
    SettingsError
        Where an argument lies outside its range.

    Examples
    --------
    >>> nation = simulate_nation(3, ["Cardiology", "Stroke medicine"], mean_expected=200, seed=1)
    >>> list(nation.cells.columns)
    ['trust', 'trust_name', 'department', 'observed', 'expected', 'rating']
    """
    parameters = dict(locals())  # the arguments, and nothing else yet
    given_seed = check_seed(seed)
    _check_arguments(parameters)
    seed = _drawn_seed() if given_seed is None else given_seed
    parameters["seed"] = seed
    department_labels = _department_labels(departments)
    period_labels = _period_labels(periods)
    shape = (trusts, len(department_labels), len(period_labels or (0,)))

    trust_effect = sd_trust * normal_draws(seed, Stream.TRUST, trusts)
    department_effect = sd_department * standard_effects(
        seed, shape[:2], effects, degrees_of_freedom, contamination_share, contamination_scale
    )
    type_effect = sd_department_type * normal_draws(seed, Stream.TYPE, *shape[1:])
    passing = (sd_period if period_labels else 0.0) * normal_draws(seed, Stream.PERIOD, *shape)
    sizes = expected_events(seed, shape, mean_expected, sd_trust_size, sd_department_size, sd_cell_size)

    row = rows_present(seed, shape, missing_departments)
    row_trust, row_department, row_period = row
    log_ratio = (
        intercept + type_effect[row_department, row_period] + trust_effect[row_trust]
        + department_effect[row_trust, row_department] + passing[row]
    )  # fmt: skip
    uniform = uniform_draws(seed, Stream.COUNT, *shape)[row]
    type_logit = special.logit(base_rate) + _SD_TYPE_RATE * normal_draws(seed, Stream.TYPE_RATE, shape[1])
    rate = np.asarray(special.expit(type_logit), dtype=np.float64)[row_department]
    outcome = draw_outcomes(family, uniform, sizes[row], log_ratio, rate)
    weight = sizes[row] if family == "normal" else outcome[names.EXPECTED].to_numpy()

    trust_labels = _trust_labels(trusts)
    trust_frame = pd.DataFrame({names.TRUST: trust_labels, names.TRUST_EFFECT: trust_effect})
    keys = pd.DataFrame(
        {
            names.TRUST: trust_labels[row_trust],
            names.TRUST_NAME: np.array([f"Simulated Trust {label[1:]}" for label in trust_labels])[row_trust],
            names.DEPARTMENT: department_labels[row_department],
        }
    )
    if period_labels is not None:
        keys[names.PERIOD] = np.asarray(period_labels)[row_period]
    cells = pd.concat([keys, outcome if suppress is None else suppress_counts(outcome, suppress)], axis=1)
    if rating_validity is not None:
        latent = latent_rating(seed, trust_effect, sd_trust, rating_validity)
        trust_frame["latent_rating"] = latent
        cells[names.RATING] = cut_bands(latent, rating_frequencies)[row_trust]
    cells.attrs["notes"] = (f"Simulated by brightspots with seed {seed}: no real trust, no real patient.",)

    row_truth = pd.DataFrame(
        {
            names.DEPARTMENT_TYPE_EFFECT: type_effect[row_department, row_period],
            "period_effect": passing[row],
            "log_ratio": log_ratio,
            outcome.columns[0]: outcome.iloc[:, 0],
        }
    )
    estimands = cell_estimands(trust_effect, department_effect, type_effect, row[:2], weight)
    cell_keys = keys[[names.TRUST, names.DEPARTMENT]].drop_duplicates(ignore_index=True)
    truth = pd.concat([cell_keys, estimands], axis=1)
    return Nation(cells, truth, row_truth, trust_frame, parameters)


def sample_nation() -> Nation:
    """Simulate the nation that ships as the sample "nation", from its stated seed."""
    return simulate_nation(
        120, DEPARTMENT_NAMES[:20], (2021, 2022, 2023, 2024), missing_departments=0.1, seed=_SAMPLE_SEED
    )  # fmt: skip


def write_sample(path: Path) -> None:
    """Write the cells of `sample_nation` as gzipped CSV: expected to two decimals, no time stamp."""
    text = sample_nation().cells.to_csv(index=False, float_format="%.2f", lineterminator="\n")
    path.write_bytes(gzip.compress(text.encode("utf-8"), mtime=0))


def _drawn_seed() -> int:
    """Draw a seed from the system's entropy, small enough to be typed again."""
    return int(np.random.SeedSequence().generate_state(1)[0])


def _trust_labels(trusts: int) -> LabelArray:
    width = max(3, len(str(trusts)))
    return np.array([f"T{number:0{width}d}" for number in range(1, trusts + 1)], dtype=object)


def _department_labels(departments: int | Sequence[str]) -> LabelArray:
    if not isinstance(departments, int):
        return np.array(departments, dtype=object)
    numbered = (f"Department {number:03d}" for number in range(len(DEPARTMENT_NAMES) + 1, departments + 1))
    return np.array([*DEPARTMENT_NAMES[:departments], *numbered], dtype=object)


def _period_labels(periods: int | Sequence[int] | Sequence[str] | None) -> tuple[int | str, ...] | None:
    if periods is None:
        return None
    return tuple(range(1, periods + 1)) if isinstance(periods, int) else tuple(periods)


def _check_arguments(given: Mapping[str, Any]) -> None:
    """Refuse what lies outside its range, quoting what was received."""

    def require(name: str, holds: bool, wanted: str) -> None:
        if not holds:
            raise SettingsError(f"{name} must be {wanted}; received {given[name]!r}")

    def is_number(value: object) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

    for name in ("trusts", "departments", "periods"):
        value = given[name]
        labels = name != "trusts" and isinstance(value, Sequence) and not isinstance(value, str)
        if labels:
            require(name, 0 < len(value) == len(set(value)), "labels that differ from each other")
        elif value is not None or name != "periods":
            whole = isinstance(value, int) and not isinstance(value, bool) and value > 0
            wanted = "a positive whole number"
            require(name, whole, wanted if name == "trusts" else f"{wanted} or a sequence of labels")
            require(name, value <= _MOST_UNITS, f"at most {_MOST_UNITS:,}")
    for name, literal in (("family", names.Family), ("effects", EffectShape)):
        require(name, given[name] in get_args(literal), f"one of {', '.join(get_args(literal))}")
    require("intercept", is_number(given["intercept"]), "a finite number")
    require("intercept", abs(given["intercept"]) <= _MOST_SD, f"from -{_MOST_SD:g} to {_MOST_SD:g}")
    for name in given:
        if name.startswith("sd_"):
            require(name, is_number(given[name]) and given[name] >= 0, "a finite number of at least 0")
            require(name, given[name] <= _MOST_SD, f"at most {_MOST_SD:g}, on the scale of logarithms")
    for name, above in (("degrees_of_freedom", 2), ("contamination_scale", 0), ("mean_expected", 0)):
        require(name, is_number(given[name]) and given[name] > above, f"a finite number above {above}")
    require("mean_expected", given["mean_expected"] <= _MOST_EXPECTED, f"at most {_MOST_EXPECTED:,}")
    check_probability("base_rate", given["base_rate"])
    for name in ("contamination_share", "missing_departments"):
        require(name, is_number(given[name]) and 0 <= given[name] < 1, "a number from 0 to below 1")
    validity = given["rating_validity"]
    valid = validity is None or (is_number(validity) and -1 <= validity <= 1)
    require("rating_validity", valid, "None or between -1 and 1")
    shares = given["rating_frequencies"]
    usable = isinstance(shares, Mapping) and all(is_number(share) and share >= 0 for share in shares.values())
    usable = usable and sum(shares.values()) > 0
    require("rating_frequencies", usable, "a mapping from band to share, worst first")
    if given["suppress"] is not None:
        ends = given["suppress"]
        pair = isinstance(ends, tuple) and len(ends) == 2 and all(isinstance(end, int) for end in ends)
        require(
            "suppress", pair and 0 <= ends[0] <= ends[1], "(lower, upper), whole numbers, 0 ≤ lower ≤ upper"
        )
        require("suppress", given["family"] != "normal", "None for estimates, which are not counts")


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the sample "nation" to the path given."""
    parser = argparse.ArgumentParser(prog="python -m brightspots.simulate", description=main.__doc__)
    parser.add_argument("path", type=Path, help="where to write, for example data_samples/nation.csv.gz")
    write_sample(parser.parse_args(arguments).path)
