"""The border's proposal where department types have σ's of their own: against elimination at single draws."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import brightspots as bs
from brightspots.engine.integration.centre import settle
from brightspots.engine.integration.elimination import eliminate
from brightspots.engine.integration.mode import find_mode
from brightspots.engine.integration.model import Model
from brightspots.engine.integration.tree import Tree
from brightspots.engine.integration.type_border import TypesBorder
from brightspots.engine.terms import resolve_priors
from tests.conftest import table_of

SIZE = 200


@cache
def fitted(kind: str) -> tuple[Model, TypesBorder, np.ndarray, np.ndarray]:
    """A model, its border's proposal, draws of parameters, and log σ of types in the middle."""
    frame = bs.simulate_nation(25, 6, seed=2, periods=2 if kind == "periods" else None).cells
    options = {}
    if kind == "covariate":
        frame["beds"] = np.random.default_rng(1).normal(size=len(frame))
        options["covariates"] = "beds"
    cells = table_of(frame, **options).cells
    terms = resolve_priors(cells, bs.Priors(department_by_type=0.5))
    model = Model(Tree(cells, terms.levels, {}, by_type=True), terms)
    mode = find_mode(model.normal)
    middle = np.r_[mode.log_sd, np.log(0.4)]
    draws = middle + 0.05 * np.random.default_rng(0).normal(size=(SIZE, len(middle)))
    of_types = mode.log_sd[model.tree.levels.index("department")] + np.linspace(-0.5, 0.5, 6)
    border, data, own = settle(model, model.tree.scales(middle, of_types), mode.border)
    return model, TypesBorder.fit(model, data, border, draws, own, middle, of_types), draws, of_types


KINDS = ["plain", "covariate", "periods"]


@pytest.mark.parametrize("kind", KINDS)
def test_standardising_is_the_inverse_of_drawing(kind):
    _, found, draws, of_types = fitted(kind)
    rng = np.random.default_rng(3)
    each = of_types + 0.3 * rng.normal(size=(SIZE, 6))
    normal = rng.normal(size=(SIZE, len(found.centre)))
    border, log_scale = found.border(draws, each, normal)
    again, scale_again = found.standardised(draws, each, border)
    np.testing.assert_allclose(again, normal, atol=1e-6)
    np.testing.assert_allclose(scale_again, log_scale)


@pytest.mark.parametrize("kind", KINDS)
def test_the_density_is_normalised(kind):
    """log_scale is that of the Jacobian of the way from normals to the border."""
    _, found, draws, of_types = fitted(kind)
    size = len(found.centre)
    one, each = (
        np.repeat(draws[:1], size + 1, axis=0),
        np.repeat(of_types[np.newaxis] + 0.2, size + 1, axis=0),
    )
    moved, log_scale = found.border(one, each, np.vstack([np.zeros(size), np.eye(size)]))
    jacobian = (moved[1:] - moved[0]).T
    assert -np.linalg.slogdet(jacobian)[1] == pytest.approx(log_scale[0])


@pytest.mark.parametrize("kind", KINDS)
def test_in_the_middle_it_is_what_elimination_gives(kind):
    """Precision and mean; but for the prior of types, which is taken as independent along the eigenvectors."""
    model, found, draws, of_types = fitted(kind)
    size, tree = len(found.centre), model.tree
    middle = draws[:1]
    rows = np.repeat(middle, size + 1, axis=0), np.repeat(of_types[np.newaxis], size + 1, axis=0)
    moved, _ = found.border(*rows, np.vstack([np.zeros(size), np.eye(size)]))
    covariance = (moved[1:] - moved[0]).T @ (moved[1:] - moved[0])
    scales = tree.scales(middle[0], of_types)
    _, data, _ = settle(model, scales, found.centre)
    eliminated = eliminate(tree, data.information, data.linear, scales)
    mean, prior = model.border_prior(scales)
    exact = np.linalg.inv(eliminated.precision + np.diag(prior))
    root = np.sqrt(np.diag(exact))
    np.testing.assert_allclose(covariance / np.outer(root, root), exact / np.outer(root, root), atol=0.06)
    expected = exact @ (eliminated.gradient + prior * mean)
    np.testing.assert_allclose((moved[0] - expected) / root, 0.0, atol=0.1)


def test_types_that_are_more_alike_tell_more_of_their_level():
    _, found, _, of_types = fitted("plain")
    told = found.told(np.stack([of_types, of_types - 0.5, of_types + 0.5]))
    np.testing.assert_allclose(told[0], 1.0)
    assert np.all(told[1] > 1.1)
    assert np.all(told[2] < 0.9)
