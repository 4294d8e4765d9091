"""`find_spots` and `Spots`: the list of bright and dark spots under a rule, compared with ratings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.arguments import checked
from brightspots.common.errors import DataError
from brightspots.common.settings import SpotRule
from brightspots.data.tables import Table
from brightspots.fit import spots_text
from brightspots.fit.decided import OTHER_FIT as OTHER_FIT
from brightspots.fit.fitted import Fitted
from brightspots.fit.learning import Learning
from brightspots.statistics.decisions import decide
from brightspots.statistics.ratings import Ratings, column_ratings, read_ratings, stated


@checked
@dataclass(frozen=True, eq=False, repr=False)
class Spots(Learning):
    """Bright and dark spots of a fit under a rule.

    Attributes
    ----------
    fit : HierarchyFit
        The fit that the statuses come from.
    rule : SpotRule
    decisions : Decisions
        Statuses and probabilities in the order of `Cells`.
    ratings : Ratings or None
        None where none were given, or nobody is rated.
    rating_uses_outcome : bool
        Whether the user said that the rating is built partly from this outcome.
    rating_asked : bool
        Whether ratings were given, even if they rate nobody.
    """

    def to_html(self) -> str:
        """The list as an HTML fragment of at most 100 departments, all text from data escaped; `table` has all."""
        return spots_text.spots_html(self)

    def __repr__(self) -> str:
        return spots_text.spots_text(self)

    def _repr_html_(self) -> str:
        return self.to_html()


def find_spots(
    fit: Fitted,
    rule: SpotRule | None = None,
    rating: str | Mapping[Any, Any] | pd.DataFrame | pd.Series | None = None,
    *,
    rating_order: Sequence[Any] | None = None,
    strong_from: Any = None,
    rating_uses_outcome: bool = False,
) -> Spots:
    """Apply a rule to a fit; see `HierarchyFit.find_spots`."""
    rule, kept = fit.rule_in_use(rule), fit.decision
    if rating is None and kept is not None:
        rated, cells = kept.ratings, fit.table.cells
        if rated is not None and (rating_order is not None or strong_from is not None):
            rated = read_ratings(cells, stated(rated, cells), rating_order, strong_from)
        uses_outcome = rating_uses_outcome or kept.rating_uses_outcome
        return rated_spots(fit, rule, rated, uses_outcome, rating_asked=kept.rating_asked)
    if rating is None and names.RATING in fit.table.extras:
        rating = names.RATING
    rated = None if rating is None else _resolve_ratings(fit.table, rating, rating_order, strong_from)
    return rated_spots(fit, rule, rated, rating_uses_outcome, rating_asked=rating is not None)


def rated_spots(
    fit: Fitted, rule: SpotRule, rated: Ratings | None, rating_uses_outcome: bool, *, rating_asked: bool
) -> Spots:
    """Apply a rule to a fit, with ratings that were matched to it already; arguments as the fields of `Spots`."""
    summary = fit.cell_summary(fit.margin(rule), 0.95)
    extremes = None if rule.share is None else fit.extremes(rule.share)
    decisions = decide(summary, fit.table.cells.weight, rule, fit.higher_is, extremes)
    return Spots(fit, rule, decisions, rated, rating_uses_outcome, rating_asked)


def _resolve_ratings(
    table: Table,
    rating: str | Mapping[Any, Any] | pd.DataFrame | pd.Series,
    order: Sequence[Any] | None,
    strong_from: Any,
) -> Ratings | None:
    """Ratings from a column of the data, or as given; None where nobody is rated."""
    if not isinstance(rating, str):
        return read_ratings(table.cells, rating, order, strong_from, tidy_labels=table.tidy_labels)
    if rating not in table.extras:
        raise DataError(
            "is not in the data",
            column=rating,
            expected="a column of overall ratings",
            action=f"pass rating=… with a column ({', '.join(map(repr, table.extras.columns))}), a mapping or a frame",
        )
    return column_ratings(table.cells, table.row_cell, table.extras[rating], order, strong_from)
