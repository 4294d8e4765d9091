"""`Rules`: the options of suppression, checked, and sentences on what they do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np

from brightspots.common.errors import SettingsError

Zeros = Literal["shown", "withheld"]
Totals = Literal["trust", "department"]

ONE_RELEASE: Final = (
    "Publish these data under one set of rules only: two releases that withhold or round differently can be solved "
    "for what either withholds."
)


# Largest value of `below` and `round_to`; a larger one is a mistake.
_MOST: Final = 1_000_000


@dataclass(frozen=True)
class Rules:
    """The options of suppression, checked when they are made.

    Parameters
    ----------
    below : int or None
        Counts under this are withheld.
    round_to : int or None
        Counts are rounded to multiples of this.
    zeros : {"shown", "withheld"}
        Whether a zero is shown, or withheld like a small count.
    totals : iterable of {"trust", "department"}
        Totals that others know: over the departments of a trust, over the trusts of a department type. Kept as a tuple.
    """

    below: int | None = None
    round_to: int | None = None
    zeros: Zeros = "shown"
    totals: tuple[Totals, ...] = get_args(Totals)

    def __post_init__(self) -> None:
        for name, value in (("below", self.below), ("round_to", self.round_to)):
            whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
            if value is not None and (not whole or value < 2):
                raise SettingsError(f"{name} must be a whole number of 2 or more; received {value!r}")
            if value is not None and value > _MOST:
                raise SettingsError(f"{name} must be at most {_MOST:,}; received {value!r}")
            object.__setattr__(self, name, None if value is None else int(value))
        if self.below is None and self.round_to is None:
            raise SettingsError("give below=…, round_to=… or both: there is nothing to do otherwise")
        if self.zeros not in get_args(Zeros):
            raise SettingsError(f"zeros must be 'shown' or 'withheld'; received {self.zeros!r}")
        object.__setattr__(self, "totals", _read_totals(self.totals))

    @property
    def least(self) -> int:
        """Least that a withheld small count can be; more than `most` where none is withheld."""
        return 0 if self.zeros == "withheld" and self.below is not None else 1

    @property
    def most(self) -> int:
        """Most that a withheld small count can be, `below` − 1; 0 where none is withheld."""
        return 0 if self.below is None else self.below - 1

    @property
    def text(self) -> str:
        """One sentence on what was done."""
        parts = []
        if self.below is not None:
            parts.append(
                f"counts from {self.least} to {self.below - 1} were withheld, with as many others as it takes to keep "
                "totals from giving them back"
            )
        if self.round_to is not None:
            parts.append(f"counts were rounded to multiples of {self.round_to}")
        text = " and ".join(parts)
        return f"{text[0].upper()}{text[1:]}."

    def check_same(self, earlier: Rules | None, action: str) -> None:
        """Refuse data that were suppressed under other rules before.

        Parameters
        ----------
        earlier : Rules or None
            The rules under which the data were suppressed, if they were.
        action : str
            What to do instead, for the error.

        Raises
        ------
        SettingsError
        """
        if earlier is not None and earlier != self:
            raise SettingsError(f"these data were suppressed already, with {earlier.options}: {action}")

    @property
    def options(self) -> str:
        """The options that differ from their defaults, as Python code: ``below=8, round_to=5``."""
        plain = Rules(below=2)
        said = [
            f"{name}={value!r}"
            for name, value in vars(self).items()
            if name in ("below", "round_to") and value is not None
        ]
        said += [
            f"{name}={getattr(self, name)!r}"
            for name in ("zeros", "totals")
            if getattr(self, name) != getattr(plain, name)
        ]
        return ", ".join(said)


def _read_totals(given: Any) -> tuple[Totals, ...]:
    """Kinds of totals in a fixed order, each once."""
    known: tuple[Totals, ...] = get_args(Totals)
    usable = isinstance(given, Iterable) and not isinstance(given, str | bytes)
    named = list(given) if usable else [given]
    if not usable or any(not isinstance(each, str) or each not in known for each in named):
        raise SettingsError(
            f"totals are among 'trust' and 'department', in a tuple, and () where others know none; received {given!r}"
        )
    return tuple(each for each in known if each in named)
