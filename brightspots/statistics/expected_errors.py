"""The posterior were the expected events less well known, from the fit's own draws: nothing is integrated again.

An error ε ~ N(0, e²) in the log of what was expected of a department adds to its effect v ~ N(0, σ²), and the data
know only their sum, whose variance is τ² = σ² + e². So where e is the same for all departments, the likelihood under
errors at σ is that of the fit at the same τ, and draws of the fit's posterior become draws under other errors by the
ratio of the two priors of τ (importance sampling; Owen 2013, Monte Carlo theory, ch. 9).
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final

import numpy as np

from brightspots.common.arrays import FloatArray
from brightspots.common.settings import Priors
from brightspots.data.cells import Cells
from brightspots.engine.integration.conditional import ConditionalPosterior
from brightspots.engine.integration.importance import effective_size, resample, smooth
from brightspots.engine.integration.integrate import certify
from brightspots.engine.posterior import Certificate, Posterior
from brightspots.engine.terms import log_density_of_log_sd, resolve_priors

# Share of the fit's draws that must be left, as effective ones, once they are weighed.
_LEAST_SHARE: Final = 0.5


def reweighted(
    fitted: Posterior, cells: Cells, priors: Priors, seed: int
) -> tuple[ConditionalPosterior, Certificate] | None:
    """The posterior of the same data with other errors of what was expected, and the certificate of its weights.

    Parameters
    ----------
    fitted : Posterior
        With effects of departments that have one standard deviation, and a certificate that holds.
    cells : Cells
        As fitted, but for `Cells.expected_sd`.
    priors : Priors
        Those of the fit.
    seed : int

    Returns
    -------
    ConditionalPosterior, Certificate
        None where errors differ between departments, before or now, where effects of departments are not normal or
        differ in σ by type, or the weights do not earn a certificate: hardly any draw leaves room for such errors.
    """
    started = time.perf_counter()
    before, now = fitted.cells.error_variance, cells.error_variance
    if np.ptp(before) > 0.0 or np.ptp(now) > 0.0 or not fitted.shared.departments_are_normal:
        return None
    shared = fitted.shared
    sd = shared.sd["department"]
    variance = sd**2 + before[0] - now[0]
    possible, least = variance > 0.0, _LEAST_SHARE * shared.n_draws
    if possible.sum() < least:
        return None
    other = np.sqrt(np.where(possible, variance, 1.0))
    prior = resolve_priors(cells, priors).scales["department"]

    def log_prior(sd: FloatArray) -> FloatArray:
        """Log prior density of τ², up to a constant: dτ² = dσ² = 2σ²·dlog σ."""
        return log_density_of_log_sd(prior, np.log(sd)) - 2.0 * np.log(sd)

    weights = smooth(np.where(possible, log_prior(other) - log_prior(sd), -np.inf))
    effective = effective_size(weights.values, np.column_stack(list(shared.scalars.values())))
    chosen = resample(weights.values, other, shared.n_draws, np.random.default_rng(seed))
    drawn = replace(shared, sd={**shared.sd, "department": other}).take(chosen)
    certificate = certify(effective, weights.pareto_k, 0.0, int(least), time.perf_counter() - started)
    return (ConditionalPosterior(cells, drawn, seed), certificate) if certificate.ok else None
