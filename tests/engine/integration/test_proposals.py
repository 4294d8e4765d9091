"""What draws are proposed from, and how they are weighed, against densities written out by hand."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import special, stats

import brightspots as bs
from brightspots.engine.effects import TwoNormals
from brightspots.engine.integration.border_proposal import BorderProposal
from brightspots.engine.integration.centre import settle
from brightspots.engine.integration.mode import find_mode
from brightspots.engine.integration.model import Model
from brightspots.engine.integration.proposal import StudentMixture
from brightspots.engine.integration.rounds import Rounds
from brightspots.engine.integration.tree import Tree
from brightspots.engine.terms import resolve_priors
from tests.conftest import table_of


@cache
def model_of(mixed: bool = False) -> Model:
    nation = bs.simulate_nation(15, 5, effects="contaminated" if mixed else "normal", seed=2).cells
    cells = table_of(nation).cells
    terms = resolve_priors(cells, bs.Priors())
    return Model(Tree(cells, terms.levels, {"department": TwoNormals()} if mixed else {}), terms)


@cache
def proposal() -> tuple[BorderProposal, np.ndarray]:
    """A border's proposal, and draws of log σ that it is for."""
    model = model_of()
    mode = find_mode(model)
    log_sd = mode.log_sd + 0.1 * np.random.default_rng(0).normal(size=(4_000, 3))
    return BorderProposal.fit(model, mode.data, mode.border, log_sd), log_sd


def moved() -> tuple[BorderProposal, np.ndarray]:
    """The same, adapted to draws that lie elsewhere and are more spread, and following log σ."""
    of_border, log_sd = proposal()
    k, n = log_sd.shape[1], len(of_border.centre)
    steps = log_sd.std(axis=0)
    apart = np.stack([of_border.centre - 0.02, of_border.centre + 0.02])
    following = of_border.following(log_sd.mean(axis=0), steps, np.broadcast_to(apart, (k, 2, n)))
    border, _ = following.draw(log_sd, np.random.default_rng(1))
    wide = border + 0.03 + 0.8 * (border - border.mean(axis=0))
    return following.adapted(log_sd, wide, np.full(len(wide), 1.0 / len(wide))), log_sd


@pytest.mark.parametrize("make", [proposal, moved])
def test_a_border_is_drawn_from_the_density_that_is_said(make):
    """At its own draws, and up to a constant that of a normal: the ratio to one fitted to the draws has mean 1."""
    of_border, log_sd = make()
    border, log_density = of_border.draw(log_sd, np.random.default_rng(5))
    np.testing.assert_allclose(of_border.log_density(log_sd, border), log_density, atol=1e-9)
    one = np.repeat(log_sd[:1], len(log_sd), axis=0)
    border, log_density = of_border.draw(one, np.random.default_rng(6))
    normal = stats.multivariate_normal(border.mean(axis=0), np.cov(border.T))
    difference = log_density - normal.logpdf(border)
    assert difference.std() < 0.25
    # The density leaves out the constant of its normals.
    assert difference.mean() == pytest.approx(0.5 * len(border[0]) * np.log(2.0 * np.pi), abs=0.1)


def test_an_adapted_border_lies_where_the_draws_do():
    of_border, log_sd = proposal()
    border, _ = of_border.draw(log_sd, np.random.default_rng(1))
    target = border.mean(axis=0) + 0.05 + 1.4 * (border - border.mean(axis=0))
    adapted = of_border.adapted(log_sd, target, np.full(len(target), 1.0 / len(target)))
    again, _ = adapted.draw(log_sd, np.random.default_rng(2))
    np.testing.assert_allclose(again.mean(axis=0), target.mean(axis=0), atol=0.1 * target.std(axis=0).max())
    assert (again.std(axis=0) / target.std(axis=0)).mean() == pytest.approx(1.0, abs=0.05)


