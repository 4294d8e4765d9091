"""Compiled loops over draws of nearly normal distributions; `mixture_loops_plain` has their twins in NumPy."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

import math

import numpy as np

from brightspots.common.compiling import called, compiled, exp_negative, inlined
from brightspots.statistics.distribution_loops_compiled import distributions

__all__ = ["beyond_both", "change_in_count", "describe", "distributions"]

# How near to its probability a quantile must come, and after how many steps the search ends.
CLOSE, MOST_STEPS = 2e-5, 20
_INVERSE_ROOT = 0.3989422804014327


@inlined
def _cdf(z, skewness, kurtosis):
    """P(Z ≤ z) and the density at z, by Edgeworth's series to second order (Hall 1992, ch. 2).

    The normal's own by Hart's rational approximation (1968; as in West 2005, Wilmott Magazine, May: 70), to 1e-12.
    """
    z = min(max(z, -10.0), 10.0)
    x, square = abs(z), z * z
    density = exp_negative(-0.5 * square)
    above = 3.52624965998911e-02 * x + 0.700383064443688
    above = ((above * x + 6.37396220353165) * x + 33.912866078383) * x + 112.079291497871
    above = (above * x + 221.213596169931) * x + 220.206867912376
    below = 8.83883476483184e-02 * x + 1.75566716318264
    below = ((below * x + 16.064177579207) * x + 86.7807322029461) * x + 296.564248779674
    below = ((below * x + 637.333633378831) * x + 793.826512519948) * x + 440.413735824752
    tail = density * above / below
    density *= _INVERSE_ROOT
    third, fourth, sixth = skewness / 6.0, kurtosis / 24.0, skewness * skewness / 72.0
    correction = third * (square - 1.0) + z * (
        fourth * (square - 3.0) + sixth * ((square - 10.0) * square + 15.0)
    )
    slope = 1.0 + third * z * (square - 3.0) + fourth * ((square - 6.0) * square + 3.0)
    slope += sixth * (((square - 15.0) * square + 45.0) * square - 15.0)
    share = (1.0 - tail if z > 0.0 else tail) - density * correction
    return min(max(share, 0.0), 1.0), density * slope


@called
def _moments(location, sd, skewness, kurtosis):
    """Mean, standard deviation, skewness and excess kurtosis of a mixture of equal weights."""
    size = len(location)
    mean = 0.0
    for s in range(size):
        mean += location[s]
    mean /= size
    second, third, fourth = 0.0, 0.0, 0.0
    for s in range(size):
        away, own = location[s] - mean, sd[s] * sd[s]
        square, of_third = away * away, skewness[s] * own * sd[s]
        second += own + square
        third += of_third + (3.0 * own + square) * away
        fourth += (kurtosis[s] + 3.0) * own * own + (4.0 * of_third + (6.0 * own + square) * away) * away
    variance = second / size
    spread = math.sqrt(variance)
    scale = max(variance, 1e-300)
    return mean, spread, third / (size * scale * math.sqrt(scale)), fourth / (size * scale * scale) - 3.0


@inlined
def _step(x, low, high, missed, density):
    """One step of Newton's method for a distribution function, halving the bracket where it leads out of it."""
    if missed > 0.0:
        high = x
    else:
        low = x
    following = x - missed / density if density > 0.0 else low
    return (following if low < following < high else 0.5 * (low + high)), low, high


@called
def _quantile(location, inverse, skewness, kurtosis, probability, start, spread):
    """Where the mixture's distribution function takes a value, by Newton's method within a bracket."""
    size = len(location)
    x, low, high = start, start - 20.0 * spread, start + 20.0 * spread
    for _ in range(MOST_STEPS):
        whole, density = 0.0, 0.0
        for s in range(size):
            share, slope = _cdf((x - location[s]) * inverse[s], skewness[s], kurtosis[s])
            whole += share
            density += slope * inverse[s]
        missed = whole / size - probability
        if not abs(missed) > CLOSE:
            break
        x, low, high = _step(x, low, high, missed, density / size)
    return x


