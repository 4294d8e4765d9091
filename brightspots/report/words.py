"""Numbers in words: one vocabulary for probabilities; shares and ratios always with their intervals."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from brightspots.common.wording import counted as counted
from brightspots.common.wording import listed as listed
from brightspots.common.wording import percent as percent
from brightspots.common.wording import probability_read, stated_probability
from brightspots.common.wording import probability_text as probability_text


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


def likelihood(probability: float) -> str:
    """A probability in the vocabulary, with its number in brackets; the phrase is that of the rounded number."""
    read = probability_read(probability)
    words = next(phrase for least, phrase in PROBABILITY_WORDS if read >= least)
    return f"{words} (probability {probability_text(probability)})"


def probability_words() -> str:
    """What each phrase of the vocabulary means, in a line."""
    said = [
        f"{phrase}: {f'at least {stated_probability(least)}' if least else 'below 0.01'}"
        for least, phrase in PROBABILITY_WORDS
    ]
    return f"{'; '.join(said)}."


def share_of(share: Estimate) -> str:
    """A share with its interval."""
    return f"{percent(share.point)} (95% interval {percent(share.lower)} to {percent(share.upper)})"


def ratio_of(ratio: Estimate) -> str:
    """A ratio with its interval."""
    return f"{ratio.point:.2f} (95% interval {ratio.lower:.2f} to {ratio.upper:.2f})"


def probability_of(probability: Estimate) -> str:
    """A probability with its interval."""
    point, lower, upper = map(probability_text, probability)
    return f"{point} (95% interval {lower} to {upper})"


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
