"""Distributions of effects beyond the normal: Student's t and the mixture of two normals, as scale mixtures of normals.

Whatever the distribution, σ stays the standard deviation of the effects, so that shares of the variance keep their
meaning. An effect then is normal given its component m, with the standard deviation σ·factor_m, and
Σ weight_m·factor_m² is 1 (but for the far tail of a t, which is cut: with 3 degrees of freedom .04 of its variance lies
there, near 2 most of it). So integrals over effects are sums over components of those under normal ones, and nothing
else changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple, Protocol

import numpy as np
from scipy import special

from brightspots.common.arrays import FloatArray, IntArray

# Prior of the share of exceptional units, Beta(1, 9), and scale of the half-normal of their factor less 1.
SHARE_PRIOR: Final = (1.0, 9.0)
FACTOR_SCALE: Final = 4.0
# Shape and rate of the gamma prior of degrees of freedom beyond 2 (Juárez & Steel 2010, J Bus Econ Stat 28:52).
FREEDOM_PRIOR: Final = (2.0, 0.1)
# Where the mixing distribution of a t is evaluated: standard deviations of the logarithm of a precision from its mean.
_SCORES: Final = np.linspace(-6.5, 3.3, 13)


class Mixing(NamedTuple):
    """Components of a scale mixture of normals, (M, …): log weights, and standard deviations in units of σ."""

    log_weight: FloatArray
    factor: FloatArray


class Heavy(Protocol):
    """A distribution of effects with parameters of its own, which are sampled as numbers without bounds."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of its parameters."""
        ...

    @property
    def start(self) -> tuple[tuple[float, float], ...]:
        """Range of each sampled parameter in which the posterior is looked for."""
        ...

    def natural(self, free: FloatArray) -> Mapping[str, FloatArray]:
        """Parameters by name, (…) each, from what is sampled, (…, parameters)."""
        ...

    def sampled(self, natural: Mapping[str, FloatArray]) -> FloatArray:
        """Inverse of `natural`: (…, parameters)."""
        ...

    def mixing(self, free: FloatArray) -> Mixing:
        """Components, from what is sampled, (…, parameters)."""
        ...

    def log_prior(self, free: FloatArray) -> FloatArray:
        """Log prior density of what is sampled, (…)."""
        ...


@dataclass(frozen=True)
class Normal:
    """One normal, with no parameter besides σ."""

    names: ClassVar[tuple[str, ...]] = ()
    start: ClassVar[tuple[tuple[float, float], ...]] = ()

    def natural(self, free: FloatArray) -> Mapping[str, FloatArray]:  # noqa: ARG002
        """None."""
        return {}

    def sampled(self, natural: Mapping[str, FloatArray]) -> FloatArray:
        """None."""
        raise ValueError(
            f"a normal has no parameter besides its standard deviation; received {list(natural)}"
        )

    def mixing(self, free: FloatArray) -> Mixing:
        """One component."""
        ones = np.ones((1, *free.shape[:-1]))
        return Mixing(np.log(ones), ones)

    def log_prior(self, free: FloatArray) -> FloatArray:
        """0."""
        return np.zeros(free.shape[:-1])


NORMAL: Final = Normal()


