"""Where the border is proposed, given the σ's, where department types have σ's of their own.

The data tell of the level of each type, intercept and all, and the better the less its departments differ. So the
curvature in the levels is kept for σ's in their middle, and scaled type by type; the intercept then is where the levels
lie together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

import numpy as np

from brightspots.common.arrays import FloatArray, half_log_determinant
from brightspots.engine.integration.border_proposal import axis_of, interpolate
from brightspots.engine.integration.centre import PseudoData
from brightspots.engine.integration.elimination import eliminate
from brightspots.engine.integration.model import Model
from brightspots.engine.integration.scales import usual_factor
from brightspots.engine.integration.tree import Tree
from brightspots.engine.levels import Level

# Points of a grid of log σ, and how far it goes from the middle.
_KNOTS, _FURTHEST = 41, 4.0
_LEAST = 1e-9


class _Conditional(NamedTuple):
    """Normals of the border at each draw: of intercept and coefficients, and of types' levels given those.

    Parameters
    ----------
    factor : (S, F, F)
        Cholesky factor of the precision of intercept and coefficients.
    mean : (S, F)
        Less the centre.
    at_mean, follows : (S, A), (S, F, A)
        Mean of the levels along the eigenvectors: where intercept and coefficients are at the centre, and its slopes.
    root : (S, A)
        Of the precision of the levels.
    told : (S, D)
    """

    factor: FloatArray
    mean: FloatArray
    at_mean: FloatArray
    follows: FloatArray
    root: FloatArray
    told: FloatArray

    @property
    def log_scale(self) -> FloatArray:
        """Log of the density's scale, (S,)."""
        of_levels = np.log(self.root).sum(axis=1) + 0.5 * np.log(self.told).sum(axis=1)
        return np.asarray(of_levels + half_log_determinant(self.factor))


