"""Write files atomically: whole or not at all, several together, and never over another file without being asked.

A file is written in the folder of its target under a temporary name that holds the number of the writing process, and
renamed when it is whole. Temporary files that a killed process left behind are recognised by that name, and the next
process that writes into the folder deletes them.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Final

from brightspots.common.errors import SettingsError

AnyPath = str | os.PathLike[str]

_OURS: Final = re.compile(r"\.?brightspots-(?P<machine>[0-9a-f]{8})-(?P<process>[0-9]+)-")
# Files that are whole and wait for the others of their group, as (temporary, target).
_waiting: ContextVar[list[tuple[Path, Path]] | None] = ContextVar("_waiting", default=None)


@contextlib.contextmanager
def atomic_path(path: AnyPath) -> Iterator[Path]:
    """Give a temporary path beside `path`; move it into place if the block succeeds, delete it if not.

    A file that replaces another gets its permissions, and its owner where the system allows it; a new file gets the
    usual ones. A symbolic link stays, and the file it points to is written. Inside `together` the file is moved only at
    the end of that block, with the others.

    Yields
    ------
    pathlib.Path
        An empty file in the same folder, with the same suffix (some writers choose their format by it).

    Raises
    ------
    SettingsError
        Where the folder does not exist, or `path` is something else than a file that may be replaced.
    OSError
        Where the system refuses (no space, no permission); it names `path`, not the temporary file.
    """
    check_folder(path)
    _check_place(path)
    target = Path(os.path.realpath(path)) if Path(path).is_symlink() else Path(path)
    waiting = _waiting.get()
    temporary: Path | None = None
    try:
        _sweep_once(target.parent)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{_prefix()}", suffix=target.suffix)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        _dress(temporary, target)
        if waiting is None:
            os.replace(temporary, target)
        else:
            waiting.append((temporary, target))
            temporary = None
    except OSError as error:
        if error.errno is not None and (error.filename is None or _OURS.match(Path(error.filename).name)):
            raise _named(error, path) from None
        raise
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def together(folder: AnyPath | None = None) -> Iterator[None]:
    """Put the files that the block writes in place at its end: all, in the order they were written, or none.

    Parameters
    ----------
    folder : path, optional
        Made where it does not exist; deleted again where the block fails and the folder is still empty.
    """
    made = [] if folder is None else _made(Path(folder))
    waiting: list[tuple[Path, Path]] = []
    before = _waiting.set(waiting)
    whole = False
    try:
        yield
        _place(waiting)
        whole = True
    finally:
        _waiting.reset(before)
        if not whole:
            for temporary, _ in waiting:
                temporary.unlink(missing_ok=True)
            for empty in made:
                with contextlib.suppress(OSError):
                    empty.rmdir()


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for the block alone, in the system's temporary folder, that its owner alone may read."""
    _sweep_once(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=_prefix()) as name:
        yield Path(name)


def refuse_to_overwrite(paths: Iterable[Path], *, force: bool) -> None:
    """Raise `SettingsError` for files that exist already, unless `force`, and for what cannot be replaced at all."""
    targets = list(paths)
    for path in targets:
        _check_place(path)
    existing = [str(path) for path in targets if path.exists()]
    if existing and not force:
        raise SettingsError(f"{', '.join(existing)} would be overwritten; pass --force, or write elsewhere")


