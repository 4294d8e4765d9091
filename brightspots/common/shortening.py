"""Shorten names and titles with an ellipsis, so that different names still look different."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from brightspots.common.files import legible


def shorten(text: object, width: int) -> str:
    """Put a text on one line of at most `width` characters, cut at a word with an ellipsis.

    >>> shorten("University Hospitals of North Midlands", 25)
    'University Hospitals of…'
    """
    line = " ".join(legible(str(text)).split())
    if len(line) <= width:
        return line
    cut = line[: width - 1]
    if " " in cut[width // 2 :]:
        cut = cut[: cut.rindex(" ")]
    return cut.rstrip(" ,;:-–&(") + "…"


def shorten_apart(texts: Iterable[object], width: int) -> list[str]:
    """Shorten names of one figure or table: those that would look alike are cut in the middle, before what differs.

    >>> shorten_apart(["Ward for elderly people, north", "Ward for elderly people, south"], 20)
    ['Ward f…people, north', 'Ward f…people, south']

    Names that still look alike, because they differ at too many places for the width, are numbered in their order:
    `` #1``, `` #2``.
    """
    names = [str(text) for text in texts]
    cut = {name: shorten(name, width) for name in names}
    for alike in _alike(cut):
        cut |= {name: _cut_before(name, _differ_from(alike), width) for name in alike}
    taken = set(cut.values())
    for alike in _alike(cut):
        taken.discard(cut[alike[0]])
        for number, name in enumerate(alike, start=1):
            sign = f" #{number}"
            while (numbered := f"{shorten(cut[name], width - len(sign))}{sign}") in taken:
                sign += "'"
            taken.add(numbered)
            cut[name] = numbered
    return [cut[name] for name in names]


def _alike(cut: dict[str, str]) -> list[list[str]]:
    """Groups of different names that were cut to the same text (`cut`: name to shortened name), in their order."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name, short in cut.items():
        groups[short].append(name)
    return [group for group in groups.values() if len(group) > 1]


def _differ_from(names: Sequence[str]) -> int:
    """Length of the start that all names share, once each is put on one line."""
    lines = [" ".join(legible(name).split()) for name in names]
    first, last = min(lines), max(lines)
    pairs = zip(first, last, strict=False)
    return next((place for place, (one, other) in enumerate(pairs) if one != other), len(first))


def _cut_before(name: str, place: int, width: int) -> str:
    """Cut a name in its middle to `width` characters.

    About a third is the start of the name; then an ellipsis; then the characters from shortly before position `place`
    on, or the end of the name if that is nearer.
    """
    line = " ".join(legible(name).split())
    head = max(1, (width - 1) // 3)
    room = width - 1 - head
    if len(line) <= width:
        return line
    start = max(head, min(place - room // 3, len(line) - room))
    rest = line[start : start + room]
    if start + room < len(line):
        rest = rest[:-1] + "…"
    return f"{line[:head]}…{rest}"
