"""Numbers in words: one vocabulary for probability, shares and ratios never without their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple


class Estimate(NamedTuple):
    """A point value with the ends of its 95% interval."""

    point: float
    lower: float
    upper: float


# Calibrated likelihood language of the Intergovernmental Panel on Climate Change (Mastrandrea et al. 2010):
# smallest probability that each phrase may be used for.
PROBABILITY_WORDS: Final = (
    (0.99, "virtually certain"),
    (0.90, "very likely"),
    (0.66, "likely"),
    (0.33, "about as likely as not"),
    (0.10, "unlikely"),
    (0.01, "very unlikely"),
    (0.00, "exceptionally unlikely"),
)


def number(value: float) -> str:
    """A probability with two decimals, never shown as certain or impossible."""
    if value > 0.99:
        return "above 0.99"
    return "below 0.01" if value < 0.01 else f"{value:.2f}"


def likelihood(probability: float) -> str:
    """A probability in the stated vocabulary, its number in brackets."""
    words = next(phrase for least, phrase in PROBABILITY_WORDS if probability >= least)
    return f"{words} (probability {number(probability)})"


def percent(share: float) -> str:
    """A share as a whole percentage; what rounds to none or all of something but is neither is said so."""
    if 0.0 < share < 0.005:
        return "under 1%"
    if 0.995 <= share < 1.0:
        return "over 99%"
    return f"{share:.0%}"


def share_of(share: Estimate) -> str:
    """A share with its interval."""
    return f"{percent(share.point)} (95% interval {percent(share.lower)} to {percent(share.upper)})"


def ratio_of(ratio: Estimate) -> str:
    """A ratio with its interval."""
    return f"{ratio.point:.2f} (95% interval {ratio.lower:.2f} to {ratio.upper:.2f})"


def counted(n: int, singular: str, plural: str | None = None) -> str:
    """``no bright spots``, ``1 bright spot``, ``1,203 bright spots``."""
    return f"{'no' if n == 0 else f'{n:,}'} {singular if n == 1 else plural or singular + 's'}"


def listed(parts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def amount(value: float) -> str:
    """A count that need not be whole: one decimal below ten."""
    size = abs(value)
    return f"{size:.1f}" if size < 9.95 else f"{size:,.0f}"


def more_or_fewer(excess: Estimate, events: str) -> str:
    """An excess and its interval: ``about 24 more deaths (95% interval 11 to 39 more)``."""

    def signed(value: float) -> str:
        return f"{amount(value)} {'more' if value >= 0 else 'fewer'}"

    point = f"about {signed(excess.point)} {events}"
    if (excess.lower >= 0) == (excess.upper >= 0):
        low, high = sorted((abs(excess.lower), abs(excess.upper)))
        return f"{point} (95% interval {amount(low)} to {signed(math.copysign(high, excess.upper))})"
    return f"{point} (95% interval {signed(excess.lower)} to {signed(excess.upper)})"
