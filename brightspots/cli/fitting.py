"""The commands that fit: `demo`, `fit`, `report`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from brightspots.cli import terminal
from brightspots.cli.checking import read_tidied, roles_of
from brightspots.cli.deciding import decided_by, said_of_saved
from brightspots.cli.files import read_frame
from brightspots.cli.options import (
    DisclosureOptions,
    ModelOptions,
    OutputOptions,
    RuleOptions,
    TableOptions,
    grouped,
)
from brightspots.common.errors import DataError, SettingsError
from brightspots.common.file_names import file_names

if TYPE_CHECKING:
    from brightspots.common.vocabulary import EstimateScale
    from brightspots.fit.hierarchy_fit import HierarchyFit
    from brightspots.fit.spots import Spots
    from brightspots.report.manifest import InputFile, Manifest

# Beside the packs of --each-trust whose names are not the labels of the trusts: which trust is in which file.
INDEX = "index.csv"
_DEMO_SEED = 1
_SCALES: dict[str | None, EstimateScale | None] = {
    None: None,
    "log-ratio": "log ratio",
    "difference": "difference",
}
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
    from brightspots.common import files as exports

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
    manifest = _manifest(spots, source, table, model, rule, disclosure)
    summary = summarise(spots, manifest, paths, decided_by(fitted, spots, rule))
    summary |= {"disclosure": list(notes)} if notes else {}

    reach: dict[str, Any] = {"margin": spots.rule.margin, "difference": spots.rule.difference}
    with exports.together(out):
        exports.write_table(fitted.departments(**reach), paths["departments"])
        exports.write_table(fitted.variance_partition(), paths["partition"], index=True)
        exports.write_table(fitted.trusts(**reach), paths["trusts"])
        exports.write_table(spots.table, paths["spots"])
        fitted.save(paths["fit"], spots)
        exports.write_json(paths["manifest"], summary)  # last: where it stands, the others are whole
    _finish(spots, summary, json=output.json)


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
    unit: Annotated[
        str | None,
        typer.Option(
            help="What differences are measured in, with --estimate-scale difference: days, points, …"
        ),
    ] = None,
    note: Annotated[
        list[str] | None,
        typer.Option(help="A sentence about the data that readers must know; may be repeated."),
    ] = None,
) -> None:
    """Write the board pack, from a table (which is fitted first) or from a saved fit."""
    from brightspots.common import files as exports
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
        remembered = said_of_saved(source, fitted, rule)
    else:
        fitted, read = _fit(source, table, model, rule, json=output.json)
        remembered = []
    loaded = fitted
    fitted, spots, said = _published(fitted, rule, disclosure)
    note = [*(note or ()), *said]
    subject = Subject.of(fitted, spots, events, unit=unit)
    manifest = _manifest(spots, read, table, model, rule, disclosure)
    wanted: dict[str | None, Path] = {trust: out}
    index = None
    if each_trust:
        labels = [str(label) for label in fitted.table.cells.trusts]
        names = file_names(labels)
        wanted = {
            label: out / f"{name}.{format_ or 'html'}" for label, name in zip(labels, names, strict=True)
        }
        index = None if names == labels else out / INDEX
        targets = [*wanted.values(), *([] if index is None else [index])]
        exports.refuse_to_overwrite(targets, force=output.force)
    with exports.together(out if each_trust else None):
        for label, path in terminal.progress(wanted.items(), "packs", json=output.json):
            write_document(compose(subject, trust=label, title=title, notes=note, manifest=manifest), path)
        if index is not None:
            _write_index(wanted, index)
    written = {"pack" if label is None else label: path for label, path in wanted.items()}
    for line in remembered:
        terminal.say(f"{line}\n", unless=output.json)
    summary = summarise(spots, manifest, written, decided_by(loaded, spots, rule))
    _finish(spots, summary | ({} if index is None else {"index": str(index)}), json=output.json)


@terminal.guarded
@grouped
def demo(
    output: OutputOptions,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder to write to.")] = Path("demo"),
) -> None:
    """Fit the bundled, simulated nation; print what it says and write a board pack and funnels."""
    from brightspots import load_sample
    from brightspots.cli.drawing import save_figure
    from brightspots.common import files as exports
    from brightspots.fit.fitting import fit_hierarchy
    from brightspots.report.gather import example_trust
    from brightspots.report.manifest import make_manifest
    from brightspots.report.pack import compose, write_document
    from brightspots.report.subject import Subject

    fixed = [out / "board.html", out / "funnel_nation.png"]
    exports.check_out_folder(out)
    exports.refuse_to_overwrite(fixed, force=output.force)
    nation = load_sample("nation")
    fitted = _single(fit_hierarchy(nation, seed=_DEMO_SEED, progress=terminal.in_terminal(output.json)))
    spots = fitted.find_spots()
    subject = Subject.of(fitted, spots, "deaths")
    trust = fitted.table.cells.trusts[example_trust(subject)]
    (name,) = file_names([str(trust)])
    paths = {
        "board": fixed[0],
        "board_of_one_trust": out / f"board_{name}.html",
        "funnel": fixed[1],
        "funnel_of_one_trust": out / f"funnel_{name}.png",
    }
    exports.refuse_to_overwrite(paths.values(), force=output.force)
    manifest = make_manifest(fitted, arguments={"sample": "nation"})
    notes: Sequence[str] = nation.attrs["notes"]

    one = compose(subject, trust=trust, notes=notes, manifest=manifest)
    with exports.together(out):
        write_document(compose(subject, title=_DEMO_TITLE, notes=notes, manifest=manifest), paths["board"])
        write_document(one, paths["board_of_one_trust"])
        save_figure(fitted.plot_funnel(), paths["funnel"], manifest)
        save_figure(fitted.plot_funnel(trust), paths["funnel_of_one_trust"], manifest)
    decided = decided_by(fitted, spots, RuleOptions())
    _finish(spots, summarise(spots, manifest, paths, decided), json=output.json)


def find_spots(fitted: HierarchyFit, rule: RuleOptions) -> Spots:
    """Apply the rule and the ratings that the options name; of what they leave open, what the fit remembers."""
    from brightspots.common.settings import SpotRule

    if rule.margin is not None and not fitted.table.cells.is_ratio:
        raise SettingsError(
            "--margin is of ratios, and the fit is of differences in the units of its estimates"
        )
    base = SpotRule() if fitted.decision is None else fitted.decision.rule
    order = None if rule.rating_order is None else [part.strip() for part in rule.rating_order.split(",")]
    rating: Any = rule.rating
    if rule.difference is None and base.difference is None and not fitted.table.cells.is_ratio:
        raise SettingsError(
            "the estimates are in units of their own, for which no margin can be assumed: say with --difference how "
            "large a difference matters"
        )
    if rule.ratings_file is not None:
        if rule.rating is not None:
            raise SettingsError("give --rating (a column) or --ratings-file (a table), not both")
        rating = _ratings(rule.ratings_file)
    return fitted.find_spots(
        replace(base, **rule.given()),
        rating,
        rating_order=order,
        strong_from=rule.strong_from,
        rating_uses_outcome=rule.rating_uses_outcome,
    )


def summarise(
    spots: Spots, manifest: Manifest, paths: dict[str, Path], decided: dict[str, Any]
) -> dict[str, Any]:
    """What happened, for people's scripts: counts, certificate, partition, rule, files and provenance."""
    fitted = spots.fit
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
        **decided,
        **({"rating_note": spots.rating_note} if spots.rating_note else {}),
        "files": {name: str(path) for name, path in paths.items()},
        "manifest": manifest.as_dict(),
    }


