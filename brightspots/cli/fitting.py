"""The commands that fit: `demo`, `fit`, `report`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from brightspots.cli import terminal
from brightspots.cli.files import read_frame
from brightspots.cli.options import (
    DisclosureOptions,
    ModelOptions,
    OutputOptions,
    RuleOptions,
    TableOptions,
    grouped,
)
from brightspots.errors import DataError, SettingsError

if TYPE_CHECKING:
    from brightspots.fits import HierarchyFit
    from brightspots.manifest import InputFile, Manifest
    from brightspots.spots import Spots

_DEMO_SEED = 1
_DEMO_TITLE = "Bright and dark spots inside hospitals: a simulated nation"


@terminal.guarded
@grouped
def fit(
    cells: Annotated[
        str, typer.Argument(help="Table of outcomes: CSV, Parquet or Excel; - reads CSV from standard input.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder to write to.")],
    table: TableOptions,
    model: ModelOptions,
    rule: RuleOptions,
    disclosure: DisclosureOptions,
    output: OutputOptions,
    format_: Annotated[
        Literal["csv", "xlsx", "parquet"], typer.Option("--format", help="Of departments and spots.")
    ] = "csv",
) -> None:
    """Fit a table of outcomes and write departments, partition, trusts, spots and the fit itself."""
    from brightspots import exports

    paths = {
        "departments": out / f"departments.{format_}",
        "partition": out / "partition.csv",
        "trusts": out / "trusts.csv",
        "spots": out / f"spots.{format_}",
        "fit": out / "fit.nc",
        "manifest": out / "fit.json",
    }
    exports.check_out_folder(out)
    exports.refuse_to_overwrite(paths.values(), force=output.force)
    fitted, source = _fit(cells, table, model, rule, json=output.json)
    fitted, spots, notes = _published(fitted, rule, disclosure)
    manifest = _manifest(fitted, source, table, model, rule, disclosure)
    summary = summarise(fitted, spots, manifest, paths) | ({"disclosure": list(notes)} if notes else {})

    out.mkdir(parents=True, exist_ok=True)
    exports.write_table(fitted.departments(margin=rule.margin), paths["departments"])
    exports.write_table(fitted.variance_partition(), paths["partition"], index=True)
    exports.write_table(fitted.trusts(margin=rule.margin), paths["trusts"])
    exports.write_table(spots.table, paths["spots"])
    with exports.atomic_path(paths["fit"]) as temporary:
        fitted.save(temporary)
    exports.write_json(paths["manifest"], summary)  # last: where it stands, the others are whole
    _finish(fitted, spots, summary, json=output.json)


@terminal.guarded
@grouped
def report(
    source: Annotated[
        str, typer.Argument(help="Table of outcomes, or a fit.nc that 'brightspots fit' wrote.")
    ],
    out: Annotated[
        Path,
        typer.Option("-o", "--out", help="File to write: .html, .docx or .pptx; with --each-trust a folder."),
    ],
    table: TableOptions,
    model: ModelOptions,
    rule: RuleOptions,
    disclosure: DisclosureOptions,
    output: OutputOptions,
    trust: Annotated[str | None, typer.Option(help="Write about one trust instead of the nation.")] = None,
    each_trust: Annotated[
        bool, typer.Option("--each-trust", help="Write one pack a trust, into a folder.")
    ] = False,
    format_: Annotated[
        Literal["html", "docx", "pptx"] | None,
        typer.Option("--format", help="Of the packs of --each-trust [dim](default html)[/]."),
    ] = None,
    title: Annotated[str | None, typer.Option(help="Title of the pack.")] = None,
    events: Annotated[
        str, typer.Option(help="What is counted, in the plural: deaths, readmissions, …")
    ] = "events",
    note: Annotated[
        list[str] | None,
        typer.Option(help="A sentence about the data that readers must know; may be repeated."),
    ] = None,
) -> None:
    """Write the board pack, from a table (which is fitted first) or from a saved fit."""
    from brightspots import exports
    from brightspots.report.pack import check_suffix, compose, write_document
    from brightspots.report.subject import Subject

    if each_trust and trust is not None:
        raise SettingsError("--trust and --each-trust ask for different things: give one of them")
    if format_ is not None and not each_trust:
        raise SettingsError("--format is for --each-trust; the suffix of -o says how one pack is written")
    check_suffix(Path(f"pack.{format_ or 'html'}") if each_trust else out)
    if each_trust:
        exports.check_out_folder(out)
    else:
        exports.refuse_to_overwrite([out], force=output.force)
        exports.check_folder(out)
    if source.endswith(".nc"):
        fitted, read = _load(source, table, model)
    else:
        fitted, read = _fit(source, table, model, rule, json=output.json)
    fitted, spots, said = _published(fitted, rule, disclosure)
    note = [*(note or ()), *said]
    subject = Subject.of(fitted, spots, events)
    manifest = _manifest(fitted, read, table, model, rule, disclosure)
    wanted: dict[str | None, Path] = {trust: out}
    if each_trust:
        labels = [str(label) for label in fitted.table.cells.trusts]
        wanted = {label: out / f"{_file_name(label)}.{format_ or 'html'}" for label in labels}
        # Some file systems do not tell capitals from small letters.
        if len({path.name.casefold() for path in wanted.values()}) < len(wanted):
            raise SettingsError(
                "two trusts would share a file name: write their packs one by one with --trust"
            )
        exports.refuse_to_overwrite(wanted.values(), force=output.force)
        out.mkdir(parents=True, exist_ok=True)
    for label, path in terminal.progress(wanted.items(), "packs", json=output.json):
        write_document(compose(subject, trust=label, title=title, notes=note or (), manifest=manifest), path)
    written = {"pack" if label is None else label: path for label, path in wanted.items()}
    _finish(fitted, spots, summarise(fitted, spots, manifest, written), json=output.json)


@terminal.guarded
@grouped
def demo(
    output: OutputOptions,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder to write to.")] = Path("demo"),
) -> None:
    """Fit the bundled, simulated nation; print what it says and write a board pack and funnels."""
    from brightspots import exports, load_sample
    from brightspots.cli.drawing import save_figure
    from brightspots.hierarchy import fit_hierarchy
    from brightspots.manifest import make_manifest
    from brightspots.report.pack import compose, write_document
    from brightspots.report.sections import example_trust
    from brightspots.report.subject import Subject

    fixed = [out / "board.html", out / "funnel_nation.png"]
    exports.check_out_folder(out)
    exports.refuse_to_overwrite(fixed, force=output.force)
    nation = load_sample("nation")
    fitted = _single(fit_hierarchy(nation, seed=_DEMO_SEED, progress=terminal.in_terminal(output.json)))
    spots = fitted.find_spots()
    subject = Subject.of(fitted, spots, "deaths")
    trust = fitted.table.cells.trusts[example_trust(subject)]
    paths = {
        "board": fixed[0],
        "board_of_one_trust": out / f"board_{trust}.html",
        "funnel": fixed[1],
        "funnel_of_one_trust": out / f"funnel_{trust}.png",
    }
    exports.refuse_to_overwrite(paths.values(), force=output.force)
    manifest = make_manifest(fitted, arguments={"sample": "nation"})
    notes: Sequence[str] = nation.attrs["notes"]

    out.mkdir(parents=True, exist_ok=True)
    write_document(compose(subject, title=_DEMO_TITLE, notes=notes, manifest=manifest), paths["board"])
    write_document(compose(subject, trust=trust, notes=notes, manifest=manifest), paths["board_of_one_trust"])
    save_figure(fitted.plot_funnel(), paths["funnel"], manifest)
    save_figure(fitted.plot_funnel(trust), paths["funnel_of_one_trust"], manifest)
    _finish(fitted, spots, summarise(fitted, spots, manifest, paths), json=output.json)


def find_spots(fitted: HierarchyFit, rule: RuleOptions) -> Spots:
    """Apply the rule and the ratings that the options name."""
    from brightspots.settings import SpotRule

    order = None if rule.rating_order is None else [part.strip() for part in rule.rating_order.split(",")]
    rating: Any = rule.rating
    if rule.ratings_file is not None:
        if rule.rating is not None:
            raise SettingsError("give --rating (a column) or --ratings-file (a table), not both")
        rating = _ratings(rule.ratings_file)
    return fitted.find_spots(
        SpotRule(margin=rule.margin, fdr=rule.fdr, reference=rule.reference),
        rating,
        rating_order=order,
        strong_from=rule.strong_from,
        rating_uses_outcome=rule.rating_uses_outcome,
    )


def summarise(
    fitted: HierarchyFit, spots: Spots, manifest: Manifest, paths: dict[str, Path]
) -> dict[str, Any]:
    """What happened, for people's scripts: counts, certificate, partition, files and provenance."""
    cells = fitted.table.cells
    partition = fitted.variance_partition()
    return {
        "trusts": cells.n_trusts,
        "departments": cells.n_departments,
        "cells": cells.n_cells,
        "family": cells.family,
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
        "expected_false_flags": spots.expected_false_flags,
        **({"rating_note": spots.rating_note} if spots.rating_note else {}),
        "files": {name: str(path) for name, path in paths.items()},
        "manifest": manifest.as_dict(),
    }


