"""`learning_pairs`: for each dark spot the most similar better departments of the same type in other trusts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.arrays import FloatArray, IntArray
from brightspots.data.cells import Cells
from brightspots.engine.posterior import EffectBlock, Posterior, ShapeBlock, enough_draws
from brightspots.statistics.contrasts import peer_effect
from brightspots.statistics.mixtures import (
    Mixture,
    difference,
    distributions,
    loops_for,
    p_above,
    taken,
    turned,
)
from brightspots.statistics.scale import effect_values, margin_of_effects
from brightspots.statistics.summaries import CellSummary, Interval

# A department becomes a partner only where the probabilities that it is better are above this.
LEAST_PROBABLY_BETTER = 0.5

# Why a dark spot has no partner.
NO_OTHER = "no other trust has this department"
NONE_ABOVE_AVERAGE = "none elsewhere is probably better than average"
NONE_BETTER = "none elsewhere is probably better by the margin"
WHY_WITHOUT = (NO_OTHER, NONE_ABOVE_AVERAGE, NONE_BETTER)

# Candidates looked at first, for each partner wanted; and the share of an interval's width by which a mean may lie on
# the wrong side of what a median must exceed.
_FIRST_ASKED, _SLACK = 2, 0.1

COLUMNS = (
    names.TRUST,
    names.DEPARTMENT,
    "partner_trust",
    "size",
    "partner_size",
    "p_truly_better",
    "own_ratio",
    "partner_own_ratio",
    "peer_ratio",
    "partner_peer_ratio",
    "distance",
)


class _Pair(NamedTuple):
    """A dark spot, its partner, P(the partner is better by the margin), and how far apart the two are."""

    cell: int
    partner: int
    p_better: float
    distance: float


class _Search(NamedTuple):
    """Candidates that are still to be looked at, nearest first, and their distances."""

    partners: IntArray
    distance: FloatArray

    def first(self, n: int) -> _Search:
        return _Search(self.partners[:n], self.distance[:n])

    def after(self, n: int) -> _Search:
        return _Search(self.partners[n:], self.distance[n:])


def features(cells: Cells) -> FloatArray:
    """Size and covariates of each cell, by which cells are compared, (C, 1 + K); every column has unit variance.

    The first column is log `Cells.weight`; the others are the covariates' design columns, averaged over the leaves of
    the cell. A column that does not vary between cells is all zeros.
    """
    leaves = np.diff(cells.cell_leaves)
    columns = [np.log(cells.weight)]
    columns += [cells.cell_sum(column) / leaves for column in cells.design.T]
    values = np.stack(columns, axis=1)
    spread = values.std(axis=0)
    # Rounding in a mean over periods is not variation.
    varies = spread > 1e-9 * np.maximum(np.abs(values).max(axis=0), 1.0)
    standardised: FloatArray = np.where(varies, values / np.where(varies, spread, 1.0), 0.0)
    return standardised


def learning_pairs(
    posterior: Posterior,
    summary: CellSummary,
    status: npt.NDArray[np.str_],
    *,
    margin: float,
    higher_is: names.HigherIs,
    k: int,
) -> pd.DataFrame:
    """Give each dark spot the nearest departments of its type in other trusts that are probably better.

    A partner is better than average of its kind (by its posterior mean as well), and better than the dark spot by the
    margin, each with a probability above ½. Nearness is the standardised Euclidean distance of `features`: differences
    in log size and in each covariate's design column, each divided by its standard deviation over cells, count alike (a
    covariate in words has one column for each level but the first). Without covariates this orders partners by their
    ratio in size.

    Parameters
    ----------
    posterior : Posterior
    summary : CellSummary
        With this margin.
    status : array of str (C,)
        As decided, see `vocabulary.STATUSES`.
    margin : float
        By how much a partner must be better to count as better: a ratio of at least 1, or a difference.
    higher_is : {"worse", "better"}
        Which side is dark.
    k : int
        Partners per dark spot at most.

    Returns
    -------
    pandas.DataFrame
        One row a pair, the nearest first within a dark spot; the columns are `COLUMNS` (where effects are not
        ratios, those of ratios are named `…_difference`). `p_truly_better` is the probability that the partner's level
        u + v is better by more than the margin, given the data. `.attrs["without_partner"]` lists the dark spots that
        are left without any, as (trust, department), and `.attrs["why_without"]` for each the reason, one of
        `WHY_WITHOUT`.
    """
    cells = posterior.cells
    sign = -1.0 if higher_is == "worse" else 1.0
    reach = margin_of_effects(cells, margin)
    found: dict[int, list[_Pair]] = {int(cell): [] for cell in np.flatnonzero(status == names.DARK)}
    place, why, waiting = features(cells), {}, {}
    for cell in found:
        partners, why[cell] = _promising(cells, summary.peer, cell, sign, reach)
        distance = np.linalg.norm(place[partners] - place[cell], axis=1)
        nearest = np.argsort(distance, kind="stable")
        waiting[cell] = _Search(partners[nearest], distance[nearest])
    asked = _FIRST_ASKED * k
    while waiting:
        # Of the nearest only: hardly any dark spot needs more, and all cells × draws may not fit into memory.
        some = {cell: search.first(asked) for cell, search in waiting.items()}
        wanted = np.unique(
            np.concatenate([list(some), *(search.partners for search in some.values())]).astype(int)
        )
        levels = turned(levels_of(posterior, wanted), sign)
        for cell, search in some.items():
            theirs = taken(levels, np.searchsorted(wanted, search.partners))
            # In different trusts, and so independent given what all trusts share.
            gap = difference(theirs, taken(levels, np.searchsorted(wanted, [cell])))
            p_good, p_better = p_above(theirs, 0.0), p_above(gap, reach)
            for at in np.flatnonzero(np.minimum(p_good, p_better) > LEAST_PROBABLY_BETTER)[
                : k - len(found[cell])
            ]:
                partner = int(search.partners[at])
                found[cell].append(_Pair(cell, partner, float(p_better[at]), float(search.distance[at])))
        waiting = {
            cell: search.after(asked)
            for cell, search in waiting.items()
            if len(found[cell]) < k and len(search.partners) > asked
        }
        asked *= 2
    pairs = [pair for chosen in found.values() for pair in chosen]
    return _pairs_frame(cells, summary, pairs, {cell: why[cell] for cell in found if not found[cell]})


def _promising(cells: Cells, peer: Interval, cell: int, sign: float, reach: float) -> tuple[IntArray, str]:
    """Departments of the same type elsewhere that may be better, by their summaries, and why if none of them is.

    Their mean lies on the good side, as that of a ratio shown beside them must. And nearly normal effects whose mean
    lies this far on the wrong side of the dark spot's cannot be better by the margin with a probability above ½.
    """
    alike = np.flatnonzero(
        (cells.cell_department == cells.cell_department[cell]) & (cells.cell_trust != cells.cell_trust[cell])
    )
    slack = _SLACK * (peer.upper - peer.lower)
    good = alike[sign * peer.point[alike] > 0.0]
    gap = sign * (peer.point[good] - peer.point[cell]) + slack[good] + slack[cell]
    for some, reason in ((alike, NO_OTHER), (good, NONE_ABOVE_AVERAGE)):
        if not len(some):
            return some, reason
    return good[gap > reach], NONE_BETTER


def levels_of(posterior: Posterior, wanted: IntArray) -> Mixture:
    """Distributions of u + v for some cells (ascending), (wanted, S), given each draw of what all trusts share.

    Where nothing but draws is known of effects, these are single points.
    """
    cells = posterior.cells
    shapes = posterior.shapes(enough_draws(cells))

    def inside(block: EffectBlock | ShapeBlock) -> IntArray:
        return wanted[(wanted >= block.cells.start) & (wanted < block.cells.stop)] - block.cells.start

    def of_draws(block: EffectBlock) -> Mixture:
        level = peer_effect(cells, block)[inside(block)]
        return Mixture(level, *(np.zeros_like(level) for _ in range(3)))

    if shapes is None:
        parts = list(posterior.map_blocks(of_draws))
    else:
        shared = shapes.shared
        loops = loops_for(cells, shared.n_draws)
        parts = list(
            shapes.map_shapes(
                lambda block: taken(distributions(cells, shared, block, loops).peer, inside(block))
            )
        )
    return Mixture(*map(np.concatenate, zip(*parts, strict=True)))


def _pairs_frame(
    cells: Cells, summary: CellSummary, pairs: list[_Pair], alone: Mapping[int, str]
) -> pd.DataFrame:
    cell, partner = (np.array([pair[side] for pair in pairs], dtype=np.int64) for side in (0, 1))
    p_better, distance = (np.array([pair[side] for pair in pairs], dtype=np.float64) for side in (2, 3))
    own, peer = (effect_values(cells, each.point) for each in (summary.own, summary.peer))
    trust, department = cells.trusts[cells.cell_trust], cells.departments[cells.cell_department]
    values = (
        trust[cell],
        department[cell],
        trust[partner],
        cells.weight[cell],
        cells.weight[partner],
        p_better,
        own[cell],
        own[partner],
        peer[cell],
        peer[partner],
        distance,
    )
    columns = COLUMNS if cells.is_ratio else [name.replace("_ratio", "_difference") for name in COLUMNS]
    frame = pd.DataFrame(dict(zip(columns, values, strict=True)))
    frame.attrs["without_partner"] = [(trust[each], department[each]) for each in alone]
    frame.attrs["why_without"] = list(alone.values())
    return frame
