"""What the effects of a fit with periods are effects of, where periods are independent and where they are not.

Over nations with a known truth: how often the 95% interval of `own_ratio` holds the department's average over the
periods shown, what lasts, and the last period, and how many flags at a nominal 5% are false of each. `python
benchmarks/periods.py` prints the numbers of docs/how_to/periods.md (about a minute on one core).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

import brightspots as bs

NATIONS, TRUSTS, DEPARTMENTS, PERIODS = 16, 60, 8, 6
SD_TRUST, SD_DEPARTMENT, SD_PERIOD, SD_TYPE, SD_SIZE = 0.15, 0.20, 0.15, 0.10, 0.5
MEDIAN_EXPECTED = 50.0
MARGIN = 1.1
CORRELATIONS = (0.0, 0.7)

Array = npt.NDArray[np.float64]


def simulate(seed: int, correlation: float) -> tuple[pd.DataFrame, dict[str, Array]]:
    """A table of counts, and the true log `own_ratio` of each department by what it may be taken for.

    The effects w of a department's periods are a stationary AR(1).
    """
    rng = np.random.default_rng([seed, 20])
    trust = rng.normal(0.0, SD_TRUST, (TRUSTS, 1, 1))
    lasting = rng.normal(0.0, SD_DEPARTMENT, (TRUSTS, DEPARTMENTS))
    of_period = np.empty((TRUSTS, DEPARTMENTS, PERIODS))
    of_period[..., 0] = rng.normal(0.0, SD_PERIOD, (TRUSTS, DEPARTMENTS))
    fresh = SD_PERIOD * np.sqrt(1.0 - correlation**2)
    for period in range(1, PERIODS):
        new = rng.normal(0.0, fresh, (TRUSTS, DEPARTMENTS))
        of_period[..., period] = correlation * of_period[..., period - 1] + new
    types = rng.normal(0.0, SD_TYPE, (DEPARTMENTS, PERIODS))
    size = MEDIAN_EXPECTED * np.exp(rng.normal(0.0, SD_SIZE, (TRUSTS, DEPARTMENTS)))
    expected = np.repeat(size[..., None], PERIODS, axis=2)
    observed = rng.poisson(expected * np.exp(types + trust + lasting[..., None] + of_period))
    keys = (index.ravel() for index in np.indices(observed.shape))
    table = pd.DataFrame(dict(zip(("trust", "department", "period"), keys, strict=True)))
    table = table.assign(observed=observed.ravel(), expected=expected.ravel())
    effects = {
        "average": lasting + of_period.mean(axis=-1),
        "lasting": lasting,
        "last period": lasting + of_period[..., -1],
    }
    return table, {name: against_others(effect, size).ravel() for name, effect in effects.items()}


def against_others(effect: Array, weight: Array) -> Array:
    """An effect less the weighted mean of those of the other departments of the trust, (T, D)."""
    part = weight * effect
    others = part.sum(axis=1, keepdims=True) - part
    return effect - others / (weight.sum(axis=1, keepdims=True) - weight)


def score(seed: int, correlation: float) -> list[dict[str, object]]:
    """Coverage, flags and false ones of one nation."""
    table, truth = simulate(seed, correlation)
    fit = bs.fit_hierarchy(table, seed=seed)
    if not fit.certificate.ok:
        raise AssertionError(f"nation {seed}: {fit.certificate.message}")
    spots = fit.find_spots(bs.SpotRule(margin=MARGIN)).table.sort_values(["trust", "department"])
    lower, upper = (np.log(spots[f"own_ratio_{end}"].to_numpy()) for end in ("lower", "upper"))
    side = spots["status"].map({"dark spot": 1, "bright spot": -1}).fillna(0).to_numpy()
    return [
        {
            "correlation": correlation,
            "of": name,
            "covered": np.mean((lower <= effect) & (effect <= upper)),
            "flags": int(np.sum(side != 0)),
            "false": int(np.sum((side != 0) & (side * effect <= np.log(MARGIN)))),
        }
        for name, effect in truth.items()
    ]


def main() -> None:
    rows = [row for rho in CORRELATIONS for seed in range(NATIONS) for row in score(seed, rho)]
    by = pd.DataFrame(rows).groupby(["correlation", "of"])
    summed = by[["flags", "false"]].sum()
    summary = by["covered"].agg(["mean", "sem"]).assign(false=summed["false"] / summed["flags"])
    print(summary.round(3).to_string())


if __name__ == "__main__":
    main()
