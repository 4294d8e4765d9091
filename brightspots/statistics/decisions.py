"""From probabilities to statuses: the Bayesian false discovery rate and the four statuses of a department."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from brightspots.common import vocabulary as names
from brightspots.common.arrays import FloatArray, IntArray
from brightspots.common.settings import SpotRule
from brightspots.statistics.summaries import CellSummary


@dataclass(frozen=True)
class Decisions:
    """Status of every cell under a `SpotRule`.

    Parameters
    ----------
    status : array of str (C,)
        One of `vocabulary.STATUSES`.
    why : array of str (C,)
        For a cell with the status "cannot tell" one of `vocabulary.REASONS`, else empty.
    probability : (C,)
        For a flagged cell the probability that it lies beyond the margin on its side; for a cell in line that it lies
        within the margin of both its own trust and its peers; for "cannot tell" the largest of P(above the margin),
        P(below it) and P(within both). NaN where undefined.
    expected_false : float
        Expected number of false flags in the list, Σ(1 − p) over flagged cells.
    needed : float
        Smallest exceedance probability in the list; NaN for an empty list.
    side : int array (C,)
        The likelier side, that of the flag where there is one: +1 above the margin, −1 below 1/margin.
    beyond : (C,)
        Probability of lying beyond the margin on that side, flagged or not; NaN where undefined.
    """

    status: npt.NDArray[np.str_]
    why: npt.NDArray[np.str_]
    probability: FloatArray
    expected_false: float
    needed: float
    side: IntArray
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
    summary: CellSummary, weight: FloatArray, rule: SpotRule, higher_is: names.HigherIs = "worse"
) -> Decisions:
    """Give every cell its status.

    A department is flagged against `SpotRule.reference`. It is in line where two probabilities are at least
    `SpotRule.in_line`: that it lies within the margin of its own trust *and* of its peers (both in the same draw), and
    that it lies within the margin of its own trust by its own data alone (`CellSummary.own_evidence`). The second is
    asked because, where departments differ little, the first is high even for one with no data at all.

    Parameters
    ----------
    summary : CellSummary
        Made with the margin of the rule, and 95% intervals.
    weight : (C,)
        Expected events (or denominator, or precision) of each cell, for `SpotRule.min_expected`.
    rule : SpotRule
    higher_is : {"worse", "better"}
        Which side is dark.
    """
    high, low = _exceedances(summary, rule)
    within = summary.p_within_both
    side_high = high >= low
    beyond = np.where(side_high, high, low)
    eligible = (summary.reliability >= rule.min_reliability) & (weight >= rule.min_expected)
    flagged = bayesian_fdr(np.where(eligible, beyond, np.nan), rule.fdr)

    dark = flagged & (side_high == (higher_is == "worse"))
    in_line = ~flagged & (within >= rule.in_line) & (summary.own_evidence >= rule.in_line)
    status = np.select(
        [dark, flagged, in_line], [names.DARK, names.BRIGHT, names.IN_LINE], default=names.CANNOT_TELL
    )
    probability = np.select([flagged, in_line], [beyond, within], default=np.fmax(beyond, within))
    return Decisions(
        status=status,
        why=np.where(status == names.CANNOT_TELL, _reasons(summary, rule, eligible), ""),
        probability=probability,
        expected_false=float(np.sum(1.0 - beyond[flagged])),
        needed=float(beyond[flagged].min()) if flagged.any() else float("nan"),
        side=np.where(side_high, 1, -1).astype(np.int64),
        beyond=beyond,
    )


def _exceedances(summary: CellSummary, rule: SpotRule) -> tuple[FloatArray, FloatArray]:
    if rule.reference == "organisation":
        return summary.p_own_high, summary.p_own_low
    if rule.reference == "peers":
        return summary.p_peer_high, summary.p_peer_low
    return summary.p_both_high, summary.p_both_low


def _reasons(summary: CellSummary, rule: SpotRule, eligible: npt.NDArray[np.bool_]) -> npt.NDArray[np.str_]:
    """The reason that applies to each cell if its status is "cannot tell", (C,).

    "thin" and "near the margin" depend on the interval of one comparison: of `peer` where the rule's reference is the
    peers and P(within the margin of the peers) is below `SpotRule.in_line`, else of `own`.
    """
    own = 1.0 - summary.p_own_high - summary.p_own_low >= rule.in_line
    peer = 1.0 - summary.p_peer_high - summary.p_peer_low >= rule.in_line
    by_peers = ~peer & (rule.reference == "peers")
    lower = np.where(by_peers, summary.peer.lower, summary.own.lower)
    upper = np.where(by_peers, summary.peer.upper, summary.own.upper)
    return np.select(
        [
            np.isnan(summary.own.point),
            ~eligible,
            own & ~(summary.own_evidence >= rule.in_line),
            own & (rule.reference != "peers"),
            (lower <= -summary.reach) & (upper >= summary.reach),
        ],
        [names.ALONE, names.NOT_ELIGIBLE, names.BY_ASSUMPTION, names.UNLIKE_PEERS, names.THIN],
        default=names.NEAR_THE_MARGIN,
    )
