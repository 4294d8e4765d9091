"""The sentences of a board pack: one pure function a sentence, from numbers to words.

Every probability is said in one vocabulary (`words.PROBABILITY_WORDS`) with its number beside it. Nothing is called
significant, nothing is ranked, and a department of which nothing can be said is never presented as a reassurance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from brightspots.common.settings import Reference
from brightspots.common.vocabulary import (
    ALONE,
    BY_ASSUMPTION,
    NEAR_THE_MARGIN,
    NOT_ELIGIBLE,
    REASONS,
    THIN,
    UNLIKE_PEERS,
    FamilyName,
    HigherIs,
)
from brightspots.common.wording import stated_probability
from brightspots.report.measure import RATIOS, Measure
from brightspots.report.words import (
    Estimate,
    amount,
    counted,
    likelihood,
    listed,
    more_or_fewer,
    percent,
    probability_of,
    probability_text,
    share_of,
)

# Where a unit lies in a funnel, against its outer limits.
Side = Literal["above", "within", "below", "unplaced"]

_REFERENCE_WORDS: Final = {
    "organisation": "the other departments of its own trust",
    "peers": "the same department in other trusts",
    "both": "both the other departments of its own trust and the same department in other trusts",
}

_WHERE: Final = {
    "trust": "between trusts",
    "department": "between the departments of a trust",
    "period": "between periods of the same department",
}

# Why a department cannot be told, of one and of several.
_REASON_WORDS: Final = {
    THIN: (
        "is too thin: its interval holds a bright and a dark value alike",
        "are too thin: their intervals hold a bright and a dark value alike",
    ),
    NEAR_THE_MARGIN: (
        "lies near the margin, on one side of it or the other",
        "lie near the margin, on one side of it or the other",
    ),
    BY_ASSUMPTION: (
        "is in line by assumption alone: departments differ little here, but its data would not show if it did",
        "are in line by assumption alone: departments differ little here, but their data would not show if they did",
    ),
    UNLIKE_PEERS: (
        "is in line with its own trust and not shown to be so with the same department elsewhere",
        "are in line with their own trust and not shown to be so with the same department elsewhere",
    ),
    ALONE: ("is the only one of its trust", "are each the only one of their trust"),
    NOT_ELIGIBLE: ("is too small to be flagged under the rule", "are too small to be flagged under the rule"),
}


def compared_with(reference: Reference) -> str:
    """What a department is compared with under a rule."""
    return _REFERENCE_WORDS[reference]


def level_is(family: FamilyName) -> tuple[str, str]:
    """Subject with verb, and the pronoun of what it is compared with: a proportion is compared by its odds."""
    return ("its odds are", "those") if family == "binomial" else ("its level is", "that")


# ---- the whole nation ------------------------------------------------------------------------------------------


def sizes(
    trusts: int, types: int, cells: int, periods: Sequence[object] = (), *, in_order: bool = True
) -> str:
    """What was looked at; from which period to which only where their order in time is known."""
    over = ""
    if len(periods) > 1:
        over = f", over {len(periods)} periods"
        over += f" ({periods[0]} to {periods[-1]})" if in_order else ""
    return f"{counted(cells, 'department')} of {counted(trusts, 'trust')}, of {counted(types, 'type')}{over}."


def partition(shares: dict[str, Estimate]) -> str:
    """Where the variation lies; `shares` by level, among `trust`, `department` and `period`."""
    ordered = sorted(shares, key=lambda level: -shares[level].point)
    said = listed([f"{share_of(shares[level])} lies {_WHERE[level]}" for level in ordered])
    return f"Of the variation that chance does not explain, {said}."


def trusts_only() -> str:
    """Said instead of the partition where the model has no departments."""
    return "The model compares trusts only: it was fitted without departments, and there is no partition to show."


def departments_vary_more(p_exceeds: float) -> str:
    """Which of the two levels varies more."""
    if p_exceeds >= 0.5:
        return f"It is {likelihood(p_exceeds)} that departments within a trust differ more than trusts do."
    return f"It is {likelihood(1.0 - p_exceeds)} that trusts differ more than the departments within them do."


def typical_difference(
    level: Literal["trust", "department"], median: Estimate, measure: Measure = RATIOS
) -> str:
    """The median ratio, or difference, of a level in words."""
    who = {"trust": "Two trusts", "department": "Two departments of the same trust"}[level]
    return (
        f"{who}, picked at random, typically differ by {measure.apart(median)} "
        f"once {'case mix and chance are' if measure.is_ratio else 'chance is'} allowed for."
    )


def spread(sds: Mapping[str, Estimate], measure: Measure) -> str:
    """The standard deviations of levels; `sds` by level, among `trust`, `department` and `period`."""
    said = listed([f"{measure.apart(sd)} {_WHERE[level]}" for level, sd in sds.items()])
    return f"The standard deviation is {said}."


def flags(bright: int, dark: int, cells: int, expected_false: float) -> str:
    """How many bright and dark spots, and how many of the flags are expected to be false."""
    flagged = bright + dark
    if flagged == 0 and cells == 1:
        return (
            "The only department does not stand out with enough certainty to be flagged. This is not evidence that it "
            "is no bright or dark spot."
        )
    if flagged == 0:
        return (
            f"None of the {cells:,} departments stands out with enough certainty to be flagged. "
            "This is not evidence that there are no bright or dark spots."
        )
    found = listed([counted(dark, "dark spot"), counted(bright, "bright spot")])
    if flagged == 1:
        doubt = f"The probability that this flag is false is {probability_text(expected_false)}."
    else:
        false = "fewer than 0.1" if expected_false < 0.05 else f"about {amount(expected_false)}"
        doubt = f"Of these {flagged:,} flags, {false} are expected to be false."
    return f"Among {counted(cells, 'department')} there {'is' if dark == 1 else 'are'} {found}. {doubt}"


def coexistence(both: int, with_dark: int, with_bright: int, trusts: int) -> str:
    """How many trusts hold bright and dark spots at once."""
    if with_dark == 0 or with_bright == 0:
        kind = "bright" if with_dark == 0 else "dark"
        holding = with_bright if with_dark == 0 else with_dark
        if holding == 0:
            return f"None of the {trusts:,} trusts holds a flagged department."
        return f"{holding:,} of {trusts:,} trusts {_holds(holding)} a {kind} spot; none holds both kinds."
    return (
        f"{with_dark:,} of {trusts:,} trusts {_holds(with_dark)} at least one dark spot and {with_bright:,} "
        f"at least one bright spot; {'none holds' if both == 0 else f'{both:,} {_holds(both)}'} both kinds at once."
    )


def _holds(n: int) -> str:
    return "holds" if n == 1 else "hold"


def cannot_tell(n: int, cells: int) -> str:
    """Silence is not reassurance."""
    if n == 0:
        return "There is no department of which the data cannot tell."
    if cells == 1:
        which, it = "the only department", "it may be"
    elif n == cells:
        which, it = f"all {n:,} departments", "any of them may be"
    elif n == 1:
        which, it = f"1 of the {cells:,} departments", "it may be"
    else:
        which, it = f"{n:,} of the {cells:,} departments ({percent(n / cells)})", "any of them may be"
    return (
        f"For {which} the data cannot tell: {it} better, worse or in line. "
        "That nothing is flagged there is no assurance."
    )


def reasons(counts: Mapping[str, int]) -> str:
    """Why the data cannot tell; `counts` of departments by reason, those that occur."""
    said = [
        f"{counts[reason]:,} {_REASON_WORDS[reason][counts[reason] != 1]}"
        for reason in REASONS
        if counts.get(reason)
    ]
    return f"Why: {'; '.join(said)}."


def in_line(n: int, cells: int, margin: float, least: float, measure: Measure = RATIOS) -> str:
    """How many are shown to be unremarkable, and what that means."""
    sure = stated_probability(least)
    meaning = (
        f"with a probability of at least {sure} their level lies within {measure.margin(margin)} both of the rest of "
        "their own trust and of the same department elsewhere, and their own data alone say so of their trust"
    )
    if n == 0:
        return f"No department is shown to be in line (that {meaning})."
    if cells == 1:
        return f"The only department is shown to be in line: {meaning}."
    verb = "is" if n == 1 else "are"
    return f"{n:,} of {cells:,} departments {verb} shown to be in line: {meaning}."


def detectable(effect: float, higher_is: HigherIs, measure: Measure = RATIOS) -> str:
    """What would have to be true of the middle one of the departments that cannot be told before it were flagged.

    `effect` is that of the dark side: a ratio below 1, and 0 where none would do, for ``higher_is="better"``.
    """
    if not (1e-3 <= effect <= 1e3 if measure.is_ratio else math.isfinite(effect)):
        return (
            "At least half of them would not have been flagged with a probability of 0.8 however far they truly lay "
            "from their comparison."
        )
    if not measure.is_ratio:
        side = "above" if effect >= 0 else "below"
        return (
            "Half of them would be flagged as dark, with a probability of 0.8, only if their true level were at least "
            f"{measure.size(effect)} {measure.unit} {side} that of their comparison."
        )
    reach = f"at least {effect:.2f}" if higher_is == "worse" else f"at most {effect:.2f}"
    if not 0.1 <= effect <= 10.0:
        reach = "more than 10" if higher_is == "worse" else "less than 0.10"
    return (
        "Half of them would be flagged as dark, with a probability of 0.8, only if their true level were "
        f"{reach} times that of their comparison."
    )


# ---- the overall rating ----------------------------------------------------------------------------------------


def rating_explains(departments: Estimate, trust: Estimate | None = None) -> str:
    """How much of the variation the rating accounts for; of that between trusts only where trusts are rated."""
    if trust is None:
        return (
            f"The departments' own ratings account for {share_of(departments)} of the variation between the "
            "departments of all trusts."
        )
    return (
        f"The overall rating accounts for {share_of(trust)} of the variation between trusts, and for "
        f"{share_of(departments)} of the variation between their departments."
    )


def rating_explains_nothing(level: object, unit: str = "trust") -> str:
    """Said where only one band occurs; `unit` is what is rated."""
    return f"Every rated {unit} has the same rating ({level}), so it cannot tell departments apart."


def rating_reversed(p: Estimate, *, by_department: bool = False) -> str:
    """How often a department of the better-rated trust, or the better-rated department, is the worse one."""
    pair = (
        "a department rated higher and one rated lower, at random"
        if by_department
        else "one department at random from a higher-rated trust and one from a lower-rated trust"
    )
    return (
        f"Take {pair}: the first is the "
        f"worse one with a probability of {probability_of(p)}; "
        "a rating that said nothing would give 0.50."
    )


def against_rating(
    dark_in_strong: int, dark: int, bright_in_weak: int, bright: int, *, by_department: bool = False
) -> str:
    """How many flags contradict the rating of their trust (or their own); `dark` and `bright` count rated ones."""
    where = "where the department's own rating" if by_department else "in trusts whose overall rating"
    parts = []
    if dark:
        parts.append(f"{_of(dark_in_strong, dark, 'dark spot')} {where} is strong")
    if bright:
        parts.append(f"{_of(bright_in_weak, bright, 'bright spot')} {where} is weak")
    if not parts:
        return f"No {'rated department' if by_department else 'department of a rated trust'} is flagged."
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _of(part: int, whole: int, what: str) -> str:
    if whole == 1:
        return f"the only {what} {'lies' if part else 'does not lie'}"
    if part == 0:
        return f"none of the {whole:,} {what}s lies"
    if part == whole:
        return f"all {whole:,} {what}s lie"
    return f"{part:,} of the {whole:,} {what}s {'lies' if part == 1 else 'lie'}"


def unrated(n: int, total: int, units: str = "trusts") -> str:
    """How many trusts (or departments, where those are rated) have no rating."""
    has, is_ = ("has", "is") if n == 1 else ("have", "are")
    return f"{n:,} of {total:,} {units} {has} no rating and {is_} left out here."


def rating_not_independent() -> str:
    """Said where the rating was built partly from the same outcome."""
    return (
        "The rating was built partly from this outcome. The two are not independent, and agreement between "
        "them is partly an echo."
    )


def strong_is(rule: str) -> str:
    """Which ratings count as strong, and by which rule: ``"Good or better, on the … scale"``."""
    return f"Strong is {rule}; every other rating counts as weak."


def rated_overall(trust: str, level: object) -> str:
    """One trust's rating, of which it is not known whether it is strong."""
    return f"{trust} is rated {level} overall."


