"""Facts about ratings for a pack, as numbers and names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from brightspots.report.department_facts import Listed
from brightspots.report.words import Estimate


@dataclass(frozen=True)
class Band:
    """One rating: whether it counts as strong (None: not known), its trusts (None: departments are rated)."""

    level: str
    position: int
    strong: bool | None
    trusts: int | None
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Divergence:
    """Flags of rated departments, and how many of them contradict their rating."""

    dark_in_strong: int
    dark: int
    bright_in_weak: int
    bright: int


@dataclass(frozen=True)
class Explained:
    """Share of variance that the ratings explain, and reversals; `trusts` is None where departments are rated."""

    departments: Estimate
    trusts: Estimate | None
    reversed: Estimate


@dataclass(frozen=True)
class Rating:
    """Flags against ratings, of the nation or of one trust.

    Parameters
    ----------
    by_department : bool
        Whether departments are rated, and not trusts.
    strong_rule : str or None
        The rule by which ratings count as strong, in words; None where that is not known.
    note : str
        Why flags are not compared with the ratings; empty where they are.
    uses_outcome : bool
        Whether the ratings were built partly from the same outcome.
    divergence : Divergence
    worst : str
        The worst rating that occurs: the only one where `explained` is None.
    explained : Explained or None
    unrated, units : int
        Trusts (or departments, where these are rated) without a rating, of all.
    """

    by_department: bool
    strong_rule: str | None
    note: str
    uses_outcome: bool
    divergence: Divergence
    worst: str
    explained: Explained | None
    unrated: int
    units: int


@dataclass(frozen=True)
class NationRating:
    """The ratings of a nation: `bands` from the best, and the departments that contradict theirs."""

    rating: Rating
    bands: tuple[Band, ...]
    divergent: Listed


@dataclass(frozen=True)
class TrustRating:
    """The rating of one trust.

    Parameters
    ----------
    rating : Rating
    level : str or None
        The trust's own; None where departments are rated.
    strong : bool or None
        Whether it counts as strong; None where that is not known.
    is_rated : bool
        Whether it or any of its departments has a rating.
    """

    rating: Rating
    level: str | None
    strong: bool | None
    is_rated: bool
