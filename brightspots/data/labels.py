"""Labels as people type them: what two spellings of one unit have in common, and which labels read like a total.

Spellings that are one name to a reader are two to a computer: capitals, blanks at the end, no-break blanks, letters of
full width, an é of one character or of two, characters without width that come along from web pages and PDF files.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

# What stands for something of its own, where NFKC would write "ward 1²" as "ward 12" and "½" as "1⁄2".
_KEPT_FORMS: Final = ("<super>", "<sub>", "<fraction>")
# Control characters that are white space to every program; the others (NUL, bells, escapes) no file of text may hold.
_WHITE_CONTROLS: Final = frozenset("\t\n\r")
# Controls, characters without width (soft hyphens, joiners, marks of direction) and halves of characters.
_REMOVED: Final = frozenset({"Cc", "Cf", "Cs"})
# What may stand about the word of a total without changing it: "TOTAL:", "(all sites)", "England*".
_AROUND: Final = " .,:;*†‡#-–—_()[]\"'"


@lru_cache(maxsize=65_536)
def tidy_label(text: str) -> str:
    """A label as it is kept: one Unicode form, nothing invisible, single blanks, none at the ends.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        In Unicode's form NFKC, but for superscripts, subscripts and fractions, which stay what they are. Every white
        space, no-break ones and line ends too, is one blank; control characters and those without width are gone.
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    kept = "".join(_plain_form(character) for character in text)
    return unicodedata.normalize("NFC", " ".join(kept.split()))


def canonical_label(text: str) -> str:
    """What the spellings of one unit have in common: `tidy_label` without the difference of capitals."""
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
    """Whether a label holds a character that files of text may not: NUL and other controls, halves of characters."""
    if text.isprintable():
        return False
    return any(
        character not in _WHITE_CONTROLS and unicodedata.category(character) in ("Cc", "Cs")
        for character in text
    )


def twins(labels: Iterable[Any]) -> list[tuple[str, ...]]:
    """Groups of different labels that are spellings of one.

    Parameters
    ----------
    labels : iterable
        Those that are no text are left aside: 1 and 2 have one spelling each.

    Returns
    -------
    list of tuple of str
        Each group, and the groups, in the order of text.
    """
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for label in labels:
        if isinstance(label, str):
            groups[canonical_label(label)].add(str(label))
    return sorted(tuple(sorted(group)) for group in groups.values() if len(group) > 1)


def joined(counts: Mapping[str, int]) -> dict[str, str]:
    """Under which spelling each label is kept where twins are joined.

    Parameters
    ----------
    counts : mapping of str to int
        Rows of each label.

    Returns
    -------
    dict of str to str
        The tidied spelling that most rows of a group have; among equals the first in the order of text.
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
    """Labels that read like the sum of the others; none where all do.

    Parameters
    ----------
    labels : iterable
        Different labels.
    words : collection of str
        What totals are called, in canonical form (`vocabulary.TOTAL_WORDS`, `vocabulary.TRUST_TOTAL_WORDS`).

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
