"""Steps for layout and ratings: periods in columns, and ratings written in other words than those of their scale."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.wording import listed
from brightspots.data.labels import canonical_label
from brightspots.statistics.rating_scales import word_of
from brightspots.tidying.across import down, find_across
from brightspots.tidying.report import Finding
from brightspots.tidying.roles import Roles, keys_of
from brightspots.tidying.step import QUOTED, Settled, Step, remedied


def _across(frame: pd.DataFrame, roles: Roles) -> Any:
    used = {name for name in roles.columns.named.values() if name in frame}
    if any(frame_has in frame for frame_has in [keys_of(roles).get("period", names.PERIOD)]):
        return None
    return find_across(frame, used)


def _find_across(frame: pd.DataFrame, roles: Roles) -> list[Finding]:
    across = _across(frame, roles)
    if across is None:
        return []
    needed = [
        column
        for part in ("observed", "expected", "denominator", "estimate", "standard_error")
        if isinstance(column := getattr(roles.columns, part), str) and column not in frame
    ]
    text = (
        f"{len(across.columns):,} columns hold {len(across.periods):,} periods side by side ({across.periods[0]} to "
        f"{across.periods[-1]}), where a row is expected for each."
    )
    return [remedied("months across", "error" if needed else "note", text, frame)]


def _settle_across(frame: pd.DataFrame, roles: Roles, _: str | None) -> Settled:
    across = _across(frame, roles)
    if across is None:
        return frame, ""
    return down(
        frame,
        across,
        period=roles.columns.name_of("period"),
        value=roles.columns.name_of("observed"),
        keys=[roles.columns.trust, roles.columns.department],
    )


_ABBREVIATIONS: Final = {
    "inad": "inadequate", "i": "inadequate", "ri": "requires improvement", "req improvement": "requires improvement",
    "requires improvment": "requires improvement", "g": "good", "o": "outstanding", "outst": "outstanding",
    "one": "1", "two": "2", "three": "3", "four": "4", "five": "5",
    "1 star": "1", "one star": "1", "two stars": "2", "three stars": "3", "four stars": "4", "five stars": "5",
    "★": "1", "★★": "2", "★★★": "3", "★★★★": "4", "★★★★★": "5",
}  # fmt: skip
_SCALES: Final = (names.CQC_RATINGS, names.STAR_RATINGS)


def _rating_map(column: pd.Series) -> dict[str, str]:
    """Spelling to band of a known scale, where every rating is (an abbreviation of) one of its bands; else empty."""
    given = {value: str(word_of(canonical_label(str(value)))) for value in column.dropna().unique()}
    for scale in _SCALES:
        words = {word.casefold(): word for word in scale}
        read = {
            value: words.get(_ABBREVIATIONS.get(text.rstrip(" ."), text.rstrip(" .")))
            for value, text in given.items()
            if text not in names.UNRATED_WORDS
        }
        if read and all(word is not None for word in read.values()):
            told = {value: word for value, word in read.items() if word is not None and value != word}
            # A fit already reads "4.0" and "4 stars" as 4. If another spelling occurs, all are rewritten.
            return told if any(word_of(value) != word_of(word) for value, word in told.items()) else {}
    return {}


def _find_ratings(frame: pd.DataFrame, roles: Roles) -> list[Finding]:
    if roles.rating not in frame:
        return []
    changed = _rating_map(frame[roles.rating])
    if not changed:
        return []
    told = listed([f"{value!r} for {word!r}" for value, word in list(changed.items())[:QUOTED]])
    bad = frame[roles.rating].isin(list(changed)).to_numpy()
    text = (
        f"Ratings are written otherwise than on the scale they seem to be of ({told}), and would be on none."
    )
    return [remedied("ratings", "doubt", text, frame, bad=bad, column=roles.rating)]


def _settle_ratings(frame: pd.DataFrame, roles: Roles, _: str | None) -> Settled:
    changed = _rating_map(frame[roles.rating]) if roles.rating in frame else {}
    if not changed:
        return frame, ""
    rating = (
        frame[roles.rating].astype(object).map(lambda value: changed.get(value, value), na_action="ignore")
    )
    said = listed([f"{value!r} as {word!r}" for value, word in changed.items()])
    return frame.assign(**{roles.rating: rating}), f"Read ratings in the words of their scale: {said}."


ACROSS: Final = Step("months across", _find_across, _settle_across)
RATINGS: Final = Step("ratings", _find_ratings, _settle_ratings)
