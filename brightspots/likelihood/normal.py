"""Estimates with standard errors: y ~ N(s, m²)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from brightspots.common import vocabulary as names
from brightspots.common.arrays import FloatArray
from brightspots.likelihood.family import Derivatives, Family, Moments, Totals


@dataclass(frozen=True)
class Normal(Family):
    """Estimates that are normal about the predictor; the size is their standard error."""

    name = "normal"
    link = "identity"
    is_count = False
    is_conjugate = True
    value_column = names.ESTIMATE
    size_column = names.STANDARD_ERROR
    plain = "normal"
    described = "estimates"
    measured_by = "precision"

    def derivatives(self, value: FloatArray, size: FloatArray, predictor: FloatArray) -> Derivatives:
        precision = size**-2.0
        miss = value - predictor
        slope = precision * miss
        return Derivatives(-0.5 * slope * miss, slope, np.broadcast_to(-precision, predictor.shape))

    def moments(self, size: FloatArray, predictor: FloatArray) -> Moments:
        variance = size**2
        return Moments(
            0.5 * predictor**2 / variance,
            predictor / variance,
            np.broadcast_to(1.0 / variance, predictor.shape),
        )

    def rise(
        self, outcome: FloatArray, size: FloatArray, predictor: FloatArray, mean: FloatArray, step: FloatArray
    ) -> FloatArray:
        return np.asarray(0.5 * step**2 / size**2)

    def guess(self, value: FloatArray, size: FloatArray) -> tuple[FloatArray, FloatArray]:
        return value, self.weight(size)

    def mean(self, size: FloatArray, predictor: FloatArray) -> FloatArray:
        return predictor

    def information(self, size: FloatArray, predictor: FloatArray) -> FloatArray:
        return np.broadcast_to(self.weight(size), np.shape(predictor))

    def usual_information(self, value: FloatArray, size: FloatArray) -> FloatArray:
        return self.weight(size)

    def weight(self, size: FloatArray) -> FloatArray:
        return np.asarray(size**-2.0)

    def offset(self, size: FloatArray, expected: FloatArray | None) -> FloatArray:
        return np.zeros(len(size))

    def total_size(self, size: FloatArray, total: Totals) -> FloatArray:
        return np.asarray(total(self.weight(size)) ** -0.5)

    def total_predictor(
        self, size: FloatArray, predictor: FloatArray, variance: FloatArray, total: Totals
    ) -> tuple[FloatArray, FloatArray]:
        precision = np.broadcast_to(self.weight(size), predictor.shape)
        whole = total(precision)
        return total(precision * predictor) / whole, variance * total(precision**2) / whole**2

    def draw(
        self, uniform: FloatArray, size: FloatArray, log_ratio: FloatArray, rate: FloatArray
    ) -> Mapping[str, Any]:
        error = size**-0.5
        return {names.ESTIMATE: log_ratio + error * special.ndtri(uniform), names.STANDARD_ERROR: error}

    def pymc_distribution(self, size: FloatArray, predictor: Any) -> tuple[Any, dict[str, Any]]:
        import pymc as pm

        return pm.Normal, {"mu": predictor, "sigma": size}
