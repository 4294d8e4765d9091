"""Files in place: whole or not at all, several together, with the rights of those they replace."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys

import pytest

from brightspots import SettingsError
from brightspots.common import placing
from brightspots.common.files import write_text
from brightspots.common.placing import (
    atomic_path,
    check_folder,
    check_out_folder,
    refuse_own_input,
    refuse_to_overwrite,
    remove_leavings,
    scratch_folder,
    together,
)

posix = pytest.mark.skipif(os.name != "posix", reason="rights, links and process ids as POSIX has them")


def mode_of(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextlib.contextmanager
def small_disk(size: int):
    """No file of this process grows beyond `size` bytes: what a full disk does, for users without rights."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


# ---- one file --------------------------------------------------------------------------------------------------


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o777])
def test_a_file_that_replaces_another_has_its_rights(tmp_path, mode):
    path = tmp_path / "a.csv"
    path.write_text("old")
    path.chmod(mode)
    write_text(path, "new")
    assert (path.read_text(), mode_of(path)) == ("new", mode)


@posix
@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077])
def test_a_new_file_has_the_rights_that_the_user_gives_to_files(tmp_path, mask):
    before = os.umask(mask)
    try:
        write_text(tmp_path / "a.csv", "new")
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "a.csv") == 0o666 & ~mask


@posix
def test_rights_of_a_group_that_cannot_be_kept_are_not_given_to_another(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text("old")
    path.chmod(0o660)
    if os.geteuid() == 0:
        os.chown(path, 12_345, 12_345)
    else:
        pytest.skip("only root makes files of others")

    def refused(*_arguments, **_options):
        raise PermissionError

    monkeypatch.setattr(placing.os, "chown", refused)
    write_text(path, "new")
    assert mode_of(path) == 0o600


@posix
def test_the_owner_of_a_file_that_is_replaced_stays(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root makes files of others")
    path = tmp_path / "a.csv"
    path.write_text("old")
    os.chown(path, 12_345, 12_346)
    write_text(path, "new")
    assert (path.stat().st_uid, path.stat().st_gid) == (12_345, 12_346)


@posix
def test_a_link_stays_and_what_it_points_to_is_written(tmp_path):
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "real.csv", tmp_path / "link.csv"
    link.symlink_to(target)
    for text in ("first", "second"):  # a link to nothing yet, and one to a file
        write_text(link, text)
        assert link.is_symlink()
        assert target.read_text() == text
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["link.csv", "real.csv", "there"]


def test_a_name_as_long_as_names_may_be_is_written(tmp_path):
    path = tmp_path / f"{'x' * 251}.csv"
    write_text(path, "new")
    assert path.read_text() == "new"


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("folder", SettingsError, "is a folder, and a file is to be written"),
        ("a\0b", SettingsError, "NUL"),
        ("x" * 300, OSError, "x: 'x*|name too long"),
        ("nowhere/a.csv", SettingsError, "does not exist"),
        ("file/a.csv", (SettingsError, OSError), "Not a directory|does not exist"),
    ],
)
def test_places_where_no_file_can_be_are_named(tmp_path, name, kind, said):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(kind, match=said):
        write_text(tmp_path / name, "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


@posix
def test_what_is_no_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "device.csv").symlink_to("/dev/null")
    for name in ("pipe.csv", "device.csv"):
        with pytest.raises(SettingsError, match="a device or a pipe"):
            refuse_to_overwrite([tmp_path / name], force=True)


@posix
def test_what_is_protected_is_said_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_text("old")
    monkeypatch.setattr(placing.os, "access", lambda *_: False)  # as for anybody but root
    with pytest.raises(SettingsError, match="protected against writing"):
        refuse_to_overwrite([tmp_path / "a.csv"], force=True)
    with pytest.raises(SettingsError, match="nothing may be written into the folder"):
        check_folder(tmp_path / "b.csv")
    with pytest.raises(SettingsError, match="nothing may be written into the folder"):
        check_out_folder(tmp_path / "new" / "out")


