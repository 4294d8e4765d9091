"""Sums of leaves whose effects are a mixture: the same numbers compiled or not, and those numbers are right."""

from __future__ import annotations

import numpy as np
import pytest

from brightspots.engine.integration import loops_compiled, loops_plain
from brightspots.engine.integration.leaf_tables import hermite_basis

LEAVES, DRAWS, SCALES = 7, 400, 4
# Rows of standard deviations, as where department types have their own, and which of them each leaf has.
ROWS, OF_LEAF = 2, np.array([0, 1, 1, 0, 1, 0, 0])
EMPTY_RUNS = np.array([0, 0, 3, 3, 7, 7])

loops_of = pytest.mark.parametrize("loops", [loops_compiled, loops_plain], ids=["compiled", "plain"])


def weights_of(generator: np.random.Generator, components: int) -> np.ndarray:
    """Log weights of components that add up to 1, (components, DRAWS)."""
    weight = generator.dirichlet(np.ones(components), DRAWS).T
    return np.ascontiguousarray(np.log(weight))


def interpolation(generator: np.random.Generator, components: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights over the standard deviations that each component uses, some of them its own, and which those are."""
    counts = [2 + component % 2 for component in range(components)]
    nodes = np.array([(min(component, SCALES - count), count) for component, count in enumerate(counts)])
    basis = [
        np.concatenate([generator.dirichlet(np.ones(count), DRAWS).T for count in counts])
        for _ in range(ROWS)
    ]
    return np.ascontiguousarray(np.stack(basis)), nodes


def moves_of(generator: np.random.Generator) -> tuple[np.ndarray, ...]:
    """How each draw moves each leaf: rows of four department types and two trusts, and which of them a leaf takes."""
    rows, common = generator.normal(0.0, 0.1, (4, DRAWS)), generator.normal(0.0, 0.05, (2, DRAWS))
    return rows, generator.integers(0, 4, LEAVES), common, np.sort(generator.integers(0, 2, LEAVES))


@pytest.mark.parametrize("components", [1, 2, 3])
@pytest.mark.parametrize("points", [2, 5])
def test_sums_of_mixtures_are_the_same_compiled_or_not(components, points):
    """Leaves between empty runs, and components with standard deviations in common."""
    generator = np.random.default_rng(10 * components + points)
    basis, nodes = interpolation(generator, components)
    arguments = (
        generator.normal(size=(LEAVES, 3 * points, SCALES)),
        basis,
        OF_LEAF,
        nodes,
        weights_of(generator, components),
        hermite_basis(points)[1],
        generator.uniform(1.0, 1.5, LEAVES),
        generator.uniform(0.5, 1.0, LEAVES),
        *moves_of(generator),
        EMPTY_RUNS,
    )
    compiled, plain = (twin.sum_mixed_polynomials(*arguments) for twin in (loops_compiled, loops_plain))
    assert plain.shape == (3 * points, len(EMPTY_RUNS) - 1, DRAWS)
    np.testing.assert_allclose(compiled, plain, rtol=1e-9, atol=1e-9 * np.abs(plain).max())
    for values in (compiled, plain):
        np.testing.assert_array_equal(values[:, [0, 2, 4]], 0.0)


class Quadratics:
    """Leaves whose log likelihoods are a + b·x + c·x² for each standard deviation, x from the leaf's centre."""

    def __init__(self, generator: np.random.Generator, *, alike: bool) -> None:
        shape = (LEAVES, 1 if alike else SCALES)
        parts = (
            generator.normal(size=shape),
            generator.normal(size=shape),
            -generator.uniform(0.5, 3.0, shape),
        )
        self.value, self.slope, self.half_bend = (np.broadcast_to(part, (LEAVES, SCALES)) for part in parts)

    def at(self, away: np.ndarray) -> np.ndarray:
        """Log likelihoods, (L, …, J), at distances (L, …)."""
        x = away[..., np.newaxis]
        extra = (slice(None),) + (np.newaxis,) * (away.ndim - 1)
        return self.value[extra] + self.slope[extra] * x + self.half_bend[extra] * x**2

    def table(self, width: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Value, slope·width and curvature·width² at points on (−1, 1), (L, 3P, J)."""
        away = width[:, np.newaxis] * points
        x, unit = away[..., np.newaxis], width[:, np.newaxis, np.newaxis]
        slope = self.slope[:, np.newaxis] + 2.0 * self.half_bend[:, np.newaxis] * x
        bend = np.broadcast_to(2.0 * self.half_bend[:, np.newaxis], slope.shape)
        parts = np.stack([self.at(away), slope * unit, bend * unit**2], axis=2)
        return np.ascontiguousarray(parts.reshape(LEAVES, -1, SCALES))


def summed(loops, made: Quadratics, points: int, components: int, generator, width, reach, moves, bounds):
    """The sums, with what says how components are mixed."""
    at, hermite = hermite_basis(points)
    basis, nodes = interpolation(generator, components)
    log_weight = weights_of(generator, components)
    table = made.table(width, at)
    found = loops.sum_mixed_polynomials(
        table, basis, OF_LEAF, nodes, log_weight, hermite, width, reach, *moves, bounds
    )
    return found, basis, nodes, log_weight


def evaluate(polynomial: np.ndarray, argument: np.ndarray) -> np.ndarray:
    """Polynomials, (order + 1, S), at one argument each, (…, S)."""
    return sum(coefficient * argument**power for power, coefficient in enumerate(polynomial))


@loops_of
@pytest.mark.parametrize("components", [1, 2, 3])
def test_a_mixture_of_equal_components_is_the_component(loops, components):
    """Quadratics are interpolated exactly, moved by the draw's shift, and added over a run."""
    generator = np.random.default_rng(3)
    made = Quadratics(generator, alike=True)
    width, moves = np.full(LEAVES, 1.0), moves_of(generator)
    reach, bounds = np.full(LEAVES, 0.6), np.array([0, 2, 2, LEAVES])
    found, *_ = summed(loops, made, 3, components, generator, width, reach, moves, bounds)
    rows, row_of, common, common_of = moves
    for argument in (-0.7, 0.0, 0.4):
        each = made.at(reach[:, np.newaxis] * argument + rows[row_of] - common[common_of])[..., 0]
        for run, leaves in ((0, slice(0, 2)), (2, slice(2, LEAVES))):
            np.testing.assert_allclose(
                evaluate(found[:, run], np.full(DRAWS, argument)), each[leaves].sum(axis=0), atol=1e-9
            )


@loops_of
@pytest.mark.parametrize("components", [2, 3])
def test_mixtures_of_quadratics_are_interpolated(loops, components):
    """Log Σ weight·exp(value) of components that differ, between the points that it is taken at."""
    generator = np.random.default_rng(4)
    made = Quadratics(generator, alike=False)
    width, moves = np.full(LEAVES, 0.8), moves_of(generator)
    reach, bounds = np.full(LEAVES, 0.5), np.arange(LEAVES + 1)
    found, basis, nodes, log_weight = summed(
        loops, made, 6, components, generator, width, reach, moves, bounds
    )
    rows, row_of, common, common_of = moves
    for argument in (-0.9, 0.2, 0.7):
        away = reach[:, np.newaxis] * argument + rows[row_of] - common[common_of]
        inside = np.abs(away) < width[:, np.newaxis]
        assert inside.mean() > 0.9
        logs, start, at = [], 0, made.at(away)
        for (first, count), weight in zip(nodes, log_weight, strict=True):
            share = basis[OF_LEAF, start : start + count]
            logs.append(np.einsum("lsj,ljs->ls", at[..., first : first + count], share) + weight)
            start += count
        exact = np.logaddexp.reduce(logs)
        for leaf in range(LEAVES):
            error = evaluate(found[:, leaf], np.full(DRAWS, argument)) - exact[leaf]
            np.testing.assert_allclose(error[inside[leaf]], 0.0, atol=1e-4)
