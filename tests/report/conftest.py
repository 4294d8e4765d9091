"""Fits whose draws were made up: a pack writes what it is given, whoever fitted it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd
import pytest

from brightspots.common.settings import Priors
from brightspots.data.columns import Columns
from brightspots.engine.posterior import Certificate
from brightspots.fit.hierarchy_fit import HierarchyFit
from tests.conftest import made_up_posterior, simulate_frame, table_of

HOLDS = Certificate("integrate", 2_400.0, 0.2, float("nan"), 0, 0.3, True, "holds")
FAILS = Certificate("nuts", 90.0, float("nan"), 1.13, 4, 9.0, False, "R-hat 1.130 exceeds 1.01")

MakeFit = Callable[..., HierarchyFit]


def make_fit(
    frame: pd.DataFrame, *, certificate: Certificate = HOLDS, higher_is="worse", sd=0.2, draws=400, **columns
) -> HierarchyFit:
    """A fit of a table with draws that no engine made; the table decides only sizes, labels and counts."""
    table = table_of(frame, **columns)
    names = {name: value for name, value in columns.items() if name != "family"}
    return HierarchyFit(
        table,
        Columns(**names),
        Priors(),
        higher_is,
        1,
        certificate,
        made_up_posterior(table.cells, draws, sd=sd),
    )


@cache
def _small(higher_is: str) -> HierarchyFit:
    return make_fit(simulate_frame(12, 6), higher_is=higher_is)


@pytest.fixture
def fit() -> HierarchyFit:
    """Twelve trusts of six departments, with ratings and flags of both kinds."""
    return _small("worse")


@pytest.fixture
def fit_where_more_is_better() -> HierarchyFit:
    return _small("better")


@pytest.fixture
def named_frame() -> Callable[[str], pd.DataFrame]:
    """A table in which the first trust, and its name, are whatever text is given."""

    def build(text: str) -> pd.DataFrame:
        frame = simulate_frame(12, 6)
        frame["trust"] = np.where(frame["trust"] == "T000", text, frame["trust"])
        return frame

    return build
