"""Pure functions from facts to sentences: which sentences a pack has, and in what order.

Where a function returns several sentences, the first is their conclusion: the message of their section.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from brightspots.common import vocabulary as names
from brightspots.common.wording import stated_probability
from brightspots.report import cautions, rating_sentences, sentences, trust_sentences
from brightspots.report.department_facts import Department
from brightspots.report.facts import (
    Coexistence,
    Flags,
    Learning,
    Setting,
    Shared,
    Sizes,
    Tally,
    TrustFacts,
    TwoStageFunnel,
    Variation,
)
from brightspots.report.measure import UNITS, Measure
from brightspots.report.rating_facts import Rating, TrustRating
from brightspots.report.words import probability_words

_PAIR_IS = (
    "A pair is an invitation to talk, not a verdict: the two departments do the same kind of work, and the table says "
    "how probable it is that one of them truly gets better results."
)
_MODEL = (
    "A hierarchical Bayesian model then separates what is due to chance, to the type of department nationally, to the "
    "trust, and to the department within its trust. Small departments are pulled towards the average, by as much as "
    "their numbers are uncertain, so that small numbers do not look remarkable merely because they vary more."
)
_PERIODS = (
    "The data cover several periods. What is reported of a department is its average over the periods shown; what was "
    "particular to one of them is set apart. It is not a statement of where the department stands in the last period, "
    "or will stand in the next."
)


# ---- of every pack ---------------------------------------------------------------------------------------------


def warning(shared: Shared) -> str | None:
    """The warning at the top: that the fit did not earn its certificate, or that its data are in doubt; else None."""
    said = [] if shared.certificate.ok else [certificate(shared)]
    doubtful = [caution.code for caution in shared.cautions if caution.is_doubt]
    if doubtful:
        said.append(cautions.doubts(doubtful))
    return " ".join(said) or None


def sizes(of: Sizes) -> str:
    """Numbers of trusts, types, departments and periods."""
    return sentences.sizes(of.trusts, of.types, of.departments, of.periods, in_order=of.periods_in_order)


def variation(of: Variation) -> tuple[str, ...]:
    """The partition of the variance."""
    if not of.has_departments:
        return (sentences.trusts_only(),)
    return (
        sentences.partition(of.shares),
        sentences.departments_vary_more(of.p_department_exceeds_trust),
    )


def typical_differences(of: Variation, measure: Measure) -> tuple[str, ...]:
    """The typical difference between two units of each level; for differences also the standard deviations."""
    said = [
        sentences.typical_difference("trust", of.typical["trust"], measure),
        sentences.typical_difference("department", of.typical["department"], measure),
    ]
    if not measure.is_ratio:
        said.append(sentences.spread(of.sds, measure))
    return tuple(said)


def certificate(shared: Shared) -> str:
    """Whether the numbers may be relied on."""
    earned = shared.certificate
    return cautions.certificate(earned.ok, earned.method, earned.effective_draws, earned.message)


def notes(shared: Shared, given: Sequence[str]) -> tuple[str, ...]:
    """Notes on the data, those of the data and those `given` by the author, without repetitions."""
    said = [*given]
    if shared.rating_note:
        said.append(shared.rating_note)
    if shared.shortened:
        said.append(cautions.shortened(shared.shortened))
    return tuple(dict.fromkeys([*said, *shared.notes]))


def method(setting: Setting) -> tuple[str, ...]:
    """The method, a paragraph each."""
    rule, measure, events = setting.rule, setting.measure, setting.events
    unit = "" if measure.is_ratio or measure.unit == UNITS else f", in {measure.unit}"
    expected = ", and with the number expected from their case mix." if setting.has_expected else "."
    if not setting.family.is_count:
        counted = f"Each department is described by an estimate with its standard error{unit}."
    elif setting.family.is_bounded:
        counted = f"The {events} of each department are compared with the number of its patients{expected}"
    else:
        counted = f"The {events} of each department are compared with the number expected from its patients."
    made = "counted" if setting.counts_events else "measured"
    said = [
        f"{counted} {_MODEL}",
        f"{cautions.rule(setting.margin, rule, measure)} "
        f"{cautions.direction(setting.higher_is, events, measure)}",
        f"{cautions.what_a_flag_is()} Case mix, coding and what was {made} can all produce one. "
        "The absence of a flag is not a clean bill of health.",
    ]
    if setting.has_periods:
        said.append(_PERIODS)
    return tuple(said)


def terms(setting: Setting) -> tuple[tuple[str, str], ...]:
    """The words of a pack, and what each means."""
    measure, limit = setting.measure, setting.measure.margin(setting.margin)
    sure = f"probability at least {stated_probability(setting.rule.in_line)}"
    share = setting.rule.share
    flagged = (
        f"by more than {limit}"
        if share is None
        else f"among the {100 * share:g}% of departments that differ most"
    )
    unknown = (
        "The data do not say any of these: most often they are too thin."
        if share is None
        else "The data show none of these; it may still differ."
    )
    said = [
        (
            "Dark spot, bright spot",
            f"A department flagged on the bad or on the good side, {flagged}.",
        ),
        (
            "In line",
            f"There is evidence, in its own data too, that the department lies within {limit} both of the rest of its "
            f"own trust and of the same department elsewhere ({sure}).",
        ),
        (
            "Cannot tell",
            f"{unknown} It is not good news, and not bad news.",
        ),
        (
            sentences.level_noun(setting.family).capitalize(),
            "What a department's results come to once chance and the national level of its type are allowed for; "
            f"{'1.00' if measure.is_ratio else '0'} is the same as the comparison.",
        ),
    ]
    if setting.counts_events:
        excess = (
            f"How many more (+) or fewer (−) {setting.events} there were than at the level of the other departments of "
            "the same trust."
        )
        said.append((f"Excess {setting.events}", excess))
    interval = (
        "The range in which the true value lies with a probability of 0.95, given the model and the data."
    )
    return (*said, ("95% interval", interval), ("Probability words", probability_words()))


# ---- of flags and of what cannot be told -----------------------------------------------------------------------


def flags(tally: Tally) -> str:
    """How many bright and dark spots there are."""
    counts = tally.counts
    return sentences.flags(counts[names.BRIGHT], counts[names.DARK], tally.departments, tally.expected_false)


def coexistence(of: Coexistence) -> str:
    """How many trusts hold both kinds at once."""
    return sentences.coexistence(of.both, of.with_dark, of.with_bright, of.trusts)


def cannot_tell(tally: Tally, setting: Setting) -> tuple[str, ...]:
    """How many departments have the status "cannot tell", why, and their median detectable effect."""
    count = tally.counts[names.CANNOT_TELL]
    if setting.rule.share is not None:
        # Why, and what would have been flagged, are told of a margin.
        return (sentences.not_extreme(count, tally.departments, setting.rule.share),)
    said = [sentences.cannot_tell(count, tally.departments)]
    if tally.reasons:
        said.append(sentences.reasons(tally.reasons))
    if not np.isnan(tally.reach):
        said.append(sentences.detectable(tally.reach, setting.higher_is, setting.measure))
    return tuple(said)


def in_line(tally: Tally, setting: Setting) -> str:
    """How many departments are in line."""
    count = tally.counts[names.IN_LINE]
    return sentences.in_line(count, tally.departments, setting.margin, setting.rule.in_line, setting.measure)


def learning(of: Learning) -> tuple[str, ...]:
    """How many dark spots have a partner, and what a pair is; a paragraph each."""
    message = sentences.learning(of.with_partner, of.without)
    return (message, _PAIR_IS) if of.with_partner else (message,)


# ---- of the two stages of the funnel ---------------------------------------------------------------------------


def funnel(of: TwoStageFunnel) -> tuple[str, ...]:
    """What the figure shows."""
    said = [_outside(of)]
    if of.unplaced:
        said.append(cautions.cannot_be_placed(of.unplaced))
    if of.departments is not None:
        said.append(f"The departments drawn are {len(of.departments.points):,} of {of.flags.trust}.")
    said += [cautions.bars(labels) for labels in of.barred if labels]
    return tuple(said)


def panels(of: TwoStageFunnel) -> tuple[str, ...]:
    """What each panel shows, a sentence each."""
    first = _outside(of)
    if of.side is not None:
        first = trust_sentences.trust_in_funnel(of.flags.trust, of.side, of.levels[-1])
    return (first,) if of.departments is None else (first, trust_flags(of.flags))


def beside_the_funnel(of: TwoStageFunnel) -> tuple[str, ...]:
    """Cautions on its counts and limits, a paragraph each."""
    said = []
    if of.withheld:
        drawn = sum(map(len, of.barred))
        said.append(cautions.suppressed(of.withheld, of.counts, drawn))
    return (*said, *map(cautions.data, of.doubts))


def funnel_caption(of: TwoStageFunnel, setting: Setting) -> str:
    """How to read the figure."""
    inner, outer = (f"{level * 100:g}%" for level in of.levels)
    caption = (
        "First, every trust against the national level; then the departments of one trust against the trust's own "
        f"level. The lines are limits within which {inner} (dashed) and {outer} (solid) of units of that size are "
        f"expected, given chance and the ordinary variation between trusts or departments. Among trusts the "
        f"marks show which lie outside the {outer} limits; among departments they show the statuses."
    )
    if of.is_example:
        caption += (
            f" {of.flags.trust} is an example: the first, by {setting.ordered_by}, with flags of both kinds, else with "
            "any, else the first."
        )
    return caption


def _outside(of: TwoStageFunnel) -> str:
    return trust_sentences.outside_limits(of.outside, len(of.nation.points), of.levels[-1])


# ---- of ratings ------------------------------------------------------------------------------------------------


def rating(of: Rating) -> tuple[str, ...]:
    """How many flags contradict the ratings."""
    said = [of.note]
    if of.strong_rule is not None:
        counts = of.divergence
        said = [
            rating_sentences.against_rating(
                counts.dark_in_strong, counts.dark, counts.bright_in_weak, counts.bright, by_department=of.by_department
            ),
            rating_sentences.strong_is(of.strong_rule),
        ]  # fmt: skip
    if of.uses_outcome:
        said.append(rating_sentences.rating_not_independent())
    return tuple(said)


def trust_rating(trust: str, of: TrustRating) -> tuple[str, ...]:
    """Which flags of one trust contradict its rating, or those of its departments."""
    if not of.is_rated:
        return (rating_sentences.no_rating(trust),)
    if of.level is None:
        return rating(of.rating)
    counts = of.rating.divergence
    if of.strong is None:
        said = [f"{rating_sentences.rated_overall(trust, of.level)} {of.rating.note}"]
    else:
        rule = of.rating.strong_rule or ""
        said = [
            rating_sentences.own_rating(trust, of.level, of.strong, counts.dark, counts.bright, rule=rule)
        ]
    if of.rating.uses_outcome:
        said.append(rating_sentences.rating_not_independent())
    return tuple(said)


def rating_explained(of: Rating) -> tuple[str, ...]:
    """The share of the variance that the ratings explain."""
    unit = "department" if of.by_department else "trust"
    if of.explained is None:
        return (rating_sentences.rating_explains_nothing(of.worst, unit),)
    said = [
        rating_sentences.rating_explains(of.explained.departments, of.explained.trusts),
        rating_sentences.rating_reversed(of.explained.reversed, by_department=of.by_department),
    ]
    if of.unrated:
        said.append(rating_sentences.unrated(of.unrated, of.units, f"{unit}s"))
    return tuple(said)


# ---- of one trust ----------------------------------------------------------------------------------------------


def trust_flags(of: Flags) -> str:
    """The bright and dark spots of one trust."""
    return trust_sentences.trust_flags(of.trust, of.bright, of.dark, of.departments)


def level(of: TrustFacts) -> str:
    """One trust against the average trust."""
    setting, found = of.shared.setting, of.level
    return trust_sentences.trust_level(
        of.trust, found.effect, found.p_high, found.p_low, setting.margin, setting.family, setting.measure
    )


def spot(of: Department, setting: Setting) -> str:
    """One flagged department."""
    peers = setting.rule.reference == "peers"
    return trust_sentences.spot(
        of.name,
        of.status,
        of.effect(setting.first),
        of.probability,
        reading=of.reading,
        reference=setting.rule.reference,
        family=setting.family,
        margin=setting.margin,
        share=setting.rule.share,
        other=of.effect(setting.second),
        excess=None if peers else of.excess,
        events=setting.events,
        measure=setting.measure,
    )
