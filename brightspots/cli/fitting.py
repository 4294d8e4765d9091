"""The command `fit`, and functions for other commands that fit."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from brightspots.cli import terminal
from brightspots.cli.checking import read_tidied
from brightspots.cli.deciding import decided_by
from brightspots.cli.files import read_frame
from brightspots.cli.options import (
    DisclosureOptions,
    ModelOptions,
    OutputOptions,
    RuleOptions,
    TableOptions,
    grouped,
)
from brightspots.cli.summary import finish, summarise
from brightspots.common.errors import SettingsError

if TYPE_CHECKING:
    from brightspots.common.settings import SpotRule
    from brightspots.common.vocabulary import EstimateScale
    from brightspots.fit.hierarchy_fit import HierarchyFit
    from brightspots.fit.spots import Spots
    from brightspots.report.manifest import InputFile, Manifest

_SCALES: dict[str | None, EstimateScale | None] = {
    None: None,
    "log-ratio": "log ratio",
    "difference": "difference",
}


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
    fitted, source = fit_table(cells, table, model, rule, json=output.json)
    fitted, spots, notes = published(fitted, rule, disclosure)
    manifest = manifest_of(spots, source, table, model, rule, disclosure)
    summary = summarise(spots, manifest, paths, decided_by(fitted, spots, rule))
    summary |= {"disclosure": list(notes)} if notes else {}

    reach: dict[str, Any] = {"margin": spots.rule.ordinary_margin, "difference": spots.rule.difference}
    with exports.together(out):
        exports.write_table(fitted.departments(**reach), paths["departments"])
        exports.write_table(fitted.variance_partition(), paths["partition"], index=True)
        exports.write_table(fitted.trusts(**reach), paths["trusts"])
        exports.write_table(spots.table, paths["spots"])
        fitted.save(paths["fit"], spots)
        exports.write_json(paths["manifest"], summary)  # last, so that where it exists the others are whole
    finish(spots, summary, json=output.json)


def find_spots(fitted: HierarchyFit, rule: RuleOptions) -> Spots:
    """Apply the rule and ratings of the options; those not given are the ones the fit was saved with, or defaults."""
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
        _changed(base, rule.given()),
        rating,
        rating_order=order,
        strong_from=rule.strong_from,
        rating_uses_outcome=rule.rating_uses_outcome,
    )


def _changed(rule: SpotRule, given: dict[str, Any]) -> SpotRule:
    """The rule with the fields that were given; a margin takes the place of a share, and a share that of a margin."""
    if "share" in given and "margin" not in given:
        given = given | {"margin": None}
    elif "margin" in given and "share" not in given:
        given = given | {"share": None}
    return replace(rule, **given)


def fit_table(
    path: str, table: TableOptions, model: ModelOptions, rule: RuleOptions, *, json: bool
) -> tuple[HierarchyFit, InputFile]:
    """Fit a table as the options say; return the fit and the file that was read."""
    frame, read = read_tidied(path, table, rule.rating)
    if rule.rating is not None and rule.rating not in frame.columns:
        raise SettingsError(
            f"--rating {rule.rating}: the table has no such column; it has {', '.join(frame.columns)}"
        )
    from brightspots.fit.fitting import fit_hierarchy

    fitted = fit_hierarchy(
        frame,
        columns=table.columns,
        estimate_scale=_SCALES[model.estimate_scale],
        tidy_labels=table.tidy_labels,
        covariates=model.covariates,
        expected_sd=_number_or_column(model.expected_sd),
        family=model.family,
        higher_is=model.higher_is or "worse",
        method=model.method,
        draws=model.draws,
        seed=model.seed,
        progress=terminal.in_terminal(json),
    )
    return single_fit(fitted), read


def _number_or_column(given: str | None) -> float | str | None:
    """A number where the text of an option is one, else the name of a column."""
    try:
        return None if given is None else float(given)
    except ValueError:
        return given


def _ratings(path: str) -> Any:
    """A table of trust [, department] and rating; its first column, or the column `trust`, holds the trusts."""
    first = read_frame(path, ())[0].columns[0]
    return read_frame(path, ("trust", "department", str(first)))[0]


def single_fit(fitted: Any) -> HierarchyFit:
    """The result of `fit_hierarchy` without `outcome`, which no command passes, as a `HierarchyFit`."""
    from brightspots.fit.hierarchy_fit import HierarchyFit

    assert isinstance(fitted, HierarchyFit)
    return fitted


def published(
    fitted: HierarchyFit, rule: RuleOptions, disclosure: DisclosureOptions
) -> tuple[HierarchyFit, Spots, tuple[str, ...]]:
    """The fit and spots to publish, and sentences; where counts are suppressed, those of the refit."""
    spots = find_spots(fitted, rule)
    rules = disclosure.rules
    if rules is None:
        return fitted, spots, fitted.disclosed
    from brightspots.report.pack import publishable

    return publishable(fitted, spots, rules)


def manifest_of(
    spots: Spots,
    read: InputFile,
    table: TableOptions,
    model: ModelOptions,
    rule: RuleOptions,
    disclosure: DisclosureOptions,
) -> Manifest:
    """The manifest: file, options and fit; without digests where counts are suppressed."""
    from brightspots.report.manifest import make_manifest, without_digests

    fitted = spots.fit
    arguments = asdict(table) | asdict(model) | asdict(rule) | asdict(spots.rule) | asdict(disclosure)
    arguments["higher_is"] = fitted.higher_is
    manifest = make_manifest(fitted, input_file=read, arguments=arguments)
    return manifest if disclosure.rules is None else without_digests(manifest, fitted)
