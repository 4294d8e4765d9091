"""The tables that ship with the library."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from io import BytesIO
from pathlib import Path
from typing import Final

import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.arguments import checked
from brightspots.common.errors import BrightspotsError, SettingsError


@dataclass(frozen=True)
class _Sample:
    """A file of `data_samples/`, with its number of rows, a description and notes on where it comes from."""

    name: str
    file: str
    rows: int
    description: str
    notes: tuple[str, ...]


_SAMPLES: Final = (
    _Sample(
        "nation",
        "nation.csv.gz",
        8700,
        "simulated: 120 trusts × 20 departments × 4 years, observed and expected deaths, overall ratings",
        (
            "Simulated by brightspots.simulate.sample_nation: no real trust, no real patient.",
            "Drawn with standard deviations 0.12 between trusts, 0.19 between departments within a trust, "
            "0.08 between years within a department and 0.08 between department types; the rating "
            "correlates 0.5 with the trust's own level.",
        ),
    ),
    _Sample(
        "surgical",
        "surgical.csv",
        12,
        "published: deaths of operations in 12 hospitals, infant cardiac surgery",
        (
            "Example 'Surgical' of BUGS Examples volume 1 (Spiegelhalter, Thomas, Best & Gilks, MRC "
            "Biostatistics Unit); discussed by Marshall & Spiegelhalter 2007, Bayesian Analysis 2:409.",
            "One department only: fit it with priors=Priors(department=None, department_type=None).",
        ),
    ),
)  # fmt: skip


def list_samples() -> pd.DataFrame:
    """List the tables that ship with the library.

    Returns
    -------
    pandas.DataFrame
        One row a sample: `name` (for `load_sample`), `rows`, `description`.
    """
    return pd.DataFrame(
        [(sample.name, sample.rows, sample.description) for sample in _SAMPLES],
        columns=["name", "rows", "description"],
    )


@checked
def load_sample(name: str) -> pd.DataFrame:
    """Load a table that ships with the library.

    Parameters
    ----------
    name : {"nation", "surgical"}
        As listed by `list_samples`.

    Returns
    -------
    pandas.DataFrame
        With the standard column names; keys are text, ratings an ordered categorical, worst first.
        ``.attrs["notes"]`` is a tuple of sentences that say where the table comes from.

    Raises
    ------
    SettingsError
        Where there is no such sample; the message lists those there are.

    Examples
    --------
    >>> load_sample("surgical").head(2)
      trust              department  observed  denominator
    0     A  Infant cardiac surgery         0           47
    1     B  Infant cardiac surgery        18          148
    """
    known = {sample.name: sample for sample in _SAMPLES}
    if name not in known:
        listed = ", ".join(repr(each) for each in known)
        raise SettingsError(f"there is no sample {name!r}; there are {listed}")
    sample = known[name]
    keys = dict.fromkeys((names.TRUST, names.TRUST_NAME, names.DEPARTMENT), str)
    frame = pd.read_csv(
        BytesIO(_file(sample.file).read_bytes()),
        compression="gzip" if sample.file.endswith(".gz") else None,
        dtype=keys,
        keep_default_na=False,
        na_values=[""],
    )
    if names.RATING in frame:
        frame[names.RATING] = pd.Categorical(frame[names.RATING], categories=names.CQC_RATINGS, ordered=True)
    frame.attrs["notes"] = sample.notes
    return frame


def _file(file: str) -> Traversable:
    """Find a file of `data_samples/`: inside the installed package, or beside it in a checkout."""
    package = resources.files("brightspots")
    installed = package / "data_samples" / file
    if installed.is_file():
        return installed
    checkout = Path(__file__).resolve().parents[2] / "data_samples" / file
    if checkout.is_file():
        return checkout
    raise BrightspotsError(f"the sample file {file} is missing: install brightspots again")
