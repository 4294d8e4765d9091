"""How the data decided on the distributions of effects, where nobody else had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from brightspots.common.settings import EffectDistribution, EffectQuestion, HalfNormal, Priors

ENOUGH: Final = 3.0
"""Log Bayes factor beyond which the less simple model is taken: "strong" by Kass & Raftery 1995 (JASA 90:773).

Where there are few units it is near 0 whatever they are like, and may be 2 by chance.
"""
# Between types that the data tell apart: log σ of a type is N(log σ of the typical one, τ²), and this is τ's prior.
BETWEEN_TYPES: Final = HalfNormal(0.5)


@dataclass(frozen=True)
class EffectChoice:
    """How the data decided on the distributions of effects, where nobody had.

    Parameters
    ----------
    log_bayes_factors : mapping of question to float
        Natural logarithm of how much likelier the data are if a level's effects are a mixture of two normals than if
        they are normal; of "department_by_type", if departments of each type have a standard deviation of their own
        than if all have the same.
    set_aside : tuple of question
        What was fitted in the simpler way although the other was likelier: with that there was no certificate.
    """

    log_bayes_factors: Mapping[EffectQuestion, float] = field(default_factory=dict)
    set_aside: tuple[EffectQuestion, ...] = ()

    @property
    def taken(self) -> tuple[EffectQuestion, ...]:
        """The questions of which the less simple answer was taken."""
        likelier = (question for question, found in self.log_bayes_factors.items() if found > ENOUGH)
        return tuple(question for question in likelier if question not in self.set_aside)

    def decide(self, asked: Priors) -> Priors:
        """The priors that were asked for, with distributions of effects where they had none."""
        if asked.effects is not None:
            return asked
        of_trusts: EffectDistribution = "mixture" if "trust" in self.taken else "normal"
        of_departments: EffectDistribution = "mixture" if "department" in self.taken else "normal"
        decided = replace(asked, effects=of_departments, trust_effects=asked.trust_effects or of_trusts)
        return (
            replace(decided, department_by_type=BETWEEN_TYPES)
            if "department_by_type" in self.taken
            else decided
        )

    def asked(self, decided: Priors) -> Priors:
        """The priors of which `decide` made these."""
        if not self.log_bayes_factors:
            return decided
        of_trusts = None if "trust" in self.log_bayes_factors else decided.trust_effects
        by_type = None if "department_by_type" in self.log_bayes_factors else decided.department_by_type
        return replace(decided, effects=None, trust_effects=of_trusts, department_by_type=by_type)
