"""How often honest estimates are called shrunken, and how often shrunken ones are found: the rule of `data_checks`.

The figures of docs/decisions.md, "When estimates were already shrunken", are what `measure` gives with its default seed
and `RUNS` tables of each kind and size. Runs under `make calibrate`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from brightspots.data.checks import looks_shrunken

pytestmark = pytest.mark.calibration

# Estimates and department types of a table, and how many tables are drawn.
SIZES = {(50, 5): 400, (200, 10): 400, (200, 1): 400, (1_000, 8): 200, (5_000, 15): 60, (17_000, 6): 20}
# Share of all cells of trusts × departments that are there.
PRESENT = 0.8

Draw = tuple[np.ndarray, np.ndarray]


class Layout:
    """Who belongs where, and how large each is (median 1, log sd about `spread`)."""

    def __init__(self, n: int, departments: int, spread: float, rng: np.random.Generator) -> None:
        self.n, self.rng = n, rng
        self.n_trusts = int(np.ceil(n / (departments * PRESENT)))
        places = np.sort(rng.choice(self.n_trusts * departments, n, replace=False))
        self.trust, self.department = np.divmod(places, departments)
        part = 0.7 * spread
        self.size = np.exp(
            rng.normal(0.0, part, self.n_trusts)[self.trust]
            + rng.normal(0.0, part, departments)[self.department]
            + rng.normal(0.0, part, n)
        )
        self.level = rng.normal(0.0, 0.3, departments)[self.department]

    def effects(self, sd_trust: float, sd_department: float, freedom: float = np.inf) -> np.ndarray:
        """u + v, normal or of Student's t."""
        draw = self.rng.standard_normal if np.isinf(freedom) else lambda k: self.rng.standard_t(freedom, k)
        return sd_trust * draw(self.n_trusts)[self.trust] + sd_department * draw(self.n)


def normal(tau: float, freedom: float = np.inf, between_trusts: float = 0.5) -> Callable[[Layout], Draw]:
    """Independent estimates of errors 0.2 in the middle, and true values that differ by `tau`."""

    def draw(of: Layout) -> Draw:
        error = 0.2 / np.sqrt(of.size)
        truth = of.level + of.effects(tau * between_trusts, tau * np.sqrt(1.0 - between_trusts**2), freedom)
        return truth + error * of.rng.normal(size=of.n), error

    return draw


def log_ratio(expected: float) -> Callable[[Layout], Draw]:
    """Logarithms of observed over expected, half an event added."""

    def draw(of: Layout) -> Draw:
        mean = expected * of.size
        observed = of.rng.poisson(mean * np.exp(of.level + of.effects(0.15, 0.2)))
        return np.log((observed + 0.5) / (mean + 0.5)), (observed + 0.5) ** -0.5

    return draw


def proportion(centre: float) -> Callable[[Layout], Draw]:
    """Raw proportions of 400 people in the middle, whose errors follow from p(1 − p)."""

    def draw(of: Layout) -> Draw:
        people = np.ceil(400 * of.size)
        truth = 1.0 / (1.0 + np.exp(-(centre + of.level + of.effects(0.3, 0.5))))
        p = of.rng.binomial(people.astype(int), truth) / people
        return p, np.sqrt(np.maximum(p * (1.0 - p), 0.5 / people) / people)

    return draw


def volume(of: Layout) -> Draw:
    """Larger units do better."""
    error = 0.05 / np.sqrt(of.size)
    return of.level + of.effects(0.1, 0.15) - 0.15 * np.log(of.size) + error * of.rng.normal(size=of.n), error


def posterior_means(tau: float) -> Callable[[Layout], Draw]:
    """What a normal-normal model publishes: means and standard deviations of the posterior."""

    def draw(of: Layout) -> Draw:
        error = 0.2 / np.sqrt(of.size)
        raw = of.effects(0.5 * tau, np.sqrt(0.75) * tau) + error * of.rng.normal(size=of.n)
        kept = tau**2 / (tau**2 + error**2)
        return of.level + kept * raw, np.sqrt(kept) * error

    return draw


def gamma_means(tau: float) -> Callable[[Layout], Draw]:
    """What a Poisson-gamma model publishes of 30 expected events in the middle."""

    def draw(of: Layout) -> Draw:
        shape, mean = tau**-2.0, 30.0 * of.size
        observed = of.rng.poisson(mean * of.rng.gamma(shape, 1.0 / shape, of.n))
        return of.level + np.log((observed + shape) / (mean + shape)), (observed + shape) ** -0.5

    return draw


HONEST = {
    "true values equal": normal(0.0),
    "true values differ as much as errors": normal(0.2),
    "true values differ ten times as much": normal(2.0),
    "the same, Student's t with 3 degrees of freedom": normal(2.0, freedom=3.0),
    "the same, mostly between trusts": normal(2.0, between_trusts=0.98),
    "log O/E, 30 expected": log_ratio(30.0),
    "log O/E, 3,000 expected": log_ratio(3_000.0),
    "log O/E, 3 expected": log_ratio(3.0),
    "proportions about 12%": proportion(-2.0),
    "proportions about 50%": proportion(0.0),
    "larger units do better": volume,
}
SHRUNKEN = {
    "normal-normal, true sd half the error": posterior_means(0.1),
    "normal-normal, equal": posterior_means(0.2),
    "normal-normal, twice": posterior_means(0.4),
    "Poisson-gamma, true sd 0.1": gamma_means(0.1),
    "Poisson-gamma, 0.2": gamma_means(0.2),
}


def measure(draw: Callable[[Layout], Draw], n: int, departments: int, runs: int, seed: int = 1) -> float:
    """Share of tables that are called shrunken."""
    rng = np.random.default_rng([seed, n, departments])
    found = 0
    for _ in range(runs):
        layout = Layout(n, departments, 1.0, rng)
        found += looks_shrunken(*draw(layout), layout.department, layout.trust) is not None
    return found / runs


# Half an event added to few pulls ratios together, the more the fewer: these are shrunken, if only a little.
PULLED_BY_HALF_AN_EVENT = "log O/E, 3 expected"


@pytest.mark.parametrize("kind", HONEST)
def test_one_honest_table_in_a_hundred_at_most_is_called_shrunken(kind):
    tables = called = 0
    for size, runs in SIZES.items():
        tables += runs
        called += measure(HONEST[kind], *size, runs) * runs
    assert called / tables <= (0.02 if kind == PULLED_BY_HALF_AN_EVENT else 0.01)


@pytest.mark.parametrize("kind", SHRUNKEN)
def test_shrunken_tables_are_found(kind):
    assert measure(SHRUNKEN[kind], 1_000, 8, 100) > 0.6
    assert measure(SHRUNKEN[kind], 5_000, 15, 20) > 0.8
