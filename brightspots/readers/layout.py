"""`Layout`: the headings of a published file, in every spelling that releases have used."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from brightspots.common.errors import DataError

# Characters that are in files by mistake only: controls, zero-width spaces, a byte-order mark in the middle.
INVISIBLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028\u2029\u2060\ufeff]")

_SEPARATORS: Final = {";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True)
class Layout:
    """The columns of a published file under our names, with every spelling that releases have used.

    Parameters
    ----------
    file : str
        What the file is, for messages.
    required, optional : mapping from our name to the publisher's spellings
        Compared without regard to case, punctuation and surrounding white space.
    foreign : mapping from a heading to a kind of file
        Headings of other kinds of file, which would be misread under this layout; they are refused.
    """

    file: str
    required: Mapping[str, tuple[str, ...]]
    optional: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    foreign: Mapping[str, str] = field(default_factory=dict)

    def is_header(self, values: Sequence[str]) -> bool:
        """Say whether a row has every required heading."""
        found = {_plain(value) for value in values}
        return all(
            any(_plain(spelling) in found for spelling in spellings) for spellings in self.required.values()
        )

    def headings_in(self, values: Sequence[str]) -> set[str]:
        """The headings of the layout that a row has, in plain form; text ending in a colon ("Period:") is none."""
        known = {
            _plain(one)
            for spellings in (*self.required.values(), *self.optional.values())
            for one in spellings
        }
        return known.intersection(_plain(value) for value in values if not value.strip().endswith(":"))

    def locate(self, header: Sequence[str]) -> dict[str, int]:
        """Find the position of each of our columns in the header of a file.

        Raises
        ------
        DataError
            Where a required column is absent, or where two columns could be the same one of ours.
        """
        if len(header) == 1:
            for separator, called in _SEPARATORS.items():
                if separator in header[0]:
                    raise DataError(
                        f"the values are separated by {called}",
                        expected=f"commas, as {self.file} is published",
                        action="save it with commas and decimal points; 1,234 and 1.234 cannot be told apart here",
                    )
        strange = [name for name in header if INVISIBLE.search(name.strip())]
        if strange:
            raise DataError(
                "the header holds an invisible character", column=repr(strange[0]),
                expected=f"the columns of {self.file}", action="the file may be damaged; fetch it again",
            )  # fmt: skip
        plain = [_plain(name) for name in header]
        candidates = {
            ours: [
                at for at, name in enumerate(plain) if name in {_plain(spelling) for spelling in spellings}
            ]
            for ours, spellings in {**self.required, **self.optional}.items()
        }
        absent = [ours for ours in self.required if not candidates[ours]]
        if absent:
            spelt = ", ".join(repr(self.required[ours][0]) for ours in absent)
            raise DataError(
                f"this is not {self.file} as far as can be told: it has no column {spelt}",
                expected=", ".join(repr(spellings[0]) for spellings in self.required.values()),
                action="check that it is this publication; where a release has renamed the column, rename it back"
                f" (the file has: {', '.join(map(repr, header[:20]))})",
            )
        for heading, what in self.foreign.items():
            if _plain(heading) in plain:
                raise DataError(
                    f"this is {what}, not {self.file}", column=header[plain.index(_plain(heading))],
                    expected=self.file, action="pass the file of the other kind, or count its rows together first",
                )  # fmt: skip
        for ours, positions in candidates.items():
            if len(positions) > 1:
                raise DataError(
                    f"two columns could be the {ours.replace('_', ' ')} of {self.file}",
                    column=", ".join(header[position] for position in positions),
                    action="drop or rename the one that is not meant",
                )
        return {ours: positions[0] for ours, positions in candidates.items() if positions}


def _plain(name: str) -> str:
    return " ".join(re.sub(r"[^0-9a-z]+", " ", name.casefold()).split())
