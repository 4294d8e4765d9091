"""The command that counts patient records: `standardise`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from brightspots.cli import terminal
from brightspots.cli.options import DisclosureOptions, OutputOptions, RecordOptions, TidyLabels, grouped
from brightspots.common.errors import SettingsError

if TYPE_CHECKING:
    import pandas as pd

    from brightspots.casemix import Standardised
    from brightspots.disclosure import Rules
    from brightspots.report.manifest import InputFile, Manifest

_BLOCK = 2**20


@dataclass(frozen=True)
class CountOptions:
    """How records are counted."""

    tidy_labels: TidyLabels = False
    bins: Annotated[
        list[str] | None,
        typer.Option(
            help="Cut points of a continuous column: age=40,60,75; or code=levels for numbers that are codes. "
            "May be repeated."
        ),
    ] = None
    missing: Annotated[
        Literal["level", "drop", "error"],
        typer.Option(help="Missing case mix: a level of its own, left out, or refused."),
    ] = "level"
    missing_outcome: Annotated[
        Literal["error", "drop"], typer.Option(help="Records without an outcome: refused, or left out.")
    ] = "error"
    min_events: Annotated[
        int | None,
        typer.Option(
            help="Events that a department needs for a model of its own [dim](by default ten a coefficient)[/]."
        ),
    ] = None

    @property
    def cuts(self) -> dict[str, list[float] | Literal["levels"]]:
        """Cut points by column."""
        return dict(_cut(text) for text in self.bins or ())


@terminal.guarded
@grouped
def standardise(
    records: Annotated[
        list[str], typer.Argument(help="Parquet or CSV files, one row a patient; a glob in quotes will do.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Table of cells to write: .csv or .parquet.")],
    of: RecordOptions,
    output: OutputOptions,
    disclosure: DisclosureOptions,
    how: CountOptions,
    calibration: Annotated[
        Path | None, typer.Option(help="Also draw the calibration: .png, .svg or .pdf.")
    ] = None,
) -> None:
    """Turn patient records into observed and expected events by trust and department, which 'fit' takes."""
    from brightspots.casemix import standardise as count
    from brightspots.casemix.records import files_of
    from brightspots.cli.drawing import save_figure
    from brightspots.common import files as exports

    rules = disclosure.rules
    beside = out.with_suffix(".json")
    targets = [path for path in (out, beside, calibration) if path is not None]
    _check_targets(out, calibration, targets, output, suppressed=rules is not None)
    files = files_of(records)
    exports.refuse_own_input(targets, files)
    cells = count(
        files, columns=of.columns, casemix=of.adjusted, tidy_labels=how.tidy_labels, bins=how.cuts,
        missing=how.missing, missing_outcome=how.missing_outcome, min_events=how.min_events,
    )  # fmt: skip
    table, card, said = _shown(cells, rules)
    manifest = _manifest(files, cells, of, how, disclosure)
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


def _check_targets(
    out: Path, calibration: Path | None, targets: Sequence[Path], output: OutputOptions, *, suppressed: bool
) -> None:
    """Check that all files can be written, before anything is counted."""
    from brightspots.cli.drawing import check_figure_path
    from brightspots.common import files as exports

    exports.check_table_path(out, exports.PROGRAM_SUFFIXES)
    if calibration is not None:
        check_figure_path(calibration)
        if suppressed:
            raise SettingsError(
                "--calibration draws exact counts by tenth of risk: draw it without --suppress-below and --round-to, "
                "for use inside"
            )
    exports.refuse_to_overwrite(targets, force=output.force)
    for path in targets:
        exports.check_folder(path)


def _shown(cells: Standardised, rules: Rules | None) -> tuple[pd.DataFrame, dict[str, Any], tuple[str, ...]]:
    """The table and the model card after disclosure control, and sentences on what was done."""
    from brightspots.casemix.publishable import publishable_card
    from brightspots.disclosure import suppress

    if rules is None:
        return cells.table, cells.card.as_dict(), ()
    table = suppress(
        cells.table, below=rules.below, round_to=rules.round_to, zeros=rules.zeros, totals=rules.totals
    )
    return table, publishable_card(cells.card), tuple(table.attrs["notes"])


def _manifest(
    files: Sequence[Path],
    cells: Standardised,
    of: RecordOptions,
    how: CountOptions,
    disclosure: DisclosureOptions,
) -> Manifest:
    """What the cells were made from and how; without digests of the files where their counts are suppressed."""
    from brightspots.report.manifest import make_manifest, without_digests

    arguments = {
        "outcome": of.outcome, "trust": of.trust, "department": of.department, "casemix": of.adjusted,
        "period": of.period, "bins": how.cuts, "missing": how.missing, "missing_outcome": how.missing_outcome,
        "min_events": how.min_events, "tidy_labels": how.tidy_labels, **asdict(disclosure),
    }  # fmt: skip
    counted = cells.card.records + int(cells.card.left_out["records"].sum())
    manifest = make_manifest(input_file=_input(files, counted), arguments=arguments)
    return manifest if disclosure.rules is None else without_digests(manifest)


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
    """Name, size and digest of the files (of several: of their bytes one after another), which are read in blocks."""
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
