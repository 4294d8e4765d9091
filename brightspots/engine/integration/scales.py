"""Standard deviations of a tree's levels, and what effects that are not normal are a mixture of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.engine.effects import Mixing
from brightspots.engine.levels import Level


@dataclass(frozen=True, eq=False)
class Scales:
    """Standard deviation of each level of a tree, and what its effects are a mixture of.

    Parameters
    ----------
    sd : mapping of level to (…)
        Numbers, or arrays over draws, (S,).
    mixing : mapping of level to Mixing (M, …)
        Of the levels whose effects are not normal.
    own : mapping of level to (units,)
        With numbers only: variance of each unit's effect in units of σ², where a normal effect stands in for one that
        is not.
    of_type : (D, …) or None
        σ of departments of each type in units of the level's, where types differ.
    """

    sd: Mapping[Level, FloatArray]
    mixing: Mapping[Level, Mixing] = field(default_factory=dict)
    own: Mapping[Level, FloatArray] = field(default_factory=dict)
    of_type: FloatArray | None = None

    def __getitem__(self, level: Level) -> FloatArray:
        """σ of a level."""
        return self.sd[level]

    def take(self, draws: IntArray | slice) -> Scales:
        """Those of some of the draws."""
        mixing = {level: Mixing(*(part[:, draws] for part in of)) for level, of in self.mixing.items()}
        of_type = None if self.of_type is None else self.of_type[:, draws]
        return Scales({level: sd[draws] for level, sd in self.sd.items()}, mixing, of_type=of_type)

    def with_levels_of(self, other: Scales, levels: Collection[Level]) -> Scales:
        """The same with some levels as another has them."""
        sd = {level: (other if level in levels else self).sd[level] for level in self.sd}
        mixing = {level: of for level, of in self.mixing.items() if level not in levels}
        mixing |= {level: of for level, of in other.mixing.items() if level in levels}
        return Scales(sd, mixing, of_type=(other if "department" in levels else self).of_type)

    def extreme(self, which: Callable[[FloatArray], np.floating]) -> Scales:
        """The narrowest or the widest that effects are over draws, component by component where they are mixtures."""
        sd = {level: np.asarray(which(of)) for level, of in self.sd.items()}
        mixing = {
            level: Mixing(
                np.asarray([of.max() for of in log_weight]),
                np.asarray([which(self[level] * of) for of in factor]) / sd[level],
            )
            for level, (log_weight, factor) in self.mixing.items()
        }
        of_type = None
        if self.of_type is not None:
            of_type = np.asarray([which(self["department"] * of) for of in self.of_type]) / sd["department"]
        return Scales(sd, mixing, of_type=of_type)

    def usual(self, own: Mapping[Level, FloatArray] | None = None) -> Scales:
        """Normal effects that stand in for those that are not: of the standard deviation of the usual ones.

        That is the root of the harmonic mean of the components' variances, which is what shrinks a small effect.

        Parameters
        ----------
        own : mapping of level to (units,), optional
            As the field of this name: in units of the usual variance.
        """
        narrower = {level: usual_factor(of) for level, of in self.mixing.items()}
        sd = {level: sd * narrower.get(level, 1.0) for level, sd in self.sd.items()}
        return Scales(sd, {}, {} if own is None else own, self.of_type)


def usual_factor(mixing: Mixing) -> FloatArray:
    """Standard deviation of usual effects in units of σ, (…)."""
    return np.asarray(np.sum(np.exp(mixing.log_weight) * mixing.factor**-2.0, axis=0) ** -0.5)
