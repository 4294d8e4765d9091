"""The families there are: one object each, by name."""

from __future__ import annotations

from typing import Final

from brightspots.common.vocabulary import Family as FamilyName
from brightspots.likelihood.binomial import Binomial
from brightspots.likelihood.family import CountFamily, Family
from brightspots.likelihood.normal import Normal
from brightspots.likelihood.poisson import Poisson

POISSON: Final = Poisson()
BINOMIAL: Final = Binomial()
NORMAL: Final = Normal()

FAMILIES: Final[dict[str, Family]] = {family.name: family for family in (POISSON, BINOMIAL, NORMAL)}
COUNT_FAMILIES: Final = tuple(family for family in FAMILIES.values() if isinstance(family, CountFamily))


def family_of(name: FamilyName) -> Family:
    """The family of a name."""
    return FAMILIES[name]
