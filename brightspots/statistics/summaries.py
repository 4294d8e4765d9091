"""From draws to the estimands: partition, ratios, exceedances, reliability, ranks. Arrays in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from brightspots.common.arrays import FloatArray
from brightspots.common.settings import Reference
from brightspots.data.cells import Cells
from brightspots.engine.levels import NESTED
from brightspots.engine.posterior import EffectBlock, Posterior, SharedDraws
from brightspots.statistics.evidence import Level, within_by_own_data
from brightspots.statistics.information import rankability_draws
from brightspots.statistics.scale import margin_of_effects

# Median ratio between two units chosen at random: exp(√2·Φ⁻¹(¾)·σ) (Larsen & Merlo 2005, Am J Epidemiol 161:81).
MEDIAN_RATIO_FACTOR = float(np.sqrt(2.0) * stats.norm.ppf(0.75))


@dataclass(frozen=True)
class Interval:
    """Point value and central interval of each of several quantities, arrays of one shape."""

    point: FloatArray
    lower: FloatArray
    upper: FloatArray


@dataclass(frozen=True)
class Partition:
    """How the variance divides between the L levels of the hierarchy; intervals have one entry per level, (L,).

    Parameters
    ----------
    levels : tuple of str
        `trust`, `department` and, with periods, `period`.
    sd, share, median_ratio : Interval
        Posterior mean and interval of σ; of the share σ²/Σσ², computed draw by draw; and the median ratio
        exp(√2·Φ⁻¹(¾)·σ) at that mean and the ends of that interval of σ.
    p_department_exceeds_trust : float
        P(σ_department > σ_trust); NaN without departments.
    department_type_sd : Interval or None
        σ of the department types (scalar arrays), outside the shares.
    """

    levels: tuple[str, ...]
    sd: Interval
    share: Interval
    median_ratio: Interval
    p_department_exceeds_trust: float
    department_type_sd: Interval | None


@dataclass(frozen=True)
class CellSummary:
    """Estimands of every cell, each (C,) in the order of `Cells`; effects are logarithms of ratios, or differences.

    Parameters
    ----------
    reach : float
        The size from which an effect matters: log of the margin, or the difference that matters.
    peer : Interval
        log `peer_ratio`: u + v.
    own : Interval
        log `own_ratio`: D = v_d − Σ_{e≠d} ω_e·v_e, ω ∝ `Cells.weight`; NaN for a trust's only department.
    excess : Interval
        Expected events above what the cell would have had with D = 0 (estimates: D itself).
    p_peer_high, p_peer_low, p_own_high, p_own_low : (C,)
        P(ratio > margin) and P(ratio < 1/margin).
    p_both_high, p_both_low : (C,)
        Both ratios beyond the margin at once.
    own_sd : (C,)
        Posterior standard deviation of D.
    reliability : (C,)
        1 − Var(v | y)/σ_v², between 0 and 1.
    p_within_both : (C,)
        P(both ratios within the margin at once); NaN for a trust's only department.
    own_evidence : (C,)
        P(`own_ratio` within the margin) with a flat prior on the department's own effect v, so that its own data alone
        speak of it (`evidence.within_by_own_data`); NaN for a trust's only department.
    peer_evidence : (C,)
        P(`peer_ratio` within the margin) in the same way.
    """

    reach: float
    peer: Interval
    own: Interval
    excess: Interval
    p_peer_high: FloatArray
    p_peer_low: FloatArray
    p_own_high: FloatArray
    p_own_low: FloatArray
    p_both_high: FloatArray
    p_both_low: FloatArray
    own_sd: FloatArray
    reliability: FloatArray
    p_within_both: FloatArray
    own_evidence: FloatArray
    peer_evidence: FloatArray

    def beyond(self, reference: Reference) -> tuple[FloatArray, FloatArray]:
        """P(above the margin) and P(below it) against one reference, or against both at once."""
        if reference == "organisation":
            return self.p_own_high, self.p_own_low
        if reference == "peers":
            return self.p_peer_high, self.p_peer_low
        return self.p_both_high, self.p_both_low


@dataclass(frozen=True)
class TrustSummary:
    """Estimands of every trust, each (T,).

    Parameters
    ----------
    effect : Interval
        u, the logarithm of `trust_ratio`.
    p_high, p_low : (T,)
        P(`trust_ratio` > margin) and P(`trust_ratio` < 1/margin).
    rank : Interval
        Expected rank (1 = lowest effect) with its interval (Laird & Louis 1989).
    rankability : Interval
        Share of the variation between trusts that is not chance (scalar arrays), see `information.rankability_draws`;
        its point is the posterior median, which near 0 is less biased than the mean.
    """

    effect: Interval
    p_high: FloatArray
    p_low: FloatArray
    rank: Interval
    rankability: Interval


def summarise(draws: FloatArray, probability: float) -> Interval:
    """Mean and central interval of draws (..., S) over their last axis."""
    return Interval(draws.mean(axis=-1), *_central(draws, probability))


def _central(draws: FloatArray, probability: float) -> FloatArray:
    """Ends of the central interval of draws (..., S), (2, ...)."""
    tail = (1.0 - probability) / 2.0
    return np.asarray(np.quantile(draws, [tail, 1.0 - tail], axis=-1))


def partition(shared: SharedDraws, probability: float) -> Partition:
    """Divide the variance between trusts, departments within trusts and periods, draw by draw."""
    present = {level: shared.sd[level] for level in NESTED if level in shared.sd}
    sd = np.stack(list(present.values()))
    variance = sd**2
    total = variance.sum(axis=0)
    # Where every σ is zero in a draw the shares are undefined: the levels get equal ones instead of NaN.
    share = np.divide(variance, total, out=np.full_like(variance, 1.0 / len(sd)), where=total > 0)
    summary = summarise(sd, probability)
    exceeds = (
        float(np.mean(shared.sd["department"] > shared.sd["trust"]))
        if "department" in shared.sd
        else float("nan")
    )
    types = shared.sd.get("department_type")
    return Partition(
        levels=tuple(present),
        sd=summary,
        share=summarise(share, probability),
        median_ratio=Interval(
            *(
                np.exp(MEDIAN_RATIO_FACTOR * values)
                for values in (summary.point, summary.lower, summary.upper)
            )
        ),
        p_department_exceeds_trust=exceeds,
        department_type_sd=None if types is None else summarise(types, probability),
    )


def others_mean(cells: Cells, block: EffectBlock) -> FloatArray:
    """Σ_{e≠d} ω_e·v_e of each cell of a block, (cells, S): the other departments of its trust, ω ∝ `Cells.weight`.

    NaN for a trust's only department.
    """
    weight = cells.weight[block.cells]
    starts = cells.trust_cells[block.trusts] - block.cells.start
    trust = cells.cell_trust[block.cells] - block.trusts.start
    weighted = weight[:, np.newaxis] * block.department_effect
    others_weight = np.add.reduceat(weight, starts)[trust] - weight
    others = np.add.reduceat(weighted, starts, axis=0)[trust] - weighted
    others_weight[np.bincount(trust)[trust] == 1] = np.nan
    return others / others_weight[:, np.newaxis]


def peer_effect(cells: Cells, block: EffectBlock) -> FloatArray:
    """The department against the same one nationally: u + v of each cell of a block, (cells, S)."""
    return block.trust_effect[cells.cell_trust[block.cells] - block.trusts.start] + block.department_effect


def own_contrast(cells: Cells, block: EffectBlock) -> FloatArray:
    """D = v_d − Σ_{e≠d} ω_e·v_e of each cell of a block, (cells, S): the department less the others of its trust.

    The department itself is left out of the mean it is compared with. NaN for a trust's only department.
    """
    return block.department_effect - others_mean(cells, block)


def cell_summary(posterior: Posterior, margin: float, probability: float) -> CellSummary:
    """Summarise every cell, block by block, so that no array of all cells × draws is needed.

    Parameters
    ----------
    posterior : Posterior
    margin : float
        A ratio of at least 1, or the difference that matters.
    probability : float
        Coverage of the intervals.
    """
    cells, shared = posterior.cells, posterior.shared
    reach = margin_of_effects(cells, margin)
    rows = posterior.map_blocks(lambda block: _block_columns(cells, shared, block, reach, probability))
    joined = [np.concatenate(column) for column in zip(*rows, strict=True)]
    peer_high, own_high, both_high, peer_low, own_low, both_low, within_both, own_sd, variance = joined[9:18]
    prior_variance = shared.department_variance(cells)
    unexplained = np.ones(cells.n_cells)
    np.divide(variance, prior_variance, out=unexplained, where=prior_variance > 0)
    reliability = np.clip(1.0 - unexplained, 0.0, 1.0)
    own_level, peer_level = Level(*joined[18:20]), Level(np.zeros(cells.n_cells), joined[20])
    own_evidence, peer_evidence = within_by_own_data(cells, shared, (own_level, peer_level), reach)
    return CellSummary(
        reach=reach,
        peer=Interval(*joined[0:3]),
        own=Interval(*joined[3:6]),
        excess=Interval(*joined[6:9]),
        p_peer_high=peer_high,
        p_peer_low=peer_low,
        p_own_high=own_high,
        p_own_low=own_low,
        p_both_high=both_high,
        p_both_low=both_low,
        own_sd=own_sd,
        reliability=reliability,
        p_within_both=within_both,
        own_evidence=own_evidence,
        peer_evidence=peer_evidence,
    )


def _block_columns(
    cells: Cells, shared: SharedDraws, block: EffectBlock, reach: float, probability: float
) -> list[FloatArray]:
    """Columns of `CellSummary` for the cells of a block, in the order in which `cell_summary` takes them apart."""
    trust = block.trust_effect[cells.cell_trust[block.cells] - block.trusts.start]
    others = others_mean(cells, block)
    fixed = shared.leaf_predictor(cells, _leaves_of(cells, block))
    peer = trust + block.department_effect
    own = block.department_effect - others
    # Means, variances and tail probabilities of v given everything else are exact, and are averaged over the draws of
    # the rest (Rao–Blackwell): this leaves far less simulation noise than the draws of v.
    mean, rest = block.moments()
    columns: list[FloatArray] = []
    for draws, point in (
        (peer, np.mean(trust + mean, axis=1)),
        (own, np.mean(mean - others, axis=1)),
        (excess := _excess(cells, fixed, block, peer, own), excess.mean(axis=1)),
    ):
        columns += [point, *_central(draws, probability)]
    high = block.above(reach - trust), block.above(reach + others)
    low = block.above(-reach - trust), block.above(-reach + others)
    # Both thresholds are on the same v, so P(v beyond both) is the smaller of the two probabilities.
    for of_peer, of_own in (high, (1.0 - low[0], 1.0 - low[1])):
        columns += [each.mean(axis=1) for each in (of_peer, of_own, np.minimum(of_peer, of_own))]
    columns.append(np.maximum(np.minimum(*low) - np.maximum(*high), 0.0).mean(axis=1))
    columns += [np.sqrt(np.var(mean - others, axis=1) + rest), mean.var(axis=1) + rest]
    away = _mean_over_leaves(cells, block, fixed)
    level = trust + others + away
    return [*columns, level.mean(axis=1), level.std(axis=1), away.std(axis=1)]


def _leaves_of(cells: Cells, block: EffectBlock) -> slice:
    """Leaves of the cells of a block."""
    return slice(int(cells.cell_leaves[block.cells.start]), int(cells.cell_leaves[block.cells.stop]))


def _mean_over_leaves(cells: Cells, block: EffectBlock, fixed: FloatArray) -> FloatArray:
    """Offset + x'β + a less its posterior mean, averaged over the leaves of each cell, (cells, S).

    Leaves are weighted by their expected events or people; estimates by their precision.
    """
    away = fixed - fixed.mean(axis=1, keepdims=True)
    leaves = _leaves_of(cells, block)
    if leaves.stop - leaves.start == len(range(block.cells.start, block.cells.stop)):
        return away
    size = cells.family.weight(cells.size[leaves])
    starts = cells.cell_leaves[block.cells.start : block.cells.stop] - leaves.start
    weighted = np.add.reduceat(size[:, np.newaxis] * away, starts, axis=0)
    return np.asarray(weighted / np.add.reduceat(size, starts)[:, np.newaxis])


def _excess(
    cells: Cells, fixed: FloatArray, block: EffectBlock, peer: FloatArray, own: FloatArray
) -> FloatArray:
    """Events that a cell has above its own trust's level, (cells, S): mean count at η minus mean count at η − D.

    The effects w of single periods, and errors of what was expected, are set to 0.
    """
    if not cells.family.is_count:
        return own
    bounds = cells.cell_leaves[block.cells.start : block.cells.stop + 1]
    leaves = _leaves_of(cells, block)
    cell = cells.leaf_cell[leaves] - block.cells.start
    if cells.family.link == "log":
        # One exponential a leaf: E·exp(fixed)·(exp(peer) − exp(peer − D)), the bracket shared by the cell's leaves.
        base = np.add.reduceat(np.exp(fixed), bounds[:-1] - bounds[0], axis=0)
        return base * (np.exp(peer) - np.exp(peer - own))
    size = cells.size[leaves, np.newaxis]
    eta = fixed + peer[cell]
    events = cells.family.mean(size, eta) - cells.family.mean(size, eta - own[cell])
    return np.add.reduceat(events, bounds[:-1] - bounds[0], axis=0)


def trust_effects(posterior: Posterior) -> FloatArray:
    """Draws of the trust effects u, (T, S)."""
    return np.concatenate([block.trust_effect for block in posterior.blocks()])


def trust_summary(posterior: Posterior, margin: float, probability: float) -> TrustSummary:
    """Summarise every trust; arguments as in `cell_summary`."""
    cells = posterior.cells
    blocks = [(block.trust_effect, block.department_effect.mean(axis=1)) for block in posterior.blocks()]
    effects, department = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    reach = margin_of_effects(cells, margin)
    ranks = stats.rankdata(effects, axis=0)
    peer = effects.mean(axis=1)[cells.cell_trust] + department
    rankability = rankability_draws(cells, posterior.shared, peer)
    return TrustSummary(
        effect=summarise(effects, probability),
        p_high=np.mean(effects > reach, axis=1),
        p_low=np.mean(effects < -reach, axis=1),
        rank=summarise(ranks, probability),
        rankability=Interval(np.asarray(np.median(rankability)), *_central(rankability, probability)),
    )


def type_summary(shared: SharedDraws, probability: float) -> Interval:
    """National effects a of the department types, (A,) each."""
    return summarise(np.ascontiguousarray(shared.type_effect.T), probability)


def type_spread(shared: SharedDraws, probability: float) -> Interval | None:
    """Standard deviation of the departments of each type, (D,) each, where every type has its own."""
    by_type = shared.sd_department_by_type
    return None if by_type is None else summarise(np.ascontiguousarray(by_type.T), probability)


def raw_ratio(cells: Cells) -> FloatArray:
    """Ratio of each cell from the data alone, without a model, (C,); NaN where a count is suppressed.

    Observed over expected where an expected is given. For a proportion without one, the odds over the pooled
    odds of the same department nationally. For estimates that are log ratios, exp of the (precision-weighted)
    estimate.
    """
    if not cells.family.is_count:
        precision = cells.family.weight(cells.size)
        mean = cells.cell_sum(precision * cells.lower) / cells.cell_sum(precision)
        return np.exp(mean)
    observed = observed_total(cells)
    if cells.expected is not None:
        return observed / cells.cell_sum(cells.expected)
    size = cells.cell_sum(cells.size)
    known = ~np.isnan(observed)
    events = np.bincount(cells.cell_department[known], observed[known], minlength=cells.n_departments)
    people = np.bincount(cells.cell_department[known], size[known], minlength=cells.n_departments)
    with np.errstate(divide="ignore", invalid="ignore"):
        national = events / (people - events)
        ratio: Any = observed / (size - observed) / national[cells.cell_department]
    return np.asarray(ratio, dtype=np.float64)


def observed_total(cells: Cells) -> FloatArray:
    """Observed events of each cell, (C,); NaN where any of its counts is suppressed."""
    return cells.cell_sum(np.where(cells.censored, np.nan, cells.lower))
