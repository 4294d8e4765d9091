"""Counts of events against expected events: y ~ Poisson(exp(s)), s = log E + η."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from brightspots.common import vocabulary as names
from brightspots.common.arrays import FloatArray
from brightspots.likelihood.family import LARGEST_PREDICTOR, CountFamily, Moments, Threshold, Totals


@dataclass(frozen=True)
class Poisson(CountFamily):
    """Poisson counts with a log link; the size is the expected number of events."""

    name = "poisson"
    link = "log"
    adds_up = True
    value_column = names.OBSERVED
    size_column = names.EXPECTED
    loop = 0
    plain = "plain Poisson"
    described = "events against expected"
    measured_by = "expected events"

    def moments(self, size: FloatArray, predictor: FloatArray) -> Moments:
        mean = np.exp(np.minimum(predictor, LARGEST_PREDICTOR))
        return Moments(mean, mean, mean)

    def rise(
        self, outcome: FloatArray, size: FloatArray, predictor: FloatArray, mean: FloatArray, step: FloatArray
    ) -> FloatArray:
        return mean * (np.expm1(step) - step)

    def guess(self, value: FloatArray, size: FloatArray) -> tuple[FloatArray, FloatArray]:
        # A half is added so that a count of 0 has a logarithm.
        return np.log(value + 0.5), value + 0.5

    def mean(self, size: FloatArray, predictor: FloatArray) -> FloatArray:
        return np.exp(predictor)

    def information(self, size: FloatArray, predictor: FloatArray) -> FloatArray:
        return np.exp(predictor)

    def usual_information(self, value: FloatArray, size: FloatArray) -> FloatArray:
        return np.asarray(size * value.sum() / size.sum())

    def weight(self, size: FloatArray) -> FloatArray:
        return size

    def offset(self, size: FloatArray, expected: FloatArray | None) -> FloatArray:
        return np.log(size)

    def total_size(self, size: FloatArray, total: Totals) -> FloatArray:
        return total(size)

    def total_predictor(
        self, size: FloatArray, predictor: FloatArray, variance: FloatArray, total: Totals
    ) -> tuple[FloatArray, FloatArray]:
        # A sum of log-normal rates is taken for log-normal, with the same mean and variance (Fenton 1960, IRE Trans
        # Commun Syst 8:57).
        rate = np.exp(predictor)
        whole = total(rate)
        of_total = np.log1p(np.expm1(variance) * total(rate**2) / whole**2)
        return np.log(whole) + 0.5 * (variance - of_total), of_total

    def draw(
        self, uniform: FloatArray, size: FloatArray, log_ratio: FloatArray, rate: FloatArray
    ) -> Mapping[str, Any]:
        events = np.asarray(stats.poisson.ppf(uniform, size * np.exp(log_ratio)), dtype=np.int64)
        return {names.OBSERVED: events, names.EXPECTED: size}

    def log_term(self, count: FloatArray, size: FloatArray, predictor: FloatArray) -> FloatArray:
        return np.asarray(count * predictor - special.gammaln(count + 1.0))

    def neighbours(self, odds: FloatArray, count: FloatArray, size: FloatArray) -> FloatArray:
        return odds / count

    def at_most(self, count: FloatArray, size: FloatArray, predictor: FloatArray) -> FloatArray:
        return np.asarray(special.gammaincc(count + 1.0, np.exp(predictor)))

    def at_least(self, count: FloatArray, size: FloatArray, predictor: FloatArray) -> FloatArray:
        return np.asarray(special.gammainc(count, np.exp(predictor)))

    def mass(self, count: FloatArray, size: FloatArray, predictor: FloatArray) -> FloatArray:
        return np.asarray(np.exp(count * predictor - np.exp(predictor) - special.gammaln(count + 1.0)))

    def threshold_quantile(self, count: FloatArray, size: FloatArray, probability: float) -> FloatArray:
        return np.asarray(np.log(special.gammaincinv(count, probability)))

    def threshold_information(self, count: FloatArray, size: FloatArray) -> FloatArray:
        return count

    def threshold_cumulants(self, count: FloatArray, size: FloatArray) -> Threshold:
        return Threshold(special.psi(count), *(special.polygamma(order, count) for order in (1, 2, 3)))

    def threshold_width(self, count: FloatArray, size: FloatArray) -> FloatArray:
        return np.asarray(1.0 / np.sqrt(count + 1.0))

    def threshold_density(
        self, count: FloatArray, size: FloatArray, part: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        width = self.threshold_width(count, size)
        # The density of t falls like exp((r + 1)t) on the left.
        left, right = 6.0 * width + 25.0 / (count + 1.0), 6.0 * width
        distance = -left[:, np.newaxis] + (left + right)[:, np.newaxis] * part
        r = count[:, np.newaxis]
        # Relative to its mode, so that nothing large is ever subtracted.
        t = np.log(r + 1.0) + distance
        density = np.exp((r + 1.0) * (distance - np.expm1(distance)))
        return t, density / density.sum(axis=1, keepdims=True), np.exp(-t)

    def start_of_quantile(
        self, probability: float, size: FloatArray, location: FloatArray, sd: FloatArray
    ) -> FloatArray:
        mean = np.exp(location)
        wide = float(special.ndtri(probability)) * np.sqrt(sd**2 + 1.0 / (mean + 0.5))
        return np.asarray(np.floor(mean * np.exp(np.clip(wide, -30.0, 30.0))))

    def flat_posterior(self, count: FloatArray, size: FloatArray, predictor: FloatArray) -> FloatArray:
        below = special.gammainc(np.maximum(count, 1.0), np.exp(predictor))
        return np.where(count > 0, below, 0.0)

    def chance_interval(
        self, count: FloatArray, size: FloatArray, tail: float
    ) -> tuple[FloatArray, FloatArray]:
        """Garwood (1936, Biometrika 28:437)."""
        lower = stats.gamma.ppf(tail, count)
        return np.where(count == 0, 0.0, lower), np.asarray(stats.gamma.isf(tail, count + 1.0))

    def pymc_distribution(self, size: FloatArray, predictor: Any) -> tuple[Any, dict[str, Any]]:
        import pymc as pm

        return pm.Poisson, {"mu": pm.math.exp(predictor)}

    def pymc_log_tail(self, least: FloatArray, size: FloatArray, predictor: Any) -> Any:
        import pytensor.tensor as pt

        return pt.log(pt.gammainc(least, pt.exp(predictor)))
