"""Find labels that are totals of the others: by their name, or because their counts are the sum of all others."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np

from brightspots.common.arrays import IntArray, LabelArray
from brightspots.data.counts import Counts
from brightspots.data.empty_rows import listed
from brightspots.data.labels import totals

# Relative: published expected events are rounded, and so is their total, so the parts add up to it only about.
_TOLERANCE: Final = 1e-3
# Where the name does not say so, a label is a total only with at least so many events and so many other labels: with
# fewer, equality may be chance.
_LEAST_EVENTS: Final = 20.0
_LEAST_OTHERS: Final = 2


@dataclass(frozen=True)
class TotalRows:
    """Labels that are, or may be, totals of the others.

    Parameters
    ----------
    called : tuple of str
        Those whose name reads like a total, without those in `equal`.
    equal : tuple of str
        Those whose counts are the sum of the others' in every place.
    """

    called: tuple[str, ...] = ()
    equal: tuple[str, ...] = ()

    def warning(self, part: str, column: str) -> str | None:
        """Text of a `DataWarning`; None where no label is a total."""
        told = []
        if self.equal:
            told.append(
                f"{_named(self.equal)} equals the sum of the others and is taken for a {part}: drop its rows, or every "
                "event counts twice"
            )
        if self.called:
            told.append(
                f"{_named(self.called)} reads like the sum of the others and is taken for a {part}; if it is a total, "
                "drop its rows, or every event counts twice"
            )
        return f"column {column!r}: {'; '.join(told)}" if told else None

    def notes(self, part: str, column: str) -> tuple[str, ...]:
        """Sentences for the notes of a table: they count the labels and name none."""
        said = []
        for labels, how in ((self.equal, "equal"), (self.called, "read like")):
            if labels:
                if len(labels) == 1:
                    text = f"1 label of column {column!r} {how}s the sum of the others and is taken for a {part}."
                else:
                    text = (
                        f"{len(labels):,} labels of column {column!r} {how} the sum of the others and are taken for "
                        f"{part}s."
                    )
                said.append(text)
        return tuple(said)


def _named(labels: tuple[str, ...]) -> str:
    return listed(np.array([repr(label) for label in labels], dtype=object))


def total_rows(
    labels: LabelArray, codes: IntArray, places: IntArray, counts: Counts | None, words: Collection[str]
) -> TotalRows:
    """Find the labels of trusts (or departments) that are totals of the others.

    Parameters
    ----------
    labels : array (L,)
    codes : int array (R,)
        Label of each row.
    places : int array (R,)
        Code of the rest of each row's key (of trusts: department and period): a total is a sum within one place.
    counts : Counts or None
        None for estimates, which do not add up.
    words : collection of str
        Names of totals, in canonical form (`labels.canonical_label`).
    """
    called = totals(labels, words)
    if counts is None or len(labels) <= _LEAST_OTHERS:
        return TotalRows(tuple(called))
    size = len(labels)
    is_called = np.array([isinstance(label, str) and label in called for label in labels], dtype=bool)
    sums = [np.bincount(codes, values, size) for values in (counts.lower, counts.size)]
    others = [values[~is_called].sum() for values in sums]
    # A total of all others holds half of the sum over all labels, whatever its name.
    half = [
        np.isclose(2.0 * values, whole, rtol=_TOLERANCE) for values, whole in zip(sums, others, strict=True)
    ]
    candidates = np.flatnonzero(is_called | (half[0] & half[1] & (sums[0] >= _LEAST_EVENTS)))
    equal = [
        str(labels[label]) for label in candidates if _adds_up(int(label), codes, places, counts, is_called)
    ]
    return TotalRows(tuple(label for label in called if label not in equal), tuple(equal))


def _adds_up(label: int, codes: IntArray, places: IntArray, counts: Counts, is_called: np.ndarray) -> bool:
    """Whether in every place where a label has rows its counts and sizes are the sums over labels not called totals."""
    own = codes == label
    rest = ~own & ~is_called[codes] & np.isin(places, places[own])
    if len(np.unique(codes[rest])) < _LEAST_OTHERS or not counts.lower[own].any():
        return False
    if np.any((counts.lower != counts.upper)[own | rest]):
        return False
    n = int(places.max()) + 1
    events, added = (np.bincount(places[rows], counts.lower[rows], n) for rows in (own, rest))
    sizes, added_sizes = (np.bincount(places[rows], counts.size[rows], n) for rows in (own, rest))
    return bool(np.array_equal(events, added) and np.allclose(sizes, added_sizes, rtol=_TOLERANCE, atol=0.0))
