"""Colours and markers: colour-blind safe, without red and green, and told apart by shape when printed grey."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from brightspots.common.vocabulary import BRIGHT, CANNOT_TELL, DARK, IN_LINE, HigherIs
from brightspots.limits.zones import CANNOT_PLACE, WITHIN, zone_names

BRIGHT_COLOUR: Final = "#005EB8"
DARK_COLOUR: Final = "#e46c0a"
NEUTRAL: Final = "#768692"
PALE: Final = "#cfd6da"
FILL: Final = "#e8edee"
INK: Final = "#231f20"


@dataclass(frozen=True, slots=True)
class Mark:
    """How a kind of unit is drawn.

    Parameters
    ----------
    colour : str
    marker : str
        A matplotlib marker.
    size : float
        Diameter in points.
    filled : bool
        Filled, or an outline on white.
    order : int
        Drawing order: larger lies on top.
    """

    colour: str
    marker: str
    size: float
    filled: bool
    order: int


STATUS_MARKS: Final = {
    BRIGHT: Mark(BRIGHT_COLOUR, "o", 7.5, True, 5),
    DARK: Mark(DARK_COLOUR, "D", 7.0, True, 6),
    IN_LINE: Mark(NEUTRAL, "o", 3.8, True, 4),
    CANNOT_TELL: Mark(NEUTRAL, "o", 5.0, False, 3),
}


def zone_marks(levels: tuple[float, ...], higher_is: HigherIs) -> dict[str, Mark]:
    """Marks of a funnel's zones: triangles point the way a unit lies, filled beyond the widest limit."""
    good, bad = BRIGHT_COLOUR, DARK_COLOUR
    above, below = (bad, good) if higher_is == "worse" else (good, bad)
    widest = zone_names((max(levels),))
    marks = {CANNOT_PLACE: Mark(NEUTRAL, "|", 9.0, False, 3)}
    for zone in zone_names(levels):
        if zone == WITHIN:
            marks[zone] = Mark(NEUTRAL, "o", 4.5, True, 3)
        else:
            up, outer = zone.startswith("above"), zone in widest
            marks[zone] = Mark(
                above if up else below, "^" if up else "v", 8.0 if outer else 6.5, outer, 6 if outer else 5
            )
    return marks
