"""Fonts for names in any script: the user's own first, then installed ones that have the characters that these lack.

Matplotlib draws a text with the first installed font of a generic family, and falls back from one family of a list to
the next only. So the list is made here, once for each set of characters; Latin, Greek and Cyrillic need none.
"""

from __future__ import annotations

import logging
import unicodedata
import warnings
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib import font_manager, rcParams
from matplotlib.font_manager import FontEntry, FontProperties
from matplotlib.ft2font import FT2Font

from brightspots.common.errors import DataWarning
from brightspots.common.wording import listed

# A font of one glyph, a box, for every character: without it matplotlib would warn of each missing one as well.
BOXES: Final = "Brightspots Boxes"
_BOXES_FILE: Final = Path(__file__).with_name("boxes.ttf")
# Characters beyond ASCII in the library's own words on figures.
_OWN: Final = frozenset("–—−×÷·…≥≤±²στφ√“”’\ufffd")
# Fonts that are not for text: with mathematical signs at the places of other characters, or a box for every character.
_NOT_FOR_TEXT: Final = ("cm", "STIXSize", "STIXNon", "Last Resort", "LastResort", BOXES)
_GENERIC: Final = {"sans": "sans-serif", "sans serif": "sans-serif"}
# First word of a character's Unicode name: what readers call it, and a font that has it (package of Debian, Ubuntu).
_CJK: Final = "Noto Sans CJK (package fonts-noto-cjk)"
_SCRIPTS: Final = {
    "CJK": ("Chinese", _CJK), "KANGXI": ("Chinese", _CJK), "IDEOGRAPHIC": ("Chinese", _CJK),
    "FULLWIDTH": ("Chinese", _CJK), "HIRAGANA": ("Japanese", _CJK), "KATAKANA": ("Japanese", _CJK),
    "KATAKANA-HIRAGANA": ("Japanese", _CJK), "HALFWIDTH": ("Japanese", _CJK), "HANGUL": ("Korean", _CJK),
}  # fmt: skip
_SYMBOLS: Final = ("symbols and emoji", "Symbola (package fonts-symbola)")
_OTHERS: Final = "Noto Sans (package fonts-noto-core)"

# Scripts that have been warned of, and families that figures have fallen back on, in this process.
_told: set[str] = set()
_lent: set[str] = set()


def families_for(shown: Iterable[object]) -> tuple[str, ...] | None:
    """Font families that have the characters of what is shown; None where those that are set have all of them.

    Parameters
    ----------
    shown : iterable
        Everything that a figure writes: texts, tables and collections of these.

    Warns
    -----
    DataWarning
        Where no installed font has some characters: once for each script in a process.
    """
    installed = frozenset(entry.name.lower() for entry in font_manager.fontManager.ttflist)
    chosen, missing = _choose(tuple(_wished()), _characters(shown) | _OWN, installed)
    _tell(missing)
    if chosen is not None:
        _lent.update(chosen)
        logging.getLogger("matplotlib.font_manager").addFilter(_is_news)
    return chosen


def _is_news(record: logging.LogRecord) -> bool:
    """False for the lines of matplotlib's log that say that a font chosen here has no bold version."""
    said = record.getMessage()
    return "font weight" not in said or not any(f"for {family}," in said for family in _lent)


def _characters(value: object) -> frozenset[str]:
    """Characters beyond ASCII in all texts of a value."""
    found: set[str] = set()
    for text in _texts(value):
        if not text.isascii():
            found.update(text)
    return frozenset(each for each in found if not each.isascii() and unicodedata.category(each) != "Cs")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, pd.DataFrame):
        for name, column in value.items():
            yield str(name)
            yield from _texts(column)
        yield from _texts(value.index)
    elif isinstance(value, pd.MultiIndex):
        for level in value.levels:
            yield from _texts(level)
    elif isinstance(value, pd.Series | pd.Index):
        if value.dtype.kind not in "iufbMm":
            yield from map(str, pd.unique(np.asarray(value, dtype=object)))
    elif isinstance(value, np.ndarray):
        if value.dtype.kind not in "iufbMm":
            yield from map(str, value.ravel().tolist())
    elif isinstance(value, Mapping):
        yield from _texts(tuple(value.values()))
    elif isinstance(value, Iterable):
        for part in value:
            yield from _texts(part)
    elif value is not None and not isinstance(value, int | float | complex):
        yield str(value)


# ---- choosing --------------------------------------------------------------------------------------------------


def _wished() -> Iterator[tuple[str, ...]]:
    """For each family in ``rcParams["font.family"]``, the fonts that it stands for, best first."""
    settings: Mapping[Any, Any] = rcParams
    for family in settings["font.family"]:
        generic = _GENERIC.get(family, family)
        is_list = family in font_manager.font_family_aliases and f"font.{generic}" in settings
        yield tuple(settings[f"font.{generic}"]) if is_list else (family,)


@lru_cache(maxsize=64)
def _choose(
    wished: tuple[tuple[str, ...], ...], characters: frozenset[str], installed: frozenset[str]
) -> tuple[tuple[str, ...] | None, frozenset[str]]:
    """Families, or None where matplotlib's own choice will do, and the characters that no font has.

    `installed` are the families that matplotlib knows, in lower case.
    """
    used = [next((font for font in fonts if font.lower() in installed), None) for fonts in wished]
    families = [font for font in used if font is not None] or ["DejaVu Sans"]
    left = set(characters)
    for family in families:
        left -= _of_family(family, characters)
    if not left:
        return None, frozenset()
    # First the user's other fonts, then matplotlib's own font, then any other that is installed.
    for family in (*(font for fonts in wished for font in fonts), "DejaVu Sans"):
        covered = _of_family(family, frozenset(left)) if family not in families else frozenset()
        if covered:
            families.append(family)
            left -= covered
    for family, covered in _best_of_installed(frozenset(left)):
        families.append(family)
        left -= covered
    if left:
        if BOXES.lower() not in installed:
            font_manager.fontManager.addfont(_BOXES_FILE)
        families.append(BOXES)
    return tuple(families), frozenset(left)


