"""Small records with a known risk, and a Spark session where there is a Java to run it."""

from __future__ import annotations

import importlib.util
import shutil
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

CASEMIX = ["age_band", "sex", "admission"]


def simulate_records(
    n: int = 6_000, trusts: int = 6, departments: int = 4, *, seed: int = 1, intercept: float = -2.0
) -> pd.DataFrame:
    """Patients whose risk follows a logistic model with the same coefficients in every department."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "trust": rng.choice([f"T{t:02d}" for t in range(trusts)], n),
            "department": rng.choice([f"D{d}" for d in range(departments)], n),
            "age": rng.gamma(16.0, 3.5, n).round(1),
            "sex": rng.choice(["F", "M"], n),
            "admission": rng.choice(["elective", "emergency", "transfer"], n, p=[0.5, 0.4, 0.1]),
        }
    )
    band = np.digitize(frame["age"], [40.0, 60.0, 75.0])
    frame["age_band"] = np.array(["0-39", "40-59", "60-74", "75+"])[band]
    eta = intercept + 0.5 * band + 0.2 * (frame["sex"] == "M") + 0.8 * (frame["admission"] == "emergency")
    frame["died"] = (rng.random(n) < 1.0 / (1.0 + np.exp(-eta))).astype(int)
    return frame


@pytest.fixture
def records() -> pd.DataFrame:
    """6,000 patients of 6 trusts × 4 departments."""
    return simulate_records()


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """One local session for all tests that want Spark."""
    if importlib.util.find_spec("pyspark") is None:
        pytest.skip("PySpark is not installed: it is in the extra 'test'")
    if shutil.which("java") is None:
        pytest.skip("there is no Java runtime to run Spark: install one of version 17 or later")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what PySpark says of the versions of pandas and Java
        from pyspark.sql import SparkSession

        session = (
            SparkSession.builder.master("local[1]")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.shuffle.partitions", "1")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.log.level", "ERROR")
            .getOrCreate()
        )
    yield session
    session.stop()
