"""Proposal of department types' σ, and of the border given those."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import special

from brightspots.common.arrays import FloatArray
from brightspots.engine.integration.border_proposal import PRIOR_DRAWS, VARIANCES
from brightspots.engine.integration.centre import settle
from brightspots.engine.integration.model import Model
from brightspots.engine.integration.proposal import latin_normals
from brightspots.engine.integration.scales import usual_factor
from brightspots.engine.integration.tree import Tree
from brightspots.engine.integration.type_border import TypesBorder
from brightspots.engine.integration.type_scales import TypeScales

_LEAST_VARIANCE = 1e-12


@dataclass(frozen=True, eq=False)
class TypesProposal:
    """Types' σ given that of the typical one, and the border given all σ's.

    Both follow from standard normals, moved and widened as far as draws have shown (see `adapted`).

    Parameters
    ----------
    base : _Base
    middle : (k,)
        Of the parameters.
    shift, spread : (B + D,)
        Mean, where parameters are in the middle, and standard deviation of what would be standard normals.
    slope : (k, B + D)
        How that mean follows the parameters.
    """

    base: _Base
    middle: FloatArray
    shift: FloatArray
    spread: FloatArray
    slope: FloatArray

    @classmethod
    def around(
        cls,
        model: Model,
        types: TypeScales,
        draws: FloatArray,
        middle: FloatArray,
        of_types: FloatArray,
        border: FloatArray,
    ) -> TypesProposal:
        """For draws of the parameters (S, k), told where these, (k,), and log σ of types, (D,), are in the middle.

        The border, (B,), is looked for from one on.
        """
        border, data, own = settle(model, model.tree.scales(middle, of_types), border)
        of_border = TypesBorder.fit(model, data, border, draws, own, middle, of_types)
        size = model.tree.n_border + types.n_types
        return cls(
            _Base(model.tree, types, of_border),
            middle,
            np.zeros(size),
            np.ones(size),
            np.zeros((len(middle), size)),
        )

    def draw(self, log_sd: FloatArray, generator: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Border and log σ of types, (S, B + D), and their log densities, (S,), given the parameters, (S, k)."""
        standard = latin_normals(len(log_sd), len(self.shift), generator)
        rest, log_scale = self.base.rest(log_sd, self._means(log_sd) + self.spread * standard)
        return rest, log_scale - 0.5 * np.sum(standard**2, axis=1) - np.log(self.spread).sum()

    def log_density(self, log_sd: FloatArray, border: FloatArray) -> FloatArray:
        """Log density of border and log σ of types (S, B + D) given the parameters, (S, k), (S,)."""
        scores, log_scale = self.base.standardised(log_sd, border)
        possible = np.isfinite(log_scale)
        standard = (np.where(possible[:, np.newaxis], scores, 0.0) - self._means(log_sd)) / self.spread
        found = log_scale - 0.5 * np.sum(standard**2, axis=1) - np.log(self.spread).sum()
        return np.asarray(np.where(possible, found, -np.inf))

    def adapted(self, log_sd: FloatArray, border: FloatArray, weights: FloatArray) -> TypesProposal:
        """Move and widen to where weighted draws, (S, k) and (S, B + D), have border and types.

        What standard normals were is regressed on the parameters. The coefficients of each parameter are poorly known
        from few draws: they are shrunk as far as their length is no more than chance's (James & Stein 1961), the spread
        in proportion to the draws that count.
        """
        scores, log_scale = self.base.standardised(log_sd, border)
        weights = np.where(np.isfinite(log_scale), weights, 0.0)
        scores = np.where(weights[:, np.newaxis] > 0.0, scores, 0.0)
        weights = weights / weights.sum()
        effective = 1.0 / np.sum(weights**2)
        middle = weights @ log_sd
        away = log_sd - middle
        width = np.sqrt(np.maximum(weights @ away**2, _LEAST_VARIANCE))
        values, vectors = np.linalg.eigh((weights[:, np.newaxis] * away / width).T @ (away / width))
        along = (away / width) @ vectors / np.sqrt(np.maximum(values, _LEAST_VARIANCE))
        mean = weights @ scores
        slope = (weights[:, np.newaxis] * along).T @ (scores - mean)
        slope, mean = _shrunk(slope, effective), _shrunk(mean[np.newaxis], effective)[0]
        variance = weights @ (scores - mean - along @ slope) ** 2
        kept = effective / (effective + PRIOR_DRAWS)
        spread = np.sqrt(np.clip(1.0 + kept * (variance - 1.0), *VARIANCES))
        per_parameter = (
            (vectors / np.sqrt(np.maximum(values, _LEAST_VARIANCE))) @ slope / width[:, np.newaxis]
        )
        return TypesProposal(self.base, middle, mean, spread, per_parameter)

    def _means(self, parameters: FloatArray) -> FloatArray:
        """Mean of what would be standard normals, (S, B + D)."""
        return np.asarray(self.shift + (parameters - self.middle) @ self.slope)


