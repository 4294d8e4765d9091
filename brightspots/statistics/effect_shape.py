"""A check of the normal distribution of effects: whether posterior draws of them have heavier tails.

If the model is right, posterior draws of the effects are, over repeated data, draws from N(0, σ²). So the kurtosis of
the effects in one draw is that of a normal sample of as many units. If the true effects have heavier tails, the data
give the drawn effects a larger kurtosis, the more so the more the data say about them (a posterior predictive check
with a pivotal discrepancy: Johnson 2007, Bayesian Analysis 2:719; Yuan & Johnson 2012, Biometrics 68:156).

The normal score z of the kurtosis of one draw is N(0, 1) over repeated data and draws. Its mean over the draws of one
fit varies less, since only a part of z comes from the data. Kurtosis is, to first order, the mean over units of the
fourth Hermite polynomial of their standardised effects. The posterior mean of that polynomial, for an effect of
reliability r, has r⁴ times its variance. So the mean of z has a variance of about mean r⁴, and is compared with
N(0, mean r⁴).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from brightspots.common.arrays import FloatArray
from brightspots.engine.posterior import EffectBlock, Posterior

# Anscombe and Glynn's approximation is for samples of at least this size.
FEWEST_UNITS = 20
# Mean r⁴ of the reliabilities below which the check has no power (about that of r = 0.3 everywhere).
LEAST_KNOWN = 0.01


class EffectShape(NamedTuple):
    """Shape of the effects of one level.

    Parameters
    ----------
    units : int
    excess_kurtosis, lower, upper : float
        Posterior mean and central 95% interval of the excess kurtosis of the units' effects; 0 is a normal's.
    p : float
        One-sided p-value of normal effects: about uniform where effects are normal, small where tails are heavier. In
        200 simulated nations of 40 × 10 departments with 40 expected events on average and normal effects it fell below
        0.01 in 0.5% (trusts) and 1.0% (departments), below 0.05 in 3.1% and 2.0%. NaN with fewer than `FEWEST_UNITS`
        units, or a mean r⁴ below `LEAST_KNOWN`.
    """

    units: int
    excess_kurtosis: float
    lower: float
    upper: float
    p: float


class _Sums(NamedTuple):
    """Sums over some units: of powers of their effects, Σx, Σx², Σx³ and Σx⁴, in every draw, (4, S); and Σr⁴."""

    powers: FloatArray
    known: float


def effect_shapes(posterior: Posterior) -> dict[str, EffectShape]:
    """Shape of the effects of trusts and, where the model has them, of departments within trusts."""
    blocks = list(posterior.map_blocks(lambda block: _sums(posterior, block)))
    units = {"trust": posterior.cells.n_trusts, "department": posterior.cells.n_cells}
    return {level: _shape([block[level] for block in blocks], units[level]) for level in blocks[0]}


def _sums(posterior: Posterior, block: EffectBlock) -> dict[str, _Sums]:
    """Sums over the units of a block, by level; effects are divided by σ where each department type has its own."""
    shared = posterior.shared
    effects = {"trust": (block.trust_effect, shared.sd["trust"])}
    if shared.sd_department_by_type is not None:
        sd = shared.sd_department_by_type.T[posterior.cells.cell_department[block.cells]]
        effects["department"] = block.department_effect / sd, np.ones(shared.n_draws)
    elif "department" in shared.sd:
        effects["department"] = block.department_effect, shared.sd["department"]
    found = {}
    for level, (values, sd) in effects.items():
        powers = np.stack([np.sum(values**power, axis=0) for power in (1, 2, 3, 4)])
        reliability = np.clip(1.0 - np.var(values / np.maximum(sd, 1e-300), axis=1), 0.0, 1.0)
        found[level] = _Sums(powers, float(np.sum(reliability**4)))
    return found


def _shape(blocks: Sequence[_Sums], units: int) -> EffectShape:
    first, second, third, fourth = np.sum([block.powers for block in blocks], axis=0) / units
    variance = second - first**2
    central = fourth - 4.0 * first * third + 6.0 * first**2 * second - 3.0 * first**4
    kurtosis = central / np.maximum(variance**2, 1e-300)
    lower, upper = np.quantile(kurtosis - 3.0, [0.025, 0.975])
    known = sum(block.known for block in blocks) / units
    p = float("nan")
    if units >= FEWEST_UNITS and known >= LEAST_KNOWN:
        score = kurtosis_score(kurtosis, units)
        # The Monte Carlo error of the mean over draws adds to its variance.
        p = float(stats.norm.sf(score.mean() / np.sqrt(known + score.var() / len(score))))
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
