"""`TableReport`, which `check_table()` returns: findings with rows and remedies, as text, HTML, table and JSON."""

from __future__ import annotations

import html
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import pandas as pd

from brightspots.common.wording import counted
from brightspots.data.columns import Columns
from brightspots.tidying.roles import Roles

Weight = Literal["error", "doubt", "note"]

_HEADINGS: Final[dict[Weight, str]] = {
    "error": "Must be settled before a fit",
    "doubt": "Probably wrong: look before you rely on a result",
    "note": "Good to know",
}
# How many rows a text names; `Finding.rows` has them all.
_SHOWN_ROWS: Final = 8


@dataclass(frozen=True)
class Finding:
    """One thing about a table.

    Parameters
    ----------
    code : str
        Which kind; does not change between releases. The page "A table as it arrived" lists all codes.
    weight : {"error", "doubt", "note"}
        "error": `fit_hierarchy` would refuse the table as it is. "doubt": it would fit it, and the result would
        probably mislead. "note": neither.
    text : str
        In whole sentences.
    column : str, optional
        Which column.
    rows : tuple, optional
        Lines of a text file, rows of a sheet, or index labels of a frame.
    row_word : {"line", "sheet row", "row"}, default "row"
        Which of these they are.
    remedy : str, optional
        The code of the remedy for `tidy`; None where there is none.
    in_python, in_shell : str, optional
        What to write, in Python and on the command line.
    """

    code: str
    weight: Weight
    text: str
    column: str | None = None
    rows: tuple[Any, ...] = ()
    row_word: str = "row"
    remedy: str | None = None
    in_python: str | None = None
    in_shell: str | None = None

    @property
    def where(self) -> str:
        """``column 'deaths', lines 4, 9 and 12``; empty where it is of the whole table."""
        parts = [] if self.column is None else [f"column {self.column!r}"]
        if self.rows:
            rows = list(dict.fromkeys(self.rows))  # months in columns come from one row
            shown = ", ".join(map(str, rows[:_SHOWN_ROWS]))
            hidden = len(rows) - _SHOWN_ROWS
            more = f" and {hidden:,} more" if hidden > 0 else ""
            parts.append(f"{self.row_word}{'s' if len(rows) > 1 else ''} {shown}{more}")
        return ", ".join(parts)


@dataclass(frozen=True, repr=False)
class TableReport:
    """The findings on a table as it was given.

    Made by `check_table`. Prints as text, shows as HTML in notebooks; `.table` is a frame and `.as_dict()` plain data.

    Attributes
    ----------
    name : str
        Of the file, or "the data".
    rows : int
        As read, before any remedy.
    roles : Roles
        Which column is what, as it was given.
    findings : tuple of Finding
        Errors first, then doubts, then notes.
    sheet : str or None
        Of the workbook that was asked for.
    """

    name: str
    rows: int
    roles: Roles
    findings: tuple[Finding, ...] = ()
    sheet: str | None = None

    @property
    def columns(self) -> Columns:
        """Which column is what: for ``fit_hierarchy(table, columns=report.columns)``."""
        return self.roles.columns

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the findings, each once."""
        return tuple(dict.fromkeys(finding.code for finding in self.findings))

    @property
    def ok(self) -> bool:
        """Whether `fit_hierarchy` takes the table as it is."""
        return not any(finding.weight == "error" for finding in self.findings)

    @property
    def remedies(self) -> tuple[str, ...]:
        """Codes of the remedies that `tidy` offers for this table, without those that need a value from you."""
        offered = (finding.remedy for finding in self.findings if finding.remedy is not None)
        return tuple(dict.fromkeys(remedy for remedy in offered if not remedy.endswith("=…")))

    @property
    def table(self) -> pd.DataFrame:
        """One row a finding: `code, weight, column, rows, text, remedy, in_python, in_shell`."""
        names = ["code", "weight", "column", "rows", "text", "remedy", "in_python", "in_shell"]
        rows = [{name: getattr(finding, name) for name in names} for finding in self.findings]
        return pd.DataFrame(rows, columns=names)

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts, text and numbers."""
        return {
            "name": self.name,
            "rows": self.rows,
            "ok": self.ok,
            "codes": list(self.codes),
            "remedies": list(self.remedies),
            "findings": [asdict(finding) for finding in self.findings],
        }

    def of_weight(self, weight: Weight) -> tuple[Finding, ...]:
        """The errors, the doubts or the notes."""
        return tuple(finding for finding in self.findings if finding.weight == weight)

    def __repr__(self) -> str:
        return self.text(shell=False)

    def text(self, *, shell: bool) -> str:
        """The report as text, with remedies for the command line (`shell`) or for Python."""
        lines = [f"{self.name}: {self._verdict()}"]
        for weight, heading in _HEADINGS.items():
            found = self.of_weight(weight)
            if found:
                lines += ["", heading]
            for finding in found:
                where = f" ({finding.where})" if finding.where else ""
                lines.append(f"- {finding.code}{where}: {finding.text}")
                remedy = finding.in_shell if shell else finding.in_python
                if remedy:
                    lines.append(f"    {remedy}")
        return "\n".join(lines)

    def _verdict(self) -> str:
        size = counted(self.rows, "row")
        if not self.findings:
            return f"{size}, nothing to report"
        kinds = (("error", "errors"), ("doubt", "doubts"), ("note", "notes"))
        said = [
            f"{len(found):,} {one if len(found) == 1 else many}"
            for one, many in kinds
            if (found := self.of_weight(one))  # type: ignore[arg-type]
        ]
        return f"{size}, {', '.join(said)}"

    def _repr_html_(self) -> str:
        parts = [f"<p><b>{html.escape(self.name)}</b>: {html.escape(self._verdict())}</p>"]
        for weight, heading in _HEADINGS.items():
            found = self.of_weight(weight)
            if not found:
                continue
            items = "".join(
                f"<li><b>{html.escape(finding.code)}</b> {html.escape(finding.where)}<br>{html.escape(finding.text)}"
                + (f"<br><code>{html.escape(finding.in_python)}</code>" if finding.in_python else "")
                + "</li>"
                for finding in found
            )
            parts.append(f"<p>{html.escape(heading)}</p><ul>{items}</ul>")
        return f"<div class='brightspots'>{''.join(parts)}</div>"
