"""`Subject`: a fit and its spots, with columns in the order of `Cells` and the names that people read."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.arguments import is_label, shown
from brightspots.common.arrays import FloatArray, IntArray, LabelArray
from brightspots.common.errors import SettingsError
from brightspots.common.shortening import shorten, shorten_apart
from brightspots.data.cells import Cells
from brightspots.fit import frames
from brightspots.fit.fitted import Fitted
from brightspots.fit.sensitivity import Survivors, surviving_flags
from brightspots.fit.spots import OTHER_FIT, Spots
from brightspots.report.department_facts import Comparison
from brightspots.report.measure import RATIOS, Measure, difference_measure
from brightspots.report.words import Estimate

# Longer names of trusts and departments are cut in the middle.
LONGEST_NAME = 200
# Better departments offered to each dark spot in a trust's own pack.
PARTNERS = 3


@dataclass(frozen=True, eq=False)
class Subject:
    """A fit, its spots and the words for them; made by `Subject.of`.

    Parameters
    ----------
    fit : Fitted
    spots : Spots
        Of this fit.
    events : str
        Word for the events that are counted, in the plural: "deaths".
    measure : Measure
        Words and numbers for effects.
    """

    fit: Fitted
    spots: Spots
    events: str
    measure: Measure = RATIOS

    @classmethod
    def of(cls, fit: Fitted, spots: Spots, events: str = "events", *, unit: str | None = None) -> Subject:
        """Put a fit and its spots together.

        Raises
        ------
        SettingsError
            Where the spots come from another fit, or a unit is given for ratios.
        """
        if not spots.is_of(fit):
            raise SettingsError(OTHER_FIT)
        ratios = fit.table.cells.is_ratio
        if ratios and unit is not None:
            raise SettingsError(
                f"the fit is of ratios, which have no unit: unit={unit!r} is for estimates with "
                "estimate_scale='difference'"
            )
        subject = cls(fit, spots if spots.fit is fit else replace(spots, fit=fit), events)
        if ratios:
            return subject
        sizes = np.abs(subject.table[["own_difference", "peer_difference"]].to_numpy(dtype=np.float64))
        known = sizes[np.isfinite(sizes)]
        typical = max(spots.margin, float(np.quantile(known, 0.9)) if len(known) else 0.0)
        return replace(subject, measure=difference_measure(unit, typical))

    @property
    def cells(self) -> Cells:
        """The data."""
        return self.fit.table.cells

    @cached_property
    def table(self) -> pd.DataFrame:
        """`Spots.table` in the order of `Cells`: sorted by trust, then department."""
        place = np.argsort(frames.cell_order(self.cells))
        return self.spots.table.iloc[place].reset_index(drop=True)

    @cached_property
    def status(self) -> npt.NDArray[np.str_]:
        """Status of every cell, (C,)."""
        return self.table["status"].to_numpy(dtype=str)

    @cached_property
    def survivors(self) -> Survivors | None:
        """How many flags survive errors of expected events; None where that cannot be asked."""
        return surviving_flags(self.fit, self.spots.rule)

    @cached_property
    def rating_status(self) -> npt.NDArray[np.str_]:
        """Rating status of every cell, (C,): see `vocabulary.RATING_STATUSES`."""
        return self.table["rating_status"].to_numpy(dtype=str)

    @cached_property
    def trust_labels(self) -> tuple[str, ...]:
        """Text for each trust, (T,): its name with its code in brackets, or its code."""
        return _short(self._trusts_called)

    @property
    def ordered_by(self) -> str:
        """What trusts are sorted by: codes where they have names beside them, else names."""
        return "names" if self._trusts_called == tuple(map(str, self.cells.trusts)) else "codes"

    @cached_property
    def department_labels(self) -> tuple[str, ...]:
        """Text for each department type, (D,)."""
        return _short(self._departments_called)

    def trust_index(self, trust: object) -> int:
        """Find a trust by its label (or by the label's text).

        Raises
        ------
        SettingsError
            Where there is none; the message offers the nearest.
        """
        if not is_label(trust):
            raise SettingsError(f"trust must be the label of one trust; received {shown(trust)}")
        texts = [str(label) for label in self.cells.trusts]
        if str(trust) in texts:
            return texts.index(str(trust))
        near = difflib.get_close_matches(str(trust), texts, n=3) or texts[:3]
        some = ", ".join(shorten(label, LONGEST_NAME) for label in near)
        raise SettingsError(
            f"there is no trust {shorten(trust, LONGEST_NAME)!r} in the data; there are {some}, …"
        )

    def of_trust(self, trust: int) -> IntArray:
        """Cells of a trust."""
        bounds = self.cells.trust_cells
        return np.arange(bounds[trust], bounds[trust + 1])

    def department_of(self, cell: int) -> str:
        """Text for the department of a cell."""
        return self.department_labels[self.cells.cell_department[cell]]

    def trust_of(self, cell: int) -> str:
        """Text for the trust of a cell."""
        return self.trust_labels[self.cells.cell_trust[cell]]

    def estimate(self, cell: int, quantity: str) -> Estimate:
        """A quantity of a cell with its interval."""
        return Estimate(*(float(self.numbers(f"{quantity}{end}")[cell]) for end in ("", "_lower", "_upper")))

    def numbers(self, column: str) -> FloatArray:
        """A column of numbers of the table, (C,)."""
        if column not in self._held:
            self._held[column] = self.table[column].to_numpy(dtype=np.float64)
        return self._held[column]

    @cached_property
    def _held(self) -> dict[str, FloatArray]:
        """Columns of the table as arrays, kept because a pack asks for them once for each cell."""
        return {}

    @cached_property
    def trusts(self) -> pd.DataFrame:
        """`Fitted.trusts` at the margin of the rule, (T rows)."""
        return self.fit.trusts(margin=self.spots.rule.ordinary_margin, difference=self.spots.rule.difference)

    @cached_property
    def partition(self) -> pd.DataFrame:
        """`Fitted.variance_partition`."""
        return self.fit.variance_partition()

    @cached_property
    def rating_explains(self) -> pd.DataFrame:
        """`Decided.rating_explains`: the share of the variance that the ratings explain."""
        return self.spots.rating_explains()

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """`Learning.learning_pairs`: dark spots with up to `PARTNERS` departments each, the nearest in size first."""
        return self.spots.learning_pairs(PARTNERS)

    @property
    def first(self) -> Comparison:
        """The comparison that is shown first: "peer" where the rule's reference is the peers, else "own"."""
        return "peer" if self.spots.rule.reference == "peers" else "own"

    def effect(self, cell: int, of: Comparison) -> Estimate:
        """A department's ratio or difference with its interval, in one of the two comparisons."""
        return self.estimate(cell, self.measure.column(of))

    @cached_property
    def reach(self) -> FloatArray:
        """Detectable effect of every cell on the dark side, (C,): flagged with a probability of 0.8."""
        return self.numbers(self.measure.column("detectable"))

    @cached_property
    def span(self) -> float:
        """Half the width of the scale on which tables draw differences, from −span to span.

        It holds 95% of the ends of intervals, and at least twice the margin.
        """
        column = self.measure.column(self.first)
        ends = np.abs(self.table[[f"{column}_lower", f"{column}_upper"]].to_numpy(dtype=np.float64))
        known = ends[np.isfinite(ends)]
        widest = float(np.quantile(known, 0.95)) if len(known) else 0.0
        return max(widest, 2.0 * self.spots.margin) or 1.0

    @property
    def counts_events(self) -> bool:
        """Whether an excess is a number of events."""
        return self.cells.family.is_count

    @property
    def shortened(self) -> int:
        """Number of names of trusts and departments that are shortened."""
        called = (*self._trusts_called, *self._departments_called)
        return sum(len(label) > LONGEST_NAME for label in called)

    def counts(self, cells: IntArray) -> dict[str, int]:
        """Number of the given cells with each status."""
        return {status: int(np.sum(self.status[cells] == status)) for status in names.STATUSES}

    @cached_property
    def _trusts_called(self) -> tuple[str, ...]:
        return self._labels(self.cells.trusts, self.cells.cell_trust, names.TRUST_NAME)

    @cached_property
    def _departments_called(self) -> tuple[str, ...]:
        return self._labels(self.cells.departments, self.cells.cell_department, names.DEPARTMENT_NAME)

    def _labels(self, codes: LabelArray, code_of_cell: IntArray, column: str) -> tuple[str, ...]:
        plain = tuple(str(code) for code in codes)
        if column not in self.table:
            return plain
        first = np.unique(code_of_cell, return_index=True)[1]
        called = self.table[column].iloc[first]
        return tuple(_named(name, code) for name, code in zip(called, plain, strict=True))


def estimates(frame: pd.DataFrame, quantity: str) -> dict[str, Estimate]:
    """A quantity with the ends of its interval, by the label of its row.

    Parameters
    ----------
    frame : pandas.DataFrame
        With the columns `quantity`, and the same with `_lower` and `_upper`.
    quantity : str
    """
    columns = frame[[quantity, f"{quantity}_lower", f"{quantity}_upper"]]
    return {
        str(label): Estimate(*map(float, row))
        for label, row in zip(columns.index, columns.to_numpy(), strict=True)
    }


def _short(labels: tuple[str, ...]) -> tuple[str, ...]:
    long = [label for label in labels if len(label) > LONGEST_NAME]
    cut = dict(zip(long, shorten_apart(long, LONGEST_NAME), strict=True))
    return tuple(cut.get(label, label) for label in labels)


def _named(name: Any, code: str) -> str:
    """``Ysbyty Gwynedd (7A1)``; the code alone where there is no other name."""
    if pd.isna(name) or not str(name).strip() or str(name).strip() == code:
        return code
    return f"{str(name).strip()} ({code})"
