"""Estimands of departments averaged over the distributions of their effects, not over draws of them.

Given a draw of the shared parameters, a trust's effect u and its departments' effects v are nearly normal, and so are
u + v and D, sums of them. What is wanted of a department is then a property of a mixture of S nearly normal
distributions: its mean, its tails, its quantiles (Rao & Blackwell; Gelfand & Smith 1990, JASA 85:398).
"""

from __future__ import annotations

from types import ModuleType
from typing import Final, NamedTuple

import numpy as np
from scipy import special

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.common.twins import Sizes, takes_compiled
from brightspots.data.cells import Cells
from brightspots.engine.integration.deal import normal_scores, rotations
from brightspots.engine.integration.leaf import cornish_fisher
from brightspots.engine.posterior import Conditional, ShapeBlock, SharedDraws

# By cells at draws, a million of which take plain loops half a second.
_SIZES: Final = Sizes(compiled_from=100_000, wait_from=20_000_000)
_LEAST_SD = 1e-12


class Mixture(NamedTuple):
    """S nearly normal distributions of each of n quantities, of equal weight, (n, S) each."""

    location: FloatArray
    sd: FloatArray
    skewness: FloatArray
    kurtosis: FloatArray


def taken(mixture: Mixture, rows: IntArray) -> Mixture:
    """Some of the quantities."""
    return Mixture(*(part[rows] for part in mixture))


def turned(mixture: Mixture, sign: float) -> Mixture:
    """The quantities times `sign`, 1 or −1."""
    return Mixture(sign * mixture.location, mixture.sd, sign * mixture.skewness, mixture.kurtosis)


def difference(of: Mixture, less: Mixture) -> Mixture:
    """Quantities less others that are independent of them given each draw: their cumulants add up."""
    sd = np.hypot(of.sd, less.sd)
    one, other = (part.sd / np.maximum(sd, _LEAST_SD) for part in (of, less))
    return Mixture(
        of.location - less.location,
        sd,
        one**3 * of.skewness - other**3 * less.skewness,
        one**4 * of.kurtosis + other**4 * less.kurtosis,
    )


def p_above(mixture: Mixture, threshold: float) -> FloatArray:
    """P(quantity > threshold), (n,)."""
    single = Conditional(*(part.astype(np.float32) for part in mixture))
    return np.asarray(single.above(np.array(threshold)).mean(axis=1, dtype=np.float64))


class Described(NamedTuple):
    """Mean, central interval, P(> reach), P(< −reach) and standard deviation of n mixtures, (n,) each."""

    mean: FloatArray
    lower: FloatArray
    upper: FloatArray
    above: FloatArray
    below: FloatArray
    sd: FloatArray


class Total(NamedTuple):
    """Mean counts of n cells as functions of D, for S draws.

    Parameters
    ----------
    level : (n, S)
        Count of a cell at the level of the other departments of its trust.
    people : (n,)
        Largest count; infinite where there is none.
    centre : (n, S)
        Logarithm of the count at the mean of D; its logit, as a share of the people, where these bound it.
    slope, bend : (n, S) or (1, S)
        How that depends on D less its mean: centre + slope·D + bend·D².
    """

    level: FloatArray
    people: FloatArray
    centre: FloatArray
    slope: FloatArray
    bend: FloatArray

    def mean_change(self, given_level: Mixture) -> FloatArray:
        """Mean of the count less `level`, (n,), D being as given: by three points of Gauss–Hermite quadrature."""
        whole = np.zeros(len(self.people))
        for score, weight in zip((-np.sqrt(3.0), 0.0, np.sqrt(3.0)), (1.0, 4.0, 1.0), strict=True):
            zero = np.zeros_like(given_level.location)
            away = cornish_fisher(zero, *given_level[1:], np.array(score))
            predictor = self.centre + (self.slope + self.bend * away) * away
            if np.isinf(self.people).all():
                count = np.exp(predictor)
            else:
                count = self.people[:, np.newaxis] * special.expit(predictor)
            whole += weight / 6.0 * np.mean(count - self.level, axis=1)
        return whole


def loops_for(cells: Cells, n_draws: int) -> ModuleType:
    """Compiled loops, or their plain twins for a small table."""
    if takes_compiled(cells.n_cells * n_draws, _SIZES):
        from brightspots.statistics import mixture_loops_compiled

        return mixture_loops_compiled
    from brightspots.statistics import mixture_loops_plain

    return mixture_loops_plain


class Distributions(NamedTuple):
    """Distributions of what is compared at n departments, given each of S draws of the shared parameters.

    Parameters
    ----------
    peer : Mixture
        u + v.
    own : Mixture
        D = v − Σ_{e≠d} ω_e·v_e; NaN for a trust's only department.
    level : Mixture
        u + Σ_{e≠d} ω_e·v_e = (u + v) − D, at which the department would be with D = 0.
    follows : (n, S)
        Slope of E[D] on that level.
    own_given_level : Mixture
        D given the level, at the level's mean.
    variance : (n,)
        Posterior variance of v.
    """

    peer: Mixture
    own: Mixture
    level: Mixture
    follows: FloatArray
    own_given_level: Mixture
    variance: FloatArray


