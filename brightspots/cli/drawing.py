"""The command that draws: `funnel`."""

from __future__ import annotations

import io
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from brightspots.cli import terminal
from brightspots.cli.checking import read_tidied
from brightspots.cli.options import DisclosureOptions, OutputOptions, UnitOptions, grouped
from brightspots.common.errors import DataError, SettingsError
from brightspots.common.vocabulary import DENOMINATOR, EXPECTED, OBSERVED, OBSERVED_LOWER, OBSERVED_UPPER

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from brightspots.data.columns import Columns
    from brightspots.disclosure import Rules
    from brightspots.limits.funnel import FunnelLimits
    from brightspots.report.manifest import InputFile, Manifest

SUFFIXES = (".png", ".svg", ".pdf")
_DOTS_PER_INCH = 200
_BOUNDS = (OBSERVED_LOWER, OBSERVED_UPPER)


@dataclass(frozen=True)
class FigureOptions:
    """Whom a funnel is of, and what it names."""

    higher_is: Annotated[
        Literal["worse", "better"], typer.Option(help="Whether more events are bad news.")
    ] = "worse"
    highlight: Annotated[list[str] | None, typer.Option(help="A trust to name; may be repeated.")] = None
    trust: Annotated[str | None, typer.Option(help="With a fit.nc: draw the departments of one trust.")] = (
        None
    )
    title: Annotated[str | None, typer.Option(help="Title of the figure.")] = None


@dataclass(frozen=True)
class LimitOptions:
    """Which limits a funnel has."""

    method: Annotated[
        Literal["poisson", "spiegelhalter", "shmi", "cqc", "proportion", "phs"],
        typer.Option(help="How the limits are computed."),
    ] = "shmi"
    levels: Annotated[str, typer.Option(help="Coverage of the limits, separated by commas.")] = "0.95,0.998"

    @property
    def coverage(self) -> tuple[float, ...]:
        """The levels as numbers."""
        try:
            return tuple(float(part) for part in self.levels.split(","))
        except ValueError:
            raise SettingsError(
                f"--levels takes numbers separated by commas, such as 0.95,0.998; received {self.levels!r}"
            ) from None


@terminal.guarded
@grouped
def funnel(
    table: Annotated[str, typer.Argument(help="One row a trust: CSV, Parquet or Excel; or a fit.nc.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Figure to write: .png, .svg or .pdf.")],
    disclosure: DisclosureOptions,
    output: OutputOptions,
    limit: LimitOptions,
    units: UnitOptions,
    figure: FigureOptions,
    limits_table: Annotated[
        Path | None, typer.Option("--table", help="Also write the limits of every trust (.csv or .parquet).")
    ] = None,
    sheet: Annotated[str | None, typer.Option(help="Sheet of an Excel file.")] = None,
    remedy: Annotated[
        list[str] | None, typer.Option(help="Settle what 'brightspots check' found; may be repeated.")
    ] = None,
) -> None:
    """Draw a funnel plot with the limits of a published method, or of a saved fit."""
    from brightspots.common import files as exports

    check_figure_path(out)
    if limits_table is not None:
        exports.check_table_path(limits_table, exports.PROGRAM_SUFFIXES)
    beside = None if limits_table is None else limits_table.with_suffix(".json")
    written = [path for path in (out, limits_table, beside) if path is not None]
    exports.refuse_to_overwrite(written, force=output.force)
    for path in written:
        exports.check_folder(path)
    arguments = {"method": limit.method, "levels": list(limit.coverage), "trust": figure.trust}
    arguments |= asdict(disclosure)
    if table.endswith(".nc"):
        if limits_table is not None:
            raise SettingsError("--table writes the limits of a table of trusts, not of a fit")
        _refuse_ignored(table, limit, units, figure, sheet)
        _draw_fit(table, out, limit, figure, disclosure, output, arguments)
        return
    if figure.trust is not None:
        raise SettingsError(
            "--trust draws the departments of one trust from a fit.nc; to name a trust use --highlight"
        )
    exports.refuse_own_input(written, [Path(table)])
    options = replace(units.table, sheet=sheet, remedy=remedy)
    frame, read = read_tidied(table, options)
    frame = _units(frame, options.columns, sum_rows=units.sum_rows, tidy=units.tidy_labels)
    if disclosure.rules is not None:
        frame = _suppressed(frame, options.columns, disclosure.rules)
    limits = _limits(frame, options.columns, limit)
    _draw_limits(
        limits, frame, options.columns, figure, output, read, arguments, out, limits_table,
        suppressed=disclosure.rules is not None,
    )  # fmt: skip