def _fit(
    path: str, table: TableOptions, model: ModelOptions, rule: RuleOptions, *, json: bool
) -> tuple[HierarchyFit, InputFile]:
    frame, read = read_tidied(path, table, rule.rating)
    if rule.rating is not None and rule.rating not in frame.columns:
        raise SettingsError(
            f"--rating {rule.rating}: the table has no such column; it has {', '.join(frame.columns)}"
        )
    from brightspots.fit.fitting import fit_hierarchy

    if table.period is not None and table.pool_periods:
        raise SettingsError("--period and --pool-periods ask for different things: give one of them")
    fitted = fit_hierarchy(
        frame,
        columns=roles_of(table).columns,
        estimate_scale=_SCALES[model.estimate_scale],
        tidy_labels=table.tidy_labels,
        covariates=model.covariates,
        family=model.family,
        higher_is=model.higher_is or "worse",
        method=model.method,
        draws=model.draws,
        seed=model.seed,
        progress=terminal.in_terminal(json),
    )
    return _single(fitted), read


def _load(path: str, table: TableOptions, model: ModelOptions) -> tuple[HierarchyFit, InputFile]:
    """A saved fit; options that say how to fit would change nothing, and are refused."""
    from brightspots.fit.load import load_fit
    from brightspots.report.manifest import InputFile, file_digest

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
    from brightspots.fit.hierarchy_fit import HierarchyFit

    assert isinstance(fitted, HierarchyFit)  # only outcome=… gives several, and no command asks for it
    return fitted


def _published(
    fitted: HierarchyFit, rule: RuleOptions, disclosure: DisclosureOptions
) -> tuple[HierarchyFit, Spots, tuple[str, ...]]:
    """The fit and spots that may be shown: where counts are suppressed, those of a fit to what is left of them."""
    spots = find_spots(fitted, rule)
    rules = disclosure.rules
    if rules is None:
        return fitted, spots, fitted.disclosed
    from brightspots.report.pack import publishable

    return publishable(fitted, spots, rules)


def _manifest(
    spots: Spots,
    read: InputFile,
    table: TableOptions,
    model: ModelOptions,
    rule: RuleOptions,
    disclosure: DisclosureOptions,
) -> Manifest:
    from brightspots.report.manifest import make_manifest, without_digests

    fitted = spots.fit
    arguments = asdict(table) | asdict(model) | asdict(rule) | asdict(spots.rule) | asdict(disclosure)
    arguments["higher_is"] = fitted.higher_is
    manifest = make_manifest(fitted, input_file=read, arguments=arguments)
    return manifest if disclosure.rules is None else without_digests(manifest, fitted)


def _finish(spots: Spots, summary: dict[str, Any], *, json: bool) -> None:
    """Say what happened, and end with status 3 where the certificate does not hold."""
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


def _write_index(wanted: Mapping[str | None, Path], index: Path) -> None:
    import pandas as pd

    from brightspots.common import files as exports

    names = [path.name for path in wanted.values()]
    exports.write_table(pd.DataFrame({"trust": list(wanted), "file": names}), index)
