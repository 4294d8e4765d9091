"""Levels are data: the engine's loops hold for any nesting, and a model says which levels it has."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np
import pytest
from scipy import stats

import brightspots as bs
from brightspots.common.arrays import half_log_determinant
from brightspots.engine.effects import StudentT, TwoNormals
from brightspots.engine.integration.deal import _effects, _Scores
from brightspots.engine.integration.draws import make_draws
from brightspots.engine.integration.elimination import eliminate, solve_effects
from brightspots.engine.integration.exact import trust_log_likelihood
from brightspots.engine.integration.expansion import expand
from brightspots.engine.integration.model import Model, solve_border
from brightspots.engine.integration.outermost import integrate_trusts
from brightspots.engine.integration.polynomials import TrustGroup, trust_polynomials
from brightspots.engine.integration.scales import Scales
from brightspots.engine.integration.tree import Tree
from brightspots.engine.levels import NestedLevel, nested_levels, structure
from brightspots.engine.terms import Terms, resolve_priors
from tests.conftest import table_of

SDS = {"region": 0.25, "trust": 0.2, "department": 0.3, "period": 0.15, "department_type": 0.1}


class Regions(Tree):
    """A tree with a level above the trusts: regions of two trusts each, and the last of one."""

    @cached_property
    def nodes(self) -> tuple[NestedLevel, ...]:
        """Regions before the nodes that the data have."""
        region = self.cells.leaf_trust // 2
        return NestedLevel("region", region, int(region[-1]) + 1), *super().nodes


def cells_of(family: str, *, periods: int | list[str] | None = 3):
    labels = periods if isinstance(periods, list) else None
    count = periods if labels is None else len(labels)
    nation = bs.simulate_nation(5, 4, count, family=family, mean_expected=15.0, seed=3).cells
    if labels is not None:
        nation["period"] = np.array(labels)[nation["period"].to_numpy() - 1]
    # Trees of real tables are not balanced: a trust has one department, another misses a period.
    keep = ~(
        (nation["trust"] == nation["trust"].iloc[0]) & (nation["department"] != nation["department"].iloc[0])
    )
    nation = nation[keep & (np.arange(len(nation)) % 7 != 5)]
    columns = {"estimate": "estimate", "standard_error": "standard_error"} if family == "normal" else {}
    return table_of(nation, **columns).cells


def covariance(tree: Tree, sds=SDS) -> np.ndarray:
    """Of the leaves' linear predictors given the border: σ² for every level whose unit two leaves share.

    Leaves of a department share the error of what was expected of it too.
    """
    cells = tree.cells
    total = cells.error_variance[cells.leaf_cell] * np.equal.outer(cells.leaf_cell, cells.leaf_cell)
    for node in tree.nodes:
        total += sds[node.name] ** 2 * np.equal.outer(node.of_leaf, node.of_leaf)
    return total + (0.0 if tree.leaf_level is None else sds[tree.leaf_level] ** 2) * np.eye(cells.n_leaves)


def border_columns(tree: Tree) -> np.ndarray:
    """The dense design of the border, (N, B)."""
    types = np.equal.outer(tree.cells.leaf_type, np.arange(tree.n_types)).astype(float)
    return np.column_stack([tree.fixed, types])


# Levels in the model, with periods and without, with department types and without, with a level left out, and with
# errors of what was expected, which differ between departments.
NESTINGS = [
    (Tree, ("trust", "department"), None, False),
    (Tree, ("trust",), None, False),
    (Tree, ("trust", "department", "period", "department_type"), 3, False),
    (Tree, ("trust", "period"), 3, False),
    (Tree, ("trust", "department", "department_type"), 3, False),
    (Regions, ("region", "trust", "department", "department_type"), None, False),
    (Regions, ("region", "trust", "department", "period", "department_type"), 3, False),
    (Regions, ("region", "trust", "department"), 3, False),
    (Tree, ("trust", "department"), None, True),
    (Tree, ("trust", "department", "period", "department_type"), 3, True),
    (Regions, ("region", "trust", "department"), 3, True),
]


def tree_of(
    made: type[Tree], levels: tuple[str, ...], periods: int | None, errors: bool, family: str = "normal"
) -> Tree:
    cells = cells_of(family, periods=periods)
    if errors:
        cells = replace(cells, expected_sd=0.1 * (cells.leaf_cell % 4))
    return made(cells, levels)  # type: ignore[arg-type]


nestings = pytest.mark.parametrize(
    ("made", "levels", "periods", "errors"),
    NESTINGS,
    ids=[" > ".join(levels) + f" {p or ''}{' errors' * e}" for _, levels, p, e in NESTINGS],
)


@nestings
def test_elimination_is_that_of_the_dense_normal(made, levels, periods, errors):
    """Marginal density and means of border and effects, against matrices with every leaf in them."""
    tree = tree_of(made, levels, periods, errors)
    cells = tree.cells
    scales = Scales({level: np.array(SDS[level]) for level in levels})
    information = cells.size**-2.0
    linear = information * (cells.lower - cells.offset)
    eliminated = eliminate(tree, information, linear, scales)
    prior = bs.Normal(0.1, 0.5)
    model = Model(tree, Terms(prior, prior, {level: bs.HalfNormal(0.5) for level in levels}))
    found = solve_border(model, eliminated, scales)
    effects = solve_effects(tree, eliminated, found.border)

    x, y = border_columns(tree), cells.lower - cells.offset
    among = covariance(tree) + np.diag(cells.size**2)
    prior_mean = np.r_[[0.1] * tree.fixed.shape[1], [0.0] * tree.n_types]
    prior_variance = np.r_[[0.25] * tree.fixed.shape[1], [SDS["department_type"] ** 2] * tree.n_types]
    whole = among + (x * prior_variance) @ x.T
    density = stats.multivariate_normal(x @ prior_mean, whole).logpdf(y)
    unit = stats.norm(0.0, cells.size).logpdf(y).sum()  # the pseudo-observations' own constants
    assert found.log_marginal == pytest.approx(density - unit, rel=1e-10)
    weights = np.linalg.solve(whole, y - x @ prior_mean)
    np.testing.assert_allclose(found.border, prior_mean + prior_variance * (x.T @ weights), atol=1e-10)
    for node in tree.nodes:
        # An error of what was expected is found together with the effect of the department.
        error = cells.error_variance if node.name == "department" else 0.0
        by_hand = (SDS[node.name] ** 2 + error) * np.bincount(node.of_leaf, weights)
        np.testing.assert_allclose(effects[node.name], by_hand, atol=1e-10)


def draws_for(tree: Tree, size: int = 40):
    """Draws about σ's and a border that the data allow."""
    rng = np.random.default_rng(0)
    centre = np.log([SDS[level] for level in tree.levels])
    return make_draws(
        tree,
        centre + rng.normal(0.0, 0.1, (size, len(tree.levels))),
        rng.normal(0.0, 0.1, (size, tree.n_border)),
    )


