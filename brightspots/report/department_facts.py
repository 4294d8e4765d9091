"""What a pack has to tell of single departments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from brightspots.report.document import Kind
from brightspots.report.words import Estimate

# Which of a department's two comparisons: with its own trust, or with the same department in other trusts.
Comparison = Literal["own", "peer"]


@dataclass(frozen=True)
class Department:
    """One department of one trust.

    Parameters
    ----------
    trust, name : str
        What the trust and the department are called.
    status, why : str
        Its status, and what is missing where that is "cannot tell".
    kind : Kind
        The mark of its status.
    probability : float
        That the status is right.
    own, peer : Estimate
        Its effect against its own trust, and against the same department elsewhere; NaN where there is no other.
    excess : Estimate or None
        Events above its own trust's level; None where none are counted.
    reach : float
        The effect at which it would be flagged as dark; NaN of those that can be told.
    reliability : float
        Share of what is known of it that its own data say.
    rating : str or None
        The rating that it is set against, and in `band` its place among the ratings, worst first; None and −1 where
        it has none.
    against_rating : str
        How its status stands to its rating.
    p_other_band, p_two_bands : float
        Probability that its own level would earn another rating, and one at least two bands away; NaN without any.
    """

    trust: str
    name: str
    status: str
    why: str
    kind: Kind
    probability: float
    own: Estimate
    peer: Estimate
    excess: Estimate | None
    reach: float
    reliability: float
    rating: str | None
    band: int
    against_rating: str
    p_other_band: float
    p_two_bands: float

    def effect(self, of: Comparison) -> Estimate:
        """Its effect in one of the two comparisons."""
        return self.own if of == "own" else self.peer


@dataclass(frozen=True)
class Listed:
    """Some departments, in the order in which they are listed, of `total` that there are."""

    departments: tuple[Department, ...]
    total: int
