"""Output of commands that fit: JSON for scripts, a screen of text for people, and the exit status."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from brightspots.cli import terminal

if TYPE_CHECKING:
    from brightspots.fit.spots import Spots
    from brightspots.report.manifest import Manifest


def summarise(
    spots: Spots, manifest: Manifest, paths: dict[str, Path], decided: dict[str, Any]
) -> dict[str, Any]:
    """The content of `--json`: counts, certificate, partition, rule, files and provenance."""
    fitted = spots.fit
    cells = fitted.table.cells
    partition = fitted.variance_partition()
    return {
        "trusts": cells.n_trusts,
        "departments": cells.n_departments,
        "cells": cells.n_cells,
        "family": cells.family.name,
        "higher_is": fitted.higher_is,
        "certificate": asdict(fitted.certificate),
        "cautions": [asdict(caution) for caution in fitted.cautions],
        "seconds": fitted.certificate.seconds,
        "partition": {
            str(level): {name: float(value) for name, value in row.items()}
            for level, row in partition.to_dict(orient="index").items()
        },
        "p_department_exceeds_trust": partition.attrs["p_department_exceeds_trust"],
        "spots": {str(status): int(n) for status, n in spots.summary()["departments"].items()},
        "readings": {
            str(own): {str(peer): int(n) for peer, n in row.items()}
            for own, row in spots.readings().to_dict(orient="index").items()
        },
        "expected_false_flags": spots.expected_false_flags,
        **decided,
        **({"rating_note": spots.rating_note} if spots.rating_note else {}),
        "files": {name: str(path) for name, path in paths.items()},
        "manifest": manifest.as_dict(),
    }


def finish(spots: Spots, summary: dict[str, Any], *, json: bool) -> None:
    """Print the summary, and end with status 3 where the certificate does not hold."""
    from brightspots.fit import fit_text, spots_text

    fitted = spots.fit
    if json:
        terminal.answer(summary)
    else:
        cells = fitted.table.cells
        typer.echo(
            f"{cells.n_trusts:,} trusts, {cells.n_departments:,} departments, {cells.n_cells:,} cells\n"
        )
        typer.echo(fit_text.partition_text(fitted.variance_partition()))
        typer.echo("\n" + "\n".join([fit_text.certificate_line(fitted), *fit_text.cautions_lines(fitted)]))
        typer.echo(f"\n{spots_text.spots_line(spots)}\n")
        if spots.rating_note:
            how = " Say it with --strong-from." if spots.ratings is not None else ""
            typer.echo(f"{spots.rating_note}{how}\n")
        files = list(summary["files"].values())
        for path in files[:10]:
            typer.echo(f"wrote {path}")
        if len(files) > 10:
            typer.echo(f"… and {len(files) - 10:,} more")
    if not fitted.certificate.ok:
        terminal.complain(f"the fit did not earn its certificate: {fitted.certificate.message}")
        raise typer.Exit(terminal.NO_CERTIFICATE)