def _best_of_installed(characters: frozenset[str]) -> list[tuple[str, frozenset[str]]]:
    """As few installed families as possible that together have the characters, with those that each adds.

    Plain sans serif families come before others.
    """
    left, chosen = set(characters), []
    entries = font_manager.fontManager.ttflist if left else []
    covered = _coverage(entries, characters)
    if left - frozenset().union(*covered.values()):
        # Matplotlib caches its list of fonts for months; newer ones are looked for here.
        known = {entry.fname for entry in entries}
        fresh = [path for path in sorted(font_manager.findSystemFonts()) if path not in known]
        if _add_useful(fresh, characters):
            covered = _coverage(font_manager.fontManager.ttflist, characters)
    while left and covered:
        family = min(covered, key=lambda name: (-len(covered[name] & left), *_plainness(name)))
        gained = covered.pop(family) & left
        if not gained:
            break
        chosen.append((family, gained))
        left -= gained
    return chosen


def _coverage(entries: Iterable[FontEntry], characters: frozenset[str]) -> dict[str, frozenset[str]]:
    """The characters that each family has in its upright font nearest to regular weight; no family without any."""
    regular: dict[str, FontEntry] = {}
    for entry in entries:
        if entry.style != "normal" or entry.name.startswith(_NOT_FOR_TEXT):
            continue
        known = regular.get(entry.name)
        if known is None or _off_regular(entry) < _off_regular(known):
            regular[entry.name] = entry
    found = {
        name: _held(entry.fname, getattr(entry, "index", 0), characters) for name, entry in regular.items()
    }
    return {name: covered for name, covered in found.items() if covered}


def _off_regular(entry: FontEntry) -> float:
    weight = entry.weight if isinstance(entry.weight, int | float) else font_manager.weight_dict[entry.weight]
    return abs(weight - 400)


def _plainness(family: str) -> tuple[int, str]:
    """Sort key of families: proportional sans serif first, then by name, so that figures are reproducible."""
    words = family.lower()
    odd = any(word in words for word in ("mono", "serif", "ming", "song", "batang", "typewriter")) and (
        "sans" not in words or "mono" in words
    )
    plain = any(word in words for word in ("sans", "gothic", "hei", "ui"))
    return (2 if odd else 0 if plain else 1), family


def _add_useful(paths: Iterable[str], characters: frozenset[str]) -> bool:
    """Register with matplotlib the font files that have some of the characters; whether there were any."""
    added = False
    for path in paths:
        if _held(path, 0, characters):
            font_manager.fontManager.addfont(path)
            added = True
    return added


def _of_family(family: str, characters: frozenset[str]) -> frozenset[str]:
    """Characters that a family has both in its regular and in its bold font: titles are bold."""
    held = characters
    for weight in ("normal", "bold"):
        try:
            path: Any = font_manager.findfont(
                FontProperties(family=[family], weight=weight), fallback_to_default=False
            )
        except ValueError:
            return frozenset()
        held = _held(getattr(path, "path", path), getattr(path, "face_index", 0), held)
    return held


def _held(path: str, face: int, characters: frozenset[str]) -> frozenset[str]:
    """Characters that a font file has outlines for; none where it cannot be read, or holds bitmaps only."""
    try:
        font = FT2Font(path, face_index=face) if face else FT2Font(path)
    except (RuntimeError, OSError, ValueError):
        return frozenset()
    if not font.scalable:
        return frozenset()
    return frozenset(each for each in characters if font.get_char_index(ord(each)))


# ---- saying ----------------------------------------------------------------------------------------------------


def _tell(missing: frozenset[str]) -> None:
    """Warn of scripts that no installed font has, once each."""
    examples: dict[tuple[str, str], str] = {}
    for each in sorted(missing):
        if unicodedata.category(each) not in ("Cf", "Mn"):  # joiners and combining marks
            examples[_script(each)] = examples.get(_script(each), "") + each
    fresh = {script: found for script, found in examples.items() if script[0] not in _told}
    if not fresh:
        return
    _told.update(name for name, _ in fresh)
    # Characters are given as U+XXXX, since the reader's terminal may lack a font for them too.
    scripts = listed([f"{name} (such as U+{ord(found[0]):04X})" for (name, _), found in fresh.items()])
    fonts = listed(list(dict.fromkeys(font for _, font in fresh)))
    warnings.warn(
        f"no installed font has characters of these names: {scripts}; figures show boxes in their place. "
        f"Install {fonts}; Windows and macOS have fonts for most scripts. A font file can be used without being "
        "installed: matplotlib.font_manager.fontManager.addfont(path)",
        DataWarning,
        stacklevel=2,
    )


def _script(character: str) -> tuple[str, str]:
    """Name of a character's script, and of a font that has it."""
    category, name = unicodedata.category(character), unicodedata.name(character, "")
    first = name.split(" ")[0]
    if first in _SCRIPTS:
        return _SCRIPTS[first]
    if category[0] != "L" and category[0] != "M" and category[0] != "N":
        return _SYMBOLS
    return (first.title() or "unknown", _OTHERS)
