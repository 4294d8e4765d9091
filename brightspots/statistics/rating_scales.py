"""Scales of ratings: the spelling of bands, their order, and the lowest band that counts as strong."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.arguments import is_label, shown
from brightspots.common.errors import DataError, SettingsError

# Where the order of the bands comes from: the user or an ordered categorical, their numbers, or known words.
_Source = Literal["stated", "numbers", "words"]
_STARS: Final = re.compile(r"(\d+)[ -]?stars?")
_SPELLING: Final[dict[str, Any]] = {band.casefold(): band for band in names.CQC_RATINGS}
_CQC: Final = tuple(_SPELLING)
_FIVE_STARS: Final = tuple(map(float, names.STAR_RATINGS))


@dataclass(frozen=True, eq=False)
class Scale:
    """The bands that occur, and which of them count as strong.

    Parameters
    ----------
    levels : dict of str to object
        Bands, worst first: the word that identifies a band (`word_of`) to how it is shown.
    strong : bool array (levels,) or None
        Which count as strong; None where that is not known.
    rule : str
        The rule for `strong` in words: ``"Good or better, on …"``; empty where it is not known.
    """

    levels: dict[str, Any]
    strong: npt.NDArray[np.bool_] | None
    rule: str


def word_of(value: Any) -> str | None:
    """A rating as one word for all its spellings; None where it is missing.

    4, 4.0, " 4 " and "4 stars" are one word, and so are "GOOD" and "Good".
    """
    if pd.isna(value):
        return None
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    word = " ".join(str(value).split()).casefold()
    stars = _STARS.fullmatch(word)
    return stars.group(1) if stars else word


def words_of(ratings: pd.Series, order: Sequence[Any] | None) -> pd.Series:
    """`word_of` each rating; None where it is missing or says "not rated", unless `order` names that as a band."""
    if isinstance(order, str):
        raise SettingsError(f"rating_order must be a list of bands, worst first; received {order!r}")
    if order is not None and not all(map(is_label, order)):
        raise SettingsError(f"rating_order must be a list of bands, worst first; received {shown(order)}")
    claimed = set() if order is None else {word_of(value) for value in order}

    def rated(value: Any) -> str | None:
        word = word_of(value)
        return None if word is None or (word in names.UNRATED_WORDS and word not in claimed) else word

    return pd.Series([rated(value) for value in ratings], index=ratings.index, dtype=object)


def read_scale(ratings: pd.Series, words: pd.Series, order: Sequence[Any] | None, strong_from: Any) -> Scale:
    """Put the bands in order, and say which of them count as strong.

    What counts as strong does not depend on which bands occur. It is given by `strong_from`, or else by the scale:

    - of the Care Quality Commission's words, Good and Outstanding; of one to five stars, 4 and 5. Whole numbers from 1
      to 5 are stars, unless `order` gives an order of them;
    - of another scale, the upper half of its bands as stated by `order` or by the categories of an ordered categorical,
      whether they occur or not: of k bands those at the places from k/2 on, counted from 0. The middle one of three or
      five is not in the upper half;
    - otherwise it is not known: for other numbers, because the ends of their scale are not known, and for a scale of
      one band.

    Parameters
    ----------
    ratings, words : Series
        Of the rated units only: ratings as given, and their words (`words_of`).
    order : sequence, optional
        The bands, worst first.
    strong_from : optional
        The lowest band that counts as strong.

    Raises
    ------
    DataError
        Where the order cannot be known.
    SettingsError
        Where `order` leaves out a band or names one twice, or `strong_from` is none of the bands.
    """
    found = {str(word): _shown(value) for word, value in zip(words, ratings, strict=True)}
    bands, source = _bands(ratings, found, order)
    levels = {word: found[word] for word in bands if word in found}
    if list(bands) == [word for word in _CQC if word in bands]:
        bands = _SPELLING
    line = _line(bands, source, order)
    if strong_from is not None:
        if not is_label(strong_from):
            raise SettingsError(f"strong_from must be one band of the rating; received {shown(strong_from)}")
        line = _Line(str(word_of(strong_from)), f"{_shown(strong_from)} or better, as was stated")
    if line is None:
        return Scale(levels, None, "")
    strong = _from_line(levels, bands, line.lowest)
    if strong is None:
        said = ", ".join(map(repr, bands.values()))
        raise SettingsError(f"strong_from must be one of the bands {said}; received {strong_from!r}")
    return Scale(levels, strong, line.rule)


@dataclass(frozen=True)
class _Line:
    """The word of the lowest band that counts as strong, and the rule in words."""

    lowest: str
    rule: str


def _line(bands: Mapping[str, Any], source: _Source, order: Sequence[Any] | None) -> _Line | None:
    """The line that a scale has without `strong_from`; None where it is not known."""
    if bands is _SPELLING:
        good = names.CQC_STRONG_FROM
        return _Line(good.casefold(), f"{good} or better, on the Care Quality Commission's scale")
    numbers = [_number(word) for word in bands]
    if order is None and numbers == [star for star in _FIVE_STARS if star in numbers]:
        four = names.STARS_STRONG_FROM
        return _Line(four, f"{four} or more, on a scale of one to five stars")
    if source == "stated" and len(bands) > 1:
        lowest = list(bands)[math.ceil(len(bands) / 2)]
        return _Line(
            lowest, f"{bands[lowest]} or better, the upper half of the {len(bands)} bands of this rating"
        )
    return None


def _from_line(
    levels: Mapping[str, Any], bands: Mapping[str, Any], lowest: str
) -> npt.NDArray[np.bool_] | None:
    """Which levels are the band `lowest` or better; None where it is not a band.

    Where all bands are numbers in ascending order, `lowest` may be any number.
    """
    numbers = [_number(word) for word in bands]
    if not any(map(math.isnan, [*numbers, _number(lowest)])) and numbers == sorted(numbers):
        return np.array([_number(word) >= _number(lowest) for word in levels], dtype=bool)
    if lowest not in bands:
        return None
    strong = list(bands)[list(bands).index(lowest) :]
    return np.array([word in strong for word in levels], dtype=bool)


def _bands(
    ratings: pd.Series, found: dict[str, Any], order: Sequence[Any] | None
) -> tuple[dict[str, Any], _Source]:
    """The known bands, worst first (word to how it is shown), and where their order comes from."""
    if order is not None:
        return _stated_order(found, order), "stated"
    if isinstance(ratings.dtype, pd.CategoricalDtype) and ratings.dtype.ordered:
        categories = {str(word_of(value)): _shown(value) for value in ratings.dtype.categories}
        return {
            word: shown for word, shown in categories.items() if word not in names.UNRATED_WORDS
        }, "stated"
    numbers = {word: _number(word) for word in found}
    # "4" beside "4.0" is two words for one number: which band is which cannot be known.
    if len(set(numbers.values())) == len(found) and not any(map(math.isnan, numbers.values())):
        return {word: found[word] for word in sorted(found, key=numbers.__getitem__)}, "numbers"
    if set(found) <= set(_CQC):
        return {word: found[word] for word in _CQC if word in found}, "words"
    if len(found) == 1:  # which stands in one order only
        return found, "words"
    raise DataError(
        f"the order of the ratings cannot be known: {', '.join(sorted(map(repr, found.values())))}",
        column=names.RATING,
        expected="numbers, an ordered categorical, or the Care Quality Commission's words",
        action="pass rating_order=[…], worst first",
    )


def _stated_order(found: dict[str, Any], order: Sequence[Any]) -> dict[str, Any]:
    wanted = {str(word_of(value)): _shown(value) for value in order}
    if len(wanted) < len(order):
        raise SettingsError(f"rating_order names a band more than once; received {list(order)!r}")
    unknown = [shown for word, shown in found.items() if word not in wanted]
    if unknown:
        raise SettingsError(f"rating_order does not name {', '.join(map(repr, unknown))}")
    return wanted


def _shown(value: Any) -> Any:
    """How a band is shown: known words in their spelling, numbers without NumPy's wrapping or the .0 of a whole one."""
    if isinstance(value, str):
        text = " ".join(value.split())
        return _SPELLING.get(text.casefold(), text)
    plain = value.item() if isinstance(value, np.generic) else value
    return int(plain) if isinstance(plain, float) and plain.is_integer() else plain


def _number(word: str) -> float:
    """The number that a word spells; NaN for anything else."""
    try:
        number = float(word)
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan
