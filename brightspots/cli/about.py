"""The commands `readers` and `version`."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated, Any

import typer

from brightspots.cli import terminal
from brightspots.cli.options import OutputOptions, grouped
from brightspots.common.errors import SettingsError


@terminal.guarded
@grouped
def readers(
    output: OutputOptions,
    name: Annotated[str | None, typer.Argument(help="Reader, as listed without arguments.")] = None,
    path: Annotated[
        str | None, typer.Argument(help="Published file: a path, archive.zip/member.csv or a URL.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Table to write: .csv, .xlsx or .parquet.")
    ] = None,
) -> None:
    """List the readers of published files, or turn such a file into a table that 'fit' takes."""
    known = _readers()
    if name is None:
        if output.json:
            terminal.answer({"readers": {key: _summary(reader) for key, reader in known.items()}})
            return
        width = max(map(len, known))
        for key, reader in known.items():
            typer.echo(f"{key:<{width}}  {_summary(reader)}")
        return
    if name not in known:
        raise SettingsError(f"there is no reader {name!r}; there are {', '.join(known)}")
    if path is None or out is None:
        raise SettingsError(
            f"brightspots readers {name} needs a file to read and a table to write: FILE -o cells.csv"
        )
    from brightspots.common import files as exports
    from brightspots.readers.opening import read_stored
    from brightspots.report.manifest import InputFile, file_digest, make_manifest

    exports.check_table_path(out)
    beside = out.with_suffix(".json")
    exports.refuse_to_overwrite([out, beside], force=output.force)
    exports.check_folder(out)
    exports.refuse_own_input([out, beside], [Path(path)])
    content = read_stored(path)  # read once, so that the digest is that of the bytes that are used
    frame = known[name](io.BytesIO(content))
    manifest = make_manifest(
        input_file=InputFile(Path(path).name, len(content), len(frame), file_digest(content)),
        arguments={"reader": name},
    )
    notes = list(frame.attrs.get("notes", ()))
    summary = {
        "rows": len(frame),
        "notes": notes,
        "files": {"table": str(out), "manifest": str(beside)},
        "manifest": manifest.as_dict(),
    }
    with exports.together():
        exports.write_table(frame, out)
        exports.write_json(beside, summary)
    if output.json:
        terminal.answer(summary)
        return
    for note in notes:
        typer.echo(note)
    typer.echo(f"wrote {out} ({len(frame):,} rows) and {beside}")


@terminal.guarded
@grouped
def version(output: OutputOptions) -> None:
    """Print the versions that results depend on."""
    from brightspots.common.versions import versions

    found = versions(sampled=True)
    if output.json:
        terminal.answer(found)
        return
    for package, number in found.items():
        typer.echo(f"{package} {number}")


def _readers() -> dict[str, Any]:
    """Readers by their name on the command line: `read_ny_iqi` is ``ny-iqi``."""
    from brightspots import readers

    return {name.removeprefix("read_").replace("_", "-"): getattr(readers, name) for name in readers.__all__}


def _summary(reader: Any) -> str:
    return (reader.__doc__ or "").strip().splitlines()[0]
