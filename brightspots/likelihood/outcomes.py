"""Likelihood of one leaf as a function of its linear predictor, for every family, with its first two derivatives.

The linear predictor s includes the offset, so a Poisson leaf is y·s − exp(s), a binomial leaf
y·s − n·log(1 + exp(s)), and an estimate z with standard error e is −(z − s)²/2e², constants aside. A count
known only as an interval contributes the sum over the interval: its derivatives are
E[y | interval] − E[y] and Var[y | interval] − Var[y], in either count family.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit, gammaln

from brightspots.common.vocabulary import Family
from brightspots.data.cells import Cells, FloatArray, IntArray
from brightspots.data.leaves import PER_LEAF, Index, values_at
from brightspots.likelihood.truncation import NEGLIGIBLE, tail


class Derivatives(NamedTuple):
    """Log likelihood, and its first and second derivative in the linear predictor."""

    value: FloatArray
    slope: FloatArray
    curvature: FloatArray


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What was observed in N leaves: the part of `Cells` that a likelihood needs.

    Parameters
    ----------
    family : {"poisson", "binomial", "normal"}
    lower, upper : (N,)
        The count as an interval (equal when exact); the estimate, for `normal`.
    size : (N,)
        Denominator (binomial) or standard error (normal); not used for `poisson`.
    censored : int array
        Positions of the leaves whose count is an interval.
    counted_from : (N,), optional
        Smallest count that the data would show of each leaf (0: any): its likelihood is that of a count given that it
        is at least so large.
    """

    family: Family
    lower: FloatArray = field(metadata=PER_LEAF)
    upper: FloatArray = field(metadata=PER_LEAF)
    size: FloatArray = field(metadata=PER_LEAF)
    censored: IntArray
    counted_from: FloatArray | None = field(default=None, metadata=PER_LEAF)

    @classmethod
    def of(cls, cells: Cells | Outcomes, leaves: Index = slice(None)) -> Outcomes:
        """Outcomes of some leaves of `cells`."""
        arrays = values_at(cells, leaves, of=cls)
        return cls(cells.family, **arrays, censored=np.flatnonzero(arrays["lower"] != arrays["upper"]))

    def take(self, leaves: IntArray) -> Outcomes:
        """Outcomes of some of the leaves."""
        return Outcomes.of(self, leaves)

    @property
    def conditioned(self) -> IntArray:
        """Positions of the leaves that are no plain counts: intervals, and counts shown only because they are large."""
        if self.counted_from is None:
            return self.censored
        return np.union1d(self.censored, np.flatnonzero(self.counted_from > 0))

    def derivatives(self, predictor: FloatArray) -> Derivatives:
        """Log likelihood, slope and curvature.

        Parameters
        ----------
        predictor : (N, ...)
            Linear predictor including the offset; trailing axes are free.

        Returns
        -------
        Derivatives
            Each of the shape of `predictor`. The additive constant (binomial coefficient, y!, normal
            constant) is left out, except that all terms of an interval are on one scale.
        """
        extra = (1,) * (predictor.ndim - 1)
        count = self.lower.reshape(-1, *extra)
        size = self.size.reshape(-1, *extra)
        if self.family == "normal":
            precision = size**-2.0
            miss = count - predictor
            slope = precision * miss
            return Derivatives(-0.5 * slope * miss, slope, np.broadcast_to(-precision, predictor.shape))
        if self.family == "poisson":
            mean = np.exp(np.minimum(predictor, _LARGEST_PREDICTOR))
            potential, variance = mean, mean
        else:
            probability = expit(predictor)
            mean = size * probability
            variance = mean * (1.0 - probability)
            potential = size * np.logaddexp(0.0, predictor)
        value = count * predictor - potential
        slope = count - mean
        curvature = -variance
        if len(self.censored):
            self._set_intervals(predictor, mean, variance, potential, (value, slope, curvature))
        if self.counted_from is not None:
            at = np.flatnonzero(self.counted_from > 0)
            shown = tail(self.counted_from[at], self._people(at), predictor[at], mean[at], variance[at])
            value[at] -= shown.log_probability
            slope[at] -= shown.excess
            curvature[at] -= shown.variance - variance[at]
        return Derivatives(value, slope, curvature)

    def _people(self, at: IntArray) -> FloatArray | None:
        return self.size[at] if self.family == "binomial" else None

    def _set_intervals(
        self,
        predictor: FloatArray,
        mean: FloatArray,
        variance: FloatArray,
        potential: FloatArray,
        into: tuple[FloatArray, FloatArray, FloatArray],
    ) -> None:
        """Put the value, slope and curvature of intervals, with and without an upper end, in their places."""
        value, slope, curvature = into
        endless = self._endless()
        at = self.censored[endless]
        if len(at):
            above = tail(self.lower[at], self._people(at), predictor[at], mean[at], variance[at])
            value[at] = above.log_probability
            slope[at] = above.excess
            curvature[at] = above.variance - variance[at]
        at = self.censored[~endless]
        if len(at):
            log_sum, inside_mean, inside_variance = self._interval_moments(at, predictor[at], mean[at])
            value[at] = log_sum - potential[at]
            slope[at] = inside_mean - mean[at]
            curvature[at] = inside_variance - variance[at]

    def _endless(self) -> npt.NDArray[np.bool_]:
        """Which intervals have no upper end (or that of everybody), among the censored."""
        upper = self.upper[self.censored]
        return np.asarray(np.isinf(upper) | (self.family == "binomial") & (upper >= self.size[self.censored]))

    def guess(self) -> tuple[FloatArray, FloatArray]:
        """Predictor that a leaf alone would suggest, and the information behind it, (N,) each.

        A half is added to counts so that a zero has a logarithm; a starting point, never a result.
        """
        middle = 0.5 * (
            self.lower + np.where(np.isinf(self.upper), np.maximum(self.lower, self.size), self.upper)
        )
        if self.family == "normal":
            return middle, self.size**-2.0
        if self.family == "poisson":
            return np.log(middle + 0.5), middle + 0.5
        probability = (middle + 0.5) / (self.size + 1.0)
        return np.log(probability) - np.log1p(-probability), self.size * probability * (1.0 - probability)

    def _interval_moments(
        self, at: IntArray, predictor: FloatArray, mean: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Log of Σ h(j)·exp(j·s) over each interval, and mean and variance of the count inside it.

        The sum starts at its largest term and walks outwards by ratios of neighbours, all at most one, so
        it cannot overflow whatever the interval and the predictor.
        """
        extra = (1,) * (predictor.ndim - 1)
        low = self.lower[at].reshape(-1, *extra)
        high = self.upper[at].reshape(-1, *extra)
        size = self.size[at].reshape(-1, *extra) if self.family == "binomial" else None
        odds = np.exp(np.clip(predictor, -_LARGEST_PREDICTOR, _LARGEST_PREDICTOR))
        start = np.clip(np.floor(mean), low, high)
        total, first, second = np.ones_like(odds), np.zeros_like(odds), np.zeros_like(odds)
        for direction in (1.0, -1.0):
            term = np.ones_like(odds)
            for step in range(1, int(np.max(high - low)) + 1):
                count = start + direction * step
                upper_of_pair = count if direction > 0 else count + 1.0
                inside = (count >= low) & (count <= high)
                pair = np.where(inside, upper_of_pair, 1.0)
                ratio = odds / pair if size is None else odds * (size - pair + 1.0) / pair
                term = np.where(inside, term * (ratio if direction > 0 else 1.0 / ratio), 0.0)
                if np.all(term <= NEGLIGIBLE * total):
                    break
                total += term
                first += direction * step * term
                second += step * step * term
        shift = first / total
        log_start = start * predictor - gammaln(start + 1.0)
        if size is not None:
            log_start = log_start - gammaln(size - start + 1.0)
        return log_start + np.log(total), start + shift, np.maximum(second / total - shift**2, 0.0)


# Beyond this the exponential leaves the range in which sums of leaves stay finite.
_LARGEST_PREDICTOR = 300.0
