"""`Outcomes`: the likelihood of leaves as a function of their linear predictors.

An outcome may be known exactly; a count may also be known as an interval, or be in the data only because it is not
small. An interval contributes the sum of the probabilities inside it, a count shown only from m on its probability
given that it is at least m. The densities themselves are those of a `Family`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from brightspots.common.arrays import BoolArray, FloatArray, IntArray
from brightspots.common.leaves import PER_LEAF, Index, values_at
from brightspots.likelihood.family import LARGEST_PREDICTOR, CountFamily, Derivatives, Family, Moments
from brightspots.likelihood.truncation import NEGLIGIBLE, tail


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What was observed in N leaves.

    Parameters
    ----------
    family : Family
    lower, upper : (N,)
        The count as an interval (equal when exact); the estimate, for `normal`.
    size : (N,)
        Expected events (poisson), people (binomial) or standard error (normal).
    counted_from : (N,), optional
        Smallest count of each leaf that would be in the data (0: any). The likelihood of a leaf is then the probability
        of its count given that it is at least this large.
    """

    family: Family
    lower: FloatArray = field(metadata=PER_LEAF)
    upper: FloatArray = field(metadata=PER_LEAF)
    size: FloatArray = field(metadata=PER_LEAF)
    counted_from: FloatArray | None = field(default=None, metadata=PER_LEAF)

    @classmethod
    def of(cls, holder: Any, leaves: Index = slice(None)) -> Outcomes:
        """Outcomes of some leaves of an object with the same fields: `Cells`, or `Outcomes` themselves."""
        return cls(holder.family, **values_at(holder, leaves, of=cls))

    @cached_property
    def censored(self) -> IntArray:
        """Positions of the leaves whose count is an interval."""
        return np.flatnonzero(self.lower != self.upper)

    @property
    def conditioned(self) -> IntArray:
        """Positions of the leaves that are intervals, or in the data only because their count is not small."""
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
            constant) is left out; inside an interval, what differs between its counts is kept.
        """
        extra = (1,) * (predictor.ndim - 1)
        value, size = self.lower.reshape(-1, *extra), self.size.reshape(-1, *extra)
        if not isinstance(self.family, CountFamily):
            return self.family.derivatives(value, size, predictor)
        censored = self.censored
        if not len(censored) and self.counted_from is None:
            return self.family.derivatives(value, size, predictor)
        moments = self.family.moments(size, predictor)
        # In the natural predictor until the end, for so have the tails and the intervals their derivatives.
        into = self.family.in_natural(value, size, predictor, moments)
        if len(censored):
            self._set_intervals(self.family, censored, predictor, moments, into)
        if self.counted_from is not None:
            at = np.flatnonzero(self.counted_from > 0)
            shown = tail(self.family, self.counted_from[at], self.size[at], predictor[at], _at(moments, at))
            into.value[at] -= shown.log_probability
            into.slope[at] -= shown.excess
            into.curvature[at] -= shown.variance - moments.information[at]
        return self.family.in_predictor(size, predictor, into)

    def _set_intervals(
        self,
        family: CountFamily,
        censored: IntArray,
        predictor: FloatArray,
        moments: Moments,
        into: Derivatives,
    ) -> None:
        """Overwrite the entries of `into` at the censored leaves, for intervals with and without an upper end."""
        endless = family.without_end(self.upper[censored], self.size[censored])
        at = censored[endless]
        if len(at):
            above = tail(family, self.lower[at], self.size[at], predictor[at], _at(moments, at))
            into.value[at] = above.log_probability
            into.slope[at] = above.excess
            into.curvature[at] = above.variance - moments.information[at]
        at = censored[~endless]
        if len(at):
            log_sum, mean, variance = self._interval_moments(family, at, predictor[at], moments.mean[at])
            into.value[at] = log_sum - moments.potential[at]
            into.slope[at] = mean - moments.mean[at]
            into.curvature[at] = variance - moments.information[at]

    def guess(self) -> tuple[FloatArray, FloatArray]:
        """`Family.guess` of each leaf, (N,) each: s and its information, from the middle of an interval."""
        endless = np.isinf(self.upper)
        middle = 0.5 * (self.lower + np.where(endless, np.maximum(self.lower, self.size), self.upper))
        return self.family.guess(middle, self.size)

    def _interval_moments(
        self, family: CountFamily, at: IntArray, predictor: FloatArray, mean: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Log of Σ h(j)·exp(j·s) over each interval, and mean and variance of the count inside it.

        The sum starts at its largest term and walks outwards by ratios of neighbours, all at most one, so
        it cannot overflow whatever the interval and the predictor.
        """
        extra = (1,) * (predictor.ndim - 1)
        low, high, size = (each[at].reshape(-1, *extra) for each in (self.lower, self.upper, self.size))
        odds = np.exp(np.clip(predictor, -LARGEST_PREDICTOR, LARGEST_PREDICTOR))
        start = np.clip(np.floor(mean), low, high)
        total, first, second = np.ones_like(odds), np.zeros_like(odds), np.zeros_like(odds)
        for direction in (1.0, -1.0):
            term = np.ones_like(odds)
            for step in range(1, int(np.max(high - low)) + 1):
                count = start + direction * step
                upper_of_pair = count if direction > 0 else count + 1.0
                inside: BoolArray = (count >= low) & (count <= high)
                ratio = family.neighbours(odds, np.where(inside, upper_of_pair, 1.0), size)
                term = np.where(inside, term * (ratio if direction > 0 else 1.0 / ratio), 0.0)
                if np.all(term <= NEGLIGIBLE * total):
                    break
                total += term
                first += direction * step * term
                second += step * step * term
        shift = first / total
        log_start = family.log_term(start, size, predictor)
        return log_start + np.log(total), start + shift, np.maximum(second / total - shift**2, 0.0)


def _at(moments: Moments, leaves: IntArray) -> Moments:
    return Moments(*(values[leaves] for values in moments))