@dataclass(frozen=True, eq=False)
class TypesBorder:
    """Normal of the border given the σ's.

    Parameters
    ----------
    model : Model
    centre : (B,)
        Around which the data's log likelihood is quadratic.
    levels : tuple of Level
        Nested levels but departments.
    axes, floors
        Grids of their σ's: as in `BorderProposal`.
    vectors : (A, A)
    values : (points, A)
        Curvature in the levels of types along `vectors`.
    cross : (points, A, K)
        Curvature between the levels along `vectors` and the coefficients.
    rest : (points, K, K)
        Curvature in the coefficients with the levels eliminated.
    type_gradient, gradient : (points, A), (points, K)
        Slopes at the centre, of the levels along `vectors`, and of the coefficients.
    told : Told
    """

    model: Model
    centre: FloatArray
    levels: tuple[Level, ...]
    axes: tuple[FloatArray, ...]
    floors: FloatArray
    vectors: FloatArray
    values: FloatArray
    cross: FloatArray
    rest: FloatArray
    type_gradient: FloatArray
    gradient: FloatArray
    told: Told

    @classmethod
    def fit(
        cls,
        model: Model,
        data: PseudoData,
        centre: FloatArray,
        draws: FloatArray,
        own: Mapping[Level, FloatArray],
        middle: FloatArray,
        of_types: FloatArray,
    ) -> TypesBorder:
        """Lay the grid over draws of the parameters (S, k), with log σ of types, (D,), in their middle."""
        tree = model.tree
        levels = tuple(level for level in tree.nested if level != "department")
        drawn, at_middle = tree.scales(draws).usual(), tree.scales(middle, of_types).usual(own)
        floors = np.array([0.25 * float(np.median(drawn[level])) for level in levels])
        axes = tuple(axis_of(drawn[level], floor) for level, floor in zip(levels, floors, strict=True))
        n_fixed = tree.fixed.shape[1]

        def curvature(sd: Mapping[Level, FloatArray]) -> tuple[FloatArray, FloatArray]:
            scales = replace(at_middle, sd={**at_middle.sd, **sd})
            eliminated = eliminate(tree, data.information, data.linear, scales)
            return eliminated.precision, eliminated.gradient - eliminated.precision @ centre

        vectors = np.linalg.eigh(curvature({})[0][n_fixed:, n_fixed:])[1]
        parts = []
        for point in product(*axes):
            sds = (np.exp(value) - floor for value, floor in zip(point, floors, strict=True))
            precision, slope = curvature(dict(zip(levels, sds, strict=True)))
            types = vectors.T @ precision[n_fixed:, n_fixed:] @ vectors
            cross = vectors.T @ precision[n_fixed:, 1:n_fixed]
            values = np.maximum(np.diagonal(types), _LEAST)
            rest = precision[1:n_fixed, 1:n_fixed] - cross.T @ (cross / values[:, np.newaxis])
            parts.append((values, cross, rest, slope[n_fixed:] @ vectors, slope[1:n_fixed]))
        values, cross, rest, type_gradient, gradient = (np.stack(part) for part in zip(*parts, strict=True))
        told = Told.by_type(tree, data, middle, of_types)
        return cls(
            model, centre, levels, axes, floors, vectors, values, cross, rest, type_gradient, gradient, told
        )

    def border(
        self, parameters: FloatArray, of_types: FloatArray, normal: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Border from standard normals, (S, B) both, and log of the density's scale, (S,), given the σ's.

        Parameters
        ----------
        parameters : (S, k)
        of_types : (S, D)
            Log σ.
        normal : (S, B)
        """
        given, n_fixed = self._given(parameters, of_types), self.model.tree.fixed.shape[1]
        turned = np.swapaxes(given.factor, 1, 2)
        fixed = given.mean + np.linalg.solve(turned, normal[:, :n_fixed, np.newaxis])[..., 0]
        along = (
            given.at_mean + np.einsum("sf,sfa->sa", fixed, given.follows) + normal[:, n_fixed:] / given.root
        )
        level = self._scaled(along @ self.vectors.T, given.told**-0.5)
        types = level - fixed[:, :1]
        return self.centre + np.column_stack([fixed, types]), given.log_scale

    def standardised(
        self, parameters: FloatArray, of_types: FloatArray, border: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Inverse of `border`: standard normals, (S, B), and log of the density's scale, (S,)."""
        given, n_fixed = self._given(parameters, of_types), self.model.tree.fixed.shape[1]
        fixed, types = np.split(border - self.centre, [n_fixed], axis=1)
        along = self._scaled(types + fixed[:, :1], given.told**0.5) @ self.vectors
        along = (along - given.at_mean - np.einsum("sf,sfa->sa", fixed, given.follows)) * given.root
        lower = np.einsum("sji,sj->si", given.factor, fixed - given.mean)
        return np.column_stack([lower, along]), given.log_scale

    def _given(self, parameters: FloatArray, of_types: FloatArray) -> _Conditional:
        """The normals at each draw.

        Along the eigenvectors levels have a prior, of about independent normals, whose mean follows the intercept.
        """
        tree, told = self.model.tree, self.told(of_types)
        scales = tree.scales(parameters)
        mix = interpolate([scales.usual()[level] for level in self.levels], self.axes, self.floors)
        values, n_fixed = mix @ self.values, tree.fixed.shape[1]
        mean, precision = self.model.border_prior(scales)
        types_precision = precision[:, n_fixed:]
        narrowed = told**-0.5
        prior = self._scaled(types_precision, 1.0 / told) @ self.vectors**2
        ones = self._scaled(np.ones_like(types_precision), narrowed) * types_precision
        pulled = self._scaled(np.broadcast_to(-self.centre[n_fixed:], ones.shape), narrowed) * types_precision
        of_intercept, of_centre = ones @ self.vectors, pulled @ self.vectors
        whole = values + prior
        cross = np.einsum("sp,pak->ska", mix, self.cross)
        if cross.shape[1]:
            cross = np.stack(
                [
                    self._scaled(each @ self.vectors.T, told**0.5) @ self.vectors
                    for each in np.swapaxes(cross, 0, 1)
                ],
                axis=1,
            )
        slopes = np.concatenate([of_intercept[:, np.newaxis], -cross], axis=1)
        linear = mix @ self.type_gradient + of_centre
        # What is left for intercept and coefficients once the levels are integrated out.
        left = np.einsum("sfa,sga,sa->sfg", slopes, slopes, -1.0 / whole, optimize=True)
        left[:, 0, 0] += np.sum(of_intercept**2 / prior, axis=1)
        left[:, 1:, 1:] += np.einsum("sp,pkl->skl", mix, self.rest)
        left[:, 1:, 1:] += np.einsum("ska,sla,sa->skl", cross, cross, 1.0 / values, optimize=True)
        fixed = np.arange(n_fixed)
        left[:, fixed, fixed] += precision[:, :n_fixed]
        right = np.einsum("sfa,sa->sf", slopes, linear / whole)
        right[:, 0] -= np.sum(of_intercept * of_centre / prior, axis=1)
        right[:, 1:] += mix @ self.gradient
        right += precision[:, :n_fixed] * (mean - self.centre)[:n_fixed]
        return _Conditional(
            factor=np.linalg.cholesky(left),
            mean=np.linalg.solve(left, right[..., np.newaxis])[..., 0],
            at_mean=linear / whole,
            follows=slopes / whole[:, np.newaxis],
            root=np.sqrt(whole),
            told=told,
        )

    def _scaled(self, types: FloatArray, factor: FloatArray) -> FloatArray:
        """Of types, (S, A), the mean over each department's periods times a factor, (S, D)."""
        by_department = types.reshape(*factor.shape, -1)
        mean = by_department.mean(axis=2)
        return np.asarray((by_department + ((factor - 1.0) * mean)[..., np.newaxis]).reshape(types.shape))


@dataclass(frozen=True, eq=False)
class Told:
    """How much the departments of each type tell of its level, by their σ.

    Parameters
    ----------
    knots : (D, G)
        Log σ, evenly from one end to the other.
    log_information : (D, G)
        There, less that in the middle.
    """

    knots: FloatArray
    log_information: FloatArray

    @classmethod
    def by_type(cls, tree: Tree, data: PseudoData, middle: FloatArray, of_types: FloatArray) -> Told:
        """From pseudo-data around parameters (k,) and log σ of types (D,)."""
        cells, scales = tree.cells, tree.scales(middle, of_types)
        known = data.information
        if tree.leaf_level != "department":
            known = cells.cell_sum(known / (1.0 + known * tree.leaf_variance(scales.usual())))
        usual = usual_factor(scales.mixing["department"]) if "department" in scales.mixing else 1.0
        knots = of_types[:, np.newaxis] + np.linspace(-_FURTHEST, _FURTHEST, _KNOTS)
        error = cells.error_variance if cells.expected_sd is not None else 0.0
        total = []
        for column in np.exp(knots).T:
            variance = (usual * column[cells.cell_department]) ** 2 + error
            total.append(
                np.bincount(cells.cell_department, known / (1.0 + known * variance), cells.n_departments)
            )
        log_information = np.log(np.stack(total, axis=1))
        return cls(knots, log_information - log_information[:, [_KNOTS // 2]])

    def __call__(self, of_types: FloatArray) -> FloatArray:
        """In units of that in the middle, (S, D), at log σ (S, D)."""
        found = [np.interp(*each) for each in zip(of_types.T, self.knots, self.log_information, strict=True)]
        return np.exp(np.stack(found, axis=1))