@dataclass(frozen=True)
class TwoNormals:
    """Most effects from a narrow normal, a share π of exceptional ones from one k times as wide.

    π ~ Beta(1, 9) and k − 1 ~ HalfNormal(4); sampled as logit π and log(k − 1).
    """

    names: ClassVar[tuple[str, ...]] = ("exceptional_share", "exceptional_factor")
    # Range of what is sampled in which the posterior is looked for.
    start: ClassVar[tuple[tuple[float, float], ...]] = ((-8.0, 2.0), (-5.0, 3.0))

    def natural(self, free: FloatArray) -> Mapping[str, FloatArray]:
        """π and k."""
        return dict(zip(self.names, (special.expit(free[..., 0]), 1.0 + np.exp(free[..., 1])), strict=True))

    def sampled(self, natural: Mapping[str, FloatArray]) -> FloatArray:
        """Logit π and log(k − 1)."""
        share, factor = (natural[name] for name in self.names)
        return np.stack([special.logit(share), np.log(factor - 1.0)], axis=-1)

    def mixing(self, free: FloatArray) -> Mixing:
        """The usual ones, then the exceptional."""
        logit, factor = free[..., 0], 1.0 + np.exp(free[..., 1])
        share = special.expit(logit)
        usual = 1.0 / np.sqrt(1.0 - share + share * factor**2)
        return Mixing(
            np.stack([special.log_expit(-logit), special.log_expit(logit)]),
            np.stack([usual, usual * factor]),
        )

    def log_prior(self, free: FloatArray) -> FloatArray:
        """With the Jacobians of the two transformations."""
        logit, log_more = free[..., 0], free[..., 1]
        a, b = SHARE_PRIOR
        of_share = a * special.log_expit(logit) + b * special.log_expit(-logit) - special.betaln(a, b)
        constant = 0.5 * np.log(2.0 / np.pi) - np.log(FACTOR_SCALE)
        of_factor = constant - 0.5 * (np.exp(log_more) / FACTOR_SCALE) ** 2 + log_more
        return np.asarray(of_share + of_factor)


@dataclass(frozen=True)
class StudentT:
    """Student's t with ν = 2 + Gamma(2, rate 0.1) degrees of freedom; sampled as log(ν − 2).

    The precision of an effect is gamma distributed. Its logarithm is taken at evenly spaced points (the trapezoidal
    rule, which converges geometrically for a smooth peak).
    """

    names: ClassVar[tuple[str, ...]] = ("degrees_of_freedom",)
    start: ClassVar[tuple[tuple[float, float], ...]] = ((-4.0, 5.0),)

    def natural(self, free: FloatArray) -> Mapping[str, FloatArray]:
        """ν."""
        return {self.names[0]: 2.0 + np.exp(free[..., 0])}

    def sampled(self, natural: Mapping[str, FloatArray]) -> FloatArray:
        """Log(ν − 2)."""
        return np.log(natural[self.names[0]] - 2.0)[..., np.newaxis]

    def mixing(self, free: FloatArray) -> Mixing:
        """From the widest to the narrowest."""
        above_two = np.exp(free[..., 0])
        half = 0.5 * (2.0 + above_two)
        centre, spread = special.digamma(half) - np.log(half), np.sqrt(special.polygamma(1, half))
        log_precision = centre + np.multiply.outer(_SCORES, spread)
        log_weight = half * (log_precision - np.exp(log_precision))
        log_weight = log_weight - special.logsumexp(log_weight, axis=0)
        # σ is the standard deviation of the whole, which is that of a t times √(ν/(ν − 2)).
        own = np.sqrt(above_two / (2.0 * half))
        return Mixing(log_weight, own * np.exp(-0.5 * log_precision))

    def log_prior(self, free: FloatArray) -> FloatArray:
        """With the Jacobian of the logarithm."""
        shape, rate = FREEDOM_PRIOR
        log_above = free[..., 0]
        constant = shape * np.log(rate) - special.gammaln(shape)
        return np.asarray(constant + shape * log_above - rate * np.exp(log_above))


DISTRIBUTIONS: Final[Mapping[str, Heavy]] = {"student_t": StudentT(), "mixture": TwoNormals()}
"""Those that are not normal, by the names that `Priors` knows."""


@dataclass(frozen=True, eq=False)
class EffectDraws:
    """Draws of the parameters of a distribution of effects.

    Parameters
    ----------
    distribution : Heavy
    free : (S, parameters)
        As they are sampled.
    """

    distribution: Heavy
    free: FloatArray

    @property
    def natural(self) -> Mapping[str, FloatArray]:
        """Parameters by name, (S,) each."""
        return self.distribution.natural(self.free)

    @property
    def mixing(self) -> Mixing:
        """Components at every draw, (M, S)."""
        return self.distribution.mixing(self.free)

    def take(self, draws: IntArray) -> EffectDraws:
        """Some of the draws."""
        return EffectDraws(self.distribution, self.free[draws])
