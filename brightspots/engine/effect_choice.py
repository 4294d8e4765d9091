"""How the data decided on the distribution of effects, where nobody else had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from brightspots.common.settings import EffectDistribution, EffectLevel, Priors

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

    def decide(self, asked: Priors) -> Priors:
        """The priors that were asked for, with distributions of effects where they had none."""
        if asked.effects is not None:
            return asked
        of_trusts: EffectDistribution = "mixture" if "trust" in self.mixtures else "normal"
        of_departments: EffectDistribution = "mixture" if "department" in self.mixtures else "normal"
        return replace(asked, effects=of_departments, trust_effects=asked.trust_effects or of_trusts)

    def asked(self, decided: Priors) -> Priors:
        """The priors of which `decide` made these."""
        if not self.log_bayes_factors:
            return decided
        of_trusts = None if "trust" in self.log_bayes_factors else decided.trust_effects
        return replace(decided, effects=None, trust_effects=of_trusts)
