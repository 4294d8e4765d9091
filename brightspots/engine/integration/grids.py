"""Densities of a few parameters on regular grids, and draws from them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from brightspots.common.arrays import FloatArray

# Points of a grid of one, two or three parameters along each, how often it is zoomed, how far below its peak it goes.
_POINTS, _ZOOMS, _DEEP = {1: 41, 2: 21, 3: 13}, 4, 10.0


@dataclass(frozen=True, eq=False)
class GridDensity:
    """Multilinear density on a regular grid: a mixture of products of triangles, one around each point.

    Parameters
    ----------
    axes : sequence of arrays
    weights : (points of the first axis, of the second, …)
        Probabilities of the points.
    log_total : float
        Log of the integral of what was tabulated.
    """

    axes: Sequence[FloatArray]
    weights: FloatArray
    log_total: float = 0.0

    def only(self, *numbers: int) -> GridDensity:
        """Density of some of the parameters, the others integrated out."""
        others = tuple(number for number in range(len(self.axes)) if number not in numbers)
        axes = tuple(self.axes[number] for number in numbers)
        return GridDensity(axes, self.weights.sum(axis=others), self.log_total)

    @property
    def _steps(self) -> FloatArray:
        return np.array([axis[1] - axis[0] for axis in self.axes])

    def draw(self, size: int, generator: np.random.Generator) -> FloatArray:
        """Stratified draws, (size, axes)."""
        places = (generator.permutation(size) + generator.random()) / size
        at = np.minimum(np.searchsorted(np.cumsum(self.weights), places), self.weights.size - 1)
        point = np.stack(np.unravel_index(at, self.weights.shape), axis=1)
        within = generator.random(point.shape) + generator.random(point.shape) - 1.0
        return np.array([axis[0] for axis in self.axes]) + (point + within) * self._steps

    def log_density(self, points: FloatArray) -> FloatArray:
        """Log density at points (S, axes); −inf outside."""
        place = (points - np.array([axis[0] for axis in self.axes])) / self._steps
        below = np.floor(place).astype(np.int64)
        share = place - below
        density = np.zeros(len(points))
        for corner in itertools.product((0, 1), repeat=len(self.axes)):
            at = below + np.array(corner)
            inside = np.all((at >= 0) & (at < self.weights.shape), axis=1)
            weight = np.prod(np.where(np.array(corner) == 1, share, 1.0 - share), axis=1)
            density[inside] += weight[inside] * self.weights[tuple(at[inside].T)]
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(density) - np.log(self._steps).sum())

    @property
    def peak(self) -> FloatArray:
        """The likeliest point, (axes,)."""
        at = np.unravel_index(np.argmax(self.weights), self.weights.shape)
        return np.array([axis[place] for axis, place in zip(self.axes, at, strict=True)])

    @property
    def mean(self) -> FloatArray:
        """Of each parameter, (axes,)."""
        return np.array([
            axis @ np.moveaxis(self.weights, number, 0).reshape(len(axis), -1).sum(axis=1)
            for number, axis in enumerate(self.axes)
        ])  # fmt: skip


def lay_grid(
    log_density: Callable[[FloatArray], FloatArray], ranges: Sequence[tuple[float, float]]
) -> GridDensity:
    """Lay a grid over where a density is, zooming in on it.

    Parameters
    ----------
    log_density : callable
        At points (P, axes), (P,).
    ranges : sequence of (float, float)
        Where to look, of each parameter.
    """
    count = _POINTS[len(ranges)]
    axes = [np.linspace(low, high, count) for low, high in ranges]

    def density(axes: Sequence[FloatArray]) -> FloatArray:
        points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
        return log_density(points.reshape(-1, len(axes))).reshape(points.shape[:-1])

    for _ in range(_ZOOMS):
        logs = density(axes)
        near = logs > logs.max() - _DEEP
        for number, axis in enumerate(axes):
            others = tuple(i for i in range(len(axes)) if i != number)
            at = np.flatnonzero(near.any(axis=others))
            ends = axis[max(at[0] - 1, 0)], axis[min(at[-1] + 1, len(axis) - 1)]
            axes[number] = np.linspace(*ends, count)
    logs = density(axes)
    weights = np.exp(logs - logs.max())
    cell = math.prod(float(axis[1] - axis[0]) for axis in axes)
    return GridDensity(tuple(axes), weights / weights.sum(), float(logs.max() + np.log(weights.sum() * cell)))
