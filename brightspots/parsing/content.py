"""Read the bytes of a file, unpack them, and find what kind of file they are, from the bytes and not the name."""

from __future__ import annotations

import os
import sys
import zipfile
from io import BytesIO
from pathlib import Path
from typing import IO, Final, Literal

from brightspots.common.errors import DataError, SettingsError
from brightspots.readers.opening import read_open, unpack

STANDARD_INPUT: Final = "-"

Kind = Literal["text", "parquet", "workbook"]

_TEXT: Final = (".csv", ".tsv", ".txt", ".tab", ".dat")
_PARQUET: Final = (".parquet", ".pq")
_WORKBOOK: Final = (".xlsx", ".xlsm")
_READ: Final = ".csv, .tsv, .txt (also packed as .gz or .zip), .parquet, .xlsx or .xlsm"

_OLD_OFFICE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# Name, in the directory of an OLE file, of the stream that holds an encrypted Office document.
_ENCRYPTED: Final = "EncryptedPackage".encode("utf-16-le")


def read_bytes(path: str | os.PathLike[str] | IO[bytes] | IO[str]) -> tuple[bytes, str]:
    """Read a whole file; return its bytes and its name for messages.

    Raises
    ------
    DataError
        Where there is no such file, or it cannot be read.
    """
    if not isinstance(path, str | os.PathLike):
        if not hasattr(path, "read"):
            raise SettingsError(f"a table is read from a path or an open file; received {path!r}")
        content = read_open(path)
        name = getattr(path, "name", None)
        shown = Path(name).name if isinstance(name, str) else "the open file"
        return content.encode("utf-8") if isinstance(content, str) else content, shown
    place = os.path.expanduser(os.fspath(path))
    if place == STANDARD_INPUT:
        return sys.stdin.buffer.read(), "standard input"
    if "\0" in place:
        raise SettingsError(f"a path holds no NUL character; received {place!r}")
    if Path(place).is_dir():
        raise DataError(f"{str(path)!r} is a folder", expected="a file")
    if not Path(place).is_file():
        raise DataError(f"there is no file {str(path)!r}")
    try:
        return Path(place).read_bytes(), Path(place).name
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be read ({error.strerror})") from error


def unpacked(content: bytes, name: str) -> tuple[bytes, Kind]:
    """Unpack a gzip or zip; return the content and its kind.

    Raises
    ------
    DataError
        Where the file is of a kind that is not read; it says what to do.
    """
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    packed = bool(suffixes) and suffixes[-1] in (".gz", ".zip")
    suffix = (suffixes[-2] if packed and len(suffixes) > 1 else "") if packed else "".join(suffixes[-1:])
    if suffixes and suffixes[-1] == ".gz" and not content.startswith(b"\x1f\x8b"):
        raise DataError("cannot be read: it is no gzip", action="fetch it again")
    if content.startswith(b"\x1f\x8b"):
        content = unpack(content)
    _refuse_other_kinds(content)
    if content.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        members = _members(content)
        if "xl/workbook.xml" in members or suffix in _WORKBOOK:
            return content, "workbook"
        if "content.xml" in members:
            raise DataError(
                "is an OpenDocument sheet, which is not read", action="save it as .xlsx or as CSV"
            )
        if "word/document.xml" in members or "ppt/presentation.xml" in members:
            raise DataError("files of this kind are not read: it is no sheet", expected=_READ)
        content = unpack(content)
        _refuse_other_kinds(content)
        return content, "parquet" if content.startswith(b"PAR1") else "text"
    if suffix in _WORKBOOK:
        return content, "workbook"
    if suffix in _PARQUET or content.startswith(b"PAR1"):
        return content, "parquet"
    if suffix in _TEXT or not suffix or packed or name in ("standard input", "the open file"):
        return content, "text"
    raise DataError("files of this kind are not read", expected=_READ)


def _members(content: bytes) -> list[str]:
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as damage:
        raise DataError(f"cannot be read: it is damaged ({damage})", action="fetch it again") from damage


def _refuse_other_kinds(content: bytes) -> None:
    """Raise `DataError` for known kinds of file that are not read, naming the kind."""
    if content.startswith(_OLD_OFFICE):
        if _ENCRYPTED in content:
            raise DataError("is protected by a password", action="open it, and save it without the password")
        raise DataError("is a sheet of Excel 97 to 2003, which is not read", action="save it as .xlsx")
    if content.startswith(b"%PDF"):
        raise DataError("is a PDF", expected=_READ, action="ask for the table itself")
    start = content[:1000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html", b"<table", b"<head", b"<meta")):
        raise DataError(
            "is a web page, whatever its name says",
            action="open it in Excel and save it as .xlsx, or fetch the file",
        )
    if start.startswith(b"<?xml"):
        raise DataError("is XML, whatever its name says", action="open it in Excel and save it as .xlsx")
    if start.startswith((b"{", b"[{")) and b'":' in content[:2000]:
        raise DataError("is JSON", expected=_READ, action="read it with pandas and pass the frame")
