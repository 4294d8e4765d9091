"""Consistency over periods: on which side a department lay in each, from the data alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from brightspots.common.settings import Reference
from brightspots.data.cells import Cells, FloatArray, IntArray
from brightspots.engine.posterior import SharedDraws

# Halvings of an interval of 80 on the logit scale: as exact as a double is.
_HALVINGS = 60


@dataclass(frozen=True)
class PeriodSides:
    """On which side each leaf lies, as counted, before any shrinkage.

    Parameters
    ----------
    own : int array (N,)
        +1 above the level of the other departments of its trust in that period, −1 below, 0 level with it.
    peer : int array (N,)
        The same against its department type nationally in that period.
    own_known, peer_known : bool array (N,)
        Whether there is anything to compare: the count is not suppressed and, for `own`, neither is that of some
        other department of the trust in that period.
    """

    own: IntArray
    peer: IntArray
    own_known: npt.NDArray[np.bool_]
    peer_known: npt.NDArray[np.bool_]


def period_sides(cells: Cells, shared: SharedDraws) -> PeriodSides:
    """Say on which side of its own trust, and of its peers, each department lay in each period.

    Each count (or estimate) is set against what is shared by all trusts, offset + x'β + a at the posterior mean: a
    department type that is badly calibrated nationally in some year, or a covariate, puts nobody on a side. The level
    of the *other* departments in that period is the common shift δ of the linear predictor that fits them best
    (maximum likelihood: Σ observed = Σ mean count at δ; for estimates the precision-weighted mean), and a department
    lies above it where it has more events than it would have at that δ.

    No posterior of the period effects w enters. A department with no effect of its own over the periods is therefore
    on either side by chance in half of its periods; agreement says more the more periods there are.

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
    # One shift fitted to all departments of the trust serves: a department that has more than it would have at that
    # shift draws it towards itself, so that it has more still than at the shift of the others alone; and conversely.
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
        Against what: for "both" a period counts where the department lay on that side of both.
    side : int array (C,)
        +1 or −1.

    Returns
    -------
    same, compared : int array (C,)
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
    """Sign of a leaf's count less its mean at a linear predictor, (N,); rounding errors are no difference."""
    difference = cells.lower - cells.family.mean(cells.size, predictor)
    unit = 1.0 if cells.family.is_count else cells.size
    tie = np.abs(difference) <= 1e-9 * (np.abs(cells.lower) + unit)
    return np.where(tie, 0, np.sign(difference)).astype(np.int64)


def _common_shift(
    cells: Cells, fixed: FloatArray, group: IntArray, known: npt.NDArray[np.bool_]
) -> FloatArray:
    """Maximum likelihood estimate of one shift of the linear predictor for each group, (groups,).

    0 for a group that has no known leaf; −∞ or as good as that where it has no events.
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
