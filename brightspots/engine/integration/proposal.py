"""Where joint draws of σ's and border are proposed.

log σ comes from a heavy-tailed t around the mode first (the pilot) and then from a kernel mixture through
the weighted pilot (West 1993, JRSS B 55:409), which takes on any skewness. Both live on a warped scale: where the data
allow σ = 0, log σ has a long left tail that falls as e^x, which a t of the same spread covers badly; bent by a square
root below the mode, that tail is a normal's. The border given the σ's is another matter:
see `border_proposal`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import ndtri

from brightspots.common.arrays import FloatArray, half_log_determinant

_PILOT_FREEDOM = 5.0
_PILOT_INFLATION = 1.25
_KERNEL_FREEDOM = 8.0
# Powers of weights that are tried, and how many draws must count.
_TEMPERATURES, _ENOUGH = (1.0, 0.7, 0.5, 0.35, 0.25, 0.15, 0.1, 0.05, 0.02), 60.0
_MOST_KERNELS = 500


def latin_normals(size: int, columns: int, generator: np.random.Generator) -> FloatArray:
    """Standard normals (size, columns), each column stratified (Latin hypercube; McKay et al. 1979)."""
    strata = generator.permuted(np.tile(np.arange(size), (columns, 1)), axis=1).T
    normals: FloatArray = ndtri((strata + generator.random((size, columns))) / size)
    return normals


def warp(log_sd: FloatArray, knots: FloatArray) -> FloatArray:
    """Bend log σ, (..., k), below its knots, so that a tail falling as e^x becomes one falling as exp(−y²/2)."""
    return np.asarray(np.maximum(log_sd, knots) - np.sqrt(1.0 + 2.0 * np.maximum(knots - log_sd, 0.0)) + 1.0)


def unwarp(bent: FloatArray, knots: FloatArray) -> FloatArray:
    """Inverse of `warp`."""
    below = np.maximum(knots - bent, 0.0)
    return np.asarray(np.maximum(bent, knots) - below - 0.5 * below**2)


@dataclass(frozen=True, eq=False)
class StudentMixture:
    """Mixture of multivariate t's with one shape, in log σ warped below its knots.

    Parameters
    ----------
    knots : (k,)
        log σ below which the scale is bent: of each level, the highest among the modes.
    centres : (n, k)
        On the warped scale, as is the shape.
    weights : (n,)
    factor : (k, k)
        Lower triangular.
    freedom : float
    """

    knots: FloatArray
    centres: FloatArray
    weights: FloatArray
    factor: FloatArray
    freedom: float

    def draw(self, size: int, generator: np.random.Generator) -> FloatArray:
        """Stratified draws of log σ, (size, k)."""
        k = len(self.factor)
        normal = latin_normals(size, k, generator)
        stretch = np.sqrt(self.freedom / generator.chisquare(self.freedom, size))
        points = (np.arange(size) + generator.random()) / size
        which = np.minimum(np.searchsorted(np.cumsum(self.weights), points), len(self.weights) - 1)
        centres = self.centres[generator.permutation(which)]
        return unwarp(centres + stretch[:, np.newaxis] * (normal @ self.factor.T), self.knots)

    def log_density(self, log_sd: FloatArray) -> FloatArray:
        """Log density in log σ, at points (S, k)."""
        k, nu = len(self.factor), self.freedom
        inverse = np.linalg.inv(self.factor).T
        scaled, centres = warp(log_sd, self.knots) @ inverse, self.centres @ inverse
        distance = (
            np.sum(scaled**2, axis=1)[:, np.newaxis] + np.sum(centres**2, axis=1) - 2.0 * scaled @ centres.T
        )
        logs = -0.5 * (nu + k) * np.log1p(np.maximum(distance, 0.0) / nu)
        peak = logs.max(axis=1)
        mixed = peak + np.log(np.exp(logs - peak[:, np.newaxis]) @ self.weights)
        constant = math.lgamma(0.5 * (nu + k)) - math.lgamma(0.5 * nu) - 0.5 * k * math.log(nu * math.pi)
        slope = -0.5 * np.log1p(2.0 * np.maximum(self.knots - log_sd, 0.0)).sum(axis=1)
        return np.asarray(mixed + constant - half_log_determinant(self.factor) + slope)


class Proposal(Protocol):
    """What parameters are drawn from."""

    def draw(self, size: int, generator: np.random.Generator) -> FloatArray:
        """Draws, (size, parameters)."""
        ...

    def log_density(self, points: FloatArray) -> FloatArray:
        """Log density at points (S, parameters), (S,)."""
        ...


class RestProposal(Protocol):
    """What all else that trusts share is drawn from, given the parameters: the border, and σ of types that differ."""

    def draw(self, log_sd: FloatArray, generator: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draws (S, B) and their log densities, (S,), given parameters (S, k)."""
        ...

    def log_density(self, log_sd: FloatArray, border: FloatArray) -> FloatArray:
        """Log density of draws (S, B) given parameters (S, k), (S,)."""
        ...

    def adapted(self, log_sd: FloatArray, border: FloatArray, weights: FloatArray) -> RestProposal:
        """The same, moved and widened to where weighted draws, (S, k) and (S, B), are."""
        ...


def pilot(log_sd: FloatArray, curvature: FloatArray) -> StudentMixture:
    """A t around the mode, somewhat wider than the curvature says."""
    factor = np.linalg.cholesky(np.linalg.inv(curvature)) * _PILOT_INFLATION
    return StudentMixture(log_sd, log_sd[np.newaxis], np.ones(1), factor, _PILOT_FREEDOM)


def tempered(log_ratio: FloatArray) -> FloatArray:
    """Weights (S,) to the power that makes enough of them count, for a proposal that lies beside its target.

    Kernels through draws so weighed lie between the two.
    """
    away = log_ratio - log_ratio.max()
    for power in _TEMPERATURES:
        weights = np.exp(power * away)
        weights /= weights.sum()
        if 1.0 / np.sum(weights**2) > _ENOUGH:
            break
    return weights


def kernels(log_sd: FloatArray, weights: FloatArray, knots: FloatArray) -> StudentMixture:
    """Kernel mixture through weighted draws of log σ, shrunk so that their covariance is kept, then a tenth wider."""
    k = log_sd.shape[1]
    points = warp(log_sd, knots)
    mean = weights @ points
    centred = points - mean
    covariance = (weights[:, np.newaxis] * centred).T @ centred + 1e-10 * np.eye(k)
    effective = 1.0 / np.sum(weights**2)
    width = (4.0 / ((k + 2.0) * max(effective, 2.0))) ** (1.0 / (k + 4.0))
    width = min(max(width, 0.3), 0.9)
    centres = mean + np.sqrt(1.0 - width**2) * centred
    # Beyond a few hundred kernels more of them cost time and change nothing: evenly spaced ones along the first σ.
    count = min(len(weights), _MOST_KERNELS)
    order = np.argsort(centres[:, 0], kind="stable")
    places = (np.arange(count) + 0.5) / count
    centres = centres[order[np.minimum(np.searchsorted(np.cumsum(weights[order]), places), len(order) - 1)]]
    # A t with ν degrees of freedom has ν/(ν − 2) times the covariance of its shape.
    shape = covariance * width**2 * (_KERNEL_FREEDOM - 2.0) / _KERNEL_FREEDOM
    factor = np.linalg.cholesky(shape) * 1.1
    return StudentMixture(knots, centres, np.full(count, 1.0 / count), factor, _KERNEL_FREEDOM)
