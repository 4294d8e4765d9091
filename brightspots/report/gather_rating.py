"""From a fit and its spots to the facts about ratings: variance explained, and flags that contradict them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from brightspots.common import vocabulary as names
from brightspots.common.arrays import IntArray
from brightspots.report.department_facts import Listed
from brightspots.report.rating_facts import Band, Divergence, Explained, NationRating, Rating, TrustRating
from brightspots.report.subject import Subject, estimates
from brightspots.report.words import Estimate
from brightspots.statistics.ratings import Ratings


def nation_rating(subject: Subject, divergent: Listed) -> NationRating:
    """The ratings of a nation, with the departments that contradict them."""
    ratings = _ratings(subject)
    rating = _rating(subject, np.arange(subject.cells.n_cells))
    return NationRating(rating, _bands(subject, ratings), divergent)


def trust_rating(subject: Subject, trust: int) -> TrustRating:
    """The rating of one trust, or those of its departments."""
    ratings, cells = _ratings(subject), subject.of_trust(trust)
    rating = _rating(subject, cells)
    is_rated = bool((ratings.cell_band[cells] >= 0).any())
    if ratings.trust_band is None or not is_rated:
        return TrustRating(rating, None, None, is_rated)
    band = int(ratings.trust_band[trust])
    strong = None if ratings.strong is None else bool(ratings.strong[band])
    return TrustRating(rating, str(ratings.levels[band]), strong, is_rated)


def against_rating(subject: Subject) -> npt.NDArray[np.str_]:
    """Rating status of every cell, (C,), with "cannot tell" in place of "concordant" where that is its status."""
    said = subject.rating_status
    agrees_by_silence = (said == names.CONCORDANT) & (subject.status == names.CANNOT_TELL)
    return np.where(agrees_by_silence, names.CANNOT_TELL, said)


def _ratings(subject: Subject) -> Ratings:
    ratings = subject.spots.ratings
    assert ratings is not None  # asked only where there are ratings
    return ratings


def _rating(subject: Subject, cells: IntArray) -> Rating:
    """Facts about the ratings, and about the flags of the given cells that contradict them."""
    ratings, spots = _ratings(subject), subject.spots
    band = ratings.cell_band if ratings.trust_band is None else ratings.trust_band
    against, status = subject.rating_status[cells], subject.status[cells]
    rated = ratings.cell_band[cells] >= 0
    return Rating(
        by_department=ratings.by_department,
        strong_rule=None if ratings.strong is None else ratings.strong_rule,
        note=spots.rating_note,
        uses_outcome=spots.rating_uses_outcome,
        divergence=Divergence(
            int(np.sum(against == names.DARK_IN_STRONG)),
            int(np.sum(rated & (status == names.DARK))),
            int(np.sum(against == names.BRIGHT_IN_WEAK)),
            int(np.sum(rated & (status == names.BRIGHT))),
        ),
        worst=str(ratings.levels[0]),
        explained=_explained(subject) if len(ratings.levels) > 1 else None,
        unrated=int(np.sum(band < 0)),
        units=len(band),
    )


def _explained(subject: Subject) -> Explained:
    frame = subject.rating_explains
    shares = estimates(frame, "share")
    return Explained(
        shares["trust_and_department"], shares.get("trust"), Estimate(*frame.attrs["p_reversed"])
    )


def _bands(subject: Subject, ratings: Ratings) -> tuple[Band, ...]:
    """The ratings that occur, the best first."""
    trusts = ratings.trust_band
    return tuple(
        Band(
            str(ratings.levels[position]),
            position,
            None if ratings.strong is None else bool(ratings.strong[position]),
            None if trusts is None else int(np.sum(trusts == position)),
            subject.counts(np.flatnonzero(ratings.cell_band == position)),
        )
        for position in reversed(range(len(ratings.levels)))
    )