def test_few_draws_by_chance_off_do_not_move_a_border():
    """The shift that is kept is shorter than the one that was seen, which is all chance."""
    of_border, log_sd = proposal()
    kept, seen = [], []
    for seed in range(20):
        few, _ = of_border.draw(log_sd[:12], np.random.default_rng(seed))
        rng = np.random.default_rng(seed)
        few = few[rng.integers(0, 12, 12)]
        weights = np.full(12, 1.0 / 12.0)
        kept.append(np.linalg.norm(of_border.adapted(log_sd[:12], few, weights).shift))
        seen.append(np.linalg.norm(weights @ of_border._standardised(log_sd[:12], few)[0]))
    assert np.mean(kept) < 0.5 * np.mean(seen)


def test_a_border_follows_parameters_to_where_it_was_said_to_be():
    of_border, log_sd = proposal()
    middle, steps = log_sd.mean(axis=0), np.array([0.2, 0.1, 0.1])
    n = len(of_border.centre)
    borders = np.stack([np.stack([of_border.centre - d, of_border.centre + d]) for d in (0.1, 0.0, 0.03)])
    following = of_border.following(middle, steps, borders + np.zeros((3, 2, n)))
    for number, distance in enumerate((0.1, 0.0, 0.03)):
        at = np.repeat((middle + np.eye(3)[number] * steps)[np.newaxis], 4_000, axis=0)
        ahead = following.draw(at, np.random.default_rng(3))[0].mean(axis=0)
        behind = following.draw(at - 2.0 * np.eye(3)[number] * steps, np.random.default_rng(3))[0].mean(
            axis=0
        )
        same, _ = of_border.draw(at, np.random.default_rng(3))
        assert np.mean(ahead - behind) == pytest.approx(2.0 * distance, abs=0.15 * same.std(axis=0).mean())


def test_a_settled_border_stays_where_it_is_from_wherever_it_came():
    """Effects are a mixture: which departments are exceptional depends on the border, and the border on that."""
    model = model_of(mixed=True)
    mode = find_mode(model.normal)
    parameters = np.r_[mode.log_sd, -1.0, 1.5]
    far = mode.border + np.r_[0.4, -0.4 * np.ones(len(mode.border) - 1)]
    found, _, _ = settle(model, model.tree.scales(parameters), mode.border)
    for start in (found, far):
        np.testing.assert_allclose(settle(model, model.tree.scales(parameters), start)[0], found, atol=5e-3)


def test_draws_of_all_rounds_are_weighed_against_the_mixture_of_all_proposals():
    """Two rounds from two places with two borders: weights by hand, and their mean is the target's integral."""
    of_border, log_sd = proposal()
    middle = log_sd.mean(axis=0)
    rng, rounds, parts = np.random.default_rng(8), Rounds(), []
    wide = of_border.adapted(log_sd, 1.3 * (of_border.draw(log_sd, rng)[0] - of_border.centre) + of_border.centre,
                             np.full(len(log_sd), 1.0 / len(log_sd)))  # fmt: skip
    for size, away, border_of in ((12_000, 0.05, of_border), (20_000, 0.0, wide)):
        source = StudentMixture(middle, (middle + away)[np.newaxis], np.ones(1), 0.15 * np.eye(3), 8.0)
        points = source.draw(size, rng)
        border, log_border = border_of.draw(points, rng)
        target = stats.norm.logpdf(points, middle, 0.1).sum(axis=1) + of_border.log_density(points, border)
        rounds.add([(size, source)], border_of, points, border, log_border, target)
        parts.append((size, source, border_of, points, border, target))
    points, border, target = (np.concatenate([part[at] for part in parts]) for at in (3, 4, 5))
    by_hand = special.logsumexp(
        [
            np.log(size / 32_000.0) + source.log_density(points) + of.log_density(points, border)
            for size, source, of, *_ in parts
        ],
        axis=0,
    )
    np.testing.assert_allclose(rounds.log_ratio(), target - by_hand, atol=1e-9)
    assert rounds.n_proposed == len(rounds.parameters) == 32_000
    assert np.exp(rounds.log_ratio()).mean() == pytest.approx(1.0, abs=0.03)
