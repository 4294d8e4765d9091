"""Estimands of departments averaged over the distributions of their effects, not over draws of them.

Given a draw of the shared parameters, a trust's effect u and its departments' effects v are nearly normal, and so are
u + v and D, sums of them. What is wanted of a department is then a property of a mixture of S nearly normal
distributions: its mean, its tails, its quantiles (Rao & Blackwell; Gelfand & Smith 1990, JASA 85:398).
"""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

import numpy as np
from scipy import special

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.data.cells import Cells
from brightspots.engine.integration.conditional import normal_scores
from brightspots.engine.integration.leaf import cornish_fisher, shape_of
from brightspots.engine.posterior import Conditional, ShapeBlock, SharedDraws

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
    if cells.n_cells * n_draws < _COMPILE_FROM:
        from brightspots.statistics import mixture_loops_plain

        return mixture_loops_plain
    from brightspots.statistics import mixture_loops_compiled

    return mixture_loops_compiled


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


class _Cumulants(NamedTuple):
    """The first four, (n, S) each."""

    mean: FloatArray
    variance: FloatArray
    third: FloatArray
    fourth: FloatArray

    @classmethod
    def of(cls, shape: Conditional) -> _Cumulants:
        mean, sd, skewness, kurtosis = (part.astype(np.float64) for part in shape)
        variance = sd * sd
        return cls(mean, variance, skewness * variance * sd, kurtosis * variance * variance)

    def mixture(self) -> Mixture:
        """Nearly normal distributions with these cumulants."""
        mean, sd, skewness, kurtosis = shape_of(*self)
        return Mixture(*(np.ascontiguousarray(part) for part in (mean, sd, skewness, kurtosis)))


def distributions(cells: Cells, shared: SharedDraws, block: ShapeBlock) -> Distributions:
    """Put u and v of a block together, u integrated out by its cumulants.

    With κ the cumulants of v at the mean of u, E[v] moves with u by κ₂/σ² − 1, and by κ₃/σ⁴ to second order (see
    `ShapeBlock`). Sums of independent variables have the sums of their cumulants; what u adds to the third one through
    the mean and the variance of v is taken along to the order of its variance.
    """
    of_trust = cells.cell_trust[block.cells] - block.trusts.start
    trust = _Cumulants(*(part[of_trust] for part in _Cumulants.of(block.trust)))
    v = _Cumulants.of(block.department)
    prior = np.maximum(shared.sd["department"], _LEAST_SD) ** 2
    left, bend = v.variance / prior, v.third / prior**2
    others, others_left, others_bend, rest_variance, rest_third, rest_fourth = (
        _others(cells, block, of_trust, values, power)
        for values, power in (
            (v.mean, 1), (left, 1), (bend, 1), (v.variance, 2), (v.third, 3), (v.fourth, 4),
        )
    )  # fmt: skip
    half = 0.5 * trust.variance
    square = trust.variance**2

    def third(own: FloatArray, slope: FloatArray, of_bend: FloatArray, moves: FloatArray) -> FloatArray:
        """Third cumulant of a sum that follows u by `slope` and `of_bend`, and whose variance does by `moves`."""
        by_trust = slope**3 * trust.third + 3.0 * slope * (slope * of_bend * square + moves * trust.variance)
        return own + by_trust

    moves = v.third / prior
    peer = _Cumulants(
        trust.mean + v.mean + bend * half,
        v.variance + left**2 * trust.variance + v.fourth / prior**2 * half,
        third(v.third, left, bend, moves),
        v.fourth + left**4 * trust.fourth,
    )
    slope = left - others_left
    own = _Cumulants(
        v.mean - others + (bend - others_bend) * half,
        v.variance + rest_variance + slope**2 * trust.variance,
        third(v.third - rest_third, slope, bend - others_bend, moves),
        v.fourth + rest_fourth + slope**4 * trust.fourth,
    )
    level = _Cumulants(
        trust.mean + others + others_bend * half,
        others_left**2 * trust.variance + rest_variance,
        third(rest_third, others_left, others_bend, np.zeros_like(moves)),
        others_left**4 * trust.fourth + rest_fourth,
    )
    follows = (slope * others_left * trust.variance - rest_variance) / np.maximum(
        level.variance, _LEAST_SD**2
    )
    of_rest, of_trust_left = 1.0 + follows, slope - follows * others_left
    given_level = _Cumulants(
        own.mean,
        v.variance + of_rest**2 * rest_variance + of_trust_left**2 * trust.variance,
        third(v.third - of_rest**3 * rest_third, of_trust_left, bend - of_rest * others_bend, moves),
        v.fourth + of_rest**4 * rest_fourth + of_trust_left**4 * trust.fourth,
    )
    mean = v.mean + bend * half
    within = v.variance + (left - 1.0) ** 2 * trust.variance
    return Distributions(
        peer.mixture(),
        own.mixture(),
        level.mixture(),
        follows,
        given_level.mixture(),
        np.var(mean, axis=1) + np.mean(within, axis=1),
    )


def _others(
    cells: Cells, block: ShapeBlock, of_trust: IntArray, values: FloatArray, power: int
) -> FloatArray:
    """Σ_{e≠d} ω_eᵏ·x_e over the other departments of each one's trust, ω ∝ `Cells.weight`, (cells, S); NaN if alone."""
    starts = cells.trust_cells[block.trusts] - block.cells.start
    weight = cells.weight[block.cells]
    whole = np.add.reduceat(weight, starts)[of_trust] - weight
    whole[np.bincount(of_trust)[of_trust] == 1] = np.nan
    weighted = (weight**power)[:, np.newaxis] * values
    rest = np.add.reduceat(weighted, starts, axis=0)[of_trust] - weighted
    if power == 2:  # a variance, from which only rounding could take away
        rest = np.maximum(rest, 0.0)
    return np.asarray(rest / (whole**power)[:, np.newaxis])


def level_draws(block: ShapeBlock, level: Mixture) -> FloatArray:
    """One draw of each level in each draw of the rest, stratified, (cells, S).

    Each cell has the quantiles of S equal slices in an order of its own: rotations of one order.
    """
    size = level.location.shape[1]
    scores = np.random.default_rng(size).permutation(normal_scores(size))
    numbers = np.arange(block.cells.start, block.cells.stop)[:, np.newaxis]
    return cornish_fisher(*level, scores[(numbers + np.arange(size)) % size])


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
