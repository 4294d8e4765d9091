"""What every engine hands over: the contract of a `Posterior`, whoever computed it and whether it was saved.

`chains/test_nuts.py` holds what was sampled to it.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest

import brightspots as bs
from brightspots.engine.levels import LEVELS
from brightspots.engine.posterior import Posterior, SharedDraws, StoredPosterior
from tests.conftest import made_up_posterior, simulate_frame, table_of

PRIORS = {
    "integrated": bs.Priors(),
    "integrated with periods": bs.Priors(),
    "integrated without departments": bs.Priors(department=None),
    "integrated without types": bs.Priors(department_type=None),
    "stored": bs.Priors(),
}


@functools.cache
def fit_of(name: str) -> bs.HierarchyFit:
    frame = bs.simulate_nation(7, 4, 2, seed=2).cells if "periods" in name else simulate_frame(7, 4)
    return bs.fit_hierarchy(frame, priors=PRIORS[name], method="integrate", seed=1)


@pytest.fixture(scope="module", params=PRIORS)
def named(request) -> tuple[str, Posterior]:
    """What an engine made, by its name in `PRIORS`; "stored" are draws that no engine made."""
    if request.param == "stored":
        return request.param, made_up_posterior(table_of(simulate_frame(7, 4)).cells)
    return request.param, fit_of(request.param).effects


@pytest.fixture(scope="module")
def posterior(named) -> Posterior:
    return named[1]


def effects(posterior: Posterior) -> tuple[np.ndarray, np.ndarray]:
    blocks = list(posterior.blocks())
    return (
        np.concatenate([block.trust_effect for block in blocks]),
        np.concatenate([block.department_effect for block in blocks]),
    )


def test_blocks_are_whole_trusts_each_once_and_in_order(posterior):
    cells, trusts, rows = posterior.cells, [], []
    for block in posterior.blocks():
        inside = np.arange(block.cells.start, block.cells.stop)
        assert set(cells.cell_trust[inside]) == set(range(block.trusts.start, block.trusts.stop))
        assert block.trust_effect.shape == (block.trusts.stop - block.trusts.start, posterior.shared.n_draws)
        assert block.department_effect.shape == (len(inside), posterior.shared.n_draws)
        trusts.extend(range(block.trusts.start, block.trusts.stop))
        rows.extend(inside)
    assert trusts == list(range(cells.n_trusts))
    assert rows == list(range(cells.n_cells))


def test_every_call_gives_the_same_numbers(posterior):
    first = effects(posterior)
    mapped = list(posterior.map_blocks(lambda block: block.trust_effect))
    for one, two in zip(first, effects(posterior), strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(np.concatenate(mapped), first[0])


def test_shared_draws_fit_one_another_and_the_levels_of_the_model(named):
    name, posterior = named
    shared, priors = posterior.shared, PRIORS[name]
    size = shared.n_draws
    left_out = {level for level in LEVELS if getattr(priors, level) is None}
    wanted = [level for level in LEVELS if level not in left_out]
    assert list(shared.sd) == [level for level in wanted if level != "period" or posterior.cells.has_periods]
    assert all(values.shape == (size,) and np.all(values > 0.0) for values in shared.sd.values())
    assert shared.type_effect.shape == (size, posterior.cells.n_types)
    assert ("department_type" in shared.sd) == bool(np.any(shared.type_effect))
    assert shared.coefficients.shape == (size, 0)
    assert size % posterior.chains == 0
    department = effects(posterior)[1]
    assert ("department" in shared.sd) == bool(np.any(department))


def test_some_draws_are_those_of_all_at_their_places(posterior):
    shared, at = posterior.shared, np.array([3, 0, 7])
    some = shared.take(at)
    assert isinstance(some, SharedDraws)
    assert some.scalars.keys() == shared.scalars.keys()
    for name, values in shared.scalars.items():
        np.testing.assert_array_equal(some.scalars[name], values[at])
    np.testing.assert_array_equal(some.type_effect, shared.type_effect[at])
    np.testing.assert_array_equal(some.sd_of("period"), shared.sd_of("period")[at])


def test_averages_over_conditionals_are_those_over_draws(posterior):
    """P(v > 0.1) and the moments of v by the conditional distributions, within the Monte Carlo error of the draws."""
    size = posterior.shared.n_draws
    for block in posterior.blocks():
        threshold = np.full(block.department_effect.shape, 0.1)
        above = block.above(threshold).mean(axis=1)
        counted = (block.department_effect > 0.1).mean(axis=1)
        np.testing.assert_allclose(above, counted, atol=5.0 * 0.5 / size**0.5)


def test_distributions_of_effects_have_the_moments_of_their_draws(posterior):
    """Within the Monte Carlo error of the draws; u is at its mean, and v moves with it as its variance says."""
    shapes = posterior.shapes(posterior.shared.n_draws)
    if shapes is None:  # sampled, or without effects of departments
        return
    size, prior = posterior.shared.n_draws, posterior.shared.sd_of("department") ** 2
    for block, drawn in zip(shapes.map_shapes(lambda block: block), posterior.blocks(), strict=True):
        assert (block.trusts, block.cells) == (drawn.trusts, drawn.cells)
        of_trust = posterior.cells.cell_trust[block.cells] - block.trusts.start
        u, v = (np.stack(shape).astype(np.float64) for shape in (block.trust, block.department))
        follows = v[1] ** 2 / np.maximum(prior, 1e-24) - 1.0
        whole = v[1] ** 2 + (follows * u[1][of_trust]) ** 2
        for mean, variance, draws in (
            (u[0], u[1] ** 2, drawn.trust_effect),
            (v[0], whole, drawn.department_effect),
        ):
            spread = draws.std(axis=1)
            away = np.abs(mean.mean(axis=1) - draws.mean(axis=1))
            assert np.all(away <= 5 * spread / size**0.5 + 1e-12)
            found = np.sqrt(mean.var(axis=1) + variance.mean(axis=1))
            np.testing.assert_allclose(found, spread, rtol=0.15, atol=1e-12)


@pytest.mark.parametrize("name", [name for name in PRIORS if name.startswith("integrated")])
def test_a_saved_fit_gives_it_back(name: str, tmp_path: Path):
    fit = fit_of(name)
    fit.save(tmp_path / "fit.nc")
    again = bs.load_fit(tmp_path / "fit.nc").effects
    assert type(again) is type(fit.effects)
    for one, two in zip(effects(fit.effects), effects(again), strict=True):
        np.testing.assert_array_equal(one, two)
    assert again.shared.scalars.keys() == fit.effects.shared.scalars.keys()


def test_what_is_stored_is_given_as_it_is():
    made = made_up_posterior(table_of(simulate_frame(7, 4)).cells)
    assert isinstance(made, StoredPosterior)
    np.testing.assert_array_equal(effects(made)[0], made.trust_effect)
    np.testing.assert_array_equal(effects(made)[1], made.department_effect)
