"""Make `brightspots/figures/boxes.ttf`, a font that has one box for every character: run with the path to write to."""

from __future__ import annotations

import sys

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import newTable
from fontTools.ttLib.tables._c_m_a_p import CmapSubtable

FAMILY = "Brightspots Boxes"
CHARACTERS = (*range(0x20, 0xD800), *range(0xE000, 0x110000))
# Joiners, directions, variation selectors and the like, which have no shape of their own.
SHAPELESS = (
    0xAD, 0x34F, 0x61C, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070),
    *range(0xFE00, 0xFE10), *range(0x1F3FB, 0x1F400), *range(0xE0000, 0xE01F0),
)  # fmt: skip


def main(path: str) -> None:
    """Write the font. Its table of characters is of the kind (13) that maps a whole range to one glyph: 1 kB."""
    pen = TTGlyphPen(None)
    outer, inner = (
        [(100, 0), (100, 700), (600, 700), (600, 0)],
        [(160, 60), (540, 60), (540, 640), (160, 640)],
    )
    for first, *rest in (outer, inner):
        pen.moveTo(first)
        for corner in rest:
            pen.lineTo(corner)
        pen.closePath()
    box, nothing = pen.glyph(), TTGlyphPen(None).glyph()
    built = FontBuilder(1000, isTTF=True)
    built.setupGlyphOrder([".notdef", "box", "nothing"])
    built.setupGlyf({".notdef": box, "box": box, "nothing": nothing})
    built.setupHorizontalMetrics({".notdef": (700, 100), "box": (700, 100), "nothing": (0, 0)})
    built.setupHorizontalHeader(ascent=800, descent=-200)
    built.setupNameTable(
        {
            "familyName": FAMILY, "styleName": "Regular", "uniqueFontIdentifier": f"{FAMILY} 1", "fullName": FAMILY,
            "psName": "BrightspotsBoxes-Regular", "version": "Version 1.0",
        }
    )  # fmt: skip
    characters = CmapSubtable.newSubtable(13)
    characters.platformID, characters.platEncID, characters.language = 3, 10, 0
    characters.cmap = dict.fromkeys(CHARACTERS, "box") | dict.fromkeys(SHAPELESS, "nothing")
    table = newTable("cmap")
    table.tableVersion, table.tables = 0, [characters]
    built.font["cmap"] = table
    built.setupOS2(usFirstCharIndex=0x20, usLastCharIndex=0xFFFF, usWinAscent=800, usWinDescent=200)
    built.setupPost()
    built.font["head"].created = built.font["head"].modified = 3_600_000_000  # no clock in the file
    built.font.recalcTimestamp = False
    built.save(path)


if __name__ == "__main__":
    main(sys.argv[1])
