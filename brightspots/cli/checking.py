"""The command that looks at a table before it is fitted: `check`; and how the others apply remedies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from brightspots.cli import terminal
from brightspots.cli.files import read_frame
from brightspots.cli.options import OutputOptions, TableOptions, grouped
from brightspots.cli.wording import in_options

if TYPE_CHECKING:
    import pandas as pd

    from brightspots.report.manifest import InputFile
    from brightspots.tidying.report import TableReport
    from brightspots.tidying.roles import Roles


@terminal.guarded
@grouped
def check(
    source: Annotated[str, typer.Argument(metavar="TABLE", help="Table of outcomes: CSV, Parquet or Excel.")],
    table: TableOptions,
    output: OutputOptions,
    rating: Annotated[str | None, typer.Option(help="Column of ratings.")] = None,
    ratings_file: Annotated[str | None, typer.Option(help="Table of trust and rating.")] = None,
    rating_order: Annotated[
        str | None, typer.Option(help="Ratings in order, worst first, separated by commas.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Also write the table, after --remedy, as .csv or .parquet."),
    ] = None,
) -> None:
    """Say everything about a table at once: how it was read, what is wrong with it and what to do.

    Ends with status 2 where it cannot be fitted as it is, or with the remedies given.
    """
    from brightspots.common import files as exports
    from brightspots.common.errors import SettingsError
    from brightspots.tidying.check import as_read, check_table
    from brightspots.tidying.remedies import settle

    if rating is not None and ratings_file is not None:
        raise SettingsError("give --rating (a column) or --ratings-file (a table), not both")
    if out is not None:
        exports.check_table_path(out, exports.PROGRAM_SUFFIXES)
        exports.refuse_to_overwrite([out], force=output.force)
        exports.check_folder(out)
    order = None if rating_order is None else [part.strip() for part in rating_order.split(",")]
    beside = None if ratings_file is None else read_frame(ratings_file, ("trust", "department"))[0]
    roles = roles_of(table, rating)
    data: Any = source
    if table.remedies:
        data = settle(as_read(source, roles, table.sheet)[1], roles, table.remedies)
    report = check_table(
        data,
        columns=roles.columns,
        rating=rating if beside is None else beside,
        rating_order=order,
        sheet=table.sheet,
    )
    notes = list(data.attrs["notes"]) if table.remedies else []
    files = {}
    if out is not None:
        tidied = data if table.remedies else as_read(source, roles, table.sheet)[1]
        exports.write_table(tidied.reset_index(drop=True), out)
        files = {"table": str(out)}
    if output.json:
        terminal.answer(report.as_dict() | {"notes": notes, "files": files})
    else:
        for note in notes:
            typer.echo(note)
        typer.echo(_in_shell(report).text(shell=True))
        for path in files.values():
            typer.echo(f"wrote {path}")
    if not report.ok:
        raise typer.Exit(terminal.WRONG_INPUT)


def _in_shell(report: TableReport) -> TableReport:
    """The report with names of arguments replaced by the options of this command."""
    options = terminal.options_of(check)
    found = [replace(finding, text=in_options(finding.text, options)) for finding in report.findings]
    return replace(report, findings=tuple(found))


def roles_of(table: TableOptions, rating: str | None = None) -> Roles:
    """Which column is what, ratings too, from the options of a command."""
    from brightspots.common import vocabulary as names
    from brightspots.tidying.roles import Roles

    return Roles(table.columns, rating=names.RATING if rating is None else rating)


def read_tidied(path: str, table: TableOptions, rating: str | None = None) -> tuple[pd.DataFrame, InputFile]:
    """Read a table for a command, and apply the remedies that were asked for."""
    keys = [table.trust_column, table.department_column, *([table.period] if table.period else [])]
    frame, read = read_frame(path, keys, table.sheet)
    if table.remedy:
        from brightspots.tidying.remedies import settle

        frame = settle(frame, roles_of(table, rating), table.remedy)
    return frame, read
