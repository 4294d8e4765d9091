"""Tables of units' log likelihoods, and the densities on grids from which parameters of effects are proposed first."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import brightspots as bs
from brightspots.engine.effects import StudentT, TwoNormals
from brightspots.engine.integration.elimination import eliminate
from brightspots.engine.integration.grids import GridDensity, lay_grid
from brightspots.engine.integration.mode import Mode, find_mode
from brightspots.engine.integration.model import Model
from brightspots.engine.integration.pilot import BlockPilot, block_pilot
from brightspots.engine.integration.tree import Tree
from brightspots.engine.integration.unit_tables import (
    Given,
    UnitTable,
    UnitValues,
    lagrange,
    leaf_values,
    table_scales,
    unit_table,
)
from brightspots.engine.terms import resolve_priors
from tests.conftest import table_of

EFFECTS = {"two normals": TwoNormals(), "t": StudentT()}


@cache
def fitted(trusts: int, family: str = "poisson", effect: str = "two normals") -> tuple[Model, Mode, Given]:
    """A model with heavy tails of departments' effects, at the mode of the one with normal effects."""
    nation = bs.simulate_nation(
        trusts, 15, family=family, effects="contaminated", missing_departments=0.0, seed=4
    ).cells
    columns = {"estimate": "estimate", "standard_error": "standard_error"} if family == "normal" else {}
    cells = table_of(nation, **columns).cells
    terms = resolve_priors(cells, bs.Priors())
    model = Model(Tree(cells, terms.levels, {"department": EFFECTS[effect]}), terms)
    mode = find_mode(model.normal)
    scales = model.tree.normal.scales(mode.log_sd)
    eliminated = eliminate(model.tree, mode.data.information, mode.data.linear, scales)
    return model, mode, Given(mode.border, scales, eliminated)


def told(model: Model, mode: Mode, given: Given) -> UnitValues:
    """Of departments: from none of the normal model's σ to twenty times as much."""
    sd = float(np.exp(mode.log_sd[model.tree.levels.index("department")]))
    scales, floor = table_scales(sd, 0.0, 0.15, 20)
    values = leaf_values(model.tree, given, scales)
    return UnitValues(scales, floor, values - values[:, :1])


@pytest.mark.parametrize("family", ["poisson", "normal"])
def test_tables_are_what_leaves_say_between_their_nodes(family):
    """Of normal effects of any standard deviation that a table is made for, against quadrature there."""
    model, mode, given = fitted(20, family)
    table = unit_table(told(model, mode, given))
    sds = np.geomspace(table.scales.min(), table.scales.max(), 40)
    exact = leaf_values(model.tree, given, np.r_[table.scales[0], sds])
    exact = exact[:, 1:] - exact[:, :1]
    each = table.values @ lagrange(table.scales, table.floor, sds)
    np.testing.assert_allclose(each, exact, atol=1e-3)
    together = table.log_likelihood(sds[np.newaxis], np.zeros((1, len(sds))))
    np.testing.assert_allclose(together, exact.sum(axis=0), atol=3e-3)


def test_a_mixture_is_the_sum_over_its_components():
    model, mode, given = fitted(20)
    table = unit_table(told(model, mode, given))
    sds, log_weight = np.array([[0.1, 0.2], [0.5, 0.7]]), np.log([[0.9, 0.6], [0.1, 0.4]])
    parts = [
        table.values @ lagrange(table.scales, table.floor, sd) + weight
        for sd, weight in zip(sds, log_weight, strict=True)
    ]
    np.testing.assert_allclose(
        table.log_likelihood(sds, log_weight), np.logaddexp(*parts).sum(axis=0), rtol=1e-12
    )


@cache
def proposed(trusts: int, effect: str) -> BlockPilot:
    model, mode, _ = fitted(trusts, effect=effect)
    return block_pilot(model, mode)


@pytest.mark.parametrize("effect", EFFECTS)
def test_units_that_are_alike_are_put_together(effect):
    """Of 3,000 units a tenth is left, and log likelihoods differ between parameters as they did."""
    model, mode, given = fitted(200, effect=effect)
    scales, floor, values = told(model, mode, given)
    grouped = unit_table(UnitValues(scales, floor, values))
    each = UnitTable(scales, floor, values, np.ones(len(values)))
    assert grouped.counts.sum() == len(values) == 3_000
    assert len(grouped.counts) < 400
    block, density = proposed(200, effect).blocks["department"]
    points = density.draw(300, np.random.default_rng(1))
    mixing = block.effect.mixing(points[:, 1:])
    arguments = mixing.factor * np.exp(points[:, 0]), mixing.log_weight
    error = grouped.log_likelihood(*arguments) - each.log_likelihood(*arguments)
    # Of a grid that only proposes, what differs is made good by weights.
    assert error.std() < (0.05 if effect == "two normals" else 0.3)
    if effect == "two normals":
        assert np.ptp(np.quantile(error, [0.025, 0.975])) < 0.2


def test_few_units_are_left_as_they_are():
    values = np.random.default_rng(1).normal(size=(400, 14))
    scales, floor = table_scales(0.2, 0.3, 0.3, 14)
    table = unit_table(UnitValues(scales, floor, values))
    np.testing.assert_allclose(table.values, values - values[:, :1])
    np.testing.assert_array_equal(table.counts, 1.0)


