"""Facts about single departments for a pack, as numbers and names."""

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
        Texts for the trust and the department.
    status, why : str
        Its status, and the reason where that is "cannot tell".
    reading : str
        What it is against its own trust and against the same department elsewhere, in one phrase.
    kind : Kind
        The mark of its status.
    probability : float
        That the status is right.
    own, peer : Estimate
        Its effect against its own trust, and against the same department elsewhere; NaN where there is no other.
    excess : Estimate or None
        Events above its own trust's level; None where none are counted.
    reach : float
        Its detectable effect on the dark side; NaN unless its status is "cannot tell".
    reliability : float
        1 − Var(v | data)/σ_v², between 0 and 1.
    rating : str or None
        The rating that it is compared with, and in `band` its place among the ratings, worst first; None and −1 where
        it has none.
    against_rating : str
        Its rating status.
    p_other_band, p_two_bands : float
        Probability that its own level lies in another band, and in one at least two bands away; NaN without a rating.
    """

    trust: str
    name: str
    status: str
    why: str
    reading: str
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
    """Departments in the order in which they are listed, and `total`, their number before the list was cut."""

    departments: tuple[Department, ...]
    total: int
