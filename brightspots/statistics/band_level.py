"""Rating bands as a level above trusts, from what a fit without them knows of each trust's effect.

A fit without bands gives, for each draw of its shared parameters, a nearly normal distribution of every trust's effect
U. Divided by its prior N(0, σ_u²) it is the likelihood of U, which does not depend on where U is thought to come from.
So the model with bands

    U_t = δ + μ_band(t) + u_t,    u_t ~ N(0, τ²),    μ ~ N(0, κ²),

needs no fit of its own: given τ and κ all of it is normal and can be integrated, δ being by how much the intercept
moves. The draws of the other shared parameters are weighted by how much likelier the data are with bands than without,
both integrated over τ, κ and δ.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.common.parallel import map_in_order, spans
from brightspots.common.settings import ScalePrior
from brightspots.engine.integration.importance import systematic
from brightspots.engine.terms import log_density_of_log_sd

# Points of the grids of τ and κ; how far below the highest log density τ may be left out; how many draws
# say where, and how often that is narrowed down.
_WITHIN, _BETWEEN, _NIL, _LOOKED_AT, _NARROWED = 48, 40, 14.0, 16, 3
# Trusts × draws held at once.
_NUMBERS_AT_ONCE = 2_000_000


class TrustLikelihood(NamedTuple):
    """Normal likelihoods exp(η·U − ½λ·U²) of the effects of T trusts given S draws of the rest, (T, S) each.

    `precision` is λ, `pull` is η. `spread` is the variance of each effect before the data in units of σ_u²: 1 but where
    effects are a mixture of normals, and then that of the component that the effect is of in the draw.
    """

    precision: FloatArray
    pull: FloatArray
    spread: FloatArray

    @classmethod
    def of(
        cls,
        mean: npt.NDArray[np.floating],
        sd: npt.NDArray[np.floating],
        prior_sd: FloatArray,
        common_sd: FloatArray,
    ) -> TrustLikelihood:
        """Divide distributions of U, (T, S), by their priors, of standard deviations (T, S); σ_u is (S,)."""
        own = 1.0 / np.maximum(np.asarray(sd, np.float64), 1e-12) ** 2
        prior = 1.0 / np.maximum(prior_sd, 1e-12) ** 2
        spread = (prior_sd / np.maximum(common_sd, 1e-12)) ** 2
        return cls(np.maximum(own - prior, 0.0), mean * own, spread)

    def take(self, draws: IntArray) -> TrustLikelihood:
        """Some of the draws, by their numbers."""
        return TrustLikelihood(*(part[:, draws] for part in self))

    def of_bands(self, in_band: FloatArray, within: FloatArray | float) -> tuple[FloatArray, ...]:
        """Likelihood of δ + μ, trusts' own u integrated out: precision and pull (levels, S), and its log height (S,).

        Parameters
        ----------
        in_band : (levels, T)
            1 where a trust is in a band.
        within : (S,) or float
            τ.
        """
        variance = np.square(within) * self.spread
        spread = 1.0 + variance * self.precision
        height = 0.5 * np.sum(variance * self.pull**2 / spread - np.log(spread), axis=0)
        return in_band @ (self.precision / spread), in_band @ (self.pull / spread), height


@dataclass(frozen=True)
class BandPriors:
    """What is thought of the parameters of the level before the data.

    Parameters
    ----------
    within : ScalePrior
        Of τ.
    between : float
        Scale of the half-normal of κ; infinite for a flat one.
    intercept, intercept_precision : (S,), float
        Mean of δ, which is that of the intercept less the draw's own, and its precision; 0 for a flat prior.
    """

    within: ScalePrior
    between: float
    intercept: FloatArray
    intercept_precision: float

    def take(self, draws: IntArray) -> BandPriors:
        """Those of some of the draws, by their numbers."""
        return BandPriors(self.within, self.between, self.intercept[draws], self.intercept_precision)


@dataclass(frozen=True)
class BandDraws:
    """R equally weighted draws of the level of bands.

    Parameters
    ----------
    draw : int (R,)
        Which draw of the other shared parameters each belongs to, ascending.
    within : (R,)
        τ.
    band_mean : (levels, R)
        μ.
    shift : (R,)
        δ.
    effective : float
        Effective number of the draws that were weighted.
    """

    draw: IntArray
    within: FloatArray
    band_mean: FloatArray
    shift: FloatArray
    effective: float

    def take(self, draws: IntArray) -> BandDraws:
        """Some of them, by their numbers."""
        return replace(
            self,
            draw=self.draw[draws],
            within=self.within[draws],
            band_mean=self.band_mean[:, draws],
            shift=self.shift[draws],
        )

    def trust_effects(self, likelihood: TrustLikelihood, band: IntArray, scores: FloatArray) -> FloatArray:
        """Draw U of some trusts, (trusts, R), given all else.

        Parameters
        ----------
        likelihood : TrustLikelihood
            Of these trusts.
        band : int (trusts,)
        scores : (trusts, R)
            Normal scores.
        """
        precision, pull, own = likelihood.take(self.draw)
        variance = self.within**2 * own
        spread = 1.0 + variance * precision
        mean = (variance * pull + self.shift + self.band_mean[band]) / spread
        return np.asarray(mean + np.sqrt(variance / spread) * scores)


def draw_bands(
    likelihood: TrustLikelihood,
    band: IntArray,
    priors: BandPriors,
    furthest: float,
    size: int,
    generator: np.random.Generator,
) -> BandDraws:
    """Draw `size` times from the posterior of the level of bands.

    Parameters
    ----------
    likelihood : TrustLikelihood
    band : int (T,)
        Band of each trust.
    priors : BandPriors
    furthest : float
        Beyond all that τ may be.
    size : int
    generator : numpy.random.Generator

    References
    ----------
    Gelman A (2006). Prior distributions for variance parameters in hierarchical models. Bayesian Analysis 1:515.
    """
    in_band = np.equal.outer(np.arange(band.max() + 1), band).astype(np.float64)
    within = _grid_within(likelihood, in_band, priors, furthest)
    between = _grid_between(likelihood, in_band, priors, within)

    def at(sd: np.float64) -> FloatArray:
        return _log_evidence(likelihood, in_band, priors, float(sd), between)

    density = np.stack(list(map_in_order(at, within)))  # (τ, κ, S)
    density += (_log_mass(within, within[0]) + _log_prior(priors.within, within))[:, np.newaxis, np.newaxis]
    # The first κ is 0: the model of the fit itself.
    without = logsumexp(density[:, 0], axis=0)
    density = density[:, 1:]
    of_between = _log_mass(between[1:], 0.0) - 0.5 * (between[1:] / priors.between) ** 2
    density += of_between[:, np.newaxis]
    gain = logsumexp(density, axis=(0, 1)) - without
    weight = np.exp(gain - gain.max())
    weight /= weight.sum()
    draw = systematic(weight, size, generator)
    tau, kappa = _draw_from_grid(density, within, between[1:], draw, generator)
    of_bands = _at_draws(likelihood, in_band, draw, tau)
    mean, shift = _draw_means(*of_bands, priors.take(draw), kappa, generator)
    return BandDraws(draw, tau, mean, shift, 1.0 / float(np.sum(weight**2)))


def _log_evidence(
    likelihood: TrustLikelihood, in_band: FloatArray, priors: BandPriors, within: float, between: FloatArray
) -> FloatArray:
    """Log density of the data given τ, values of κ, and each draw of the rest, (κ, S), up to a constant."""
    precision, pull, height = likelihood.of_bands(in_band, within)
    variance = np.square(between)[:, np.newaxis, np.newaxis]
    spread = 1.0 + variance * precision
    height = height + 0.5 * np.sum(variance * pull**2 / spread - np.log(spread), axis=1)
    total = priors.intercept_precision + np.sum(precision / spread, axis=1)
    mean = priors.intercept_precision * priors.intercept + np.sum(pull / spread, axis=1)
    # Without any information on δ, under a flat prior, it has no density; a trust always has some.
    return np.asarray(height + 0.5 * (mean**2 / total - np.log(total)))


def _grid_within(
    likelihood: TrustLikelihood, in_band: FloatArray, priors: BandPriors, furthest: float
) -> FloatArray:
    """Values of τ up to `furthest`, evenly spaced over where it has any density, with or without bands."""
    few = np.unique(np.linspace(0, likelihood.pull.shape[1] - 1, _LOOKED_AT).astype(np.int64))
    some, of_some = likelihood.take(few), priors.take(few)
    ends = np.array([0.0, furthest])
    low, high = 1e-6 * furthest, furthest
    for _ in range(_NARROWED):
        points = np.linspace(low, high, _WITHIN)
        density = np.stack([_log_evidence(some, in_band, of_some, float(sd), ends) for sd in points])
        density += _log_prior(priors.within, points)[:, np.newaxis, np.newaxis]
        near = np.flatnonzero((density > density.max(axis=0) - _NIL).any(axis=(1, 2)))
        low, high = points[max(near[0] - 1, 0)], points[min(near[-1] + 1, _WITHIN - 1)]
    return np.linspace(low, high, _WITHIN)


def _grid_between(
    likelihood: TrustLikelihood, in_band: FloatArray, priors: BandPriors, within: FloatArray
) -> FloatArray:
    """Values of κ: 0, and others evenly spaced by their logarithm up to where the prior or the data end it."""
    precision, pull, _ = likelihood.of_bands(in_band, float(np.median(within)))
    precision, pull = precision.mean(axis=1), pull.mean(axis=1)
    known = precision > 0.0
    mean, variance = pull[known] / precision[known], 1.0 / precision[known]
    top = 20.0 * float(np.sqrt(np.max(mean**2 + variance)))
    if np.isfinite(priors.between):
        top = min(5.0 * priors.between, top)
    least = min(1e-2 * float(np.sqrt(variance.min())), 1e-2 * top)
    return np.concatenate([[0.0], np.geomspace(least, top, _BETWEEN)])


def _log_prior(prior: ScalePrior, sd: FloatArray) -> FloatArray:
    """Log density of σ itself."""
    return log_density_of_log_sd(prior, np.log(sd)) - np.log(sd)


def _log_mass(points: FloatArray, first: float) -> FloatArray:
    """Logarithm of the stretch of the axis that each point of a grid stands for, the first one's from `first` on."""
    return np.log(np.diff(0.5 * (points[1:] + points[:-1]), prepend=first, append=points[-1]))


