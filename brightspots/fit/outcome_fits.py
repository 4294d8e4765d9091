"""One hierarchy per outcome, fitted to the same trusts and departments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.arguments import checked
from brightspots.common.cautions import Caution
from brightspots.common.settings import SpotRule
from brightspots.disclosure import Totals, Zeros
from brightspots.fit.hierarchy_fit import HierarchyFit
from brightspots.fit.spots import Spots


@checked
class OutcomeFits(Mapping[Any, HierarchyFit]):
    """One hierarchy per outcome, by the outcome's label; tables stacked with an `outcome` column first."""

    def __init__(self, fits: Mapping[Any, HierarchyFit]) -> None:
        self._fits = dict(fits)

    def __getitem__(self, outcome: Any) -> HierarchyFit:
        return self._fits[outcome]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._fits)

    def __len__(self) -> int:
        return len(self._fits)

    @property
    def cautions(self) -> dict[Any, tuple[Caution, ...]]:
        """What readers should know of the data of each outcome."""
        return {outcome: fit.cautions for outcome, fit in self._fits.items()}

    def variance_partition(self, probability: float = 0.95) -> pd.DataFrame:
        """Partitions of all outcomes, indexed by outcome and level."""
        parts = {outcome: fit.variance_partition(probability) for outcome, fit in self._fits.items()}
        return _stack(parts)

    def departments(
        self, margin: float = 1.1, probability: float = 0.95, *, difference: float | None = None
    ) -> pd.DataFrame:
        """Departments of all outcomes, with a column `outcome` first."""
        parts = {
            outcome: fit.departments(margin, probability, difference=difference)
            for outcome, fit in self._fits.items()
        }
        return _stack(parts).reset_index(level=0).reset_index(drop=True)

    def suppressed(
        self,
        *,
        below: int | None = None,
        round_to: int | None = None,
        zeros: Zeros = "shown",
        totals: Sequence[Totals] = ("trust", "department"),
    ) -> OutcomeFits:
        """Refit each outcome to what may be shown of it; arguments as for `HierarchyFit.suppressed`."""
        return OutcomeFits(
            {
                outcome: fit.suppressed(below=below, round_to=round_to, zeros=zeros, totals=totals)
                for outcome, fit in self._fits.items()
            }
        )

    def find_spots(
        self,
        rule: SpotRule | None = None,
        rating: Any = None,
        *,
        rating_order: Sequence[Any] | None = None,
        strong_from: Any = None,
        rating_uses_outcome: bool = False,
    ) -> dict[Any, Spots]:
        """Spots of each outcome; arguments as for `HierarchyFit.find_spots`."""
        return {
            outcome: fit.find_spots(
                rule,
                rating,
                rating_order=rating_order,
                strong_from=strong_from,
                rating_uses_outcome=rating_uses_outcome,
            )
            for outcome, fit in self._fits.items()
        }

    def __repr__(self) -> str:
        return "\n\n".join(f"{outcome}\n{fit!r}" for outcome, fit in self._fits.items())


def _stack(parts: Mapping[Any, pd.DataFrame]) -> pd.DataFrame:
    bare = {outcome: frame.copy() for outcome, frame in parts.items()}
    for frame in bare.values():
        frame.attrs.clear()  # attributes belong to one outcome
    return pd.concat(bare, names=[names.OUTCOME])
