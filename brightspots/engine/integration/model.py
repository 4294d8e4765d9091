"""The density that is integrated: a tree, the priors of its σ's and border, and its closed form for normal data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_solve

from brightspots.common.arrays import FloatArray, half_log_determinant
from brightspots.engine.integration.elimination import Elimination
from brightspots.engine.integration.scales import Scales
from brightspots.engine.integration.tree import Tree
from brightspots.engine.terms import Terms, location_precision, log_density_of_log_sd

_LOG_ROOT = 0.5 * np.log(2.0 * np.pi)


@dataclass(frozen=True, eq=False)
class Model:
    """A tree, and the priors of the standard deviations and of the border."""

    tree: Tree
    terms: Terms

    def border_prior(self, scales: Scales) -> tuple[FloatArray, FloatArray]:
        """Mean (B,) and precision (..., B) of the independent normal priors of the border, given the σ's (...)."""
        n_types = self.tree.n_types
        mean, precision = zip(
            location_precision(self.terms.intercept),
            *[location_precision(self.terms.covariate)] * (self.tree.fixed.shape[1] - 1),
            strict=True,
        )
        shape = np.shape(scales[self.tree.levels[0]])
        fixed = np.broadcast_to(np.array(precision), (*shape, len(precision)))
        if not n_types:
            return np.array(mean), fixed
        types = np.repeat(np.asarray(scales["department_type"])[..., np.newaxis] ** -2.0, n_types, axis=-1)
        return np.concatenate([mean, np.zeros(n_types)]), np.concatenate([fixed, types], axis=-1)

    @property
    def normal(self) -> Model:
        """The same with normal effects throughout."""
        return Model(self.tree.normal, self.terms)

    def log_prior(self, parameters: FloatArray) -> FloatArray:
        """Log prior density of log σ and of the parameters of effects that are not normal, (...) from (..., k)."""
        of_sd = sum(
            (
                log_density_of_log_sd(prior, parameters[..., i])
                for i, prior in enumerate(self.terms.scales.values())
            ),
            start=np.zeros(parameters.shape[:-1]),
        )
        of_effects = (
            effect.log_prior(parameters[..., self.tree.free[level]])
            for level, effect in self.tree.effects.items()
        )
        found: FloatArray = sum(of_effects, start=of_sd)
        if self.tree.by_type:
            found = found + log_density_of_log_sd(self.terms.between_types, parameters[..., -1])
        return found

    def log_prior_of_types(self, parameters: FloatArray, of_types: FloatArray) -> FloatArray:
        """Log prior density of log σ of department types, (..., D), given the parameters, (...)."""
        typical = parameters[..., self.tree.levels.index("department")][..., np.newaxis]
        log_spread = parameters[..., -1][..., np.newaxis]
        away = (of_types - typical) * np.exp(-log_spread)
        return np.asarray(np.sum(-0.5 * away**2 - log_spread - _LOG_ROOT, axis=-1))


class BorderSolution(NamedTuple):
    """Mode of the border given the σ's, and the log marginal density of the σ's."""

    log_marginal: float
    border: FloatArray


def solve_border(model: Model, eliminated: Elimination, scales: Scales) -> BorderSolution:
    """Add the border's prior and solve; the log marginal leaves out the prior of the σ's."""
    mean, precision = model.border_prior(scales)
    right = eliminated.gradient + precision * mean
    factor = np.linalg.cholesky(eliminated.precision + np.diag(precision))
    border = cho_solve((factor, True), right, check_finite=False)
    proper = precision > 0.0
    log_marginal = (
        eliminated.constant
        + 0.5 * float(right @ border)
        - 0.5 * float(precision @ mean**2)
        - float(half_log_determinant(factor))
        + 0.5 * float(np.log(precision[proper]).sum())
    )
    return BorderSolution(log_marginal, border)
