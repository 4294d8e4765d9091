"""Names of files from labels, such that every system accepts them and none takes two of them for the same."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Final

_LONGEST: Final = 120  # bytes, of the 255 that file systems allow, so that a folder and a suffix have room
# What Windows keeps for its devices, with any suffix, in any case: "Naming Files, Paths, and Namespaces",
# learn.microsoft.com/windows/win32/fileio/naming-a-file.
_RESERVED: Final = re.compile(r"(CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[0-9¹²³])", re.IGNORECASE)


def file_names(labels: Sequence[str]) -> list[str]:
    """Give each label a name without suffix: letters, digits, dots and dashes, at most 120 bytes of them.

    A label that is such a name already is returned as it is. In any other, what is not allowed becomes "_", and the
    first eight digits of the SHA-256 of the label are appended. They are appended too where some file system would
    take two names for the same (by case, or by how accents are coded).

    Parameters
    ----------
    labels : sequence of str
        All different.

    Examples
    --------
    >>> file_names(["R1F", "St Mary's", "con", "a", "A"])
    ['R1F', 'St_Mary_s-1c000e65', '_con-1143da2b', 'a-ca978112', 'A-559aead0']
    """
    plain = [_safe(label) for label in labels]
    for digits in (8, 16, 64):
        shared = _shared([_key(name) for name in plain])
        named = [
            name
            if name and name == label and _key(name) not in shared
            else f"{name}-{_digest(label)[:digits]}"
            for name, label in zip(plain, labels, strict=True)
        ]
        if not _shared([_key(name) for name in named]):
            break
    return named


def _safe(label: str) -> str:
    # A blank or a dot at the end is lost on Windows; a dot in front hides a file elsewhere.
    bare = "".join(letter if letter.isalnum() or letter in "-._" else "_" for letter in label).strip(".")
    short = bare.encode("utf-8", "ignore")[:_LONGEST].decode("utf-8", "ignore").rstrip(".")
    return f"_{short}" if _RESERVED.fullmatch(short.partition(".")[0]) else short


def _key(name: str) -> str:
    """Equal for two names that a file system may take for the same: without case, in one Unicode form."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def _shared(keys: Sequence[str]) -> set[str]:
    return {key for key, times in Counter(keys).items() if times > 1}


def _digest(label: str) -> str:
    return hashlib.sha256(label.encode("utf-8", "surrogatepass")).hexdigest()
