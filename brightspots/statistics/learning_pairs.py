"""`learning_pairs`: for each dark spot the most similar bright spots of the same department type in other trusts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
import numpy.typing as npt
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.arrays import FloatArray, IntArray
from brightspots.data.cells import Cells
from brightspots.engine.posterior import Posterior
from brightspots.statistics.scale import effect_values, margin_of_effects
from brightspots.statistics.summaries import CellSummary

# A bright spot becomes a partner only where the probability that its level is better is above this.
LEAST_PROBABLY_BETTER = 0.5

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
    """Give each dark spot the nearest bright spots of its department type in other trusts that are probably better.

    Nearness is the standardised Euclidean distance of `features`: differences in log size and in each covariate's
    design column, each divided by its standard deviation over cells, count alike (a covariate in words has one
    column for each level but the first). Without covariates this orders partners by their ratio in size.

    Parameters
    ----------
    posterior : Posterior
    summary : CellSummary
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
        ratios, those of ratios are named `…_difference`). `p_truly_better` is the
        probability that the partner's level u + v is better by more than the margin, given the data. Pairs with
        at most an even chance are left out: a partner may be bright in its own trust only because the rest of it is
        worse. `.attrs["without_partner"]` lists the dark spots that are left without any, as (trust, department).
    """
    cells = posterior.cells
    dark, bright = (np.flatnonzero(status == each) for each in (names.DARK, names.BRIGHT))
    place = features(cells)
    flagged = np.union1d(dark, bright)
    levels = levels_of(posterior, flagged)
    better = 1.0 if higher_is == "worse" else -1.0
    reach = margin_of_effects(cells, margin)

    def probably_better(cell: int, candidates: IntArray) -> Iterator[tuple[int, float]]:
        own = levels[np.searchsorted(flagged, cell)]
        for partner in candidates:
            gap = better * (own - levels[np.searchsorted(flagged, partner)])
            probability = float(np.mean(gap > reach))
            if probability > LEAST_PROBABLY_BETTER:
                yield int(partner), probability

    pairs: list[tuple[int, int, float, float]] = []
    alone: list[int] = []
    for cell in map(int, dark):
        candidates = bright[
            (cells.cell_department[bright] == cells.cell_department[cell])
            & (cells.cell_trust[bright] != cells.cell_trust[cell])
        ]
        distance = np.linalg.norm(place[candidates] - place[cell], axis=1)
        nearest_first = candidates[np.argsort(distance, kind="stable")]
        chosen = list(islice(probably_better(cell, nearest_first), k))
        for partner, probability in chosen:
            pairs.append((cell, partner, probability, float(np.linalg.norm(place[partner] - place[cell]))))
        if not chosen:
            alone.append(cell)
    return _pairs_frame(cells, summary, pairs, alone)


def levels_of(posterior: Posterior, wanted: IntArray) -> FloatArray:
    """Draws of u + v for some cells (ascending), (wanted, S)."""
    cells = posterior.cells
    parts = []
    for block in posterior.blocks():
        inside = wanted[(wanted >= block.cells.start) & (wanted < block.cells.stop)]
        trust = cells.cell_trust[inside] - block.trusts.start
        parts.append(block.trust_effect[trust] + block.department_effect[inside - block.cells.start])
    return np.concatenate(parts)


def _pairs_frame(
    cells: Cells, summary: CellSummary, pairs: list[tuple[int, int, float, float]], alone: list[int]
) -> pd.DataFrame:
    cell, partner = (np.array([pair[side] for pair in pairs], dtype=np.int64) for side in (0, 1))
    own, peer = (effect_values(cells, each.point) for each in (summary.own, summary.peer))
    trust, department = cells.trusts[cells.cell_trust], cells.departments[cells.cell_department]
    values = (
        trust[cell],
        department[cell],
        trust[partner],
        cells.weight[cell],
        cells.weight[partner],
        np.array([pair[2] for pair in pairs], dtype=np.float64),
        own[cell],
        own[partner],
        peer[cell],
        peer[partner],
        np.array([pair[3] for pair in pairs], dtype=np.float64),
    )
    columns = COLUMNS if cells.is_ratio else [name.replace("_ratio", "_difference") for name in COLUMNS]
    frame = pd.DataFrame(dict(zip(columns, values, strict=True)))
    frame.attrs["without_partner"] = [(trust[each], department[each]) for each in alone]
    return frame
