"""From probabilities to statuses, against own trust and peers, under the Bayesian false discovery rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from brightspots.common import vocabulary as names
from brightspots.common.arrays import FloatArray, IntArray
from brightspots.common.settings import Reference, SpotRule
from brightspots.statistics.ensemble import Extremes
from brightspots.statistics.summaries import CellSummary, Tails

Labels = npt.NDArray[np.str_]


@dataclass(frozen=True)
class Decisions:
    """Status of every cell under a `SpotRule`.

    Parameters
    ----------
    status : array of str (C,)
        One of `vocabulary.STATUSES`: flags against `SpotRule.reference`, in line with own trust and peers at once.
    own_status, peer_status : array of str (C,)
        The same four statuses against the own trust alone, and against the peers alone; each flags by a list of its
        own under the rule.
    why : array of str (C,)
        For a cell with the `status` "cannot tell" one of `vocabulary.REASONS`, else empty.
    probability : (C,)
        For a flagged cell the probability of what flags it: that it lies beyond the margin on its side, or among the
        most extreme on its side under `SpotRule.share`. For a cell in line that it lies within the margin of both its
        own trust and its peers; for "cannot tell" the largest of the three. NaN where undefined.
    expected_false : float
        Expected number of false flags in the list, Σ(1 − p) over flagged cells.
    needed : float
        Smallest probability in the list; NaN for an empty list.
    side : int array (C,)
        The likelier side, that of the flag where there is one: +1 above, −1 below.
    beyond : (C,)
        Probability of what would flag the cell on that side, flagged or not; NaN where undefined.
    """

    status: Labels
    own_status: Labels
    peer_status: Labels
    why: Labels
    probability: FloatArray
    expected_false: float
    needed: float
    side: IntArray
    beyond: FloatArray

    @property
    def reading(self) -> Labels:
        """Own and peer status in one phrase, `vocabulary.READINGS`, (C,)."""
        pairs = zip(self.own_status.tolist(), self.peer_status.tolist(), strict=True)
        return np.array([names.READINGS[pair] for pair in pairs], dtype=np.str_)


class _List(NamedTuple):
    """Who is flagged against one reference, (C,) each; `beyond` is the probability on the likelier side."""

    flagged: npt.NDArray[np.bool_]
    high: npt.NDArray[np.bool_]
    beyond: FloatArray


def bayesian_fdr(probability: FloatArray, fdr: float) -> npt.NDArray[np.bool_]:
    """Flag the longest list, sorted by probability, whose mean (1 − p) is at most `fdr`.

    Parameters
    ----------
    probability : (C,)
        Probability that a flag on the cell would be true; NaN is never flagged.
    fdr : float

    Returns
    -------
    bool array (C,)
        Cells that tie with the last one flagged are flagged only if all of them can be.

    References
    ----------
    Newton MA, Noueiry A, Sarkar D, Ahlquist P (2004). Biostatistics 5:155–176.
    """
    flagged = np.zeros(len(probability), dtype=bool)
    known = np.flatnonzero(~np.isnan(probability))
    if not len(known):
        return flagged
    order = known[np.argsort(-probability[known], kind="stable")]
    sorted_p = probability[order]
    running = np.cumsum(1.0 - sorted_p) / np.arange(1, len(order) + 1)
    # Cutting only between different probabilities keeps the list independent of the order of the rows.
    cut_here = np.append(sorted_p[1:] < sorted_p[:-1], True) & (running <= fdr)
    if cut_here.any():
        flagged[order[: np.flatnonzero(cut_here)[-1] + 1]] = True
    return flagged


def decide(
    summary: CellSummary,
    weight: FloatArray,
    rule: SpotRule,
    higher_is: names.HigherIs = "worse",
    extremes: Extremes | None = None,
) -> Decisions:
    """Give every cell its statuses.

    A department is flagged where the probability that it lies beyond the margin (under `SpotRule.share`: among the
    most extreme) is on the list of `bayesian_fdr`, at least `SpotRule.min_probability`, and the probability that it
    lies within the margin is below `SpotRule.in_line`. It is in line where two probabilities are at least
    `SpotRule.in_line`: that it lies within the margin, and that it does so by its own data alone
    (`CellSummary.own_evidence`, `peer_evidence`). The second is asked because, where departments differ little, the
    first is high even for one with no data at all. `own_status` and `peer_status` ask both of one reference; `status`
    flags against `SpotRule.reference`, and is in line within the margin of own trust *and* peers (both in the same
    draw), with evidence against the own trust.

    Parameters
    ----------
    summary : CellSummary
        Made with the margin of the rule, and 95% intervals.
    weight : (C,)
        Expected events (or denominator, or precision) of each cell, for `SpotRule.min_expected`.
    rule : SpotRule
    higher_is : {"worse", "better"}
        Which side is dark.
    extremes : Extremes, optional
        For the share of the rule, where it has one.
    """
    if (rule.share is None) != (extremes is None):
        raise ValueError("extremes are for a rule with a share, and needed by it")
    may = eligible(summary, weight, rule)
    references: tuple[Reference, ...] = ("organisation", "peers", rule.reference)
    of = {reference: _listed(summary, rule, reference, may, extremes) for reference in references}
    chosen, within = of[rule.reference], summary.p_within_both
    in_line = (within >= rule.in_line) & (summary.own_evidence >= rule.in_line)
    status = _statuses(chosen, in_line, higher_is)
    own, peer = _within(summary, "organisation"), _within(summary, "peers")
    flagged, beyond = chosen.flagged, chosen.beyond
    return Decisions(
        status=status,
        own_status=_statuses(
            of["organisation"],
            (own >= rule.in_line) & (summary.own_evidence >= rule.in_line),
            higher_is,
        ),
        peer_status=_statuses(
            of["peers"], (peer >= rule.in_line) & (summary.peer_evidence >= rule.in_line), higher_is
        ),
        why=np.where(status == names.CANNOT_TELL, _reasons(summary, rule, may), ""),
        probability=np.select(
            [flagged, status == names.IN_LINE], [beyond, within], default=np.fmax(beyond, within)
        ),
        expected_false=float(np.sum(1.0 - beyond[flagged])),
        needed=float(beyond[flagged].min()) if flagged.any() else float("nan"),
        side=np.where(chosen.high, 1, -1).astype(np.int64),
        beyond=beyond,
    )


def flags(
    tails: Tails,
    weight: FloatArray,
    rule: SpotRule,
    higher_is: names.HigherIs = "worse",
    extremes: Extremes | None = None,
) -> Labels:
    """Of `decide`'s `status` the flags alone, (C,): bright, dark, and empty for all other cells."""
    chosen = _listed(tails, rule, rule.reference, eligible(tails, weight, rule), extremes)
    status = _statuses(chosen, np.zeros(len(weight), dtype=bool), higher_is)
    return np.where(chosen.flagged, status, "")