def _shrunk(rows: FloatArray, effective: float) -> FloatArray:
    """Rows of coefficients (n, m), each shrunk as far as it is no longer than chance would have it."""
    by_chance = rows.shape[1] / (effective * np.maximum(np.sum(rows**2, axis=1), 1e-12))
    return np.asarray(np.maximum(1.0 - by_chance, 0.0)[:, np.newaxis] * rows)


@dataclass(frozen=True, eq=False)
class _Base:
    """Border and types' σ from standard normals, and back.

    Parameters
    ----------
    tree : Tree
    types : TypeScales
        Of usual effects.
    border : TypesBorder
    known : list
        What was last asked of `standardised`, for it is asked of the same draws by every proposal made from this.
    """

    tree: Tree
    types: TypeScales
    border: TypesBorder
    known: list[tuple[FloatArray, tuple[FloatArray, FloatArray]]] = field(default_factory=list)

    def rest(self, parameters: FloatArray, scores: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Border and log σ of types, (S, B + D), from normals, and log of the density's scale, (S,)."""
        of_border, of_scales = np.split(scores, [self.tree.n_border], axis=1)
        usual, typical, spread = self._typical(parameters)
        of_usual, log_density = self.types.draw(typical, spread, special.ndtr(of_scales))
        of_types = of_usual - usual[:, np.newaxis]
        border, log_scale = self.border.border(parameters, of_types, of_border)
        log_scale = log_scale + np.sum(log_density + 0.5 * of_scales**2, axis=1)
        return np.concatenate([border, of_types], axis=1), log_scale

    def standardised(self, parameters: FloatArray, rest: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Inverse of `rest`: normals (S, B + D), and log of the density's scale, (S,); −inf where that is nil."""
        for draws, found in self.known:
            if draws is rest:
                return found
        border, of_types = np.split(rest, [self.tree.n_border], axis=1)
        usual, typical, spread = self._typical(parameters)
        of_scales, log_density = self.types.scores(typical, spread, of_types + usual[:, np.newaxis])
        of_border, log_scale = self.border.standardised(parameters, of_types, border)
        possible = np.all(np.isfinite(of_scales) & np.isfinite(log_density), axis=1)
        with np.errstate(invalid="ignore"):
            log_types = np.sum(log_density + 0.5 * of_scales**2, axis=1)
        found = (
            np.concatenate([of_border, of_scales], axis=1),
            np.where(possible, log_scale + log_types, -np.inf),
        )
        self.known[:] = [*self.known[-1:], (rest, found)]
        return found

    def _typical(self, parameters: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Log of σ of usual effects in units of σ, log σ of the typical type's usual effects, and τ, (S,) each."""
        mixing = self.tree.scales(parameters).mixing.get("department")
        usual = np.zeros(len(parameters)) if mixing is None else np.log(usual_factor(mixing))
        return usual, parameters[:, self.tree.levels.index("department")] + usual, np.exp(parameters[:, -1])
