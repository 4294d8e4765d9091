"""Fits whose effects are a mixture of two normals: against brute force, and what they are for."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import brightspots as bs
from brightspots.data.cells import Cells
from brightspots.engine.effects import EffectDraws, TwoNormals
from brightspots.engine.integration.conditional import ConditionalPosterior
from brightspots.engine.posterior import SharedDraws
from tests.conftest import table_of

DRAWS = 2_000
SD = {"trust": 0.2, "department": 0.25}
INTERCEPT, SHARE, FACTOR = 0.1, 0.1, 4.0
# Standard deviation of the usual effects in units of σ.
USUAL = (1.0 - SHARE + SHARE * FACTOR**2) ** -0.5
MIXTURE = bs.Priors(effects="mixture", trust_effects="normal")


def contaminated(
    trusts: int, departments: int, family: str = "normal", *, seed: int, level: str = "department"
) -> pd.DataFrame:
    """A table in which one effect in twenty of a level is four times as wide as the others."""
    rng = np.random.default_rng(seed)
    shape = (trusts, departments)
    u, v = rng.normal(0.0, 0.15, trusts), rng.normal(0.0, 0.12, shape)
    u *= np.where(rng.random(trusts) < 0.05, 4.0, 1.0) if level == "trust" else 1.0
    v *= np.where(rng.random(shape) < 0.05, 4.0, 1.0) if level == "department" else 1.0
    eta = u[:, np.newaxis] + v
    frame = pd.DataFrame({
        "trust": np.repeat([f"T{t:03d}" for t in range(trusts)], departments),
        "department": np.tile([f"D{d:02d}" for d in range(departments)], trusts),
    })  # fmt: skip
    if family == "poisson":
        expected = rng.gamma(2.0, 30.0, shape) + 5.0
        return frame.assign(expected=expected.ravel(), observed=rng.poisson(expected * np.exp(eta)).ravel())
    error = rng.uniform(0.04, 0.12, shape)
    return frame.assign(estimate=(eta + error * rng.normal(size=shape)).ravel(), standard_error=error.ravel())


def small_table(family: str) -> Cells:
    """Four trusts of up to five departments, with a far effect, some half-way, and a trust that is far off."""
    eta = np.array([
        [0.0, 0.1, -0.1, 0.15, -0.2], [0.9, 0.05, 0.0, 0.1, -0.1],
        [0.8, 1.0, 0.7, 0.9, 0.8], [0.4, -0.1, 0.1, -0.4, 0.0],
    ])  # fmt: skip
    error = np.array([0.05, 0.08, 0.1, 0.15, 0.3]) * np.ones((4, 1))
    frame = pd.DataFrame({
        "trust": np.repeat(list("ABCD"), 5), "department": np.tile(list("vwxyz"), 4),
        "estimate": (INTERCEPT + eta).ravel(), "standard_error": error.ravel(),
        "expected": error.ravel() ** -2.0,
    })  # fmt: skip
    if family == "normal":
        columns = {"estimate": "estimate", "standard_error": "standard_error"}
        return table_of(frame.drop(columns="expected"), **columns).cells
    frame["observed"] = np.round(frame["expected"] * np.exp(frame["estimate"]))
    # A trust that has but two departments.
    return table_of(frame[["trust", "department", "observed", "expected"]].drop(index=[15, 16, 17])).cells


def copies(cells: Cells, heavy: tuple[str, ...]) -> SharedDraws:
    """Many draws that are all the same, so that what differs between effects is their distribution given it."""
    two = TwoNormals()
    free = two.sampled({"exceptional_share": np.array(SHARE), "exceptional_factor": np.array(FACTOR)})
    return SharedDraws(
        intercept=np.full(DRAWS, INTERCEPT),
        coefficients=np.zeros((DRAWS, 0)),
        sd={level: np.full(DRAWS, sd) for level, sd in SD.items()},
        type_effect=np.zeros((DRAWS, cells.n_types)),
        effects={level: EffectDraws(two, np.tile(free, (DRAWS, 1))) for level in heavy},
    )


def prior(level: str, heavy: tuple[str, ...], at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Density of effects of a level, and what the exceptional add to it."""
    if level not in heavy:
        return stats.norm.pdf(at, 0.0, SD[level]), 0.0 * at
    sd = USUAL * SD[level]
    wide = SHARE * stats.norm.pdf(at, 0.0, FACTOR * sd)
    return (1.0 - SHARE) * stats.norm.pdf(at, 0.0, sd) + wide, wide