def _draw_from_grid(
    density: FloatArray,
    within: FloatArray,
    between: FloatArray,
    draw: IntArray,
    generator: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Draws of τ and κ, (R,) each, from their log density on a grid, (τ, κ, S), at the draws of the rest."""
    size = len(draw)
    of_within = logsumexp(density, axis=1)[:, draw]
    place = _invert(of_within, _strata(size, generator))
    tau = np.interp(place, np.arange(len(within)), within)
    nearest = np.clip(np.rint(place), 0, len(within) - 1).astype(np.int64)
    of_between = np.transpose(density, (1, 0, 2))[:, nearest, draw]
    place = _invert(of_between, _strata(size, generator))
    return tau, np.interp(place, np.arange(len(between)), between)


def _strata(size: int, generator: np.random.Generator) -> FloatArray:
    """Numbers between 0 and 1, one from each of `size` equal slices, in any order."""
    return (generator.permutation(size) + generator.random(size)) / size


def _invert(log_mass: FloatArray, probability: FloatArray) -> FloatArray:
    """Where distributions on 0, 1, …, n − 1, (n, R), reach a probability, (R,); mass is spread half a step each way."""
    mass = np.exp(log_mass - log_mass.max(axis=0))
    cumulated = np.cumsum(mass / mass.sum(axis=0), axis=0)
    at = np.minimum(np.sum(cumulated < probability, axis=0), len(mass) - 1)
    columns = np.arange(mass.shape[1])
    before = np.where(at > 0, cumulated[np.maximum(at - 1, 0), columns], 0.0)
    step = np.maximum(cumulated[at, columns] - before, 1e-300)
    return np.asarray(at - 0.5 + np.clip((probability - before) / step, 0.0, 1.0))


def _at_draws(
    likelihood: TrustLikelihood, in_band: FloatArray, draw: IntArray, within: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Precision and pull of δ + μ, (levels, R) each, at R draws of the rest with a τ each: a few at a time."""
    at_once = max(_NUMBERS_AT_ONCE // in_band.shape[1], 1)

    def some(span: slice) -> tuple[FloatArray, ...]:
        return likelihood.take(draw[span]).of_bands(in_band, within[span])[:2]

    precision, pull = zip(*map_in_order(some, spans(len(draw), at_once)), strict=True)
    return np.concatenate(precision, axis=1), np.concatenate(pull, axis=1)


def _draw_means(
    precision: FloatArray, pull: FloatArray, priors: BandPriors, between: FloatArray,
    generator: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:  # fmt: skip
    """Draws of μ, (levels, R), and δ, (R,), given κ, a draw of the rest each, and what trusts say of δ + μ."""
    variance = between**2
    spread = 1.0 + variance * precision
    total = priors.intercept_precision + np.sum(precision / spread, axis=0)
    mean = priors.intercept_precision * priors.intercept + np.sum(pull / spread, axis=0)
    shift = mean / total + generator.standard_normal(len(between)) / np.sqrt(total)
    given_shift = variance * (pull - precision * shift) / spread
    means = given_shift + between / np.sqrt(spread) * generator.standard_normal(precision.shape)
    return means, shift
