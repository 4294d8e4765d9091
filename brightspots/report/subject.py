"""What a pack is about: a fit and its spots in the order of `Cells`, with the names that people read."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brightspots import frames
from brightspots import vocabulary as names
from brightspots.arguments import is_label, shown
from brightspots.cells import Cells, FloatArray, IntArray, LabelArray
from brightspots.errors import SettingsError
from brightspots.fits import HierarchyFit
from brightspots.posterior import Posterior, StoredPosterior
from brightspots.report.words import Estimate
from brightspots.spots import Spots

# Bright spots offered to each dark spot in a trust's own pack.
PARTNERS = 3
# Draws of effects held at once: 400 MB of them.
MOST_HELD = 50_000_000


@dataclass(frozen=True, eq=False)
class Subject:
    """A fit, its spots and the words for them; made by `Subject.of`.

    Parameters
    ----------
    fit : HierarchyFit
    spots : Spots
        Of this fit.
    events : str
        What is counted, in the plural.
    """

    fit: HierarchyFit
    spots: Spots
    events: str

    @classmethod
    def of(cls, fit: HierarchyFit, spots: Spots, events: str = "events") -> Subject:
        """Put a fit and its spots together, their draws held in memory where there is room.

        Raises
        ------
        SettingsError
            Where the spots come from another fit, or effects are not ratios, which is what its words speak of.
        """
        if spots.effects is not fit.effects:
            raise SettingsError("the spots come from another fit: pass fit.find_spots() of the same fit")
        if not fit.table.cells.is_ratio:
            raise SettingsError(
                "a board pack speaks of ratios, and is not available for a fit with estimate_scale='difference': "
                "use spots.table and fit.departments(difference=…)"
            )
        held = replace(fit, effects=_hold(fit.effects))
        held._cache.update(fit._cache)  # the same numbers, computed already
        return cls(held, replace(spots, fit=held), events)

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
    def trust_labels(self) -> tuple[str, ...]:
        """What each trust is called, (T,): its name with its code, or its code."""
        return self._labels(self.cells.trusts, self.cells.cell_trust, names.TRUST_NAME)

    @property
    def ordered_by(self) -> str:
        """What trusts are sorted by: codes where they have names beside them, else names."""
        return "names" if self.trust_labels == tuple(map(str, self.cells.trusts)) else "codes"

    @cached_property
    def department_labels(self) -> tuple[str, ...]:
        """What each department type is called, (D,)."""
        return self._labels(self.cells.departments, self.cells.cell_department, names.DEPARTMENT_NAME)

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
        raise SettingsError(f"there is no trust {str(trust)!r} in the data; there are {', '.join(near)}, …")

    def of_trust(self, trust: int) -> IntArray:
        """Cells of a trust."""
        bounds = self.cells.trust_cells
        return np.arange(bounds[trust], bounds[trust + 1])

    def department_of(self, cell: int) -> str:
        """What the department of a cell is called."""
        return self.department_labels[self.cells.cell_department[cell]]

    def trust_of(self, cell: int) -> str:
        """What the trust of a cell is called."""
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
        """Columns asked for before: a pack asks once a cell."""
        return {}

    @cached_property
    def trusts(self) -> pd.DataFrame:
        """Every trust at the margin of the rule, (T rows)."""
        return self.fit.trusts(margin=self.spots.rule.margin)

    @cached_property
    def partition(self) -> pd.DataFrame:
        """Where the variation lies."""
        return self.fit.variance_partition()

    @cached_property
    def rating_explains(self) -> pd.DataFrame:
        """How much of the variation the ratings account for."""
        return self.spots.rating_explains()

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """Dark spots with up to `PARTNERS` bright spots to talk to, the nearest in size first."""
        return self.spots.learning_pairs(PARTNERS)

    @property
    def ratio(self) -> str:
        """Which ratio the rule speaks of first."""
        return "peer_ratio" if self.spots.rule.reference == "peers" else "own_ratio"

    @property
    def counts_events(self) -> bool:
        """Whether an excess is a number of events."""
        return self.cells.family != "normal"

    def count(self, status: str, cells: IntArray | None = None) -> int:
        """How many departments (of some cells) have a status."""
        chosen = self.status if cells is None else self.status[cells]
        return int(np.sum(chosen == status))

    def _labels(self, codes: LabelArray, code_of_cell: IntArray, column: str) -> tuple[str, ...]:
        plain = tuple(str(code) for code in codes)
        if column not in self.table:
            return plain
        first = np.unique(code_of_cell, return_index=True)[1]
        called = self.table[column].iloc[first]
        return tuple(_named(name, code) for name, code in zip(called, plain, strict=True))


def _hold(effects: Posterior) -> Posterior:
    """Hold the effects that a posterior would otherwise draw again for each question: a pack asks several."""
    cells, shared = effects.cells, effects.shared
    if isinstance(effects, StoredPosterior) or (cells.n_trusts + cells.n_cells) * shared.n_draws > MOST_HELD:
        return effects
    blocks = list(effects.blocks())
    return StoredPosterior(
        cells,
        shared,
        np.concatenate([block.trust_effect for block in blocks]),
        np.concatenate([block.department_effect for block in blocks]),
        effects.chains,
    )


def _named(name: Any, code: str) -> str:
    """``Ysbyty Gwynedd (7A1)``; the code alone where there is no other name."""
    if pd.isna(name) or not str(name).strip() or str(name).strip() == code:
        return code
    return f"{str(name).strip()} ({code})"