class Exact:
    """Effects given the shared draw by the trapezoidal rule over u and v."""

    def __init__(self, cells: Cells, heavy: tuple[str, ...]) -> None:
        self.u, self.v = np.linspace(-1.6, 1.8, 341), np.linspace(-1.9, 2.1, 801)
        (of_u, wide_u), (of_v, wide_v) = (
            prior(level, heavy, at) for level, at in (("trust", self.u), ("department", self.v))
        )
        predictor = cells.offset[:, np.newaxis, np.newaxis] + INTERCEPT + np.add.outer(self.u, self.v)
        seen, size = (values[:, np.newaxis, np.newaxis] for values in (cells.lower, cells.size))
        if cells.family.name == "normal":
            likelihood = stats.norm.pdf(seen, predictor, size)
        else:
            mean = size * np.exp(predictor - cells.offset[:, np.newaxis, np.newaxis])
            likelihood = np.exp(seen * np.log(mean) - mean - seen * np.log(seen + 0.5) + seen)
        of_cell = likelihood @ of_v
        density_u, density_v = [], []
        for trust in range(cells.n_trusts):
            own = np.flatnonzero(cells.cell_trust == trust)
            density_u.append(of_u * np.prod(of_cell[own], axis=0))
            for cell in own:
                rest = of_u * np.prod(of_cell[own[own != cell]], axis=0)
                density_v.append((rest @ likelihood[cell]) * of_v)
        self.density = {"trust": np.array(density_u), "department": np.array(density_v)}
        self.density = {level: of / of.sum(axis=1, keepdims=True) for level, of in self.density.items()}
        self.exceptional = {
            "trust": self.density["trust"] @ (wide_u / of_u),
            "department": self.density["department"] @ (wide_v / of_v),
        }

    def moments(self, level: str) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation, (units,) each."""
        at = self.u if level == "trust" else self.v
        mean = self.density[level] @ at
        return mean, np.sqrt(self.density[level] @ at**2 - mean**2)

    def above(self, level: str, place: int) -> tuple[float, np.ndarray]:
        """A threshold between two points of the grid, and the probability of lying above it."""
        at = self.u if level == "trust" else self.v
        return 0.5 * (at[place] + at[place + 1]), self.density[level][:, place + 1 :].sum(axis=1)


@cache
def both(family: str, heavy: tuple[str, ...]) -> tuple[ConditionalPosterior, Exact]:
    cells = small_table(family)
    return ConditionalPosterior(cells, copies(cells, heavy), 1), Exact(cells, heavy)


HEAVY = [("department",), ("trust",), ("trust", "department")]
cases = pytest.mark.parametrize(
    ("family", "heavy"),
    [(family, heavy) for family in ("normal", "poisson") for heavy in HEAVY],
    ids=lambda value: value if isinstance(value, str) else " and ".join(value),
)


@cases
def test_effects_are_drawn_from_their_distribution_given_what_is_shared(family, heavy):
    """Mean, standard deviation and tail probabilities of draws, of trusts and departments."""
    posterior, exact = both(family, heavy)
    blocks = list(posterior.blocks())
    drawn = {
        "trust": np.concatenate([block.trust_effect for block in blocks]),
        "department": np.concatenate([block.department_effect for block in blocks]),
    }
    for level, effects in drawn.items():
        mean, sd = exact.moments(level)
        np.testing.assert_allclose((effects.mean(axis=1) - mean) / sd, 0.0, atol=0.02)
        np.testing.assert_allclose(effects.std(axis=1), sd, rtol=0.06)
        for place in range(100, 321, 20) if level == "trust" else range(200, 601, 20):
            threshold, above = exact.above(level, place)
            np.testing.assert_allclose((effects > threshold).mean(axis=1), above, atol=0.03)


@cases
def test_tail_probabilities_of_departments_are_those_of_the_exact_density(family, heavy):
    """P(v > t) of blocks, averaged over what each draw was drawn from: with little noise."""
    posterior, exact = both(family, heavy)
    for place in range(200, 601, 20):
        threshold, above = exact.above("department", place)
        found = [
            block.above(np.full(block.department_effect.shape, threshold)).mean(axis=1)
            for block in posterior.blocks()
        ]
        np.testing.assert_allclose(np.concatenate(found), above, atol=6e-3)


@cases
def test_probabilities_of_being_exceptional_are_those_of_the_exact_density(family, heavy):
    """Of the heavy levels and of no other; from next to nothing to next to certain."""
    posterior, exact = both(family, heavy)
    shapes = posterior.shapes(DRAWS)
    assert shapes is not None
    blocks = list(shapes.map_shapes(lambda block: block))
    for level in heavy:
        found = np.concatenate([block.exceptional[level] for block in blocks])
        np.testing.assert_allclose(found, exact.exceptional[level], atol=1e-3)
        assert found.min() < 0.04
        assert found.max() > 0.99
    assert all(set(block.exceptional) == set(heavy) for block in blocks)


def test_surprise_is_uniform_where_some_departments_are_exceptional():
    """As it is under the model that made the data; under normal effects most cells look too ordinary."""
    frame = contaminated(120, 20, seed=3)
    uniform = {
        priors.effects: stats.kstest(
            bs.fit_hierarchy(frame, priors=priors, method="integrate", seed=1).departments()["surprise"], "uniform"
        ).pvalue
        for priors in (bs.Priors(effects="normal"), MIXTURE)
    }  # fmt: skip
    assert uniform["normal"] < 0.01 < uniform["mixture"]


@pytest.fixture(scope="module")
def fit() -> bs.HierarchyFit:
    frame = contaminated(60, 15, "poisson", seed=2)
    return bs.fit_hierarchy(frame, priors=bs.Priors(effects="mixture"), method="integrate", seed=1)


def test_a_fit_finds_how_many_are_exceptional_and_how_far(fit):
    """The truth lies in the intervals, which are narrow; trusts, of which none is exceptional, leave theirs wide."""
    assert fit.certificate.ok, fit.certificate.message
    drawn = fit.effects.shared.scalars
    for name, truth, widest in (("exceptional_share", 0.05, 0.2), ("exceptional_factor", 4.0, 5.0)):
        low, high = np.quantile(drawn[name], [0.025, 0.975])
        assert low < truth < high
        assert high - low < widest
    sd = 0.12 * np.sqrt(0.95 + 0.05 * 4.0**2)
    low, high = np.quantile(drawn["sd_department"], [0.025, 0.975])
    assert low < sd < high
    assert np.quantile(drawn["trust_exceptional_factor"], 0.975) > 6.0


def small_fit() -> bs.HierarchyFit:
    frame = contaminated(60, 15, seed=1)
    return bs.fit_hierarchy(frame, priors=bs.Priors(effects="mixture"), method="integrate", seed=1)


def test_a_seed_gives_the_same_numbers():
    first, again = small_fit(), small_fit()
    one, other = (each.effects.shared.scalars for each in (first, again))
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name])
    for block, same in zip(first.effects.blocks(), again.effects.blocks(), strict=True):
        np.testing.assert_array_equal(block.trust_effect, same.trust_effect)
        np.testing.assert_array_equal(block.department_effect, same.department_effect)


def test_a_fit_that_was_saved_says_the_same(tmp_path):
    fit = small_fit()
    fit.save(tmp_path / "fit.nc")
    loaded = bs.load_fit(tmp_path / "fit.nc")
    pd.testing.assert_frame_equal(loaded.departments(), fit.departments())
    pd.testing.assert_frame_equal(loaded.trusts(), fit.trusts())
    for name, values in fit.effects.shared.scalars.items():
        np.testing.assert_array_equal(loaded.effects.shared.scalars[name], values)


def test_departments_that_stand_out_are_likely_exceptional(fit):
    departments = fit.departments()
    probability = departments["p_exceptional"]
    assert probability.between(0.0, 1.0).all()
    # They are about as many as the share says.
    share = fit.effects.shared.scalars["exceptional_share"].mean()
    assert probability.mean() == pytest.approx(share, abs=0.02)
    far = (departments["surprise"] - 0.5).abs().nlargest(10).index
    assert probability[far].min() > 5 * probability.median()


def test_trusts_alone_may_be_exceptional():
    frame = contaminated(60, 6, seed=1, level="trust")
    fit = bs.fit_hierarchy(
        frame, priors=bs.Priors(effects="normal", trust_effects="mixture"), method="integrate", seed=1
    )
    assert fit.certificate.ok, fit.certificate.message
    exceptional = {name for name in fit.effects.shared.scalars if "exceptional" in name}
    assert exceptional == {"trust_exceptional_share", "trust_exceptional_factor"}
    assert "p_exceptional" in fit.trusts()
    assert "p_exceptional" not in fit.departments()
