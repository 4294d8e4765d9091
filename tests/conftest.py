"""Small shared data, and where the published files are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from brightspots.common.settings import Priors
from brightspots.data.cells import Cells
from brightspots.data.columns import Columns
from brightspots.data.options import ReadOptions
from brightspots.data.tables import Table, read_table
from brightspots.engine.posterior import SharedDraws, StoredPosterior

mpl.use("Agg")
# Large tables have the compiled loops from the first test on, in this process and those it starts.
os.environ.setdefault("BRIGHTSPOTS_LOOPS", "compiled")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of published files; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("BRIGHTSPOTS_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"published files are not at {folder}: set BRIGHTSPOTS_REAL_DATA")
    return folder


def simulate_frame(
    trusts: int = 30,
    departments: int = 8,
    *,
    sd_trust: float = 0.12,
    sd_department: float = 0.2,
    sd_type: float = 0.08,
    mean_expected: float = 50.0,
    seed: int = 1,
) -> pd.DataFrame:
    """Counts drawn from the model, with the rows in order and a rating that follows the trust effect."""
    rng = np.random.default_rng(seed)
    shape = (trusts, departments)
    expected = rng.gamma(2.0, mean_expected / 2.0, shape) + 0.5
    u = rng.normal(0.0, sd_trust, trusts)
    eta = u[:, None] + rng.normal(0.0, sd_department, shape) + rng.normal(0.0, sd_type, departments)
    rating = np.select([u < -sd_trust / 2, u < sd_trust / 2], ["Outstanding", "Good"], "Requires improvement")
    return pd.DataFrame(
        {
            "trust": np.repeat([f"T{t:03d}" for t in range(trusts)], departments),
            "department": np.tile([f"D{d:02d}" for d in range(departments)], trusts),
            "observed": rng.poisson(expected * np.exp(eta)).ravel(),
            "expected": expected.ravel(),
            "rating": np.repeat(rating, departments),
        }
    )


@pytest.fixture
def frame() -> pd.DataFrame:
    """A table of 30 trusts and 8 departments in the standard columns."""
    return simulate_frame()


def table_of(
    data: object,
    *,
    family=None,
    covariates=None,
    priors: Priors | None = None,
    tidy_labels=False,
    expected_sd=None,
    **columns,
) -> Table:
    """Read a table as `fit_hierarchy` would."""
    options = ReadOptions(
        Columns(**columns), family, covariates=covariates, tidy_labels=tidy_labels, expected_sd=expected_sd
    )
    return read_table(data, options, priors or Priors())


def withhold(frame: pd.DataFrame, rows: object, lower: float, upper: float) -> pd.DataFrame:
    """The same counts, but for some rows of which only bounds are known; all others need none."""
    frame = frame.astype({"observed": float}).assign(observed_lower=np.nan, observed_upper=np.nan)
    frame.loc[rows, ["observed", "observed_lower", "observed_upper"]] = [np.nan, lower, upper]
    return frame


def made_up_posterior(cells: Cells, draws: int = 400, *, sd: float = 0.2, seed: int = 3) -> StoredPosterior:
    """Draws that no engine made, for tests of what is done with draws."""
    rng = np.random.default_rng(seed)
    shared = SharedDraws(
        intercept=rng.normal(0.0, 0.05, draws),
        coefficients=np.zeros((draws, len(cells.covariates))),
        sd={
            "trust": rng.uniform(0.1, 0.2, draws),
            "department": rng.uniform(0.15, 0.25, draws),
            "department_type": rng.uniform(0.05, 0.1, draws),
        },
        type_effect=rng.normal(0.0, 0.05, (draws, cells.n_types)),
    )
    return StoredPosterior(
        cells,
        shared,
        rng.normal(rng.normal(0.0, 0.1, (cells.n_trusts, 1)), 0.05, (cells.n_trusts, draws)),
        rng.normal(rng.normal(0.0, sd, (cells.n_cells, 1)), 0.1, (cells.n_cells, draws)),
    )
