"""Where integrating misses its certificate: sampling for a stated time, and the better of two uncertified answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import brightspots as bs
from brightspots.engine import run
from brightspots.engine.chains import nuts
from brightspots.engine.integration import integrate as integrating
from brightspots.engine.posterior import Certificate
from tests.conftest import simulate_frame

NAN = float("nan")


def integrated(*, effective: float = 1_000.0, k: float = 0.2, error: float = 0.01) -> Certificate:
    return integrating.certify(effective, k, error, 1_000, 1.0)


def sampled(*, shortfall: float, ok: bool = False) -> Certificate:
    return Certificate("nuts", 400.0, NAN, 1.0, 0, 60.0, ok, "R-hat 1.750 exceeds 1.01", shortfall)


NARROW_MISS = integrated(error=0.18)
BY_FAR = integrated(effective=1.0, k=3.2)


def test_the_shortfall_is_the_factor_by_which_the_worst_check_misses():
    assert NARROW_MISS.shortfall == pytest.approx(1.8)
    assert BY_FAR.shortfall == pytest.approx(1_000.0)
    assert integrated().shortfall <= 1.0
    assert integrated(k=NAN).shortfall == np.inf


@pytest.mark.parametrize(
    ("first", "second", "method"),
    [
        (
            NARROW_MISS,
            sampled(shortfall=75.0),
            "integrate",
        ),  # six effective draws are worse than a narrow miss
        (BY_FAR, sampled(shortfall=2.0), "nuts"),
        (NARROW_MISS, sampled(shortfall=0.5, ok=True), "nuts"),  # chains that agree are a certificate
        (BY_FAR, None, "integrate"),
    ],
)
def test_the_better_of_two_answers_comes_back(first, second, method):
    answer = run.better_of(("integrated", first), None if second is None else ("sampled", second))
    assert answer[0] == {"integrate": "integrated", "nuts": "sampled"}[method]
    assert answer[1].method == method
    assert answer[1].ok is (second is not None and second.ok)


def test_the_answer_says_what_is_wrong_with_either():
    message = run.better_of((None, NARROW_MISS), (None, sampled(shortfall=75.0)))[1].message
    assert "interpolation error 0.18" in message
    assert "R-hat 1.750" in message
    late = run.better_of((None, NARROW_MISS), None)[1].message
    assert "interpolation error 0.18" in late
    assert "not done after 10 minutes" in late


def test_chains_that_disagree_miss_by_more_than_chains_that_nearly_agree():
    fit = bs.fit_hierarchy(simulate_frame(12, 4), seed=1)
    shared = fit.effects.shared
    draws = nuts.CHAINS * (shared.n_draws // nuts.CHAINS)
    trust = np.random.default_rng(1).normal(size=(12, draws))
    posterior = _chains(fit, draws, trust)
    apart = _chains(fit, draws, trust + np.repeat(np.arange(4.0), draws // 4))
    near, far = (nuts.certify(each, 0, 1.0) for each in (posterior, apart))
    assert far.shortfall > 20.0 > near.shortfall
    assert nuts.certify(posterior, 40, 1.0).shortfall > 1.0


def _chains(fit: bs.HierarchyFit, draws: int, trust_effect: np.ndarray):
    from brightspots.engine.posterior import SharedDraws, StoredPosterior

    cells = fit.table.cells
    rng = np.random.default_rng(2)
    shared = SharedDraws(
        intercept=rng.normal(size=draws),
        coefficients=np.zeros((draws, 0)),
        sd={"trust": rng.gamma(4.0, size=draws)},
        type_effect=np.zeros((draws, cells.n_types)),
    )
    return StoredPosterior(cells, shared, trust_effect, np.zeros((cells.n_cells, draws)), 4)


@pytest.mark.parametrize("sampler", ["nutpie", "pymc"])
def test_sampling_stops_when_its_time_is_up(sampler, monkeypatch):
    """A limit of no time at all: the integrated answer comes back, uncertified, and nothing is left running."""
    if sampler == "nutpie":
        pytest.importorskip("nutpie")
    genuine = integrating.integrate

    def narrowly(*arguments, **options):
        effects, certificate = genuine(*arguments, **options)
        return effects, replace(certificate, ok=False, message=NARROW_MISS.message, shortfall=1.8)

    monkeypatch.setattr(integrating, "integrate", narrowly)
    monkeypatch.setattr(run, "FALLBACK_SECONDS", 0.0)
    with pytest.warns(bs.CertificateWarning) as warned:
        fit = bs.fit_hierarchy(simulate_frame(8, 3), seed=1, sampler=sampler)
    said = [str(each.message) for each in warned if each.category is bs.CertificateWarning]
    assert "sampling with NUTS instead, for at most 0 minutes" in said[0]
    assert "NUTS was not done" in said[1]
    assert not fit.certificate.ok
    assert fit.certificate.method == "integrate"
    assert "does not hold" in repr(fit).lower()
