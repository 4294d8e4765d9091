"""Random numbers of simulated nations: streams, effects, sizes, outcomes and ratings, as arrays.

Everything is drawn by inverting distribution functions at uniform numbers made from the raw bits of a PCG64 generator,
with one stream for each ingredient. NumPy guarantees these bits (NEP 19), so a seed gives the same nation on every
platform and with every version of NumPy. The streams are independent, so changing one ingredient (a σ, the suppression,
the ratings) leaves all others as they were.

T trusts, D departments, P periods.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import IntEnum
from typing import Final, Literal

import numpy as np
import pandas as pd
from scipy import special

from brightspots.common import vocabulary as names
from brightspots.common.arrays import FloatArray, IntArray

EffectShape = Literal["normal", "student_t", "contaminated"]

# Standard deviation of the log size of one department from one period to the next.
_SD_PERIOD_SIZE: Final = 0.05


class Stream(IntEnum):
    """One stream of random bits for each ingredient. Numbers are part of the seed: never renumber."""

    TRUST = 1
    DEPARTMENT = 2
    PERIOD = 3
    TYPE = 4
    TRUST_SIZE = 5
    DEPARTMENT_SIZE = 6
    CELL_SIZE = 7
    PERIOD_SIZE = 8
    PRESENT = 9
    RATING = 10
    COUNT = 11
    TAIL = 12
    TYPE_RATE = 13
    KEPT = 14
    TRUST_TAIL = 15


def uniform_draws(seed: int, stream: Stream, *shape: int) -> FloatArray:
    """Uniform numbers strictly between 0 and 1, from the top 52 of each 64 random bits."""
    bits = np.random.PCG64(np.random.SeedSequence([seed, int(stream)])).random_raw(math.prod(shape))
    return ((bits >> np.uint64(12)).astype(np.float64) + 0.5).reshape(shape) * 2.0**-52


def normal_draws(seed: int, stream: Stream, *shape: int) -> FloatArray:
    """Draw standard normal numbers, of the shape given."""
    return np.asarray(special.ndtri(uniform_draws(seed, stream, *shape)), dtype=np.float64)


def standard_effects(
    seed: int,
    streams: tuple[Stream, Stream],
    shape: tuple[int, ...],
    effects: EffectShape,
    degrees_of_freedom: float,
    contamination_share: float,
    contamination_scale: float,
) -> FloatArray:
    """Draw effects in units of their σ, from one stream, and who is exceptional from the other."""
    if effects == "student_t":
        uniform = uniform_draws(seed, streams[0], *shape)
        standard = np.asarray(special.stdtrit(degrees_of_freedom, uniform), dtype=np.float64)
        return standard * math.sqrt((degrees_of_freedom - 2.0) / degrees_of_freedom)
    standard = normal_draws(seed, streams[0], *shape)
    if effects == "contaminated":
        outlying = uniform_draws(seed, streams[1], *shape) < contamination_share
        standard = np.where(outlying, contamination_scale * standard, standard)
    return standard


def rows_present(
    seed: int, shape: tuple[int, int, int], missing_departments: float
) -> tuple[IntArray, IntArray, IntArray]:
    """Trust, department and period of each row: the departments that each trust has, in every period."""
    trusts, departments, periods = shape
    present = uniform_draws(seed, Stream.PRESENT, trusts, departments) >= missing_departments
    # A trust without departments, and a department without trusts, gets one at random.
    kept = uniform_draws(seed, Stream.KEPT, trusts, departments)
    bare_trusts = np.flatnonzero(~present.any(axis=1))
    present[bare_trusts, kept[bare_trusts].argmax(axis=1)] = True
    bare_departments = np.flatnonzero(~present.any(axis=0))
    present[kept[:, bare_departments].argmax(axis=0), bare_departments] = True
    trust, department = np.nonzero(present)
    period = np.arange(periods, dtype=np.int64)
    return np.repeat(trust, periods), np.repeat(department, periods), np.tile(period, len(trust))


def expected_events(
    seed: int,
    shape: tuple[int, int, int],
    mean_expected: float,
    sd_trust_size: float,
    sd_department_size: float,
    sd_cell_size: float,
) -> FloatArray:
    """Draw expected events, (T, D, P): the product of log-normal sizes of trust, department type, cell and period.

    Their expectation is `mean_expected`.
    """
    trusts, departments, periods = shape
    log_size = (
        sd_trust_size * normal_draws(seed, Stream.TRUST_SIZE, trusts, 1, 1)
        + sd_department_size * normal_draws(seed, Stream.DEPARTMENT_SIZE, 1, departments, 1)
        + sd_cell_size * normal_draws(seed, Stream.CELL_SIZE, trusts, departments, 1)
    )
    variance = sd_trust_size**2 + sd_department_size**2 + sd_cell_size**2
    if periods > 1:
        log_size = log_size + _SD_PERIOD_SIZE * normal_draws(seed, Stream.PERIOD_SIZE, *shape)
        variance += _SD_PERIOD_SIZE**2
    return mean_expected * np.exp(log_size - variance / 2.0)


def suppress_counts(outcome: pd.DataFrame, interval: tuple[int, int]) -> pd.DataFrame:
    """Withhold the counts inside the closed interval: `observed` is missing there, with bounds beside it."""
    count = outcome[names.OBSERVED]
    hidden = count.between(*interval)
    upper = count.mask(hidden, interval[1])
    if names.DENOMINATOR in outcome:
        upper = upper.clip(upper=outcome[names.DENOMINATOR])
    return outcome.assign(
        **{
            names.OBSERVED: count.astype(np.float64).mask(hidden),
            names.OBSERVED_LOWER: count.mask(hidden, interval[0]),
            names.OBSERVED_UPPER: upper,
        }
    )


def latent_rating(seed: int, trust_effect: FloatArray, sd_trust: float, validity: float) -> FloatArray:
    """Latent rating of each trust, (T,): standard normal, higher is better, correlation `validity` with −u."""
    trusts = len(trust_effect)
    # Where σ_trust = 0 there is no quality to rate: standard normal numbers take the place of −u/σ.
    quality = normal_draws(seed, Stream.TRUST, trusts) if sd_trust == 0 else -trust_effect / sd_trust
    return validity * quality + math.sqrt(1.0 - validity**2) * normal_draws(seed, Stream.RATING, trusts)


def cut_bands(latent: FloatArray, frequencies: Mapping[str, float]) -> pd.Categorical:
    """Cut a latent rating (T,) into ordered bands, worst first, at the quantiles that give each band its share."""
    cumulative = np.cumsum(list(frequencies.values()))
    upper_rank = np.rint(cumulative / cumulative[-1] * len(latent))
    rank = np.argsort(np.argsort(latent, kind="stable"), kind="stable")
    bands = np.array(list(frequencies), dtype=object)[np.searchsorted(upper_rank, rank, side="right")]
    return pd.Categorical(bands, categories=list(frequencies), ordered=True)


def cell_estimands(
    trust_effect: FloatArray,
    department_effect: FloatArray,
    type_effect: FloatArray,
    row: tuple[IntArray, IntArray],
    row_weight: FloatArray,
) -> pd.DataFrame:
    """True effects and log ratios of every cell that exists, sorted by trust and department.

    Parameters
    ----------
    trust_effect : float array (T,)
    department_effect : float array (T, D)
    type_effect : float array (D, P)
    row : tuple of int array (N,)
        Trust and department of each row.
    row_weight : float array (N,)
        Weight of a row in means over its trust: expected events, or inverse variance.
    """
    weight = np.zeros(department_effect.shape)
    np.add.at(weight, row, row_weight)
    exists = weight > 0
    has_others = exists & (exists.sum(axis=1, keepdims=True) > 1)
    weighted = weight * department_effect
    others = weight.sum(axis=1, keepdims=True) - weight
    mean_of_others = np.full(weight.shape, np.nan)
    np.divide(weighted.sum(axis=1, keepdims=True) - weighted, others, out=mean_of_others, where=has_others)
    trust, department = np.nonzero(exists)
    effect = department_effect[exists]
    return pd.DataFrame(
        {
            names.TRUST_EFFECT: trust_effect[trust],
            names.DEPARTMENT_EFFECT: effect,
            names.DEPARTMENT_TYPE_EFFECT: type_effect.mean(axis=1)[department],
            "log_peer_ratio": trust_effect[trust] + effect,
            "log_own_ratio": effect - mean_of_others[exists],
            names.EXPECTED: weight[exists],
        }
    )
