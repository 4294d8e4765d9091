"""Nations with a known truth: trusts × departments (× periods) drawn from the model that the library fits.

A seed gives the same nation on every platform and with every version of NumPy, and changing one ingredient (a σ, the
suppression, the ratings) leaves the random numbers of the others as they were: see `simulate.draws`.

``python -m brightspots.simulate data_samples/nation.csv.gz`` writes the nation that ships as a sample.
"""

from __future__ import annotations

import argparse
import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import special

from brightspots.common import vocabulary as names
from brightspots.common.arguments import checked
from brightspots.common.arrays import FloatArray, IntArray
from brightspots.common.settings import check_seed
from brightspots.likelihood.families import family_of
from brightspots.simulate.design import DEPARTMENT_NAMES, Design
from brightspots.simulate.draws import (
    EffectShape,
    Stream,
    cell_estimands,
    cut_bands,
    expected_events,
    latent_rating,
    normal_draws,
    rows_present,
    standard_effects,
    suppress_counts,
    uniform_draws,
)

# Share of each band among the 243 rated organisations of the Care Quality Commission's file of 2013–2019.
CQC_FREQUENCIES: Final[Mapping[str, float]] = MappingProxyType(
    dict(zip(names.CQC_RATINGS, (6 / 243, 88 / 243, 126 / 243, 23 / 243), strict=True))
)

# Standard deviation of the logit of a department type's base rate (binomial).
_SD_TYPE_RATE: Final = 0.5

_SAMPLE_SEED: Final = 20210401

# Trust, department and period of each row, (R,) each.
Rows = tuple[IntArray, IntArray, IntArray]


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
        # A MappingProxyType cannot be pickled; a dict can.
        return Nation, (self.cells, self.truth, self.row_truth, self.trusts, dict(self.parameters))


