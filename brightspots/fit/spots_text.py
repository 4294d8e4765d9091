"""Text and HTML of a list of spots, rounded for people. All text from data is escaped in HTML."""

from __future__ import annotations

import html
from typing import Any

import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.wording import interval_text, percent, probability_text
from brightspots.fit.decided import Decided
from brightspots.fit.frames import with_interval

# Departments that the text, and a notebook, show.
SHOWN_SPOTS, SHOWN_ON_A_PAGE = 10, 100
# Trusts are counted as beyond the margin from this probability.
SURELY = 0.95
_SHORT = {names.BRIGHT: "bright", names.DARK: "dark", names.IN_LINE: "in line"}


def spots_line(spots: Decided) -> str:
    """Counts by status and the expected number of false flags, in one line."""
    counts = spots.summary()["departments"]
    plural = {names.BRIGHT: "bright spots", names.DARK: "dark spots"}
    said = [
        f"{count:,} {status if count == 1 else plural.get(str(status), str(status))}"
        for status, count in counts.items()
    ]
    reference = {
        "organisation": "their own trust",
        "peers": "the same department elsewhere",
        "both": "their own trust and the same department elsewhere",
    }
    share, asked = spots.rule.share, _margin_words(spots)
    if share is not None:
        asked = f"the most extreme {percent(share)} of effects (in line: {asked})"
    return (
        f"Departments against {reference[spots.rule.reference]}, {asked}: {', '.join(said)}; "
        f"{spots.expected_false_flags:.1f} of the flags are expected to be false"
    )


def _margin_words(spots: Decided, of: str = "") -> str:
    word = "margin" if spots.effects.cells.is_ratio else "difference"
    return f"{word}{of} {spots.margin:g}"


def spots_table(spots: Decided) -> pd.DataFrame:
    """The flagged departments, most certain first within dark and bright, rounded for people."""
    flagged = spots.table[spots.table["status"].isin([names.BRIGHT, names.DARK])]
    flagged = flagged.sort_values(["status", "probability"], ascending=[False, False], kind="stable")
    shown_for = {"organisation": ["own"], "peers": ["peer"], "both": ["own", "peer"]}
    kind, form = ("ratio", ".2f") if spots.effects.cells.is_ratio else ("difference", ".3g")
    columns: dict[str, Any] = {name: flagged[name] for name in ("trust", "department", "status", "reading")}
    for of in shown_for[spots.rule.reference]:
        told = with_interval(flagged, f"{of}_{kind}")
        columns[f"{of} {kind}"] = [interval_text(*row, form=form) for row in told]
    if spots.effects.cells.family.is_count:  # estimates have no events to be in excess
        columns["excess"] = [
            "only department" if pd.isna(events) else f"{events:+,.0f}" for events in flagged["excess"]
        ]
    columns["probability"] = flagged["probability"].map(probability_text)
    if "periods" in flagged:
        columns["periods on this side"] = [
            f"{same} of {compared}"
            for same, compared in zip(flagged["periods_same_side"], flagged["periods"], strict=True)
        ]
    shown = pd.DataFrame(columns)
    if spots.ratings is not None:
        shown["rating"] = flagged["rating"].map(lambda value: "not rated" if pd.isna(value) else str(value))
    if spots.ratings is not None and spots.ratings.strong is not None:
        shown["against rating"] = flagged["rating_status"]
    return shown.reset_index(drop=True)


def spots_text(spots: Decided) -> str:
    """The list as text: at most `SHOWN_SPOTS` departments, and how many more there are."""
    table = spots_table(spots)
    lines = [spots_line(spots)]
    if len(table):
        lines += ["", table.head(SHOWN_SPOTS).to_string(index=False)]
    lines += _footnotes(spots, len(table) - SHOWN_SPOTS)
    return "\n".join(lines)


def spots_html(spots: Decided) -> str:
    """The list as an HTML fragment: at most `SHOWN_ON_A_PAGE` departments, and how many more there are."""
    rows = spots_table(spots)
    notes = "".join(f"<p>{html.escape(note)}</p>" for note in _footnotes(spots, len(rows) - SHOWN_ON_A_PAGE))
    table: Any = rows.head(SHOWN_ON_A_PAGE).to_html(index=False, escape=True, border=0)
    return f"<div class='brightspots'><p><b>{html.escape(spots_line(spots))}</b></p>{table}{notes}</div>"


def _other_comparison(spots: Decided) -> str:
    """How many departments are flagged, and in line, against the reference that the statuses do not use."""
    by_peers = spots.rule.reference == "organisation"
    status = spots.decisions.peer_status if by_peers else spots.decisions.own_status
    whom = "the same department elsewhere" if by_peers else "their own trust alone"
    counts = [f"{int((status == each).sum()):,} {said}" for each, said in _SHORT.items()]
    return f"Against {whom}: {', '.join(counts)}; both together: spots.readings()."


def _trusts_that_differ(spots: Decided) -> list[str]:
    """How many trusts as a whole surely lie beyond the margin."""
    summary = spots.fit.trust_summary(spots.margin, 0.95)
    above, below = (int((p >= SURELY).sum()) for p in (summary.p_high, summary.p_low))
    if not above + below:
        return []
    word = "margin" if spots.effects.cells.is_ratio else "difference"
    return [
        f"Of {len(summary.p_high):,} trusts as a whole {above:,} lie above the national level and {below:,} below it "
        f"by more than that {word} (P at least {SURELY:g}): fit.trusts()."
    ]


def _reasons(spots: Decided) -> str:
    """How many departments have the status "cannot tell" for each reason, in brackets; empty where none has."""
    why = spots.decisions.why.tolist()
    limit = "margin" if spots.effects.cells.is_ratio else "difference"
    counted = [
        f"{why.count(reason):,} {reason}".replace("margin", limit)
        for reason in names.REASONS
        if reason in why
    ]
    return f" (why: {', '.join(counted)})" if counted else ""


def _footnotes(spots: Decided, hidden: int) -> list[str]:
    notes = []
    if hidden > 0:
        notes.append(f"… and {hidden:,} more: see .table")
    if spots.rule.share is None:
        notes.append(f"'cannot tell' means that the data do not say; it is not reassurance{_reasons(spots)}.")
    else:
        notes.append(
            "'cannot tell' means neither shown to be among the most extreme nor in line; it is not reassurance."
        )
    notes.append(_other_comparison(spots))
    notes += _trusts_that_differ(spots)
    if spots.wide_spread is not None:
        flagged, extreme = spots.wide_spread
        notes.append(
            f"{percent(flagged)} of the departments are flagged: a {_margin_words(spots, ' of')} is small beside the "
            f"ordinary spread between departments. A tenth of them differ by more than {extreme:.3g}; "
            "SpotRule(share=0.1) asks who belongs to the most extreme tenth."
        )
    if spots.rating_note:
        how = " Say it with strong_from=…" if spots.ratings is not None else ""
        notes.append(f"{spots.rating_note}{how}")
    if spots.rating_uses_outcome:
        notes.append("The rating was built partly from this outcome: the two are not independent.")
    return notes