def check_figure_path(path: Path) -> None:
    """Raise `SettingsError` where no figure is written in the format that the suffix names."""
    if path.suffix.lower() not in SUFFIXES:
        raise SettingsError(f"figures are written as {', '.join(SUFFIXES)}; received {str(path)!r}")


def _refuse_ignored(
    path: str, limit: LimitOptions, units: UnitOptions, figure: FigureOptions, sheet: str | None
) -> None:
    """Refuse options for tables where a saved fit is drawn, since they would have no effect."""
    of_tables = {
        "--method": limit.method != "shmi", **dict.fromkeys(units.given, True),
        "--higher-is": figure.higher_is != "worse", "--title": figure.title, "--sheet": sheet,
    }  # fmt: skip
    ignored = [name for name, is_given in of_tables.items() if is_given]
    if ignored:
        raise SettingsError(f"{path} is fitted already: {', '.join(ignored)} would change nothing")


def save_figure(axes: Axes, path: Path, manifest: Manifest) -> None:
    """Write a figure whole or not at all, with its alternative text and its manifest inside."""
    import matplotlib.pyplot as plt

    from brightspots.common.files import write_bytes
    from brightspots.figures.describe import describe

    figure = axes.figure
    keys = {
        ".png": ("Description", "Comment"),
        ".svg": ("Description", "Source"),
        ".pdf": ("Subject", "Keywords"),
    }
    description, comment = keys[path.suffix.lower()]
    metadata = {description: describe(axes), comment: manifest.as_json()}
    # A fixed salt gives the elements of an SVG the same ids each time. Font type 42 keeps the text of a PDF searchable.
    drawn: Any = {"svg.hashsalt": "brightspots", "pdf.fonttype": 42}
    held, kind = io.BytesIO(), path.suffix[1:].lower()
    with plt.rc_context(drawn):
        figure.savefig(held, format=kind, dpi=_DOTS_PER_INCH, metadata=metadata)  # type: ignore[union-attr]
    plt.close(figure)  # type: ignore[arg-type]
    write_bytes(path, held.getvalue())


def _draw_limits(
    limits: FunnelLimits,
    frame: pd.DataFrame,
    columns: Columns,
    figure: FigureOptions,
    output: OutputOptions,
    read: InputFile,
    arguments: dict[str, Any],
    out: Path,
    limits_table: Path | None,
    *,
    suppressed: bool,
) -> None:
    """The funnel of a table, and where that was asked for the limits of its units."""
    from brightspots.common import files as exports
    from brightspots.figures.funnel import plot_funnel
    from brightspots.report.manifest import make_manifest, without_digests

    manifest = make_manifest(input_file=read, arguments=arguments, limits=limits)
    if suppressed:
        manifest = without_digests(manifest)
    frame = frame.loc[limits.table.index]  # without units of 0 of 0
    labels = [str(label) for label in frame[columns.trust]]
    axes = plot_funnel(limits, labels, figure.highlight, title=figure.title, higher_is=figure.higher_is)
    files = {"figure": str(out)}
    if limits_table is not None:
        files |= {"table": str(limits_table), "manifest": str(limits_table.with_suffix(".json"))}
    zones = {str(zone): int(n) for zone, n in limits.table["zone"].value_counts().items()}
    summary = {
        "trusts": len(frame),
        "zones": zones,
        "phi": limits.phi,
        "tau2": limits.tau2,
        "cautions": [asdict(caution) for caution in limits.cautions],
        "files": files,
        "manifest": manifest.as_dict(),
    }
    with exports.together():
        save_figure(axes, out, manifest)
        if limits_table is not None:
            named = limits.table.assign(**{columns.trust: labels}).set_index(columns.trust)
            exports.write_table(named, limits_table, index=True)
            exports.write_json(limits_table.with_suffix(".json"), summary)
    _finish(repr(limits), summary, output)


