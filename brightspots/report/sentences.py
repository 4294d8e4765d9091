"""The sentences of a board pack: each is a pure function from numbers to a sentence.

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
    HigherIs,
)
from brightspots.common.wording import stated_probability
from brightspots.likelihood.family import Family
from brightspots.report.measure import RATIOS, Measure
from brightspots.report.words import (
    Estimate,
    amount,
    counted,
    likelihood,
    listed,
    percent,
    probability_text,
    share_of,
)

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


def level_noun(family: Family) -> str:
    """Word for what is compared between departments or trusts; for proportions the odds."""
    return "odds" if family.link == "logit" else "level"


def level_is(family: Family) -> tuple[str, str]:
    """Subject with verb, and the pronoun of what it is compared with."""
    return (
        (f"its {level_noun(family)} are", "those")
        if family.link == "logit"
        else (f"its {level_noun(family)} is", "that")
    )


# ---- the whole nation ------------------------------------------------------------------------------------------


def sizes(
    trusts: int, types: int, cells: int, periods: Sequence[object] = (), *, in_order: bool = True
) -> str:
    """Numbers of trusts, types and departments; the first and last period only where their order in time is known."""
    over = ""
    if len(periods) > 1:
        over = f", over {len(periods)} periods"
        over += f" ({periods[0]} to {periods[-1]})" if in_order else ""
    return f"{counted(cells, 'department')} of {counted(trusts, 'trust')}, of {counted(types, 'type')}{over}."


def partition(shares: Mapping[str, Estimate]) -> str:
    """Shares of the variance; `shares` by level, among `trust`, `department` and `period`."""
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
    """How many departments have the status "cannot tell", and that this is no reassurance."""
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


def not_extreme(n: int, cells: int, share: float) -> str:
    """How many departments are neither shown to be among the most extreme share nor in line."""
    if n == 0:
        return "Every department is shown to be among those that differ most, or to be in line."
    if cells == 1:
        which = "the only department"
    elif n == cells:
        which = f"all {n:,} departments"
    else:
        which = f"{n:,} of the {cells:,} departments ({percent(n / cells)})"
    return (
        f"Of {which} the data show neither that they belong to the {100 * share:g}% that differ most nor that they are "
        "in line. That nothing is flagged there is no assurance."
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
    """How many departments are in line, and what that means."""
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
    """The median detectable effect of the departments with the status "cannot tell".

    `effect` is on the dark side; for ``higher_is="better"`` a ratio below 1, and 0 where no effect would be flagged.
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


# ---- whom to learn from ----------------------------------------------------------------------------------------


def learning(with_partner: int, without: Mapping[str, int]) -> str:
    """How many dark spots have a better department of their type to learn from, and why others have none.

    Parameters
    ----------
    with_partner : int
    without : mapping of str to int
        Dark spots without a partner, by reason.
    """
    alone = sum(without.values())
    total = with_partner + alone
    if total == 0:
        return "There is no dark spot, and so no pair to suggest."
    if not alone:
        whose = "The dark spot has" if total == 1 else f"Each of the {total:,} dark spots has"
        return f"{whose} at least one better department of the same kind in another trust to talk to."
    because = (
        next(iter(without))
        if len(without) == 1
        else listed([f"{reason} ({n:,})" for reason, n in without.items()])
    )
    if with_partner == 0:
        whose = "The dark spot has no" if total == 1 else f"None of the {total:,} dark spots has a"
        return f"{whose} better department of the same kind in another trust to talk to: {because}."
    return (
        f"{with_partner:,} of the {total:,} dark spots {'has' if with_partner == 1 else 'have'} at least one better "
        f"department of the same kind in another trust to talk to; for the other {alone:,} there is none: {because}."
    )