def own_rating(trust: str, level: object, strong: bool, dark: int, bright: int, *, rule: str = "") -> str:
    """One trust's rating, by which rule it is strong or weak, and which of its flags contradict it."""
    counts_as, by_rule = "strong" if strong else "weak", f" (strong is {rule})" if rule else ""
    said = f"{rated_overall(trust, level)[:-1]}, which counts as {counts_as}{by_rule}."
    contrary = counted(dark, "dark spot") if strong else counted(bright, "bright spot")
    if (dark if strong else bright) == 0:
        return f"{said} No flag contradicts that; departments that cannot be told may still do so."
    return f"{said} Within it, {contrary} {'stands' if (dark if strong else bright) == 1 else 'stand'} against that."


def no_rating(trust: str) -> str:
    """Said of a trust without a rating, of its own or of any of its departments."""
    return f"{trust} has no rating in these data."


# ---- one trust -------------------------------------------------------------------------------------------------


def trust_flags(trust: str, bright: Sequence[str], dark: Sequence[str], departments: int) -> str:
    """What is bright and what is dark in one trust."""
    if not bright and not dark:
        which = f"None of the {departments:,} departments" if departments != 1 else "The only department"
        verb = "is" if departments != 1 else "is not"
        return f"{which} of {trust} {verb} flagged. This is not evidence that all is well: see what cannot be told."
    said = []
    if dark:
        said.append(f"{counted(len(dark), 'dark spot')} ({listed(dark)})")
    if bright:
        said.append(f"{counted(len(bright), 'bright spot')} ({listed(bright)})")
    missing = "" if bright and dark else f" No {'bright' if dark else 'dark'} spot is flagged."
    return f"{trust} has {listed(said)}.{missing}"


