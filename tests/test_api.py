"""The public names are a contract: signatures and defaults do not drift unnoticed."""

from __future__ import annotations

import inspect

import pytest

import brightspots as bs

SIGNATURES = {
    "fit_hierarchy": (
        "data, *, trust='trust', department='department', observed='observed', expected='expected', denominator=None, "
        "observed_lower=None, observed_upper=None, counted_from=None, estimate=None, standard_error=None, "
        "estimate_scale=None, period=None, outcome=None, columns=None, tidy_labels=False, covariates=None, "
        "expected_sd=None, family=None, higher_is='worse', priors=None, "
        "method='auto', sampler='auto', draws=None, seed=None, progress=None"
    ),
    "Columns": (
        "trust='trust', department='department', observed='observed', expected='expected', denominator=None, "
        "observed_lower=None, observed_upper=None, estimate=None, standard_error=None, period=None, counted_from=None, "
        "outcome=None"
    ),
    "suppress": (
        "frame, *, below=None, round_to=None, zeros='shown', totals=('trust', 'department'), mark=None, keep=(), "
        "trust='trust', department='department', period='period', observed='observed', expected='expected', "
        "denominator='denominator', columns=None, tidy_labels=False"
    ),
    "SpotRule": (
        "margin=None, fdr=0.05, reference='organisation', in_line=0.8, min_reliability=0.0, min_expected=0.0, "
        "difference=None, min_probability=0.8, share=None"
    ),
    "Priors": (
        "intercept=None, covariate=1.0, trust=0.5, department=0.5, department_type=0.5, period=0.5, effects=None, "
        "department_by_type=None, trust_effects=None"
    ),
    "HierarchyFit.variance_partition": "self, probability=0.95",
    "HierarchyFit.departments": "self, margin=1.1, probability=0.95, *, difference=None",
    "HierarchyFit.trusts": "self, margin=1.1, probability=0.95, *, difference=None",
    "HierarchyFit.find_spots": "self, rule=None, rating=None, *, rating_order=None, strong_from=None, "
    "rating_uses_outcome=False",
    "HierarchyFit.draws": "self, n",
    "HierarchyFit.ranks": "self, level='trust', probability=0.95",
    "HierarchyFit.sensitivity": "self, rule=None",
    "HierarchyFit.save": "self, path, spots=None",
    "Spots.learning_pairs": "self, k=3",
    "Spots.positive_deviants": "self, fdr=0.05, periods=4",
    "Spots.readings": "self",
    "load_fit": "path",
    "standardise": (
        "records, *, outcome=None, trust='trust', department='department', casemix=None, period=None, columns=None, "
        "tidy_labels=False, bins=None, missing='level', missing_outcome='error', min_events=None, model=None"
    ),
    "Standardised.plot_calibration": "self, *, ax=None",
    "ModelCard.plot_calibration": "self, *, ax=None",
    "load_sample": "name",
}  # fmt: skip


def described(path: str) -> str:
    thing = bs
    for part in path.split("."):
        thing = getattr(thing, part)
    parts, star = [], False
    for parameter in inspect.signature(thing).parameters.values():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and not star:
            parts.append("*")
            star = True
        bare = parameter.replace(annotation=inspect.Parameter.empty)
        parts.append(str(bare))
    return ", ".join(parts)


@pytest.mark.parametrize("path", SIGNATURES)
def test_signatures_do_not_drift(path):
    assert described(path) == SIGNATURES[path]


@pytest.mark.parametrize("name", bs.__all__)
def test_every_public_name_can_be_used_and_is_documented(name):
    thing = getattr(bs, name)
    if name != "__version__":
        assert inspect.getdoc(thing)


def test_no_public_callable_swallows_arguments():
    """A misspelt argument must be an error, never a silent **kwargs."""
    for name in bs.__all__:
        thing = getattr(bs, name)
        if inspect.isfunction(thing):
            kinds = {parameter.kind for parameter in inspect.signature(thing).parameters.values()}
            assert inspect.Parameter.VAR_KEYWORD not in kinds, name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'fit_hierachy'"):
        bs.fit_hierachy  # noqa: B018
