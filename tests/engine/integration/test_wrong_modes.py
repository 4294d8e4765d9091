"""Data that strain against a prior: the posterior by a grid over its closed form, and no certificate for half of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

import brightspots as bs
from brightspots.engine.integration.mode import find_modes
from brightspots.engine.integration.model import Model
from brightspots.engine.integration.tree import Tree
from brightspots.engine.terms import resolve_priors
from tests.conftest import table_of


class Exact(NamedTuple):
    """Posterior mean and standard deviation of a parameter."""

    mean: float
    sd: float


def exact_posterior(
    z: np.ndarray, error: float, *, prior_sd: float = 0.5, nodes: int = 90
) -> dict[str, Exact]:
    """The balanced two-way normal hierarchy with known error, integrated over a grid of log σ's.

    z (trusts, types) has four independent sums of squares (mean, types, trusts, rest), each with one variance, so the
    marginal density of the three σ's has a closed form, and so has the intercept given them.
    """
    trusts, types = z.shape
    mean = z.mean()
    of_type, of_trust = z.mean(axis=0) - mean, z.mean(axis=1) - mean
    rest = z - mean - of_type - of_trust[:, np.newaxis]
    logs = np.meshgrid(*[np.linspace(-11.0, 2.2, nodes)] * 3, indexing="ij")
    trust, department, kind = (np.exp(2.0 * each) for each in logs)
    noise = department + error**2
    variance = {
        "rest": noise,
        "types": noise + trusts * kind,
        "trusts": noise + types * trust,
        "mean": noise + trusts * kind + types * trust + trusts * types * prior_sd**2,
    }
    degrees = {"rest": (trusts - 1) * (types - 1), "types": types - 1, "trusts": trusts - 1, "mean": 1}
    squares = {
        "rest": np.sum(rest**2),
        "types": trusts * np.sum(of_type**2),
        "trusts": types * np.sum(of_trust**2),
        "mean": trusts * types * mean**2,
    }
    density = sum(
        -0.5 * degrees[part] * np.log(variance[part]) - 0.5 * squares[part] / variance[part]
        for part in degrees
    )
    density = density + sum(
        log - 0.5 * np.exp(2.0 * log) / 0.25 for log in logs
    )  # half-normals of 0.5, in log σ
    weight = np.exp(density - density.max())
    weight /= weight.sum()
    spread = variance["mean"] / (trusts * types) - prior_sd**2
    shrink = prior_sd**2 / (prior_sd**2 + spread)
    intercept, its_variance = mean * shrink, spread * shrink
    found = {"intercept": Exact(*_moments(weight, intercept, its_variance))}
    for name, log in zip(("sd_trust", "sd_department", "sd_department_type"), logs, strict=True):
        found[name] = Exact(*_moments(weight, np.exp(log), 0.0))
    return found


def _moments(weight: np.ndarray, values: np.ndarray, variance: np.ndarray | float) -> tuple[float, float]:
    mean = float(np.sum(weight * values))
    return mean, float(np.sqrt(np.sum(weight * (values**2 + variance)) - mean**2))


def crossed(observed: np.ndarray, expected: float) -> pd.DataFrame:
    """A table of trusts × types from counts (trusts, types)."""
    trusts, types = observed.shape
    return pd.DataFrame({
        "trust": np.repeat([f"T{t}" for t in range(trusts)], types),
        "department": np.tile([f"D{d}" for d in range(types)], trusts),
        "observed": observed.ravel(),
        "expected": expected,
    })  # fmt: skip


def assert_agrees(fit: bs.HierarchyFit, exact: dict[str, Exact]) -> None:
    """Certified, and every mean within 0.15 posterior standard deviations (1,000 draws: 0.03 of them by chance)."""
    assert fit.certificate.ok
    for name, (mean, sd) in exact.items():
        assert fit.effects.shared.scalars[name].mean() == pytest.approx(mean, abs=0.15 * sd), name


@pytest.mark.parametrize(
    ("trusts", "types", "mean", "expected"),
    [(6, 3, 3e6, 1e5), (6, 3, 1e6, 1e8), (4, 5, 2e5, 1e4), (9, 2, 4e4, 1e3)],
)
def test_counts_far_from_what_was_expected(trusts, types, mean, expected):
    """Six prior standard deviations out, three types of 2.4 are likelier than a level of 3.4; five types are not."""
    observed = np.random.default_rng(1).poisson(mean, (trusts, types))
    with pytest.warns(bs.DataWarning, match="a ratio of"):
        fit = bs.fit_hierarchy(crossed(observed, expected), seed=1, method="integrate")
    error = float(np.sqrt(np.mean(1.0 / observed)))
    assert_agrees(fit, exact_posterior(np.log(observed / expected), error))


def test_a_ridge_between_trusts_and_types_is_followed_to_both_ends():
    """Two trusts of three types, forty times below what was expected: trusts, types or anything between."""
    rng = np.random.default_rng(11)
    z = -3.66 + 0.05 * rng.normal(size=(2, 3)) + 0.2 * rng.normal(size=(1, 3))
    frame = crossed(z, 0.0).rename(columns={"observed": "estimate"}).drop(columns="expected")
    frame = frame.assign(standard_error=0.02)
    fit = bs.fit_hierarchy(frame, estimate_scale="log ratio", seed=1, method="integrate")
    assert_agrees(fit, exact_posterior(z, 0.02))


def test_where_nothing_is_strained_no_second_search_is_made():
    """The fit of an ordinary table costs what it did."""
    assert len(find_modes(model_of(bs.Priors()))) == 1


def test_a_strained_prior_makes_the_search_look_elsewhere():
    """An intercept held far from where the data are: types as wide as the distance explain them as well."""
    places = find_modes(model_of(bs.Priors(intercept=bs.Normal(2.0, 0.2))))
    assert max(np.exp(place.log_sd[-1]) for place in places) > 0.8


def model_of(priors: bs.Priors) -> Model:
    cells = table_of(bs.simulate_nation(20, 6, seed=1).cells, priors=priors).cells
    terms = resolve_priors(cells, priors)
    return Model(Tree(cells, terms.levels), terms)