def trust_level(
    trust: str,
    effect: Estimate,
    p_high: float,
    p_low: float,
    margin: float,
    family: FamilyName,
    measure: Measure = RATIOS,
) -> str:
    """One trust against the average trust."""
    subject, that = (f"level of {trust} is", "that")
    if family == "binomial":
        subject, that = (f"odds of {trust} are", "those")
    beyond = (
        f"It is {likelihood(p_high)} that it lies {measure.beyond(margin, 1)} and {likelihood(p_low)} that it "
        f"lies {measure.beyond(margin, -1)}."
    )
    return f"Overall, the {subject} {measure.against(effect, f'{that} of the average trust')}. {beyond}"


def spot(
    department: str,
    status: str,
    effect: Estimate,
    probability: float,
    *,
    reference: Reference,
    family: FamilyName,
    margin: float,
    other: Estimate | None = None,
    excess: Estimate | None = None,
    events: str = "events",
    measure: Measure = RATIOS,
) -> str:
    """One flagged department: how far from what it is compared with, what that means in events, how surely.

    `effect` and `other` are ratios or differences; `other` is that in the comparison that the rule does not make: what
    is dark in a good trust may be better than elsewhere. `excess` is left out for estimates, which count no events, and
    where the rule compares with peers.
    """
    subject, that = level_is(family)
    means = "" if excess is None else f", {more_or_fewer(excess, events)} than at its own trust's level"
    # Both comparisons are required at once, but one of them is shown: the one with the own trust.
    with_whom = compared_with("organisation" if reference == "both" else reference)
    return (
        f"{department} is a {status}: {subject} {measure.against(effect, f'{that} of {with_whom}')}{means}. "
        f"It is {likelihood(probability)} that the difference exceeds "
        f"{f'the margin of {margin:g}' if measure.is_ratio else measure.margin(margin)}."
        f"{_besides(other, reference, measure)}"
    )


