"""Compiled loops over leaves: the one-dimensional integral of each over its own effect; see `loops_compiled`."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

import math

import numpy as np

from brightspots.common.compiling import compiled, inlined


@inlined
def _moments(family, size, predictor):
    """Mean and variance of a count."""
    if family == 0:
        mean = math.exp(min(predictor, 300.0))
        return mean, mean
    small = math.exp(-abs(predictor))
    share = (1.0 if predictor > 0.0 else small) / (1.0 + small)
    mean = size * share
    return mean, mean * (1.0 - share)


@inlined
def _log_density(family, count, size, predictor):
    """Log likelihood of a count without its constant, and mean and variance of counts."""
    mean, variance = _moments(family, size, predictor)
    if family == 0:
        return count * predictor - mean, mean, variance
    log_total = max(predictor, 0.0) + math.log1p(math.exp(-abs(predictor)))
    return count * predictor - size * log_total, mean, variance


@inlined
def guess(family, count, size):
    """Predictor at which a count is about what is expected, and its information there."""
    if family == 0:
        return math.log(count + 0.5), count + 0.5
    share = (count + 0.5) / (size + 1.0)
    return math.log(share) - math.log1p(-share), size * share * (1.0 - share)


@inlined
def _leaf_mode(family, count, size, start, information, centre, spread):
    """Mode of a leaf's standardised effect, and the width of a normal that fits there."""
    mode = spread * information * (start - centre) / (1.0 + spread * spread * information)
    bend = 1.0
    for step in range(5):
        mean, variance = _moments(family, size, centre + spread * mode)
        bend = 1.0 + spread * spread * variance
        move = (spread * (count - mean) - mode) / bend
        if step == 4 or abs(move) * math.sqrt(bend) < 1e-3:
            break
        mode += min(max(move, -8.0), 8.0)
    return mode, 1.0 / math.sqrt(bend)


@compiled("f8[:,:,::1](i8, f8[::1], f8[::1], f8[:,::1], f8[:,::1], f8[::1], f8[::1])")
def leaf_marginals(family, count, size, predictor, sd, points, log_weights):
    """Log marginal likelihood of exact counts, and its derivatives, as `leaf.integrate_leaf` defines them.

    Parameters
    ----------
    family : int
        Number of the family: its attribute `loop`.
    count, size : (L,)
    predictor : (L, M)
    sd : (L, M) or (1, M)
        Of the leaf effect; may be 0.
    points, log_weights : (nodes,)
        Symmetric about 0, as from `leaf.hermite`.

    Returns
    -------
    (4, L, M)
        Value, slope, curvature, and variance of the standardised effect.
    """
    leaves, width_of = predictor.shape
    n_nodes = len(points)
    out = np.empty((4, leaves, width_of))
    effect, log = np.empty(n_nodes), np.empty(n_nodes)
    means, variances = np.empty(n_nodes), np.empty(n_nodes)
    for leaf in range(leaves):
        y, n = count[leaf], size[leaf]
        start, information = guess(family, y, n)
        own_sd = sd[leaf if len(sd) > 1 else 0]
        for column in range(width_of):
            centre, spread = predictor[leaf, column], own_sd[column]
            mode, width = _leaf_mode(family, y, n, start, information, centre, spread)
            peak = -1e300
            for node in range(n_nodes):
                z = mode + width * points[node]
                value, means[node], variances[node] = _log_density(family, y, n, centre + spread * z)
                effect[node] = z
                log[node] = value - 0.5 * z * z + log_weights[node]
                peak = max(peak, log[node])
            total, mean, mean_effect, mean_variance = 0.0, 0.0, 0.0, 0.0
            for node in range(n_nodes):
                weight = math.exp(log[node] - peak)
                log[node] = weight
                total += weight
                mean += weight * means[node]
                mean_effect += weight * effect[node]
                mean_variance += weight * variances[node]
            mean /= total
            mean_effect /= total
            scatter, moment = 0.0, 0.0
            for node in range(n_nodes):
                scatter += log[node] * (means[node] - mean) ** 2
                moment += log[node] * (effect[node] - mean_effect) ** 2
            moment /= total
            out[0, leaf, column] = peak + math.log(total * width)
            out[1, leaf, column] = y - mean
            if moment < 0.5 and spread > 0.0:
                out[2, leaf, column] = (moment - 1.0) / (spread * spread)
            else:
                out[2, leaf, column] = min((scatter - mean_variance) / total, 0.0)
            out[3, leaf, column] = moment
    return out


@compiled("f8[:,::1](i8[::1], i8[::1], f8[::1], f8[::1], i8)")
def products_of_types(bounds, leaf_type, weight, gain, n_types):
    """Σ over runs of leaves of gain·load·load', where load is the sum of the leaves' weights by type, (types, types).

    Parameters
    ----------
    bounds : int (R + 1,)
        Runs of leaves.
    leaf_type : int (N,)
    weight : (N,)
    gain : (R,)
    n_types : int
    """
    out = np.zeros((n_types, n_types))
    for run in range(len(bounds) - 1):
        for leaf in range(bounds[run], bounds[run + 1]):
            row, factor = out[leaf_type[leaf]], gain[run] * weight[leaf]
            for other in range(bounds[run], bounds[run + 1]):
                row[leaf_type[other]] += factor * weight[other]
    return out
