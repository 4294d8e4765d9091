"""Compiled loop over leaves that are intervals, or shown only because they are not small; see `loops_compiled`.

The likelihood of such a leaf is that of `likelihood.outcomes.Outcomes`, count by count: probabilities are summed from a
largest one outwards, by ratios of neighbours.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

import math

import numpy as np

from brightspots.common.compiling import called, compiled
from brightspots.engine.integration.loops_leaves import guess
from brightspots.likelihood.truncation import NEGLIGIBLE

_NEWTON_STEPS = 3


@called
def _log_ways(family, count, size):
    """Log of the factor of P(count) that does not depend on the predictor."""
    if family == 0:
        return -math.lgamma(count + 1.0)
    return math.lgamma(size + 1.0) - math.lgamma(count + 1.0) - math.lgamma(size - count + 1.0)


@called
def _ratio(family, odds, count, size):
    """P(count)/P(count − 1)."""
    if family == 0:
        return odds / count
    return max(odds * (size - count + 1.0) / count, 0.0)


@called
def _tail(family, least, size, predictor, odds, mean, variance, potential):
    """Log P(Y ≥ least), E[Y | Y ≥ least] − E[Y], and Var[Y | Y ≥ least], as `truncation.tail`."""
    if least <= 0.0:
        return 0.0, 0.0, variance
    total, first, second = 0.0, 0.0, 0.0
    if mean >= least:
        count = least - 1.0
        term = math.exp(_log_ways(family, count, size) + count * predictor - potential)
        while count >= 0.0 and term > 0.0:
            total += term
            first += (mean - count) * term
            second += (mean - count) ** 2 * term
            if term <= NEGLIGIBLE * total or count == 0.0:
                break
            term /= _ratio(family, odds, count, size)
            count -= 1.0
        left = 1.0 - total
        excess = first / left
        return math.log1p(-total), excess, max((variance - second) / left - excess * excess, 0.0)
    term, total, step = 1.0, 1.0, 0.0
    while True:
        step += 1.0
        term *= _ratio(family, odds, least + step, size)
        if not term > NEGLIGIBLE * total:  # nor where it is no number
            break
        total += term
        first += step * term
        second += step * step * term
    shift = first / total
    log_mass = _log_ways(family, least, size) + least * predictor - potential
    return log_mass + math.log(total), least + shift - mean, max(second / total - shift * shift, 0.0)


@called
def _interval(family, lower, upper, size, predictor, odds, mean):
    """Log of the sum of h(j)·exp(j·s) over an interval, and mean and variance of the count inside it."""
    start = min(max(math.floor(mean), lower), upper)
    total, first, second = 1.0, 0.0, 0.0
    term, count = 1.0, start
    while count < upper:
        count += 1.0
        term *= _ratio(family, odds, count, size)
        if term <= NEGLIGIBLE * total:
            break
        total += term
        first += (count - start) * term
        second += (count - start) ** 2 * term
    term, count = 1.0, start
    while count > lower:
        term /= _ratio(family, odds, count, size)
        count -= 1.0
        if term <= NEGLIGIBLE * total:
            break
        total += term
        first += (count - start) * term
        second += (count - start) ** 2 * term
    shift = first / total
    log_start = _log_ways(family, start, size) + start * predictor
    if family == 1:
        log_start -= math.lgamma(size + 1.0)  # as in `Binomial.log_term`: the same for all counts
    return log_start + math.log(total), start + shift, max(second / total - shift * shift, 0.0)


@called
def _derivatives(family, lower, upper, size, least, predictor):
    """Log likelihood of a leaf, slope and curvature, as `Outcomes.derivatives`."""
    odds = math.exp(min(max(predictor, -300.0), 300.0))
    if family == 0:
        mean = odds
        variance, potential = mean, mean
    else:
        small = math.exp(-abs(predictor))
        share = (1.0 if predictor > 0.0 else small) / (1.0 + small)
        mean = size * share
        variance = mean * (1.0 - share)
        potential = size * (max(predictor, 0.0) + math.log1p(small))
    if lower == upper:
        value, slope, curvature = lower * predictor - potential, lower - mean, -variance
    elif upper >= (math.inf if family == 0 else size):
        value, slope, of_tail = _tail(family, lower, size, predictor, odds, mean, variance, potential)
        curvature = of_tail - variance
    else:
        log_sum, inside, of_interval = _interval(family, lower, upper, size, predictor, odds, mean)
        value, slope, curvature = log_sum - potential, inside - mean, of_interval - variance
    if least > 0.0:
        log_shown, excess, of_tail = _tail(family, least, size, predictor, odds, mean, variance, potential)
        value -= log_shown
        slope -= excess
        curvature -= of_tail - variance
    return value, slope, curvature


@compiled("f8[:,:,::1](i8, f8[::1], f8[::1], f8[::1], f8[::1], f8[:,::1], f8[:,::1], f8[::1], f8[::1])")
def conditioned_marginals(family, lower, upper, size, least, predictor, sd, points, log_weights):
    """Log marginal likelihood of conditioned leaves, and its derivatives, as `leaf.integrate_leaf` defines them.

    Parameters
    ----------
    family : int
        Number of the family: its attribute `loop`.
    lower, upper, size, least : (L,)
        As in `Outcomes`; `least` is 0 where any count would be shown.
    predictor : (L, M)
    sd : (L, M) or (1, M)
    points, log_weights : (nodes,)

    Returns
    -------
    (4, L, M)
        Value, slope, curvature, and variance of the standardised effect.
    """
    leaves, width_of = predictor.shape
    n_nodes = len(points)
    out = np.empty((4, leaves, width_of))
    weight, effect = np.empty(n_nodes), np.empty(n_nodes)
    slopes, curvatures = np.empty(n_nodes), np.empty(n_nodes)
    for leaf in range(leaves):
        of_leaf = family, lower[leaf], upper[leaf], size[leaf], least[leaf]
        # As `Outcomes.guess`: from the middle of an interval.
        end = upper[leaf] if upper[leaf] < math.inf else max(lower[leaf], size[leaf])
        start, known = guess(family, 0.5 * (lower[leaf] + end), size[leaf])
        for column in range(width_of):
            centre, spread = predictor[leaf, column], sd[leaf if len(sd) > 1 else 0, column]
            mode = spread * known * (start - centre) / (1.0 + spread * spread * known)
            for _ in range(_NEWTON_STEPS if spread > 0.0 else 0):
                _, slope, curvature = _derivatives(*of_leaf, centre + spread * mode)
                move = (spread * slope - mode) / (1.0 - spread * spread * curvature)
                mode += min(max(move, -8.0), 8.0)
            width = 1.0
            if spread > 0.0:
                _, _, curvature = _derivatives(*of_leaf, centre + spread * mode)
                width = 1.0 / math.sqrt(1.0 - spread * spread * curvature)
            peak = -1e300
            for node in range(n_nodes):
                z = mode + width * points[node]
                value, slopes[node], curvatures[node] = _derivatives(*of_leaf, centre + spread * z)
                effect[node] = z
                weight[node] = value - 0.5 * z * z + log_weights[node]
                peak = max(peak, weight[node])
            total, mean, mean_slope, mean_curvature = 0.0, 0.0, 0.0, 0.0
            for node in range(n_nodes):
                weight[node] = math.exp(weight[node] - peak)
                total += weight[node]
                mean += weight[node] * effect[node]
                mean_slope += weight[node] * slopes[node]
                mean_curvature += weight[node] * curvatures[node]
            mean /= total
            mean_slope /= total
            variance, scatter = 0.0, 0.0
            for node in range(n_nodes):
                variance += weight[node] * (effect[node] - mean) ** 2
                scatter += weight[node] * (slopes[node] - mean_slope) ** 2
            variance /= total
            out[0, leaf, column] = peak + math.log(total * width)
            out[1, leaf, column] = mean_slope
            if variance < 0.5 and spread > 0.0:
                out[2, leaf, column] = (variance - 1.0) / (spread * spread)
            else:
                out[2, leaf, column] = min((mean_curvature + scatter) / total, 0.0)
            out[3, leaf, column] = variance
    return out