def whole(tree: Tree) -> TrustGroup:
    cells = tree.cells
    return TrustGroup(slice(0, cells.n_trusts), slice(0, cells.n_cells), slice(0, cells.n_leaves))


@nestings
def test_polynomials_have_the_likelihood_of_nested_quadrature(made, levels, periods, errors):
    """Of counts, where nothing is closed-form; both against the dense normal where the data are estimates."""
    for family in ("poisson", "normal"):
        tree = tree_of(made, levels, periods, errors, family)
        draws = draws_for(tree)
        top = tree.nodes[0]
        for band in expand(tree, draws):
            fast = integrate_trusts(band, trust_polynomials(band, whole(tree)))
            at = np.arange(min(3, band.draws.size))
            for unit in range(top.n_units):
                exact = trust_log_likelihood(band, unit, at)
                np.testing.assert_allclose(fast[unit, at], exact, atol=2e-3 if family == "poisson" else 1e-6)
                if family == "normal":
                    mine = slice(int(top.leaves[unit]), int(top.leaves[unit + 1]))
                    for draw in at:
                        sd = {level: float(values[draw]) for level, values in band.draws.scales.sd.items()}
                        among = covariance(tree, sd)[mine, mine]
                        size = tree.cells.size[mine]
                        mean = tree.predictor(band.draws.border[draw])[mine]
                        dense = stats.multivariate_normal(mean, among + np.diag(size**2))
                        unit_constant = stats.norm(0.0, size).logpdf(0.0).sum()
                        assert exact[draw] == pytest.approx(
                            dense.logpdf(tree.cells.lower[mine]) - unit_constant, abs=1e-6
                        )