def _draw_fit(
    path: str, out: Path, limit: LimitOptions, figure: FigureOptions, disclosure: DisclosureOptions,
    output: OutputOptions, arguments: dict[str, Any],
) -> None:  # fmt: skip
    """The hierarchical funnel of a saved fit."""
    from brightspots.fit.fit_text import cautions_lines
    from brightspots.fit.load import load_fit
    from brightspots.report.manifest import make_manifest

    if not Path(path).is_file():
        raise DataError(f"there is no file {path!r}")
    fitted = load_fit(path)
    if disclosure.rules is not None:
        from brightspots.fit.publishable import suppressed_fit

        fitted = suppressed_fit(fitted, disclosure.rules)[0]
    manifest = make_manifest(fitted, arguments=arguments)
    axes = fitted.plot_funnel(figure.trust, levels=limit.coverage, highlight=figure.highlight)
    save_figure(axes, out, manifest)
    said = f"limits of the fit, {fitted.table.cells.n_trusts:,} trusts"
    said = "".join([said, *(f"\n{line}" for line in cautions_lines(fitted))])
    _finish(said, {"files": {"figure": str(out)}, "manifest": manifest.as_dict()}, output)


def _size_of(columns: Columns) -> str:
    """The part of `Columns` that is the size of a unit: "expected" or "denominator"."""
    return EXPECTED if columns.denominator is None else DENOMINATOR


def _units(frame: pd.DataFrame, columns: Columns, *, sum_rows: bool, tidy: bool) -> pd.DataFrame:
    """One row a trust; rows of the same trust are added up only where that was asked for."""
    from brightspots.data.resolving import missing_columns
    from brightspots.disclosure.intake import with_one_spelling

    parts = {part: columns.name_of(part) for part in ("trust", "observed", _size_of(columns))}
    if parts["observed"] not in frame and set(_BOUNDS) <= set(frame.columns):
        del parts["observed"]  # counts are given by bounds alone
    missing = [(part, column) for part, column in parts.items() if column not in frame.columns]
    if missing:
        raise missing_columns(missing, list(map(str, frame.columns)))
    frame, _, joined = with_one_spelling(frame, {"trust": columns.trust}, tidy)
    for said in joined:
        terminal.complain(said)
    repeated = frame[columns.trust].duplicated(keep=False)
    if not repeated.any():
        return frame
    if not sum_rows:
        raise DataError(
            "the same trust appears more than once", column=columns.trust, rows=list(frame.index[repeated]),
            action="keep one period, or add up the rows of each trust with --sum (never overlapping periods)",
        )  # fmt: skip
    return _added(frame, columns)


def _added(frame: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    """Sums by trust; a total with a missing part is missing, or known by its bounds alone."""
    from brightspots.limits.units import read_units

    observed, size = columns.name_of("observed"), columns.name_of(_size_of(columns))
    given = [name for name in _BOUNDS if name in frame]
    if len(given) == len(_BOUNDS):
        units = read_units(
            frame.get(observed), frame[size], OBSERVED, size, (frame[given[0]], frame[given[1]])
        )
        count = units.lower.copy()
        count[~units.known] = math.nan
        frame = frame.assign(**{observed: count, given[0]: units.lower, given[1]: units.upper})
    return frame.groupby(columns.trust, as_index=False)[[observed, size, *given]].agg(_sum_of_all)


def _sum_of_all(parts: Any) -> Any:
    """Sum that is missing where a part is; before pandas 3 sums of groups have no option for that."""
    return parts.sum(skipna=False)


def _suppressed(frame: pd.DataFrame, columns: Columns, rules: Rules) -> pd.DataFrame:
    """The trusts after disclosure control, without those whose denominator is withheld."""
    from brightspots.disclosure import suppress

    size = columns.name_of(_size_of(columns))
    wanted = (columns.trust, columns.name_of("observed"), size, *_BOUNDS)
    bare = frame[[name for name in wanted if name in frame]]
    shown = suppress(
        bare,
        below=rules.below,
        round_to=rules.round_to,
        zeros=rules.zeros,
        totals=rules.totals,
        columns=columns,
    )
    for note in shown.attrs["notes"]:
        terminal.complain(note)
    return shown[shown[size].notna() & (shown[size] > 0)]


def _limits(frame: pd.DataFrame, columns: Columns, limit: LimitOptions) -> FunnelLimits:
    from brightspots.limits.funnel import funnel_limits

    lower, upper = (frame.get(name) for name in _BOUNDS)
    part = _size_of(columns)
    sizes: dict[str, Any] = {part: frame[columns.name_of(part)]}
    return funnel_limits(
        frame.get(columns.name_of("observed")), method=limit.method, levels=limit.coverage,
        observed_lower=lower, observed_upper=upper, **sizes,
    )  # fmt: skip


def _finish(said: str, summary: dict[str, Any], output: OutputOptions) -> None:
    if output.json:
        terminal.answer(summary)
        return
    typer.echo(said)
    for path in summary["files"].values():
        typer.echo(f"wrote {path}")