def distributions(cells: Cells, shared: SharedDraws, block: ShapeBlock, loops: ModuleType) -> Distributions:
    """Put u and v of a block together, u integrated out by its cumulants.

    With κ the cumulants of v at the mean of u, E[v] moves with u by κ₂/σ² − 1, and by κ₃/σ⁴ to second order (see
    `ShapeBlock`). Sums of independent variables have the sums of their cumulants; what u adds to the third one through
    the mean and the variance of v is taken along to the order of its variance.
    """
    bounds = cells.trust_cells[block.trusts.start : block.trusts.stop + 1] - block.cells.start
    # Copies, for compiled loops take no arrays that are read-only or have gaps.
    sd = np.array(
        shared.sd["department"][np.newaxis] if shared.departments_are_normal else block.department_sd
    )
    weight = np.array(cells.weight[block.cells])
    found = loops.distributions(np.stack(block.trust), np.stack(block.department), sd, weight, bounds)
    peer, own, level, given_level = (Mixture(*found[first : first + 4]) for first in (0, 4, 8, 12))
    follows, mean, variance = found[16:]
    return Distributions(
        peer, own, level, follows, given_level, np.var(mean, axis=1) + np.mean(variance, axis=1)
    )


def level_draws(block: ShapeBlock, level: Mixture) -> FloatArray:
    """One draw of each level in each draw of the rest, stratified, (cells, S).

    Each cell has the quantiles of S equal slices in an order of its own: rotations of one order.
    """
    size = level.location.shape[1]
    scores = np.random.default_rng(size).permutation(normal_scores(size))
    turns = np.arange(block.cells.start, block.cells.stop) % size
    return cornish_fisher(*level, rotations(scores, turns))


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
    own: Mixture, level: FloatArray, reach: float, loops: ModuleType
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """P(u + v and D both above the margin), both below, and both within, (cells,) each.

    Parameters
    ----------
    own : Mixture
        D given the draw of the level.
    level : (cells, S)
        Draws of (u + v) − D; NaN for a trust's only department, and then so is the result.
    reach : float
    loops : module
    """
    high, low, within = loops.beyond_both(*own, np.zeros_like(level), -level, reach)
    alone = np.isnan(level[:, 0])
    for part in (high, low, within):
        part[alone] = np.nan
    return high, low, within


def change_in_count(
    total: Total, given_level: Mixture, own: Described, probability: float, loops: ModuleType
) -> tuple[FloatArray, FloatArray]:
    """Central interval of a mean count less what it would be with D = 0, (cells,) each.

    Parameters
    ----------
    total : Total
    given_level : Mixture
        D given the draw of the level.
    own : Described
        Of D, which says where to look.
    probability : float
    loops : module
    """
    level = total.level.mean(axis=1)
    bounded = np.isfinite(total.people)
    odds = level / np.where(bounded, total.people - level, 1.0)
    moved = odds * np.exp(np.stack([own.lower, own.upper, own.mean + own.sd, own.mean - own.sd]))
    counts = np.where(bounded, total.people * moved / (1.0 + moved), moved)
    lower, upper = loops.change_in_count(
        total.level, *given_level[1:], total.people, total.centre, total.slope, total.bend, counts[:2] - level,
        0.5 * (counts[2] - counts[3]), (1.0 - probability) / 2.0,
    )  # fmt: skip
    return lower, upper


def total_of(
    cells: Cells, block: ShapeBlock, fixed: FloatArray, level: FloatArray, given_level: Mixture
) -> Total:
    """Mean counts of the cells of a block, all periods together; effects of single periods and errors are 0.

    Parameters
    ----------
    fixed : (leaves, S)
        `SharedDraws.leaf_predictor`.
    level : (cells, S)
        Draws of (u + v) − D.
    given_level : Mixture
        D given that level.
    """
    bounds = cells.cell_leaves[block.cells.start : block.cells.stop + 1]
    leaves, starts = slice(int(bounds[0]), int(bounds[-1])), bounds[:-1] - bounds[0]
    single = len(starts) == leaves.stop - leaves.start
    ones, zeros = np.ones((1, fixed.shape[1])), np.zeros((1, fixed.shape[1]))
    at = level + given_level.location
    if cells.family.link == "log":
        base = fixed if single else np.log(np.add.reduceat(np.exp(fixed), starts, axis=0))
        return Total(np.exp(base + level), np.full(len(starts), np.inf), base + at, ones, zeros)
    size = cells.size[leaves]
    people = np.add.reduceat(size, starts)
    if single:
        return Total(people[:, np.newaxis] * special.expit(fixed + level), people, fixed + at, ones, zeros)
    cell = cells.leaf_cell[leaves] - block.cells.start

    def count(effect: FloatArray) -> FloatArray:
        of_leaf = size[:, np.newaxis] * special.expit(fixed + effect[cell])
        return np.asarray(np.add.reduceat(of_leaf, starts, axis=0))

    def logit(effect: FloatArray) -> FloatArray:
        return np.asarray(special.logit(count(effect) / people[:, np.newaxis]))

    # The logit of a total is nearly linear in the effects: three points on a parabola.
    step = 2.0 * np.maximum(given_level.sd, 1e-6)
    middle, up, down = logit(at), logit(at + step), logit(at - step)
    slope, bend = (up - down) / (2.0 * step), (up + down - 2.0 * middle) / (2.0 * step**2)
    return Total(count(level), people, middle, slope, bend)