@pytest.mark.parametrize("effect", EFFECTS)
def test_each_level_has_a_grid_of_its_own_parameters(effect):
    """σ alone where effects are normal, and what is sampled of their distribution besides where they are not."""
    found = proposed(20, effect)
    assert list(found.blocks) == ["department", "trust"]
    tree = fitted(20, effect=effect)[0].tree
    names = EFFECTS[effect].names
    first = len(tree.levels)
    np.testing.assert_array_equal(
        tree.columns("department"), [tree.levels.index("department"), *range(first, first + len(names))]
    )
    assert len(found.blocks["department"][1].axes) == 1 + len(names)
    np.testing.assert_array_equal(tree.columns("trust"), [tree.levels.index("trust")])
    assert len(found.blocks["trust"][1].axes) == 1
    # Department types, which are not nested, are proposed from a t.
    np.testing.assert_array_equal(found.columns, [tree.levels.index("department_type")])
    points = found.draw(100, np.random.default_rng(1))
    assert points.shape == (100, tree.n_parameters)
    assert np.all(np.isfinite(found.log_density(points)))
    assert found.is_nil(points).mean() < 0.05
    points[:, 0] = 5.0
    assert found.is_nil(points).all()


def some_grid(axes: int) -> GridDensity:
    """Weights without any order, on axes of different steps."""
    sizes = (7, 5, 6)[:axes]
    weights = np.random.default_rng(axes).gamma(0.5, size=sizes)
    ends = [(-1.0, 0.5), (2.0, 6.0), (0.0, 0.1)]
    return GridDensity(
        tuple(np.linspace(*end, size) for end, size in zip(ends, sizes, strict=False)),
        weights / weights.sum(),
    )


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_a_density_on_a_grid_is_a_density(axes):
    """It integrates to 1 over its box, which ends a step beyond the axes, and is nil outside."""
    density = some_grid(axes)
    steps = np.array([axis[1] - axis[0] for axis in density.axes])
    low = np.array([axis[0] for axis in density.axes]) - steps
    high = np.array([axis[-1] for axis in density.axes]) + steps
    points = np.random.default_rng(1).uniform(low, high, (400_000, axes))
    values = np.exp(density.log_density(points)) * np.prod(high - low)
    assert values.mean() == pytest.approx(1.0, abs=5.0 * values.std() / len(values) ** 0.5)
    assert values.std() / len(values) ** 0.5 < 5e-3
    assert np.all(density.log_density(np.stack([low - 0.01 * steps, high + 0.01 * steps])) == -np.inf)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_it_is_its_weights_at_the_points(axes):
    density = some_grid(axes)
    points = np.stack(np.meshgrid(*density.axes, indexing="ij"), axis=-1).reshape(-1, axes)
    steps = np.prod([axis[1] - axis[0] for axis in density.axes])
    np.testing.assert_allclose(
        np.exp(density.log_density(points)) * steps, density.weights.ravel(), rtol=1e-6, atol=1e-9
    )
    np.testing.assert_array_equal(density.peak, points[np.argmax(density.weights)])


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_draws_are_from_it(axes):
    """They have its mean and, on either side of a point, its probability."""
    density, size = some_grid(axes), 40_000
    drawn = density.draw(size, np.random.default_rng(2))
    sd = drawn.std(axis=0)
    np.testing.assert_allclose((drawn.mean(axis=0) - density.mean) / sd, 0.0, atol=4.0 / size**0.5)
    # Of a triangle's probability half lies on each side of its own point.
    for number, axis in enumerate(density.axes):
        others = tuple(other for other in range(axes) if other != number)
        along = density.weights.sum(axis=others)
        for place in range(len(axis)):
            exact = along[:place].sum() + 0.5 * along[place]
            assert np.mean(drawn[:, number] < axis[place]) == pytest.approx(exact, abs=2.5 / size**0.5)
    assert np.all(np.isfinite(density.log_density(drawn)))


def test_a_grid_finds_a_narrow_density_and_its_integral():
    """Of a correlated normal a hundredth as wide as where it is looked for."""
    precision = np.linalg.inv(np.array([[4e-4, 1e-4], [1e-4, 1e-4]]))
    peak = np.array([0.37, -1.2])

    def log_density(points: np.ndarray) -> np.ndarray:
        away = points - peak
        return 7.0 - 0.5 * np.einsum("pi,ij,pj->p", away, precision, away)

    found = lay_grid(log_density, ((-2.0, 2.0), (-3.0, 1.0)))
    exact = 7.0 + np.log(2.0 * np.pi) - 0.5 * np.linalg.slogdet(precision)[1]
    assert found.log_total == pytest.approx(exact, abs=0.01)
    np.testing.assert_allclose(found.mean, peak, atol=1e-3)
    second = found.only(1)
    np.testing.assert_array_equal(second.axes[0], found.axes[1])
    np.testing.assert_allclose(second.mean, found.mean[1:])
    assert second.weights.sum() == pytest.approx(1.0)