def _fit(
    path: str, table: TableOptions, model: ModelOptions, rule: RuleOptions, *, json: bool
) -> tuple[HierarchyFit, InputFile]:
    keys = (table.trust_column, table.department_column)
    frame, read = read_frame(path, keys, table.sheet)
    if rule.rating is not None and rule.rating not in frame.columns:
        raise SettingsError(
            f"--rating {rule.rating}: the table has no such column; it has {', '.join(frame.columns)}"
        )
    from brightspots.hierarchy import fit_hierarchy

    if table.period is not None and table.pool_periods:
        raise SettingsError("--period and --pool-periods ask for different things: give one of them")
    fitted = fit_hierarchy(
        frame,
        trust=table.trust_column,
        department=table.department_column,
        observed=table.observed,
        expected=table.expected,
        denominator=table.denominator,
        observed_lower=table.observed_lower,
        observed_upper=table.observed_upper,
        counted_from=table.counted_from,
        estimate=table.estimate,
        standard_error=table.standard_error,
        period=False if table.pool_periods else table.period,
        covariates=model.covariates,
        family=model.family,
        higher_is=model.higher_is,
        method=model.method,
        draws=model.draws,
        seed=model.seed,
        progress=terminal.in_terminal(json),
    )
    return _single(fitted), read


