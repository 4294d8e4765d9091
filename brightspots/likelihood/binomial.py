"""Counts of events among people: y ~ Binomial(n, logit⁻¹(s)), s = logit(E/n) + η, or η where nothing is expected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from brightspots.common import vocabulary as names
from brightspots.common.arrays import FloatArray
from brightspots.likelihood.family import CountFamily, Moments, Threshold, Totals


@dataclass(frozen=True)
class Binomial(CountFamily):
    """Binomial counts with a logit link; the size is the number of people."""

    name = "binomial"
    link = "logit"
    is_bounded = True
    value_column = names.OBSERVED
    size_column = names.DENOMINATOR
    loop = 1
    plain = "plain binomial"
    described = "events among people"
    measured_by = "people"

    def moments(self, size: FloatArray, predictor: FloatArray) -> Moments:
        probability = special.expit(predictor)
        mean = size * probability
        return Moments(size * np.logaddexp(0.0, predictor), mean, mean * (1.0 - probability))

    def rise(
        self, outcome: FloatArray, size: FloatArray, predictor: FloatArray, mean: FloatArray, step: FloatArray
    ) -> FloatArray:
        probability = special.expit(predictor)
        return np.asarray(size * (np.log1p(probability * np.expm1(step)) - probability * step))

    def guess(self, value: FloatArray, size: FloatArray) -> tuple[FloatArray, FloatArray]:
        # A half is added so that counts of 0 and of m have a logit.
        probability = (value + 0.5) / (size + 1.0)
        return (
            np.log(probability) - np.log1p(-probability),
            np.asarray(size * probability * (1.0 - probability)),
        )

    def mean(self, size: FloatArray, predictor: FloatArray) -> FloatArray:
        return np.asarray(size * special.expit(predictor))

    def information(self, size: FloatArray, predictor: FloatArray) -> FloatArray:
        return np.asarray(size * special.expit(predictor) * special.expit(-predictor))

    def usual_information(self, value: FloatArray, size: FloatArray) -> FloatArray:
        rate = np.clip((value + 0.5) / (size + 1.0), 0.01, 0.99)
        return np.asarray(size * rate * (1.0 - rate))

    def weight(self, size: FloatArray) -> FloatArray:
        return size

    def offset(self, size: FloatArray, expected: FloatArray | None) -> FloatArray:
        if expected is None:
            return np.zeros(len(size))
        return np.asarray(np.log(expected) - np.log(size - expected))

    def total_size(self, size: FloatArray, total: Totals) -> FloatArray:
        return total(size)

    def total_predictor(
        self, size: FloatArray, predictor: FloatArray, variance: FloatArray, total: Totals
    ) -> tuple[FloatArray, FloatArray]:
        # Delta method: a leaf's effect moves the logit of the total rate in proportion to the leaf's information.
        probability = special.expit(predictor)
        events, people = total(size * probability), total(np.broadcast_to(size, predictor.shape))
        information = size * probability * (1.0 - probability)
        of_total = variance * total(information**2) / total(information) ** 2
        return np.asarray(special.logit(events / people)), of_total

    def draw(
        self, uniform: FloatArray, size: FloatArray, log_ratio: FloatArray, rate: FloatArray
    ) -> Mapping[str, Any]:
        people = np.maximum(np.rint(size / rate), 1.0).astype(np.int64)
        chance = special.expit(special.logit(rate) + log_ratio)
        events = np.asarray(stats.binom.ppf(uniform, people, chance), dtype=np.int64)
        return {names.OBSERVED: events, names.DENOMINATOR: people, names.EXPECTED: people * rate}

    def log_term(self, count: FloatArray, size: FloatArray, predictor: FloatArray) -> FloatArray:
        # Without log m!, which is the same for all counts.
        term = count * predictor - special.gammaln(count + 1.0)
        return np.asarray(term - special.gammaln(size - count + 1.0))

    def log_mass(self, count: FloatArray, size: FloatArray, predictor: FloatArray) -> FloatArray:
        log_ways = (
            special.gammaln(size + 1.0) - special.gammaln(count + 1.0) - special.gammaln(size - count + 1.0)
        )
        return np.asarray(log_ways + count * predictor - size * np.logaddexp(0.0, predictor))

    def neighbours(self, odds: FloatArray, count: FloatArray, size: FloatArray) -> FloatArray:
        return odds * (size - count + 1.0) / count

    def at_most(self, count: FloatArray, size: FloatArray, predictor: FloatArray) -> FloatArray:
        return np.asarray(special.betainc(size - count, count + 1.0, special.expit(-predictor)))

    def at_least(self, count: FloatArray, size: FloatArray, predictor: FloatArray) -> FloatArray:
        return np.asarray(special.betainc(count, size - count + 1.0, special.expit(predictor)))

    def mass(self, count: FloatArray, size: FloatArray, predictor: FloatArray) -> FloatArray:
        log_ways = -special.betaln(count + 1.0, size - count) - np.log(size - count)
        return np.asarray(np.exp(log_ways + count * predictor - size * np.logaddexp(0.0, predictor)))

    def threshold_quantile(self, count: FloatArray, size: FloatArray, probability: float) -> FloatArray:
        return np.asarray(special.logit(special.betaincinv(count, size - count + 1.0, probability)))

    def threshold_information(self, count: FloatArray, size: FloatArray) -> FloatArray:
        return count * (size - count + 1.0) / (size + 1.0)

    def threshold_cumulants(self, count: FloatArray, size: FloatArray) -> Threshold:
        rest = size - count + 1.0
        above = [special.psi(count), *(special.polygamma(order, count) for order in (1, 2, 3))]
        below = [special.psi(rest), *(special.polygamma(order, rest) for order in (1, 2, 3))]
        return Threshold(
            *(one + sign * other for one, other, sign in zip(above, below, (-1, 1, -1, 1), strict=True))
        )

    def threshold_width(self, count: FloatArray, size: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            return np.asarray(np.sqrt((size + 1.0) / ((count + 1.0) * np.maximum(size - count, 0.0))))

    def threshold_density(
        self, count: FloatArray, size: FloatArray, part: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        width = self.threshold_width(count, size)
        # The density of t falls like exp((r + 1)t) on the left, and like exp(−(m − r)t) on the right.
        left, right = 6.0 * width + 25.0 / (count + 1.0), 6.0 * width + 25.0 / (size - count)
        distance = -left[:, np.newaxis] + (left + right)[:, np.newaxis] * part
        r, m = count[:, np.newaxis], size[:, np.newaxis]
        # Relative to its mode, so that nothing large is ever subtracted.
        mode = np.log((r + 1.0) / (m - r))
        t = mode + distance
        rise = np.log1p(special.expit(mode) * np.expm1(distance))
        density = np.exp((r + 1.0) * distance - (m + 1.0) * rise)
        inverse = 1.0 / (special.expit(t) * (m - r))
        return t, density / density.sum(axis=1, keepdims=True), inverse

    def start_of_quantile(
        self, probability: float, size: FloatArray, location: FloatArray, sd: FloatArray
    ) -> FloatArray:
        share = special.expit(location)
        width = np.sqrt(sd**2 + 1.0 / (size * share * (1.0 - share) + 0.5))
        at = special.expit(location + float(special.ndtri(probability)) * width)
        return np.asarray(np.floor(size * at))

    def flat_posterior(self, count: FloatArray, size: FloatArray, predictor: FloatArray) -> FloatArray:
        others = size - count
        below = special.betainc(np.maximum(count, 1.0), np.maximum(others, 1.0), special.expit(predictor))
        return np.where((count > 0) & (others > 0), below, 0.0)

    def chance_interval(
        self, count: FloatArray, size: FloatArray, tail: float
    ) -> tuple[FloatArray, FloatArray]:
        """Clopper & Pearson (1934, Biometrika 26:404)."""
        lower = size * stats.beta.ppf(tail, count, size - count + 1.0)
        upper = size * stats.beta.isf(tail, count + 1.0, size - count)
        return np.where(count == 0, 0.0, lower), np.where(count == size, size, upper)

    def pymc_distribution(self, size: FloatArray, predictor: Any) -> tuple[Any, dict[str, Any]]:
        import pymc as pm

        return pm.Binomial, {"n": size.astype(np.int64), "logit_p": predictor}

    def pymc_log_tail(self, least: FloatArray, size: FloatArray, predictor: Any) -> Any:
        import pytensor.tensor as pt

        return pt.log(pt.betainc(least, size - least + 1.0, pt.sigmoid(predictor)))
