"""Which terms a model has and with what priors: the one place where defaults meet the data.

Every engine reads a `Terms`, so that the integrating engine and the Markov chains fit the same joint density.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from brightspots.common.arrays import FloatArray
from brightspots.common.settings import (
    Flat,
    HalfNormal,
    InverseGamma,
    LocationPrior,
    Normal,
    Priors,
    ScalePrior,
)
from brightspots.data.cells import Cells
from brightspots.engine.effect_choice import BETWEEN_TYPES
from brightspots.engine.levels import LEVELS, Level

INTERCEPT_AGAINST_EXPECTED: Final = Normal(0.0, 0.5)
INTERCEPT_ON_LOGIT: Final = Normal(0.0, 1.5)


@dataclass(frozen=True, slots=True)
class Terms:
    """The priors of the model that is fitted.

    Parameters
    ----------
    intercept, covariate : Normal or Flat
    scales : mapping of level to HalfNormal, InverseGamma or Flat
        Prior of the standard deviation of every level that is in the model, in the order of `levels.LEVELS`.
    between_types : HalfNormal
        Prior of the standard deviation of log σ between department types, in a model where these differ.
    """

    intercept: LocationPrior
    covariate: LocationPrior
    scales: Mapping[Level, ScalePrior]
    between_types: HalfNormal = BETWEEN_TYPES

    @property
    def levels(self) -> tuple[Level, ...]:
        """Levels that have a standard deviation, in the order of `levels.LEVELS`."""
        return tuple(self.scales)


def resolve_priors(cells: Cells, priors: Priors) -> Terms:
    """Fill in the defaults that depend on the data, and drop the levels that the data do not have.

    Parameters
    ----------
    cells : Cells
    priors : Priors

    Returns
    -------
    Terms
        With the intercept N(0, 0.5²) where the offset carries an expected or the data are estimates, and
        N(0, 1.5²) on the logit scale where it does not; without a period level where cells have none.
    """
    intercept = priors.intercept
    if intercept is None:
        on_logit = cells.family.link == "logit" and cells.expected is None
        intercept = INTERCEPT_ON_LOGIT if on_logit else INTERCEPT_AGAINST_EXPECTED
    asked: dict[Level, ScalePrior | float | None] = {
        "trust": priors.trust,
        "department": priors.department,
        "period": priors.period if cells.has_periods else None,
        "department_type": priors.department_type,
    }
    scales = {level: _scale(prior) for level in LEVELS if (prior := asked[level]) is not None}
    asked_between = priors.department_by_type
    between = asked_between if isinstance(asked_between, HalfNormal) else BETWEEN_TYPES
    return Terms(_location(intercept), _location(priors.covariate), scales, between)


def log_density_of_log_sd(prior: ScalePrior, log_sd: FloatArray) -> FloatArray:
    """Log density of log σ, with the Jacobian, so that it is finite for every log σ.

    Normalised for proper priors; a flat prior on σ has density σ in log σ.
    """
    variance = np.exp(2.0 * log_sd)
    if isinstance(prior, HalfNormal):
        constant = 0.5 * math.log(2.0 / math.pi) - math.log(prior.scale)
        return constant - 0.5 * variance / prior.scale**2 + log_sd
    if isinstance(prior, InverseGamma):
        constant = prior.shape * math.log(prior.scale) - math.lgamma(prior.shape) + math.log(2.0)
        return constant - 2.0 * prior.shape * log_sd - prior.scale / variance
    return log_sd


def location_precision(prior: LocationPrior) -> tuple[float, float]:
    """Mean and precision of a location prior; a flat one has precision 0."""
    return (0.0, 0.0) if isinstance(prior, Flat) else (prior.mean, prior.sd**-2.0)


def _location(prior: LocationPrior | float) -> LocationPrior:
    # Priors has already turned numbers into priors; this says so to the type checker.
    return Normal(0.0, prior) if isinstance(prior, int | float) else prior


def _scale(prior: ScalePrior | float) -> ScalePrior:
    return HalfNormal(prior) if isinstance(prior, int | float) else prior
