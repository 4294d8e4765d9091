"""`Value`: how the text of one cell can be read: as a number, a missing value or a withheld count."""

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
# What Excel shows where a formula has failed; read as missing, with a reading.
ERRORS: Final = frozenset({"#ref!", "#div/0!", "#value!", "#name?", "#num!", "#null!", "#spill!", "#calc!"})
# Marks of withheld counts that do not say below what.
_WITHHELD: Final = frozenset(
    {"*", "**", "c", "[c]", "supp", "supp.", "suppressed", "redacted", "withheld", "too few to report"}
)

# Blanks between thousands: ordinary, no-break, thin and narrow no-break ones.
_BLANKS: Final = " \u00a0\u2009\u202f"
_GROUPS: Final = {"point": rf"[,'’{_BLANKS}]", "comma": rf"[.'’{_BLANKS}]"}
_MARKS: Final = {"point": r"\.", "comma": ","}


def _pattern(style: str) -> re.Pattern[str]:
    """Pattern of numbers in a style, with optional groups of three digits, fraction and exponent."""
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
    """The mark of a withheld count, with its bounds as written; None for a bound that the mark does not give."""

    lower: int | None
    upper: int | None
    is_range: bool = False


@dataclass(frozen=True)
class Number:
    """A number as read in one style: its value, the mark between thousands ('' for none), whether it is whole."""

    value: float
    group: str
    whole: bool


@dataclass(frozen=True)
class Value:
    """How one text can be read.

    Parameters
    ----------
    text : str
        Without white space around it.
    missing : bool
        Whether it means that there is no number.
    error : bool
        Whether it is an error of Excel, which is missing too.
    mark : Mark, optional
        Where it is the mark of a withheld count.
    point, comma : Number, optional
        The number that it is with decimal points, and with decimal commas; None where it is none.
    currency, percent : bool
        Whether it has such a sign, which is ignored in the number.
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
        """Whether it is one number with decimal points and a different one with decimal commas."""
        return self.point is not None and self.comma is not None and self.point.value != self.comma.value

    def number(self, style: Style) -> Number | None:
        """The number in a style."""
        return self.point if style == "point" else self.comma


def value_of(text: str) -> Value:
    """Find how a text can be read."""
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
    """Whether the name of a column is like that of a code: 'Facility ID', 'zip code'."""
    return _IDENTIFIER.fullmatch(name) is not None


def _read(text: str, style: Style) -> Number | None:
    """The number in one style, or None; 5E10, without sign or fraction, may be a code and is not a number."""
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
    """The bounds of withheld counts that notes around a table state ('* fewer than 5'); None for none, or several."""
    found = {
        Mark(None, int(less) - 1) if less else Mark(int(low), int(high), is_range=True)
        for less, low, high in _STATED.findall(said)
        if (less and int(less) > 0) or (low and int(low) < int(high))
    }
    return found.pop() if len(found) == 1 else None
