"""Is the normal distribution of effects good enough? What the draws themselves say of its tails.

Draws of the effects from the posterior, under a model that is right, are draws from N(0, σ²) (averaged over data); so
their kurtosis, in any one draw, is that of a normal sample of as many units. Where the tails are heavier the
data pull the drawn effects out of that shape, the more the better departments are known (a posterior predictive
check with a pivotal discrepancy: Johnson 2007, Bayesian Analysis 2:719; Yuan & Johnson 2012, Biometrics 68:156).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from brightspots.cells import FloatArray
from brightspots.posterior import EffectBlock, Posterior

# Anscombe and Glynn's approximation is for samples of at least this size.
FEWEST_UNITS = 20


class EffectShape(NamedTuple):
    """Shape of the effects of one level.

    Parameters
    ----------
    units : int
    excess_kurtosis, lower, upper : float
        Posterior mean and central 95% interval of the excess kurtosis of the units' effects; 0 is a normal's.
    p : float
        Posterior mean of P(a normal sample of as many units has as heavy tails); NaN below `FEWEST_UNITS`. Small means
        heavier tails than the model has. An average of p-values, it errs on the side of the model.
    """

    units: int
    excess_kurtosis: float
    lower: float
    upper: float
    p: float


def effect_shapes(posterior: Posterior) -> dict[str, EffectShape]:
    """Shape of the effects of trusts and, where the model has them, of departments within trusts."""
    totals: dict[str, FloatArray] = {}
    for sums in posterior.map_blocks(lambda block: _power_sums(posterior, block)):
        for level, values in sums.items():
            totals[level] = totals.get(level, 0.0) + values
    units = {"trust": posterior.cells.n_trusts, "department": posterior.cells.n_cells}
    if posterior.shared.sd_department is None:
        del units["department"]
    return {level: _shape(totals[level], count) for level, count in units.items()}


def _power_sums(posterior: Posterior, block: EffectBlock) -> dict[str, FloatArray]:
    """Σx, Σx², Σx³ and Σx⁴ of the effects of a block at every draw, (4, S); in units of σ where each type has one."""
    departments, by_type = block.department_effect, posterior.shared.sd_department_by_type
    if by_type is not None:
        departments = departments / by_type.T[posterior.cells.cell_department[block.cells]]
    effects = {"trust": block.trust_effect, "department": departments}
    return {
        level: np.stack([np.sum(values**power, axis=0) for power in (1, 2, 3, 4)])
        for level, values in effects.items()
    }


def _shape(sums: FloatArray, units: int) -> EffectShape:
    first, second, third, fourth = sums / units
    variance = second - first**2
    central = fourth - 4.0 * first * third + 6.0 * first**2 * second - 3.0 * first**4
    kurtosis = central / np.maximum(variance**2, 1e-300)
    lower, upper = np.quantile(kurtosis - 3.0, [0.025, 0.975])
    p = (
        float(np.mean(stats.norm.sf(kurtosis_score(kurtosis, units))))
        if units >= FEWEST_UNITS
        else float("nan")
    )
    return EffectShape(units, float(np.mean(kurtosis) - 3.0), float(lower), float(upper), p)


def kurtosis_score(kurtosis: FloatArray, n: int) -> FloatArray:
    """Normal score of the sample kurtosis m₄/m₂² of n normal values (Anscombe & Glynn 1983, Biometrika 70:227)."""
    mean = 3.0 * (n - 1) / (n + 1)
    variance = 24.0 * n * (n - 2) * (n - 3) / ((n + 1) ** 2 * (n + 3) * (n + 5))
    x = (kurtosis - mean) / np.sqrt(variance)
    root = (
        6.0
        * (n * n - 5 * n + 2)
        / ((n + 7) * (n + 9))
        * np.sqrt(6.0 * (n + 3) * (n + 5) / (n * (n - 2) * (n - 3)))
    )
    a = 6.0 + 8.0 / root * (2.0 / root + np.sqrt(1.0 + 4.0 / root**2))
    denominator = 1.0 + x * np.sqrt(2.0 / (a - 4.0))
    ratio = np.cbrt((1.0 - 2.0 / a) / np.where(denominator == 0.0, 1e-300, denominator))
    return np.asarray((1.0 - 2.0 / (9.0 * a) - ratio) / np.sqrt(2.0 / (9.0 * a)))
