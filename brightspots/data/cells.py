"""`Cells`: the index arrays and counts that every engine reads.

Two sizes matter. A *cell* is one department in one trust. A *leaf* is one row of the data: the cell
itself, or the cell in one period. Without periods there is one leaf a cell. Both are held in one canonical
order (trust, department, period; sorted by label, but periods by time where their order is known), so that the order
of the rows given can never reach a result, and so that everything that belongs to a trust is one contiguous slice.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from brightspots.common.arrays import FloatArray, IntArray, LabelArray
from brightspots.common.leaves import PER_LEAF, Index, values_at
from brightspots.common.pickling import PickledByFields
from brightspots.common.vocabulary import EstimateScale, PeriodOrder
from brightspots.likelihood.family import Family


@dataclass(frozen=True, eq=False)
class Cells(PickledByFields):
    """Checked outcomes by trust × department (× period), sorted, as arrays.

    Sizes: T trusts, D department types, C cells, N leaves, A department-type effects (D, or D × periods),
    K covariate columns.

    Parameters
    ----------
    family : Family
        What the outcomes of leaves are: see `likelihood.family`.
    trusts, departments, periods : array of labels
        Labels in order, (T,), (D,) and (P,); `periods` is None where the data have none.
    cell_trust, cell_department : int array (C,)
        Trust and department of each cell.
    leaf_cell, leaf_period : int array (N,)
        Cell of each leaf, ascending; its period (None without periods).
    leaf_type : int array (N,)
        Index of the leaf's department-type effect a: the department, or department × period.
    lower, upper : float array (N,)
        The least and the most that the count can be: equal for an exact count, `upper` infinite where nothing bounds
        it. For `normal` both hold the estimate.
    size : float array (N,)
        Expected events (poisson), denominator (binomial) or standard error (normal).
    offset : float array (N,)
        log E (poisson), logit(E/n) or 0 (binomial), 0 (normal).
    expected : float array (N,) or None
        Expected events where given (binomial and poisson).
    design : float array (N, K)
        Covariates, centred and scaled to unit standard deviation over leaves.
    covariates : tuple of str
        Names of the K columns.
    covariate_scale : float array (K,)
        Standard deviation by which each column was divided.
    row : int array (N,)
        Position of each leaf in the data as given.
    estimate_scale : {"log ratio", "difference"}
        Whether effects are logarithms of ratios, as those of counts always are, or differences in the estimates' units.
    counted_from : float array (N,) or None
        Smallest count of each leaf that would be in the data: rows with a smaller count are left out of the table, so
        that the leaf is there only because its count is not small. 0 for leaves that are there whatever their count;
        None where all are.
    expected_sd : float array (N,) or None
        Standard deviation of the error in the logarithm of the expected events of the leaf's department, the same for
        all leaves of a cell, which share the error; None where what was expected is taken as it is.
    period_order : PeriodOrder
        How the order of `periods` in time is known; "unknown" where they are sorted alphabetically.
    """

    family: Family
    trusts: LabelArray
    departments: LabelArray
    periods: LabelArray | None
    cell_trust: IntArray
    cell_department: IntArray
    leaf_cell: IntArray = field(metadata=PER_LEAF)
    leaf_period: IntArray | None = field(metadata=PER_LEAF)
    leaf_type: IntArray = field(metadata=PER_LEAF)
    lower: FloatArray = field(metadata=PER_LEAF)
    upper: FloatArray = field(metadata=PER_LEAF)
    size: FloatArray = field(metadata=PER_LEAF)
    offset: FloatArray = field(metadata=PER_LEAF)
    expected: FloatArray | None = field(metadata=PER_LEAF)
    design: FloatArray = field(metadata=PER_LEAF)
    covariates: tuple[str, ...]
    covariate_scale: FloatArray
    row: IntArray = field(metadata=PER_LEAF)
    estimate_scale: EstimateScale = "log ratio"
    counted_from: FloatArray | None = field(default=None, metadata=PER_LEAF)
    period_order: PeriodOrder = "unknown"
    expected_sd: FloatArray | None = field(default=None, metadata=PER_LEAF)

    @property
    def is_ratio(self) -> bool:
        """Whether effects are logarithms of ratios."""
        return self.estimate_scale == "log ratio"

    @property
    def n_trusts(self) -> int:
        """T."""
        return len(self.trusts)

    @property
    def share_of_types(self) -> FloatArray:
        """Share of the cells that are of each department, (D,)."""
        return np.bincount(self.cell_department, minlength=self.n_departments) / self.n_cells

    @property
    def n_departments(self) -> int:
        """D."""
        return len(self.departments)

    @property
    def n_cells(self) -> int:
        """C."""
        return len(self.cell_trust)

    @property
    def n_leaves(self) -> int:
        """N."""
        return len(self.leaf_cell)

    @property
    def n_types(self) -> int:
        """A: department-type effects."""
        return self.n_departments * (1 if self.periods is None else len(self.periods))

    @property
    def has_periods(self) -> bool:
        """Whether a leaf is a cell in one period."""
        return self.periods is not None

    @cached_property
    def leaf_trust(self) -> IntArray:
        """Trust of each leaf, (N,), ascending."""
        return self.cell_trust[self.leaf_cell]

    @cached_property
    def trust_cells(self) -> IntArray:
        """Bounds of each trust's cells, (T + 1,): trust t owns ``trust_cells[t]:trust_cells[t + 1]``."""
        return np.searchsorted(self.cell_trust, np.arange(self.n_trusts + 1)).astype(np.int64)

    @cached_property
    def cell_leaves(self) -> IntArray:
        """Bounds of each cell's leaves, (C + 1,)."""
        return np.searchsorted(self.leaf_cell, np.arange(self.n_cells + 1)).astype(np.int64)

    @cached_property
    def censored(self) -> npt.NDArray[np.bool_]:
        """Which leaves hold an interval instead of a count, (N,)."""
        return np.asarray(self.lower != self.upper)

    @property
    def exact(self) -> FloatArray:
        """The count of each leaf, NaN where it is an interval, (N,)."""
        return np.where(self.censored, np.nan, self.lower)

    def cell_sum(self, leaf_values: FloatArray) -> FloatArray:
        """Sum a leaf array (N,) over the leaves of each cell, (C,)."""
        return np.bincount(self.leaf_cell, leaf_values, self.n_cells).astype(np.float64, copy=False)

    @cached_property
    def error_variance(self) -> FloatArray:
        """Variance of the error of what was expected, on the linear predictor of each cell, (C,); 0 where none is said.

        An error in log E moves logit(E/n) by 1/(1 − E/n) times as much.
        """
        if self.expected_sd is None:
            return np.zeros(self.n_cells)
        sd = self.expected_sd[self.cell_leaves[:-1]]
        if self.family.is_bounded and self.expected is not None:
            sd = sd / (1.0 - self.cell_sum(self.expected) / self.cell_sum(self.size))
        return np.asarray(sd**2)

    def at_leaves(self, leaves: Index) -> Cells:
        """`Cells` of some of the leaves, with the cells and trusts that still have any.

        Labels and codes of departments and periods, and the scale of covariates, stay as they are, so that effects and
        coefficients mean the same.

        Parameters
        ----------
        leaves : int array (ascending), bool array (N,) or slice
        """
        kept = values_at(self, leaves)
        cells, kept["leaf_cell"] = _used(kept["leaf_cell"])
        trusts, cell_trust = _used(self.cell_trust[cells])
        return replace(
            self,
            trusts=self.trusts[trusts],
            cell_trust=cell_trust,
            cell_department=self.cell_department[cells],
            **kept,
        )

    def only(self, cells: IntArray) -> Cells:
        """`Cells` of some of the cells (int array, ascending), with all their leaves; see `at_leaves`."""
        return self.at_leaves(np.isin(self.leaf_cell, cells))

    @cached_property
    def weight(self) -> FloatArray:
        """Weight of a cell in means over the cells of its trust, (C,).

        Expected events where given, else the denominator; for estimates, 1/s² summed over periods.
        """
        return self.cell_sum(self.family.weight(self.size if self.expected is None else self.expected))


def _used(codes: IntArray) -> tuple[IntArray, IntArray]:
    """The codes that occur, ascending, and the place of each code among them."""
    used, places = np.unique(codes, return_inverse=True)
    return used, places.astype(np.int64)