def _besides(other: Estimate | None, reference: Reference, measure: Measure) -> str:
    if other is None or math.isnan(other.point):
        return ""
    compared = compared_with("organisation" if reference == "peers" else "peers")
    return f" Compared with {compared}, it stands {measure.stands(other)}."


def only_department(trust: str, department: str) -> str:
    """A trust with a single department has nothing of its own to compare it with."""
    return (
        f"{department} is the only department of {trust} in these data. It cannot be compared with other departments "
        "of its own trust, only with the same department elsewhere."
    )


def nothing_flagged(status: str) -> str:
    """No department of one trust has a status."""
    return f"No department is flagged as a {status}."


def outside_limits(n: int, units: int, level: float) -> str:
    """How many units of a funnel lie outside its outer limits."""
    return (
        f"Of {counted(units, 'trust')}, {'none lies' if n == 0 else f'{n:,} lies' if n == 1 else f'{n:,} lie'} outside "
        f"the {level * 100:g}% limits."
    )


def trust_in_funnel(trust: str, where: Side, level: float) -> str:
    """Where one trust lies among all trusts; to lie within the limits is no praise."""
    limits = f"the {level * 100:g}% limits"
    if where == "unplaced":
        reason = "the range of its suppressed counts reaches over one of them"
        return f"Whether {trust} lies within {limits} cannot be said: {reason}."
    ordinary = "chance and the ordinary variation between trusts"
    if where == "within":
        return f"{trust} lies within {limits}: {ordinary} could explain its level."
    return f"{trust} lies {where} {limits}, further out than {ordinary} lead one to expect."


# ---- whom to learn from ----------------------------------------------------------------------------------------


def learning(with_partner: int, without: int) -> str:
    """How many dark spots have a bright spot of their own kind to talk to."""
    total = with_partner + without
    if total == 0:
        return "There is no dark spot, and so no pair to suggest."
    if without == 0:
        whose = "The dark spot has" if total == 1 else f"Each of the {total:,} dark spots has"
        return f"{whose} at least one bright spot of the same kind in another trust to talk to."
    if with_partner == 0:
        whose = "The dark spot has" if total == 1 else f"None of the {total:,} dark spots has"
        return (
            f"{whose} {'no' if total == 1 else 'a'} bright spot of the same kind in another trust to talk to."
        )
    return (
        f"{with_partner:,} of the {total:,} dark spots {'has' if with_partner == 1 else 'have'} at least one "
        f"bright spot of the same kind in another trust to talk to; for the other {without:,} there is none."
    )