@compiled("f8[:,::1](f8[:,::1], f8[:,::1], f8[:,::1], f8[:,::1], f8, f8, f8)")
def describe(location, sd, skewness, kurtosis, reach, tail, score):
    """Summarise mixtures; see `mixtures.describe`.

    Parameters
    ----------
    location, sd, skewness, kurtosis : (n, S)
    reach : float
    tail, score : float
        Probability beyond either end of the interval, and the normal's quantile there (negative).

    Returns
    -------
    (6, n)
        Mean, lower and upper end, P(> reach), P(< −reach), and standard deviation.
    """
    rows, size = location.shape
    out = np.empty((6, rows))
    inverse = np.empty(size)
    for row in range(rows):
        middle, of_skewness, of_kurtosis = location[row], skewness[row], kurtosis[row]
        if math.isnan(middle[0]):
            out[:, row] = np.nan
            continue
        mean, spread, third, fourth = _moments(middle, sd[row], of_skewness, of_kurtosis)
        for s in range(size):
            inverse[s] = 1.0 / max(sd[row, s], 1e-12)
        out[0, row], out[5, row] = mean, spread
        # Where to start: Cornish & Fisher (1938).
        third, fourth = min(max(third, -1.0), 1.0), min(max(fourth, -1.0), 1.5)
        square = score * score
        even, odd = third * (square - 1.0) / 6.0, fourth * score * (square - 3.0) / 24.0
        odd += score - third * third * score * (2.0 * square - 5.0) / 36.0
        for end in range(2):
            start = mean + spread * (even + odd if end == 0 else even - odd)
            probability = tail if end == 0 else 1.0 - tail
            out[1 + end, row] = _quantile(
                middle, inverse, of_skewness, of_kurtosis, probability, start, spread
            )
        above, below = 0.0, 0.0
        for s in range(size):
            share, _ = _cdf((reach - middle[s]) * inverse[s], of_skewness[s], of_kurtosis[s])
            above += 1.0 - share
        for s in range(size):
            share, _ = _cdf((-reach - middle[s]) * inverse[s], of_skewness[s], of_kurtosis[s])
            below += share
        out[3, row], out[4, row] = above / size, below / size
    return out


@compiled("f8[:,::1](f8[:,::1], f8[:,::1], f8[:,::1], f8[:,::1], f8[:,::1], f8[:,::1], f8)")
def beyond_both(location, sd, skewness, kurtosis, first, second, reach):
    """P(v − first and v − second both beyond the margin), for nearly normal v; see `mixtures.beyond_both`.

    Parameters
    ----------
    location, sd, skewness, kurtosis : (n, S)
        Of v.
    first, second : (n, S)
    reach : float

    Returns
    -------
    (3, n)
        Both above `reach`; both below −`reach`; both within.
    """
    rows, size = location.shape
    out = np.empty((3, rows))
    inverse, highest, lowest = np.empty(size), np.empty(size), np.empty(size)
    for row in range(rows):
        middle, of_skewness, of_kurtosis = location[row], skewness[row], kurtosis[row]
        one, other = first[row], second[row]
        for s in range(size):
            inverse[s] = 1.0 / max(sd[row, s], 1e-12)
        for s in range(size):
            highest[s] = max(one[s], other[s]) - middle[s]
        for s in range(size):
            lowest[s] = min(one[s], other[s]) - middle[s]
        high, low, within = 0.0, 0.0, 0.0
        for s in range(size):
            share, _ = _cdf((highest[s] + reach) * inverse[s], of_skewness[s], of_kurtosis[s])
            high += 1.0 - share
        for s in range(size):
            share, _ = _cdf((lowest[s] - reach) * inverse[s], of_skewness[s], of_kurtosis[s])
            low += share
        for s in range(size):
            top, _ = _cdf((lowest[s] + reach) * inverse[s], of_skewness[s], of_kurtosis[s])
            bottom, _ = _cdf((highest[s] - reach) * inverse[s], of_skewness[s], of_kurtosis[s])
            within += max(top - bottom, 0.0)
        out[0, row], out[1, row], out[2, row] = high / size, low / size, within / size
    return out


