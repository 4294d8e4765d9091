"""Options of a fit: they check themselves where they are made, and warnings point at who asked for the fit."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import brightspots as bs
from brightspots import Priors, SettingsError
from brightspots.data.columns import Columns
from brightspots.data.options import ReadOptions
from brightspots.engine.options import FitOptions
from tests.conftest import simulate_frame


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"priors": 0.5}, "priors must be a Priors; received 0.5"),
        ({"method": "mcmc"}, "method must be one of auto, integrate, nuts; received 'mcmc'"),
        ({"sampler": "stan"}, "sampler must be one of auto, nutpie, numpyro, pymc; received 'stan'"),
        ({"draws": 0}, "draws must be a positive whole number; received 0"),
        ({"draws": True}, "draws must be a positive whole number; received True"),
        ({"seed": -1}, "seed must be a non-negative integer or None; received -1"),
        ({"progress": "yes"}, "progress must be True, False or None; received 'yes'"),
    ],
    ids=str,
)
def test_how_to_fit_is_checked_where_it_is_said(options, said):
    with pytest.raises(SettingsError) as error:
        FitOptions(**({"priors": Priors()} | options))
    assert str(error.value) == said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"columns": "trust"}, "columns must be a Columns; received 'trust'"),
        ({"family": "gamma"}, "family must be one of poisson, binomial, normal; received 'gamma'"),
        ({"estimate_scale": "days"}, "estimate_scale must be one of log ratio, difference; received 'days'"),
        ({"covariates": 3}, "covariates must be text or None; received 3"),
        ({"tidy_labels": 1}, "tidy_labels must be True or False; received 1"),
        ({"higher_is": "good"}, "higher_is must be one of worse, better; received 'good'"),
    ],
    ids=str,
)
def test_how_to_read_is_checked_where_it_is_said(options, said):
    with pytest.raises(SettingsError) as error:
        ReadOptions(**({"columns": Columns()} | options))
    assert str(error.value) == said


def test_numbers_of_numpy_are_held_as_those_of_python():
    options = FitOptions(Priors(), draws=np.int64(100), seed=np.uint8(3))
    assert (type(options.draws), type(options.seed)) == (int, int)
    assert options == FitOptions(Priors(), draws=100, seed=3)


def test_warnings_of_every_outcome_point_at_who_asked_for_the_fit():
    """Of labels that were joined, of estimates on a doubtful scale, and of totals: each in another function."""
    frame = simulate_frame(5, 4).assign(standard_error=1.0).replace({"trust": {"T004": "Total"}})
    frame["estimate"] = 50.0 + np.arange(20)
    both = pd.concat([frame.assign(outcome=["Stay"] + 19 * ["stay"]), frame.assign(outcome="wait")])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bs.fit_hierarchy(
            both, estimate="estimate", standard_error="standard_error", outcome="outcome", tidy_labels=True, draws=200,
            seed=1,
        )  # fmt: skip
    said = [str(each.message) for each in caught]
    assert any("Stay" in text for text in said)
    assert sum("read as log ratios" in text for text in said) == 2
    assert sum("Total" in text for text in said) == 2
    assert {each.filename for each in caught} == {__file__}
