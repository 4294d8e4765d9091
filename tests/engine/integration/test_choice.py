"""The data decide on the distribution of effects: Bayes factors against quadrature by hand, and what comes of them."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import brightspots as bs
from brightspots import Priors
from brightspots.engine.effect_choice import ENOUGH
from brightspots.engine.effects import TwoNormals
from brightspots.engine.integration.choice import look
from brightspots.engine.integration.draws import make_draws
from brightspots.engine.integration.evaluation import evaluate
from brightspots.engine.integration.exact import trust_log_likelihood
from brightspots.engine.integration.expansion import expand
from brightspots.engine.integration.tree import Tree
from brightspots.engine.integration.unit_tables import top_values
from tests.conftest import table_of


@cache
def nation(trusts: int, departments: int, **shape: str) -> pd.DataFrame:
    return bs.simulate_nation(trusts, departments, seed=3, rating_validity=None, **shape).cells


def factors(frame: pd.DataFrame, priors: Priors | None = None, **columns: str) -> dict[str, float]:
    return look(table_of(frame, **columns).cells, priors or Priors()).log_bayes_factors


def estimates(seed: int, exceptional: float) -> pd.DataFrame:
    """Trusts of one department each, told with little error; some of them four times as far out."""
    rng = np.random.default_rng(seed)
    u = 0.3 * rng.normal(size=80)
    u = np.where(rng.random(80) < exceptional, 4.0 * u, u)
    error = rng.uniform(0.02, 0.2, 80)
    names = [f"T{i:02d}" for i in range(80)]
    return pd.DataFrame({
        "trust": names, "department": "D", "estimate": rng.normal(u, error), "standard_error": error,
    })  # fmt: skip


@pytest.mark.parametrize(("seed", "exceptional"), [(1, 0.0), (2, 0.1), (3, 0.3)])
def test_a_bayes_factor_is_the_ratio_of_two_integrals(seed, exceptional):
    """Of estimates both integrals can be written down: Σ over the priors of Π_i Σ_m weight·N(y_i; b, s_i² + τ_m²)."""
    frame = estimates(seed, exceptional)
    alone = Priors(department=None, department_type=None)
    read = table_of(frame, estimate="estimate", standard_error="standard_error", priors=alone)
    found = look(read.cells, alone)
    border = found.modes[0].border[0]
    away, error = frame["estimate"].to_numpy() - border, frame["standard_error"].to_numpy()

    def log_likelihood(sd: np.ndarray) -> np.ndarray:
        return stats.norm.logpdf(away, 0.0, np.sqrt(error**2 + sd[..., np.newaxis] ** 2))

    log_sd = np.linspace(-3.5, 1.0, 90)
    sd, width = np.exp(log_sd), np.exp(log_sd) * (log_sd[1] - log_sd[0])
    prior = stats.halfnorm(scale=0.5).logpdf(sd) + np.log(width)
    normal = special.logsumexp(prior + log_likelihood(sd).sum(axis=1))
    logit, log_more = np.linspace(-9.0, 3.0, 61), np.linspace(-6.0, 3.0, 61)
    share, more = special.expit(logit), np.exp(log_more)
    of_share = stats.beta(1, 9).logpdf(share) + np.log(share * (1.0 - share) * (logit[1] - logit[0]))
    of_more = stats.halfnorm(scale=4.0).logpdf(more) + np.log(more * (log_more[1] - log_more[0]))
    total = []
    for pi, log_pi in zip(share, of_share, strict=True):
        k = 1.0 + more[:, np.newaxis]
        core = sd / np.sqrt(1.0 - pi + pi * k**2)
        mixed = np.logaddexp(np.log1p(-pi) + log_likelihood(core), np.log(pi) + log_likelihood(k * core))
        total.append(log_pi + of_more[:, np.newaxis] + prior + mixed.sum(axis=-1))
    by_hand = special.logsumexp(total) - normal
    assert found.log_bayes_factors == {"trust": pytest.approx(by_hand, abs=0.1)}


def test_what_the_data_say_is_told_level_by_level():
    usual = factors(nation(120, 20))
    assert all(usual[level] < ENOUGH for level in ("trust", "department"))
    out = factors(nation(120, 20, effects="contaminated"))
    assert out["department"] > 30.0
    assert out["trust"] < ENOUGH
    above = factors(nation(300, 20, trust_effects="contaminated"))
    assert above["trust"] > 10.0
    assert above["department"] < ENOUGH


def test_few_units_leave_it_open():
    """Where there is next to nothing to go by the two are about as likely, and effects stay normal."""
    found = factors(nation(3, 4))
    assert all(abs(value) < 1.0 for value in found.values())


def test_only_what_nobody_said_is_looked_at():
    frame = nation(30, 8)
    assert set(factors(frame, Priors(trust_effects="normal"))) == {"department", "department_by_type"}
    assert list(factors(frame, Priors(trust_effects="normal", department_by_type=0.5))) == ["department"]
    assert list(factors(frame, Priors(department=None, department_type=None))) == ["trust"]
    assert factors(frame, Priors(effects="student_t")) == {}


def test_tables_of_trusts_are_what_quadrature_gives():
    """Log likelihoods of trusts by the standard deviation of their effects, the departments' being a mixture."""
    cells = table_of(nation(30, 8, effects="contaminated")).cells
    levels = ("trust", "department", "department_type")
    tree = Tree(cells, levels, {"department": TwoNormals()})
    parameters = np.array([[np.log(0.1), np.log(0.2), np.log(0.1), special.logit(0.05), np.log(3.0)]])
    border, sds = np.zeros(tree.n_border), np.array([0.03, 0.1, 0.4])
    found = top_values(tree, border, parameters, sds)
    repeated = np.repeat(parameters, 3, axis=0)
    repeated[:, 0] = np.log(sds)
    (band, *_) = [
        one
        for one in expand(tree, make_draws(tree, repeated, np.repeat(border[np.newaxis], 3, axis=0)))
        if one.members[0] == 0
    ]
    for unit in (0, 7, 21):
        for place, draw in enumerate(band.members):
            exact = trust_log_likelihood(band, unit, np.array([place]), nodes=15)[0]
            assert found[unit, draw] == pytest.approx(exact, abs=0.01)


def test_a_trust_of_one_department_far_out_is_integrated_by_its_components():
    """Its place is told sharply: at one peak it is the trust that is exceptional, at the other its department."""
    frame = nation(40, 6)
    far = frame.iloc[:2].assign(trust=["far", "none"], observed=[660, 0], expected=[58.0, 14.0])
    cells = table_of(pd.concat([frame, far], ignore_index=True)).cells
    tree = Tree(cells, ("trust", "department"), {"trust": TwoNormals(), "department": TwoNormals()})
    rng = np.random.default_rng(1)
    middle = np.array(
        [np.log(0.4), np.log(0.2), special.logit(0.05), np.log(5.0), special.logit(0.05), np.log(5.0)]
    )
    parameters = middle + 0.2 * rng.normal(size=(30, 6))
    draws = make_draws(tree, parameters, 0.02 * rng.normal(size=(30, tree.n_border)))
    bands = expand(tree, draws)
    found = evaluate(bands)
    units = [list(cells.trusts).index(name) for name in ("far", "none")]
    for band in bands:
        for unit in units:
            exact = trust_log_likelihood(band, unit, np.arange(band.draws.size), nodes=21)
            error = found[unit, band.members] - exact
            assert np.abs(error - error.mean()).max() < 0.1, cells.trusts[unit]
