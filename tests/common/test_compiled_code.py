"""Where compiled code is kept, when it is ready, and that it is made once, by one process, or its failure is met."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time
from pathlib import Path

import numba
import pytest

from brightspots.common import compiled_code, compiling
from brightspots.common.errors import SettingsError
from tests.conftest import ROOT

PACKAGE = ROOT / "brightspots"


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """An empty place for compiled code, and two light modules in place of the loops."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(compiled_code, "MODULES", ("colorsys", "this_module_is_replaced"))
    monkeypatch.setattr(compiled_code, "_load", lambda modules: None)
    monkeypatch.setattr(compiled_code, "_start", lambda function: None)
    compiled_code.kept_in.cache_clear()
    yield compiled_code.kept_in()
    compiled_code.kept_in.cache_clear()


def age(folder: Path) -> None:
    """Let an attempt be an hour old."""
    hour_ago = time.time() - 3600
    os.utime(folder / "attempt", (hour_ago, hour_ago))


def imported(path: Path) -> set[Path]:
    """Files of the package from which a file takes something."""
    nodes = [
        node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ImportFrom)
    ]
    files = [ROOT / f"{(node.module or '').replace('.', '/')}.py" for node in nodes]
    return {file for file in files if file.is_file() and PACKAGE in file.parents}


def test_every_source_of_compiled_code_is_known():
    helpers = PACKAGE / "common" / "compiling.py"
    compiled = {path for path in PACKAGE.rglob("*.py") if helpers in imported(path)}
    wanted = {helpers} | compiled | {source for path in compiled for source in imported(path)}
    assert {PACKAGE / name for name in compiled_code.SOURCES} == wanted


def test_all_loops_are_compiled_with_the_modules_that_are_named():
    named = [ROOT / f"{name.replace('.', '/')}.py" for name in compiled_code.MODULES]
    reached = set(named)
    for path in named:
        reached |= imported(path)
    helpers = PACKAGE / "common" / "compiling.py"
    assert {path for path in PACKAGE.rglob("*.py") if helpers in imported(path)} <= reached


def test_code_is_ready_when_it_is_made_and_not_before(folder, tmp_path):
    assert folder.is_relative_to(tmp_path)
    assert compiled_code.state() == "absent"
    assert compiled_code.make_ready() == folder
    assert compiled_code.state() == "ready"


def test_ready_code_is_not_made_again_unless_asked_for(folder, monkeypatch):
    compiled_code.make_ready()
    (folder / "integration_1").mkdir()
    monkeypatch.setattr(compiled_code, "_load", lambda modules: pytest.fail("compiled again"))
    compiled_code.make_ready()
    assert (folder / "integration_1").exists()
    monkeypatch.setattr(compiled_code, "_load", lambda modules: None)
    compiled_code.make_ready(anew=True)
    assert not (folder / "integration_1").exists()
    assert compiled_code.state() == "ready"


def test_both_halves_are_loaded_whatever_becomes_of_the_other_process(folder, monkeypatch):
    class Failed:
        def wait(self) -> int:
            return 1

        def kill(self) -> None:
            pass

    loaded: list[str] = []
    monkeypatch.setattr(compiled_code, "available_cores", lambda: 2)
    monkeypatch.setattr(compiled_code, "_start", lambda function: Failed())
    monkeypatch.setattr(compiled_code, "_load", loaded.extend)
    compiled_code.make_ready()
    assert loaded == list(compiled_code.MODULES)


def test_a_process_in_the_background_is_waited_for_before_it_counts_as_failed(folder):
    compiled_code.start_in_background()
    assert compiled_code.state() == "compiling"
    age(folder)
    assert compiled_code.state() == "failed"


def test_who_compiles_holds_a_lock_that_its_end_undoes(folder):
    with compiled_code._lock(folder, wait=False) as held:
        assert held
        age(folder)
        assert compiled_code.state() == "compiling"
        with compiled_code._lock(folder, wait=False) as again:
            assert not again
    assert compiled_code.state() == "failed"


def test_the_background_compiles_and_a_second_one_leaves_it_to_the_first(folder, monkeypatch):
    monkeypatch.setattr(os, "nice", lambda by: by)
    with compiled_code._lock(folder, wait=False):
        compiled_code._in_background()
    assert not (folder / "ready").exists()
    compiled_code._in_background()
    assert compiled_code.state() == "ready"


def test_what_failed_in_the_background_fails_in_the_open(folder, monkeypatch):
    def fail(modules):
        raise ImportError("no compiler")

    monkeypatch.setattr(compiled_code, "_load", fail)
    with pytest.raises(ImportError, match="no compiler"):
        compiled_code.make_ready()
    assert not (folder / "ready").exists()


