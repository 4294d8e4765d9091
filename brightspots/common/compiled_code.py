"""Where the code of compiled loops is kept, whether it is ready, and how it is made so: now, or for the next process.

Numba keeps what it compiled by the file of each function, and does not notice where a helper in another file has
changed. So all loops have one folder, named by what their code depends on: their sources and helpers, Python, Numba,
LLVM, Numba's own settings, and the processor. Code of other sources is never found, and removed when new code is made.
In the folder, `ready` says that all of it is there, and who compiles holds a lock on `attempt`; the system lets go of
a lock whatever ends a process. Without this module nothing of Numba is loaded, and it loads LLVM alone (20 ms).
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import IO, Final, Literal

from brightspots.common.errors import SettingsError
from brightspots.common.parallel import available_cores

State = Literal["ready", "compiling", "failed", "absent", "nowhere"]

# Loaded by name, for they stand on higher floors. About as long to compile one as the other: two processes take half.
MODULES: Final = (
    "brightspots.engine.integration.loops_compiled",
    "brightspots.statistics.mixture_loops_compiled",
)
_PACKAGE: Final = Path(__file__).resolve().parents[1]
# What is compiled, and whatever of other modules is compiled with it.
SOURCES: Final = (
    "common/compiling.py",
    "engine/integration/loops_conditioned.py",
    "engine/integration/loops_leaves.py",
    "engine/integration/loops_mixtures.py",
    "engine/integration/loops_polynomials.py",
    "engine/integration/loops_types.py",
    "likelihood/truncation.py",
    "statistics/distribution_loops_compiled.py",
    "statistics/mixture_loops_compiled.py",
)
# Settings of Numba that do not change code.
_OTHER_SETTINGS: Final = ("NUMBA_CACHE_DIR", "NUMBA_NUM_THREADS")
# Seconds that a process started to compile has until it holds the lock.
_PATIENCE: Final = 60.0
# Numba's names of files below the folder take 135 characters, of the 260 that Windows has.
_LONGEST_ON_WINDOWS: Final = 120


def state() -> State:
    """Whether the code of all loops is there, is being made, was given up half-made, or was never begun.

    "nowhere": it cannot be kept.
    """
    folder = kept_in()
    if folder is None:
        return "nowhere"
    if (folder / "ready").exists():
        return "ready"
    try:
        begun = (folder / "attempt").stat().st_mtime
    except FileNotFoundError:
        return "absent"
    if abs(time.time() - begun) < _PATIENCE:
        return "compiling"
    with _lock(folder, wait=False) as held:
        return "failed" if held else "compiling"


def make_ready(*, anew: bool = False) -> Path | None:
    """Compile all loops where their code is not ready; where another process does so, wait for it.

    Parameters
    ----------
    anew : bool, default False
        Compile them in any case.

    Returns
    -------
    Path or None
        Where the code is kept; None where it cannot be, and was compiled for this process alone.
    """
    folder = kept_in()
    if folder is None:
        _load(MODULES)
        return None
    if anew or not (folder / "ready").exists():
        with _lock(folder, wait=True):
            if anew:
                _empty(folder)
            if not (folder / "ready").exists():
                _compile_all(folder)
    return folder


def start_in_background() -> None:
    """Let a process compile all loops for later ones; it outlives this one, and gives way to others.

    Where it fails, `state` tells later processes, and one that then compiles the loops itself meets the reason.
    """
    folder = kept_in()
    if folder is not None:
        (folder / "attempt").touch()
        process = _start("_in_background")
        if process is not None:
            process.returncode = 0  # nobody waits for it, and Python is not to warn of that


def where_to_keep() -> list[Path]:
    """Folders in which code could be kept, in Numba's order: named by its variable, beside the sources, the user's."""
    name = _name()
    if name is None:
        return []
    named = os.environ.get("NUMBA_CACHE_DIR")
    checkout = _short(str(_PACKAGE))
    folders = [Path(named) / f"brightspots-{checkout}"] if named else []
    folders.append(_PACKAGE / "__pycache__")
    if sys.platform == "win32":
        own = os.environ.get("LOCALAPPDATA")
    elif sys.platform == "darwin":
        own = os.path.expanduser("~/Library/Caches")
    else:
        own = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if own and Path(own).is_absolute():
        folders.append(Path(own) / "brightspots" / checkout)
    folders = [folder.absolute() / name for folder in folders]
    return [each for each in folders if os.name != "nt" or len(str(each)) <= _LONGEST_ON_WINDOWS]


@functools.cache
def kept_in() -> Path | None:
    """The folder of these sources' code on this machine, which is made; None where it cannot be kept.

    Numba reads only from where it may write. So code that was made ready where this user may not write (in an image,
    by another user) is copied: to where code would be kept, or for the life of this process.
    """
    prepared = None
    for folder in where_to_keep():
        if _may_write(folder):
            break
        if prepared is None and (folder / "ready").exists():
            prepared = folder
    else:
        if prepared is None:
            return None
        folder = Path(tempfile.mkdtemp(prefix="brightspots-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if prepared is not None and not (folder / "ready").exists():
        _copy(prepared, folder)
    return folder


def check_can_keep() -> None:
    """Raise `SettingsError` where compiled code cannot be kept."""
    if kept_in() is None:
        tried = ", ".join(repr(str(folder.parent)) for folder in where_to_keep())
        raise SettingsError(
            f"compiled loops cannot be kept, for nothing may be written into {tried or 'any known folder'}; set "
            "NUMBA_CACHE_DIR to a folder that may be written to"
        )


def keep_in_images() -> None:
    """Round the times of sources down to whole seconds, as images and archives keep them.

    Numba goes by them: code that was compiled while an image is built would otherwise not be found when it is used.
    """
    for name in SOURCES:
        path = _PACKAGE / name
        with contextlib.suppress(OSError):  # somebody else's files: of use here, if not in an image
            found = path.stat()
            os.utime(path, (int(found.st_atime), int(found.st_mtime)))


def _compile_all(folder: Path) -> None:
    """Compile what is not there yet: half in a process of its own, where there is a core for it."""
    helper = _start("_second_half") if available_cores() > 1 else None
    try:
        _load(MODULES[:1])
        if helper is not None:
            helper.wait()
    finally:
        if helper is not None:
            helper.kill()
            helper.wait()
    # Finds what the other process made, or compiles it where that failed, and meets the reason.
    _load(MODULES[1:])
    _say_ready(folder)


def _second_half() -> None:
    _load(MODULES[1:])


def _in_background() -> None:
    folder = kept_in()
    if folder is None:
        return
    if hasattr(os, "nice"):
        os.nice(5)
    with _lock(folder, wait=False) as held:
        if held:
            _load(MODULES)
            _say_ready(folder)


def _load(modules: Sequence[str]) -> None:
    for module in modules:
        import_module(module)


def _say_ready(folder: Path) -> None:
    (folder / "ready").touch()
    alike = folder.name.rpartition("-")[0]
    for other in folder.parent.glob(f"{alike}-*"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)


def _may_write(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _copy(prepared: Path, folder: Path) -> None:
    """Copy code without the rights of its files, and say that it is ready when it is whole."""
    for source in prepared.glob("*/*"):
        (folder / source.parent.name).mkdir(exist_ok=True)
        shutil.copyfile(source, folder / source.parent.name / source.name)
    (folder / "ready").touch()


def _empty(folder: Path) -> None:
    (folder / "ready").unlink(missing_ok=True)
    for each in folder.iterdir():
        if each.is_dir():
            shutil.rmtree(each)


def _start(function: str) -> subprocess.Popen[bytes] | None:
    """Run a function of this module in a process of its own, which nothing that ends this one ends.

    None where the interpreter is part of another program, which would be what is started.
    """
    if "python" not in Path(sys.executable or "").name.lower():
        return None
    # Modules are looked for where this process looks for them.
    path = [os.path.abspath(each) for each in sys.path]
    code = f"import sys; sys.path[:] = {path!r}; from brightspots.common import compiled_code as c; c.{function}()"
    flags = 0
    if sys.platform == "win32":
        flags = (
            subprocess.CREATE_NO_WINDOW
            | subprocess.CREATE_NEW_PROCESS_GROUP
            | subprocess.BELOW_NORMAL_PRIORITY_CLASS
        )
    nowhere = subprocess.DEVNULL
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=nowhere,
        stdout=nowhere,
        stderr=nowhere,
        start_new_session=True,
        creationflags=flags,
    )


@contextlib.contextmanager
def _lock(folder: Path, *, wait: bool) -> Iterator[bool]:
    """Hold the lock of who compiles, if nobody else does; or wait until nobody does."""
    with open(folder / "attempt", "ab") as file:
        while not (held := _is_ours(file)) and wait:
            time.sleep(0.1)
        yield held


def _is_ours(file: IO[bytes]) -> bool:
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
    else:
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True  # a file system without locks: at worst two processes do the same work
    return True


def _name() -> str | None:
    """By Python, processor, and what else code depends on; None where the sources are no files (frozen or zipped)."""
    from llvmlite import binding

    try:
        found = [(_PACKAGE / name).stat() for name in SOURCES]
    except OSError:
        return None
    try:
        features = binding.get_host_cpu_features().flatten()
    except RuntimeError:
        features = ""  # LLVM does not tell them of every processor, and Numba then does without
    python = f"{sys.implementation.cache_tag}{getattr(sys, 'abiflags', '')}"
    processor = f"{platform.machine()} {binding.get_host_cpu_name()} {features}"
    # Of a source, what Numba goes by.
    sources = [(each.st_mtime, each.st_size) for each in found]
    settings = sorted(
        item for item in os.environ.items() if item[0].startswith("NUMBA_") and item[0] not in _OTHER_SETTINGS
    )
    depends_on = sources, version("numba"), version("llvmlite"), settings
    return f"loops-{python}-{_short(processor)}-{_short(repr(depends_on))}"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
