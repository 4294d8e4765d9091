"""Where joint draws of σ's and border are proposed.

log σ comes from a heavy-tailed t around the mode first (the pilot) and then from a kernel mixture through
the weighted pilot (West 1993, JRSS B 55:409), which takes on any skewness. Both live on a warped scale: where the data
allow σ = 0, log σ has a long left tail that falls as e^x, which a t of the same spread covers badly; bent by a square
root below the mode, that tail is a normal's. The border given the σ's is normal:
the curvature of the data in the border is a smooth function of the σ's, kept on a small grid, while the prior, which
moves fast when σ_a is small, is added exactly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Protocol

import numpy as np
from scipy.special import ndtri

from brightspots.common.arrays import FloatArray, half_log_determinant
from brightspots.engine.integration.centre import PseudoData
from brightspots.engine.integration.elimination import eliminate
from brightspots.engine.integration.model import Model
from brightspots.engine.integration.scales import Scales
from brightspots.engine.integration.tree import Tree
from brightspots.engine.levels import Level

_PILOT_FREEDOM = 5.0
_PILOT_INFLATION = 1.25
_KERNEL_FREEDOM = 8.0
# Powers of weights that are tried, and how many draws must count.
_TEMPERATURES, _ENOUGH = (1.0, 0.7, 0.5, 0.35, 0.25, 0.15, 0.1, 0.05, 0.02), 60.0
_MOST_KERNELS = 500
# Draws that what the data's curvature says of the spread of a border counts for, and between which values the variance
# may lie, in units of that.
_PRIOR_DRAWS, _VARIANCES = 50.0, (0.7, 4.0)
# Steps beyond which the mean of a border follows parameters no further.
_FURTHEST_STEPS = 2.5
_GRID_SPACING = 0.5
_MOST_GRID_POINTS = 7


def latin_normals(size: int, columns: int, generator: np.random.Generator) -> FloatArray:
    """Standard normals (size, columns), each column stratified (Latin hypercube; McKay et al. 1979)."""
    strata = generator.permuted(np.tile(np.arange(size), (columns, 1)), axis=1).T
    normals: FloatArray = ndtri((strata + generator.random((size, columns))) / size)
    return normals


def warp(log_sd: FloatArray, knots: FloatArray) -> FloatArray:
    """Bend log σ, (..., k), below its knots, so that a tail falling as e^x becomes one falling as exp(−y²/2)."""
    return np.asarray(np.maximum(log_sd, knots) - np.sqrt(1.0 + 2.0 * np.maximum(knots - log_sd, 0.0)) + 1.0)


def unwarp(bent: FloatArray, knots: FloatArray) -> FloatArray:
    """Inverse of `warp`."""
    below = np.maximum(knots - bent, 0.0)
    return np.asarray(np.maximum(bent, knots) - below - 0.5 * below**2)


@dataclass(frozen=True, eq=False)
class StudentMixture:
    """Mixture of multivariate t's with one shape, in log σ warped below its knots.

    Parameters
    ----------
    knots : (k,)
        log σ below which the scale is bent: of each level, the highest among the modes.
    centres : (n, k)
        On the warped scale, as is the shape.
    weights : (n,)
    factor : (k, k)
        Lower triangular.
    freedom : float
    """

    knots: FloatArray
    centres: FloatArray
    weights: FloatArray
    factor: FloatArray
    freedom: float

    def draw(self, size: int, generator: np.random.Generator) -> FloatArray:
        """Stratified draws of log σ, (size, k)."""
        k = len(self.factor)
        normal = latin_normals(size, k, generator)
        stretch = np.sqrt(self.freedom / generator.chisquare(self.freedom, size))
        points = (np.arange(size) + generator.random()) / size
        which = np.minimum(np.searchsorted(np.cumsum(self.weights), points), len(self.weights) - 1)
        centres = self.centres[generator.permutation(which)]
        return unwarp(centres + stretch[:, np.newaxis] * (normal @ self.factor.T), self.knots)

    def log_density(self, log_sd: FloatArray) -> FloatArray:
        """Log density in log σ, at points (S, k)."""
        k, nu = len(self.factor), self.freedom
        inverse = np.linalg.inv(self.factor).T
        scaled, centres = warp(log_sd, self.knots) @ inverse, self.centres @ inverse
        distance = (
            np.sum(scaled**2, axis=1)[:, np.newaxis] + np.sum(centres**2, axis=1) - 2.0 * scaled @ centres.T
        )
        logs = -0.5 * (nu + k) * np.log1p(np.maximum(distance, 0.0) / nu)
        peak = logs.max(axis=1)
        mixed = peak + np.log(np.exp(logs - peak[:, np.newaxis]) @ self.weights)
        constant = math.lgamma(0.5 * (nu + k)) - math.lgamma(0.5 * nu) - 0.5 * k * math.log(nu * math.pi)
        slope = -0.5 * np.log1p(2.0 * np.maximum(self.knots - log_sd, 0.0)).sum(axis=1)
        return np.asarray(mixed + constant - half_log_determinant(self.factor) + slope)


class Proposal(Protocol):
    """What parameters are drawn from."""

    def draw(self, size: int, generator: np.random.Generator) -> FloatArray:
        """Draws, (size, parameters)."""
        ...

    def log_density(self, points: FloatArray) -> FloatArray:
        """Log density at points (S, parameters), (S,)."""
        ...


def pilot(log_sd: FloatArray, curvature: FloatArray) -> StudentMixture:
    """A t around the mode, somewhat wider than the curvature says."""
    factor = np.linalg.cholesky(np.linalg.inv(curvature)) * _PILOT_INFLATION
    return StudentMixture(log_sd, log_sd[np.newaxis], np.ones(1), factor, _PILOT_FREEDOM)


def tempered(log_ratio: FloatArray) -> FloatArray:
    """Weights (S,) to the power that makes enough of them count, for a proposal that lies beside its target.

    Kernels through draws so weighed lie between the two.
    """
    away = log_ratio - log_ratio.max()
    for power in _TEMPERATURES:
        weights = np.exp(power * away)
        weights /= weights.sum()
        if 1.0 / np.sum(weights**2) > _ENOUGH:
            break
    return weights


def kernels(log_sd: FloatArray, weights: FloatArray, knots: FloatArray) -> StudentMixture:
    """Kernel mixture through weighted draws of log σ, shrunk so that their covariance is kept, then a tenth wider."""
    k = log_sd.shape[1]
    points = warp(log_sd, knots)
    mean = weights @ points
    centred = points - mean
    covariance = (weights[:, np.newaxis] * centred).T @ centred + 1e-10 * np.eye(k)
    effective = 1.0 / np.sum(weights**2)
    width = (4.0 / ((k + 2.0) * max(effective, 2.0))) ** (1.0 / (k + 4.0))
    width = min(max(width, 0.3), 0.9)
    centres = mean + np.sqrt(1.0 - width**2) * centred
    # Beyond a few hundred kernels more of them cost time and change nothing: evenly spaced ones along the first σ.
    count = min(len(weights), _MOST_KERNELS)
    order = np.argsort(centres[:, 0], kind="stable")
    places = (np.arange(count) + 0.5) / count
    centres = centres[order[np.minimum(np.searchsorted(np.cumsum(weights[order]), places), len(order) - 1)]]
    # A t with ν degrees of freedom has ν/(ν − 2) times the covariance of its shape.
    shape = covariance * width**2 * (_KERNEL_FREEDOM - 2.0) / _KERNEL_FREEDOM
    factor = np.linalg.cholesky(shape) * 1.1
    return StudentMixture(knots, centres, np.full(count, 1.0 / count), factor, _KERNEL_FREEDOM)


@dataclass(frozen=True, eq=False)
class BorderProposal:
    """Normal proposal of the border given the σ's.

    With the data's curvature in the department types diagonalised once, adding their prior 1/σ_a² and drawing cost
    O(A²) a draw. Away from the middle of the grid the eigenvectors are kept and the eigenvalues follow the σ's: still a
    normal whose density is known, and close because σ's mostly scale the curvature.

    Parameters
    ----------
    tree : Tree
    centre : (B,)
        Around which the data's log likelihood is quadratic.
    axes : tuple of arrays
        Grid of a transformed σ for each nested level of the tree, outermost first.
    floors : (nested levels,)
        The transform is log(σ + floor).
    fixed : (points, 1 + K, 1 + K)
        Precision of intercept and coefficients given the types, their prior included.
    cross : (points, 1 + K, A)
        Precision between intercept and coefficients on one side and types on the other.
    vectors : (A, A)
    values : (points, A)
        Curvature in the types, intercept and coefficients eliminated, along `vectors`.
    fixed_gradient, type_gradient : (points, 1 + K), (points, A)
        Slopes at the centre; of the types along `vectors`, intercept and coefficients eliminated.
    shift, spread : (B,)
        Mean and standard deviation of what would be standard normals: see `adapted`.
    middle, steps, slope : (k,), (k,), (k, B)
        How that mean follows log σ and what else is sampled: see `following`.
    """

    tree: Tree
    centre: FloatArray
    axes: tuple[FloatArray, ...]
    floors: FloatArray
    fixed: FloatArray
    cross: FloatArray
    vectors: FloatArray
    values: FloatArray
    fixed_gradient: FloatArray
    type_gradient: FloatArray
    shift: FloatArray
    spread: FloatArray
    middle: FloatArray
    steps: FloatArray
    slope: FloatArray

    @classmethod
    def fit(
        cls,
        model: Model,
        data: PseudoData,
        centre: FloatArray,
        log_sd: FloatArray,
        own: Mapping[Level, FloatArray] | None = None,
    ) -> BorderProposal:
        """Lay the grid over draws of log σ and what else is sampled, (S, k).

        `own` is of the normal effects that stand in for others, as in `Scales`.
        """
        tree = model.tree
        scales = tree.scales(log_sd).usual()
        nested = [scales[level] for level in tree.nested]
        floors = np.array([0.25 * float(np.median(sd)) for sd in nested])
        axes = tuple(_axis(sd, floor) for sd, floor in zip(nested, floors, strict=True))
        n_fixed = tree.fixed.shape[1]
        middle = tree.scales(np.median(log_sd, axis=0)).usual(own)
        mean, precision = (values[..., :n_fixed] for values in model.border_prior(middle))
        at_middle = _types_alone(*_curvature(tree, data, centre, middle, mean, precision), n_fixed)[0]
        vectors = np.linalg.eigh(at_middle)[1]
        parts = []
        for point in product(*axes):
            sds = (np.exp(value) - floor for value, floor in zip(point, floors, strict=True))
            at = Scales({**middle.sd, **dict(zip(tree.nested, sds, strict=True))}, own=middle.own)
            curvature, gradient = _curvature(tree, data, centre, at, mean, precision)
            alone, alone_gradient = _types_alone(curvature, gradient, n_fixed)
            values = np.maximum(np.einsum("ij,ik,kj->j", vectors, alone, vectors, optimize=True), 0.0)
            parts.append((
                curvature[:n_fixed, :n_fixed], curvature[:n_fixed, n_fixed:], values,
                gradient[:n_fixed], alone_gradient @ vectors,
            ))  # fmt: skip
        fixed, cross, values, fixed_gradient, type_gradient = (
            np.array(part) for part in zip(*parts, strict=True)
        )
        return cls(
            tree, centre, axes, floors, fixed, cross, vectors, values, fixed_gradient, type_gradient,
            shift=np.zeros(len(centre)), spread=np.ones(len(centre)),
            middle=np.zeros(log_sd.shape[1]), steps=np.ones(log_sd.shape[1]),
            slope=np.zeros((log_sd.shape[1], len(centre))),
        )  # fmt: skip

    def draw(self, log_sd: FloatArray, generator: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Border draws (S, B) and their log densities (S,), given log σ (S, k)."""
        standard = latin_normals(len(log_sd), len(self.centre), generator)
        normal = self._shifts(log_sd) + self.spread * standard
        n_fixed, mix = self.fixed.shape[1], self._interpolate(log_sd)
        mean, root = self._types_along(log_sd, mix)
        types = mean + normal[:, n_fixed:] / root
        types = types @ self.vectors.T if self.tree.n_types else types
        gradient, factor = self._rest(mix, types)
        half = np.linalg.solve(factor, gradient[..., np.newaxis])[..., 0] + normal[:, :n_fixed]
        rest = np.linalg.solve(np.swapaxes(factor, 1, 2), half[..., np.newaxis])[..., 0]
        log_density = -0.5 * np.sum(standard**2, axis=1) - np.log(self.spread).sum()
        log_density += np.log(root).sum(axis=1) + half_log_determinant(factor)
        return self.centre + np.column_stack([rest, types]), log_density

    def log_density(self, log_sd: FloatArray, border: FloatArray) -> FloatArray:
        """Log density of border (S, B) given log σ (S, k), (S,)."""
        standard, log_scale = self._standardised(log_sd, border)
        off = (standard - self._shifts(log_sd)) / self.spread
        return np.asarray(log_scale - np.log(self.spread).sum() - 0.5 * np.sum(off**2, axis=1))

    def following(self, middle: FloatArray, steps: FloatArray, borders: FloatArray) -> BorderProposal:
        """Let the mean follow where borders are known to be when parameters differ from `middle`, (k,).

        Parameters
        ----------
        steps : (k,)
            Standard deviations of the parameters.
        borders : (k, 2, B)
            Where each parameter alone is one step below, and one above.
        """
        points = middle + np.stack([-np.diag(steps), np.diag(steps)], axis=1)
        k, n = len(middle), len(self.centre)
        standard, _ = self._standardised(points.reshape(2 * k, k), borders.reshape(2 * k, n))
        low, high = np.moveaxis(standard.reshape(k, 2, n), 1, 0)
        return replace(self, middle=middle, slope=(high - low) / (2.0 * steps[:, np.newaxis]), steps=steps)

    def adapted(self, log_sd: FloatArray, border: FloatArray, weights: FloatArray) -> BorderProposal:
        """Move and widen the proposal to where weighted draws, (S, k) and (S, B), have the border.

        The mean of B standardised numbers is poorly known from few draws: it is shrunk as far as its length is no more
        than chance's (James & Stein 1961), the spread in proportion to the draws that count.
        """
        standard = self._standardised(log_sd, border)[0] - self._shifts(log_sd)
        effective = 1.0 / np.sum(weights**2)
        mean = weights @ standard
        by_chance = len(mean) / (effective * max(float(mean @ mean), 1e-12))
        mean = max(1.0 - by_chance, 0.0) * mean
        variance = weights @ (standard - mean) ** 2
        kept = effective / (effective + _PRIOR_DRAWS)
        spread = np.sqrt(np.clip(1.0 + kept * (variance - 1.0), *_VARIANCES))
        return replace(self, shift=self.shift + mean, spread=spread)

    def _shifts(self, log_sd: FloatArray) -> FloatArray:
        """Mean of what would be standard normals, (S, B)."""
        away = np.clip((log_sd - self.middle) / self.steps, -_FURTHEST_STEPS, _FURTHEST_STEPS)
        return np.asarray(self.shift + (away * self.steps) @ self.slope)

    def _standardised(self, log_sd: FloatArray, border: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Standard normals that give a border (S, B), and log of their density's scale, (S,)."""
        n_fixed, mix = self.fixed.shape[1], self._interpolate(log_sd)
        rest, types = np.split(border - self.centre, [n_fixed], axis=1)
        mean, root = self._types_along(log_sd, mix)
        gradient, factor = self._rest(mix, types)
        lower = np.einsum("sji,sj->si", factor, rest)
        lower -= np.linalg.solve(factor, gradient[..., np.newaxis])[..., 0]
        along = (types @ self.vectors - mean) * root if self.tree.n_types else types
        return np.column_stack([lower, along]), np.log(root).sum(axis=1) + half_log_determinant(factor)

    def _types_along(self, log_sd: FloatArray, mix: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and root of the precision of the types along `vectors`, (S, A) each, intercept and coefficients out."""
        if not self.tree.n_types:
            return np.zeros((len(log_sd), 0)), np.ones((len(log_sd), 0))
        prior = (self.tree.scales(log_sd)["department_type"] ** -2.0)[:, np.newaxis]
        precision = mix @ self.values + prior
        # The prior's mean is 0, which lies at −centre from where the gradient was taken.
        gradient = mix @ self.type_gradient - prior * (self.centre[self.fixed.shape[1] :] @ self.vectors)
        return gradient / precision, np.sqrt(precision)

    def _rest(self, mix: FloatArray, types: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Slope of intercept and coefficients given the types, (S, 1 + K), and the factor of their precision."""
        fixed = np.einsum("sp,pij->sij", mix, self.fixed)
        gradient = mix @ self.fixed_gradient - np.einsum(
            "sp,pij,sj->si", mix, self.cross, types, optimize=True
        )
        return gradient, np.linalg.cholesky(fixed)

    def _interpolate(self, log_sd: FloatArray) -> FloatArray:
        """Multilinear weights of the grid points, (S, points): never negative, so precisions stay positive."""
        scales = self.tree.scales(log_sd).usual()
        weights = np.ones((len(log_sd), 1))
        for level, axis, floor in zip(self.tree.nested, self.axes, self.floors, strict=True):
            along = np.ones((len(log_sd), 1))
            if len(axis) > 1:
                place = (np.log(scales[level] + floor) - axis[0]) / (axis[1] - axis[0])
                place = np.clip(place, 0.0, len(axis) - 1.0)[:, np.newaxis]
                along = np.maximum(1.0 - np.abs(place - np.arange(len(axis))), 0.0)
            weights = (weights[:, :, np.newaxis] * along[:, np.newaxis, :]).reshape(len(log_sd), -1)
        return weights


def _axis(sd: FloatArray, floor: float) -> FloatArray:
    """Evenly spaced log(σ + floor) over the draws."""
    low, high = np.log(np.array([sd.min(), sd.max()]) + floor)
    return np.linspace(low, high, min(2 + int((high - low) / _GRID_SPACING), _MOST_GRID_POINTS))


def _curvature(
    tree: Tree, data: PseudoData, centre: FloatArray, scales: Scales, mean: FloatArray, precision: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Curvature (B, B) and gradient (B,) of the log posterior of the border at `centre`, the types' prior left out."""
    eliminated = eliminate(tree, data.information, data.linear, scales)
    curvature = eliminated.precision.copy()
    gradient = eliminated.gradient - curvature @ centre
    n_fixed = len(mean)
    curvature[np.arange(n_fixed), np.arange(n_fixed)] += precision
    gradient[:n_fixed] += precision * (mean - centre[:n_fixed])
    return curvature, gradient


def _types_alone(curvature: FloatArray, gradient: FloatArray, n_fixed: int) -> tuple[FloatArray, FloatArray]:
    """Curvature (A, A) and gradient (A,) of the types with intercept and coefficients eliminated."""
    cross = curvature[:n_fixed, n_fixed:]
    solved = np.linalg.solve(curvature[:n_fixed, :n_fixed], np.column_stack([cross, gradient[:n_fixed]]))
    alone = curvature[n_fixed:, n_fixed:] - cross.T @ solved[:, :-1]
    return 0.5 * (alone + alone.T), gradient[n_fixed:] - cross.T @ solved[:, -1]
