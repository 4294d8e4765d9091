"""Joint distribution of D and the predictor of each cell given all data but its own, by normal approximation.

Nothing is fitted again. `engine.integration.leave_one_out` does the same without the approximation, draw by draw, for
predictions of counts. The version here also gives D, is fast for all cells, and works with either engine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.data.cells import Cells
from brightspots.engine.posterior import SharedDraws
from brightspots.statistics.information import cell_information, leaf_information
from brightspots.statistics.summaries import CellSummary

# Where the posterior standard deviation of log σ_v exceeds the first number, the draws are split by σ_v into so many
# strata, each with its own variances, instead of using one set of mean variances.
_WELL_KNOWN, _STRATA, _LEAST_SD = 0.05, 6, 1e-12


@dataclass(frozen=True)
class Cavity:
    """Means and variances of each cell given all data but its own, under K sets of standard deviations, (K, C) each.

    Parameters
    ----------
    location, variance
        Mean and variance of the predictor t of the cell's total over its leaves: log of the mean count (poisson), logit
        of the probability (binomial), or mean of the estimate (normal).
    contrast, slope, rest
        E[D], the slope of D on t, and the variance of D that t does not explain.
    level, spread
        Mean and variance of t − D, the predictor that the cell would have with D = 0.
    """

    location: FloatArray
    variance: FloatArray
    contrast: FloatArray
    slope: FloatArray
    rest: FloatArray
    level: FloatArray
    spread: FloatArray

    def of(self, cells: IntArray) -> Cavity:
        """`Cavity` of some of the cells, by position."""
        return Cavity(*(values[:, cells] for values in vars(self).values()))


def cavities(cells: Cells, shared: SharedDraws, summary: CellSummary) -> Cavity:
    """`Cavity` of every cell, by normal algebra about the posterior means in `summary`."""
    variances = _variances(cells, shared)
    peer = summary.peer.point
    leaf = leaf_information(cells, shared, peer)
    of_types = _type_variance(cells, shared, leaf)
    department = shared.department_variance(cells)
    passing = shared.mean_variance("period")
    known = cell_information(cells, leaf, passing)
    # The normal estimate of u + v that each cell's data amount to: at the posterior mean the pull of the data on v,
    # known·(seen − peer), equals that of its prior, v/σ_v².
    effect = _department_means(cells, shared.mean_variance("trust"), department, summary)
    seen = peer + np.divide(effect, department * known, out=np.zeros_like(effect), where=department > 0.0)
    predictor = _total_predictor(cells, shared)
    parts = [_cavity(cells, leaf, of_types, seen, predictor, *each) for each in variances]
    return Cavity(*(np.stack(column) for column in zip(*parts, strict=True)))


def _variances(cells: Cells, shared: SharedDraws) -> list[tuple[float, FloatArray, float]]:
    """Mean σ_u², σ_v² (C,) and σ_w² in each stratum of the draws by σ_v; one stratum where σ_v is known well."""
    groups = [np.arange(shared.n_draws)]
    sd = shared.sd_of("department")
    if shared.n_draws >= _STRATA and np.std(np.log(np.maximum(sd, _LEAST_SD))) > _WELL_KNOWN:
        groups = np.array_split(np.argsort(sd, kind="stable"), _STRATA)
    strata = [shared.take(draws) for draws in groups]
    return [
        (some.mean_variance("trust"), some.department_variance(cells), some.mean_variance("period"))
        for some in strata
    ]


def _department_means(
    cells: Cells, trust_variance: float, department: FloatArray, summary: CellSummary
) -> FloatArray:
    """Posterior mean of v of each cell, (C,), from those of u + v and D.

    From two equations: v_d − Σ ω_e·v_e = (1 − ω_d)·D_d, with ω the weights in the trust (which sum to 1); and at the
    posterior mean u/σ_u² = Σ v_d/σ_v².
    """
    trust = cells.cell_trust
    count = np.bincount(trust, minlength=cells.n_trusts)
    share = cells.weight / np.bincount(trust, cells.weight, cells.n_trusts)[trust]
    about = np.where(count[trust] == 1, 0.0, summary.own.point) * (1.0 - share)
    ratio = np.divide(trust_variance, department, out=np.zeros_like(department), where=department > 0.0)
    middle = np.bincount(trust, summary.peer.point - about, cells.n_trusts) / count
    pulled = np.bincount(trust, ratio * about, cells.n_trusts)
    mean = (middle - pulled) / (1.0 + np.bincount(trust, ratio, cells.n_trusts))
    return np.asarray(about + mean[trust])


def _cavity(
    cells: Cells,
    leaf: FloatArray,
    of_types: FloatArray,
    seen: FloatArray,
    predictor: FloatArray,
    trust_variance: float,
    department: FloatArray,
    passing: float,
) -> tuple[FloatArray, ...]:
    """Columns of `Cavity` under one set of variances, (C,) each."""
    trust, weight = cells.cell_trust, cells.weight
    alone = np.bincount(trust)[trust] == 1

    def others(values: FloatArray) -> FloatArray:
        return np.bincount(trust, values, cells.n_trusts)[trust] - values

    known = cell_information(cells, leaf, passing)
    of_periods = np.maximum(1.0 / known - 1.0 / cells.cell_sum(leaf), 0.0)
    # `says`: information of each department on u. `pull`: share σ_v²/(σ_v² + 1/known + …) by which v follows its data.
    says = 1.0 / (department + 1.0 / known + of_types)
    pull = department * says
    of_rest = trust_variance / (1.0 + trust_variance * others(says))
    level = of_rest * others(says * seen)
    others_weight = np.where(alone, 1.0, others(weight))
    follow = others(weight * pull) / others_weight
    of_others = others(weight**2 * department * (1.0 - pull)) / others_weight**2
    others_mean = others(weight * pull * seen) / others_weight - follow * level

    noise = of_periods + of_types
    variance = department + of_rest + noise
    covariance = department + follow * of_rest
    slope = covariance / np.where(variance > 0.0, variance, 1.0)
    rest = department + of_others + follow**2 * of_rest - slope * covariance
    # A sum of log-normal rates is approximated by a log-normal with the same mean (Fenton 1960).
    averaged = passing - (of_periods - cells.error_variance)
    fixed = predictor + (0.5 * averaged if cells.family.link == "log" else 0.0)
    return (
        fixed + level,
        variance,
        -others_mean,
        slope,
        np.maximum(rest, 0.0),
        fixed + level + others_mean,
        of_rest * (1.0 - follow) ** 2 + of_others + noise,
    )


def _type_variance(cells: Cells, shared: SharedDraws, leaf: FloatArray) -> FloatArray:
    """Posterior variance of intercept + a of each cell, (C,): averaged over its leaves where there are periods."""
    by_type = np.var(shared.intercept[:, np.newaxis] + shared.type_effect, axis=0)
    return cells.cell_sum(leaf * by_type[cells.leaf_type]) / cells.cell_sum(leaf)


def _total_predictor(cells: Cells, shared: SharedDraws) -> FloatArray:
    """Predictor of each cell's total at u = v = w = 0, (C,)."""
    predictor = shared.mean_leaf_predictor(cells)
    return cells.family.total_predictor(cells.size, predictor, np.zeros(cells.n_cells), cells.cell_sum)[0]
