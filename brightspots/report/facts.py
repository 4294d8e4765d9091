"""What a pack has to tell, as numbers and names: computed once from a fit and its spots, before any word is chosen.

`gather` computes these; `sentences`, `paragraphs` and `tables` say them. Nothing here knows of a sentence or of a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from brightspots.common.cautions import Caution
from brightspots.common.settings import SpotRule
from brightspots.common.vocabulary import HigherIs
from brightspots.engine.posterior import Certificate
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
    """What is compared with what, and how it is measured: the same in every part of a pack.

    Parameters
    ----------
    events : str
        What is counted, in the plural.
    measure : Measure
        How effects are said.
    family : Family
    higher_is : {"worse", "better"}
    rule : SpotRule
    margin : float
        What an effect must exceed to matter: a ratio, or a difference in the unit of `measure`.
    span : float
        Half the width of the scale on which tables draw differences.
    ordered_by : {"names", "codes"}
        What trusts are sorted by.
    first : {"own", "peer"}
        The comparison that the rule speaks of first.
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
    """How much was looked at; `periods` in their order, and whether that is known to be the order in time."""

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
        Those that cannot be told by what is missing.
    reach : float
        The middle effect at which those that cannot be told would be flagged as dark; NaN where there is none.
    """

    counts: Mapping[str, int]
    expected_false: float
    reasons: Mapping[str, int]
    reach: float

    @property
    def departments(self) -> int:
        """All of them."""
        return sum(self.counts.values())


@dataclass(frozen=True)
class Flags:
    """The flagged departments of one trust by name, among how many."""

    trust: str
    bright: tuple[str, ...]
    dark: tuple[str, ...]
    departments: int


# ---- of one part -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Variation:
    """Where the variation lies.

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
        What share of units the inner and the outer limits hold.
    flags : Flags
        Of that trust.
    is_example : bool
        Whether that trust is an example, and not what the pack is about.
    side : Side or None
        Where that trust lies among all; None of an example.
    outside, unplaced : int
        Trusts outside the outer limits, and those of which suppressed counts leave it open.
    withheld, counts : int
        Counts known only as a range, of all.
    doubts : tuple of str
        What is to be known of the data where limits are read.
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
    """One department type: its departments by status, and the middle effect that would be flagged (`Tally`)."""

    name: str
    counts: Mapping[str, int]
    reach: float


@dataclass(frozen=True)
class Pair:
    """A dark spot with a bright spot to talk to, and how probably that is truly better."""

    trust: str
    department: str
    partner: str
    size: float
    partner_size: float
    p_better: float


@dataclass(frozen=True)
class Learning:
    """Dark spots with and without a partner; the first pairs of `total`, of the nation or of one trust."""

    with_partner: int
    without: int
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
    """What every pack of a fit tells.

    Parameters
    ----------
    setting : Setting
    sizes : Sizes
    variation : Variation
    certificate : Certificate
    cautions : tuple of Caution
        What is to be known of the data.
    notes : tuple of str
        What was noted of the data on their way in.
    rating_note : str
        Why there is nothing of a rating that was given; empty else.
    shortened : int
        Names that are too long to be written whole.
    """

    setting: Setting
    sizes: Sizes
    variation: Variation
    certificate: Certificate
    cautions: tuple[Caution, ...]
    notes: tuple[str, ...]
    rating_note: str
    shortened: int


@dataclass(frozen=True)
class NationFacts:
    """What a pack about a nation tells."""

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
    """What a pack about one trust tells; `departments` are all of its own."""

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
