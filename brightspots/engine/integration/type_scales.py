"""Standard deviations of department types, each given that of the typical type and how far types differ.

log σ of a type is N(log σ of the typical one, τ²) before the data. Given those two, and all that departments share,
types are independent: what the data say of each is a function of its own σ, which is tabulated, and the product of the
two a density of one dimension, which is looked at on a grid that zooms in on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from types import ModuleType

import numpy as np
from scipy import special
from scipy.interpolate import CubicSpline

from brightspots.common.arrays import FloatArray, log_sum
from brightspots.common.parallel import map_in_order

# Points of a grid while it is zoomed, how often that is done, points in the end, and how deep densities are followed.
_LOOKS, _ZOOMS, _POINTS, _DEEP = 13, 4, 33, 20.0
# Standard deviations of the prior, and fall of a likelihood, where to look first.
_AROUND, _FALL = 6.0, 18.0
_NUMBERS_AT_ONCE = 1_000_000
_LOG_ROOT = 0.5 * np.log(2.0 * np.pi)


@dataclass(frozen=True, eq=False)
class TypeScales:
    """What the data say of log σ of each of D department types.

    Parameters
    ----------
    knots : (G,)
        Even grid of log σ; what is said below or above it is what is said at its ends.
    coefficients : (4, D, G − 1)
        Of the log likelihoods' cubic splines between knots, the highest power first.
    lowest, highest : (D,)
        Between which log σ each likelihood is more than next to nothing beside its peak.
    loops : module
        `loops_compiled` or `loops_plain`.
    """

    knots: FloatArray
    coefficients: FloatArray
    lowest: FloatArray
    highest: FloatArray
    loops: ModuleType

    @classmethod
    def of(cls, knots: FloatArray, values: FloatArray, loops: ModuleType) -> TypeScales:
        """From log likelihoods (D, G) at an even grid of log σ, (G,)."""
        within = values > values.max(axis=1, keepdims=True) - _FALL
        last = len(knots) - 1 - within[:, ::-1].argmax(axis=1)
        coefficients = np.ascontiguousarray(np.moveaxis(CubicSpline(knots, values, axis=1).c, 2, 1))
        return cls(knots, coefficients, knots[within.argmax(axis=1)], knots[last], loops)

    @property
    def n_types(self) -> int:
        """D."""
        return len(self.lowest)

    def log_total(self, typical: FloatArray, spread: FloatArray) -> FloatArray:
        """Log of what the data say of all types together, σ's integrated out, (n,).

        Parameters
        ----------
        typical, spread : (n,)
            Log σ of the typical type, and τ.
        """

        def one(typical: FloatArray, spread: FloatArray) -> FloatArray:
            at, logs = self._densities(typical, spread)
            return _trapezoid(at, logs).sum(axis=1)

        return self._in_pieces(one, typical, spread)

    def draw(
        self, typical: FloatArray, spread: FloatArray, uniform: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Log σ at given quantiles (n, D), and their log density, (n, D) and (n,)."""

        def one(typical: FloatArray, spread: FloatArray, uniform: FloatArray) -> FloatArray:
            at, logs = self._densities(typical, spread)
            density, mass = _linear(at, logs)
            below = np.cumsum(mass, axis=2)
            cell = np.sum(below[..., :-1] < uniform[..., np.newaxis], axis=2)[..., np.newaxis]
            left, right, start, stop = (
                np.take_along_axis(values, cell + shift, axis=2)[..., 0]
                for values, shift in ((density, 0), (density, 1), (at, 0), (at, 1))
            )
            rest = uniform - np.take_along_axis(below - mass, cell, axis=2)[..., 0]
            share = np.maximum(rest, 0.0) / np.maximum(stop - start, 1e-300)
            root = np.sqrt(np.maximum(left**2 + 2.0 * (right - left) * share, 0.0))
            along = np.clip(2.0 * share / np.maximum(left + root, 1e-300), 0.0, 1.0)
            found = start + along * (stop - start)
            return np.stack([found, np.log(left + along * (right - left))])

        drawn, log_density = self._in_pieces(one, typical, spread, uniform, axis=1)
        return drawn, log_density

    def scores(
        self, typical: FloatArray, spread: FloatArray, log_sd: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Normal scores and log density of log σ (n, D) as `draw` has them, (n, D) each; infinite where nil."""

        def one(typical: FloatArray, spread: FloatArray, log_sd: FloatArray) -> FloatArray:
            at, logs = self._densities(typical, spread)
            density, mass = _linear(at, logs)
            place = (log_sd - at[..., 0]) / (at[..., 1] - at[..., 0])
            inside = np.clip(place, 0.0, at.shape[2] - 1.0)
            cell = np.minimum(inside.astype(np.int64), at.shape[2] - 2)[..., np.newaxis]
            left, right, whole, below = (
                np.take_along_axis(values, cell + shift, axis=2)[..., 0]
                for values, shift in (
                    (density, 0),
                    (density, 1),
                    (mass, 0),
                    (np.cumsum(mass, axis=2) - mass, 0),
                )
            )
            along = inside - cell[..., 0]
            value = left + along * (right - left)
            step = at[..., 1] - at[..., 0]
            below = below + np.minimum(along * (left + value) * 0.5 * step, whole)
            with np.errstate(divide="ignore"):
                log_density = np.log(np.where(place == inside, np.maximum(value, 0.0), 0.0))
            return np.stack([special.ndtri(np.clip(below, 0.0, 1.0)), log_density])

        score, log_density = self._in_pieces(one, typical, spread, log_sd, axis=1)
        return score, log_density

    def _densities(self, typical: FloatArray, spread: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Even points where each type's log σ lies, and log of prior times likelihood there, (n, D, P) each."""
        found: FloatArray = self.loops.type_densities(
            self.knots, self.coefficients, self.lowest, self.highest,
            np.ascontiguousarray(typical), np.ascontiguousarray(spread),
            _LOOKS, _ZOOMS, _POINTS, _AROUND, _DEEP,
        )  # fmt: skip
        constant = np.log(spread)[:, np.newaxis, np.newaxis] + _LOG_ROOT
        return _even(found[..., 0], found[..., 1]), found[..., 2:] - constant

    def _in_pieces(
        self, work: Callable[..., FloatArray], *arguments: FloatArray, axis: int = 0
    ) -> FloatArray:
        """Do a few rows of the arguments at a time, on all cores."""
        rows = max(_NUMBERS_AT_ONCE // (self.n_types * _POINTS), 1)
        size = len(arguments[0])
        bounds = [*range(0, size, rows), size]
        pieces = [tuple(each[first:last] for each in arguments) for first, last in pairwise(bounds)]
        return np.concatenate(list(map_in_order(lambda piece: work(*piece), pieces)), axis=axis)


def _even(low: FloatArray, high: FloatArray) -> FloatArray:
    """Even points between, (…, P)."""
    return np.asarray(low[..., np.newaxis] + (high - low)[..., np.newaxis] * np.linspace(0.0, 1.0, _POINTS))


def _trapezoid(at: FloatArray, logs: FloatArray) -> FloatArray:
    """Log of the integral over the last axis of exp logs, tabulated at even points, both (…, P)."""
    ends = np.zeros(logs.shape[-1])
    ends[[0, -1]] = np.log(0.5)
    step = at[..., 1] - at[..., 0]
    return np.asarray(log_sum(np.moveaxis(logs + ends, -1, 0)) + np.log(step))


def _linear(at: FloatArray, logs: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Piecewise linear densities from their logs at even points, (…, P), and the mass of each piece, (…, P − 1)."""
    density = np.exp(logs - _trapezoid(at, logs)[..., np.newaxis])
    step = (at[..., 1] - at[..., 0])[..., np.newaxis]
    return density, 0.5 * (density[..., 1:] + density[..., :-1]) * step
