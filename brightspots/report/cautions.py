"""The cautions of a board pack: what a flag is, how far to trust the numbers, and what a file leaves out.

As in `sentences`, each is a pure function from numbers to a sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from brightspots.common.settings import SpotRule
from brightspots.common.vocabulary import NATIONAL_RATIO, SHRUNKEN, TOO_ALIKE, HigherIs
from brightspots.common.wording import percent
from brightspots.report.measure import RATIOS, Measure
from brightspots.report.sentences import compared_with
from brightspots.report.words import counted, listed

# Units named in a sentence about a figure; the others are in its tables.
_MOST_NAMED: Final = 10


# ---- what a flag is --------------------------------------------------------------------------------------------


def what_a_flag_is() -> str:
    """The caveat of every flag."""
    return "A flag is a reason to look, not a finding about the quality of care."


# ---- how far to trust it ---------------------------------------------------------------------------------------


def rule(margin: float, of: SpotRule, measure: Measure = RATIOS) -> str:
    """What makes a department a bright or dark spot."""
    what = f"differ from {compared_with(of.reference)} by more than {measure.margin(margin)}"
    if of.share is not None:
        whom = compared_with(of.reference)
        what = f"belong to the {100 * of.share:g}% of departments that differ most from {whom}"
    floor = (
        ""
        if of.min_probability == 0.0
        else f", and never where that probability is below {of.min_probability:g}"
    )
    return (
        f"Departments are flagged by the probability that they {what}, the most probable first, for as long as the "
        f"expected share of false flags stays at or below {100 * of.fdr:g}%{floor}."
    )


def wide_spread(flagged: float, extreme: float, margin: float, measure: Measure = RATIOS) -> str:
    """That a margin which flags so many departments is small beside the ordinary spread between them."""
    return (
        f"{percent(flagged)} of all departments are flagged: {measure.margin(margin)} is small beside the ordinary "
        f"spread between departments, and a flag alone says little here. The most extreme tenth differ by more than "
        f"{measure.margin(float(f'{extreme:.3g}'))}."
    )


def surviving(flags: int, survive: Sequence[tuple[float, int]], *, adjusted: bool) -> str:
    """How many flags would be set too if what was expected were off, by the size of the errors.

    Parameters
    ----------
    flags : int
    survive : sequence of (size, flags that survive)
    adjusted : bool
        Whether there are expected events; else every department is expected to have the national odds of its kind.
    """
    (size, n), *more = survive
    what = "what was expected of each department" if adjusted else "the odds expected of each department"
    if flags == 1:
        said = (
            "the one flag in these data would still be set"
            if n
            else "the one flag in these data would not be set"
        )
        said += "".join(
            f", {'and' if kept else 'but not'} if by about {100 * of:g}%" for of, kept in more if n
        )
    else:
        kept = f"all {flags:,} flags" if n == flags else f"{_or_none(n)} of all {flags:,} flags"
        others = "".join(f", and {_or_none(left)} of them if by about {100 * of:g}%" for of, left in more)
        said = f"{kept} in these data would still be set{others}"
    doubt = "No adjustment for case mix is perfect" if adjusted else "Nothing here is adjusted for case mix"
    lost = any(left < flags for _, left in survive)
    rest = f" {doubt}; {'it' if flags == 1 else 'the others'} could come from that." if lost else ""
    return f"If {what} were off by about {100 * size:g}%, {said}.{rest}"


def _or_none(n: int) -> str:
    return f"{n:,}" if n else "none"


def direction(higher_is: HigherIs, events: str, measure: Measure = RATIOS) -> str:
    """Which side is dark."""
    more, fewer = ("dark", "bright") if higher_is == "worse" else ("bright", "dark")
    if not measure.is_ratio:
        return f"Estimates above those elsewhere count as {more}, estimates below as {fewer}."
    return f"More {events} than elsewhere count as {more}, fewer as {fewer}."


def certificate(ok: bool, method: str, effective_draws: float, message: str) -> str:
    """Whether the numbers may be relied on; said at the top where they may not."""
    how = {"integrate": "numerical integration", "nuts": "Markov chain Monte Carlo (NUTS)"}[method]
    if ok:
        return (
            f"The computation checked itself and passed: {how}, worth {effective_draws:,.0f} independent draws "
            "from the model."
        )
    return (
        f"Do not rely on these numbers yet. The computation ({how}) did not pass its own check: {message}. "
        "Everything on this page may change when it is run again."
    )


def doubts(kinds: Sequence[str]) -> str:
    """What of the data is in doubt, in one sentence for the top of the pack; `data` gives it in full."""
    what = {
        NATIONAL_RATIO: "the expected events are probably something else than the number of events expected",
        SHRUNKEN: "the estimates look as if a model had pulled them together before",
        TOO_ALIKE: "the standard errors are probably something else, for the estimates differ by far less",
    }
    return (
        f"Check the data before relying on these numbers: {listed([what[kind] for kind in kinds])}. The section on the "
        "certificate says why."
    )


def data(text: str) -> str:
    """A caution on the data (`brightspots.data.checks`) in full."""
    return f"About the data: {text}"


def bars(labels: Sequence[str]) -> str:
    """Which units of a funnel have suppressed counts, for readers who cannot see the figure."""
    more = [f"{len(labels) - _MOST_NAMED:,} more"] if len(labels) > _MOST_NAMED else []
    shown = listed([*labels[:_MOST_NAMED], *more])
    return f"Drawn as a bar, from the least to the most that a suppressed count can be: {shown}."


def cannot_be_placed(n: int) -> str:
    """How many units cannot be placed within or outside the limits because their counts are suppressed."""
    whose = (
        "the range of its suppressed counts reaches"
        if n == 1
        else "the ranges of their suppressed counts reach"
    )
    return f"Of {n:,} it cannot be said: {whose} over a limit."


def suppressed(n: int, counts: int, drawn: int) -> str:
    """How many counts are known only as a range, how they are used, and how the funnels show it."""
    bars_drawn = (
        f" In the funnels {drawn:,} {'point is an upright bar' if drawn == 1 else 'points are upright bars'}, from the "
        "least to the most that it can be."
        if drawn
        else ""
    )
    return (
        f"{n:,} of {counts:,} counts {'is' if n == 1 else 'are'} withheld or rounded, and used as the "
        f"range they are known to lie in.{bars_drawn}"
    )


# ---- what a file leaves out ------------------------------------------------------------------------------------


def closing() -> str:
    """The last words of every pack."""
    return (
        "Bright and dark spots are a place to start asking, not a judgement. Figures are estimates with intervals; "
        "read them together."
    )


def abridged(shown: int, total: int, kinds: Sequence[str] = (), *, printed: bool = False) -> str:
    """What a table on paper leaves out, and where it is; `printed` of the page itself."""
    verb = "is" if shown == 1 else "are"
    quoted = listed([f"“{kind}”" for kind in kinds])
    of_each = f" (the same number of each of {quoted} where there are enough)" if len(kinds) > 1 else ""
    rest = "the page on screen holds" if printed else "the page (.html) and the exported tables hold"
    return f"{shown:,} of {total:,} rows {verb} shown here, in their order{of_each}; {rest} more."


def shortened(n: int) -> str:
    """How many names are too long to be written whole."""
    whose = "1 name of a trust or department is" if n == 1 else f"{n:,} names of trusts or departments are"
    return (
        f"{whose} too long to be written whole, and cut where … stands; the exported tables hold them whole."
    )


def columns_without_names(types: int) -> str:
    """Said of a grid with too many types of department to name."""
    return (
        f"The columns are the {types:,} department types in the order of their names, too many to write here; "
        "the page (.html) names them."
    )


def grid_on_a_slide(trusts: int, types: int, *, named: bool, name_rows: bool) -> str:
    """How to read the grid on a slide, where it lies on its side and names may have no room."""
    row = f"Each column is one of {counted(trusts, 'trust')}, each row one of {counted(types, 'department type')}"
    missing = [what for what, there in (("trusts", name_rows), ("departments", named)) if not there]
    without = (
        f" The names of {listed(missing)} have no room here; the paper (.docx) or the page (.html) has them."
        if missing
        else ""
    )
    return f"{row}, in the order of their labels, not of their results.{without}"
