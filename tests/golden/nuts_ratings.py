"""A long NUTS run of the hierarchy with rating bands in it, written in PyMC from its formulas; keeps summaries only.

python tests/golden/nuts_ratings.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pymc as pm
from scipy import stats

import brightspots as bs

FILE = Path(__file__).resolve().parent / "nuts_ratings.npz"
QUANTILES = (0.025, 0.5, 0.975)
# Pairs of departments are compared in every so many draws.
STEP = 20


def data() -> pd.DataFrame:
    """A thin nation, whose bands are known poorly and whose trusts' σ within them reaches to 0."""
    return bs.simulate_nation(60, 8, mean_expected=20, rating_validity=0.8, seed=2).cells


def main() -> None:
    """Sample and write."""
    frame = data()
    trust, trusts = pd.factorize(frame["trust"], sort=True)
    department, departments = pd.factorize(frame["department"], sort=True)
    band = frame["rating"].cat.codes.to_numpy()
    levels = len(frame["rating"].cat.categories)
    share = np.bincount(band[np.unique(trust, return_index=True)[1]], minlength=levels) / len(trusts)
    with pm.Model():
        sd = {name: pm.HalfNormal(name, 0.5) for name in ("u", "v", "a", "band")}
        size = {"u": len(trusts), "v": len(frame), "a": len(departments), "band": levels}
        effect = {
            name: pm.Deterministic(f"{name}_effect", sd[name] * pm.Normal(f"{name}_score", shape=size[name]))
            for name in sd
        }
        predictor = pm.Normal("intercept", 0.0, 0.5) + effect["a"][department] + effect["v"]
        predictor += effect["u"][trust] + effect["band"][band]
        expected = frame["expected"].to_numpy() * pm.math.exp(predictor)
        pm.Poisson("events", expected, observed=frame["observed"].to_numpy())
        traced = pm.sample(
            20_000, tune=2_000, chains=4, cores=2, nuts_sampler="nutpie", random_seed=1, target_accept=0.99
        )
    drawn = {
        name: traced.posterior[name].to_numpy().reshape(-1, *traced.posterior[name].shape[2:]).T
        for name in [*sd, *(f"{name}_effect" for name in sd)]
    }
    mean = drawn["band_effect"] - share @ drawn["band_effect"]
    between, of_trusts = share @ mean**2, drawn["u"] ** 2
    good = -(mean[band] + drawn["u_effect"][trust] + drawn["v_effect"])
    cuts = stats.norm.ppf(np.cumsum(share)[:-1])[:, np.newaxis] * np.sqrt(between + of_trusts)
    earned = np.sum(good[np.newaxis] > cuts[:, np.newaxis], axis=0)
    away = np.abs(earned - band[:, np.newaxis])
    higher = band[:, np.newaxis] > band
    reversed_ = [np.mean((one[:, np.newaxis] < one)[higher]) for one in good[:, ::STEP].T]
    np.savez_compressed(
        FILE,
        p_other_band=np.mean(away >= 1, axis=1).astype(np.float32),
        p_two_bands=np.mean(away >= 2, axis=1).astype(np.float32),
        trust=np.quantile(between / (between + of_trusts), QUANTILES),
        trust_and_department=np.quantile(between / (between + of_trusts + drawn["v"] ** 2), QUANTILES),
        reversed=np.quantile(reversed_, QUANTILES),
        divergences=int(traced.sample_stats["diverging"].sum()),
    )


if __name__ == "__main__":
    main()
