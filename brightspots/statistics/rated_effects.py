"""Effects of a fit's trusts and departments once bands are a level above trusts, without fitting again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.common.settings import HalfNormal, Priors
from brightspots.data.cells import Cells
from brightspots.engine.integration.deal import normal_scores, rotations
from brightspots.engine.integration.leaf import cornish_fisher, shape_of
from brightspots.engine.posterior import (
    Conditional,
    EffectBlock,
    Posterior,
    ShapeBlock,
    Shapes,
    SharedDraws,
    enough_draws,
)
from brightspots.engine.terms import location_precision, resolve_priors
from brightspots.engine.thinning import spread_evenly
from brightspots.statistics.band_level import BandDraws, BandPriors, TrustLikelihood, draw_bands
from brightspots.statistics.ratings import Ratings

Result = TypeVar("Result")

# Draws of the level of bands; how few and how many of them every department's effect is drawn for.
_DRAWS, _FEWEST, _MOST = 2_000, 128, 500
# τ is at most so many times the largest σ between trusts that the fit without bands drew.
_WIDER = 2.0
# The weighted draws must be worth this share of their number, or bands change the fit too much to do without another.
_EFFECTIVE = 0.25


@dataclass(frozen=True)
class RatedEffects:
    """Effects within bands, drawn trust by trust from the distributions that a fit without bands gives.

    Parameters
    ----------
    cells : Cells
    shapes : Shapes
        Of the fit without bands.
    band : int (T,)
        Of each trust.
    draws : BandDraws
        R draws of the level of bands.
    seed : int
    """

    cells: Cells
    shapes: Shapes
    band: IntArray
    draws: BandDraws
    seed: int

    @property
    def shared(self) -> SharedDraws:
        """The shared parameters of each of the R draws, σ between trusts being that within bands."""
        taken = self.shapes.shared.take(self.draws.draw)
        return replace(taken, sd={**taken.sd, "trust": self.draws.within})

    def map_blocks(self, work: Callable[[EffectBlock], Result]) -> Iterator[Result]:
        """Apply `work` to the effects of every trust once, in order, on all cores."""
        return self.shapes.map_shapes(lambda block: work(self._block(block)))

    def _block(self, block: ShapeBlock) -> EffectBlock:
        draw, shared = self.draws.draw, self.shapes.shared
        generator = np.random.default_rng([self.seed, block.trusts.start])
        likelihood = TrustLikelihood.of(block.trust.mean, block.trust.sd, block.trust_sd, shared.sd["trust"])
        band = self.band[block.trusts]
        scores = _scores(len(band), len(draw), generator)
        total = self.draws.trust_effects(likelihood, band, scores)
        of_trust = self.cells.cell_trust[block.cells] - block.trusts.start
        away = (total - block.trust.mean[:, draw])[of_trust]
        department = Conditional(*(part[:, draw] for part in block.department))
        conditional = given_trust(department, away, block.department_sd[:, draw])
        scores = _scores(len(of_trust), len(draw), generator)
        effect = cornish_fisher(*conditional, scores.astype(np.float32)).astype(np.float64)
        within = total - self.draws.band_mean[band] - self.draws.shift
        return EffectBlock(block.trusts, block.cells, within, effect, conditional)


def given_trust(department: Conditional, away: FloatArray, sd: FloatArray) -> Conditional:
    """Distributions of v where u lies `away` from the mean at which those of `department` are told.

    Cumulants of v move with u as `ShapeBlock` says, to second order.

    Parameters
    ----------
    department : Conditional
        Of v, (cells, S).
    away : (cells, S)
    sd : (cells, S) or (S,)
        σ_v.
    """
    mean, own_sd, skewness, kurtosis = department
    away = away.astype(np.float32)
    # By which a cumulant's slope is the next one.
    step = away / np.maximum(sd, 1e-6).astype(np.float32) ** 2
    variance = own_sd * own_sd
    third, fourth = skewness * variance * own_sd, kurtosis * variance * variance
    half = np.float32(0.5)
    return Conditional(
        *shape_of(
            mean + (variance + half * third * step) * step - away,
            # A parabola that bends down must not lead to less than what is left of any variance.
            np.maximum(variance + (third + half * fourth * step) * step, np.float32(0.1) * variance),
            third + fourth * step,
            fourth,
        )
    )


def rate_effects(
    posterior: Posterior, priors: Priors, ratings: Ratings, seed: int
) -> tuple[RatedEffects, BandDraws] | None:
    """Put bands above the trusts of a fit, all of them rated.

    Parameters
    ----------
    posterior : Posterior
        That gives distributions of effects, without covariates.
    priors : Priors
    ratings : Ratings
        Of every trust.
    seed : int

    Returns
    -------
    RatedEffects, BandDraws
        Effects, with some draws of the level of bands; and all of these. None where bands change the shared parameters
        too much for their draws to serve.
    """
    cells = posterior.cells
    shapes = posterior.shapes(enough_draws(cells))
    assert shapes is not None  # a fit that gives draws only is not asked
    assert ratings.trust_band is not None  # nor one of rated departments
    found = list(shapes.map_shapes(lambda block: (block.trust.mean, block.trust.sd, block.trust_sd)))
    mean, sd, prior_sd = (np.concatenate(part) for part in zip(*found, strict=True))
    shared, terms = shapes.shared, resolve_priors(cells, priors)
    within = terms.scales["trust"]
    between = within.scale if isinstance(within, HalfNormal) else np.inf
    centre, precision = location_precision(terms.intercept)
    draws = draw_bands(
        TrustLikelihood.of(mean, sd, prior_sd, shared.sd["trust"]),
        ratings.trust_band,
        BandPriors(within, between, centre - shared.intercept, precision),
        _WIDER * float(shared.sd["trust"].max()),
        _DRAWS,
        np.random.default_rng([seed, len(ratings.levels)]),
    )
    if not draws.effective > _EFFECTIVE * shared.n_draws:
        return None
    some = _spread_out(draws, ratings.frequencies, min(max(enough_draws(cells), _FEWEST), _MOST))
    return RatedEffects(cells, shapes, ratings.trust_band, some, seed), draws


def _spread_out(draws: BandDraws, frequencies: FloatArray, most: int) -> BandDraws:
    """At most `most` draws, evenly spread in the order of the variance of trusts, by which bands are cut."""
    if len(draws.draw) <= most:
        return draws
    centred = draws.band_mean - frequencies @ draws.band_mean
    return draws.take(spread_evenly(frequencies @ centred**2 + draws.within**2, most))


def _scores(rows: int, size: int, generator: np.random.Generator) -> FloatArray:
    """Normal scores in an order of its own for each row, (rows, size): rotations of one order."""
    return rotations(generator.permutation(normal_scores(size)), generator.integers(0, size, rows))
