"""P(a department lies within the margin) from its own data, with a flat prior on its own effect v.

Where departments differ little, the model shrinks a department with hardly any data to the level of the others: with
0.05 expected deaths it lies within a margin of 1.1 with a probability near one, whatever its count. That is an
assumption of the model and not a finding. So before a department is called in line, its own data must show it too: the
prior of v is replaced by a flat one, while the levels of its trust, its type and the trust's other departments keep
their posterior.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.common.parallel import map_in_order, spans
from brightspots.data.cells import Cells
from brightspots.engine.integration.leaf import leaf_marginals
from brightspots.engine.integration.loops import choose_loops
from brightspots.engine.posterior import SharedDraws
from brightspots.likelihood.family import CountFamily
from brightspots.likelihood.outcomes import Outcomes

# Gauss–Hermite nodes for the level that a department is compared with, whose posterior is nearly normal.
_NODES = 15
# Grid of a likelihood without a closed form: this many standard deviations either side of its peak.
_GRID = np.linspace(-10.0, 10.0, 51)
# Nodes for the effect of a single period.
_PERIOD_NODES = 7
_STEP = _GRID[1] - _GRID[0]
_NEWTON_STEPS = 30
_LONGEST_STEP = 2.0
_SETTLED = 1e-3
_NUMBERS_AT_ONCE = 400_000


class Level(NamedTuple):
    """The level that each cell is compared with, as a shift of the linear predictor.

    Posterior mean and standard deviation, (C,) each. Against the peers, of offset + x'β + a less its posterior mean.
    Against the own trust, of the same plus u plus the weighted mean v of the trust's other departments; NaN for a
    trust's only department. Added to the posterior mean of offset + x'β + a it gives the predictor that the cell would
    have with a ratio of 1.
    """

    mean: FloatArray
    sd: FloatArray


def within_by_own_data(
    cells: Cells, shared: SharedDraws, levels: Sequence[Level], reach: float
) -> FloatArray:
    """P(−reach ≤ δ ≤ reach | flat prior on the department's own effect v), (levels, C), δ the distance to a level.

    With a flat prior the posterior of v is its likelihood, normalised. For a Poisson count y with mean λ at the
    comparison level, exp(δ)·λ ~ Gamma(y, 1). For a binomial count the probability of the event, logit⁻¹(t) with t the
    predictor, is Beta(y, n − y). For an estimate δ is normal. With a count of 0 (or of everybody) the likelihood does
    not fall on one side and cannot be normalised: the data exclude no v on that side, and the result is 0. The result
    is averaged over the comparison level, taken as normal, and over the error of what was expected. Intervals,
    truncated counts, and cells with several periods (with σ_period at its posterior mean) are integrated on a grid.

    Parameters
    ----------
    cells : Cells
    shared : SharedDraws
    levels : sequence of Level
    reach : float
        Logarithm of the margin, or the difference that matters.

    Returns
    -------
    (levels, C)
        NaN where the level is NaN.
    """
    points, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    mean, sd = (np.stack(values)[..., np.newaxis] for values in zip(*levels, strict=True))
    if cells.expected_sd is not None:
        sd = np.sqrt(sd**2 + cells.error_variance[:, np.newaxis])
    centres = mean + sd * points
    edges = np.concatenate([centres - reach, centres + reach])
    predictor = shared.mean_leaf_predictor(cells)
    below = np.empty_like(edges)
    simple = _is_simple(cells, shared)
    if simple.any():
        below[:, simple] = _closed_form(cells, predictor, simple, edges[:, simple])
    rest = np.flatnonzero(~simple)
    if len(rest):
        below[:, rest] = _on_grid(cells, shared, predictor, rest, edges[:, rest])
    lower, upper = below[: len(levels)], below[len(levels) :]
    within = np.sum((upper - lower) * (weights / weights.sum()), axis=-1)
    return np.where(np.isnan(mean[..., 0]), np.nan, np.clip(within, 0.0, 1.0))


def _is_simple(cells: Cells, shared: SharedDraws) -> npt.NDArray[np.bool_]:
    """Which cells have a closed form, (C,): one exact count or estimate, or a sum of Poisson counts without w."""
    plain = np.ones(cells.n_leaves, dtype=bool)
    plain[Outcomes.of(cells).conditioned] = False
    leaves = np.diff(cells.cell_leaves)
    several = cells.family.adds_up and "period" not in shared.sd
    return np.asarray((cells.cell_sum(plain.astype(np.float64)) == leaves) & ((leaves == 1) | several))


def _closed_form(
    cells: Cells, predictor: FloatArray, which: npt.NDArray[np.bool_], shift: FloatArray
) -> FloatArray:
    """P(shift of a cell's predictor ≤ `shift`) under a flat prior on it; 0 where that posterior does not exist.

    Parameters
    ----------
    predictor : (N,)
        Linear predictor of the leaves without the shift.
    which : bool array (C,)
        The cells to compute, n of them.
    shift : (edges, n, nodes)

    Returns
    -------
    (edges, n, nodes)
    """
    family = cells.family
    if not isinstance(family, CountFamily):
        first = cells.cell_leaves[:-1][which]
        away = shift + (predictor - cells.lower)[first][:, np.newaxis]
        return np.asarray(special.ndtr(away / cells.size[first][:, np.newaxis]))
    if family.adds_up:
        none = np.zeros(cells.n_cells)
        at = family.total_predictor(cells.size, predictor, none, cells.cell_sum)[0][which]
    else:
        at = predictor[cells.cell_leaves[:-1][which]]
    observed, size = (cells.cell_sum(each)[which, np.newaxis] for each in (cells.lower, cells.size))
    of_edges = map_in_order(
        lambda edge: family.flat_posterior(observed, size, at[:, np.newaxis] + edge), list(shift)
    )
    return np.stack(list(of_edges))


def _on_grid(
    cells: Cells, shared: SharedDraws, predictor: FloatArray, which: IntArray, shift: FloatArray
) -> FloatArray:
    """As `_closed_form`, on a grid about the peak of each cell's likelihood; `which` are cells."""
    loops = choose_loops(cells.n_leaves * len(_GRID) * _PERIOD_NODES)
    leaves = int(np.diff(cells.cell_leaves)[which].max())
    # Without effects of periods there is nothing to integrate over: one node.
    by_period = "period" in shared.sd
    sd_period, nodes = np.array(shared.sd_of("period").mean()), _PERIOD_NODES if by_period else 1
    result = np.empty_like(shift)

    def some(span: slice) -> None:
        part = cells.only(which[span])
        base = predictor[np.isin(cells.leaf_cell, which[span])]
        outcomes = Outcomes.of(part)
        starts = part.cell_leaves[:-1]

        def summed(at: FloatArray) -> tuple[FloatArray, ...]:
            """Log likelihood of each cell with slope and curvature, from shifts of each (cells, …)."""
            leaves = base[:, np.newaxis] + at[part.leaf_cell]
            of_leaf = leaf_marginals(outcomes, leaves, sd_period, loops, nodes=nodes)[:3]
            return tuple(np.add.reduceat(values, starts, axis=0) for values in of_leaf)

        guess, information = outcomes.guess()
        weighted = np.add.reduceat(information * (guess - base), starts)
        peak = (weighted / np.add.reduceat(information, starts))[:, np.newaxis]
        for _ in range(_NEWTON_STEPS):
            _, slope, curvature = summed(peak)
            step = np.clip(slope / np.maximum(-curvature, 1e-12), -_LONGEST_STEP, _LONGEST_STEP)
            peak = peak + step
            if np.all(np.abs(step) * np.sqrt(np.maximum(-curvature, 0.0)) < _SETTLED):
                break
        width = 1.0 / np.sqrt(np.maximum(-summed(peak)[2], 1e-12))
        grid = peak + width * _GRID
        value, slope, _ = summed(grid)
        density = np.exp(value - value.max(axis=1, keepdims=True))
        here = (shift[:, span] - grid[:, :1]) / (width * _STEP)
        below = _cumulated(density, density * slope * width * _STEP, here)
        # A likelihood that does not fall on one side is still high at that end of the grid.
        endless = np.maximum(density[:, 0], density[:, -1]) > _SETTLED
        result[:, span] = np.where(endless[:, np.newaxis], 0.0, below)

    at_once = max(_NUMBERS_AT_ONCE // (len(_GRID) * leaves), 1)
    for _ in map_in_order(some, spans(len(which), at_once)):
        pass
    return result


def _cumulated(density: FloatArray, slope: FloatArray, at: FloatArray) -> FloatArray:
    """Share of each row's density that lies below some places, its values and slopes being known at 0, 1, …, n − 1.

    The density is a cubic between two points, and so is its integral, which has the density for its slope (Hermite).

    Parameters
    ----------
    density, slope : (rows, n)
    at : (edges, rows, nodes)
        NaN where the result shall be.
    """
    between = 0.5 * (density[:, 1:] + density[:, :-1]) + (slope[:, :-1] - slope[:, 1:]) / 12.0
    whole = np.concatenate([np.zeros((len(density), 1)), np.cumsum(between, axis=1)], axis=1)
    at = np.clip(at, 0.0, density.shape[1] - 1.0)
    first = np.minimum(np.nan_to_num(at).astype(np.int64), density.shape[1] - 2)
    row, t = np.arange(len(density))[:, np.newaxis], at - first
    rise, start, end = between[row, first], density[row, first], density[row, first + 1]
    inside = t * (start + t * (3.0 * rise - 2.0 * start - end + t * (start + end - 2.0 * rise)))
    return np.asarray((whole[row, first] + inside) / whole[:, -1:])
