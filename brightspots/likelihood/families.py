"""The families, one object each, and how to look them up by name."""

from __future__ import annotations

from typing import Final

from brightspots.common.vocabulary import FamilyName
from brightspots.likelihood.binomial import Binomial
from brightspots.likelihood.family import Family
from brightspots.likelihood.normal import Normal
from brightspots.likelihood.poisson import Poisson

POISSON: Final = Poisson()
BINOMIAL: Final = Binomial()
NORMAL: Final = Normal()

FAMILIES: Final[dict[str, Family]] = {family.name: family for family in (POISSON, BINOMIAL, NORMAL)}


def family_of(name: FamilyName) -> Family:
    """The family of a name."""
    return FAMILIES[name]


def family_of_loop(loop: int) -> Family:
    """The family whose number in the compiled loops over leaves (`Family.loop`) is `loop`."""
    return next(family for family in FAMILIES.values() if family.loop == loop)
