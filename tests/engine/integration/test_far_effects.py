"""Cells without events in large denominators under wide σ's: densities that reach far to one side alone."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import integrate as quadrature
from scipy import stats

import brightspots as bs
from brightspots.engine.effects import TwoNormals
from brightspots.engine.integration.centre import pseudo_data
from brightspots.engine.integration.draws import Draws, make_draws
from brightspots.engine.integration.exact import trust_log_likelihood
from brightspots.engine.integration.expansion import expand
from brightspots.engine.integration.extents import Extremes, extents
from brightspots.engine.integration.outermost import integrate_trusts
from brightspots.engine.integration.polynomials import TrustGroup, trust_polynomials
from brightspots.engine.integration.scales import Scales
from brightspots.engine.integration.tree import Tree
from brightspots.engine.integration.unit_tables import _integrals_over_leaves
from tests.conftest import table_of

LEVEL, OF_DEPARTMENT = -6.5, np.array([0.0, 0.5, -2.0, 1.0])
SDS = {"trust": 0.9, "department": 2.0, "period": 0.6, "department_type": 1.2}
LEVELS = ("trust", "department", "period", "department_type")


@cache
def quiet_nation(trusts: int = 60) -> pd.DataFrame:
    """People counted by department and year, in many of which there is no event among tens of thousands."""
    rng = np.random.default_rng(11)
    rows = []
    for trust in range(trusts):
        u = rng.normal(0.0, SDS["trust"])
        for department in range(4):
            eta = LEVEL + u + OF_DEPARTMENT[department] + rng.normal(0.0, SDS["department"])
            people = int(10.0 ** rng.uniform(3.0, 5.0))
            for year in (2016, 2017, 2018):
                chance = 1.0 / (1.0 + np.exp(-(eta + rng.normal(0.0, SDS["period"]))))
                rows.append((f"T{trust:02d}", f"D{department}", year, rng.binomial(people, chance), people))
    return pd.DataFrame(rows, columns=["trust", "department", "period", "observed", "denominator"])


@cache
def tree_of(trusts: int, mixed: bool = False) -> Tree:
    cells = table_of(quiet_nation(trusts), denominator="denominator", period="period").cells
    return Tree(cells, LEVELS, {"department": TwoNormals()} if mixed else {})


def test_the_table_has_what_it_is_for():
    frame = quiet_nation()
    empty = frame["observed"] == 0
    assert empty.mean() > 0.1
    assert frame.loc[empty, "denominator"].max() > 30_000


def test_a_fit_is_certified_and_covers_the_truth():
    fit = bs.fit_hierarchy(quiet_nation(), method="integrate", seed=1)
    assert fit.certificate.ok
    partition = fit.variance_partition()
    for level in ("trust", "department", "period"):
        assert partition.loc[level, "sd_lower"] < SDS[level] < partition.loc[level, "sd_upper"]


def border_of(tree: Tree) -> np.ndarray:
    """Intercept, and effects of department types: one for each department and year."""
    cells = tree.cells
    types = np.zeros(cells.n_types)
    types[cells.leaf_type] = OF_DEPARTMENT[cells.cell_department[cells.leaf_cell]]
    return np.r_[LEVEL, types]


def draws_for(tree: Tree, size: int = 60) -> Draws:
    """Draws about the truth that differ as those of a fit do."""
    rng = np.random.default_rng(3)
    spread = np.array([0.3, 0.1, 0.05, 0.2, *(0.1,) * (tree.n_parameters - 4)])
    middle = np.r_[np.log([SDS[level] for level in LEVELS]), [-0.7, 1.8][: tree.n_parameters - 4]]
    both = rng.normal(0.0, 0.3, (size, 1)) * np.r_[1.0, -np.ones(tree.n_types)]
    border = border_of(tree) + both + rng.normal(0.0, 0.1, (size, tree.n_border))
    return make_draws(tree, middle + spread * rng.normal(size=(size, tree.n_parameters)), border)


def whole(tree: Tree) -> TrustGroup:
    cells = tree.cells
    return TrustGroup(slice(0, cells.n_trusts), slice(0, cells.n_cells), slice(0, cells.n_leaves))


@pytest.mark.parametrize("mixed", [False, True], ids=["normal", "two normals"])
def test_polynomials_have_the_likelihood_of_nested_quadrature(mixed):
    """Of every trust, at draws with a wide and with a narrow σ of trusts: what varies from draw to draw."""
    tree = tree_of(24, mixed)
    found = np.full((2, 24, 60), np.nan)
    for band in expand(tree, draws_for(tree)):
        at = np.arange(min(6, band.draws.size))
        found[0][:, band.members[at]] = integrate_trusts(band, trust_polynomials(band, whole(tree)))[:, at]
        for trust in range(24):
            found[1][trust, band.members[at]] = trust_log_likelihood(band, trust, at, nodes=21)
    error = found[0] - found[1]
    assert np.isfinite(error).any(axis=0).sum() >= 6
    error -= np.nanmean(error, axis=1, keepdims=True)
    assert np.nanmax(np.abs(error)) < 0.02
    assert np.nanmax(np.abs(np.nansum(error, axis=0))) < 0.1


def log_likelihood(tree: Tree, base: np.ndarray, unit: int, x: np.ndarray) -> np.ndarray:
    """Of a department's sum of effects, its periods' integrated out by 61 points."""
    z, weight = np.polynomial.hermite_e.hermegauss(61)
    total, cells = np.zeros_like(x), tree.cells
    for leaf in range(tree.nodes[1].leaves[unit], tree.nodes[1].leaves[unit + 1]):
        eta = base[leaf] + x[:, np.newaxis] + SDS["period"] * z
        logs = cells.lower[leaf] * eta - cells.size[leaf] * np.logaddexp(0.0, eta)
        peak = logs.max(axis=1, keepdims=True)
        total += peak[:, 0] + np.log(np.exp(logs - peak) @ weight)
    return total


def densities(tree: Tree, border: np.ndarray, trust: int, department: int) -> tuple[np.ndarray, ...]:
    """Log densities of a trust's effect and of one of its departments' sum of effects, on a fine grid of both."""
    x = np.linspace(-12.0, 6.0, 721)
    units = tree.nodes[1].units(slice(*(int(bound) for bound in tree.nodes[0].leaves[trust : trust + 2])))
    between = stats.norm.logpdf(x[:, np.newaxis], x, SDS["department"])  # of the sum, given the trust
    of_trust, said = stats.norm.logpdf(x, 0.0, SDS["trust"]), {}
    for unit in range(units.start, units.stop):
        values = log_likelihood(tree, tree.predictor(border), unit, x)
        said[unit] = values, np.logaddexp.reduce(values[:, np.newaxis] + between, axis=0)
        of_trust = of_trust + said[unit][1]
    values, message = said[units.start + department]
    of_department = values + np.logaddexp.reduce(between + (of_trust - message), axis=1)
    return x, of_trust, of_department


def test_ranges_end_where_densities_have_fallen():
    """Against sums over a fine grid, for a trust one of whose departments has no event in any year."""
    tree = tree_of(24)
    node = tree.nodes[1]
    empty = np.flatnonzero(node.sum(tree.cells.lower) == 0)
    unit = int(empty[np.argmax(node.sum(tree.cells.size)[empty])])
    trust = int(tree.nodes[0].of_leaf[node.leaves[unit]])
    first = node.units(slice(*(int(bound) for bound in tree.nodes[0].leaves[trust : trust + 2]))).start
    border = border_of(tree)
    x, of_trust, of_department = densities(tree, border, trust, unit - first)
    scales = Scales({level: np.asarray(sd) for level, sd in SDS.items()})
    still = np.zeros(tree.nodes[0].n_units)
    guess = {each.name: (np.full(each.n_units, -14.0), np.full(each.n_units, 9.0)) for each in tree.nodes}
    found = extents(tree, border, Extremes(scales, scales, still, still), guess, np.array([trust]))
    for level, at, density in (("trust", trust, of_trust), ("department", unit, of_department)):
        low, high = found[level][0][at], found[level][1][at]
        near = x[density > density.max() - 12.0]
        wide = x[density > density.max() - 20.0]
        assert wide[0] < low < near[0] + 0.1
        assert near[-1] - 0.1 < high < wide[-1]
    # To one side alone: twice as far down as up.
    low, high = found["department"][0][unit], found["department"][1][unit]
    peak = x[np.argmax(of_department)]
    assert peak - low > 1.5 * (high - peak)
    untouched = np.setdiff1d(np.arange(node.n_units), np.arange(first, first + 4))
    assert (found["department"][0][untouched] == -14.0).all()


def test_tables_of_departments_are_integrals_over_what_their_leaves_say():
    """By adaptive quadrature; of those without events pseudo-data would say that they cannot be lower still."""
    tree = tree_of(24)
    node, base = tree.nodes[1], tree.predictor(border_of(tree))
    scales = Scales({level: np.asarray(sd) for level, sd in SDS.items()})
    data = pseudo_data(tree, base, scales)
    kept = 1.0 / (1.0 + data.information * SDS["period"] ** 2)
    pull = kept * (data.linear - data.information * (base - tree.cells.offset))
    said = node.sum(pull), node.sum(kept * data.information)
    sds = np.array([0.5, 2.0, 6.0])
    found = _integrals_over_leaves(
        tree, border_of(tree), scales, said, np.full(node.n_units, 0.4), np.tile(sds, (node.n_units, 1))
    )
    events = node.sum(tree.cells.lower)
    # Sixty-one points do for periods whose counts are small.
    for unit in (*np.flatnonzero(events == 0)[:3], *np.flatnonzero((events > 0) & (events < 30))[:3]):
        exact = []
        for sd in sds:
            grid = np.linspace(0.4 - 7.0 * sd, 0.4 + 7.0 * sd, 4_001)
            at = log_likelihood(tree, base, unit, grid) + stats.norm.logpdf(grid, 0.4, sd)
            exact.append(at.max() + np.log(quadrature.simpson(np.exp(at - at.max()), x=grid)))
        np.testing.assert_allclose(np.diff(found[unit]), np.diff(exact), atol=0.05)


def test_departments_without_breaches_in_the_published_waits(real_data):
    """A&E breaches by organisation, type and year; the σ's are those that lme4 has for the same levels."""
    waits = pd.read_csv(real_data / "nhs_ae_attendances_2016_2019.csv")
    year, month = waits["period"].str[:4].astype(int), waits["period"].str[5:].astype(int)
    waits["year"] = year - (month < 4)
    table = waits.groupby(["org_code", "type", "year"], as_index=False)[["attendances", "breaches"]].sum()
    fit = bs.fit_hierarchy(
        table[table["attendances"] > 0], trust="org_code", department="type", period="year",
        observed="breaches", denominator="attendances", method="integrate", priors=bs.Priors(effects="normal"), seed=1,
    )  # fmt: skip
    assert fit.certificate.ok
    partition = fit.variance_partition()
    for level, sd in {"trust": 1.07, "department": 2.00, "period": 0.75}.items():
        assert partition.loc[level, "sd_lower"] < sd < partition.loc[level, "sd_upper"]
