"""Effects that are not normal, of trusts and of departments: PyMC's density, what is found, what is said and kept."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import brightspots as bs
from brightspots.common.pickling import made_alike
from brightspots.engine.chains.pymc_model import build_model
from brightspots.engine.effects import DISTRIBUTIONS, EffectDraws
from brightspots.engine.levels import effect_name
from tests.conftest import table_of
from tests.fit.test_storage import rewrite_header

pytestmark = [pytest.mark.nuts, pytest.mark.filterwarnings("ignore::brightspots.CertificateWarning")]

# Enough events for effects to be sampled as they are, and so few that they are sampled as multiples of σ.
EVENTS = {"centred": 400.0, "not centred": 10.0}


def contaminated(trusts: int, departments: int, expected: float, seed: int = 1) -> pd.DataFrame:
    """A table in which 10% of trusts and 8% of departments have effects five times as wide as the others."""
    rng = np.random.default_rng(seed)
    u = rng.normal(0.0, 0.1, trusts) * np.where(rng.random(trusts) < 0.1, 5.0, 1.0)
    v = rng.normal(0.0, 0.1, (trusts, departments))
    v *= np.where(rng.random(v.shape) < 0.08, 5.0, 1.0)
    a = rng.normal(0.0, 0.1, departments)
    return pd.DataFrame(
        {
            "trust": np.repeat([f"T{t:02d}" for t in range(trusts)], departments),
            "department": np.tile([f"D{d:02d}" for d in range(departments)], trusts),
            "observed": rng.poisson(expected * np.exp(u[:, np.newaxis] + v + a)).ravel(),
            "expected": expected,
        }
    )


def log_density(effects: np.ndarray, sd: float, of: EffectDraws | None) -> float:
    """Of effects with the standard deviation sd, by SciPy."""
    if of is None:
        return float(stats.norm.logpdf(effects, 0.0, sd).sum())
    natural = {name: float(values[0]) for name, values in of.natural.items()}
    if "degrees_of_freedom" in natural:
        freedom = natural["degrees_of_freedom"]
        return float(stats.t.logpdf(effects, freedom, scale=sd * scale(of)).sum())
    share, factor = natural["exceptional_share"], natural["exceptional_factor"]
    of_each = np.log([1.0 - share, share])[:, np.newaxis] + [
        stats.norm.logpdf(effects, 0.0, width * sd * scale(of)) for width in (1.0, factor)
    ]
    return float(special.logsumexp(of_each, axis=0).sum())


def log_prior(of: EffectDraws | None) -> float:
    """Of the parameters, with the Jacobians of what is sampled: log(ν − 2), logit π, log(k − 1)."""
    if of is None:
        return 0.0
    natural = {name: float(values[0]) for name, values in of.natural.items()}
    if "degrees_of_freedom" in natural:
        above = natural["degrees_of_freedom"] - 2.0
        return float(stats.gamma.logpdf(above, 2.0, scale=10.0) + np.log(above))
    share, above = natural["exceptional_share"], natural["exceptional_factor"] - 1.0
    of_share = stats.beta.logpdf(share, 1.0, 9.0) + np.log(share * (1.0 - share))
    return float(of_share + stats.halfnorm.logpdf(above, scale=4.0) + np.log(above))


def scale(of: EffectDraws | None) -> float:
    """Of a t, or of the narrower normal, where the standard deviation of the whole is 1."""
    if of is None:
        return 1.0
    natural = {name: float(values[0]) for name, values in of.natural.items()}
    if "degrees_of_freedom" in natural:
        return float(np.sqrt(1.0 - 2.0 / natural["degrees_of_freedom"]))
    share, factor = natural["exceptional_share"], natural["exceptional_factor"]
    return float(1.0 / np.sqrt(1.0 - share + share * factor**2))


def at_random_point(model, distributions: dict[str, str], seed: int):
    """Log density of PyMC at a point, the values there of all variables by name, and the draw of each distribution."""
    rng = np.random.default_rng(seed)
    start = model.initial_point()
    point = {name: values + rng.normal(0.0, 0.5, np.shape(values)) for name, values in start.items()}
    wanted = [*model.free_RVs, *model.deterministics]
    values = model.compile_fn(
        model.replace_rvs_by_values(wanted), inputs=model.value_vars, on_unused_input="ignore"
    )(point)
    at = {variable.name: np.asarray(value) for variable, value in zip(wanted, values, strict=True)}
    drawn = {}
    for level, name in distributions.items():
        heavy = DISTRIBUTIONS[name]
        natural = {parameter: at[effect_name(level, parameter)][np.newaxis] for parameter in heavy.names}
        drawn[level] = EffectDraws(heavy, heavy.sampled(natural))
    return float(model.compile_logp()(point)), at, drawn


@pytest.mark.parametrize("events", EVENTS)
@pytest.mark.parametrize("of_departments", ["normal", "student_t", "mixture"])
@pytest.mark.parametrize("of_trusts", ["normal", "student_t", "mixture"])
def test_the_density_is_that_of_the_formula(of_trusts, of_departments, events):
    cells = table_of(contaminated(6, 10, EVENTS[events])).cells
    priors = bs.Priors(effects=of_departments, trust_effects=of_trusts, department_type=None)
    model = build_model(cells, priors)
    found, at, drawn = at_random_point(model, priors.distributions, seed=4)
    u, v = at["trust_effect"], at["department_effect"]
    eta = cells.offset + at["intercept"] + u[cells.cell_trust] + v
    known = stats.poisson.logpmf(cells.lower, np.exp(eta)).sum()
    known += stats.norm.logpdf(at["intercept"], 0.0, 0.5)
    for level, effects, sampled_apart in (("trust", u, 1), ("department", v, 0)):
        sd, of = float(at[f"sd_{level}"]), drawn.get(level)
        known += log_density(effects, sd, of) + log_prior(of)
        known += stats.halfnorm.logpdf(sd, scale=0.5) + np.log(sd)
        # Of how many numbers the multiples of σ are what is sampled: the mean of trusts' effects always is.
        multiples = sampled_apart if events == "centred" else len(effects)
        known += multiples * np.log(sd * scale(of))
    assert found == pytest.approx(known, rel=1e-9)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_effects_stand_beside_errors_of_what_was_expected(distribution):
    frame = contaminated(6, 10, 400.0)
    cells = table_of(frame, expected_sd=0.1).cells
    priors = bs.Priors(effects=distribution, department_type=None)
    model = build_model(cells, priors)
    found, at, drawn = at_random_point(model, priors.distributions, seed=5)
    u, v, error = at["trust_effect"], at["department_effect"], at["expected_error"]
    eta = cells.offset + at["intercept"] + u[cells.cell_trust] + v + error
    known = stats.poisson.logpmf(cells.lower, np.exp(eta)).sum()
    known += stats.norm.logpdf(at["intercept"], 0.0, 0.5)
    known += stats.norm.logpdf(error / np.sqrt(cells.error_variance)).sum()
    for level, effects in (("trust", u), ("department", v)):
        sd = float(at[f"sd_{level}"])
        known += log_density(effects, sd, drawn[level]) + log_prior(drawn[level])
        known += stats.halfnorm.logpdf(sd, scale=0.5) + np.log(sd)
    known += np.log(float(at["sd_trust"]) * scale(drawn["trust"]))
    assert found == pytest.approx(known, rel=1e-9)


@pytest.fixture(scope="module")
def fit() -> bs.HierarchyFit:
    return bs.fit_hierarchy(
        contaminated(40, 8, 400.0), priors=bs.Priors(effects="mixture"), method="nuts", draws=800, seed=1
    )


def test_exceptional_units_are_found_at_both_levels(fit):
    """Against what the table was made with: 10% of trusts, 8% of departments, 5 times as wide."""
    found = fit.effects.shared.scalars
    for name, truth in {
        "trust_exceptional_share": 0.1,
        "trust_exceptional_factor": 5.0,
        "exceptional_share": 0.08,
        "exceptional_factor": 5.0,
    }.items():
        lower, upper = np.quantile(found[name], [0.025, 0.975])
        assert lower < truth < upper, name
    assert np.quantile(found["exceptional_factor"], 0.025) > 2.0


def test_sigma_stays_the_standard_deviation_of_the_effects(fit):
    drawn = np.concatenate([block.department_effect for block in fit.effects.blocks()])
    assert np.median(drawn.std(axis=0) / fit.effects.shared.sd["department"]) == pytest.approx(1.0, abs=0.25)


def test_the_certificate_watches_the_parameters_of_the_shape(fit):
    """A chain that has another share of exceptional trusts, and nothing else that is other, is noticed."""
    from brightspots.engine.chains.nuts import certify

    posterior = fit.effects
    of = posterior.shared.effects["trust"]
    free = of.free.copy()
    free[:200, 0] += 50.0
    moved = replace(of, free=free)
    shared = replace(posterior.shared, effects={**posterior.shared.effects, "trust": moved})
    assert certify(replace(posterior, shared=shared), 0, 1.0).r_hat > 1.5 > certify(posterior, 0, 1.0).r_hat


def test_what_was_estimated_is_said_by_level(fit):
    text = repr(fit)
    for level in ("Trust", "Department"):
        shares, factors = r"\d+% \(\d+% to \d+%\)", r"\d+\.\d \(.* to .*\)"
        line = f"{level} effects: mixture of two normals, exceptional {shares}, and {factors} times as wide"
        assert re.search(line, text), text
    assert "Shape of the effects" not in text
    assert fit.structure.count("with probability π") == 2


def test_a_level_that_was_taken_to_be_normal_is_still_checked():
    priors = bs.Priors(effects="normal", trust_effects="student_t")
    of_trusts = bs.fit_hierarchy(contaminated(20, 4, 400.0), priors=priors, method="nuts", draws=400, seed=1)
    lines = repr(of_trusts).splitlines()
    said = next(at for at, line in enumerate(lines) if line.startswith("Trust effects: Student's t, "))
    assert lines[said + 1].lower().startswith("shape of the effects: ")
    assert "departments' excess kurtosis" in lines[said + 1]
    assert "trusts' excess kurtosis" not in lines[said + 1]


def test_a_fit_comes_back_to_the_last_digit(fit, tmp_path):
    fit.save(tmp_path / "fit.nc")
    again = bs.load_fit(tmp_path / "fit.nc")
    assert again.priors == fit.priors
    assert made_alike(again.effects.shared, fit.effects.shared)
    assert repr(again) == repr(fit)
    assert {"trust_exceptional_share", "exceptional_factor"} <= set(again.posterior["posterior"].data_vars)


@pytest.fixture
def unsealed(fit, tmp_path) -> Path:
    """A saved fit that may be changed: what is impossible must be noticed without a digest."""
    path = tmp_path / "fit.nc"
    fit.save(path)
    rewrite_header(path, "sealed")
    return path


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("exceptional_share", 1.0, "exceptional_share is not between 0 and 1"),
        ("exceptional_factor", 1.0, "exceptional_factor is not between 1 and inf"),
        ("trust_exceptional_share", np.nan, "trust_exceptional_share is not finite"),
        ("trust_exceptional_factor", 2.0, "trust effects are not the same in both forms"),
        ("department_effects_as_sampled", np.inf, "department effects is not finite"),
    ],
)
def test_parameters_that_cannot_be_are_refused(unsealed, name, value, said):
    with h5py.File(unsealed, "r+") as file:
        file["shared"][name][0] = value
    with pytest.raises(bs.DataError, match=said):
        bs.load_fit(unsealed)


@pytest.mark.parametrize("level", ["", "trust_"])
@pytest.mark.parametrize("left", ["exceptional_share", "exceptional_factor", None])
def test_parameters_that_are_missing_are_noticed(unsealed, level, left):
    with h5py.File(unsealed, "r+") as file:
        for name in {"exceptional_share", "exceptional_factor"} - {left}:
            del file["shared"][f"{level}{name}"]
    with pytest.raises(bs.DataError, match="missing"):
        bs.load_fit(unsealed)
