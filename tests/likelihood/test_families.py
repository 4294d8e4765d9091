"""What every family must keep: its methods agree with each other, with SciPy's distributions, and with PyMC's."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass
from typing import get_args

import numpy as np
import pytest
from scipy import integrate, special, stats

from brightspots.common.vocabulary import FAMILIES as NAMES
from brightspots.common.vocabulary import FamilyName
from brightspots.likelihood.families import FAMILIES, family_of, family_of_loop
from brightspots.likelihood.family import CountFamily
from brightspots.likelihood.outcomes import Outcomes
from brightspots.likelihood.poisson import Poisson

EVERY = list(FAMILIES.values())
COUNTED = [family for family in EVERY if isinstance(family, CountFamily)]
NAMED = {"ids": lambda family: family.name}

SIZE = np.array([3.0, 40.0, 900.0])
# Predictors about the middle of what such sizes show, and outcomes near them.
MIDDLE = {
    "poisson": np.log(SIZE),
    "binomial": np.array([-0.4, -1.2, -2.5]),
    "normal": np.array([-0.3, 0.0, 1.5]),
}
VALUE = {
    "poisson": np.array([2.0, 44.0, 880.0]),
    "binomial": np.array([1.0, 8.0, 70.0]),
    "normal": np.array([-0.2, 0.1, 1.4]),
}


def law(family, size, predictor):
    """The distribution in SciPy."""
    if family.name == "poisson":
        return stats.poisson(np.exp(predictor))
    if family.name == "binomial":
        return stats.binom(size, 1.0 / (1.0 + np.exp(-predictor)))
    return stats.norm(predictor, size)


def log_density(family, value, size, predictor):
    distribution = law(family, size, predictor)
    return distribution.logpmf(value) if family.is_count else distribution.logpdf(value)


def numbers(family, spread=0.5):
    size = SIZE / 1000.0 if family.name == "normal" else SIZE
    predictor = MIDDLE[family.name][:, np.newaxis] + spread * np.linspace(-1.0, 1.0, 7)
    return VALUE[family.name][:, np.newaxis], size[:, np.newaxis], predictor


def test_every_name_has_its_family():
    assert tuple(FAMILIES) == NAMES == get_args(FamilyName)
    for name in NAMES:
        assert family_of(name).name == name
    loops = [family.loop for family in EVERY if family.loop is not None]
    assert len(set(loops)) == len(loops)
    assert all(family_of_loop(loop).loop == loop for loop in loops)


@pytest.mark.parametrize("family", EVERY, **NAMED)
def test_copies_of_a_family_are_the_family(family):
    for other in (copy.deepcopy(family), pickle.loads(pickle.dumps(family)), type(family)()):
        assert other == family
        assert hash(other) == hash(family)
    assert [other for other in EVERY if other == family] == [family]


def test_families_with_a_number_of_their_own_are_equal_where_it_is():
    @dataclass(frozen=True)
    class Shifted(Poisson):
        shift: float

    assert Shifted(1.0) == Shifted(1.0)
    assert hash(Shifted(1.0)) == hash(Shifted(1.0))
    assert Shifted(1.0) != Shifted(2.0)
    assert Shifted(1.0) != family_of("poisson")
    assert repr(Shifted(2.0)).endswith("Shifted(shift=2.0)")
    assert repr(family_of("poisson")) == "Poisson()"
    with pytest.raises(FrozenInstanceError):
        Shifted(1.0).shift = 2.0
    with pytest.raises(FrozenInstanceError):
        family_of("poisson").name = "another"


@pytest.mark.parametrize("family", EVERY, **NAMED)
def test_the_density_is_scipys_up_to_a_constant_in_the_predictor(family):
    value, size, predictor = numbers(family)
    found, wanted = (
        family.derivatives(value, size, predictor).value,
        log_density(family, value, size, predictor),
    )
    np.testing.assert_allclose(found - found[:, :1], wanted - wanted[:, :1], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("family", EVERY, **NAMED)
def test_slopes_and_curvatures_are_those_of_the_density(family):
    value, size, predictor = numbers(family)
    step = 1e-5
    up, down = (family.derivatives(value, size, predictor + sign * step) for sign in (1.0, -1.0))
    here = family.derivatives(value, size, predictor)
    scale = family.information(size, predictor)
    np.testing.assert_allclose(here.slope / scale, (up.value - down.value) / (2 * step) / scale, atol=1e-5)
    np.testing.assert_allclose(
        here.curvature / scale, (up.slope - down.slope) / (2 * step) / scale, atol=1e-5
    )
    assert (here.curvature <= 0.0).all()


@pytest.mark.parametrize("family", EVERY, **NAMED)
def test_moments_are_derivatives_of_the_potential_and_those_of_the_distribution(family):
    _, size, predictor = numbers(family)
    step = 1e-4
    up, down = (family.moments(size, predictor + sign * step) for sign in (1.0, -1.0))
    here = family.moments(size, predictor)
    # The derivatives are in g(s), which is s where the link is canonical.
    natural = family.natural(size, predictor)
    rate = np.ones_like(predictor) if natural is None else natural.slope
    np.testing.assert_allclose(here.mean * rate, (up.potential - down.potential) / (2 * step), rtol=1e-6)
    np.testing.assert_allclose(here.information * rate, (up.mean - down.mean) / (2 * step), rtol=1e-5)
    np.testing.assert_allclose(family.information(size, predictor), here.information * rate**2, rtol=1e-12)
    np.testing.assert_allclose(family.mean(size, predictor), law(family, size, predictor).mean(), rtol=1e-12)


@pytest.mark.parametrize("family", EVERY, **NAMED)
def test_the_density_falls_short_of_its_tangent_by_the_rise(family):
    value, size, predictor = (each[:, 0] for each in numbers(family))
    move = np.array([-2.0, -1e-6, 1e-6, 0.7])
    outcome = value if family.is_count else value / size**2
    mean = family.moments(size, predictor).mean
    slope = family.derivatives(value, size, predictor).slope
    given = (each[:, np.newaxis] for each in (outcome, size, predictor, mean))
    rise = family.rise(*given, move)
    for i, (y, m, s) in enumerate(zip(value, size, predictor, strict=True)):
        for j, step in enumerate(move):
            gained, _ = integrate.quad(
                lambda t, y=y, m=m, s=s: float(family.derivatives(y, m, np.array(s + t)).slope), 0.0, step
            )
            assert rise[i, j] == pytest.approx(slope[i] * step - gained, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("family", EVERY, **NAMED)
def test_the_natural_predictor_is_differentiated(family):
    value, size, predictor = numbers(family)
    natural = family.natural(size, predictor)
    moments = family.moments(size, predictor)
    outcome = value if family.is_count else value / size**2
    found = family.in_predictor(size, predictor, family.in_natural(outcome, size, predictor, moments))
    wanted = family.derivatives(value, size, predictor)
    np.testing.assert_allclose(found.slope, wanted.slope, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.curvature, wanted.curvature, rtol=1e-9)
    if natural is not None:
        step = 1e-5
        up, down = (family.natural(size, predictor + sign * step) for sign in (1.0, -1.0))
        np.testing.assert_allclose(natural.slope, (up.value - down.value) / (2 * step), rtol=1e-6)
        np.testing.assert_allclose(natural.curvature, (up.slope - down.slope) / (2 * step), rtol=1e-5)


@pytest.mark.parametrize("family", EVERY, **NAMED)
def test_a_guess_is_near_the_peak_of_the_likelihood(family):
    value, size, _ = (each[:, :1] for each in numbers(family))
    guess, information = family.guess(value, size)
    slope = family.derivatives(value, size, guess).slope
    np.testing.assert_allclose(slope / np.sqrt(information), 0.0, atol=0.5)
    assert (family.usual_information(value, size) > 0.0).all()


@pytest.mark.parametrize("family", EVERY, **NAMED)
def test_totals_of_leaves_that_are_alike_have_their_predictor(family):
    size = np.full(6, 0.2 if family.name == "normal" else 30.0)
    predictor = np.full(6, MIDDLE[family.name][1])
    total = lambda values: values.reshape(2, 3).sum(axis=1)  # noqa: E731
    alike, none = family.total_predictor(size, predictor, np.zeros(2), total)
    leaf = predictor[:2] + (np.log(3.0) if family.link == "log" else 0.0)
    np.testing.assert_allclose(alike, leaf, rtol=1e-12)
    np.testing.assert_allclose(none, 0.0, atol=1e-12)
    # Three equal leaves with effects of their own average them.
    _, variance = family.total_predictor(size, predictor, np.full(2, 1e-4), total)
    np.testing.assert_allclose(variance, 1e-4 / 3.0, rtol=1e-3)
    summed = {"normal": 0.2 / np.sqrt(3.0)}.get(family.name, 90.0)
    np.testing.assert_allclose(family.total_size(size, total), summed)


@pytest.mark.parametrize("family", EVERY, **NAMED)
def test_what_is_drawn_has_the_mean_that_is_asked_for(family):
    n = 20_001
    drawn = family.draw((np.arange(n) + 0.5) / n, np.full(n, 12.0), np.full(n, 0.4), np.full(n, 0.2))
    value, size = next(iter(drawn.values())), drawn[family.size_column]
    assert next(iter(drawn)) == family.value_column
    offset = family.offset(size, drawn.get("expected"))
    wanted = family.mean(size, offset + 0.4)
    assert np.mean(value) == pytest.approx(np.mean(wanted), rel=2e-3)


@pytest.mark.parametrize("family", EVERY, **NAMED)
def test_pymc_has_the_same_density(family):
    pm = pytest.importorskip("pymc")
    value, size, predictor = (each[:, :1].ravel() for each in numbers(family))
    distribution, given = family.pymc_distribution(size, predictor)
    value = value.astype(np.int64) if family.is_count else value
    found = pm.logp(distribution.dist(**given), value).eval()
    np.testing.assert_allclose(found, log_density(family, value, size, predictor), rtol=1e-9)
    if isinstance(family, CountFamily):
        tail = family.pymc_log_tail(value.astype(float), size, predictor).eval()
        np.testing.assert_allclose(tail, law(family, size, predictor).logsf(value - 1), rtol=1e-8)


@pytest.mark.parametrize("family", COUNTED, **NAMED)
def test_masses_and_tails_are_scipys(family):
    value, size, predictor = numbers(family)
    distribution = law(family, size, predictor)
    np.testing.assert_allclose(family.mass(value, size, predictor), distribution.pmf(value), rtol=1e-9)
    np.testing.assert_allclose(family.log_mass(value, size, predictor), distribution.logpmf(value), rtol=1e-9)
    np.testing.assert_allclose(family.at_most(value, size, predictor), distribution.cdf(value), rtol=1e-8)
    np.testing.assert_allclose(family.at_least(value, size, predictor), distribution.sf(value - 1), rtol=1e-8)
    ratio = family.neighbours(np.exp(predictor), value, size)
    np.testing.assert_allclose(ratio, distribution.pmf(value) / distribution.pmf(value - 1), rtol=1e-8)
    terms = family.log_term(value, size, predictor) - family.log_term(value - 1, size, predictor)
    np.testing.assert_allclose(terms, np.log(ratio), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("family", COUNTED, **NAMED)
def test_thresholds_have_the_tails_quantiles_and_cumulants_that_they_should(family):
    value, size, _ = numbers(family)
    k, m = value[:, 0], size[:, 0]
    for probability in (0.1, 0.5, 0.9):
        at = family.threshold_quantile(k, m, probability)
        np.testing.assert_allclose(family.at_least(k, m, at), probability, rtol=1e-8)
    mean, variance, third, _ = family.threshold_cumulants(k, m)
    probability = (np.arange(200_000) + 0.5) / 200_000
    for i in range(len(k)):
        drawn = family.threshold_quantile(k[i : i + 1], m[i : i + 1], probability)
        assert mean[i] == pytest.approx(drawn.mean(), abs=1e-3)
        assert variance[i] == pytest.approx(drawn.var(), rel=2e-3)
        assert third[i] == pytest.approx(np.mean((drawn - drawn.mean()) ** 3), rel=0.02)
    assert (family.threshold_information(k, m) * variance < 3.0).all()
    assert (family.threshold_information(k, m) * variance > 0.3).all()


@pytest.mark.parametrize("family", COUNTED, **NAMED)
def test_the_density_of_a_threshold_gives_the_distribution_back(family):
    """With the predictor known, P(y ≤ r) is the share of the threshold of r + 1 above it."""
    value, size, _ = (each[:, 0] for each in numbers(family))
    nodes, density, inverse = family.threshold_density(value, size, np.linspace(0.0, 1.0, 4001))
    np.testing.assert_allclose(density.sum(axis=1), 1.0)
    # P(y = r), the predictor being about normal, once over the threshold and once over the predictor.
    spread = stats.norm(MIDDLE[family.name][:, np.newaxis], 0.3)
    over_threshold = np.sum(density * inverse * spread.pdf(nodes), axis=1)
    at = np.linspace(-3.0, 3.0, 4001) + MIDDLE[family.name][:, np.newaxis]
    mass = law(family, size[:, np.newaxis], at).pmf(value[:, np.newaxis])
    over_predictor = integrate.trapezoid(mass * spread.pdf(at), at, axis=1)
    np.testing.assert_allclose(over_threshold, over_predictor, rtol=1e-5)
    for i in range(len(value)):
        middle = nodes[i, np.searchsorted(np.cumsum(density[i]), 0.4)]
        below = family.at_least(value[i] + 1.0, size[i], middle)
        assert below == pytest.approx(0.4, abs=5e-3)


@pytest.mark.parametrize("family", COUNTED, **NAMED)
def test_posteriors_and_intervals_of_chance_alone(family):
    value, size, predictor = numbers(family)
    dense = predictor[:, :1] + np.linspace(-14.0, 14.0, 14001)
    weight = np.exp(log_density(family, value, size, dense))
    below = integrate.cumulative_trapezoid(weight, axis=1, initial=0.0)
    found = family.flat_posterior(value, size, predictor)
    for i in range(len(found)):
        wanted = np.interp(predictor[i], dense[i], below[i] / below[i, -1])
        np.testing.assert_allclose(found[i], wanted, atol=1e-4)
    lower, upper = family.chance_interval(value[:, 0], size[:, 0], 0.025)
    for mean, tail in ((lower, "sf"), (upper, "cdf")):
        at_mean = special.logit(mean / size[:, 0]) if family.is_bounded else np.log(mean)
        one = law(family, size[:, 0], at_mean)
        at = value[:, 0] - 1 if tail == "sf" else value[:, 0]
        np.testing.assert_allclose(getattr(one, tail)(at), 0.025, rtol=1e-6)


@pytest.mark.parametrize("family", COUNTED, **NAMED)
@pytest.mark.parametrize("counted_from", [0.0, 2.0])
@pytest.mark.parametrize("width", [0.0, 1.0, np.inf])
def test_counts_known_as_intervals_or_shown_only_when_large(family, counted_from, width):
    """Beside them a leaf with a plain count, which must be as if it were alone."""
    _, size, predictor = numbers(family)
    n, middle = size[0, 0], predictor[:1]
    lower = np.array([2.0, 2.0])
    upper = np.array([min(2.0 + width, family.limit(size)[0, 0]), 2.0])
    shown = np.array([counted_from, 0.0])
    outcomes = Outcomes(family, lower, upper, np.full(2, n), shown)
    at = np.concatenate([middle, middle])
    found = outcomes.derivatives(at)
    distribution = law(family, n, middle[0])
    inside = distribution.cdf(upper[0]) - distribution.cdf(1.0)
    wanted = np.stack([np.log(inside) - distribution.logsf(counted_from - 1.0), distribution.logpmf(2)])
    np.testing.assert_allclose(found.value - found.value[:, :1], wanted - wanted[:, :1], rtol=1e-8, atol=1e-9)
    step = 1e-5
    up, down = (outcomes.derivatives(at + sign * step) for sign in (1.0, -1.0))
    np.testing.assert_allclose(found.slope, (up.value - down.value) / (2 * step), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found.curvature, (up.slope - down.slope) / (2 * step), rtol=1e-5, atol=1e-6)
    assert (found.curvature <= 1e-12).all()


@pytest.mark.parametrize("family", COUNTED, **NAMED)
def test_no_count_lies_beyond_its_limit(family):
    size = np.array([7.0])
    assert family.limit(size)[0] == (7.0 if family.is_bounded else np.inf)
    assert family.without_end(np.array([np.inf]), size).all()
    assert not family.without_end(np.array([6.0]), size).any()
    assert family.flat_posterior(np.array([0.0]), size, np.array([0.0])) == 0.0
