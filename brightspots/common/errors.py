"""One tree of errors and warnings, so that a caller can catch exactly what it can handle."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any


class BrightspotsError(Exception):
    """Base class of every error that brightspots raises on purpose."""


class DataError(BrightspotsError, ValueError):
    """The data cannot be used as given.

    Parameters
    ----------
    problem : str
        What is wrong, in one clause.
    column : str or sequence of str, optional
        The column, or columns, at fault; kept as one text.
    rows : sequence, optional
        Index labels of the offending rows; the message shows the first few and says how many there are.
    expected : str, optional
        What the library expected to find.
    action : str, optional
        What the user can do about it.
    row_word : str, default "row"
        What one label of `rows` stands for: "row" of a table, "line" of a text file, "sheet row" of a workbook.
    """

    SHOWN_ROWS = 5

    def __init__(
        self,
        problem: str,
        *,
        column: str | Sequence[str] | None = None,
        rows: Sequence[object] = (),
        expected: str | None = None,
        action: str | None = None,
        row_word: str = "row",
    ) -> None:
        self.problem = problem
        several = column is not None and not isinstance(column, str) and len(column) > 1
        self.column = column if column is None or isinstance(column, str) else ", ".join(column)
        self.rows = tuple(rows)
        self.expected = expected
        self.action = action
        self.row_word = row_word
        named = f"columns {', '.join(map(repr, column))}" if several and column else f"column {self.column!r}"
        super().__init__(self._message(named))

    def _message(self, named: str) -> str:
        parts = [f"{named}: {self.problem}" if self.column else self.problem]
        if self.rows:
            shown = ", ".join(str(row) for row in self.rows[: self.SHOWN_ROWS])
            hidden = len(self.rows) - self.SHOWN_ROWS
            more = f" and {hidden:,} more" if hidden > 0 else ""
            parts.append(f"{self.row_word}{'s' if len(self.rows) > 1 else ''} {shown}{more}")
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.action:
            parts.append(self.action)
        return "; ".join(parts)


class SettingsError(BrightspotsError, ValueError):
    """An argument or option has a value that cannot be used."""


class MissingExtraError(BrightspotsError, ImportError):
    """An optional dependency is needed and not installed.

    Parameters
    ----------
    package : str
        The package that could not be imported.
    extra : str
        The extra of brightspots that brings it.
    purpose : str
        What it is needed for.
    """

    def __init__(self, package: str, *, extra: str, purpose: str) -> None:
        self._made_of = (package, extra, purpose)
        super().__init__(
            f"{purpose} needs {package}, which is not installed; run: pip install 'brightspots[{extra}]'"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        package, extra, purpose = self._made_of
        return partial(type(self), extra=extra, purpose=purpose), (package,)


class CertificateWarning(UserWarning):
    """A fit did not earn its certificate: its numbers should not be relied on yet."""


class DataWarning(UserWarning):
    """The data were usable, but something about them should be known."""
