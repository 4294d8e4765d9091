"""Departments against the ratings: variance explained, departments that belong in another band, reversals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from brightspots.common import vocabulary as names
from brightspots.common.arrays import FloatArray, IntArray
from brightspots.statistics.rating_model import RatedPosterior

# To compare all pairs of departments without sorting, their levels are counted in this many classes between −6 and 6
# standard deviations; two in one class are tied, and count half.
_CLASSES = 4_096
_FURTHEST = 6.0
# About so many draws are used for `reversed`: enough to know the ends of a 95% interval to a tenth of its posterior
# standard deviation.
_COUNTED_DRAWS = 500


@dataclass(frozen=True)
class RatingStatistics:
    """Departments against the rating, given the outcomes and the rating itself.

    Parameters
    ----------
    p_other_band, p_two_bands : (rated cells,)
        Probability that the band in which a department's own level lies (see `rating_statistics`) differs from its
        rating by at least one band, and by at least two.
    explained : dict of str to (S,)
        Draws of the share of variance that the rating explains: of `trust`, between rated trusts (only where
        trusts are rated), and of `trust_and_department`, between departments of all trusts. The
        share is Var(μ)/(Var(μ) + σ²), the variance of the fixed part over that of fixed and random parts
        (marginal R² of Nakagawa & Schielzeth 2013).
    reversed : (S',)
        Some of the draws of the probability that, of two random departments with different ratings, the one with the
        higher rating is worse.

    References
    ----------
    Nakagawa S, Schielzeth H (2013). Methods in Ecology and Evolution 4:133–142.
    """

    p_other_band: FloatArray
    p_two_bands: FloatArray
    explained: dict[str, FloatArray]
    reversed: FloatArray


def rating_statistics(rated: RatedPosterior, higher_is: names.HigherIs) -> RatingStatistics:
    """Compare the level of each department with its rating.

    The band of a level is found, draw by draw, by cutting the model's normal distribution of what is rated at the
    quantiles that give each band its real share: for ratings of trusts N(0, Var(μ) + σ_u²), for ratings of departments
    N(0, Var(μ) + σ_u² + σ_v²).

    Parameters
    ----------
    rated : RatedPosterior
    higher_is : {"worse", "better"}
    """
    ratings = rated.ratings
    good = -1.0 if higher_is == "worse" else 1.0
    spread = np.sqrt(rated.between + rated.trust_variance + rated.department_variance)
    of_rated = spread if ratings.by_department else np.sqrt(rated.between + rated.trust_variance)
    cuts = stats.norm.ppf(np.cumsum(ratings.frequencies)[:-1])[:, np.newaxis] * of_rated
    n_cells, n_draws = len(ratings.cell_band), len(spread)
    step = max(1, n_draws // _COUNTED_DRAWS)
    counts = np.zeros((len(ratings.levels), len(spread[::step]), _CLASSES), dtype=np.int32)
    p_other, p_two = np.empty(n_cells), np.empty(n_cells)
    for cells, level in rated.levels():
        band = ratings.cell_band[cells]
        steps = np.abs(_bands_earned(good * level, cuts) - band[:, np.newaxis])
        p_other[cells] = (steps >= 1).mean(axis=1)
        p_two[cells] = (steps >= 2).mean(axis=1)
        classes = _classes(good * level[:, ::step] / spread[::step])
        for each in np.unique(band):
            counts[each] += _count(classes[band == each])
    return RatingStatistics(p_other, p_two, _explained(rated), _reversed(counts))


def _bands_earned(level: FloatArray, cuts: FloatArray) -> IntArray:
    """Band of each level, (cells, S), given the cuts (levels − 1, S)."""
    earned = np.zeros(level.shape, dtype=np.int64)
    for cut in cuts:
        earned += level > cut
    return earned


def _explained(rated: RatedPosterior) -> dict[str, FloatArray]:
    between, trust, department = rated.between, rated.trust_variance, rated.department_variance
    everywhere = between / (between + trust + department)
    if rated.ratings.by_department:
        return {"trust_and_department": everywhere}
    return {"trust": between / (between + trust), "trust_and_department": everywhere}


def _classes(standardised: FloatArray) -> IntArray:
    """Class, 0 to `_CLASSES` − 1, of levels in standard deviations; those beyond ±6 are in the first and the last."""
    scaled = (standardised / _FURTHEST + 1.0) * (_CLASSES / 2.0)
    return np.clip(scaled, 0, _CLASSES - 1).astype(np.int64)


def _count(classes: IntArray) -> npt.NDArray[np.int32]:
    """Number of cells in each class, draw by draw, (S', classes)."""
    draws = classes.shape[1]
    flat = classes + np.arange(draws) * _CLASSES
    return np.bincount(flat.ravel(), minlength=draws * _CLASSES).reshape(draws, _CLASSES).astype(np.int32)


def _reversed(counts: npt.NDArray[np.int32]) -> FloatArray:
    """Share of pairs of cells with different ratings in which the higher-rated one is worse, (S',).

    A Mann–Whitney statistic pooled over all pairs of bands; `counts` is (levels, S', classes), best class last.
    """
    wins, pairs = np.zeros(counts.shape[1]), 0.0
    for lower in range(len(counts) - 1):
        low, high = counts[lower], counts[lower + 1 :].sum(axis=0)
        worse = np.cumsum(high, axis=1) - high / 2.0
        wins += np.sum(low * worse, axis=1)
        pairs += float(low[0].sum() * high[0].sum())
    return np.asarray(wins / pairs, dtype=np.float64)
