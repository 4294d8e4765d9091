"""Numbers as text, wherever people read them: prints, HTML, packs, figures and the command line.

There is one rule for each kind of number, so that a value reads the same everywhere. Rounding never gives a probability
of 0 or 1, nor a share of 0% or 100% unless it is exactly that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

# Ratios from which one has no decimal, and from whose logarithm on one is given as a power of ten.
_TEN: Final = 10.0
_LARGE: Final = math.log(1e6)


def probability_text(value: float) -> str:
    """A probability with two decimals; ``above 0.99`` or ``below 0.01`` where these would be 1.00 or 0.00.

    Parameters
    ----------
    value : float
        Between 0 and 1. Even 1 itself is ``above 0.99``: it is a share of draws, and so not a certainty.
    """
    text = f"{value:.2f}"
    return {"1.00": "above 0.99", "0.00": "below 0.01"}.get(text, text)


def probability_read(value: float) -> float:
    """A probability rounded as `probability_text` prints it, so that words chosen for it agree with the number shown.

    Parameters
    ----------
    value : float
        Between 0 and 1.
    """
    return float(f"{value:.2f}")


def stated_probability(value: float) -> str:
    """A probability that the user chose, such as a level: two decimals, or all it has (up to six) where it has more."""
    return f"{value:.2f}" if round(value, 2) == value else f"{value:g}"


def percent(share: float, decimals: int = 0) -> str:
    """A share as a percentage; ``under 1%`` or ``over 99%`` where rounding would give 0% or 100% but it is neither.

    Parameters
    ----------
    share : float
        Between 0 and 1.
    decimals : int, default 0
    """
    text, step = f"{share:.{decimals}%}", 0.1**decimals
    if share > 0.0 and text == f"{0.0:.{decimals}%}":
        return f"under {step:.{decimals}f}%"
    if share < 1.0 and text == f"{1.0:.{decimals}%}":
        return f"over {100.0 - step:.{decimals}f}%"
    return text


def percent_interval(point: float, lower: float, upper: float, *, decimals: int = 0) -> str:
    """A share and the ends of its interval: ``29% (24% to 35%)``."""
    said = (percent(share, decimals) for share in (point, lower, upper))
    return "{} ({} to {})".format(*said)


def interval_text(point: float, lower: float, upper: float, *, form: str = ".2f") -> str:
    """A number and the ends of its interval: ``1.21 (1.10 to 1.34)``."""
    return f"{point:{form}} ({lower:{form}} to {upper:{form}})"


def times_text(log_ratio: float) -> str:
    """A ratio of at least 1 from its natural logarithm: ``1.4``, ``25``, ``1,600``, ``10^16``."""
    if log_ratio > _LARGE:
        return f"10^{log_ratio / math.log(10.0):.0f}"
    ratio = float(f"{math.exp(log_ratio):.2g}")
    return f"{ratio:.1f}" if ratio < _TEN else f"{ratio:,.0f}"


def counted(n: int, singular: str, plural: str | None = None) -> str:
    """``no bright spots``, ``1 bright spot``, ``1,203 bright spots``."""
    return f"{'no' if n == 0 else f'{n:,}'} {singular if n == 1 else plural or singular + 's'}"


def listed(parts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def quoted(items: Iterable[object], shown: int = 4) -> str:
    """Quote the first `shown` items and count the rest: ``'a' and 'b'``, ``'a', 'b', 'c', 'd' and 3 more``."""
    every = [repr(item) for item in items]
    hidden = len(every) - shown
    return listed([*every[:shown], f"{hidden:,} more"] if hidden > 0 else every)
