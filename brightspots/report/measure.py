"""`Measure`: words and numbers for effects, which are ratios or differences in the units of the estimates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from brightspots.common.wording import interval_text
from brightspots.report.words import Estimate, ratio_of

# Words for the unit of differences where none was given.
UNITS: Final = "units of the estimates"


@dataclass(frozen=True)
class Measure:
    """Words and numbers of effects.

    Parameters
    ----------
    is_ratio : bool
    unit : str
        What differences are measured in, in the plural: days, points.
    decimals : int
        Of differences.
    """

    is_ratio: bool = True
    unit: str = ""
    decimals: int = 2

    def column(self, of: str) -> str:
        """The column that holds an effect: `own_ratio` or `own_difference`."""
        return f"{of}_ratio" if self.is_ratio else f"{of}_difference"

    @property
    def noun(self) -> str:
        """Ratio or difference."""
        return "ratio" if self.is_ratio else "difference"

    @property
    def centre(self) -> float:
        """The effect of a department that is the same as its comparison: 1 for ratios, 0 for differences."""
        return 1.0 if self.is_ratio else 0.0

    @property
    def in_units(self) -> str:
        """For headings: empty for ratios, ``, days``."""
        return "" if self.is_ratio else f", {self.unit}"

    def number(self, value: float) -> str:
        """An effect as a number; differences with their sign."""
        if self.is_ratio:
            return f"{value:.2f}"
        size = self.size(value)
        return size if not float(size.replace(",", "")) else f"{'+' if value > 0 else '−'}{size}"

    def size(self, value: float) -> str:
        """The absolute value of a difference, as text."""
        return f"{abs(value):,.{self.decimals}f}"

    def interval(self, effect: Estimate) -> str:
        """An effect and its interval in numbers alone: ``1.21 (1.10 to 1.34)``, ``+2.1 (+0.9 to +3.3)``."""
        if self.is_ratio:
            return interval_text(*effect)
        point, lower, upper = map(self.number, effect)
        return f"{point} ({lower} to {upper})"

    def against(self, effect: Estimate, other: str) -> str:
        """Where a level lies compared with another.

        ``1.21 (95% interval 1.10 to 1.34) times that of X``, ``2.1 days above that of X (95% interval 0.9 to 3.3)``,
        ``0.3 days above that of X (95% interval 1.0 below to 1.6 above)``.
        """
        if self.is_ratio:
            return f"{ratio_of(effect)} times {other}"
        return f"{self._placed(effect.point)} {other} {self._between(effect)}"

    def stands(self, effect: Estimate) -> str:
        """Where a level lies, after what it is compared with: ``at 1.21 (…)``, ``2.1 days above (…)``."""
        return f"at {self.place(effect)}" if self.is_ratio else self.place(effect)

    def place(self, effect: Estimate) -> str:
        """Where a level lies, with its interval and without a verb: ``1.21 (…)``, ``2.1 days above (…)``."""
        if self.is_ratio:
            return ratio_of(effect)
        return f"{self._placed(effect.point)} {self._between(effect)}"

    def _placed(self, difference: float) -> str:
        return f"{self.size(difference)} {self.unit} {_side(difference)}"

    def _between(self, effect: Estimate) -> str:
        ends = sorted((abs(effect.lower), abs(effect.upper)))
        if (effect.lower >= 0) == (effect.upper >= 0):
            return f"(95% interval {self.size(ends[0])} to {self.size(ends[1])})"
        return f"(95% interval {self.size(effect.lower)} below to {self.size(effect.upper)} above)"

    def apart(self, effect: Estimate) -> str:
        """The size of a difference between two units, without its side: ``a factor of 1.2 (…)``, ``1.2 days (…)``."""
        if self.is_ratio:
            return f"a factor of {ratio_of(effect)}"
        point, lower, upper = map(self.size, effect)
        return f"{point} {self.unit} (95% interval {lower} to {upper})"

    def margin(self, margin: float) -> str:
        """The margin in words: ``a factor of 1.1``, ``0.5 days``; never rounded."""
        if self.is_ratio:
            return f"a factor of {margin:g}"
        rounded = f"{margin:,.{self.decimals}f}"
        exact = float(rounded.replace(",", "")) == margin
        return f"{rounded if exact else f'{margin:,.12g}'} {self.unit}"

    def beyond(self, margin: float, side: int) -> str:
        """Further from the average than the margin, above (1) or below (−1) it."""
        if self.is_ratio:
            return f"above {margin:g} times the average" if side > 0 else f"below 1/{margin:g} of it"
        return f"more than {self.margin(margin)} {'above the average' if side > 0 else 'below it'}"

    def reached(self, effect: float) -> str:
        """A detectable effect, for tables."""
        return f"{effect:.2f}" if self.is_ratio else self.number(effect)


RATIOS: Final = Measure()


def difference_measure(unit: str | None, typical: float) -> Measure:
    """The measure for differences in a unit, with so many decimals that a typical difference has two digits."""
    decimals = 1 - math.floor(math.log10(typical)) if 0 < typical < math.inf else 2
    return Measure(False, unit or UNITS, min(max(decimals, 0), 9))


def _side(difference: float) -> str:
    return "above" if difference >= 0 else "below"
