"""What one cell says: a number, nothing, or a count that is withheld."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from brightspots.parsing.readings import Style

# How publishers write that there is no number, in lower case.
MISSING_WORDS: Final = frozenset(
    {
        "", "-", "–", "—", "--", ".", "..", "...", ":", "#n/a", "#n/a n/a", "<na>", "[x]", "[z]", "missing", "n.a.",
        "n/a", "na", "nan", "no data", "not applicable", "not available", "not known", "not reported", "null",
    }
)  # fmt: skip
# What Excel shows where a formula has failed: no number either, but not by anybody's wish.
ERRORS: Final = frozenset({"#ref!", "#div/0!", "#value!", "#name?", "#num!", "#null!", "#spill!", "#calc!"})
# Withheld, without saying below what.
_WITHHELD: Final = frozenset(
    {"*", "**", "c", "[c]", "supp", "supp.", "suppressed", "redacted", "withheld", "too few to report"}
)

# No-break, thin and narrow no-break blanks set thousands apart as the ordinary one does.
_BLANKS: Final = " \u00a0\u2009\u202f"
_GROUPS: Final = {"point": rf"[,'’{_BLANKS}]", "comma": rf"[.'’{_BLANKS}]"}
_MARKS: Final = {"point": r"\.", "comma": ","}


def _pattern(style: str) -> re.Pattern[str]:
    """Numbers with groups of three digits or none, a fraction or none, an exponent or none."""
    group, mark = _GROUPS[style], _MARKS[style]
    whole = rf"(?:[1-9][0-9]{{0,2}}(?P<group>{group})[0-9]{{3}}(?:(?P=group)[0-9]{{3}})*|[0-9]+)"
    return re.compile(
        rf"[-+]?(?:{whole}(?P<fraction>{mark}[0-9]*)?|(?P<part>{mark}[0-9]+))(?P<exponent>[eE][-+]?[0-9]+)?"
    )


_PATTERNS: Final = {style: _pattern(style) for style in _GROUPS}
_CURRENCY: Final = re.compile(r"^([-+]?)[£$€]\s*(?=[0-9.,])|(?<=[0-9])\s*[£$€]$")
_PERCENT: Final = re.compile(r"(?<=[0-9.,])\s*%$")
_IDENTIFIER: Final = re.compile(
    r"(?:^|.*[\W_])(?:id|code|identifier|ccn|npi|ods|zip|postcode)[\W_]*", re.IGNORECASE
)
LEADING_ZERO: Final = re.compile(r"0[0-9]+")

_LESS: Final = re.compile(r"(?:<|fewer than|less than|under|below)\s*([0-9]{1,6})")
_AT_MOST: Final = re.compile(r"(?:≤|<=|=<|at most|up to)\s*([0-9]{1,6})|([0-9]{1,6}) or (?:fewer|less|under)")
_RANGE: Final = re.compile(r"(?:between )?([0-9]{1,6})\s*(?:-|–|—|to|and)\s*([0-9]{1,6})")


@dataclass(frozen=True)
class Mark:
    """A withheld count: its bounds as they are written, None where nothing is said of one."""

    lower: int | None
    upper: int | None
    is_range: bool = False


@dataclass(frozen=True)
class Number:
    """A number as it is written in one style: value, mark between thousands ('' for none), no fraction."""

    value: float
    group: str
    whole: bool


@dataclass(frozen=True)
class Value:
    """What one text may be.

    Parameters
    ----------
    text : str
        Without white space around it.
    missing : bool
        A way to write that there is no number.
    error : bool
        An error of Excel: missing, but not by anybody's wish.
    mark : Mark, optional
        A withheld count.
    point, comma : Number, optional
        The number, where the mark before fractions is a point, or a comma; None where it is none then.
    currency, percent : bool
        Written with such a sign, which the number is without.
    """

    text: str
    missing: bool = False
    error: bool = False
    mark: Mark | None = None
    point: Number | None = None
    comma: Number | None = None
    currency: bool = False
    percent: bool = False

    @property
    def is_number(self) -> bool:
        """Whether it is a number in some style."""
        return self.point is not None or self.comma is not None

    @property
    def is_ambiguous(self) -> bool:
        """Whether it is one number with decimal points and another with decimal commas."""
        return self.point is not None and self.comma is not None and self.point.value != self.comma.value

    def number(self, style: Style) -> Number | None:
        """The number in a style."""
        return self.point if style == "point" else self.comma


def value_of(text: str) -> Value:
    """Say what a text may be."""
    plain = text.strip().strip("\ufeff\u200b").strip()
    folded = " ".join(plain.casefold().split())
    if folded in MISSING_WORDS:
        return Value(plain, missing=True)
    if folded in ERRORS:
        return Value(plain, missing=True, error=True)
    mark = _mark(folded)
    if mark is not None:
        return Value(plain, mark=mark)
    bare = f"-{plain[1:]}" if plain[:1] == "−" else plain
    bare, currency = _CURRENCY.subn(r"\1", bare)
    bare, percent = _PERCENT.subn("", bare)
    point, comma = _read(bare, "point"), _read(bare, "comma")
    if point is None and comma is None:
        return Value(plain)
    return Value(plain, point=point, comma=comma, currency=currency > 0, percent=percent > 0)


def is_identifier(name: str) -> bool:
    """Whether a column is called as codes are: 'Facility ID', 'zip code'."""
    return _IDENTIFIER.fullmatch(name) is not None


def _read(text: str, style: Style) -> Number | None:
    """The number in one style; an exponent without sign or fraction (5E10) may be somebody's code, and is none."""
    match = _PATTERNS[style].fullmatch(text)
    if match is None:
        return None
    fraction, exponent = match["fraction"] or match["part"], match["exponent"]
    if exponent and not fraction and exponent[1] not in "+-":
        return None
    group = match["group"] or ""
    plain = text.replace(group, "") if group else text
    return Number(float(plain.replace(",", ".")), group, not fraction and not exponent)


def _mark(folded: str) -> Mark | None:
    if folded in _WITHHELD:
        return Mark(None, None)
    if (less := _LESS.fullmatch(folded)) and int(less[1]) > 0:
        return Mark(None, int(less[1]) - 1)
    if most := _AT_MOST.fullmatch(folded):
        return Mark(None, int(most[1] or most[2]))
    if (between := _RANGE.fullmatch(folded)) and int(between[1]) < int(between[2]):
        return Mark(int(between[1]), int(between[2]), is_range=True)
    return None


_STATED: Final = re.compile(
    r"(?:\*|\[c\]|suppress\w*|withheld)[^.;\n]{0,80}?"
    r"(?:(?:fewer than|less than|below|under|<)\s*([0-9]{1,4})\b"
    r"|(?:between |from |of )?\b([0-9]{1,4})\s*(?:to|-|–|and)\s*([0-9]{1,4})\b)",
    flags=re.IGNORECASE,
)


def stated_threshold(said: str) -> Mark | None:
    """What the rows around a table say of a withheld count ('* fewer than 5'); None where nothing, or two things."""
    found = {
        Mark(None, int(less) - 1) if less else Mark(int(low), int(high), is_range=True)
        for less, low, high in _STATED.findall(said)
        if (less and int(less) > 0) or (low and int(low) < int(high))
    }
    return found.pop() if len(found) == 1 else None