@called
def _logarithms(x, bits, mantissa, out):
    """Natural logarithms of positive numbers, to 1e-12: the exponent from the bits, the rest by a series.

    Parameters
    ----------
    x, out : (S,)
    bits : int (S,)
        `x` as whole numbers: the same memory.
    mantissa : int (S,), and the same memory as float (S,)
    """
    as_bits, as_float = mantissa
    for s in range(len(x)):
        as_bits[s] = (bits[s] & 0x000FFFFFFFFFFFFF) | 0x3FF0000000000000
    for s in range(len(x)):
        half = 1.0 if as_float[s] > 1.4142135623730951 else 0.0
        value = as_float[s] * (1.0 - 0.5 * half)
        t = (value - 1.0) / (value + 1.0)
        square = t * t
        series = 1.0 / 15.0
        series = series * square + 1.0 / 13.0
        series = series * square + 1.0 / 11.0
        series = series * square + 1.0 / 9.0
        series = series * square + 1.0 / 7.0
        series = series * square + 0.2
        series = series * square + 1.0 / 3.0
        series = series * square + 1.0
        out[s] = 2.0 * t * series + 0.6931471805599453 * (half + float((bits[s] >> 52) - 1023))


@compiled(
    "f8[:,::1](f8[:,::1], f8[:,::1], f8[:,::1], f8[:,::1], f8[::1], f8[:,::1], f8[:,::1], f8[:,::1], "
    "f8[:,::1], f8[::1], f8)"
)
def change_in_count(level, sd, skewness, kurtosis, people, centre, slope, bend, start, spread, tail):
    """Interval of how much larger a mean count is than `level`; see `mixtures.change_in_count`.

    The logarithm of the count (its logit, of `people`) is centre + slope·v + bend·v², v being an effect measured from
    its mean. So the change is below x where v is below a root of a quadratic equation.

    Parameters
    ----------
    level, sd, skewness, kurtosis : (n, S)
        `level` is the count to compare with; the others are those of v.
    people : (n,)
        Largest count; infinite where there is none.
    centre : (n, S)
    slope, bend : (n, S) or (1, S)
    start : (2, n)
        Where to look for either end.
    spread : (n,)
        Standard deviation of the change, roughly.
    tail : float

    Returns
    -------
    (2, n)
        Lower and upper end.
    """
    rows, size = level.shape
    out = np.empty((2, rows))
    total, rest, inverse, log_rest = np.empty(size), np.empty(size), np.empty(size), np.zeros(size)
    wanted, speed, fixed = np.empty(size), np.empty(size), np.empty(size)
    total_bits, rest_bits, as_bits = total.view(np.int64), rest.view(np.int64), np.empty(size, np.int64)
    mantissa = as_bits, as_bits.view(np.float64)
    for row in range(rows):
        of_level, of_centre, of_skewness, of_kurtosis = level[row], centre[row], skewness[row], kurtosis[row]
        of_bend = row if len(slope) > 1 else 0
        linear, square = slope[of_bend], bend[of_bend]
        most, bounded = people[row], people[row] < math.inf
        for s in range(size):
            inverse[s] = 1.0 / max(sd[row, s], 1e-12)
        for end in range(2):
            probability = tail if end == 0 else 1.0 - tail
            x = start[end, row]
            low, high = x - 30.0 * spread[row], x + 30.0 * spread[row]
            for _ in range(MOST_STEPS):
                # Counts that cannot be are moved to where next to no v leads.
                if bounded:
                    for s in range(size):
                        total[s] = min(max(of_level[s] + x, 1e-300), most * (1.0 - 1e-15))
                    for s in range(size):
                        rest[s] = most - total[s]
                    _logarithms(rest, rest_bits, mantissa, log_rest)
                    for s in range(size):
                        speed[s] = 1.0 / total[s] + 1.0 / rest[s]
                else:
                    for s in range(size):
                        total[s] = max(of_level[s] + x, 1e-300)
                    for s in range(size):
                        speed[s] = 1.0 / total[s]
                _logarithms(total, total_bits, mantissa, wanted)
                for s in range(size):
                    fixed[s] = wanted[s] - log_rest[s] - of_centre[s]
                for s in range(size):
                    root = math.sqrt(max(linear[s] * linear[s] + 4.0 * square[s] * fixed[s], 1e-12))
                    wanted[s] = 2.0 * fixed[s] / (linear[s] + root) * inverse[s]
                    speed[s] *= inverse[s] / root
                whole, density = 0.0, 0.0
                for s in range(size):
                    share, height = _cdf(wanted[s], of_skewness[s], of_kurtosis[s])
                    whole += share
                    density += height * speed[s]
                missed = whole / size - probability
                if not abs(missed) > CLOSE:
                    break
                x, low, high = _step(x, low, high, missed, density / size)
            out[end, row] = x
        if bounded:
            for s in range(size):
                log_rest[s] = 0.0
    return out
