"""Which distribution of effects a fit has, and why: decided by the data, asked for, or set aside."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import brightspots as bs
from brightspots import Priors
from brightspots.engine.effect_choice import BETWEEN_TYPES, EffectChoice
from brightspots.engine.integration import integrate as engine
from brightspots.fit import funnels as fit_limits
from brightspots.fit.saved_parts import priors_from_json


def nation(**shape: str) -> pd.DataFrame:
    return bs.simulate_nation(60, 15, seed=1, rating_validity=None, **shape).cells


@pytest.fixture(scope="module")
def heavy() -> bs.HierarchyFit:
    return bs.fit_hierarchy(nation(effects="contaminated"), seed=1)


@pytest.fixture(scope="module")
def usual() -> bs.HierarchyFit:
    return bs.fit_hierarchy(nation(), seed=1)


def test_the_data_decide_where_nobody_says(heavy, usual):
    assert heavy.effect_distribution["distribution"].to_dict() == {"trust": "normal", "department": "mixture"}
    assert usual.effect_distribution["distribution"].to_dict() == {"trust": "normal", "department": "normal"}
    why, by_type = heavy.effect_distribution["why"]["department"].split("; ")
    assert "if all have the same than if each type of department has an sd of its own" in by_type
    times = heavy.effect_distribution["log_bayes_factor"]["department"] / np.log(10.0)
    assert (
        why
        == f"the data are 10^{times:.0f} times likelier under a mixture of two normals than under one normal"
    )
    assert "likelier under one normal" in usual.effect_distribution["why"]["department"]
    assert (heavy.priors.effects, heavy.priors.trust_effects) == ("mixture", "normal")


def test_a_choice_is_the_fit_that_one_could_have_asked_for(heavy):
    """But for what is looked at on the way, which moves numbers by the noise of draws."""
    asked = bs.fit_hierarchy(nation(effects="contaminated"), seed=1, priors=heavy.priors)
    assert asked.effect_distribution["why"].tolist() == ["as the priors say"] * 2
    assert asked.effect_distribution["log_bayes_factor"].isna().all()
    for level in ("trust", "department"):
        of_both = [fit.variance_partition().loc[level, "sd"] for fit in (asked, heavy)]
        assert of_both[0] == pytest.approx(of_both[1], rel=0.02)
    normal = bs.fit_hierarchy(nation(effects="contaminated"), seed=1, priors=Priors(effects="normal"))
    assert normal.effect_distribution["distribution"].tolist() == ["normal"] * 2


def test_normal_effects_by_choice_are_the_same_fit_as_by_request(usual):
    asked = bs.fit_hierarchy(nation(), seed=1, priors=Priors(effects="normal"))
    pd.testing.assert_frame_equal(usual.departments(), asked.departments())


def test_a_file_remembers_why(heavy, tmp_path):
    heavy.save(tmp_path / "fit.nc")
    loaded = bs.load_fit(tmp_path / "fit.nc")
    pd.testing.assert_frame_equal(loaded.effect_distribution, heavy.effect_distribution)
    assert loaded.choice == heavy.choice


def test_files_from_before_there_was_a_choice_have_normal_effects():
    assert priors_from_json({}) == Priors(effects="normal")
    assert priors_from_json({"effects": "mixture"}) == Priors(effects="mixture", trust_effects="normal")


def test_a_suppressed_fit_decides_from_what_is_published(heavy):
    """The distribution that exact counts asked for could tell of them."""
    shown = heavy.suppressed(below=10)
    assert shown.choice.log_bayes_factors != heavy.choice.log_bayes_factors
    assert shown.choice.log_bayes_factors.keys() == heavy.choice.log_bayes_factors.keys()


def test_a_mixture_without_certificate_is_set_aside_and_said(monkeypatch):
    """Rather that than minutes of sampling nobody asked for: effects are then fitted as normal."""
    real = engine.integrate

    def refusing(cells, priors, **options):
        found, certificate = real(cells, priors, **options)
        return found, replace(certificate, ok="mixture" not in (priors.effects, priors.trust_effects))

    monkeypatch.setattr(engine, "integrate", refusing)
    fit = bs.fit_hierarchy(nation(effects="contaminated"), seed=1)
    assert fit.certificate.ok
    assert fit.priors.effects == "normal"
    assert fit.choice.set_aside == ("department",)
    assert "earned no certificate" in fit.effect_distribution["why"]["department"]
    assert "Department effects: fitted as normal; 10^" in repr(fit)


def test_what_is_asked_for_is_not_set_aside(monkeypatch):
    real = engine.integrate

    def refusing(cells, priors, **options):
        found, certificate = real(cells, priors, **options)
        return found, replace(certificate, ok=False)

    monkeypatch.setattr(engine, "integrate", refusing)
    with pytest.warns(bs.CertificateWarning):
        fit = bs.fit_hierarchy(
            nation(effects="contaminated"), seed=1, method="integrate", priors=Priors(effects="mixture")
        )
    assert fit.effect_distribution["distribution"]["department"] == "mixture"
    assert fit.choice.set_aside == ()


def test_priors_say_what_is_left_to_the_data():
    assert Priors().undecided == ("trust", "department", "department_by_type")
    assert Priors(department=None, department_type=None).undecided == ("trust",)
    assert Priors(trust_effects="normal").undecided == ("department", "department_by_type")
    assert Priors(department_by_type=0.5).undecided == ("trust", "department")
    assert Priors(effects="normal").undecided == ()
    assert Priors().distributions == {}


def test_a_choice_completes_the_priors_and_can_be_taken_back():
    choice = EffectChoice({"trust": 1.0, "department": 9.0})
    decided = choice.decide(Priors(trust=0.3))
    assert decided == Priors(trust=0.3, effects="mixture", trust_effects="normal")
    assert choice.asked(decided) == Priors(trust=0.3)
    of_departments = EffectChoice({"department": 9.0})
    asked = Priors(trust_effects="student_t")
    assert of_departments.decide(asked) == Priors(effects="mixture", trust_effects="student_t")
    assert of_departments.asked(of_departments.decide(asked)) == asked
    assert EffectChoice().decide(Priors(effects="student_t")) == Priors(effects="student_t")
    types = EffectChoice({"department_by_type": 9.0, "department": -1.0})
    assert types.decide(Priors(trust_effects="normal")).department_by_type == BETWEEN_TYPES
    assert types.asked(types.decide(Priors(trust_effects="normal"))) == Priors(trust_effects="normal")
    aside = EffectChoice({"trust": 9.0, "department": 9.0}, set_aside=("trust",))
    assert aside.taken == ("department",)


def test_limits_are_those_of_the_mixture(heavy):
    """A few that are far out do not widen the limits of the many, but those that a unit passes once in 500 times."""
    normal = bs.fit_hierarchy(nation(effects="contaminated"), seed=1, priors=Priors(effects="normal"))
    (trust,) = heavy.table.cells.trusts[:1]
    width = {}
    for name, fit in {"mixture": heavy, "normal": normal}.items():
        table = fit_limits.department_limits(fit, trust, "hierarchical", (0.8, 0.998)).table
        for level in ("80", "99.8"):
            width[name, level] = np.log(
                table[f"upper_{level}"] / table[f"lower_{level}"].clip(lower=0.01)
            ).mean()
    assert width["mixture", "80"] < 0.97 * width["normal", "80"]
    assert width["mixture", "99.8"] > 1.1 * width["normal", "99.8"]
