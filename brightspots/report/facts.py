"""The facts of a pack, as numbers and names, without sentences or formats.

`gather` computes them from a fit and its spots; `sentences`, `paragraphs` and `tables` put them into words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from brightspots.common.cautions import Caution
from brightspots.common.settings import SpotRule
from brightspots.common.vocabulary import HigherIs
from brightspots.engine.posterior import Certificate
from brightspots.fit.decided import WideSpread
from brightspots.fit.sensitivity import Survivors
from brightspots.likelihood.family import Family
from brightspots.report.department_facts import Comparison, Department, Listed
from brightspots.report.document import Funnel, Kind
from brightspots.report.measure import Measure
from brightspots.report.rating_facts import NationRating, TrustRating
from brightspots.report.words import Estimate

# Where a unit lies in a funnel, against its outer limits.
Side = Literal["above", "within", "below", "unplaced"]


# ---- of every part ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Setting:
    """The comparison and its measure, the same in every part of a pack.

    Parameters
    ----------
    events : str
        Word for the events that are counted, in the plural: "deaths".
    measure : Measure
        Words and numbers for effects.
    family : Family
    higher_is : {"worse", "better"}
    rule : SpotRule
    margin : float
        The size from which an effect matters: a ratio, or a difference in the unit of `measure`.
    span : float
        Half the width of the scale on which tables draw differences.
    ordered_by : {"names", "codes"}
        By what trusts are sorted.
    first : {"own", "peer"}
        The comparison that is shown first.
    counts_events : bool
        Whether an excess is a number of events.
    has_expected, has_covariates, has_periods : bool
        Whether counts have expected events beside them, and the model covariates and periods.
    """

    events: str
    measure: Measure
    family: Family
    higher_is: HigherIs
    rule: SpotRule
    margin: float
    span: float
    ordered_by: str
    first: Comparison
    counts_events: bool
    has_expected: bool
    has_covariates: bool
    has_periods: bool

    @property
    def second(self) -> Comparison:
        """The other comparison."""
        return "own" if self.first == "peer" else "peer"


@dataclass(frozen=True)
class Sizes:
    """Numbers of trusts, types and departments; `periods` in order, and whether that is the order in time."""

    trusts: int
    types: int
    departments: int
    periods: tuple[str, ...]
    periods_in_order: bool


@dataclass(frozen=True)
class Tally:
    """How many departments have each status.

    Parameters
    ----------
    counts : mapping of str to int
        Departments by status.
    expected_false : float
        Expected number of flags that are false.
    reasons : mapping of str to int
        Departments with the status "cannot tell", by reason.
    reach : float
        Median detectable effect of these on the dark side; NaN where there are none.
    """

    counts: Mapping[str, int]
    expected_false: float
    reasons: Mapping[str, int]
    reach: float

    @property
    def departments(self) -> int:
        """Number of all departments."""
        return sum(self.counts.values())


@dataclass(frozen=True)
class Flags:
    """Names of the flagged departments of one trust, and its number of departments."""

    trust: str
    bright: tuple[str, ...]
    dark: tuple[str, ...]
    departments: int


# ---- of one part -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Variation:
    """The partition of the variance.

    Parameters
    ----------
    shares, typical, sds : mapping of str to Estimate
        By level (`trust`, `department`, `period`): its share of the variation, the median ratio or difference between
        two of its units, its standard deviation.
    p_department_exceeds_trust : float
        Probability that departments differ more than trusts; NaN where the model has no departments.
    """

    shares: Mapping[str, Estimate]
    typical: Mapping[str, Estimate]
    sds: Mapping[str, Estimate]
    p_department_exceeds_trust: float

    @property
    def has_departments(self) -> bool:
        """Whether departments are in the model."""
        return "department" in self.shares


@dataclass(frozen=True)
class Coexistence:
    """How many trusts hold bright and dark spots, and both at once."""

    both: int
    with_dark: int
    with_bright: int
    trusts: int


@dataclass(frozen=True)
class TwoStageFunnel:
    """The trusts of the nation, then the departments of one trust.

    Parameters
    ----------
    nation : Funnel
        Every trust.
    departments : Funnel or None
        Those of one trust; None where the model has none.
    levels : tuple of float
        Coverage of the inner and the outer limits.
    flags : Flags
        Of that trust.
    is_example : bool
        Whether that trust is an example, and not what the pack is about.
    side : Side or None
        Where that trust lies against the outer limits; None for an example.
    outside, unplaced : int
        Trusts outside the outer limits, and those that cannot be placed because their counts are suppressed.
    withheld, counts : int
        Counts known only as a range, of all.
    doubts : tuple of str
        Cautions on the data that concern limits.
    """

    nation: Funnel
    departments: Funnel | None
    levels: tuple[float, float]
    flags: Flags
    is_example: bool
    side: Side | None
    outside: int
    unplaced: int
    withheld: int
    counts: int
    doubts: tuple[str, ...]

    @property
    def panels(self) -> tuple[Funnel, ...]:
        """One or both."""
        return (self.nation,) if self.departments is None else (self.nation, self.departments)

    @property
    def barred(self) -> tuple[tuple[str, ...], ...]:
        """Units that are drawn as a bar, by panel."""
        return tuple(tuple(point.label for point in panel.points if point.is_bar) for panel in self.panels)


@dataclass(frozen=True)
class Grid:
    """Trusts by department types, a mark each, and the effects of those that are flagged, by (row, column)."""

    trusts: tuple[str, ...]
    types: tuple[str, ...]
    kinds: tuple[tuple[Kind, ...], ...]
    effects: Mapping[tuple[int, int], Estimate]
    all_trusts: int
    all_types: int


@dataclass(frozen=True)
class TypeTally:
    """One department type: its departments by status, and their median detectable effect (see `Tally.reach`)."""

    name: str
    counts: Mapping[str, int]
    reach: float


@dataclass(frozen=True)
class Pair:
    """A dark spot with a better department to learn from, and the probability that this is better."""

    trust: str
    department: str
    partner: str
    size: float
    partner_size: float
    p_better: float


@dataclass(frozen=True)
class Learning:
    """Dark spots with a partner, and without one by reason; the first pairs of `total`, of the nation or a trust."""

    with_partner: int
    without: Mapping[str, int]
    pairs: tuple[Pair, ...]
    total: int
    of_one_trust: bool


@dataclass(frozen=True)
class Level:
    """One trust against the average trust: its effect, and P(above the margin) and P(below it)."""

    effect: Estimate
    p_high: float
    p_low: float


# ---- of a whole pack -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shared:
    """Facts in every pack of a fit.

    Parameters
    ----------
    setting : Setting
    sizes : Sizes
    variation : Variation
    certificate : Certificate
    cautions : tuple of Caution
        On the data.
    notes : tuple of str
        Notes on the data, made while they were read and checked.
    rating_note : str
        Why flags are not compared with a rating that was given; else empty.
    shortened : int
        Number of names that are shortened.
    spread : WideSpread or None
        Where so many departments are flagged that the margin is a small one.
    survivors : Survivors or None
        How many of all flags are set too where expected events are off; None where that was not asked.
    """

    setting: Setting
    sizes: Sizes
    variation: Variation
    certificate: Certificate
    cautions: tuple[Caution, ...]
    notes: tuple[str, ...]
    rating_note: str
    shortened: int
    spread: WideSpread | None
    survivors: Survivors | None


@dataclass(frozen=True)
class NationFacts:
    """Facts of a pack about a nation."""

    shared: Shared
    tally: Tally
    coexistence: Coexistence
    funnel: TwoStageFunnel
    grid: Grid
    spots: Listed
    rating: NationRating | None
    types: tuple[TypeTally, ...]
    learning: Learning


@dataclass(frozen=True)
class TrustFacts:
    """Facts of a pack about one trust; `departments` are all of the trust's."""

    shared: Shared
    trust: str
    flags: Flags
    level: Level
    tally: Tally
    departments: tuple[Department, ...]
    funnel: TwoStageFunnel
    rating: TrustRating | None
    learning: Learning

    def of_status(self, status: str) -> tuple[Department, ...]:
        """Its departments of a status."""
        return tuple(each for each in self.departments if each.status == status)
