"""The hierarchy with rating bands as one more level, between the nation and the trusts.

Effects from a fit without the rating are shrunk towards the national mean whatever the band. Where data are thin, they
would make the rating explain too little, and departments contradict it too often. So bands are put above the trusts of
the fit (`rated_effects`); or, for ratings of departments, the model is fitted once more with the bands as covariates,

    η = x'β + a + μ_band + u + v,    u ~ N(0, σ_u²) within bands,

and the band means are then given the prior μ ~ N(0, λ²), with λ half-normal like every other standard deviation. Fixed
band means would overstate the share of variance that the rating explains by about 2·(bands − 1)/trusts.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from brightspots.common.arrays import FloatArray
from brightspots.common.errors import CertificateWarning
from brightspots.common.settings import HalfNormal, Priors
from brightspots.data.cells import Cells
from brightspots.engine.integration.conditional import ConditionalPosterior
from brightspots.engine.posterior import EffectBlock, Posterior, SharedDraws, enough_draws
from brightspots.engine.run import integrate_decided
from brightspots.engine.terms import location_precision, resolve_priors
from brightspots.statistics.rated_effects import rate_effects
from brightspots.statistics.ratings import Ratings

Result = TypeVar("Result")

# Prior standard deviation of a band's mean, in units of the linear predictor, in the fit with fixed bands: so wide that
# it hardly matters beside the prior that `as_level` then applies.
_REACH = 10.0
_GRID = 1_000
# Draws of a second fit. What is said of single departments is averaged over conditional distributions, so that it
# needs no more.
_DRAWS = 500


class Effects(Protocol):
    """Effects of trusts and departments, jointly with draws of what they share: what is needed of a `Posterior`."""

    @property
    def cells(self) -> Cells:
        """The rated cells."""
        ...

    @property
    def shared(self) -> SharedDraws:
        """Draws of the shared parameters."""
        ...

    def map_blocks(self, work: Callable[[EffectBlock], Result]) -> Iterator[Result]:
        """Apply `work` to the effects of every trust once, in order."""
        ...


class Variances(NamedTuple):
    """Draws of the variances between departments, (S,) each.

    `between` is what the rating explains, of μ over rated trusts (or departments); `trust` is σ_u², within bands;
    `department` σ_v², zeros where departments are not in the model.
    """

    between: FloatArray
    trust: FloatArray
    department: FloatArray


@dataclass(frozen=True)
class RatedPosterior:
    """Joint posterior of band means and effects within bands, of the rated cells alone.

    Parameters
    ----------
    posterior : Effects
        Of the rated cells; trust effects are within bands.
    ratings : Ratings
        Of the same cells.
    band_mean : (levels, S)
        μ, whose mean over rated trusts (or departments) is 0 in every draw.
    all_variances : Variances or None
        Of more draws than those of effects, where there are such.
    """

    posterior: Effects
    ratings: Ratings
    band_mean: FloatArray
    all_variances: Variances | None = None

    @property
    def variances(self) -> Variances:
        """Of the draws of effects, (S,) each."""
        shared = self.posterior.shared
        explained = self.ratings.frequencies @ self.band_mean**2
        return Variances(explained, shared.sd["trust"] ** 2, shared.sd_of("department") ** 2)

    def trust_levels(self, block: EffectBlock) -> FloatArray:
        """μ + u at the departments of a block, (cells, S): their levels but for their own effects v."""
        trust = self.posterior.cells.cell_trust[block.cells] - block.trusts.start
        return np.asarray(self.band_mean[self.ratings.cell_band[block.cells]] + block.trust_effect[trust])


def with_ratings(posterior: Posterior, priors: Priors, ratings: Ratings, seed: int) -> RatedPosterior:
    """Put rating bands above trusts, always with normal effects.

    On the distributions of the fit where they serve; where not, on those of another of the rated trusts alone. Ratings
    of departments, and bands beside covariates, whose place they might take, need a fit with the bands in it.

    Unrated trusts (or departments) are left out. As one band they would vary as much as all bands together, and so
    increase the variance within bands.

    Parameters
    ----------
    posterior : Posterior
        Of the fit without the rating.
    priors : Priors
        As they were asked for: what is left to the data is decided by rated trusts alone where these are fitted anew.
        The standard deviation of band means has the prior of that between trusts where this is half-normal, else a flat
        one.
    ratings : Ratings
        At least two bands.
    seed : int

    Warns
    -----
    CertificateWarning
        Where another fit is made and does not earn its certificate.
    """
    cells = posterior.cells
    if ratings.trust_band is None or cells.covariates or priors.department is None:
        return fit_with_ratings(cells, priors, ratings, seed)
    of_rated = ratings
    if (ratings.trust_band < 0).any() or posterior.shapes(enough_draws(cells)) is None:
        posterior, of_rated = _integrated(cells.only(ratings.rated), priors, seed), ratings.only_rated()
    found = rate_effects(posterior, priors, of_rated, seed)
    if found is None:
        return fit_with_ratings(cells, priors, ratings, seed)
    effects, draws = found
    share = of_rated.frequencies
    department = effects.shapes.shared.sd["department"][draws.draw]
    between = share @ (draws.band_mean - share @ draws.band_mean) ** 2
    centred = effects.draws.band_mean - share @ effects.draws.band_mean
    return RatedPosterior(effects, of_rated, centred, Variances(between, draws.within**2, department**2))


def _integrated(cells: Cells, priors: Priors, seed: int) -> ConditionalPosterior:
    """Fit cells with the integrating engine, under what these cells by themselves decide of effects."""
    fitted, certificate, _, _ = integrate_decided(cells, priors, draws=_DRAWS, seed=seed, effective=_DRAWS)
    assert isinstance(fitted, ConditionalPosterior)  # it was integrated
    if not certificate.ok:
        warnings.warn(
            f"the fit that compares departments with the ratings did not earn its certificate: {certificate.message}",
            CertificateWarning,
            stacklevel=3,
        )
    return fitted


def fit_with_ratings(cells: Cells, priors: Priors, ratings: Ratings, seed: int) -> RatedPosterior:
    """Fit the hierarchy with the bands as covariates, whose coefficients are then given the prior of a level.

    The standard deviations keep their draws meanwhile, as if fixed and random band means said the same of them.

    Parameters
    ----------
    cells : Cells
    priors, ratings, seed
        As for `with_ratings`.
    """
    cells, ratings = cells.only(ratings.rated), ratings.only_rated()
    columns, reference = _band_columns(cells, ratings)
    _, precision = location_precision(resolve_priors(cells, priors).covariate)
    unit = 1.0 if precision == 0.0 else _REACH * np.sqrt(precision)
    with_bands = replace(
        cells,
        design=np.hstack([cells.design, unit * columns]),
        covariates=(*cells.covariates, *(f"band {number}" for number in range(columns.shape[1]))),
        covariate_scale=np.concatenate([cells.covariate_scale, np.ones(columns.shape[1])]),
    )
    fitted = _integrated(with_bands, priors, seed)
    shared = fitted.shared
    first, bands = cells.design.shape[1], len(ratings.levels)
    others = np.delete(np.arange(bands), reference)
    effect = np.zeros((bands, shared.n_draws))
    effect[others] = unit * shared.coefficients[:, first:].T
    scale = priors.trust.scale if isinstance(priors.trust, HalfNormal) else np.inf
    effect = as_level(effect, scale, np.random.default_rng([seed, bands]))
    coefficients = shared.coefficients.copy()
    coefficients[:, first:] = (effect[others] - effect[reference]).T / unit
    moved: SharedDraws = replace(shared, coefficients=coefficients)
    centred = effect - ratings.frequencies @ effect
    return RatedPosterior(ConditionalPosterior(with_bands, moved, fitted.seed), ratings, centred)


def _band_columns(cells: Cells, ratings: Ratings) -> tuple[FloatArray, int]:
    """Centred indicators of all bands but the commonest, (N, levels − 1), and the number of that one."""
    band = ratings.cell_band[cells.leaf_cell]
    reference = int(np.argmax(np.bincount(band, minlength=len(ratings.levels))))
    columns = np.equal.outer(band, np.delete(np.arange(len(ratings.levels)), reference)).astype(np.float64)
    return columns - columns.mean(axis=0), reference


def as_level(effect: FloatArray, scale: float, generator: np.random.Generator) -> FloatArray:
    """Turn draws of fixed band means into draws under μ ~ N(0, λ²), λ half-normal.

    The fixed contrasts are summarised as a normal likelihood. Given λ each principal contrast, with mean m and
    variance g, then has mean κm and variance κg, κ = λ²/(λ² + g), and λ has a marginal density in closed form. A
    draw is moved to κm + √κ·(draw − m), so that it stays correlated with the σ's and coefficients of the same draw.

    Parameters
    ----------
    effect : (bands, S)
        Draws of the band means under a flat prior; a constant added to all bands of a draw changes nothing.
    scale : float
        Of the half-normal prior of λ; infinite for a flat one.
    generator : numpy.random.Generator

    Returns
    -------
    (bands, S)
        Contrasts with mean 0 over bands.

    References
    ----------
    Gelman A (2006). Prior distributions for variance parameters in hierarchical models. Bayesian Analysis 1:515.
    """
    contrasts = effect - effect.mean(axis=0)
    variance, axes = np.linalg.eigh(np.atleast_2d(np.cov(contrasts)))
    variance, axes = variance[1:, np.newaxis], axes[:, 1:]  # the first is the constant, which has none
    draws = axes.T @ contrasts
    mean = draws.mean(axis=1, keepdims=True)

    # Upper end of the grid of λ: where a half-normal prior is negligible; with a flat one, where the likelihood is.
    top = 5.0 * scale if np.isfinite(scale) else 20.0 * float(np.sqrt(np.max(mean**2 + variance)))
    sd = np.geomspace(min(1e-3 * np.sqrt(variance.min()), 1e-3 * top), top, _GRID)
    total = variance + sd**2
    log_density = -0.5 * np.sum(np.log(total) + mean**2 / total, axis=0) - 0.5 * (sd / scale) ** 2
    mass = np.exp(log_density - log_density.max()) * np.gradient(sd)
    cumulative = np.cumsum(mass) / mass.sum()
    count = effect.shape[1]
    level = np.interp(generator.permutation((np.arange(count) + 0.5) / count), cumulative, sd)
    kept = level**2 / (level**2 + variance)
    moved: FloatArray = axes @ (kept * mean + np.sqrt(kept) * (draws - mean))
    return moved
