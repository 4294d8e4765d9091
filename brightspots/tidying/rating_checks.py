"""Findings on ratings: those that match nobody, and bands whose order is not known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from brightspots.common.errors import DataError, SettingsError
from brightspots.common.wording import quoted
from brightspots.data.labels import canonical_label
from brightspots.statistics.rating_scales import read_scale, words_of
from brightspots.tidying.report import Finding
from brightspots.tidying.roles import Roles
from brightspots.tidying.step import QUOTED


def rating_findings(
    frame: pd.DataFrame, roles: Roles, rating: Any, order: Sequence[Any] | None
) -> list[Finding]:
    """Findings on ratings, in a column of the table or given separately.

    Parameters
    ----------
    frame : pandas.DataFrame
        After remedies.
    roles : Roles
    rating : str, mapping, Series, DataFrame or None
    order : sequence, optional
    """
    if rating is None or isinstance(rating, str):
        if roles.rating not in frame:
            return []
        return _scale_findings(frame[roles.rating], order)
    stated = _by_unit(rating)
    found = _scale_findings(pd.Series(stated.to_numpy()), order)
    trusts = list(frame[roles.columns.trust].dropna().unique()) if roles.columns.trust in frame else []
    rated = list(dict.fromkeys(stated.index))
    strangers = [label for label in rated if label not in set(trusts)]
    if not strangers or not trusts:
        return found
    known = {canonical_label(str(label)) for label in trusts}
    nearly = [label for label in strangers if canonical_label(str(label)) in known]
    none = len(strangers) == len(rated)
    how_many = "None" if none else f"{len(strangers):,}"
    text = (
        f"{how_many} of the {len(rated):,} rated trusts {'is' if none else 'are not'} in the table: "
        f"{quoted(map(str, strangers), QUOTED)}; the table has trusts such as {quoted(map(str, trusts[:3]))}."
    )
    if nearly:
        text += f" {len(nearly):,} of them differ from a trust of the table only by capitals, white space or kind."
    return [
        *found,
        Finding("ratings match nobody" if none else "unmatched ratings", "doubt" if none else "note", text),
    ]


def _scale_findings(ratings: pd.Series, order: Sequence[Any] | None) -> list[Finding]:
    words = words_of(ratings, order)
    given = words.notna()
    if not given.any():
        return []
    try:
        read_scale(ratings[given], words[given], order, None)
    except (DataError, SettingsError) as error:
        return [
            Finding(
                "rating order", "doubt", f"{str(error)[:1].upper()}{str(error)[1:]}.",
                in_python="rating_order=[…], worst first", in_shell="--rating-order …, worst first",
            )
        ]  # fmt: skip
    return []


def _by_unit(rating: Any) -> pd.Series:
    """Ratings by trust, from whatever `find_spots` takes."""
    if isinstance(rating, pd.DataFrame):
        first, last = rating.columns[0], rating.columns[-1]
        trust = "trust" if "trust" in rating else first
        value = "rating" if "rating" in rating else last
        return pd.Series(rating[value].to_numpy(), index=rating[trust])
    if isinstance(rating, pd.Series):
        return pd.Series(rating.to_numpy(), index=rating.index.get_level_values(0))
    if isinstance(rating, Mapping):
        keys = [key[0] if isinstance(key, tuple) else key for key in rating]
        return pd.Series(list(rating.values()), index=keys, dtype=object)
    raise SettingsError(
        f"rating takes a column name, a mapping, a Series or a DataFrame; received {rating!r}"
    )
