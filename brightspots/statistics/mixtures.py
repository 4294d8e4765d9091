"""Estimands of departments averaged over the distributions that their effects were drawn from, not over draws of them.

Given a draw of the shared parameters and of the trust's effect u, the effects v of its departments are independent and
nearly normal, and so are u + v and D, sums of them. What is wanted of a department is then a property of a mixture of S
nearly normal distributions: its mean, its tails, its quantiles (Rao & Blackwell; Gelfand & Smith 1990, JASA 85:398).
"""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

import numpy as np
from scipy import special

from brightspots.common.arrays import FloatArray
from brightspots.data.cells import Cells
from brightspots.engine.posterior import EffectBlock

# Integrals (a cell at a draw) from which compiled loops win by more than a first compilation may cost.
_COMPILE_FROM = 100_000
_LEAST_SD = 1e-12


class Mixture(NamedTuple):
    """S nearly normal distributions of each of n quantities, of equal weight, (n, S) each."""

    location: FloatArray
    sd: FloatArray
    skewness: FloatArray
    kurtosis: FloatArray


class Described(NamedTuple):
    """Mean, central interval, P(> reach), P(< −reach) and standard deviation of n mixtures, (n,) each."""

    mean: FloatArray
    lower: FloatArray
    upper: FloatArray
    above: FloatArray
    below: FloatArray
    sd: FloatArray


class Total(NamedTuple):
    """Mean counts of n cells as functions of v, for S draws.

    Parameters
    ----------
    level : (n, S)
        Count of a cell at the level of the other departments of its trust.
    people : (n,)
        Largest count; infinite where there is none.
    centre : (n, S)
        Logarithm of the count at the mean of v; its logit, as a share of the people, where these bound it.
    slope, bend : (n, S) or (1, S)
        How that depends on v less its mean: centre + slope·v + bend·v².
    """

    level: FloatArray
    people: FloatArray
    centre: FloatArray
    slope: FloatArray
    bend: FloatArray

    def at(self, effect: FloatArray) -> FloatArray:
        """Counts at effects v less their means, (n, S)."""
        predictor = self.centre + (self.slope + self.bend * effect) * effect
        if np.isinf(self.people).all():
            return np.exp(predictor)
        return np.asarray(self.people[:, np.newaxis] * special.expit(predictor))


def loops_for(cells: Cells, n_draws: int) -> ModuleType:
    """Compiled loops, or their plain twins for a small table."""
    if cells.n_cells * n_draws < _COMPILE_FROM:
        from brightspots.statistics import mixture_loops_plain

        return mixture_loops_plain
    from brightspots.statistics import mixture_loops_compiled

    return mixture_loops_compiled


def of_department(block: EffectBlock) -> Mixture:
    """V given all else, (cells, S)."""
    assert block.conditional is not None  # asked only of blocks that have it
    return Mixture(*(np.ascontiguousarray(part, dtype=np.float64) for part in block.conditional))


def of_peer(department: Mixture, trust_effect: FloatArray, slice_variance: FloatArray) -> Mixture:
    """U + v, (cells, S), from v given u; u taken as anything in the slice that each draw stands for.

    Parameters
    ----------
    department : Mixture
    trust_effect, slice_variance : (cells, S)
        Draws of u of each cell's trust, and the variance of u within its slice.
    """
    away = trust_effect - trust_effect.mean(axis=1, keepdims=True)
    spread = np.sum(away * away, axis=1)
    # By how much v is taken to fall where u rises.
    slope = np.sum(department.location * away, axis=1) / np.where(spread > 0.0, spread, 1.0)
    left = (1.0 + np.clip(slope, -1.0, 0.0)) ** 2
    variance = department.sd**2
    sd = np.sqrt(variance + left[:, np.newaxis] * slice_variance)
    share = department.sd / np.maximum(sd, _LEAST_SD)
    return Mixture(
        trust_effect + department.location,
        sd,
        department.skewness * share**3,
        department.kurtosis * share**4,
    )


def of_contrast(cells: Cells, block: EffectBlock, department: Mixture) -> Mixture:
    """D = v_d − Σ_{e≠d} ω_e·v_e, (cells, S), by the cumulants of independent v; NaN for a trust's only department."""
    starts = cells.trust_cells[block.trusts] - block.cells.start
    trust = cells.cell_trust[block.cells] - block.trusts.start
    weight = cells.weight[block.cells]
    others_weight = np.add.reduceat(weight, starts)[trust] - weight
    others_weight[np.bincount(trust)[trust] == 1] = np.nan

    def others(values: FloatArray, power: int) -> FloatArray:
        weighted = (weight**power)[:, np.newaxis] * values
        return (np.add.reduceat(weighted, starts, axis=0)[trust] - weighted) / (others_weight**power)[
            :, np.newaxis
        ]

    variance = department.sd**2
    third, fourth = department.skewness * variance * department.sd, department.kurtosis * variance**2
    of_all = variance + np.maximum(others(variance, 2), 0.0)
    safe = np.maximum(of_all, _LEAST_SD**2)
    return Mixture(
        department.location - others(department.location, 1),
        np.sqrt(of_all),
        (third - others(third, 3)) / (safe * np.sqrt(safe)),
        (fourth + others(fourth, 4)) / safe**2,
    )


