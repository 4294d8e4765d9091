"""Positive deviants: departments ahead of their own organisation, of their peers, and lastingly so, as one probability.

A positive deviant does better than others in like circumstances, and goes on doing so (Baxter and colleagues 2016, BMJ
Qual Saf 25:190, and 2018, BMJ Open 8:e020219). Three conditions are asked at once, draw by draw:

- D, the effect against the own trust, and u + v, that against the peers, lie beyond the margin on the good side;
- with periods, in each of the last few of them the department lies on the good side of both: D + w_p and u + v + w_p,
  with w_p the effect of the period.

Each deviant gets an ordinary department of its kind elsewhere to be studied beside it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.arrays import FloatArray, IntArray
from brightspots.data.cells import Cells
from brightspots.engine.integration.leaf import integrate_leaf, integrate_normal, shape_of
from brightspots.engine.posterior import Conditional, Posterior, SharedDraws
from brightspots.likelihood.family import Derivatives
from brightspots.likelihood.outcomes import Outcomes
from brightspots.statistics.contrasts import own_contrast, peer_effect
from brightspots.statistics.learning_pairs import features
from brightspots.statistics.scale import effect_name, effect_values
from brightspots.statistics.summaries import CellSummary

# A comparator is more probably than not within the margin of its own trust and of its peers.
LEAST_PROBABLY_ORDINARY = 0.5
# Nodes over the error of what was expected, and Newton steps to where it lies.
_ERROR_NODES, _NEWTON_STEPS = 7, 8


class Lasting(NamedTuple):
    """Of each cell, (C,): the probability of all three conditions at once, and how many periods were asked of."""

    probability: FloatArray
    periods: IntArray


def lasting_probability(
    posterior: Posterior, summary: CellSummary, higher_is: names.HigherIs, *, periods: int, least: float
) -> Lasting:
    """Probability that each department is ahead of its own trust and its peers, and was in every recent period.

    Parameters
    ----------
    posterior : Posterior
    summary : CellSummary
        With the margin.
    higher_is : {"worse", "better"}
        Which side is not the good one.
    periods : int
        How many of the last periods of the data are asked of; a department without data in some is asked of the others.
        Not used where the model has no effects of periods.
    least : float
        Probabilities below this need not be known: they are given without the condition on periods, which can only
        lower them.

    Returns
    -------
    Lasting
    """
    cells, shared = posterior.cells, posterior.shared
    ahead = summary.p_both_low if higher_is == "worse" else summary.p_both_high
    if cells.leaf_period is None or cells.periods is None or "period" not in shared.sd:
        return Lasting(ahead, np.zeros(cells.n_cells, dtype=np.int64))
    recent = cells.leaf_period >= len(cells.periods) - periods
    count = np.rint(cells.cell_sum(recent.astype(np.float64))).astype(np.int64)
    probability = ahead.copy()
    probability[count == 0] = np.nan
    asked = (ahead >= least) & (count > 0)
    sign = -1.0 if higher_is == "worse" else 1.0
    for block in posterior.blocks():
        here = np.flatnonzero(asked[block.cells])
        if len(here):
            peer = peer_effect(cells, block)[here]
            # The effect on which the department is less far ahead, positive on the good side.
            lead = np.minimum(sign * peer, sign * own_contrast(cells, block)[here])
            for at, cell in enumerate((here + block.cells.start).tolist()):
                probability[cell] = _of_cell(
                    cells, shared, cell, peer[at], lead[at], recent, sign, summary.reach
                )
    return Lasting(probability, count)


def _of_cell(
    cells: Cells,
    shared: SharedDraws,
    cell: int,
    peer: FloatArray,
    lead: FloatArray,
    recent: npt.NDArray[np.bool_],
    sign: float,
    reach: float,
) -> float:
    """The probability of one cell: over draws in which it is ahead, the product of those of its recent periods.

    Parameters
    ----------
    peer : (S,)
        u + v.
    lead : (S,)
        The smaller of ±D and ±(u + v), positive on the good side.
    recent : bool array (N,)
        Leaves that are asked of.
    sign : float
        −1 where low is good.
    """
    ahead = np.flatnonzero(lead > reach)
    if not len(ahead):
        return 0.0
    leaves = np.arange(cells.cell_leaves[cell], cells.cell_leaves[cell + 1])
    some = shared.take(ahead)
    predictor = some.leaf_predictor(cells, slice(leaves[0], leaves[-1] + 1)) + peer[ahead]
    asked = recent[leaves]
    outcomes, lasting = Outcomes.of(cells, leaves[asked]), 0.0
    for weight, error in _errors(cells, some, leaves, predictor):
        good = _good_periods(outcomes, predictor[asked] + error, some.sd["period"], -sign * lead[ahead], sign)
        lasting = lasting + weight * np.prod(good, axis=0)
    return float(np.sum(lasting) / shared.n_draws)


def _good_periods(
    outcomes: Outcomes, predictor: FloatArray, sd: FloatArray, threshold: FloatArray, sign: float
) -> FloatArray:
    """P(the effect w of each period lies on the good side of a threshold (S,) | the data), (leaves, S)."""
    integral = integrate_leaf(outcomes, predictor, sd)
    mean, spread, skewness, kurtosis = shape_of(
        integral.mean, integral.variance, integral.third, integral.fourth
    )
    of_period = Conditional(
        *(part.astype(np.float32) for part in (sd * mean, sd * spread, skewness, kurtosis))
    )
    above = of_period.above(np.broadcast_to(threshold, predictor.shape)).astype(np.float64)
    return above if sign > 0 else 1.0 - above


def _errors(
    cells: Cells, shared: SharedDraws, leaves: IntArray, predictor: FloatArray
) -> list[tuple[float, FloatArray]]:
    """Nodes and weights for the error of what was expected of one cell, given its data and u + v: nearly normal.

    Parameters
    ----------
    leaves : int array (L,)
        All of the cell.
    predictor : (L, S)
        With u + v, without the effects of periods.

    Returns
    -------
    list of (weight, (S,))
        One of no error where none is known of.
    """
    if cells.expected_sd is None:
        return [(1.0, np.zeros(predictor.shape[1]))]
    outcomes = Outcomes.of(cells, leaves)

    def together(error: FloatArray) -> Derivatives:
        more = (1,) * (error.ndim - 1)
        of_leaf = integrate_leaf(
            outcomes,
            predictor.reshape(*predictor.shape, *more) + error,
            shared.sd["period"].reshape(-1, *more),
        )
        return Derivatives(*(part.sum(axis=0) for part in of_leaf[:3]))

    none = np.zeros(predictor.shape[1])
    sd = np.full_like(none, np.sqrt(cells.error_variance[cells.leaf_cell[leaves[0]]]))
    error = integrate_normal(together, none, sd, none, newton_steps=_NEWTON_STEPS)
    points, weights = np.polynomial.hermite_e.hermegauss(_ERROR_NODES)
    return [
        (weight, sd * (error.mean + np.sqrt(error.variance) * point))
        for weight, point in zip((weights / weights.sum()).tolist(), points, strict=True)
    ]


def deviants_frame(
    cells: Cells,
    summary: CellSummary,
    lasting: Lasting,
    listed: npt.NDArray[np.bool_],
    ordinary: npt.NDArray[np.bool_],
    *,
    by_period: bool,
) -> pd.DataFrame:
    """One row a positive deviant, in the order of `Cells`, with the nearest ordinary department of its kind elsewhere.

    Parameters
    ----------
    cells : Cells
    summary : CellSummary
    lasting : Lasting
    listed : bool array (C,)
        The positive deviants.
    ordinary : bool array (C,)
        Departments that may serve as comparators, by their status.
    by_period : bool
        Whether periods were asked of.
    """
    chosen, place = np.flatnonzero(listed), features(cells)
    may = np.flatnonzero(ordinary & (summary.p_within_both > LEAST_PROBABLY_ORDINARY))
    partner, distance = np.full(len(chosen), -1), np.full(len(chosen), np.nan)
    for row, cell in enumerate(chosen):
        alike = may[
            (cells.cell_department[may] == cells.cell_department[cell])
            & (cells.cell_trust[may] != cells.cell_trust[cell])
        ]
        if len(alike):
            away = np.linalg.norm(place[alike] - place[cell], axis=1)
            partner[row], distance[row] = alike[np.argmin(away)], away.min()
    found = partner >= 0

    def of_partner(values: FloatArray) -> FloatArray:
        return np.where(found, values[partner], np.nan)

    trust = cells.trusts[cells.cell_trust]
    ratios = {
        effect_name(cells, of): effect_values(cells, each.point)
        for of, each in (("own", summary.own), ("peer", summary.peer))
    }
    columns: dict[str, object] = {
        names.TRUST: trust[chosen],
        names.DEPARTMENT: cells.departments[cells.cell_department[chosen]],
        "probability": lasting.probability[chosen],
        "size": cells.weight[chosen],
        **{name: values[chosen] for name, values in ratios.items()},
    }
    if by_period:
        columns["periods"] = lasting.periods[chosen]
    columns |= {
        "comparator_trust": np.where(found, trust.astype(object)[partner], None),
        "comparator_size": of_partner(cells.weight),
        "p_comparator_ordinary": of_partner(summary.p_within_both),
        **{f"comparator_{name}": of_partner(values) for name, values in ratios.items()},
        "distance": distance,
    }
    frame = pd.DataFrame(columns)
    frame.attrs["expected_false"] = float(np.sum(1.0 - lasting.probability[chosen]))
    return frame