HEAVY = [
    (("trust", "department"), None, False, ("department",)),
    (("trust", "department", "department_type"), None, True, ("trust", "department")),
    (("trust", "department", "period"), 3, False, ("department",)),
    (("trust", "department", "period", "department_type"), 3, True, ("trust", "department")),
]


@pytest.mark.parametrize("effect", [TwoNormals(), StudentT()], ids=["two normals", "t"])
@pytest.mark.parametrize(("levels", "periods", "errors", "heavy"), HEAVY)
def test_polynomials_of_mixtures_have_the_likelihood_of_nested_quadrature(
    levels, periods, errors, heavy, effect
):
    """Effects with heavy tails at either level, as leaves and as nodes: what varies from draw to draw."""
    plain = tree_of(Tree, levels, periods, errors, "poisson")
    tree = Tree(plain.cells, levels, dict.fromkeys(heavy, effect))
    rng, size = np.random.default_rng(2), 12
    centre = np.log([SDS[level] for level in levels])
    middle = [-2.5, 0.9] if isinstance(effect, TwoNormals) else [0.5]
    parameters = np.r_[centre, np.tile(middle, len(heavy))] + rng.normal(0.0, 0.1, (size, tree.n_parameters))
    draws = make_draws(tree, parameters, rng.normal(0.0, 0.1, (size, tree.n_border)))
    for band in expand(tree, draws):
        fast = integrate_trusts(band, trust_polynomials(band, whole(tree)))
        at = np.arange(min(4, band.draws.size))
        for unit in range(tree.nodes[0].n_units):
            error = fast[unit, at] - trust_log_likelihood(band, unit, at)
            np.testing.assert_allclose(error, error.mean(), atol=0.01)


@nestings
def test_effects_are_drawn_about_their_means_given_border_and_sigmas(made, levels, periods, errors):
    """Mean and standard deviation of every level's effects over many scores, against the dense normal."""
    tree = tree_of(made, levels, periods, errors)
    size, rng = 2_000, np.random.default_rng(1)
    log_sd = np.tile(np.log([SDS[level] for level in levels]), (size, 1))
    border = np.tile(rng.normal(0.0, 0.1, tree.n_border), (size, 1))
    (band,) = expand(tree, make_draws(tree, log_sd, border))
    cells = tree.cells
    units = {node.name: node for node in tree.nodes}
    if tree.leaf_level == "department":
        units["department"] = nested_levels(cells)[-1]
    scores = {level: rng.standard_normal((node.n_units, size)) for level, node in units.items()}
    effects = _effects(band, whole(tree), _Scores(scores, {}, means=False), list(scores))
    drawn = {level: found.shapes[0] for level, found in effects}
    assert drawn.keys() == units.keys()
    among = covariance(tree) + np.diag(cells.size**2)
    residual = cells.lower - tree.predictor(border[0])
    for level, node in units.items():
        shared = SDS[level] ** 2 * np.equal.outer(np.arange(node.n_units), node.of_leaf)
        gain = np.linalg.solve(among, shared.T).T
        sd = np.sqrt(SDS[level] ** 2 - np.einsum("ij,ij->i", gain, shared))
        mean = gain @ residual
        np.testing.assert_allclose(drawn[level].mean(axis=1), mean, atol=5 * sd.max() / size**0.5)
        np.testing.assert_allclose(drawn[level].std(axis=1), sd, rtol=5 / size**0.5)