@checked
def simulate_nation(
    trusts: int = 120,
    departments: int | Sequence[str] = 20,
    periods: int | Sequence[int] | Sequence[str] | None = None,
    *,
    family: names.FamilyName = "poisson",
    intercept: float = 0.0,
    sd_trust: float = 0.12,
    sd_department: float | Sequence[float] = 0.19,
    sd_period: float = 0.08,
    sd_department_type: float = 0.08,
    effects: EffectShape = "normal",
    trust_effects: EffectShape = "normal",
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
        Standard deviations of u, v, w and a. `sd_department` may be a sequence, one for each department type.
        `sd_period` is used with periods only; a is then drawn afresh for each department type and period.
    effects, trust_effects : {"normal", "student_t", "contaminated"}
        Distribution of the department effects v and of the trust effects u. `student_t` is scaled so that
        `sd_department` (`sd_trust`) stays its standard deviation; `contaminated` multiplies a random share of normal
        effects by a constant.
    degrees_of_freedom : float, default 4
        Of `student_t`; above 2.
    contamination_share, contamination_scale : float, default 0.05 and 4
        Share of departments (trusts) whose effect is multiplied, and by what.
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
    given_seed = check_seed(seed)
    design = Design(
        trusts=trusts,
        departments=departments,
        periods=periods,
        family=family,
        intercept=intercept,
        sd_trust=sd_trust,
        sd_department=sd_department,
        sd_period=sd_period,
        sd_department_type=sd_department_type,
        effects=effects,
        trust_effects=trust_effects,
        degrees_of_freedom=degrees_of_freedom,
        contamination_share=contamination_share,
        contamination_scale=contamination_scale,
        mean_expected=mean_expected,
        sd_trust_size=sd_trust_size,
        sd_department_size=sd_department_size,
        sd_cell_size=sd_cell_size,
        base_rate=base_rate,
        missing_departments=missing_departments,
        rating_validity=rating_validity,
        rating_frequencies=rating_frequencies,
        suppress=suppress,
        seed=_drawn_seed() if given_seed is None else given_seed,
    )
    return _simulate(design)


def _simulate(design: Design) -> Nation:
    """Draw effects, sizes and outcomes; return the data that an analyst would see, and the truth."""
    effects = _draw_effects(design)
    sizes = expected_events(
        design.seed, design.shape, design.mean_expected, design.sd_trust_size, design.sd_department_size,
        design.sd_cell_size,
    )  # fmt: skip
    row = rows_present(design.seed, design.shape, design.missing_departments)
    log_ratio = effects.log_ratio(row, design.intercept)
    outcome = _draw_outcome(design, row, sizes[row], log_ratio)
    weight = outcome[names.EXPECTED].to_numpy() if names.EXPECTED in outcome else sizes[row]

    keys = _keys(design, row)
    shown = outcome if design.suppress is None else suppress_counts(outcome, design.suppress)
    cells = pd.concat([keys, shown], axis=1)
    trusts = pd.DataFrame({names.TRUST: design.trust_labels, names.TRUST_EFFECT: effects.trust})
    if design.rating_validity is not None:
        latent = latent_rating(design.seed, effects.trust, design.sd_trust, design.rating_validity)
        trusts["latent_rating"] = latent
        cells[names.RATING] = cut_bands(latent, design.rating_frequencies)[row[0]]
    cells.attrs["notes"] = (
        f"Simulated by brightspots with seed {design.seed}: no real trust, no real patient.",
    )
    row_truth = pd.DataFrame(
        {
            names.DEPARTMENT_TYPE_EFFECT: effects.department_type[row[1:]],
            "period_effect": effects.period[row],
            "log_ratio": log_ratio,
            outcome.columns[0]: outcome.iloc[:, 0],
        }
    )
    estimands = cell_estimands(effects.trust, effects.department, effects.department_type, row[:2], weight)
    cell_keys = keys[[names.TRUST, names.DEPARTMENT]].drop_duplicates(ignore_index=True)
    truth = pd.concat([cell_keys, estimands], axis=1)
    return Nation(cells, truth, row_truth, trusts, vars(design))


@dataclass(frozen=True, eq=False)
class _Effects:
    """u (T,), v (T, D), a (D, P) and w (T, D, P), on the logarithm (of estimates: on their scale)."""

    trust: FloatArray
    department: FloatArray
    department_type: FloatArray
    period: FloatArray

    def log_ratio(self, row: Rows, intercept: float) -> FloatArray:
        """η without its offset: intercept + a + u + v + w of some rows, given by trust, department and period."""
        trust, department, period = row
        return (
            intercept
            + self.department_type[department, period]
            + self.trust[trust]
            + self.department[trust, department]
            + self.period[row]
        )


def _draw_effects(design: Design) -> _Effects:
    seed, shape = design.seed, design.shape
    tails = design.degrees_of_freedom, design.contamination_share, design.contamination_scale
    trust = standard_effects(seed, (Stream.TRUST, Stream.TRUST_TAIL), shape[:1], design.trust_effects, *tails)
    department = standard_effects(seed, (Stream.DEPARTMENT, Stream.TAIL), shape[:2], design.effects, *tails)
    return _Effects(
        design.sd_trust * trust,
        np.asarray(design.sd_department) * department,
        design.sd_department_type * normal_draws(seed, Stream.TYPE, *shape[1:]),
        (0.0 if design.periods is None else design.sd_period) * normal_draws(seed, Stream.PERIOD, *shape),
    )


def _draw_outcome(design: Design, row: Rows, size: FloatArray, log_ratio: FloatArray) -> pd.DataFrame:
    """Columns of outcomes and sizes of each row, (R,) each; see `Family.draw`."""
    uniform = uniform_draws(design.seed, Stream.COUNT, *design.shape)[row]
    deviation = normal_draws(design.seed, Stream.TYPE_RATE, design.shape[1])
    type_logit = special.logit(design.base_rate) + _SD_TYPE_RATE * deviation
    rate = np.asarray(special.expit(type_logit), dtype=np.float64)[row[1]]
    return pd.DataFrame(family_of(design.family).draw(uniform, size, log_ratio, rate))


def _keys(design: Design, row: Rows) -> pd.DataFrame:
    """The labels of each row."""
    trust, department, period = row
    labels = design.trust_labels
    keys = pd.DataFrame(
        {
            names.TRUST: labels[trust],
            names.TRUST_NAME: np.array([f"Simulated Trust {label[1:]}" for label in labels])[trust],
            names.DEPARTMENT: design.department_labels[department],
        }
    )
    if design.period_labels is not None:
        keys[names.PERIOD] = np.asarray(design.period_labels)[period]
    return keys


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


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the sample "nation" to the path given."""
    parser = argparse.ArgumentParser(prog="python -m brightspots.simulate", description=main.__doc__)
    parser.add_argument("path", type=Path, help="where to write, for example data_samples/nation.csv.gz")
    write_sample(parser.parse_args(arguments).path)
