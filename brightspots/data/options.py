"""How a table is to be read, in one object that checks itself: `ReadOptions`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from brightspots.common import vocabulary as names
from brightspots.common.arguments import as_annotated, check_choice
from brightspots.data.columns import Columns
from brightspots.data.expected_errors import check_expected_sd


@dataclass(frozen=True)
class ReadOptions:
    """How a table is to be read: the arguments of `fit_hierarchy` that say what the data are.

    Parameters
    ----------
    columns : Columns
        Which column plays which part.
    family : {"poisson", "binomial", "normal"}, optional
        Inferred from the columns where not given.
    estimate_scale : {"log ratio", "difference"}, optional
        What a difference between two estimates is.
    covariates : str, optional
        Formula of covariates.
    tidy_labels : bool, default False
        Whether to join labels that differ only in how they are written.
    higher_is : {"worse", "better"}, default "worse"
    expected_sd : float or str, optional
        Standard deviation of log(expected) of a department: a number for all, or the column that has it.

    Raises
    ------
    SettingsError
        Where an option has a value that cannot be used.
    """

    columns: Columns
    family: names.FamilyName | None = None
    estimate_scale: names.EstimateScale | None = None
    covariates: str | None = None
    tidy_labels: bool = False
    higher_is: names.HigherIs = "worse"
    expected_sd: float | str | None = None

    def __post_init__(self) -> None:
        """Check every option."""
        as_annotated("columns", self.columns, Columns)
        if self.family is not None:
            check_choice("family", self.family, names.FAMILIES)
        if self.estimate_scale is not None:
            check_choice("estimate_scale", self.estimate_scale, names.ESTIMATE_SCALES)
        as_annotated("covariates", self.covariates, str | None)
        as_annotated("tidy_labels", self.tidy_labels, bool)
        check_choice("higher_is", self.higher_is, get_args(names.HigherIs))
        object.__setattr__(self, "expected_sd", check_expected_sd(self.expected_sd))