def test_effects_that_are_solved_for_follow_the_border():
    """Moving the border moves what is left for the effects, from the top down."""
    tree = tree_of(Regions, ("region", "trust", "department", "period", "department_type"), 3, False)
    scales = Scales({level: np.array(SDS[level]) for level in tree.levels})
    information = tree.cells.size**-2.0
    eliminated = eliminate(tree, information, 0.0 * information, scales)
    border = np.zeros(tree.n_border)
    assert all(np.all(values == 0.0) for values in solve_effects(tree, eliminated, border).values())
    border[0] = 1.0
    moved = solve_effects(tree, eliminated, border)
    assert list(moved) == ["region", "trust", "department"]
    assert all(np.all(values < 0.0) for values in moved.values())


def test_units_of_nested_levels_are_runs_of_leaves():
    cells = cells_of("poisson")
    trust, department, *_, period = nested_levels(cells)
    assert [level.name for level in (trust, department, period)] == ["trust", "department", "period"]
    assert trust.n_units == cells.n_trusts
    assert period.n_units == cells.n_leaves
    np.testing.assert_array_equal(department.leaves, cells.cell_leaves)
    np.testing.assert_array_equal(department.sum(cells.lower), cells.cell_sum(cells.lower))
    some = slice(int(department.leaves[2]), int(department.leaves[5]))
    assert department.units(some) == slice(2, 5)


def test_what_is_taken_out_of_draws_is_contiguous():
    """The last digit of a logarithm of a strided array may depend on where it lies in memory; a seed's numbers not."""
    tree = Tree(cells_of("poisson"), tuple(SDS)[1:])
    log_sd = np.random.default_rng(1).normal(-2.0, 0.5, (300, 4))
    scales = tree.scales(log_sd)
    for place, level in enumerate(tree.levels):
        assert scales[level].flags.c_contiguous
        np.testing.assert_allclose(scales[level], np.exp(log_sd[:, place]), rtol=1e-15)


def test_a_determinant_is_that_of_the_product():
    factor = np.tril(np.random.default_rng(2).normal(0.0, 1.0, (3, 5, 5)))
    factor[:, np.arange(5), np.arange(5)] = np.abs(factor[:, np.arange(5), np.arange(5)])
    determinant = np.linalg.slogdet(factor @ np.swapaxes(factor, 1, 2))[1]
    np.testing.assert_allclose(half_log_determinant(factor), 0.5 * determinant)
    np.testing.assert_allclose(half_log_determinant(factor[0]), 0.5 * determinant[0])


def test_a_model_prints_its_own_structure():
    nation = bs.simulate_nation(6, 4, 2, missing_departments=0.0, seed=1).cells
    priors = bs.Priors(period=None, department=0.3)
    cells = table_of(nation).cells
    assert structure(cells, resolve_priors(cells, priors).scales).splitlines() == [
        "trust            6                  u ~ N(0, σ²), σ ~ HalfNormal(scale=0.5)",
        "  department     24 in trusts       v ~ N(0, σ²), σ ~ HalfNormal(scale=0.3)",
        "    period       48 in departments  no effects in the model",
        "department_type  8 across trusts    a ~ N(0, σ²), σ ~ HalfNormal(scale=0.5)",
    ]


def test_a_fit_prints_it_too():
    fit = bs.fit_hierarchy(bs.simulate_nation(6, 4, seed=1).cells, seed=1)
    lines = fit.structure.splitlines()
    assert [line.split()[0] for line in lines] == ["trust", "department", "department_type"]
    heavy = structure(
        fit.table.cells,
        {"trust": bs.Flat(), "department": bs.Flat()},
        distributions={"trust": "mixture", "department": "student_t"},
    )
    assert "u ~ N(0, c²) or, with probability π, N(0, k²c²), of variance σ², σ ~ Flat()" in heavy
    assert "v ~ t(ν, 0, σ²), σ ~ Flat()" in heavy
