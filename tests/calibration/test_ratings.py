"""Departments against ratings, over nations with a known truth: shares, bands and reversals are what they claim.

The long version runs under `make calibrate`.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import brightspots as bs
from brightspots import CertificateWarning
from brightspots.simulate.nation import CQC_FREQUENCIES, simulate_nation

SD_TRUST, SD_DEPARTMENT = 0.12, 0.19


def true_shares(validity: float) -> dict[str, float]:
    """Variance of a standard normal's means in its bands, times validity², of trusts and of all departments."""
    share = np.array(list(CQC_FREQUENCIES.values()))
    density = stats.norm.pdf(stats.norm.ppf(np.cumsum(share)[:-1]))
    means = -np.diff(np.concatenate([[0.0], density, [0.0]])) / share
    of_trusts = validity**2 * float(share @ means**2)
    return {
        "trust": of_trusts,
        "trust_and_department": of_trusts * SD_TRUST**2 / (SD_TRUST**2 + SD_DEPARTMENT**2),
    }


@dataclass(frozen=True)
class Nations:
    """What was said of several nations, and the truth.

    Parameters
    ----------
    shares : DataFrame
        `of, share, share_lower, share_upper`, one row a nation and share.
    reversed : DataFrame
        `point, lower, upper, true`, one row a nation.
    bands : DataFrame
        `nation, p_other_band, p_two_bands, other, two`, one row a department.
    """

    shares: pd.DataFrame
    reversed: pd.DataFrame
    bands: pd.DataFrame


def nations(count: int, trusts: int, departments: int, mean_expected: float, validity: float) -> Nations:
    shares, reversals, bands = [], [], []
    for seed in range(count):
        nation = simulate_nation(
            trusts, departments, mean_expected=mean_expected, sd_trust=SD_TRUST, sd_department=SD_DEPARTMENT,
            rating_validity=validity, seed=seed,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CertificateWarning)
            spots = bs.fit_hierarchy(nation.cells, seed=seed).find_spots()
            explained = spots.rating_explains()
        shares.append(explained.reset_index())
        table = spots.table.merge(nation.truth, on=["trust", "department"], validate="1:1")
        quality = -table["log_peer_ratio"].to_numpy()
        rated = spots.ratings
        band = table["rating"].map(rated.levels.index).to_numpy()
        cuts = SD_TRUST * stats.norm.ppf(np.cumsum(rated.frequencies)[:-1])
        steps = np.abs(np.searchsorted(cuts, quality) - band)
        claimed = table[["p_other_band", "p_two_bands"]]
        bands.append(claimed.assign(nation=seed, other=steps >= 1, two=steps >= 2))
        higher = band[:, np.newaxis] > band
        reversals.append(
            (*explained.attrs["p_reversed"], np.mean((quality[:, np.newaxis] < quality)[higher]))
        )
    return Nations(
        pd.concat(shares, ignore_index=True),
        pd.DataFrame(reversals, columns=["point", "lower", "upper", "true"]),
        pd.concat(bands, ignore_index=True),
    )


def check(found: Nations, validity: float, *, off: float, uncovered: float) -> None:
    """Means within `off` of the truth beyond their Monte Carlo error; at most this share of intervals miss it."""
    for of, true in true_shares(validity).items():
        one = found.shares[found.shares["of"] == of]
        error = one["share"].std() / np.sqrt(len(one))
        assert one["share"].mean() == pytest.approx(true, abs=off + 3 * error), of
        assert (~one["share_lower"].le(true) | ~one["share_upper"].ge(true)).mean() <= uncovered, of
    reversal = found.reversed
    gap = reversal["point"] - reversal["true"]
    assert abs(gap.mean()) < off / 2 + 3 * gap.std() / np.sqrt(len(gap))
    missed = (reversal["true"] < reversal["lower"]) | (reversal["true"] > reversal["upper"])
    assert missed.mean() <= uncovered
    for claimed, true in (("p_other_band", "other"), ("p_two_bands", "two")):
        groups = pd.qcut(found.bands[claimed].rank(method="first"), 5, labels=False)
        gaps = (found.bands[claimed] - found.bands[true]).groupby([groups, found.bands["nation"]]).mean()
        by_group = gaps.groupby(level=0).agg(["mean", "sem"])
        assert (by_group["mean"].abs() < 1.5 * off + 3 * by_group["sem"]).all(), by_group


def test_a_few_nations_are_described_as_they_are():
    check(nations(6, 80, 10, 40.0, 0.6), 0.6, off=0.02, uncovered=0.34)


@pytest.mark.calibration
@pytest.mark.parametrize(
    ("trusts", "departments", "mean_expected"), [(60, 8, 20.0), (120, 20, 40.0)], ids=["thin", "ordinary"]
)
@pytest.mark.parametrize("validity", [0.3, 0.5, 0.8])
def test_a_hundred_nations_are_described_as_they_are(trusts, departments, mean_expected, validity):
    found = nations(100, trusts, departments, mean_expected, validity)
    # Where little is known, the share cannot be unbiased near its bound at 0.
    check(found, validity, off=0.05 if trusts < 100 else 0.015, uncovered=0.12)
