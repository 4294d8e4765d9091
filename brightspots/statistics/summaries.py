"""From draws to the estimands: partition, ratios, exceedances, reliability, ranks. Arrays in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy import stats

from brightspots.common.arrays import FloatArray
from brightspots.common.settings import Reference
from brightspots.data.cells import Cells
from brightspots.engine.levels import NESTED
from brightspots.engine.posterior import Posterior, SharedDraws, enough_draws
from brightspots.statistics.cell_columns import CellColumns, from_draws, from_shapes, joined
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


@dataclass(frozen=True, kw_only=True)
class Tails:
    """What flags are decided by, of every cell, each (C,) in the order of `Cells`.

    Parameters
    ----------
    p_peer_high, p_peer_low, p_own_high, p_own_low : (C,)
        P(ratio > margin) and P(ratio < 1/margin).
    p_both_high, p_both_low : (C,)
        Both ratios beyond the margin at once.
    reliability : (C,)
        1 − Var(v | y)/σ_v², between 0 and 1.
    """

    p_peer_high: FloatArray
    p_peer_low: FloatArray
    p_own_high: FloatArray
    p_own_low: FloatArray
    p_both_high: FloatArray
    p_both_low: FloatArray
    reliability: FloatArray

    def beyond(self, reference: Reference) -> tuple[FloatArray, FloatArray]:
        """P(above the margin) and P(below it) against one reference, or against both at once."""
        if reference == "organisation":
            return self.p_own_high, self.p_own_low
        if reference == "peers":
            return self.p_peer_high, self.p_peer_low
        return self.p_both_high, self.p_both_low


@dataclass(frozen=True, kw_only=True)
class CellSummary(Tails):
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
    own_sd : (C,)
        Posterior standard deviation of D.
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
    own_sd: FloatArray
    p_within_both: FloatArray
    own_evidence: FloatArray
    peer_evidence: FloatArray


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
    cells = posterior.cells
    reach = margin_of_effects(cells, margin)
    found = _columns(posterior, reach, probability)
    own_level = Level(found.level, found.level_sd)
    peer_level = Level(np.zeros(cells.n_cells), found.peer_level_sd)
    own_evidence, peer_evidence = within_by_own_data(cells, posterior.shared, (own_level, peer_level), reach)
    return CellSummary(
        **vars(_tails(posterior, found)),
        reach=reach,
        peer=Interval(*found.peer[:3]),
        own=Interval(*found.own[:3]),
        excess=Interval(*found.excess),
        own_sd=found.own.sd,
        p_within_both=found.both_within,
        own_evidence=own_evidence,
        peer_evidence=peer_evidence,
    )


def cell_tails(posterior: Posterior, margin: float) -> Tails:
    """Of `cell_summary` what flags are decided by, in about half of its time."""
    reach = margin_of_effects(posterior.cells, margin)
    return _tails(posterior, _columns(posterior, reach, 0.95, in_events=False))


def _columns(
    posterior: Posterior, reach: float, probability: float, *, in_events: bool = True
) -> CellColumns:
    """Estimands of all cells, from the distributions of their effects where these are known."""
    cells = posterior.cells
    shapes = posterior.shapes(enough_draws(cells))
    if shapes is None:
        of_draws = partial(from_draws, cells, posterior.shared, reach=reach, probability=probability)
        return joined(posterior.map_blocks(of_draws))
    of_shapes = partial(
        from_shapes, cells, shapes.shared, reach=reach, probability=probability, in_events=in_events
    )
    return joined(shapes.map_shapes(of_shapes))


def _tails(posterior: Posterior, found: CellColumns) -> Tails:
    """What flags are decided by, out of all estimands."""
    cells = posterior.cells
    shapes = posterior.shapes(enough_draws(cells))
    prior_variance = (posterior if shapes is None else shapes).shared.department_variance(cells)
    unexplained = np.ones(cells.n_cells)
    np.divide(found.variance, prior_variance, out=unexplained, where=prior_variance > 0)
    return Tails(
        p_peer_high=found.peer.above,
        p_peer_low=found.peer.below,
        p_own_high=found.own.above,
        p_own_low=found.own.below,
        p_both_high=found.both_high,
        p_both_low=found.both_low,
        reliability=np.clip(1.0 - unexplained, 0.0, 1.0),
    )


def trust_effects(posterior: Posterior) -> FloatArray:
    """Draws of the trust effects u, (T, S)."""
    return np.concatenate([block.trust_effect for block in posterior.blocks()])


def trust_means(posterior: Posterior) -> FloatArray:
    """Posterior mean of the trust effects u, (T,), from their distributions where these are known."""
    shapes = posterior.shapes(enough_draws(posterior.cells))
    if shapes is None:
        return trust_effects(posterior).mean(axis=1)
    return np.concatenate(
        list(shapes.map_shapes(lambda block: block.trust.mean.mean(axis=1, dtype=np.float64)))
    )


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