def _load(path: str, table: TableOptions, model: ModelOptions) -> tuple[HierarchyFit, InputFile]:
    """A saved fit; options that say how to fit would change nothing, and are refused."""
    from brightspots.manifest import InputFile, file_digest
    from brightspots.storage import load_fit

    if table != TableOptions() or model != ModelOptions():
        raise SettingsError(f"{path} is fitted already: options of columns and model do not apply to it")
    if not Path(path).is_file():
        raise DataError(f"there is no file {path!r}")
    fitted = load_fit(path)
    content = Path(path).read_bytes()
    return fitted, InputFile(Path(path).name, len(content), len(fitted.table.row_cell), file_digest(content))


def _ratings(path: str) -> Any:
    """A table of trust [, department] and rating; its first column, or the column `trust`, holds the trusts."""
    first = read_frame(path, ())[0].columns[0]
    return read_frame(path, ("trust", "department", str(first)))[0]


def _single(fitted: Any) -> HierarchyFit:
    from brightspots.fits import HierarchyFit

    assert isinstance(fitted, HierarchyFit)  # only outcome=… gives several, and no command asks for it
    return fitted


def _published(
    fitted: HierarchyFit, rule: RuleOptions, disclosure: DisclosureOptions
) -> tuple[HierarchyFit, Spots, tuple[str, ...]]:
    """The fit and spots that may be shown: where counts are suppressed, those of a fit to what is left of them."""
    spots = find_spots(fitted, rule)
    rules = disclosure.rules
    if rules is None:
        return fitted, spots, ()
    from brightspots.report.pack import publishable

    return publishable(fitted, spots, rules)


def _manifest(
    fitted: HierarchyFit,
    read: InputFile,
    table: TableOptions,
    model: ModelOptions,
    rule: RuleOptions,
    disclosure: DisclosureOptions,
) -> Manifest:
    from brightspots.manifest import make_manifest, without_digests

    arguments = asdict(table) | asdict(model) | asdict(rule) | asdict(disclosure)
    manifest = make_manifest(fitted, input_file=read, arguments=arguments)
    return manifest if disclosure.rules is None else without_digests(manifest, fitted)


def _finish(fitted: HierarchyFit, spots: Spots, summary: dict[str, Any], *, json: bool) -> None:
    """Say what happened, and end with status 3 where the certificate does not hold."""
    from brightspots import display

    if json:
        terminal.answer(summary)
    else:
        cells = fitted.table.cells
        typer.echo(
            f"{cells.n_trusts:,} trusts, {cells.n_departments:,} departments, {cells.n_cells:,} cells\n"
        )
        typer.echo(display.partition_text(fitted.variance_partition()))
        typer.echo("\n" + "\n".join([display.certificate_line(fitted), *display.cautions_lines(fitted)]))
        typer.echo(f"\n{display.spots_line(spots)}\n")
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


def _file_name(label: str) -> str:
    """A label as a file name: letters, digits, dots and dashes, at most 120 bytes of them.

    A label that is more than that keeps what it can and gets eight digits of its digest, so that it stays its own.
    """
    safe = "".join(letter if letter.isalnum() or letter in "-._" else "_" for letter in label).strip(".")
    short = safe.encode("utf-8", "ignore")[:120].decode("utf-8", "ignore")
    if short == label:
        return short
    return f"{short}-{hashlib.sha256(label.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
