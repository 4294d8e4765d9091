"""Simulation-based calibration: parameters drawn from the priors must rank uniformly among their posterior draws.

Talts, Betancourt, Simpson, Vehtari & Gelman (2018, arXiv:1804.06788). The long version runs under `make calibrate`.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from brightspots import CertificateWarning, Priors
from brightspots.engine.integration.integrate import integrate
from tests.conftest import table_of

PRIORS = Priors(intercept=0.3, trust=0.3, department=0.3, department_type=0.2, period=0.2)
TRUSTS, DEPARTMENTS = 12, 5
THINNED = 99  # ranks 0 to 99


def simulate(rng: np.random.Generator, family: str, periods: int) -> tuple[pd.DataFrame, dict[str, float]]:
    """One data set from the priors, and its true parameters."""
    sd = {
        "sd_trust": abs(rng.normal(0, 0.3)),
        "sd_department": abs(rng.normal(0, 0.3)),
        "sd_department_type": abs(rng.normal(0, 0.2)),
        "sd_period": abs(rng.normal(0, 0.2)),
    }
    shape = (TRUSTS, DEPARTMENTS, periods)
    u = rng.normal(0, sd["sd_trust"], TRUSTS)
    v = rng.normal(0, sd["sd_department"], shape[:2])
    a = rng.normal(0, sd["sd_department_type"], shape[1:])
    w = rng.normal(0, sd["sd_period"], shape) if periods > 1 else np.zeros(shape)
    intercept = rng.normal(0, 0.3)
    eta = intercept + u[:, None, None] + v[:, :, None] + a + w
    expected = rng.gamma(2.0, 10.0, shape) + 0.2
    frame = pd.DataFrame(
        {
            "trust": np.repeat(np.arange(TRUSTS), DEPARTMENTS * periods),
            "department": np.tile(np.repeat(np.arange(DEPARTMENTS), periods), TRUSTS),
            "period": np.tile(np.arange(periods), TRUSTS * DEPARTMENTS),
            "expected": expected.ravel(),
        }
    )
    if family == "poisson":
        frame["observed"] = rng.poisson(expected * np.exp(eta)).ravel()
    elif family == "binomial":
        frame["denominator"] = np.ceil(8 * expected).astype(int).ravel()
        offset = special.logit(frame["expected"] / frame["denominator"])
        frame["observed"] = rng.binomial(frame["denominator"], special.expit(offset + eta.ravel()))
    else:
        frame["standard_error"] = (expected**-0.5).ravel()
        frame["estimate"] = rng.normal(eta.ravel(), frame["standard_error"])
    if periods == 1:
        sd.pop("sd_period")
        frame = frame.drop(columns="period")
    return frame, sd | {"intercept": intercept, "trust_effect": u[3], "department_effect": v[3, 2]}


def ranks(family: str, periods: int, replications: int, seed: int) -> pd.DataFrame:
    """Rank of each true parameter among thinned posterior draws, one row a replication."""
    rows = []
    for replication in range(replications):
        rng = np.random.default_rng([seed, replication])
        frame, truth = simulate(rng, family, periods)
        columns = {"denominator": "denominator"} if family == "binomial" else {}
        cells = table_of(frame, family=family, priors=PRIORS, **columns).cells
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CertificateWarning)
            posterior, _ = integrate(cells, PRIORS, seed=replication)
        blocks = list(posterior.blocks())
        draws = {
            "trust_effect": np.concatenate([block.trust_effect for block in blocks])[3],
            "department_effect": np.concatenate([block.department_effect for block in blocks])[
                3 * DEPARTMENTS + 2
            ],
        }
        keep = rng.permutation(posterior.shared.n_draws)[:THINNED]
        rows.append(
            {
                name: int(np.sum(draws.get(name, posterior.shared.scalars.get(name))[keep] < value))
                for name, value in truth.items()
            }
        )
    return pd.DataFrame(rows)


def check_uniform(table: pd.DataFrame, bins: int, level: float) -> None:
    """χ² over equal bins and the largest deviation of the empirical distribution, for every parameter."""
    for name, column in table.items():
        counts = np.bincount(column * bins // (THINNED + 1), minlength=bins)
        assert stats.chisquare(counts).pvalue > level, (name, counts)
        spread = (column + np.random.default_rng(0).random(len(column))) / (THINNED + 1)
        assert stats.kstest(spread, "uniform").pvalue > level, name


def test_a_short_run_ranks_uniformly():
    check_uniform(ranks("poisson", 1, 20, seed=1), bins=4, level=1e-3)


@pytest.mark.calibration
@pytest.mark.parametrize("periods", [1, 3])
@pytest.mark.parametrize("family", ["poisson", "binomial", "normal"])
def test_three_hundred_replications_rank_uniformly(family, periods):
    check_uniform(ranks(family, periods, 300, seed=2), bins=20, level=1e-3)
