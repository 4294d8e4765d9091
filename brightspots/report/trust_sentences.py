"""The sentences of a board pack on one trust: its level, its spots, and its place among all trusts.

As in `sentences`, each is a pure function from numbers to a sentence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from brightspots.common.settings import Reference
from brightspots.likelihood.family import Family
from brightspots.report.facts import Side
from brightspots.report.measure import RATIOS, Measure
from brightspots.report.sentences import compared_with, level_is, level_noun
from brightspots.report.words import Estimate, counted, likelihood, listed, more_or_fewer


def trust_flags(trust: str, bright: Sequence[str], dark: Sequence[str], departments: int) -> str:
    """The bright and dark spots of one trust."""
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
    family: Family,
    measure: Measure = RATIOS,
) -> str:
    """One trust against the average trust."""
    verb, that = ("are", "those") if family.link == "logit" else ("is", "that")
    subject = f"{level_noun(family)} of {trust} {verb}"
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
    reading: str = "",
    reference: Reference,
    family: Family,
    margin: float,
    share: float | None = None,
    other: Estimate | None = None,
    excess: Estimate | None = None,
    events: str = "events",
    measure: Measure = RATIOS,
) -> str:
    """One flagged department: its effect, what that means in events, and its probability.

    `reading` says what it is in both comparisons (`vocabulary.READINGS`), because a dark spot of a good trust may still
    be better than its peers. `effect` and `other` are ratios or differences; `other` is the effect in the comparison
    that the rule does not use. `excess` is None for estimates, which count no events, and where the rule compares with
    peers.
    """
    called = f"{status} ({reading})" if reading else status
    subject, that = level_is(family)
    means = "" if excess is None else f", {more_or_fewer(excess, events)} than at its own trust's level"
    # Where the rule requires both comparisons, the one with the own trust is shown.
    with_whom = compared_with("organisation" if reference == "both" else reference)
    if share is not None:
        claim = f"it belongs to the {100 * share:g}% of departments that differ most"
    else:
        limit = f"the margin of {margin:g}" if measure.is_ratio else measure.margin(margin)
        claim = f"the difference exceeds {limit}"
    return (
        f"{department} is a {called}: {subject} {measure.against(effect, f'{that} of {with_whom}')}{means}. "
        f"It is {likelihood(probability)} that {claim}.{_besides(other, reference, measure)}"
    )


def _besides(other: Estimate | None, reference: Reference, measure: Measure) -> str:
    if other is None or math.isnan(other.point):
        return ""
    compared = compared_with("organisation" if reference == "peers" else "peers")
    return f" Compared with {compared}, it stands {measure.stands(other)}."


def only_department(trust: str, department: str) -> str:
    """That a trust has a single department, which cannot be compared with others of the trust."""
    return (
        f"{department} is the only department of {trust} in these data. It cannot be compared with other departments "
        "of its own trust, only with the same department elsewhere."
    )


def nothing_flagged(status: str) -> str:
    """That no department of a trust has a status."""
    return f"No department is flagged as a {status}."


def outside_limits(n: int, units: int, level: float) -> str:
    """How many units of a funnel lie outside its outer limits."""
    return (
        f"Of {counted(units, 'trust')}, {'none lies' if n == 0 else f'{n:,} lies' if n == 1 else f'{n:,} lie'} outside "
        f"the {level * 100:g}% limits."
    )


def trust_in_funnel(trust: str, where: Side, level: float) -> str:
    """Where one trust lies against the limits of the funnel of all trusts."""
    limits = f"the {level * 100:g}% limits"
    if where == "unplaced":
        reason = "the range of its suppressed counts reaches over one of them"
        return f"Whether {trust} lies within {limits} cannot be said: {reason}."
    ordinary = "chance and the ordinary variation between trusts"
    if where == "within":
        return f"{trust} lies within {limits}: {ordinary} could explain its level."
    return f"{trust} lies {where} {limits}, further out than {ordinary} lead one to expect."
