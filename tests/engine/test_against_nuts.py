"""The integrating engine against long NUTS runs (tests/golden/nuts_reference.py made the references)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import brightspots as bs
from brightspots.engine.integration.integrate import integrate
from brightspots.statistics.summaries import cell_summary
from tests.golden import nuts_reference

# Enough that the engine's own Monte Carlo error is small beside what is asserted.
DRAWS = 4_000


def compare(name: str, folder: Path, draws: int = DRAWS) -> None:
    with np.load(nuts_reference.HERE / f"nuts_{name}.npz") as reference:
        cells = nuts_reference.table(name, folder).cells
        posterior, certificate = integrate(cells, bs.Priors(), draws=draws, seed=1)
        assert certificate.ok, certificate.message
        for level in ("sd_trust", "sd_department", "sd_department_type"):
            drawn = posterior.shared.scalars[level]
            error = np.hypot(reference[f"{level}_error"], drawn.std() / draws**0.5)
            assert abs(drawn.mean() - reference[f"{level}_mean"]) < 3 * error, level
        summary = cell_summary(posterior, nuts_reference.MARGIN, 0.95)
        gap = (summary.peer.point - reference["peer_mean"]) / reference["peer_sd"]
        assert np.sqrt(np.mean(gap**2)) < 0.03
        for ours, theirs in (
            (summary.p_peer_high, reference["p_peer_high"]),
            (summary.p_own_high, reference["p_own_high"]),
            (summary.p_own_low, reference["p_own_low"]),
        ):
            assert np.sqrt(np.nanmean((ours - theirs) ** 2)) < 0.005


def test_the_simulated_nation_agrees():
    compare("nation", Path())


@pytest.mark.real
def test_new_york_agrees(real_data):
    compare("ny_iqi", real_data)


@pytest.mark.real
def test_readmissions_agree_with_departments_on_the_boundary(real_data):
    """σ_department is about 0.01 here: the case in which Laplace approximations fail."""
    compare("cms_hrrp", real_data, draws=1_000)


def test_the_same_seed_is_bit_identical_and_others_agree_within_the_claim():
    cells = nuts_reference.table("nation", Path()).cells
    first, again, other = (integrate(cells, bs.Priors(), seed=seed)[0] for seed in (1, 1, 2))
    for found, expected in zip(
        (first.shared.scalars, {"types": first.shared.type_effect}),
        (again.shared.scalars, {"types": again.shared.type_effect}),
        strict=True,
    ):
        assert found.keys() == expected.keys()
        for name, values in found.items():
            np.testing.assert_array_equal(values, expected[name], err_msg=name)
    for ours, theirs in zip(first.blocks(), again.blocks(), strict=True):
        np.testing.assert_array_equal(ours.department_effect, theirs.department_effect)
    for level in ("sd_trust", "sd_department", "sd_department_type", "intercept"):
        one, two = first.shared.scalars[level], other.shared.scalars[level]
        claimed = np.hypot(one.std(), two.std()) / 1_000**0.5
        assert abs(one.mean() - two.mean()) < 4 * claimed, level
