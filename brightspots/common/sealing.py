"""Seal saved fits: append the SHA-256 of a file's bytes to the file, and check it before HDF5 reads the file.

The HDF5 library opens many damaged files without an error, and hangs on some. So the digest is compared first, and
nothing else is read where it differs. HDF5 knows where its own data end and ignores what comes after them: to every
other program a sealed file is an ordinary HDF5 file.
"""

from __future__ import annotations

import hashlib
import os
import re
from typing import IO, Final

from brightspots.common.errors import DataError

_MARK: Final = b"\nbrightspots sha-256 "
_SEAL: Final = re.compile(_MARK + rb"([0-9a-f]{64})\n")
_SEAL_BYTES: Final = len(_MARK) + 64 + 1
_SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
# Where the superblock says at which byte the data end, by its version (HDF5 File Format Specification, II.A); offsets
# have 8 bytes in every file that we write.
_END_AT: Final = {0: 40, 1: 44, 2: 28, 3: 28}
_CHUNK: Final = 1024**2


def sealed(content: bytes) -> bytes:
    """The bytes of a whole HDF5 file with their digest behind them."""
    return content + _MARK + hashlib.sha256(content).hexdigest().encode() + b"\n"


def check_seal(path: str | os.PathLike[str]) -> bool:
    """True where a file is sealed and its digest is right; False for an HDF5 file without a seal.

    Raises
    ------
    DataError
        Where the file is empty, a folder, damaged or no HDF5 file.
    OSError
        Where it cannot be opened.
    """
    name = os.fspath(path)
    if os.path.isdir(path):
        raise DataError(f"{name} is a folder", expected="a fit saved by brightspots")
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size == 0:
            raise DataError(f"{name} is empty", action="fit again or restore it")
        file.seek(max(size - _SEAL_BYTES, 0))
        found = _SEAL.fullmatch(file.read())
        if found:
            if _digest(file, size - _SEAL_BYTES) != found[1].decode():
                raise damaged(path, "its bytes are not those that were written")
            return True
        file.seek(0)
        start = file.read(64)
    if not start.startswith(_SIGNATURE):
        raise not_ours(path)
    # A file shorter than its superblock says was cut off; a longer one had a seal, which is damaged.
    end_at = _END_AT.get(start[8], len(start)) if len(start) == 64 else len(start)
    if int.from_bytes(start[end_at : end_at + 8], "little") != size:
        raise damaged(path, "it does not end where it should")
    return False


def damaged(path: str | os.PathLike[str], why: str) -> DataError:
    """The error for a file that was damaged after it was written."""
    return DataError(f"{os.fspath(path)} is damaged: {why}", action="fit again or restore it")


def not_ours(path: str | os.PathLike[str]) -> DataError:
    """The error for a file that is not a saved fit."""
    return DataError(f"{os.fspath(path)} is not a fit saved by brightspots")


def _digest(file: IO[bytes], size: int) -> str:
    """SHA-256, in hexadecimal, of the first `size` bytes of a file."""
    file.seek(0)
    digest = hashlib.sha256()
    while size > 0 and (chunk := file.read(min(size, _CHUNK))):
        digest.update(chunk)
        size -= len(chunk)
    return digest.hexdigest()
