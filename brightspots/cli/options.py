"""Options that several commands take, each group declared once as a frozen dataclass."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer

from brightspots.common.vocabulary import FamilyName

if TYPE_CHECKING:
    from brightspots.data.columns import Columns
    from brightspots.disclosure import Rules

_COLUMNS = "Columns of the table"
_MODEL = "Model"
_RULE = "Bright and dark spots"
_DISCLOSURE = "Disclosure control"
_OUTPUT = "Output"


TidyLabels = Annotated[
    bool,
    typer.Option(
        "--tidy-labels", help="Join labels that differ only by capitals, white space or invisible characters."
    ),
]


@dataclass(frozen=True)
class TableOptions:
    """Which column of a table plays which part."""

    trust_column: Annotated[str, typer.Option(help="Trusts.", rich_help_panel=_COLUMNS)] = "trust"
    department_column: Annotated[str, typer.Option(help="Departments.", rich_help_panel=_COLUMNS)] = (
        "department"
    )
    observed: Annotated[str, typer.Option(help="Events.", rich_help_panel=_COLUMNS)] = "observed"
    expected: Annotated[
        str, typer.Option(help="Events expected from case mix.", rich_help_panel=_COLUMNS)
    ] = "expected"
    denominator: Annotated[
        str | None, typer.Option(help="People at risk: fits proportions.", rich_help_panel=_COLUMNS)
    ] = None
    observed_lower: Annotated[
        str | None,
        typer.Option(help="Least that a suppressed or rounded count can be.", rich_help_panel=_COLUMNS),
    ] = None
    observed_upper: Annotated[
        str | None,
        typer.Option(help="Most that a suppressed or rounded count can be.", rich_help_panel=_COLUMNS),
    ] = None
    counted_from: Annotated[
        str | None,
        typer.Option(
            help="Smallest count that would be in the table, where smaller ones are left out.",
            rich_help_panel=_COLUMNS,
        ),
    ] = None
    estimate: Annotated[
        str | None, typer.Option(help="Estimates in place of counts.", rich_help_panel=_COLUMNS)
    ] = None
    standard_error: Annotated[
        str | None, typer.Option(help="Their standard errors.", rich_help_panel=_COLUMNS)
    ] = None
    period: Annotated[
        str | None,
        typer.Option(
            help="Periods [dim](by default the column 'period', where there is one)[/].",
            rich_help_panel=_COLUMNS,
        ),
    ] = None
    pool_periods: Annotated[
        bool, typer.Option("--pool-periods", help="Sum over periods.", rich_help_panel=_COLUMNS)
    ] = False
    tidy_labels: Annotated[
        bool,
        typer.Option(
            "--tidy-labels",
            help="Join labels that differ only by capitals, white space or invisible characters.",
            rich_help_panel=_COLUMNS,
        ),
    ] = False
    remedy: Annotated[
        list[str] | None,
        typer.Option(
            help="Settle what 'brightspots check' found: totals, twins, months-across, suppressed=1-4, …; may be "
            "repeated.",
            rich_help_panel=_COLUMNS,
        ),
    ] = None
    sheet: Annotated[
        str | None,
        typer.Option(help="Sheet of an Excel file [dim](by default the first)[/].", rich_help_panel=_COLUMNS),
    ] = None

    @property
    def columns(self) -> Columns:
        """The names as a `Columns` object."""
        from brightspots.common.errors import SettingsError
        from brightspots.data.columns import Columns

        if self.period is not None and self.pool_periods:
            raise SettingsError("--period and --pool-periods ask for different things: give one of them")
        return Columns(
            trust=self.trust_column,
            department=self.department_column,
            observed=self.observed,
            expected=self.expected,
            denominator=self.denominator,
            observed_lower=self.observed_lower,
            observed_upper=self.observed_upper,
            counted_from=self.counted_from,
            estimate=self.estimate,
            standard_error=self.standard_error,
            period=False if self.pool_periods else self.period,
        )

    @property
    def remedies(self) -> list[str]:
        """Remedies that were asked for, with "twins" for --tidy-labels."""
        return [*(self.remedy or ()), *(["twins"] if self.tidy_labels else [])]


@dataclass(frozen=True)
class RecordOptions:
    """Which column of patient records plays which part."""

    outcome: Annotated[str, typer.Option(help="Column of 0 and 1, or of true and false.")]
    casemix: Annotated[
        list[str],
        typer.Option(help="Columns to adjust for, separated by commas; may be repeated; '' for none."),
    ]
    trust: Annotated[str, typer.Option(help="Column of trusts.")] = "trust"
    department: Annotated[str, typer.Option(help="Column of departments.")] = "department"
    period: Annotated[str | None, typer.Option(help="Column of periods.")] = None

    @property
    def columns(self) -> Columns:
        """The names as a `Columns` object, without case mix."""
        from brightspots.data.columns import Columns

        return Columns(trust=self.trust, department=self.department, period=self.period, outcome=self.outcome)

    @property
    def adjusted(self) -> list[str]:
        """Columns of case mix, one by one."""
        return [column.strip() for group in self.casemix for column in group.split(",") if column.strip()]


@dataclass(frozen=True)
class UnitOptions:
    """Which column of a table of units plays which part in a funnel."""

    trust_column: Annotated[str, typer.Option(help="Trusts.")] = "trust"
    observed: Annotated[str, typer.Option(help="Events.")] = "observed"
    expected: Annotated[str | None, typer.Option(help="Events expected [dim](default 'expected')[/].")] = None
    denominator: Annotated[str | None, typer.Option(help="People at risk, for proportions.")] = None
    sum_rows: Annotated[bool, typer.Option("--sum", help="Add up the rows of each trust.")] = False
    tidy_labels: TidyLabels = False

    @property
    def table(self) -> TableOptions:
        """The same options as `TableOptions`."""
        return TableOptions(
            trust_column=self.trust_column,
            observed=self.observed,
            expected=self.expected or "expected",
            denominator=self.denominator,
        )

    @property
    def given(self) -> list[str]:
        """Names of the options that were given, except --tidy-labels."""
        of_tables = {
            "--trust-column": self.trust_column != "trust", "--observed": self.observed != "observed",
            "--expected": self.expected, "--denominator": self.denominator, "--sum": self.sum_rows,
        }  # fmt: skip
        return [name for name, is_given in of_tables.items() if is_given]


@dataclass(frozen=True)
class ModelOptions:
    """How to fit."""

    family: Annotated[
        FamilyName | None,
        typer.Option(help="Inferred from the columns where not given.", rich_help_panel=_MODEL),
    ] = None
    higher_is: Annotated[
        Literal["worse", "better"] | None,
        typer.Option(
            help="Whether more events are bad news [dim](default worse)[/].", rich_help_panel=_MODEL
        ),
    ] = None
    estimate_scale: Annotated[
        Literal["log-ratio", "difference"] | None,
        typer.Option(
            help="What estimates are: logarithms of ratios, or numbers in units of their own (days, points), which are "
            "compared by their differences.",
            rich_help_panel=_MODEL,
        ),
    ] = None
    covariates: Annotated[
        str | None, typer.Option(help="Formula such as 'beds + teaching'.", rich_help_panel=_MODEL)
    ] = None
    expected_sd: Annotated[
        str | None,
        typer.Option(
            help="How far expected events may be off: 0.1 for about 10%, or the column that says it.",
            rich_help_panel=_MODEL,
        ),
    ] = None
    method: Annotated[
        Literal["auto", "integrate", "nuts"], typer.Option(help="Engine.", rich_help_panel=_MODEL)
    ] = "auto"
    draws: Annotated[int | None, typer.Option(help="Posterior draws to hold.", rich_help_panel=_MODEL)] = None
    seed: Annotated[
        int, typer.Option(help="The same seed gives the same numbers.", rich_help_panel=_MODEL)
    ] = 1


@dataclass(frozen=True)
class RuleOptions:
    """What counts as a bright or dark spot, and the ratings to compare with."""

    # None means that the option was not given; then the rule of a saved fit applies, or the default.
    margin: Annotated[
        float | None,
        typer.Option(help="Smallest ratio that matters [dim](default 1.1)[/].", rich_help_panel=_RULE),
    ] = None
    difference: Annotated[
        float | None,
        typer.Option(
            help="Smallest difference that matters, in the units of the estimates: in place of --margin with "
            "--estimate-scale difference.",
            rich_help_panel=_RULE,
        ),
    ] = None
    fdr: Annotated[
        float | None,
        typer.Option(
            help="Share of flags that may be expected to be false [dim](default 0.05)[/].",
            rich_help_panel=_RULE,
        ),
    ] = None
    min_probability: Annotated[
        float | None,
        typer.Option(help="No flag below this probability [dim](default 0.8)[/].", rich_help_panel=_RULE),
    ] = None
    share: Annotated[
        float | None,
        typer.Option(
            help="In place of --margin: flag those that belong to this share of the most extreme effects.",
            rich_help_panel=_RULE,
        ),
    ] = None
    reference: Annotated[
        Literal["organisation", "peers", "both"] | None,
        typer.Option(
            help="Compare with the own trust, with the same department elsewhere, or both "
            "[dim](default organisation)[/].",
            rich_help_panel=_RULE,
        ),
    ] = None
    rating: Annotated[
        str | None,
        typer.Option(
            help="Column of the trusts' or departments' ratings [dim](by default 'rating', where there is one)[/].",
            rich_help_panel=_RULE,
        ),
    ] = None
    ratings_file: Annotated[
        str | None,
        typer.Option(
            help="Table of trust [, department] and rating, in place of a column.", rich_help_panel=_RULE
        ),
    ] = None
    rating_order: Annotated[
        str | None,
        typer.Option(help="Ratings in order, worst first, separated by commas.", rich_help_panel=_RULE),
    ] = None
    strong_from: Annotated[
        str | None,
        typer.Option(
            help="Lowest rating that counts as strong [dim](known of the Care Quality Commission's words and of one to "
            "five stars; else the upper half of --rating-order)[/].",
            rich_help_panel=_RULE,
        ),
    ] = None
    rating_uses_outcome: Annotated[
        bool,
        typer.Option(
            "--rating-uses-outcome",
            help="The rating was built partly from this outcome.",
            rich_help_panel=_RULE,
        ),
    ] = False

    def given(self) -> dict[str, Any]:
        """Fields of the rule that were given, by name."""
        said = {
            "margin": self.margin,
            "difference": self.difference,
            "fdr": self.fdr,
            "min_probability": self.min_probability,
            "share": self.share,
            "reference": self.reference,
        }
        return {name: value for name, value in said.items() if value is not None}


@dataclass(frozen=True)
class DisclosureOptions:
    """What may be shown of small counts."""

    suppress_below: Annotated[
        int | None,
        typer.Option(
            help="Withhold counts under this, and refit to what may be shown: 8 as the NHS, 11 as CMS.",
            rich_help_panel=_DISCLOSURE,
        ),
    ] = None
    round_to: Annotated[
        int | None, typer.Option(help="Round counts to multiples of this.", rich_help_panel=_DISCLOSURE)
    ] = None
    withhold_zeros: Annotated[
        bool,
        typer.Option("--withhold-zeros", help="Withhold zeros as well.", rich_help_panel=_DISCLOSURE),
    ] = False

    @property
    def rules(self) -> Rules | None:
        """Rules of suppression; None where none was asked for."""
        from brightspots.common.errors import SettingsError
        from brightspots.disclosure import Rules

        if self.suppress_below is None and self.withhold_zeros:
            raise SettingsError("--withhold-zeros goes with --suppress-below")
        if self.suppress_below is None and self.round_to is None:
            return None
        return Rules(self.suppress_below, self.round_to, "withheld" if self.withhold_zeros else "shown")


@dataclass(frozen=True)
class OutputOptions:
    """How to write and to speak."""

    force: Annotated[
        bool, typer.Option("--force", help="Replace files that exist.", rich_help_panel=_OUTPUT)
    ] = False
    json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print one JSON object on standard output, and nothing else.",
            rich_help_panel=_OUTPUT,
        ),
    ] = False


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take dataclasses of options: their fields become its options.

    Each parameter annotated with a dataclass is replaced, in the signature that typer reads, by the fields of that
    dataclass; when called, the command gets an instance of it.
    """
    signature = inspect.signature(command, eval_str=True)
    groups: dict[str, type[Any]] = {}
    parameters = []
    for name, parameter in signature.parameters.items():
        group: Any = parameter.annotation
        if not (isinstance(group, type) and is_dataclass(group)):
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        groups[name] = group
        hints = get_type_hints(group, include_extras=True)
        parameters += [
            inspect.Parameter(
                item.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if item.default is MISSING else item.default,
                annotation=hints[item.name],
            )
            for item in fields(group)
        ]

    @functools.wraps(command)
    def run(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{item.name: given.pop(item.name) for item in fields(group)})
        command(**given)

    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
