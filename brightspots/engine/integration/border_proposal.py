"""Where the border is proposed, given the σ's: from a normal.

The curvature of the data in the border is a smooth function of the σ's, kept on a small grid, while the prior, which
moves fast when σ_a is small, is added exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from brightspots.common.arrays import FloatArray, half_log_determinant
from brightspots.engine.integration.centre import PseudoData
from brightspots.engine.integration.elimination import eliminate
from brightspots.engine.integration.model import Model
from brightspots.engine.integration.proposal import latin_normals
from brightspots.engine.integration.scales import Scales
from brightspots.engine.integration.tree import Tree
from brightspots.engine.levels import Level

# Draws that what the data's curvature says of the spread of a border counts for, and between which values the variance
# may lie, in units of that.
PRIOR_DRAWS, VARIANCES = 50.0, (0.7, 4.0)
# Steps beyond which the mean of a border follows parameters no further.
_FURTHEST_STEPS = 2.5
_GRID_SPACING = 0.5
_MOST_GRID_POINTS = 7


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
        axes = tuple(axis_of(sd, floor) for sd, floor in zip(nested, floors, strict=True))
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
        kept = effective / (effective + PRIOR_DRAWS)
        spread = np.sqrt(np.clip(1.0 + kept * (variance - 1.0), *VARIANCES))
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
        """Multilinear weights of the grid points, (S, points)."""
        scales = self.tree.scales(log_sd).usual()
        return interpolate([scales[level] for level in self.tree.nested], self.axes, self.floors)


def interpolate(sds: Sequence[FloatArray], axes: Sequence[FloatArray], floors: FloatArray) -> FloatArray:
    """Multilinear weights of the points of a grid, (S, points): never negative, so precisions stay positive.

    Parameters
    ----------
    sds : sequence of (S,)
        σ's.
    axes : sequence of arrays
        Grids of log(σ + floor).
    floors : (levels,)
    """
    weights = np.ones((len(sds[0]), 1))
    for sd, axis, floor in zip(sds, axes, floors, strict=True):
        along = np.ones((len(sd), 1))
        if len(axis) > 1:
            place = (np.log(sd + floor) - axis[0]) / (axis[1] - axis[0])
            place = np.clip(place, 0.0, len(axis) - 1.0)[:, np.newaxis]
            along = np.maximum(1.0 - np.abs(place - np.arange(len(axis))), 0.0)
        weights = (weights[:, :, np.newaxis] * along[:, np.newaxis, :]).reshape(len(sd), -1)
    return weights


def axis_of(sd: FloatArray, floor: float) -> FloatArray:
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
