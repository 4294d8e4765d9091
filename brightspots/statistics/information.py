"""Fisher information of leaves and cells on their predictor, and the rankability of trusts, by normal approximation.

The information I of a leaf is minus the second derivative of its log likelihood at the fitted level. The periods of a
department together have the information i = Σ 1/(σ_w² + 1/I) on its lasting level u + v; where its expected events
have an error with the known variance e², it is 1/(e² + 1/i). The department has the information 1/(σ_v² + 1/i) on the
effect u of its trust.
"""

from __future__ import annotations

import numpy as np

from brightspots.common.arrays import FloatArray
from brightspots.data.cells import Cells
from brightspots.engine.posterior import SharedDraws


def leaf_information(cells: Cells, shared: SharedDraws, peer: FloatArray) -> FloatArray:
    """Information of each leaf on its linear predictor, (N,), at the posterior mean.

    A suppressed count is treated as if it were shown.

    Parameters
    ----------
    peer : (C,)
        Posterior mean of u + v.
    """
    predictor = shared.mean_leaf_predictor(cells) + peer[cells.leaf_cell]
    return cells.family.information(cells.size, predictor)


def cell_information(cells: Cells, leaf: FloatArray, period_variance: float) -> FloatArray:
    """Information of each cell on its lasting level u + v, (C,): Σ 1/(σ_w² + 1/I) over its leaves, less by its error.

    Parameters
    ----------
    leaf : (N,)
        Information I of each leaf.
    period_variance : float
        σ_w²; 0 without periods.
    """
    known = cells.cell_sum(leaf / (1.0 + period_variance * leaf))
    return known / (1.0 + cells.error_variance * known)


def rankability_draws(cells: Cells, shared: SharedDraws, peer: FloatArray) -> FloatArray:
    """Rankability of the trusts at every draw of the standard deviations, (S,).

    σ_u²/(σ_u² + median_t s_t²), the share of the variation between the trusts' estimates that is not chance (van
    Dishoeck et al. 2011, BMJ Qual Saf 20:869). s_t is the standard error of a trust's effect were it estimated by
    itself: s_t⁻² = Σ_d 1/(σ_v² + 1/i_td), over its departments, which differ by chance and by σ_v. It is the same as
    1 − median_t Var(u_t | σ, y)/σ_u².

    Parameters
    ----------
    peer : (C,)
        Posterior mean of u + v.
    """
    leaf = leaf_information(cells, shared, peer)
    starts = cells.trust_cells[:-1]
    variance, passing = shared.sd["trust"] ** 2, shared.sd_of("period") ** 2
    sd_department, by_type = shared.sd_of("department"), shared.sd_department_by_type
    result = np.empty(shared.n_draws)
    for draw in range(shared.n_draws):
        known = cell_information(cells, leaf, float(passing[draw]))
        lasting = sd_department[draw] ** 2 if by_type is None else by_type[draw, cells.cell_department] ** 2
        error = np.median(1.0 / np.add.reduceat(known / (1.0 + lasting * known), starts))
        result[draw] = variance[draw] / (variance[draw] + error)
    return result
