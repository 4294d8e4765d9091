"""Open a published file: a path, a URL or an open file, packed or not; and decode its text."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import re
import urllib.request
import zipfile
import zlib
from collections.abc import Sequence
from typing import IO, Any, Final, Protocol

from brightspots.common.errors import DataError, MissingExtraError, SettingsError


class ReadableFile(Protocol):
    """An object with `read`: an open file, a member of an open zip."""

    def read(self) -> Any:
        """Return the rest of the file, as text or bytes."""


# A path (also inside a zip: archive.zip/member.csv), something like a URL, or an open file in text or binary mode.
PublishedFile = str | os.PathLike[str] | IO[str] | IO[bytes] | zipfile.Path | ReadableFile

# Most bytes that are unpacked. Publications are far smaller; an archive can be made to fill the memory.
_MOST_BYTES: Final = 2 * 1024**3
_SECONDS: Final = 60.0
_CHUNK: Final = 1024**2
# How many lines a note names one by one.
_MOST_NAMED: Final = 5

# First bytes of files that are not text, or not the text of a table, and what such files are.
_OTHER_FILES: Final = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook of the old kind (.xls)", "save the sheet as CSV UTF-8"),
    (b"%PDF", "a PDF document", "fetch the CSV file of the publication"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it and pass the CSV file"),
    (b"Rar!\x1a\x07", "a RAR archive", "unpack it and pass the CSV file"),
    (b"BZh", "a bzip2 archive", "unpack it and pass the CSV file"),
    (b"\xfd7zXZ\x00", "an xz archive", "unpack it and pass the CSV file"),
    (b"PAR1", "a Parquet file", "pass the CSV file of the publication"),
)  # fmt: skip
_WEB_PAGE: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|head|\?xml)", re.IGNORECASE)
_WORKBOOKS: Final = (("xl/", "an Excel workbook"), ("content.xml", "an OpenDocument spreadsheet"))

_DAMAGE: Final = (zipfile.BadZipFile, EOFError, OSError, zlib.error, NotImplementedError, RuntimeError)


def read_content(source: PublishedFile) -> bytes:
    """Read the bytes of a published file, unpacked where it is a gzip or a zip that holds one CSV file.

    Parameters
    ----------
    source : path, URL or open file
        Paths may go on into a zip (``archive.zip/member.csv``); ``~`` is the home folder. URLs: http, https, ftp and
        file, and with fsspec installed whatever it opens, as in pandas (``s3://…``, ``zip://member.csv::archive.zip``).
        An open file, a member of an open zip or a `zipfile.Path` is read from its present position and left open.

    Raises
    ------
    DataError
        Where an archive is damaged or does not hold exactly one CSV file, or text was opened in the wrong encoding.
    SettingsError
        Where `source` is none of these.
    MissingExtraError
        Where a URL needs fsspec.
    OSError
        Where there is no such file.
    """
    content = _read(source)
    if isinstance(content, str):
        try:
            return content.encode("utf-8")
        except UnicodeEncodeError as damage:
            raise DataError("the open file gives half characters", action=_IN_BINARY) from damage
    return unpack(content)


_IN_BINARY: Final = "open it in binary mode (mode 'rb'), and its encoding is told apart here"


def read_stored(source: str | os.PathLike[str]) -> bytes:
    """Read the bytes at a path (also of a member of a zip) or URL, as they are stored; see `read_content`."""
    if isinstance(source, str) and "://" in source:
        return _read_url(source)
    return _read_path(os.path.expanduser(os.fspath(source)))


def _read(source: PublishedFile) -> bytes | str:
    if isinstance(source, str | os.PathLike):
        return read_stored(source)
    if isinstance(source, zipfile.Path):
        return source.read_bytes()
    if not hasattr(source, "read"):
        raise SettingsError(f"a published file is a path, a URL or an open file; received {source!r}")
    return read_open(source)


def read_open(source: ReadableFile) -> bytes | str:
    """Read the rest of an open file.

    Raises
    ------
    DataError
        Where it was opened as text in the wrong encoding.
    SettingsError
        Where it is closed, or gives neither text nor bytes.
    """
    try:
        content = source.read()
    except UnicodeDecodeError as damage:
        raise DataError(
            f"the open file is not in the encoding {damage.encoding!r}", action=_IN_BINARY
        ) from damage
    except ValueError as closed:
        raise SettingsError(f"the open file cannot be read ({closed})") from closed
    if not isinstance(content, str | bytes | bytearray | memoryview):
        raise SettingsError(
            f"an open file gives text or bytes; received {type(content).__name__} from {source!r}"
        )
    return content if isinstance(content, str) else bytes(content)


def _read_path(path: str) -> bytes:
    """Read a file, or a member of a zip where the path goes on after the name of the zip."""
    archive, inside, member = path.partition(".zip/")
    if not inside:
        archive, inside, member = path.partition(".zip\\")
    if inside and not os.path.exists(path) and os.path.isfile(f"{archive}.zip"):
        with open(f"{archive}.zip", "rb") as file:
            return _members(file.read(), member)
    if "\0" in path:
        raise SettingsError(f"a path holds no NUL character; received {path!r}")
    with open(path, "rb") as file:
        return file.read()


def _read_url(url: str) -> bytes:
    if re.match(r"(?:https?|ftp|file)://", url, flags=re.IGNORECASE):
        try:
            with urllib.request.urlopen(url, timeout=_SECONDS) as reply:
                content: bytes = reply.read()
        except ValueError as malformed:
            raise SettingsError(f"cannot open {url!r} ({malformed})") from malformed
        return content
    try:
        import fsspec
    except ImportError as absent:
        raise MissingExtraError("fsspec", extra="remote", purpose=f"opening {url!r}") from absent
    try:
        with fsspec.open(url, "rb") as file:
            remote: bytes = file.read()
    except (ValueError, ImportError) as unknown:
        raise SettingsError(f"cannot open {url!r} ({unknown}); open it and pass the open file") from unknown
    return remote


def unpack(content: bytes) -> bytes:
    """Unpack a gzip, or a zip that holds one CSV file; return other text as it is, and refuse anything else.

    A workbook, which is a zip too, is refused without being parsed, since it could be hostile.
    """
    if content.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _members(content, None)
    if not content.startswith(b"\x1f\x8b"):
        _refuse_other_files(content)
        return content
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
            return _read_bounded(packed)
    except _DAMAGE as damage:
        raise DataError(f"the file cannot be unpacked ({damage})", action="fetch it again") from damage


def _refuse_other_files(content: bytes) -> None:
    for start, what, action in _OTHER_FILES:
        if content.startswith(start):
            raise DataError(f"this is {what}", expected="CSV", action=action)
    if _WEB_PAGE.match(content[:200]):
        raise DataError(
            "this is a web page or XML",
            expected="CSV",
            action="open the link in a browser: it may have moved, or lead to a page on which the file is",
        )


def _members(content: bytes, wanted: str | None) -> bytes:
    """Read one member of a zip: the one named `wanted`, or its only CSV file."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            held = [name for name in archive.namelist() if not name.endswith("/") and "__MACOSX" not in name]
            workbook = [
                what for start, what in _WORKBOOKS if any(name.lower().startswith(start) for name in held)
            ]
            if wanted is None and workbook:
                raise DataError(
                    f"this is {workbook[0]}", expected="CSV", action="save the sheet as CSV UTF-8"
                )
            chosen = [
                name for name in held if name == wanted or (wanted is None and name.lower().endswith(".csv"))
            ]
            if len(chosen) != 1:
                kind = "CSV files" if wanted is None else f"members named {wanted!r}"
                raise DataError(
                    f"the archive holds {len(chosen)} {kind}: {', '.join(held[:10])}",
                    expected="exactly one",
                    action="pass the one that is meant, as archive.zip/member.csv or unpacked",
                )
            with archive.open(chosen[0]) as member:
                return _read_bounded(member)
    except _DAMAGE as damage:
        raise DataError(f"the file cannot be unpacked ({damage})", action="fetch it again") from damage


def _read_bounded(packed: IO[bytes] | gzip.GzipFile) -> bytes:
    """Read an unpacked file, and refuse one of more than `_MOST_BYTES`."""
    parts, size = [], 0
    while part := packed.read(_CHUNK):
        size += len(part)
        if size > _MOST_BYTES:
            raise DataError(
                f"the archive holds more than {_MOST_BYTES / 1024**3:g} GiB",
                action="unpack it and look at it first",
            )
        parts.append(part)
    return b"".join(parts)


def decode(content: bytes, notes: list[str]) -> str:
    """Decode a file in UTF-8, UTF-16 or UTF-32, or else, with a note, in Windows-1252.

    A file in UTF-8 with a few lines in Windows-1252 (a footer pasted from elsewhere) is decoded line by line, so that
    one copyright sign in it does not change how the accents of all names are read.

    Raises
    ------
    DataError
        Where it is text in none of these.
    UnicodeDecodeError
        Where it begins with the mark of UTF-16 or UTF-32 and is cut in the middle of a character.
    """
    wide = _wide_encoding(content)
    if wide is not None:
        return content.decode(wide)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    lines = content.split(b"\n")
    strange = [number for number, line in enumerate(lines, start=1) if not _is_utf8(line)]
    read = set(range(1, len(lines) + 1))
    try:
        if any(not lines[number - 1].isascii() for number in read.difference(strange)):
            notes.append(
                f"{counted_lines(strange)} not valid UTF-8, as the others are, and read as Windows-1252: look at "
                "accents in names."
            )
            others = set(strange)
            text = "\n".join(
                line.decode("cp1252" if number in others else "utf-8")
                for number, line in enumerate(lines, start=1)
            )
            return text.removeprefix("\ufeff")
        text = content.decode("cp1252")
    except UnicodeDecodeError as damage:
        raise DataError(
            "the file is not text in UTF-8, UTF-16, UTF-32 or Windows-1252",
            action="check that it is a CSV file",
        ) from damage
    notes.append("The file is not valid UTF-8 and was read as Windows-1252: look at accents in names.")
    return text


def _wide_encoding(content: bytes) -> str | None:
    if content.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # A header begins with two ASCII characters; in UTF-16 without a mark one byte of each is zero.
    zeros = tuple(byte == 0 for byte in content[:4])
    if zeros == (False, True, False, True):
        return "utf-16-le"
    return "utf-16-be" if zeros == (True, False, True, False) else None


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def counted_lines(lines: Sequence[int]) -> str:
    """Name lines for a note, with the verb they need: ``Line 7 is``, ``Lines 7, 8 and 9 are``, ``412 lines are``."""
    if len(lines) > _MOST_NAMED:
        return f"{len(lines):,} lines (the first is {lines[0]:,}) are"
    if len(lines) == 1:
        return f"Line {lines[0]} is"
    return f"Lines {', '.join(map(str, lines[:-1]))} and {lines[-1]} are"