def test_what_code_depends_on_names_its_folder(folder, monkeypatch):
    monkeypatch.setenv("NUMBA_OPT", "1")
    other = compiled_code._name()
    assert other != folder.name
    monkeypatch.delenv("NUMBA_OPT")
    assert compiled_code._name() == folder.name
    monkeypatch.setattr(compiled_code, "version", lambda package: "0.1")
    assert compiled_code._name() not in (folder.name, other)


def test_a_changed_source_has_another_folder_and_the_old_one_goes(folder, monkeypatch, tmp_path):
    package = tmp_path / "package"
    for name in compiled_code.SOURCES:
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text("x = 1\n")
    monkeypatch.setattr(compiled_code, "_PACKAGE", package)
    compiled_code.kept_in.cache_clear()
    before = compiled_code.make_ready()
    (package / "common/compiling.py").write_text("x = 1  # changed\n")
    compiled_code.kept_in.cache_clear()
    assert compiled_code.state() == "absent"
    after = compiled_code.make_ready()
    assert after != before
    assert after.exists()
    assert not before.exists()
    (package / "common/compiling.py").unlink()
    compiled_code.kept_in.cache_clear()
    assert compiled_code.state() == "nowhere"


def test_where_nothing_can_be_kept_loops_are_compiled_for_the_process_alone(folder, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(compiled_code, "where_to_keep", lambda: [tmp_path / "file" / "loops"])
    compiled_code.kept_in.cache_clear()
    assert compiled_code.state() == "nowhere"
    assert compiled_code.make_ready() is None
    compiled_code.start_in_background()  # does nothing
    with pytest.raises(SettingsError, match=r"nothing may be written into '.*file'; set NUMBA_CACHE_DIR"):
        compiled_code.check_can_keep()


def test_code_prepared_where_one_may_not_write_is_copied(folder, monkeypatch, tmp_path):
    (folder / "integration_1").mkdir()
    (folder / "integration_1" / "loop.nbi").write_bytes(b"code")
    compiled_code.make_ready()
    may_write, own = compiled_code._may_write, tmp_path / "own"
    monkeypatch.setattr(compiled_code, "_may_write", lambda each: each != folder and may_write(each))
    for others in ([own], []):
        monkeypatch.setattr(compiled_code, "where_to_keep", lambda others=others: [folder, *others])
        compiled_code.kept_in.cache_clear()
        kept = compiled_code.kept_in()
        assert kept == own if others else kept not in (None, folder, own)
        assert compiled_code.state() == "ready"
        assert (kept / "integration_1" / "loop.nbi").read_bytes() == b"code"


def test_times_of_sources_are_those_that_an_image_keeps(monkeypatch, tmp_path):
    for name in compiled_code.SOURCES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
        os.utime(tmp_path / name, ns=(1_700_000_000_123_456_789, 1_700_000_000_987_654_321))
    monkeypatch.setattr(compiled_code, "_PACKAGE", tmp_path)
    compiled_code.keep_in_images()
    times = {(tmp_path / name).stat().st_mtime_ns for name in compiled_code.SOURCES}
    assert times == {1_700_000_000_000_000_000}


def test_an_interpreter_inside_another_program_starts_no_process(monkeypatch):
    for name in ("/usr/sbin/uwsgi", "", None):
        monkeypatch.setattr(sys, "executable", name)
        assert compiled_code._start("_in_background") is None


def test_a_process_finds_the_modules_of_the_one_that_starts_it(monkeypatch, tmp_path):
    seen: list[list[str]] = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, **options: seen.append(command))
    compiled_code._start("state")
    monkeypatch.undo()
    python, _, code = seen[0]
    code = code.replace("c.state()", "print(c.__file__)")
    said = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert said.stdout.strip() == compiled_code.__file__


def test_a_loop_is_kept_in_the_folder_and_numbas_own_setting_is_left_alone(folder):
    usual = numba.config.CACHE_DIR

    @compiling.compiled("f8(f8)")
    def half(x):
        return 0.5 * x

    assert half(3.0) == 1.5
    assert [path.suffix for path in folder.rglob("*half*.nb*")]
    assert usual == numba.config.CACHE_DIR


def test_to_know_whether_code_is_ready_loads_no_compiler():
    code = (
        "import sys\nfrom brightspots.common import compiled_code as c\n"
        "c.state()\nprint('numba' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert said.stdout.strip() == "False"