def refuse_own_input(paths: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Raise `SettingsError` where one of `paths`, which will be written, is one of the files that are read."""
    read = [path for path in inputs if path.exists()]
    for path in paths:
        if path.exists() and any(path.samefile(other) for other in read):
            raise SettingsError(f"{str(path)!r} is what is read, and would be replaced: write elsewhere")


def check_out_folder(path: AnyPath) -> None:
    """Raise `SettingsError` where the folder `path` cannot be made or written to. Called before the work starts."""
    folder = Path(path)
    _check_text(folder)
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"{os.fspath(path)!r} is a file, and a folder is needed: write elsewhere")
    nearest = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    if not nearest.is_dir():
        raise SettingsError(f"{str(nearest)!r} is a file, and a folder is needed: write elsewhere")
    _check_writable(nearest)


def check_folder(path: AnyPath) -> None:
    """Raise `SettingsError` where the folder of a file to be written does not exist. Called before the work starts."""
    _check_text(path)
    folder = Path(path).parent
    if not folder.is_dir():
        raise SettingsError(f"the folder {str(folder)!r} does not exist: make it first")
    if not Path(path).is_symlink():
        _check_writable(folder)


def remove_leavings(folder: Path) -> None:
    """Delete the temporary files (and folders) in a folder whose names say that a process wrote them that has ended.

    Those of other machines, containers and users stay. On Windows all stay: there is no harmless way to ask whether a
    process still runs.
    """
    if os.name != "posix":
        return
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = _OURS.match(entry.name)
            if found is None or found["machine"] != _machine() or _runs(int(found["process"])):
                continue
            with contextlib.suppress(OSError):
                if entry.stat(follow_symlinks=False).st_uid != os.getuid():
                    continue
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                else:
                    os.unlink(entry.path)


@functools.cache
def _sweep_once(folder: Path) -> None:
    remove_leavings(folder)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # somebody else's
    return True


def _prefix() -> str:
    return f"brightspots-{_machine()}-{os.getpid()}-"


@functools.cache
def _machine() -> str:
    """Eight hexadecimal digits that stand for this machine and container, within which a process number is unique."""
    known = [platform.node()]
    with contextlib.suppress(OSError):
        known.append(Path("/etc/machine-id").read_text().strip())
    with contextlib.suppress(OSError):
        known.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("\n".join(known).encode("utf-8", "surrogateescape")).hexdigest()[:8]


def _place(waiting: list[tuple[Path, Path]]) -> None:
    """Move every file into place; where one cannot be moved, put back what stood there before."""
    moved: list[tuple[Path, Path | None]] = []
    try:
        for temporary, target in waiting:
            moved.append((target, _set_aside(target)))
            try:
                os.replace(temporary, target)
            except OSError as error:
                raise _named(error, target) from None
    except BaseException:
        for target, aside in reversed(moved):
            with contextlib.suppress(OSError):
                if aside is None:
                    target.unlink(missing_ok=True)
                else:
                    os.replace(aside, target)
        raise
    finally:
        for _, aside in moved:
            if aside is not None:
                aside.unlink(missing_ok=True)


def _named(error: OSError, path: AnyPath) -> OSError:
    """The same error naming `path`, the file that was to be written, in place of the temporary one."""
    return error if error.errno is None else OSError(error.errno, error.strerror, os.fspath(path))


def _set_aside(target: Path) -> Path | None:
    """Keep what will be replaced under a second name (a hard link, or else a copy); None where there is nothing."""
    if not target.exists():
        return None
    aside = target.with_name(f".{_prefix()}{secrets.token_hex(4)}{target.suffix}")
    try:
        os.link(target, aside)
    except OSError:
        shutil.copy2(target, aside)
    return aside


def _made(folder: Path) -> list[Path]:
    """Make a folder with its parents; return those that did not exist before, the innermost first."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _dress(temporary: Path, target: Path) -> None:
    """Give a temporary file the permissions and owner of the file it replaces, or those that any new file gets."""
    try:
        old = target.stat()
    except FileNotFoundError:
        temporary.chmod(0o666 & ~_umask())
        return
    mode = stat.S_IMODE(old.st_mode)
    new = temporary.stat()
    if hasattr(os, "chown") and (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
        try:
            os.chown(temporary, old.st_uid, old.st_gid)
        except OSError:
            try:
                os.chown(temporary, -1, old.st_gid)
            except OSError:
                # Another group must not get what was granted to that one: it gets what everybody has.
                mode = (mode & ~0o070) | (mode & 0o007) << 3
    temporary.chmod(mode)


def _check_text(path: AnyPath) -> None:
    if "\0" in os.fspath(path):
        raise SettingsError(f"the path {os.fspath(path)!r} holds a NUL character, which no file name can")


def _check_place(path: AnyPath) -> None:
    """Refuse to replace anything but an ordinary file, or a file that is protected.

    Errors of the system, such as a name that is too long, pass through.
    """
    _check_text(path)
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return
    if stat.S_ISDIR(found.st_mode):
        raise SettingsError(f"{os.fspath(path)!r} is a folder, and a file is to be written: write elsewhere")
    if not stat.S_ISREG(found.st_mode):
        raise SettingsError(
            f"{os.fspath(path)!r} is a device or a pipe, and would be replaced by a file: write to a file"
        )
    if not os.access(path, os.W_OK):
        raise SettingsError(f"{os.fspath(path)!r} is protected against writing: write elsewhere")


def _check_writable(folder: Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SettingsError(f"nothing may be written into the folder {str(folder)!r}: write elsewhere")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
