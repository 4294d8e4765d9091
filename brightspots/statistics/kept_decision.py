"""`Decision`: the rule and the ratings with which spots were found, as a saved fit keeps them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from brightspots.common.settings import SpotRule
from brightspots.data.cells import Cells
from brightspots.statistics.ratings import Ratings, carried_over


@dataclass(frozen=True, eq=False)
class Decision:
    """The inputs of `find_spots` besides the fit; together with the fit they determine the spots.

    Parameters
    ----------
    rule : SpotRule
    ratings : Ratings or None
        As matched to the fit's trusts or departments; None where none were given or nobody is rated.
    rating_uses_outcome : bool
        Whether the user said that the rating is built partly from this outcome.
    rating_asked : bool
        Whether ratings were given, even if they rate nobody.
    """

    rule: SpotRule
    ratings: Ratings | None
    rating_uses_outcome: bool
    rating_asked: bool

    def carried_over(self, cells: Cells, to: Cells) -> Decision:
        """The same rule and ratings for `to`, a part of `cells`."""
        ratings = None if self.ratings is None else carried_over(self.ratings, cells, to)
        return replace(self, ratings=ratings)
