"""Leave-one-out prediction of every cell, without refitting: how surprising it is to the rest of the data.

Given a draw of what trusts share, a trust's effect without one of its cells has a one-dimensional distribution: the
trust's polynomial less the cell's, against N(0, σ_u²). Draws of the shared parameters are reweighted by one over the
probability of the cell given the rest, the same two integrals' ratio (Marshall & Spiegelhalter 2007, Bayesian
Analysis 2:409; Li, Qiu, Zhang & Feng 2016, Stat Comput 26:881).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import special

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.common.parallel import map_in_order
from brightspots.data.cells import Cells
from brightspots.engine.integration.expansion import Expansion, expand_around
from brightspots.engine.integration.outermost import integrate_top, integrate_trusts
from brightspots.engine.integration.polynomials import (
    TrustGroup,
    trust_groups,
    trust_polynomials,
)
from brightspots.engine.posterior import Posterior, SharedDraws, enough_draws
from brightspots.engine.thinning import thin
from brightspots.likelihood.family import CountFamily
from brightspots.likelihood.mixtures import at_least

_FEW = 20.0
# Normals that stand for the mixture over draws: so many where its locations spread as widely as each of its normals,
# and in proportion where they spread less.
_COMPONENTS, _LEAST_COMPONENTS = 24, 4


@dataclass(frozen=True)
class Prediction:
    """What the rest of the data predict of the predictor of each cell's total, (C', S) each.

    Parameters
    ----------
    location, sd : (C', S)
        Of the nearly normal linear predictor: log expected events (poisson), logit of the overall probability
        (binomial), or the mean estimate (normal).
    log_weight : (C', S)
        Minus the log probability of the cell given the rest.
    """

    location: FloatArray
    sd: FloatArray
    log_weight: FloatArray


class Surprise(NamedTuple):
    """Leave-one-out mid-p of every cell, and the smallest and largest that any count could have given it, (C,) each."""

    value: FloatArray
    least: FloatArray
    most: FloatArray


def surprise(posterior: Posterior) -> FloatArray:
    """Leave-one-out mid-p of every cell, (C,): see `leave_one_out`."""
    return leave_one_out(posterior).value


def leave_one_out(posterior: Posterior) -> Surprise:
    """Leave-one-out mid-p of every cell: P(y_rep > y) + ½P(y_rep = y), predicted from everything but the cell.

    With periods a cell is the total of its periods, all of them left out together. A suppressed count contributes its
    expectation over the interval, which is ½P(y_rep ≥ lower) + ½P(y_rep > upper); a count that is there only because it
    is at least m is compared with replicates of at least m. Under the model it is
    uniform; near 0 the cell is higher, near 1 lower, than the rest of the data would have it. Uniform as counts can be:
    with no events it is 1 − ½P(y_rep = 0), so that below about three predicted events (P(y_rep = 0) > 0.05) it cannot
    exceed 0.975; and where nearly everybody is predicted to have the event it cannot be small.

    Parameters
    ----------
    posterior : Posterior
        Of either engine: only its data and shared draws are used.

    References
    ----------
    Marshall EC, Spiegelhalter DJ (2007). Identifying outliers in Bayesian hierarchical models. Bayesian Analysis
    2:409–444. Ohlssen DI, Sharples LD, Spiegelhalter DJ (2007). J R Stat Soc A 170:865–890.
    """
    cells = posterior.cells
    shared = thin(posterior.shared, cells, enough_draws(cells))
    expansions = expand_around(cells, shared)
    assert expansions[0].tree.nodes[0].name == "trust"  # the cell is taken out of the polynomial of its trust
    groups = trust_groups(cells, shared.n_draws)
    result = np.empty((3, cells.n_cells))

    def one(group: TrustGroup) -> FloatArray:
        prediction = _joined([collapse(part) for part in _predict(expansions, shared, group)])
        tail = tail_probability(cells, group.cells, prediction)
        weights = special.softmax(prediction.log_weight, axis=1)
        least, most = _bounds(cells, group.cells, prediction, weights)
        return np.stack([np.sum(weights * tail, axis=1), least, most])

    for group, values in zip(groups, map_in_order(one, groups), strict=True):
        result[:, group.cells] = values
    return Surprise(*result)


def _predict(expansions: tuple[Expansion, ...], shared: SharedDraws, group: TrustGroup) -> list[Prediction]:
    """Predict the cells of a group of trusts from the rest of the data, for each component of departments' effects."""
    cells, own = expansions[0].tree.cells, group.cells
    shape = (own.stop - own.start, shared.n_draws)
    trust_mean, trust_variance, log_weight = np.empty(shape), np.empty(shape), np.empty(shape)
    for band, at, full, rest in _cavities(expansions, group):
        sd = band.draws.scales["trust"]
        trust_mean[:, at], trust_variance[:, at] = sd * rest[1], sd**2 * rest[2]
        log_weight[:, at] = rest[0] - full
    fixed, passing = total_predictor(cells, own, shared, shared.sd_of("period"))
    rest = trust_variance + cells.error_variance[own, np.newaxis] + passing
    sd, location = shared.sd_of_cells(cells, own), fixed + trust_mean
    if "department" not in shared.effects:
        return [Prediction(location, np.sqrt(rest + sd**2), log_weight)]
    mixing = shared.effects["department"].mixing
    return [
        Prediction(location, np.sqrt(rest + (sd * factor) ** 2), log_weight + log_share)
        for log_share, factor in zip(mixing.log_weight, mixing.factor, strict=True)
    ]


def _joined(parts: Sequence[Prediction]) -> Prediction:
    """All normals of several predictions."""
    return Prediction(
        *(np.concatenate(part, axis=1) for part in zip(*(vars(one).values() for one in parts), strict=True))
    )


def collapse(prediction: Prediction, components: int | None = None) -> Prediction:
    """Fewer normals in place of the draws' own, (C', components), with the mean and variance of the mixture kept.

    Draws of a cell are sorted by location and cut where their weights have added up to one share after another;
    those of a share are merged into the normal with their weight, mean and variance. What is merged differs by a
    fraction of its spread, and so the tails stay what they were.

    Parameters
    ----------
    prediction : Prediction
    components : int, optional
        By default as many as make that fraction small for nine cells in ten.
    """
    rows, size = prediction.location.shape
    weight = special.softmax(prediction.log_weight, axis=1)
    if components is None:
        away = prediction.location - np.sum(weight * prediction.location, axis=1, keepdims=True)
        spread = np.sqrt(np.sum(weight * away**2, axis=1) / np.sum(weight * prediction.sd**2, axis=1))
        wanted = np.ceil(_COMPONENTS * np.quantile(spread, 0.9))
        components = int(np.clip(wanted, _LEAST_COMPONENTS, _COMPONENTS))
    if size <= components:
        return prediction
    total_weight = special.logsumexp(prediction.log_weight, axis=1, keepdims=True)
    order = np.argsort(prediction.location, axis=1)
    location, sd, weight = (
        np.take_along_axis(values, order, axis=1) for values in (prediction.location, prediction.sd, weight)
    )
    middle = np.cumsum(weight, axis=1) - 0.5 * weight
    share = np.minimum((components * middle).astype(np.int64), components - 1)
    member = (share + components * np.arange(rows)[:, np.newaxis]).ravel()

    def total(values: FloatArray) -> FloatArray:
        return np.asarray(np.bincount(member, values.ravel(), rows * components), np.float64)

    whole = total(weight)
    # A draw of more weight than a share leaves the next one empty: a component that counts for nothing.
    safe = np.where(whole > 0.0, whole, 1.0)
    mean = total(weight * location) / safe
    away = location.ravel() - mean[member]
    variance = np.where(whole > 0.0, total(weight * (sd**2 + away.reshape(sd.shape) ** 2)) / safe, 1.0)
    with np.errstate(divide="ignore"):
        log_weight = np.log(whole).reshape(rows, components) + total_weight
    return Prediction(mean.reshape(rows, components), np.sqrt(variance).reshape(rows, components), log_weight)


def _cavities(
    expansions: tuple[Expansion, ...], group: TrustGroup
) -> Iterator[tuple[Expansion, IntArray, FloatArray, FloatArray]]:
    """For each band: its draws, the log likelihood of each cell's trust, and the integrals without the cell."""
    for band in expansions:
        polynomials = trust_polynomials(band, group, by_cell=True)
        assert polynomials.cell is not None  # asked for
        trust = band.tree.cells.cell_trust[group.cells]
        of_trust = trust - group.trusts.start
        without = np.ascontiguousarray(polynomials.by_node["trust"][:, of_trust] - polynomials.cell)
        rest = integrate_top(band, trust, without, polynomials.centre[of_trust])
        yield band, band.members, integrate_trusts(band, polynomials)[of_trust], rest


def total_predictor(
    cells: Cells, own: slice, shared: SharedDraws, sd_period: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Predictor of each cell's total at u = v = 0 and the variance that its periods' effects add, (C', S) each.

    The sum of a cell's log-normal rates is taken as log-normal with the same mean and variance (Fenton 1960);
    with one leaf a cell, and for estimates, nothing is approximated.
    """
    bounds = cells.cell_leaves[own.start : own.stop + 1]
    leaves, starts = slice(int(bounds[0]), int(bounds[-1])), bounds[:-1] - bounds[0]
    predictor = shared.leaf_predictor(cells, leaves)
    size = cells.size[leaves, np.newaxis]

    def total(values: FloatArray) -> FloatArray:
        return np.asarray(np.add.reduceat(values, starts, axis=0), dtype=np.float64)

    return cells.family.total_predictor(size, predictor, sd_period**2, total)


def tail_probability(cells: Cells, own: slice, prediction: Prediction) -> FloatArray:
    """½P(y_rep ≥ lower) + ½P(y_rep > upper) of each cell's total at each draw, (C', S)."""
    family = cells.family
    if not isinstance(family, CountFamily):
        precision = cells.cell_sum(family.weight(cells.size))[own]
        seen = (cells.cell_sum(cells.lower * family.weight(cells.size))[own] / precision)[:, np.newaxis]
        spread = np.sqrt(prediction.sd**2 + 1.0 / precision[:, np.newaxis])
        return np.asarray(special.ndtr((prediction.location - seen) / spread))
    lower, upper = cells.cell_sum(cells.lower)[own], cells.cell_sum(cells.upper)[own]
    size = cells.cell_sum(cells.size)[own]
    beyond = np.zeros_like(prediction.location)
    bounded = np.flatnonzero(np.isfinite(upper))
    if len(bounded):
        some = Prediction(*(values[bounded] for values in vars(prediction).values()))
        beyond[bounded] = at_least(family, upper[bounded] + 1.0, size[bounded], some.location, some.sd)
    middle = 0.5 * (at_least(family, lower, size, prediction.location, prediction.sd) + beyond)
    if cells.counted_from is None:
        return middle
    return middle / at_least(
        family, cells.cell_sum(cells.counted_from)[own], size, prediction.location, prediction.sd
    )


def _bounds(
    cells: Cells, own: slice, prediction: Prediction, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Smallest and largest mid-p of each cell, (C',) each: of everybody and of nobody (of the least count shown)."""
    family, count = cells.family, own.stop - own.start
    least, most = np.zeros(count), np.ones(count)
    if not isinstance(family, CountFamily):
        return least, most
    middle = np.sum(weights * prediction.location, axis=1)
    shown = np.zeros(count) if cells.counted_from is None else cells.cell_sum(cells.counted_from)[own]
    size = cells.cell_sum(cells.size)[own]
    mean = family.mean(size, middle)
    # Of more events than this beyond the least that is shown no bound is in sight.
    few = np.flatnonzero(mean < 2.0 * shown + _FEW)
    if len(few):
        some, of = Prediction(*(values[few] for values in vars(prediction).values())), weights[few]
        all_shown = at_least(family, shown[few], size[few], some.location, some.sd)
        beyond = at_least(family, shown[few] + 1.0, size[few], some.location, some.sd)
        most[few] = np.sum(of * 0.5 * (1.0 + beyond / all_shown), axis=1)
    rest = np.flatnonzero(family.limit(size) - mean < _FEW)
    if len(rest):
        some, of = Prediction(*(values[rest] for values in vars(prediction).values())), weights[rest]
        everybody = at_least(family, size[rest], size[rest], some.location, some.sd)
        least[rest] = 0.5 * np.sum(
            of * everybody / at_least(family, shown[rest], size[rest], some.location, some.sd), axis=1
        )
    return least, most
