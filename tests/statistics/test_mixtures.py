"""Mixtures of nearly normal distributions: their loops, and what is said of departments from them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, special, stats

import brightspots as bs
from brightspots.engine.posterior import enough_draws
from brightspots.engine.thinning import thin
from brightspots.statistics import mixture_loops_compiled, mixture_loops_plain, mixtures
from brightspots.statistics.cell_columns import from_draws, from_shapes, joined
from brightspots.statistics.mixtures import Mixture, Total

ROWS, DRAWS = 40, 150
TWINS = pytest.mark.parametrize("loops", [mixture_loops_compiled, mixture_loops_plain])
REACH = float(np.log(1.1))


def made_up(seed: int, *, skewed: bool = True) -> Mixture:
    """Mixtures whose parts differ in place and width, and a little in shape."""
    rng = np.random.default_rng(seed)
    shape = (ROWS, DRAWS)
    third, fourth = (rng.normal(0.0, 0.15, shape) * skewed for _ in range(2))
    return Mixture(rng.normal(0.0, 0.15, shape), np.exp(rng.normal(-2.0, 0.2, shape)), third, fourth)


def share_below(mixture: Mixture, row: int, x: float) -> float:
    """Distribution function of a mixture of normals, by SciPy."""
    return float(stats.norm.cdf(x, mixture.location[row], mixture.sd[row]).mean())


def test_both_loops_give_the_same():
    """The compiled one has a normal distribution, an exponential and a logarithm of its own."""
    rng = np.random.default_rng(1)
    mixture, first, second = made_up(1), *rng.normal(0.0, 0.1, (2, ROWS, DRAWS))
    level = np.exp(rng.normal(1.0, 1.0, (ROWS, 1)) + first)
    odds = np.log(level) + mixture.location
    people = np.where(np.arange(ROWS) % 2 == 0, np.inf, 3.0 * level.max(axis=1))
    centre = np.where(np.isinf(people)[:, np.newaxis], odds, special.logit(level / (2.9 * level.max())))
    one = np.ones((1, DRAWS))
    ends = np.stack([-0.3 * level.mean(axis=1), 0.3 * level.mean(axis=1)])
    arguments = {
        "describe": (*mixture, REACH, 0.025, float(stats.norm.ppf(0.025))),
        "beyond_both": (*mixture, first, second, REACH),
        "change_in_count": (
            level, *mixture[1:], people, centre, one, 0.02 * one, ends, 0.2 * level.mean(axis=1), 0.025,
        ),
    }  # fmt: skip
    for name, given in arguments.items():
        one_way, other = (
            getattr(loops, name)(*given) for loops in (mixture_loops_compiled, mixture_loops_plain)
        )
        np.testing.assert_allclose(one_way, other, rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("of_each", [False, True], ids=["one sigma", "one of each cell"])
def test_both_loops_put_trusts_and_departments_together_in_the_same_way(of_each):
    rng = np.random.default_rng(2)
    sizes = np.array([1, 2, 9, 28])

    def shapes(n: int) -> np.ndarray:
        parts = (
            rng.normal(0.0, 0.1, (n, DRAWS)),
            rng.uniform(0.05, 0.2, (n, DRAWS)),
            *rng.normal(0.0, 0.2, (2, n, DRAWS)),
        )
        return np.stack(parts).astype(np.float32)

    given = (
        shapes(len(sizes)), shapes(sizes.sum()),
        rng.uniform(0.2, 0.25, (sizes.sum() if of_each else 1, DRAWS)), rng.uniform(1.0, 10.0, sizes.sum()),
        np.concatenate([[0], np.cumsum(sizes)]),
    )  # fmt: skip
    one, other = (loops.distributions(*given) for loops in (mixture_loops_compiled, mixture_loops_plain))
    np.testing.assert_allclose(one, other, atol=1e-6)
    alone = np.isnan(one).any(axis=(0, 2))
    assert alone.tolist() == [True] + [False] * (sizes.sum() - 1)  # a trust's only department has no D
    assert not np.isnan(one[:4]).any()  # and it has u + v


@TWINS
def test_ends_and_tails_are_those_of_the_mixture(loops):
    mixture = made_up(3, skewed=False)
    found = mixtures.describe(mixture, REACH, 0.9, loops)
    for row in range(0, ROWS, 7):
        for probability, end in ((0.05, found.lower[row]), (0.95, found.upper[row])):
            exact = optimize.brentq(lambda x, p=probability, r=row: share_below(mixture, r, x) - p, -3.0, 3.0)
            # The search ends within 2e-5 of the probability.
            assert end == pytest.approx(exact, abs=5e-4)
        assert found.above[row] == pytest.approx(1.0 - share_below(mixture, row, REACH), abs=1e-10)
        assert found.below[row] == pytest.approx(share_below(mixture, row, -REACH), abs=1e-10)
    np.testing.assert_allclose(found.mean, mixture.location.mean(axis=1))
    variance = mixture.location.var(axis=1) + np.mean(mixture.sd**2, axis=1)
    np.testing.assert_allclose(found.sd, np.sqrt(variance))


@TWINS
def test_both_sides_at_once_are_those_of_draws(loops):
    rng = np.random.default_rng(4)
    own, level = made_up(4, skewed=False), rng.normal(0.0, 0.1, (ROWS, DRAWS))
    level[3] = np.nan
    high, low, within = mixtures.beyond_both(own, level, REACH, loops)
    d = own.location + own.sd * rng.standard_normal((400, ROWS, DRAWS))
    for found, side in ((high, np.minimum(d, d + level) > REACH), (low, np.maximum(d, d + level) < -REACH)):
        share = side.mean(axis=(0, 2))
        np.testing.assert_allclose(np.delete(found, 3), np.delete(share, 3), atol=0.01)
    inside = ((np.abs(d) <= REACH) & (np.abs(d + level) <= REACH)).mean(axis=(0, 2))
    np.testing.assert_allclose(np.delete(within, 3), np.delete(inside, 3), atol=0.01)
    assert np.isnan([high[3], low[3], within[3]]).all()


@TWINS
@pytest.mark.parametrize("bounded", [False, True])
def test_a_change_in_count_has_the_ends_of_its_draws(loops, bounded):
    rng = np.random.default_rng(5)
    own, at = made_up(5, skewed=False), rng.normal(-1.0, 0.1, (ROWS, DRAWS))
    people = np.full(ROWS, 60.0 if bounded else np.inf)

    def count(predictor: np.ndarray) -> np.ndarray:
        return 60.0 * special.expit(predictor) if bounded else np.exp(predictor)

    one, zero = np.ones((1, DRAWS)), np.zeros((1, DRAWS))
    total = Total(count(at), people, at + own.location, one, zero)
    lower, upper = mixtures.change_in_count(total, own, mixtures.describe(own, REACH, 0.9, loops), 0.9, loops)
    change = count(at + own.location + own.sd * rng.standard_normal((400, ROWS, DRAWS))) - count(at)
    by_draws = np.quantile(np.moveaxis(change, 1, 0).reshape(ROWS, -1), [0.05, 0.95], axis=1)
    spread = change.std(axis=(0, 2))
    np.testing.assert_allclose(lower, by_draws[0], atol=0.05 * spread.max())
    np.testing.assert_allclose(upper, by_draws[1], atol=0.05 * spread.max())
    np.testing.assert_allclose(total.mean_change(own), change.mean(axis=(0, 2)), atol=0.02 * spread.max())


def test_a_logarithm_and_an_exponential_of_many_numbers_at_once():
    """Through the loops that use them: a normal mixture far from its centre, counts of any size."""
    wide = Mixture(*(np.full((1, 5), value) for value in (0.0, 1.0, 0.0, 0.0)))
    for at in (-6.0, -1.0, 0.5, 3.0, 6.0):
        found = mixture_loops_compiled.describe(*wide, at, 0.025, -1.96)
        assert found[3, 0] == pytest.approx(stats.norm.sf(at), rel=1e-9)
    for size in (1e-6, 0.7, 3.0, 1e9):
        total = Total(*(np.array(each) for each in ([[size]], [np.inf], [[np.log(size)]], [[1.0]], [[0.0]])))
        one = Mixture(*(np.full((1, 1), value) for value in (0.0, 0.1, 0.0, 0.0)))
        own = mixtures.describe(one, REACH, 0.95, mixture_loops_compiled)
        _, upper = mixtures.change_in_count(total, one, own, 0.95, mixture_loops_compiled)
        assert upper[0] / size == pytest.approx(np.expm1(0.1 * stats.norm.ppf(0.975)), rel=1e-3)


@pytest.mark.parametrize(
    ("simulated", "columns"),
    [
        ({}, {}),
        ({"periods": 3, "sd_period": 0.2}, {}),
        ({"family": "binomial", "mean_expected": 15.0}, {"denominator": "denominator"}),
        (
            {"family": "binomial", "mean_expected": 15.0, "periods": 3, "sd_period": 0.2},
            {"denominator": "denominator"},
        ),
    ],
    ids=["counts", "periods", "proportions", "proportions by period"],
)
def test_departments_are_those_of_draws(simulated, columns):
    """Means, intervals and probabilities from distributions, beside those of 4,000 draws of all effects."""
    data = bs.simulate_nation(25, 8, seed=3, **simulated).cells
    posterior = bs.fit_hierarchy(data, draws=4_000, seed=1, **columns).effects
    cells, asked = posterior.cells, {"reach": REACH, "probability": 0.9}
    shapes = posterior.shapes(4_000)
    found = joined(shapes.map_shapes(lambda block: from_shapes(cells, shapes.shared, block, **asked)))
    drawn = joined(posterior.map_blocks(lambda block: from_draws(cells, posterior.shared, block, **asked)))
    for of in ("peer", "own"):
        one, other = getattr(found, of), getattr(drawn, of)
        for name in ("mean", "lower", "upper"):
            away = (getattr(one, name) - getattr(other, name)) / other.sd
            # The 5% quantile of 4,000 draws is known to about 0.033 standard deviations.
            assert np.abs(away).max() < (0.02 if name == "mean" else 0.15), (of, name)
            assert np.abs(away.mean()) < 0.02, (of, name)
        np.testing.assert_allclose(one.sd, other.sd, rtol=0.05)
        assert np.mean(one.sd / other.sd) == pytest.approx(1.0, abs=0.005)
        np.testing.assert_allclose(one.above, other.above, atol=0.02)
        np.testing.assert_allclose(one.below, other.below, atol=0.02)
    spread = (drawn.excess[2] - drawn.excess[1]) / 3.29
    for one, other, most in zip(found.excess, drawn.excess, (0.03, 0.2, 0.2), strict=True):
        assert np.abs((one - other) / spread).max() < most
    for name in ("both_high", "both_low", "both_within"):
        np.testing.assert_allclose(getattr(found, name), getattr(drawn, name), atol=0.03)
    for name in ("level", "level_sd", "peer_level_sd"):
        np.testing.assert_allclose(getattr(found, name), getattr(drawn, name), atol=0.02)
    np.testing.assert_allclose(found.variance, drawn.variance, rtol=0.06)


def summarised(posterior, draws):
    """Columns of all departments from so many shared draws."""
    shapes = posterior.shapes(draws)
    return joined(
        shapes.map_shapes(
            lambda block: from_shapes(posterior.cells, shapes.shared, block, reach=REACH, probability=0.95)
        )
    )


def test_fewer_draws_say_nearly_the_same():
    """Means and standard deviations of what enters the predictor stay; those of departments move by little."""
    data = bs.simulate_nation(30, 12, seed=2).cells
    posterior = bs.fit_hierarchy(data, seed=1).effects
    every, some = posterior.shared, thin(posterior.shared, posterior.cells, 64)
    assert some.n_draws == 64
    for few, all_draws in (
        (some.intercept, every.intercept),
        (
            some.intercept[:, np.newaxis] + some.type_effect,
            every.intercept[:, np.newaxis] + every.type_effect,
        ),
    ):
        np.testing.assert_allclose(few.mean(axis=0), all_draws.mean(axis=0), atol=1e-12)
        np.testing.assert_allclose(few.std(axis=0), all_draws.std(axis=0), rtol=1e-9)
    medians = (np.median(shared.sd["department"]) for shared in (some, every))
    assert next(medians) == pytest.approx(next(medians), rel=0.01)
    of = [summarised(posterior, draws) for draws in (64, 1_000)]
    for name in ("peer", "own"):
        few, many = (getattr(columns, name) for columns in of)
        for part, most in (("mean", 0.02), ("lower", 0.08), ("upper", 0.08)):
            away = (getattr(few, part) - getattr(many, part)) / many.sd
            assert np.abs(away).max() < most, (name, part)


@pytest.mark.parametrize("departments", [20, 40])
def test_so_they_do_where_departments_are_as_uncertain_as_what_all_share(departments):
    """Counts so large that a department is uncertain by what all share: fewer draws add less than another seed does."""
    data = bs.simulate_nation(30, departments, mean_expected=20_000.0, sd_department=0.5, seed=2).cells
    first, second = (bs.fit_hierarchy(data, seed=seed).effects for seed in (1, 2))
    draws = enough_draws(first.cells)
    assert draws < 400
    few, many, other = summarised(first, draws), summarised(first, 1_000), summarised(second, 1_000)
    for name, least in (("peer", 10.0), ("own", 1.2)):
        for part in ("lower", "upper"):
            reference = getattr(getattr(many, name), part)
            by_draws, by_seed = (
                np.sqrt(
                    np.nanmean(
                        ((getattr(getattr(one, name), part) - reference) / getattr(many, name).sd) ** 2
                    )
                )
                for one in (few, other)
            )
            assert by_seed > least * by_draws, (name, part)


def test_draws_that_are_few_already_stay_as_they_are():
    posterior = bs.fit_hierarchy(bs.simulate_nation(8, 4, seed=2).cells, draws=50, seed=1).effects
    assert thin(posterior.shared, posterior.cells, 64) is posterior.shared
