"""A saved fit that is not as it was written is refused, whatever happened to it: never read, never half read."""

from __future__ import annotations

import contextlib
import gzip
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

import brightspots as bs
from brightspots import DataError
from brightspots.cli import app
from tests.conftest import simulate_frame
from tests.fit.damaged_fits import BAD, REFUSED, damage_saved_fit, damaged
from tests.fit.test_storage import rewrite_header
from tests.report.conftest import make_fit


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "fit.nc"
    fit = bs.fit_hierarchy(simulate_frame(12, 5), seed=1, draws=400)
    fit.save(path, fit.find_spots())
    return path


@pytest.fixture(scope="module")
def unsealed(saved, tmp_path_factory) -> Path:
    """As the first release wrote it: without a digest."""
    path = tmp_path_factory.mktemp("unsealed") / "fit.nc"
    path.write_bytes(saved.read_bytes())
    rewrite_header(path, "sealed", "decision")
    return path


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        bs.load_fit(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_every_damage_to_a_saved_fit_is_refused(saved):
    """300 flipped bits, 100 cut files and 100 with a block of zeros."""
    counts = damage_saved_fit(saved, 500, seed=1)
    assert sum(counts.values()) == 500
    assert not [case for case in counts if case[1] in BAD]
    assert counts["bit flipped", REFUSED] == 300
    assert counts["cut off", REFUSED] == 100


def test_of_damage_to_a_fit_without_a_digest_nothing_raw_comes(unsealed):
    """What only changed a digit of a number cannot be seen there."""
    whole = bs.load_fit(unsealed)
    assert whole.decision is None
    for kind, content in damaged(unsealed.read_bytes(), 60, seed=2):
        if kind == "block of zeros":  # HDF5 may not come back from one: the digest is there for that
            continue
        target = unsealed.with_name("damaged.nc")
        target.write_bytes(content)
        if kind == "cut off":
            refusal(target)
        else:
            with contextlib.suppress(DataError):
                bs.load_fit(target)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"trust,department\nA,B\n", "is not a fit saved by brightspots"),
        (gzip.compress(b"x"), "is not a fit saved by brightspots"),
        (b"\x89HDF\r\n\x1a\n", "is damaged"),
        (b"\x89HDF\r\n\x1a\n" + bytes(200), "is damaged"),
    ],
    # Gzip's bytes hold the time: a name made of them differs between the workers that collect the tests.
    ids=["nothing", "a table", "gzip", "HDF5's first bytes alone", "HDF5's first bytes and zeros"],
)
def test_other_content_is_refused(tmp_path, content, said):
    path = tmp_path / "fit.nc"
    path.write_bytes(content)
    assert said in refusal(path)


def test_an_hdf5_file_of_others_is_refused(tmp_path):
    with h5py.File(tmp_path / "fit.nc", "w") as file:
        file["x"] = np.arange(3)
    assert "is not a fit saved by brightspots" in refusal(tmp_path / "fit.nc")


def test_a_folder_is_refused_and_a_missing_file_is_missing(tmp_path):
    assert "is a folder" in refusal(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"none\.nc"):
        bs.load_fit(tmp_path / "none.nc")


def test_a_file_changed_by_another_program_is_refused(saved, tmp_path):
    path = tmp_path / "fit.nc"
    path.write_bytes(saved.read_bytes())
    with h5py.File(path, "r+") as file:
        file["cells/lower"][0] += 1
    assert "is damaged" in refusal(path)
    path.write_bytes(saved.read_bytes() + b"\n")  # as a transfer as text may leave it
    assert "is damaged" in refusal(path)


def test_other_programs_read_a_sealed_file(saved):
    import xarray as xr

    with xr.open_datatree(saved) as tree:
        assert set(tree.children) == {"cells", "shared", "extras", "ratings"}


@pytest.mark.parametrize("group", ["cells", "shared", "extras", "ratings"])
def test_a_group_that_is_missing_is_noticed_without_a_digest(saved, tmp_path, group):
    path = tmp_path / "fit.nc"
    path.write_bytes(saved.read_bytes())
    rewrite_header(path, "sealed")
    with h5py.File(path, "r+") as file:
        del file[group]
    assert "is damaged" in refusal(path)


@pytest.mark.parametrize("header", ["{", "[]", "3", '{"version": "1"}', '{"format": "x", "version": "1"}'])
def test_a_header_that_is_none_is_noticed_without_a_digest(unsealed, tmp_path, header):
    path = tmp_path / "fit.nc"
    path.write_bytes(unsealed.read_bytes())
    with h5py.File(path, "r+") as file:
        file.attrs["brightspots"] = header
    assert "header cannot be read" in refusal(path)


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("cells/cell_trust", 0, 99),
        ("cells/cell_trust", 0, -1),
        ("cells/cell_trust", 0, 3),  # no longer ascending
        ("cells/cell_department", 4, 5),
        ("cells/leaf_cell", -1, 60),
        ("cells/leaf_type", 0, 5),
        ("cells/lower", 7, np.nan),
        ("cells/lower", 7, 1e9),  # above the upper bound
        ("cells/size", 7, -1.0),
        ("cells/offset", 7, np.inf),
        ("cells/expected", 7, np.nan),
        ("shared/intercept", 3, np.nan),
        ("shared/sd_trust", 3, -0.1),
        ("shared/type_effect", 3, np.inf),
        ("extras/row_cell", 0, 60),
        ("ratings/cell_band", 0, 3),
        ("ratings/trust_band", 0, -2),
    ],
)
def test_an_impossible_value_is_noticed_without_a_digest(saved, tmp_path, name, place, value):
    path = tmp_path / "fit.nc"
    path.write_bytes(saved.read_bytes())
    rewrite_header(path, "sealed")
    with h5py.File(path, "r+") as file:
        values = file[name][...]
        values[place] = value
        file[name][...] = values
    assert "is damaged" in refusal(path)


def test_effects_that_are_not_those_of_the_draws_are_noticed(tmp_path):
    path = tmp_path / "fit.nc"
    make_fit(simulate_frame(6, 3)).save(path)
    rewrite_header(path, "sealed", chains=7)
    assert "chains are not equally long" in refusal(path)


def test_a_file_of_a_later_format_says_so(saved, tmp_path):
    path = tmp_path / "fit.nc"
    path.write_bytes(saved.read_bytes())
    rewrite_header(path, "columns", format=2, version="9.0")
    assert "saved by brightspots 9.0, a later format; install that version" in refusal(path)


@pytest.mark.parametrize("command", ["report", "funnel"])
@pytest.mark.parametrize("damage", [lambda file: file[:-200], lambda file: b"", lambda file: b"x" + file[1:]])
def test_commands_end_with_one_line_and_status_2(saved, tmp_path, command, damage):
    path = tmp_path / "fit.nc"
    path.write_bytes(damage(saved.read_bytes()))
    out = tmp_path / ("board.html" if command == "report" else "funnel.png")
    result = CliRunner().invoke(app, [command, str(path), "-o", str(out)], catch_exceptions=False)
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert str(path) in result.stderr
    assert not out.exists()
