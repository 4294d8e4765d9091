"""How the data decided on the distribution of effects, where nobody else had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from brightspots.common.settings import EffectLevel

ENOUGH: Final = 3.0
"""Log Bayes factor beyond which a mixture is taken: "strong" in the scale of Kass & Raftery 1995 (JASA 90:773).

Where there are few units it is near 0 whatever they are like, and may be 2 by chance.
"""


@dataclass(frozen=True)
class EffectChoice:
    """How the data decided on the distribution of effects, of the levels for which nobody had.

    Parameters
    ----------
    log_bayes_factors : mapping of level to float
        Natural logarithm of how much likelier the data are if that level's effects are a mixture of two normals than if
        they are normal.
    set_aside : tuple of level
        Levels that were fitted as normal although a mixture was likelier: with it there was no certificate.
    """

    log_bayes_factors: Mapping[EffectLevel, float] = field(default_factory=dict)
    set_aside: tuple[EffectLevel, ...] = ()

    @property
    def mixtures(self) -> tuple[EffectLevel, ...]:
        """The levels whose effects are a mixture."""
        likelier = (level for level, found in self.log_bayes_factors.items() if found > ENOUGH)
        return tuple(level for level in likelier if level not in self.set_aside)
