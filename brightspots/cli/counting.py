"""The command that counts patient records: `standardise`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from brightspots.cli import terminal
from brightspots.cli.options import DisclosureOptions, OutputOptions, TidyLabels, grouped
from brightspots.common.errors import SettingsError

if TYPE_CHECKING:
    from brightspots.report.manifest import InputFile

_BLOCK = 2**20


@terminal.guarded
@grouped
def standardise(
    records: Annotated[
        list[str], typer.Argument(help="Parquet or CSV files, one row a patient; a glob in quotes will do.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Table of cells to write: .csv or .parquet.")],
    outcome: Annotated[str, typer.Option(help="Column of 0 and 1, or of true and false.")],
    casemix: Annotated[
        list[str],
        typer.Option(help="Columns to adjust for, separated by commas; may be repeated; '' for none."),
    ],
    output: OutputOptions,
    disclosure: DisclosureOptions,
    trust: Annotated[str, typer.Option(help="Column of trusts.")] = "trust",
    department: Annotated[str, typer.Option(help="Column of departments.")] = "department",
    period: Annotated[str | None, typer.Option(help="Column of periods.")] = None,
    tidy_labels: TidyLabels = False,
    bins: Annotated[
        list[str] | None,
        typer.Option(
            help="Cut points of a continuous column: age=40,60,75; or code=levels for numbers that are codes. "
            "May be repeated."
        ),
    ] = None,
    missing: Annotated[
        Literal["level", "drop", "error"],
        typer.Option(help="Missing case mix: a level of its own, left out, or refused."),
    ] = "level",
    missing_outcome: Annotated[
        Literal["error", "drop"], typer.Option(help="Records without an outcome: refused, or left out.")
    ] = "error",
    min_events: Annotated[
        int | None,
        typer.Option(
            help="Events that a department needs for a model of its own [dim](by default ten a coefficient)[/]."
        ),
    ] = None,
    calibration: Annotated[
        Path | None, typer.Option(help="Also draw the calibration: .png, .svg or .pdf.")
    ] = None,
) -> None:
    """Turn patient records into observed and expected events by trust and department, which 'fit' takes."""
    from brightspots.casemix import standardise as count
    from brightspots.casemix.publishable import publishable_card
    from brightspots.casemix.records import files_of
    from brightspots.cli.drawing import SUFFIXES, save_figure
    from brightspots.common import files as exports
    from brightspots.disclosure import suppress
    from brightspots.report.manifest import make_manifest, without_digests

    exports.check_table_path(out, exports.PROGRAM_SUFFIXES)
    if calibration is not None and calibration.suffix.lower() not in SUFFIXES:
        raise SettingsError(f"figures are written as {', '.join(SUFFIXES)}; received {str(calibration)!r}")
    rules = disclosure.rules
    if rules is not None and calibration is not None:
        raise SettingsError(
            "--calibration draws exact counts by tenth of risk: draw it without --suppress-below and --round-to, for "
            "use inside"
        )
    beside = out.with_suffix(".json")
    targets = [path for path in (out, beside, calibration) if path is not None]
    exports.refuse_to_overwrite(targets, force=output.force)
    for path in targets:
        exports.check_folder(path)
    files = files_of(records)
    exports.refuse_own_input(targets, files)
    adjusted = [column.strip() for group in casemix for column in group.split(",") if column.strip()]
    cuts = dict(_cut(text) for text in bins or ())
    cells = count(
        files, outcome=outcome, trust=trust, department=department, casemix=adjusted, period=period,
        tidy_labels=tidy_labels, bins=cuts,
        missing=missing, missing_outcome=missing_outcome, min_events=min_events,
    )  # fmt: skip
    if rules is None:
        table, card, said = cells.table, cells.card.as_dict(), tuple[str, ...]()
    else:
        table = suppress(
            cells.table, below=rules.below, round_to=rules.round_to, zeros=rules.zeros, totals=rules.totals
        )
        card, said = publishable_card(cells.card), tuple(table.attrs["notes"])
    arguments = {
        "outcome": outcome, "trust": trust, "department": department, "casemix": adjusted, "period": period,
        "bins": cuts, "missing": missing, "missing_outcome": missing_outcome, "min_events": min_events,
        "tidy_labels": tidy_labels, "suppress_below": disclosure.suppress_below, "round_to": disclosure.round_to,
        "withhold_zeros": disclosure.withhold_zeros,
    }  # fmt: skip
    counted = cells.card.records + int(cells.card.left_out["records"].sum())
    manifest = make_manifest(input_file=_input(files, counted), arguments=arguments)
    if rules is not None:
        manifest = without_digests(manifest)
    summary = {
        "cells": len(cells),
        "card": card,
        "disclosure": list(said),
        "files": {"table": str(out), "manifest": str(beside)}
        | ({} if calibration is None else {"calibration": str(calibration)}),
        "manifest": manifest.as_dict(),
    }
    with exports.together():
        exports.write_table(table, out)
        if calibration is not None:
            save_figure(cells.plot_calibration(), calibration, manifest)
        exports.write_json(beside, summary)
    if output.json:
        terminal.answer(summary)
        return
    if rules is None:
        typer.echo(repr(cells.card))
    for note in said:
        typer.echo(note)
    for path in targets:
        typer.echo(f"wrote {path}")


def _cut(text: str) -> tuple[str, list[float] | Literal["levels"]]:
    """Read ``age=40,60,75``."""
    column, _, points = text.partition("=")
    if points.strip() == "levels":
        return column.strip(), "levels"
    try:
        return column.strip(), [float(point) for point in points.split(",")]
    except ValueError:
        raise SettingsError(
            f"--bins takes a column and its cut points, such as age=40,60,75; received {text!r}"
        ) from None


def _input(files: Sequence[Path], rows: int) -> InputFile:
    """Name, size and digest of the files, of one after another where there are several; read in blocks."""
    from brightspots.report.manifest import InputFile

    digest = hashlib.sha256()
    size = 0
    for path in files:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                size += len(block)
    name = files[0].name if len(files) == 1 else f"{files[0].name} and {len(files) - 1} more"
    return InputFile(name, size, rows, digest.hexdigest())
