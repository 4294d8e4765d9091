"""Labels as people type them: recognise several spellings of one unit, and labels that read like a total.

Two labels can look the same and differ in their characters: capitals, blanks at the end, no-break blanks, full-width
letters, an é of one character or of two, and characters without width that are copied from web pages and PDF files.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

# Characters that are not replaced: NFKC would make "ward 12" of "ward 1²", and "1⁄2" of "½".
_KEPT_FORMS: Final = ("<super>", "<sub>", "<fraction>")
# Control characters that are white space; the others (NUL, bells, escapes) have no place in text.
_WHITE_CONTROLS: Final = frozenset("\t\n\r")
# Unicode categories: controls, characters without width (soft hyphens, joiners, marks of direction), lone surrogates.
_REMOVED: Final = frozenset({"Cc", "Cf", "Cs"})
# Characters at either end that are ignored when a label is compared with words for totals: "TOTAL:", "(all sites)".
_AROUND: Final = " .,:;*†‡#-–—_()[]\"'"


@lru_cache(maxsize=65_536)
def tidy_label(text: str) -> str:
    """A label in one Unicode form, without invisible characters, with single blanks and none at the ends.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        In Unicode's form NFKC, except that superscripts, subscripts and fractions stay. White space of any kind becomes
        one blank; control characters and characters without width are removed.
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    kept = "".join(_plain_form(character) for character in text)
    return unicodedata.normalize("NFC", " ".join(kept.split()))


def canonical_label(text: str) -> str:
    """`tidy_label` in lower case (case-folded): the same for all spellings of one unit."""
    return unicodedata.normalize("NFC", tidy_label(text).casefold())


def _plain_form(character: str) -> str:
    if character.isspace():
        return " "
    if unicodedata.category(character) in _REMOVED:
        return ""
    if unicodedata.decomposition(character).startswith(_KEPT_FORMS):
        return character
    return unicodedata.normalize("NFKC", character)


def has_control(text: str) -> bool:
    """Whether a label holds a control character other than tabs and line ends, or a lone surrogate."""
    if text.isprintable():
        return False
    return any(
        character not in _WHITE_CONTROLS and unicodedata.category(character) in ("Cc", "Cs")
        for character in text
    )


def twins(labels: Iterable[Any]) -> list[tuple[str, ...]]:
    """Groups of different labels that have one `canonical_label`, and so are spellings of one unit.

    Parameters
    ----------
    labels : iterable
        Labels that are not text are ignored.

    Returns
    -------
    list of tuple of str
        Each group, and the list of groups, sorted as text.
    """
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for label in labels:
        if isinstance(label, str):
            groups[canonical_label(label)].add(str(label))
    return sorted(tuple(sorted(group)) for group in groups.values() if len(group) > 1)


def joined(counts: Mapping[str, int]) -> dict[str, str]:
    """The spelling that each label becomes where the spellings of one unit are joined.

    Parameters
    ----------
    counts : mapping of str to int
        Rows of each label.

    Returns
    -------
    dict of str to str
        Label to spelling: the tidied spelling that most rows of its group have; in a tie the first as text.
    """
    spellings: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for label, rows in counts.items():
        spellings[canonical_label(label)][tidy_label(label)] += rows
    kept = {
        group: min(found, key=lambda spelling: (-found[spelling], spelling))
        for group, found in spellings.items()
    }
    return {label: kept[canonical_label(label)] for label in counts}


def totals(labels: Iterable[Any], words: Collection[str]) -> list[str]:
    """Labels whose name reads like a total of the others; none where all labels do.

    Parameters
    ----------
    labels : iterable
        Different labels.
    words : collection of str
        Names of totals, in canonical form (`vocabulary.TOTAL_WORDS`, `vocabulary.TRUST_TOTAL_WORDS`).

    Returns
    -------
    list of str
        In the order given.
    """
    given = list(labels)
    found = [
        str(label)
        for label in given
        if isinstance(label, str) and canonical_label(label).strip(_AROUND) in words
    ]
    return found if len(found) < len(given) else []