def describe(mixture: Mixture, reach: float, probability: float, loops: ModuleType) -> Described:
    """Summarise mixtures: NaN throughout where a location is NaN.

    Parameters
    ----------
    mixture : Mixture
    reach : float
    probability : float
        Of the central interval.
    loops : module
        As from `loops_for`.
    """
    tail = (1.0 - probability) / 2.0
    mean, lower, upper, above, below, sd = loops.describe(*mixture, reach, tail, float(special.ndtri(tail)))
    return Described(mean, lower, upper, above, below, sd)


def beyond_both(
    department: Mixture, trust_effect: FloatArray, others: FloatArray, reach: float, loops: ModuleType
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """P(u + v and D both above the margin), both below, and both within, (cells,) each.

    Parameters
    ----------
    department : Mixture
    trust_effect : (cells, S)
    others : (cells, S)
        Draws of Σ_{e≠d} ω_e·v_e; NaN for a trust's only department, and then so is the result.
    reach : float
    loops : module
    """
    high, low, within = loops.beyond_both(
        *department, np.ascontiguousarray(-trust_effect), np.ascontiguousarray(others), reach
    )
    alone = np.isnan(others[:, 0])
    for part in (high, low, within):
        part[alone] = np.nan
    return high, low, within


def change_in_count(
    total: Total, department: Mixture, own: Described, probability: float, loops: ModuleType
) -> tuple[FloatArray, FloatArray]:
    """Central interval of a mean count less what it would be with D = 0, (cells,) each.

    Parameters
    ----------
    total : Total
    department : Mixture
        Of v.
    own : Described
        Of D, which says where to look.
    probability : float
    loops : module
    """
    level = total.level.mean(axis=1)
    bounded = np.isfinite(total.people)
    odds = level / np.where(bounded, total.people - level, 1.0)
    ends = np.stack([own.lower, own.upper, own.mean + own.sd, own.mean - own.sd])
    moved = odds * np.exp(ends)
    counts = np.where(bounded, total.people * moved / (1.0 + moved), moved)
    spread = 0.5 * (counts[2] - counts[3])
    lower, upper = loops.change_in_count(
        total.level,
        *department[1:],
        total.people,
        total.centre,
        total.slope,
        total.bend,
        counts[:2] - level,
        spread,
        (1.0 - probability) / 2.0,
    )
    return lower, upper


def total_of(
    cells: Cells,
    block: EffectBlock,
    fixed: FloatArray,
    department: Mixture,
    trust_effect: FloatArray,
    others: FloatArray,
) -> Total:
    """Mean counts of the cells of a block, all periods together; effects of single periods and errors are 0.

    Parameters
    ----------
    fixed : (leaves, S)
        `SharedDraws.leaf_predictor`.
    department : Mixture
    trust_effect, others : (cells, S)
        Draws of u, and of Σ_{e≠d} ω_e·v_e.
    """
    bounds = cells.cell_leaves[block.cells.start : block.cells.stop + 1]
    leaves, starts = slice(int(bounds[0]), int(bounds[-1])), bounds[:-1] - bounds[0]
    single = len(starts) == leaves.stop - leaves.start
    ones, zeros = np.ones((1, fixed.shape[1])), np.zeros((1, fixed.shape[1]))
    at = trust_effect + department.location
    if cells.family.link == "log":
        base = fixed if single else np.log(np.add.reduceat(np.exp(fixed), starts, axis=0))
        level = np.exp(base + trust_effect + others)
        return Total(level, np.full(len(starts), np.inf), base + at, ones, zeros)
    size = cells.size[leaves]
    people = np.add.reduceat(size, starts)
    if single:
        level = people[:, np.newaxis] * special.expit(fixed + trust_effect + others)
        return Total(level, people, fixed + at, ones, zeros)
    cell = cells.leaf_cell[leaves] - block.cells.start

    def count(effect: FloatArray) -> FloatArray:
        of_leaf = size[:, np.newaxis] * special.expit(fixed + effect[cell])
        return np.asarray(np.add.reduceat(of_leaf, starts, axis=0))

    def logit(effect: FloatArray) -> FloatArray:
        return np.asarray(special.logit(count(effect) / people[:, np.newaxis]))

    # The logit of a total is nearly linear in v: three points on a parabola.
    step = 2.0 * np.maximum(department.sd, 1e-6)
    middle, up, down = logit(at), logit(at + step), logit(at - step)
    slope, bend = (up - down) / (2.0 * step), (up + down - 2.0 * middle) / (2.0 * step**2)
    return Total(count(trust_effect + others), people, middle, slope, bend)
