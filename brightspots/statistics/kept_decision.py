"""The rule and the ratings by which spots were found, as a saved fit keeps them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from brightspots.common.settings import SpotRule
from brightspots.data.cells import Cells
from brightspots.statistics.ratings import Ratings, carried_over


@dataclass(frozen=True, eq=False)
class Decision:
    """By what the departments of a fit were called bright, dark or in line: with the fit it determines its spots.

    Parameters
    ----------
    rule : SpotRule
    ratings : Ratings or None
        As they were matched to the fit's trusts or departments, and what counts as strong; None where none were given
        or nobody is rated.
    rating_uses_outcome : bool
        Whether the rating was said to be built partly from this outcome.
    rating_asked : bool
        Whether ratings were given, be anybody rated or not.
    """

    rule: SpotRule
    ratings: Ratings | None
    rating_uses_outcome: bool
    rating_asked: bool

    def carried_over(self, cells: Cells, to: Cells) -> Decision:
        """The same rule and ratings for what is left of `cells`, which is `to`."""
        ratings = None if self.ratings is None else carried_over(self.ratings, cells, to)
        return replace(self, ratings=ratings)