def test_a_folder_below_a_file_is_refused_before_the_work(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises((SettingsError, OSError), match=r"is a file, and a folder is needed|Not a directory"):
        check_out_folder(tmp_path / "taken" / "out")


def test_an_input_is_not_replaced_by_what_is_made_of_it(tmp_path):
    (tmp_path / "cells.csv").write_text("")
    refuse_own_input([tmp_path / "new.csv"], [tmp_path / "cells.csv", tmp_path / "nowhere.csv"])
    with pytest.raises(SettingsError, match="is what is read"):
        refuse_own_input([tmp_path / "cells.csv"], [tmp_path / "." / "cells.csv"])


def test_a_full_disk_is_said_of_the_file_and_leaves_the_one_before(tmp_path):
    path = tmp_path / "a.csv"
    write_text(path, "old")
    with small_disk(1_000), pytest.raises(OSError, match="File too large") as caught:
        write_text(path, "x" * 2_000)
    assert caught.value.filename == str(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


# ---- several ---------------------------------------------------------------------------------------------------


def test_files_of_a_group_appear_at_its_end_in_their_order(tmp_path, monkeypatch):
    placed = []
    replace = os.replace

    def noted(temporary, target):
        placed.append(os.path.basename(target))
        replace(temporary, target)

    monkeypatch.setattr(placing.os, "replace", noted)
    out = tmp_path / "a" / "out"
    with together(out):
        for name in ("b.csv", "a.csv", "manifest.json"):
            write_text(out / name, name)
        assert all(path.name.startswith(".brightspots-") for path in out.iterdir())
    assert placed == ["b.csv", "a.csv", "manifest.json"]
    assert sorted(path.name for path in out.iterdir()) == sorted(placed)


def test_a_group_that_fails_leaves_nothing_and_no_folder(tmp_path):
    def fail() -> None:
        with together(tmp_path / "a" / "out"):
            write_text(tmp_path / "a" / "out" / "one.csv", "new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_group_of_which_one_cannot_be_placed_puts_back_what_stood_there(tmp_path, monkeypatch):
    """As where a spreadsheet holds the second file open on Windows."""
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("old")
    replace = os.replace

    def held_open(temporary, target):
        if os.path.basename(target) == "b.csv":
            raise PermissionError(13, "Permission denied", str(temporary), None, str(target))
        replace(temporary, target)

    monkeypatch.setattr(placing.os, "replace", held_open)

    def write() -> None:
        with together():
            for name in ("a.csv", "new.csv", "b.csv"):
                write_text(tmp_path / name, "new")

    with pytest.raises(PermissionError, match=r"b\.csv'$"):
        write()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.csv": "old", "b.csv": "old"}


# ---- what killed processes leave -------------------------------------------------------------------------------


@pytest.fixture
def ended() -> int:
    """The number of a process that runs no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@posix
def test_what_a_killed_process_left_is_taken_away_and_nothing_else(tmp_path, ended):
    machine = placing._machine()
    stay = [
        f".brightspots-{machine}-{os.getpid()}-abc.csv",  # of somebody who runs
        f".brightspots-{'0' * 8}-{ended}-abc.csv",  # of another machine
        f"brightspots-{machine}.csv",
        ".brightspots-notes.csv",
        "cells.csv",
    ]
    go = [f".brightspots-{machine}-{ended}-abc.csv", f"brightspots-{machine}-{ended}-folder"]
    for name in (*stay, go[0]):
        (tmp_path / name).write_text("")
    (tmp_path / go[1]).mkdir()
    (tmp_path / go[1] / "records.duckdb").write_text("")
    remove_leavings(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(stay)


@posix
def test_the_next_file_that_is_written_takes_the_leavings_away(tmp_path, ended):
    (tmp_path / f".brightspots-{placing._machine()}-{ended}-abc.nc").write_text("")
    write_text(tmp_path / "a.txt", "")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@posix
def test_a_link_among_the_leavings_leads_nowhere(tmp_path, ended):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "cells.csv").write_text("")
    (tmp_path / f"brightspots-{placing._machine()}-{ended}-x").symlink_to(tmp_path / "mine")
    remove_leavings(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert (tmp_path / "mine" / "cells.csv").exists()


def test_a_scratch_folder_says_whose_it_is_and_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(placing.tempfile, "tempdir", str(tmp_path))
    with scratch_folder() as folder:
        assert folder.name.startswith(f"brightspots-{placing._machine()}-{os.getpid()}-")
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_file_says_whose_it_is(tmp_path):
    with atomic_path(tmp_path / "a.nc") as temporary:
        assert temporary.name.startswith(f".brightspots-{placing._machine()}-{os.getpid()}-")
        assert temporary.suffix == ".nc"
