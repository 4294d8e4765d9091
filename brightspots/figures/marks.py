"""The table of marks: how each kind of unit is drawn, and its name in legends.

The Matplotlib figures, the inline SVG of the HTML pack and the pictures and signs of the office packs all use it. It
imports no drawing library, so that a page can be written without loading one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from brightspots.common.vocabulary import BRIGHT, CANNOT_TELL, DARK, IN_LINE, HigherIs
from brightspots.figures.palette import BRIGHT_COLOUR, DARK_COLOUR, INK, NEUTRAL, SOFT
from brightspots.limits.zones import CANNOT_PLACE, WITHIN, zone_names

# How a unit looks: the statuses of departments; trusts outside the limits of a funnel on the bad or good side, above
# or below; trusts within them (plain), or the one among these that a pack is about (here). An absent cell of a grid
# has no mark.
Kind = Literal[
    "bright", "dark", "in-line", "cannot-tell", "absent",
    "dark-above", "dark-below", "bright-above", "bright-below", "plain", "here",
]  # fmt: skip

# Marks of this drawing order and above stand out: they are drawn over all others, and their names may not cover them.
_STANDS_OUT: Final = 5


@dataclass(frozen=True, slots=True)
class Mark:
    """How a kind of unit is drawn.

    Parameters
    ----------
    colour : str
        Hexadecimal, ``#rrggbb``.
    marker : str
        The shape, by Matplotlib's letter: ``o`` circle, ``D`` diamond, ``^`` and ``v`` triangles, ``|`` upright line.
    size : float
        Diameter in points.
    filled : bool
        Filled, or an outline on white.
    order : int
        Drawing order: larger lies on top.
    label : str
        What a legend calls it.
    page_size : float
        Size in the HTML pack, as a multiple of the radius that its figures draw with.
    sign : str
        The character for it in text of the office packs; empty where it is not used there.
    sign_colour : str
        Colour of that character, dark enough to be read on white.
    letter : str
        The letter in a cell of the HTML pack's grid, for readers who see no colours; empty where it is not used there.
    """

    colour: str
    marker: str
    size: float
    filled: bool
    order: int
    label: str = ""
    page_size: float = 1.0
    sign: str = ""
    sign_colour: str = INK
    letter: str = ""

    @property
    def stands_out(self) -> bool:
        """Whether the mark is drawn over others and may not be covered by names; the others are background."""
        return self.order >= _STANDS_OUT


_ABOVE, _BELOW = "trust above the limits", "trust below the limits"
_BLUE, _ORANGE = BRIGHT_COLOUR, DARK_COLOUR

# In the order of legends. A trust outside the limits points the way it lies.
MARKS: Final[Mapping[Kind, Mark]] = {
    "bright": Mark(_BLUE, "o", 7.5, True, 5, BRIGHT, page_size=1.2, sign="●", sign_colour=_BLUE, letter="B"),
    "dark": Mark(_ORANGE, "D", 7.0, True, 6, DARK, page_size=1.3, sign="◆", sign_colour=_ORANGE, letter="D"),
    "in-line": Mark(
        NEUTRAL, "o", 3.8, True, 4, IN_LINE, page_size=0.75, sign="•", sign_colour=SOFT, letter="="
    ),
    "cannot-tell": Mark(
        NEUTRAL, "o", 5.0, False, 3, CANNOT_TELL, page_size=0.9, sign="○", sign_colour=SOFT, letter="?"
    ),
    "dark-above": Mark(_ORANGE, "^", 8.0, True, 6, _ABOVE, page_size=1.2),
    "bright-above": Mark(_BLUE, "^", 8.0, True, 6, _ABOVE, page_size=1.2),
    "bright-below": Mark(_BLUE, "v", 8.0, True, 6, _BELOW, page_size=1.2),
    "dark-below": Mark(_ORANGE, "v", 8.0, True, 6, _BELOW, page_size=1.2),
    "here": Mark(INK, "o", 8.0, True, 7, "within the limits", page_size=1.4),
    "plain": Mark(NEUTRAL, "o", 4.5, True, 3, "trust within the limits", page_size=0.85),
}

STATUS_KINDS: Final[Mapping[str, Kind]] = {
    BRIGHT: "bright", DARK: "dark", IN_LINE: "in-line", CANNOT_TELL: "cannot-tell",
}  # fmt: skip
STATUS_MARKS: Final[Mapping[str, Mark]] = {status: MARKS[kind] for status, kind in STATUS_KINDS.items()}

# Marks for other things than units with a status: a row without one, a band of risk, a period, a ring around a unit.
ROW: Final = Mark(INK, "o", 5.5, True, 4)
BAND: Final = Mark(INK, "o", 6.0, True, 4)
PERIOD: Final = Mark(BRIGHT_COLOUR, "o", 7.0, True, 4)
RING: Final = Mark(INK, "o", 13.0, False, 7)


# On which side of the limits of a funnel the marks outside them lie.
OUTSIDE: Final[Mapping[Kind, Literal["above", "below"]]] = {
    "dark-above": "above", "bright-above": "above", "dark-below": "below", "bright-below": "below",
}  # fmt: skip


def outside_kind(above: bool, higher_is: HigherIs) -> Kind:
    """Kind of a unit outside the limits of a funnel, by the side that it lies on and whether that is the bad one."""
    if above:
        return "dark-above" if higher_is == "worse" else "bright-above"
    return "bright-below" if higher_is == "worse" else "dark-below"


def zone_marks(levels: tuple[float, ...], higher_is: HigherIs) -> dict[str, Mark]:
    """Marks of a funnel's zones: triangles point the way a unit lies, filled beyond the widest limit.

    Parameters
    ----------
    levels : tuple of float
        Coverage of the limits.
    higher_is : {"worse", "better"}
    """
    widest = zone_names((max(levels),))
    marks = {CANNOT_PLACE: Mark(NEUTRAL, "|", 9.0, False, 3, CANNOT_PLACE)}
    for zone in zone_names(levels):
        if zone == WITHIN:
            marks[zone] = replace(MARKS["plain"], label=zone)
        else:
            outer = replace(MARKS[outside_kind(zone.startswith("above"), higher_is)], label=zone)
            marks[zone] = outer if zone in widest else replace(outer, size=6.5, filled=False, order=5)
    return marks


def standing_out(kinds: npt.NDArray[np.object_], marks: Mapping[str, Mark]) -> npt.NDArray[np.bool_]:
    """Which units stand out, (n,), by the marks of their kinds."""
    return np.isin(kinds, np.array([kind for kind, mark in marks.items() if mark.stands_out], dtype=object))


def legend_entries(
    kinds: npt.NDArray[np.object_], marks: Mapping[str, Mark], *, all_marks: bool = False
) -> list[tuple[Mark, str]]:
    """Marks with their words and how many units they mark, such as ``Dark spot (3)``, in the order of the marks.

    Parameters
    ----------
    kinds : object array (n,)
        Kind of each unit, a key of `marks`.
    marks : mapping
    all_marks : bool, default False
        Whether to list the marks of kinds that do not occur, too.
    """
    counts = {kind: int((kinds == kind).sum()) for kind in marks}
    return [
        (mark, f"{mark.label[:1].upper()}{mark.label[1:]} ({counts[kind]:,})")
        for kind, mark in marks.items()
        if all_marks or counts[kind]
    ]
