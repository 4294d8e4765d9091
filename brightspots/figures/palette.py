"""Colours of every figure, chosen so that the colour-blind can tell them apart. Shapes are in `marks`."""

from __future__ import annotations

from typing import Final

BRIGHT_COLOUR: Final = "#005EB8"
DARK_COLOUR: Final = "#e46c0a"
NEUTRAL: Final = "#768692"
# A darker grey, for signs in running text, where NEUTRAL would be too faint to read.
SOFT: Final = "#4c6272"
PALE: Final = "#cfd6da"
FILL: Final = "#e8edee"
INK: Final = "#231f20"
