"""The commands that write packs: `report`, and `demo`, on simulated data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from brightspots.cli import terminal
from brightspots.cli.deciding import decided_by, said_of_saved
from brightspots.cli.fitting import fit_table, manifest_of, published, single_fit
from brightspots.cli.options import (
    DisclosureOptions,
    ModelOptions,
    OutputOptions,
    RuleOptions,
    TableOptions,
    grouped,
)
from brightspots.cli.summary import finish, summarise
from brightspots.common.errors import DataError, SettingsError
from brightspots.common.file_names import file_names

if TYPE_CHECKING:
    from brightspots.fit.hierarchy_fit import HierarchyFit
    from brightspots.report.manifest import InputFile

# With --each-trust, a table of which trust is in which file, where names of files are not the labels of the trusts.
INDEX = "index.csv"
_DEMO_SEED = 1
_DEMO_TITLE = "Bright and dark spots inside hospitals: a simulated nation"


@dataclass(frozen=True)
class PackOptions:
    """Whom a pack is about, and in which words."""

    trust: Annotated[str | None, typer.Option(help="Write about one trust instead of the nation.")] = None
    each_trust: Annotated[
        bool, typer.Option("--each-trust", help="Write one pack a trust, into a folder.")
    ] = False
    format_: Annotated[
        Literal["html", "docx", "pptx"] | None,
        typer.Option("--format", help="Of the packs of --each-trust [dim](default html)[/]."),
    ] = None
    title: Annotated[str | None, typer.Option(help="Title of the pack.")] = None
    events: Annotated[str, typer.Option(help="What is counted, in the plural: deaths, readmissions, …")] = (
        "events"
    )
    unit: Annotated[
        str | None,
        typer.Option(
            help="What differences are measured in, with --estimate-scale difference: days, points, …"
        ),
    ] = None
    note: Annotated[
        list[str] | None,
        typer.Option(help="A sentence about the data that readers must know; may be repeated."),
    ] = None

    def check(self, out: Path) -> None:
        """Refuse options that do not go together, and a file that could not be written."""
        from brightspots.report.pack import check_suffix

        if self.each_trust and self.trust is not None:
            raise SettingsError("--trust and --each-trust ask for different things: give one of them")
        if self.format_ is not None and not self.each_trust:
            raise SettingsError("--format is for --each-trust; the suffix of -o says how one pack is written")
        check_suffix(Path(f"pack.{self.format_ or 'html'}") if self.each_trust else out)

    def files(self, out: Path, trusts: Sequence[str]) -> tuple[dict[str | None, Path], Path | None]:
        """File of each pack by trust (None: the nation), and the path of the index, where one is needed."""
        if not self.each_trust:
            return {self.trust: out}, None
        names = file_names(trusts)
        suffix = self.format_ or "html"
        wanted: dict[str | None, Path] = {
            label: out / f"{name}.{suffix}" for label, name in zip(trusts, names, strict=True)
        }
        return wanted, None if names == list(trusts) else out / INDEX


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
    pack: PackOptions,
) -> None:
    """Write the board pack, from a table (which is fitted first) or from a saved fit."""
    from brightspots.common import files as exports
    from brightspots.report.pack import compose, write_document
    from brightspots.report.subject import Subject

    pack.check(out)
    if pack.each_trust:
        exports.check_out_folder(out)
    else:
        exports.refuse_to_overwrite([out], force=output.force)
        exports.check_folder(out)
    if source.endswith(".nc"):
        loaded, read = _load(source, table, model)
        remembered = said_of_saved(source, loaded, rule)
    else:
        loaded, read = fit_table(source, table, model, rule, json=output.json)
        remembered = []
    fitted, spots, said = published(loaded, rule, disclosure)
    subject = Subject.of(fitted, spots, pack.events, unit=pack.unit)
    manifest = manifest_of(spots, read, table, model, rule, disclosure)
    wanted, index = pack.files(out, [str(label) for label in fitted.table.cells.trusts])
    if pack.each_trust:
        targets = [*wanted.values(), *([] if index is None else [index])]
        exports.refuse_to_overwrite(targets, force=output.force)
    notes = [*(pack.note or ()), *said]
    with exports.together(out if pack.each_trust else None):
        for label, path in terminal.progress(wanted.items(), "packs", json=output.json):
            one = compose(subject, trust=label, title=pack.title, notes=notes, manifest=manifest)
            write_document(one, path)
        if index is not None:
            _write_index(wanted, index)
    written = {"pack" if label is None else label: path for label, path in wanted.items()}
    for line in remembered:
        terminal.say(f"{line}\n", unless=output.json)
    summary = summarise(spots, manifest, written, decided_by(loaded, spots, rule))
    finish(spots, summary | ({} if index is None else {"index": str(index)}), json=output.json)


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
    fitted = single_fit(fit_hierarchy(nation, seed=_DEMO_SEED, progress=terminal.in_terminal(output.json)))
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
    finish(spots, summarise(spots, manifest, paths, decided), json=output.json)


def _load(path: str, table: TableOptions, model: ModelOptions) -> tuple[HierarchyFit, InputFile]:
    """Load a saved fit; options for fitting would have no effect, and are refused."""
    from brightspots.fit.load import load_fit
    from brightspots.report.manifest import InputFile, file_digest

    if table != TableOptions() or model != ModelOptions():
        raise SettingsError(f"{path} is fitted already: options of columns and model do not apply to it")
    if not Path(path).is_file():
        raise DataError(f"there is no file {path!r}")
    fitted = load_fit(path)
    content = Path(path).read_bytes()
    return fitted, InputFile(Path(path).name, len(content), len(fitted.table.row_cell), file_digest(content))


def _write_index(wanted: Mapping[str | None, Path], index: Path) -> None:
    import pandas as pd

    from brightspots.common import files as exports

    names = [path.name for path in wanted.values()]
    exports.write_table(pd.DataFrame({"trust": list(wanted), "file": names}), index)
