"""Values that people pass by mistake, and labels as nobody wants them."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


class Rude:
    """An object whose own text fails."""

    def __repr__(self) -> str:
        raise RuntimeError("no text")


# Made afresh for each trial: some can be gone through only once.
WRONG: dict[str, Callable[[], Any]] = {
    "True": lambda: True,
    "False": lambda: False,
    "None": lambda: None,
    "0": lambda: 0,
    "1": lambda: 1,
    "-1": lambda: -1,
    "3": lambda: 3,
    "1.5": lambda: 1.5,
    "nan": lambda: float("nan"),
    "inf": lambda: float("inf"),
    "-inf": lambda: float("-inf"),
    "1e308": lambda: 1e308,
    "1e-308": lambda: 1e-308,
    "2**70": lambda: 2**70,
    "10**400": lambda: 10**400,
    "1j": lambda: 1j,
    "Decimal": lambda: decimal.Decimal("1.2"),
    "empty text": lambda: "",
    "x": lambda: "x",
    "NUL": lambda: "a\0b",
    "text 10": lambda: "10",
    "text 1.1": lambda: "1.1",
    "Good": lambda: "Good",
    "trust": lambda: "trust",
    "long text": lambda: "x" * 40_000,
    "surrogate": lambda: "\ud800",
    "bytes": lambda: b"x",
    "{}": dict,
    "{'a': 1}": lambda: {"a": 1},
    "{1: [2]}": lambda: {1: [2]},
    "[]": list,
    "()": tuple,
    "['x']": lambda: ["x"],
    "['x', 'x']": lambda: ["x", "x"],
    "[None]": lambda: [None],
    "[1, 'x']": lambda: [1, "x"],
    "[[1], [2, 3]]": lambda: [[1], [2, 3]],
    "(0.95, nan)": lambda: (0.95, float("nan")),
    "[1, 2, 3, 4]": lambda: [1, 2, 3, 4],
    "set": lambda: {"x"},
    "generator": lambda: (each for each in "ab"),
    "object": object,
    "rude object": Rude,
    "class": lambda: int,
    "function": lambda: len,
    "numpy float": lambda: np.float64(0.5),
    "numpy float32": lambda: np.float32(1.5),
    "numpy int": lambda: np.int64(2),
    "numpy text": lambda: np.str_("trust"),
    "numpy bool": lambda: np.True_,
    "numpy nan": lambda: np.float64("nan"),
    "array": lambda: np.array([1.0, 2.0]),
    "array of nothing": lambda: np.array([]),
    "array 0-d": lambda: np.array(1.0),
    "array 2-d": lambda: np.ones((2, 2)),
    "array of objects": lambda: np.array([None, "x", 1], dtype=object),
    "Series": lambda: pd.Series([1.0, 2.0]),
    "Series of text": lambda: pd.Series({"T001": "Good", "T002": "Poor"}),
    "DataFrame": lambda: pd.DataFrame({"trust": ["T001"], "rating": ["Good"]}),
    "DataFrame of nothing": pd.DataFrame,
    "NaT": lambda: pd.NaT,
    "NA": lambda: pd.NA,
    "date": lambda: dt.date(2024, 1, 1),
    "Timestamp": lambda: pd.Timestamp("2024-01-01"),
    "timedelta": lambda: dt.timedelta(days=1),
    "Path": lambda: Path("x"),
    "folder": lambda: Path("/"),
}
