"""Clean tables, and the many ways in which people's programs write them."""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from brightspots.parsing import TableFile, read_table_file

KEYS = ("trust", "department")


def clean_table(rng: np.random.Generator, rows: int | None = None) -> pd.DataFrame:
    """A random table as it should come out of any file: ids with zeros, text with commas, counts, gaps, fractions."""
    rows = rows or int(rng.integers(6, 40))
    wards = np.array(
        ["Ward 1, east", "Cardiology", "Ysbyty Gwyn", 'the "old" ward', "A&E; minors", "Général"]
    )
    weights = rng.gamma(2.0, 700.0, rows).round(4)
    return pd.DataFrame(
        {
            "trust": [f"{code:04d}" for code in rng.integers(0, 3000, rows)],
            "department": wards[rng.integers(0, len(wards), rows)],
            "period": [f"2024-{month:02d}" for month in rng.integers(1, 13, rows)],
            "observed": rng.poisson(rng.choice([3.0, 2500.0]), rows),
            "expected": weights + 0.5,
            "beds": np.where(rng.random(rows) < 0.2, np.nan, rng.integers(1, 90, rows).astype(float)),
        }
    )


@dataclass(frozen=True)
class Dialect:
    """How a program writes a table."""

    separator: str
    decimal: str
    thousands: str
    encoding: str
    line_end: str
    missing: str
    cover: int
    footer: int
    quote_all: bool
    trailing: bool
    packed: bool


def random_dialect(rng: np.random.Generator) -> Dialect:
    separator = str(rng.choice([",", ";", "\t", "|"]))
    decimal = str(rng.choice([".", ","])) if separator == ";" else "."
    groups = ["", "", ",", "'", "\u00a0"] if decimal == "." else ["", "", ".", "\u202f"]
    encodings = ["utf-8", "utf-8-sig", "utf-16"]
    thousands = str(rng.choice(groups))
    return Dialect(
        separator,
        decimal,
        thousands,
        str(rng.choice([*encodings, "cp1252"] if thousands != "\u202f" else encodings)),
        str(rng.choice(["\n", "\r\n", "\r"])),
        str(rng.choice(["", "N/A", "-", "Not Available", ".."])),
        int(rng.integers(0, 4)),
        int(rng.integers(0, 3)),
        bool(rng.integers(0, 2)),
        bool(rng.integers(0, 4) == 0),
        bool(rng.integers(0, 5) == 0),
    )


def written(table: pd.DataFrame, how: Dialect) -> bytes:
    """A table in a dialect."""

    def cell(value: object) -> str:
        if isinstance(value, str):
            return value
        if np.isnan(value):
            return how.missing
        if float(value).is_integer() and not isinstance(value, float):
            return f"{value:,}".replace(",", how.thousands)
        text = f"{value:,.4f}" if not float(value).is_integer() else f"{value:,.0f}"
        return text.replace(",", "\0").replace(".", how.decimal).replace("\0", how.thousands)

    def line(values: list[str]) -> str:
        out = []
        for value in values:
            needs = how.quote_all or how.separator in value or '"' in value
            out.append('"' + value.replace('"', '""') + '"' if needs else value)
        return how.separator.join(out) + how.separator * how.trailing

    head = ["Deaths by provider and ward", "", f"Period:{how.separator}2023-24", "Extracted on 1 April 2024"][
        : how.cover
    ]
    tail = ["", "Source: made up for a test", "Notes: no patient was counted"][
        : how.footer + 1 if how.footer else 0
    ]
    body = [[cell(value) for value in row] for row in table.itertuples(index=False)]
    lines = [*head, line(list(table.columns)), *map(line, body), *tail]
    content = (how.line_end.join(lines) + how.line_end).encode(how.encoding)
    return gzip.compress(content) if how.packed else content


def read(content: bytes | str, name: str = "table.csv", **options: object) -> TableFile:
    """Read bytes as the file that they would be."""
    file = io.BytesIO(content.encode() if isinstance(content, str) else content)
    file.name = str(Path("folder") / name)
    return read_table_file(file, **options)


def codes(table: TableFile) -> list[str]:
    """What was said, by kind."""
    return [reading.code for reading in table.readings]
