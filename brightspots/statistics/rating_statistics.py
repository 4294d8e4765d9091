"""Departments against the ratings: variance explained, departments that belong in another band, reversals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from brightspots.common import vocabulary as names
from brightspots.common.arrays import FloatArray, IntArray
from brightspots.engine.posterior import EffectBlock
from brightspots.statistics.rating_model import RatedPosterior

# To compare all pairs of departments without sorting, their levels are counted in this many classes between −6 and 6
# standard deviations; two in one class are tied, and count half.
_CLASSES = 4_096
_FURTHEST = 6.0


@dataclass(frozen=True)
class RatingStatistics:
    """Departments against the rating, given the outcomes and the rating itself.

    Parameters
    ----------
    p_other_band, p_two_bands : (rated cells,)
        Probability that the band in which a department's own level lies (see `rating_statistics`) differs from its
        rating by at least one band, and by at least two.
    explained : dict of str to draws
        Draws of the share of variance that the rating explains: of `trust`, between rated trusts (only where
        trusts are rated), and of `trust_and_department`, between departments of all trusts. The
        share is Var(μ)/(Var(μ) + σ²), the variance of the fixed part over that of fixed and random parts
        (marginal R² of Nakagawa & Schielzeth 2013).
    reversed : (S,)
        Draws of the probability that, of two random departments with different ratings, the one with the
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
    between, of_trusts, of_departments = rated.variances
    spread = np.sqrt(between + of_trusts + of_departments)
    of_rated = spread if ratings.by_department else np.sqrt(between + of_trusts)
    cuts = stats.norm.ppf(np.cumsum(ratings.frequencies)[:-1])[:, np.newaxis] * of_rated

    def of_block(block: EffectBlock) -> tuple[FloatArray, FloatArray, npt.NDArray[np.int16]]:
        trust, band = rated.trust_levels(block), ratings.cell_band[block.cells]
        classes = _classes(good * (trust + block.department_effect) / spread)
        beyond = _p_beyond(block, trust, cuts, good)
        other, two = (_p_away(beyond, band, steps) for steps in (1, 2))
        return other, two, classes

    others: list[FloatArray] = []
    twos: list[FloatArray] = []
    counts, first = _Counts(len(ratings.levels), len(spread)), 0
    for other, two, classes in rated.posterior.map_blocks(of_block):
        others.append(other)
        twos.append(two)
        counts.add(classes, ratings.cell_band[first : first + len(classes)])
        first += len(classes)
    return RatingStatistics(
        np.concatenate(others), np.concatenate(twos), _explained(rated), _reversed(counts.whole())
    )


def _p_beyond(block: EffectBlock, trust: FloatArray, cuts: FloatArray, good: float) -> FloatArray:
    """Probability that each level of a block is better than the lower end of each band, (levels + 1, cells).

    Averaged over the distribution of v given the rest, not over draws of it. The first is 1; the last, beyond all
    bands, is 0.

    Parameters
    ----------
    trust : (cells, S)
        Levels but for v.
    cuts : (levels − 1, S)
        Between the bands, on the scale on which more is better.
    good : float
        −1 where more of the outcome is worse.
    """
    beyond = np.ones((len(cuts) + 2, len(trust)))
    beyond[-1] = 0.0
    for number, cut in enumerate(cuts, start=1):
        above = np.mean(block.above(good * cut - trust), axis=1, dtype=np.float64)
        beyond[number] = above if good > 0 else 1.0 - above
    return beyond


def _p_away(beyond: FloatArray, band: IntArray, steps: int) -> FloatArray:
    """Probability that levels lie at least `steps` bands from their own, (cells,), by what `_p_beyond` gives."""
    cells, last = np.arange(len(band)), len(beyond) - 1
    inside = beyond[np.maximum(band - steps + 1, 0), cells] - beyond[np.minimum(band + steps, last), cells]
    return np.asarray(1.0 - inside)


def _explained(rated: RatedPosterior) -> dict[str, FloatArray]:
    between, trust, department = rated.all_variances or rated.variances
    everywhere = between / (between + trust + department)
    if rated.ratings.by_department:
        return {"trust_and_department": everywhere}
    return {"trust": between / (between + trust), "trust_and_department": everywhere}


def _classes(standardised: FloatArray) -> npt.NDArray[np.int16]:
    """Class, 0 to `_CLASSES` − 1, of levels in standard deviations; those beyond ±6 are in the first and the last."""
    scaled = (standardised / _FURTHEST + 1.0) * (_CLASSES / 2.0)
    return np.clip(scaled, 0, _CLASSES - 1).astype(np.int16)


class _Counts:
    """Number of cells of each band in each class, draw by draw, from classes that come a few cells at a time."""

    def __init__(self, levels: int, draws: int) -> None:
        self._counts = np.zeros((levels, draws * _CLASSES), dtype=np.int32)
        self._draws = draws
        self._waiting: list[tuple[npt.NDArray[np.int16], IntArray]] = []

    def add(self, classes: npt.NDArray[np.int16], band: IntArray) -> None:
        """Count cells: their classes (cells, S) and bands (cells,)."""
        self._waiting.append((classes, band))
        # To count few cells costs as much as there are classes.
        if sum(len(band) for _, band in self._waiting) >= _CLASSES:
            self._count()

    def _count(self) -> None:
        if not self._waiting:
            return
        classes, band = (np.concatenate(part) for part in zip(*self._waiting, strict=True))
        self._waiting = []
        place = np.arange(self._draws) * _CLASSES
        for each in np.unique(band):
            flat = (classes[band == each] + place).ravel()
            self._counts[each] += np.bincount(flat, minlength=self._counts.shape[1]).astype(np.int32)

    def whole(self) -> npt.NDArray[np.int32]:
        """All counts, (levels, S, classes)."""
        self._count()
        return self._counts.reshape(len(self._counts), self._draws, _CLASSES)


def _reversed(counts: npt.NDArray[np.int32]) -> FloatArray:
    """Share of pairs of cells with different ratings in which the higher-rated one is worse, (S,).

    A Mann–Whitney statistic pooled over all pairs of bands; `counts` is (levels, S, classes), best class last.
    """
    wins, pairs = np.zeros(counts.shape[1]), 0.0
    for lower in range(len(counts) - 1):
        low, high = counts[lower], counts[lower + 1 :].sum(axis=0)
        worse = np.cumsum(high, axis=1) - high / 2.0
        wins += np.sum(low * worse, axis=1)
        pairs += float(low[0].sum() * high[0].sum())
    return np.asarray(wins / pairs, dtype=np.float64)
