"""How many units that differ by chance alone lie beyond limits from few units, and who hides within them.

The figures of docs/funnels.md, "Few units", are what these functions give with their default seeds and runs. Runs under
`make calibrate`.
"""

from __future__ import annotations

import numpy as np
import pytest

from brightspots.common.vocabulary import DENOMINATOR, EXPECTED
from brightspots.limits.boundaries import method_boundary
from brightspots.limits.checks import FEWEST_ADDITIVE, FEWEST_MULTIPLICATIVE
from brightspots.limits.overdispersion import method_dispersion

pytestmark = pytest.mark.calibration

TAIL = 0.001


def beyond(method: str, observed: np.ndarray, size: np.ndarray, target: float) -> np.ndarray:
    """Which units lie outside the method's 99.8% limits."""
    dispersion = method_dispersion(method, observed, size, target, 0.1, None)
    size_name = DENOMINATOR if method == "proportion" else EXPECTED
    boundary = method_boundary(method, size_name, target, dispersion)
    ratio = observed / size
    return (ratio < boundary(size, TAIL, False)) | (ratio > boundary(size, TAIL, True))


def chance_beyond(n: int, expected: float = 100.0, units: int = 200_000, seed: int = 1) -> float:
    """Share of units beyond the limits of `phs`, all at their expected events (log sd of size 0.5)."""
    rng = np.random.default_rng([seed, n, int(expected)])
    runs, found = units // n, 0
    for _ in range(runs):
        size = expected * np.exp(rng.normal(0.0, 0.5, n))
        found += int(beyond("phs", rng.poisson(size).astype(float), size, 1.0).sum())
    return found / (runs * n)


def standing_out_found(method: str, n: int, ratio: float, runs: int = 1_000, seed: int = 1) -> float:
    """Share of funnels in which the one unit at `ratio` times its 100 expected events lies beyond the limits."""
    rng = np.random.default_rng([seed, n, int(10 * ratio)])
    mean = np.full(n, 100.0)
    mean[0] *= ratio
    found = 0
    for _ in range(runs):
        if method == "proportion":
            size = np.full(n, 1_000.0)
            observed = rng.binomial(1_000, mean / 1_000).astype(float)
            target = float(observed.sum() / size.sum())
        else:
            size, observed, target = np.full(n, 100.0), rng.poisson(mean).astype(float), 1.0
        found += bool(beyond(method, observed, size, target)[0])
    return found / runs


@pytest.mark.parametrize("expected", [20.0, 100.0, 1_000.0])
def test_multiplicative_limits_are_twice_too_easily_passed_below_the_number_that_is_warned_of(expected):
    assert chance_beyond(FEWEST_MULTIPLICATIVE - 6, expected) > 0.004
    assert chance_beyond(FEWEST_MULTIPLICATIVE, expected) < 0.0043
    assert chance_beyond(60, expected) < 0.0035


@pytest.mark.parametrize("method", ["shmi", "cqc", "proportion"])
def test_who_stands_out_hides_in_limits_from_few_units_below_the_number_that_is_spoken_of(method):
    assert standing_out_found(method, 4, 2.0) < 0.05
    assert standing_out_found(method, FEWEST_ADDITIVE, 2.0) > 0.95