def eligible(summary: Tails, weight: FloatArray, rule: SpotRule) -> npt.NDArray[np.bool_]:
    """Which cells may be flagged, by reliability and size, (C,)."""
    return np.asarray((summary.reliability >= rule.min_reliability) & (weight >= rule.min_expected))


def _listed(
    summary: Tails,
    rule: SpotRule,
    reference: Reference,
    may: npt.NDArray[np.bool_],
    extremes: Extremes | None,
) -> _List:
    """The list of flags against one reference."""
    high, low = (summary if extremes is None else extremes).beyond(reference)
    above = high >= low
    beyond = np.where(above, high, low)
    may = may & (beyond >= rule.min_probability) & ~(_within(summary, reference) >= rule.in_line)
    return _List(bayesian_fdr(np.where(may, beyond, np.nan), rule.fdr), above, beyond)


def _within(summary: Tails, reference: Reference) -> FloatArray:
    """P(within the margin) of one reference, (C,); of both, the larger of the two."""
    if reference == "both":
        return np.fmax(_within(summary, "organisation"), _within(summary, "peers"))
    high, low = summary.beyond(reference)
    return 1.0 - high - low


def _statuses(of: _List, in_line: npt.NDArray[np.bool_], higher_is: names.HigherIs) -> Labels:
    dark = of.flagged & (of.high == (higher_is == "worse"))
    return np.select(
        [dark, of.flagged, in_line], [names.DARK, names.BRIGHT, names.IN_LINE], default=names.CANNOT_TELL
    )


def _reasons(summary: CellSummary, rule: SpotRule, may: npt.NDArray[np.bool_]) -> Labels:
    """The reason that applies to each cell if its status is "cannot tell", (C,).

    "thin" and "near the margin" depend on the interval of one comparison: of `peer` where the rule's reference is the
    peers and P(within the margin of the peers) is below `SpotRule.in_line`, else of `own`.
    """
    own = _within(summary, "organisation") >= rule.in_line
    peer = _within(summary, "peers") >= rule.in_line
    by_peers = ~peer & (rule.reference == "peers")
    lower = np.where(by_peers, summary.peer.lower, summary.own.lower)
    upper = np.where(by_peers, summary.peer.upper, summary.own.upper)
    return np.select(
        [
            np.isnan(summary.own.point),
            ~may,
            own & ~(summary.own_evidence >= rule.in_line),
            own & (rule.reference != "peers"),
            (lower <= -summary.reach) & (upper >= summary.reach),
        ],
        [names.ALONE, names.NOT_ELIGIBLE, names.BY_ASSUMPTION, names.UNLIKE_PEERS, names.THIN],
        default=names.NEAR_THE_MARGIN,
    )
