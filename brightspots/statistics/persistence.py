"""Consistency over periods: whether a department was above or below its comparison in each, from the data alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.common.settings import Reference
from brightspots.data.cells import Cells
from brightspots.engine.posterior import SharedDraws

# Halvings of an interval of width 80 on the logit scale: after these it is narrower than the rounding of a double.
_HALVINGS = 60


@dataclass(frozen=True)
class PeriodSides:
    """Whether each leaf (a department in a period) lay above or below its comparison, by its count, unshrunk.

    Parameters
    ----------
    own : int array (N,)
        +1 above the level of the other departments of its trust in that period, −1 below, 0 level with it.
    peer : int array (N,)
        The same against its department type nationally in that period.
    own_known, peer_known : bool array (N,)
        Whether the side can be known: the count is not suppressed and, for `own`, that of at least one other department
        of the trust in that period is not either.
    """

    own: IntArray
    peer: IntArray
    own_known: npt.NDArray[np.bool_]
    peer_known: npt.NDArray[np.bool_]


def period_sides(cells: Cells, shared: SharedDraws) -> PeriodSides:
    """Whether each department lay above or below its own trust, and its peers, in each period.

    Peers: a leaf lies above where its count (or estimate) exceeds the mean at the predictor that all trusts share,
    offset + x'β + a at the posterior mean. So a covariate, or a department type whose expected events are wrong
    nationally in some year, moves nobody to one side.

    Own trust: the level of the *other* departments in the period is the shift δ of that predictor that fits them best
    (maximum likelihood: Σ observed = Σ mean count at δ; for estimates the precision-weighted mean). A department lies
    above where it has more events than its mean at δ.

    The posterior of the period effects w is not used. A department without an effect of its own is therefore above in
    about half of its periods by chance; agreement between periods means more the more periods there are.

    Parameters
    ----------
    cells : Cells
        With periods.
    shared : SharedDraws

    Returns
    -------
    PeriodSides
    """
    if cells.periods is None or cells.leaf_period is None:
        raise ValueError("the cells have no periods")
    fixed = shared.mean_leaf_predictor(cells)
    known = ~cells.censored
    group = cells.leaf_trust * len(cells.periods) + cells.leaf_period
    group = np.unique(group, return_inverse=True)[1].reshape(-1)
    compared = np.bincount(group[known], minlength=int(group.max()) + 1)
    # One shift fitted to all departments of the trust gives the same sides as one fitted to the others alone: the
    # department itself only pulls the shift towards its own count, and never past it.
    shift = _common_shift(cells, fixed, group, known)
    return PeriodSides(
        own=_side(cells, fixed + shift[group]),
        peer=_side(cells, fixed),
        own_known=known & (compared[group] > 1),
        peer_known=known,
    )


def count_same_side(
    cells: Cells, sides: PeriodSides, reference: Reference, side: IntArray
) -> tuple[IntArray, IntArray]:
    """Count the periods in which each department lay on a given side, and those in which that can be said.

    Parameters
    ----------
    cells : Cells
    sides : PeriodSides
    reference : {"organisation", "peers", "both"}
        The comparison; for "both" a period counts where the department lay on that side of both.
    side : int array (C,)
        +1 or −1.

    Returns
    -------
    same, compared : int array (C,)
        Number of periods on that side, and of periods in which the side is known.
    """
    wanted = side[cells.leaf_cell]
    own, peer = sides.own == wanted, sides.peer == wanted
    same, known = {
        "organisation": (own, sides.own_known),
        "peers": (peer, sides.peer_known),
        "both": (own & peer, sides.own_known & sides.peer_known),
    }[reference]
    totals = (cells.cell_sum(each.astype(np.float64)) for each in (same & known, known))
    counted, compared = (np.rint(total).astype(np.int64) for total in totals)
    return counted, compared


def _side(cells: Cells, predictor: FloatArray) -> IntArray:
    """Sign of each leaf's count (or estimate) less its mean at a linear predictor (N,); 0 within rounding error."""
    difference = cells.lower - cells.family.mean(cells.size, predictor)
    unit = 1.0 if cells.family.is_count else cells.size
    tie = np.abs(difference) <= 1e-9 * (np.abs(cells.lower) + unit)
    return np.where(tie, 0, np.sign(difference)).astype(np.int64)


def _common_shift(
    cells: Cells, fixed: FloatArray, group: IntArray, known: npt.NDArray[np.bool_]
) -> FloatArray:
    """Maximum likelihood estimate of one shift of the linear predictor for each group of leaves, (groups,).

    0 for a group without a known leaf. Without events −∞ (binomial: −40, and 40 where everybody has the event).

    Parameters
    ----------
    fixed : (N,)
        Linear predictor without the shift.
    group : int array (N,)
    known : bool array (N,)
        Leaves that are used.
    """
    groups = int(group.max()) + 1

    def total(values: FloatArray) -> FloatArray:
        return np.bincount(group[known], values[known], groups).astype(np.float64, copy=False)

    family = cells.family
    if family.is_conjugate:
        precision = family.weight(cells.size)
        weight = total(precision)
        weighted = total(precision * (cells.lower - fixed))
        return np.divide(weighted, weight, out=np.zeros(groups), where=weight > 0)
    observed = total(cells.lower)
    if family.adds_up:
        at_none = total(family.mean(cells.size, fixed))
        ratio = np.divide(observed, at_none, out=np.ones(groups), where=at_none > 0)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(ratio))
    low, high = np.full(groups, -40.0), np.full(groups, 40.0)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        short = total(family.mean(cells.size, fixed + middle[group])) < observed
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return 0.5 * (low + high)
