"""Damaged files are refused by an error of ours, or give a table or a fit that is right: never anything else."""

from __future__ import annotations

import importlib
import importlib.util
import io
import random
import warnings

import pytest

import brightspots as bs
from brightspots.cli.files import read_frame
from tests.conftest import simulate_frame
from tests.fuzz.trials import SEED, SIZE, LostError, Tally
from tests.readers import files
from tests.readers.test_damage import PUBLICATIONS

# Where the loop over damaged fits lives: a module that is not there is a failure, not a skip.
SAVED_FITS = "tests.fit.damaged_fits"
KINDS = ("cut", "flip", "zeros", "insert", "twice")


def damaged(content: bytes, rng: random.Random) -> tuple[str, bytes]:
    """Content with one kind of damage, and its name."""
    kind, at = rng.choice(KINDS), rng.randrange(len(content))
    size = rng.choice((1, 2, 16, 512))
    if kind == "cut":
        return kind, content[:at]
    if kind == "flip":
        return kind, content[:at] + bytes([content[at] ^ (1 << rng.randrange(8))]) + content[at + 1 :]
    if kind == "zeros":
        return kind, content[:at] + bytes(size) + content[at + size :]
    if kind == "insert":
        return kind, content[:at] + rng.randbytes(size) + content[at:]
    return kind, content[: at + size] + content[at:]


def table_files(folder):
    """The same table in every kind of file that is read."""
    table = simulate_frame(6, 3)
    table.to_csv(folder / "cells.csv", index=False)
    table.to_csv(folder / "cells.csv.gz", index=False)
    table.to_csv(folder / "cells.tsv", index=False, sep="\t")
    table.to_excel(folder / "cells.xlsx", index=False)
    table.to_parquet(folder / "cells.parquet")
    return table, sorted(folder.glob("cells.*"))


def read_table(path, whole):
    frame = read_frame(str(path), ("trust", "department"))[0]
    # Compressed and binary formats have sums of their own: what comes through is whole.
    if path.suffix in (".xlsx", ".gz") and len(frame) < len(whole) and not frame.attrs.get("notes"):
        raise LostError(f"{len(frame)} of {len(whole)} rows, and nothing is said")


def try_tables(folder, size):
    whole, paths = table_files(folder)
    intact = {path: path.read_bytes() for path in paths}
    tally = Tally("damaged tables")
    for number in range(size):
        rng = random.Random(f"tables {SEED} {number}")
        path = rng.choice(paths)
        kind, content = damaged(intact[path], rng)
        target = path.with_name(f"damaged{''.join(path.suffixes)}")
        target.write_bytes(content)
        tally.trial(f"{path.name} {kind}, number {number}", lambda target=target: read_table(target, whole))
    tally.check()


def try_publications(size):
    tally = Tally("damaged publications")
    names = sorted(PUBLICATIONS)
    for number in range(size):
        rng = random.Random(f"publications {SEED} {number}")
        name = rng.choice(names)
        reader, columns, rows = PUBLICATIONS[name]
        kind, content = damaged(files.write(columns, rows).encode(), rng)
        tally.trial(
            f"{name} {kind}, number {number}",
            lambda reader=reader, content=content: reader(io.BytesIO(content)),
        )
    tally.check()


def try_saved(folder, size):
    if importlib.util.find_spec(SAVED_FITS) is None:
        pytest.fail(f"{SAVED_FITS} is not there: name the module that damages saved fits")
    damage = importlib.import_module(SAVED_FITS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bs.fit_hierarchy(simulate_frame(6, 3), seed=1, draws=200).save(folder / "fit.nc")
    counts = damage.damage_saved_fit(folder / "fit.nc", size, SEED)
    outcomes = Tally("damaged fits")
    for (kind, outcome), count in counts.items():
        outcomes.counts[outcome] += count
        if outcome in damage.BAD:
            outcomes.bad.append(f"{kind}: {outcome}, {count}")
    outcomes.check()


def test_some_damaged_tables(tmp_path):
    try_tables(tmp_path, 40)


def test_some_damaged_publications():
    try_publications(40)


@pytest.mark.fuzz
def test_damaged_tables(tmp_path):
    try_tables(tmp_path, SIZE // 2)


@pytest.mark.fuzz
def test_damaged_publications():
    try_publications(SIZE // 2)


@pytest.mark.fuzz
def test_damaged_fits(tmp_path):
    try_saved(tmp_path, SIZE // 2)
