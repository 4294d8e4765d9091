"""Overall ratings: match them to the trusts or departments of a fit, put bands in order, compare with statuses."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import numpy as np
import numpy.typing as npt
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.arrays import FloatArray, IntArray
from brightspots.common.errors import DataError, DataWarning, SettingsError
from brightspots.data.cells import Cells
from brightspots.data.columns import with_text_names
from brightspots.data.labels import canonical_label
from brightspots.statistics.rating_scales import read_scale, words_of

# More bands than this are refused: such a rating is a score, which should be cut into bands first.
MOST_BANDS = 20


@dataclass(frozen=True, eq=False)
class Ratings:
    """Ratings of the trusts, or of each department of each trust.

    Parameters
    ----------
    levels : tuple
        The bands that occur, worst first.
    cell_band : int array (C,)
        Band that each cell is compared with, as an index into `levels`; −1 where there is none.
    trust_band : int array (T,) or None
        Band of each trust; None where it is departments that are rated.
    strong : bool array (levels,) or None
        Which bands count as strong (`rating_scales.read_scale`); None where that is not known.
    strong_rule : str
        The rule for `strong` in words: ``"Good or better, on the Care Quality Commission's scale"``.
    """

    levels: tuple[Any, ...]
    cell_band: IntArray
    trust_band: IntArray | None
    strong: npt.NDArray[np.bool_] | None
    strong_rule: str = ""

    @property
    def by_department(self) -> bool:
        """Whether departments have ratings of their own, instead of that of their trust."""
        return self.trust_band is None

    @property
    def frequencies(self) -> FloatArray:
        """Share of each band among the rated trusts (or departments, where those are rated), (levels,)."""
        return _frequencies(self.cell_band if self.trust_band is None else self.trust_band, len(self.levels))

    @property
    def rated(self) -> IntArray:
        """Cells that have a rating to be compared with, ascending."""
        return np.flatnonzero(self.cell_band >= 0).astype(np.int64)

    def only_rated(self) -> Ratings:
        """Ratings of the rated cells and trusts only, in the order of ``cells.only(ratings.rated)``."""
        trusts = self.trust_band
        return replace(
            self,
            cell_band=self.cell_band[self.rated],
            trust_band=None if trusts is None else trusts[trusts >= 0],
        )


def read_ratings(
    cells: Cells,
    values: Mapping[Any, Any] | pd.DataFrame | pd.Series,
    order: Sequence[Any] | None = None,
    strong_from: Any = None,
    *,
    tidy_labels: bool = False,
) -> Ratings | None:
    """Match ratings to trusts or departments and put the bands in order.

    Parameters
    ----------
    cells : Cells
    values : mapping, Series or DataFrame
        By trust: a mapping or Series from trust to rating, or a frame of two columns (trust, rating). By
        department: keys (trust, department), or a frame with the columns `trust, department, rating`; a
        department that is not named stays unrated.
    order : sequence, optional
        The bands, worst first. Needed for text that is neither an ordered categorical nor a known scale.
    strong_from : optional
        The lowest band that counts as strong; known scales have one by default (`rating_scales.read_scale`).
    tidy_labels : bool, default False
        Match labels that differ only by capitals, white space or invisible characters.

    Returns
    -------
    Ratings or None
        None where nobody in the data is rated.

    Warns
    -----
    DataWarning
        Where something is rated under another spelling than that of the data, and spellings are not matched.

    Raises
    ------
    DataError
        Where something is rated and none of it is in the data, something has two ratings, or the order cannot be known.
    SettingsError
        Where `values` is of another kind, `order` leaves out a band, or `strong_from` is not a band.
    """
    stated = _as_series(values)
    words = words_of(stated, order)
    by_department = stated.index.nlevels == 2
    units = _unit_labels(cells, by_department)
    spelt = _in_spelling_of(units, stated.index)
    if tidy_labels:
        stated, words = stated.set_axis(spelt), words.set_axis(spelt)
        again = _repeats(spelt, words)
        stated, words = stated[~again], words[~again]
    known = words.notna()
    nobody = not known.any() or (not known[stated.index.isin(units)].any() and stated.index.isin(units).any())
    differ = known.to_numpy() & ~stated.index.isin(units) & spelt.isin(units) if not tidy_labels else None
    hint = "" if differ is None or not differ.any() else _spelling_hint(stated.index[differ], spelt[differ])
    stated, words = stated[known], words[known]
    _check_one_each(stated.index)
    if nobody:
        return None
    position = stated.index.get_indexer(units)
    if not (position >= 0).any():
        whose = "departments" if by_department else "trusts"
        raise DataError(
            f"none of the rated {whose} is in the data",
            rows=[_shown(label) for label in stated.index[:3]],
            expected=f"labels such as {_shown(units[0])}",
            action=hint or "check that both use the same codes (text and numbers differ)",
        )
    if hint:
        warnings.warn(hint, DataWarning, stacklevel=5)
    matched = np.unique(position[position >= 0])
    scale = read_scale(stated.iloc[matched], words.iloc[matched], order, strong_from)
    levels = scale.levels
    if len(levels) > MOST_BANDS:
        raise DataError(
            f"the rating has {len(levels):,} different values",
            column=names.RATING,
            expected=f"at most {MOST_BANDS} bands",
            action="cut the score into bands first, for example with pandas.qcut",
        )
    place = {word: number for number, word in enumerate(levels)}
    # The last entry is for units that are not found, whose position is −1.
    band_of_row = np.array([*(place.get(word, -1) for word in words), -1], dtype=np.int64)
    band = band_of_row[position]
    return Ratings(
        levels=tuple(levels.values()),
        cell_band=band if by_department else band[cells.cell_trust],
        trust_band=None if by_department else band,
        strong=scale.strong,
        strong_rule=scale.rule,
    )


def column_ratings(
    cells: Cells,
    row_cell: IntArray,
    column: pd.Series,
    order: Sequence[Any] | None = None,
    strong_from: Any = None,
) -> Ratings | None:
    """Ratings from a column of the data: of trusts, or of departments where it differs inside most trusts.

    Parameters
    ----------
    cells : Cells
    row_cell : int array (R,)
        Cell of each row of the data.
    column : Series (R,)
        Rating of each row; may be missing.
    order, strong_from : optional
        As for `read_ratings`.

    Returns
    -------
    Ratings or None
        None where nobody is rated.

    Raises
    ------
    DataError
        As `read_ratings`; where a department has two ratings; and where only a few trusts have departments
        rated differently, which is more likely a slip than ratings of departments.
    """
    frame = pd.DataFrame(
        {"cell": row_cell, names.RATING: column.array, "word": words_of(column, order).array}
    ).dropna(subset="word")
    frame = frame.drop_duplicates(["cell", "word"])
    frame["code"] = cells.cell_trust[frame["cell"]]
    frame[names.TRUST] = cells.trusts[frame["code"]]
    frame[names.DEPARTMENT] = cells.departments[cells.cell_department[frame["cell"]]]
    of_trust = frame.drop_duplicates(["code", "word"])
    differs = np.bincount(of_trust["code"], minlength=cells.n_trusts) > 1
    if not differs.any():
        return read_ratings(cells, of_trust[[names.TRUST, names.RATING]], order, strong_from)
    comparable = np.bincount(cells.cell_trust[frame["cell"].unique()], minlength=cells.n_trusts) > 1
    if frame["cell"].duplicated().any() or 2 * differs.sum() < comparable.sum():
        raise DataError(
            "a trust has more than one rating",
            column=str(column.name),
            rows=[f"trust {label}" for label in cells.trusts[differs]],
            expected="one overall rating per trust, or one rating per department of each trust",
            action="choose one, for example the latest, and pass it as a mapping; ratings of departments as a frame "
            "with the columns trust, department, rating",
        )
    return read_ratings(cells, frame[[names.TRUST, names.DEPARTMENT, names.RATING]], order, strong_from)


def rating_status(status: npt.NDArray[np.str_], ratings: Ratings | None) -> npt.NDArray[np.str_]:
    """Cross each department's status with the rating it is compared with, (C,).

    A dark spot with a strong rating is `dark in strong`, a bright spot with a weak one `bright in weak`, and every
    other rated department `concordant`: for one whose status is `cannot tell` that is no evidence of agreement. Those
    without a rating are `not rated`, and so are all where it is not known which ratings are strong.
    """
    if ratings is None or ratings.strong is None:
        return np.full(len(status), names.NOT_RATED)
    rated = ratings.cell_band >= 0
    strong = ratings.strong[ratings.cell_band] & rated
    return np.select(
        [~rated, (status == names.DARK) & strong, (status == names.BRIGHT) & ~strong],
        [names.NOT_RATED, names.DARK_IN_STRONG, names.BRIGHT_IN_WEAK],
        default=names.CONCORDANT,
    )


def carried_over(ratings: Ratings, cells: Cells, to: Cells) -> Ratings | None:
    """The ratings for `to`, a part of `cells`, without bands that no longer occur; None where nobody rated is left."""
    by_department = ratings.trust_band is None
    before, after = _unit_labels(cells, by_department), _unit_labels(to, by_department)
    band = ratings.cell_band if ratings.trust_band is None else ratings.trust_band
    band = band[before.get_indexer(after)]
    left = np.unique(band[band >= 0])
    if not len(left):
        return None
    place = np.full(len(ratings.levels) + 1, -1, dtype=np.int64)  # the last entry is for −1
    place[left] = np.arange(len(left))
    band = place[band]
    return replace(
        ratings,
        levels=tuple(ratings.levels[level] for level in left),
        cell_band=band if by_department else band[to.cell_trust],
        trust_band=None if by_department else band,
        strong=None if ratings.strong is None else ratings.strong[left],
    )


def stated(ratings: Ratings, cells: Cells) -> pd.Series:
    """Ratings as `read_ratings` takes them: an ordered categorical by trust, or by (trust, department)."""
    band = ratings.cell_band if ratings.trust_band is None else ratings.trust_band
    rated = band >= 0
    bands = pd.Categorical.from_codes(band[rated], categories=pd.Index(list(ratings.levels)), ordered=True)
    return pd.Series(bands, index=_unit_labels(cells, ratings.by_department)[rated])


def _frequencies(band: IntArray, levels: int) -> FloatArray:
    counts = np.bincount(band[band >= 0], minlength=levels)
    return np.asarray(counts / counts.sum(), dtype=np.float64)


def _as_series(values: Any) -> pd.Series:
    """Ratings by trust, or by (trust, department), with an index of plain objects."""
    if isinstance(values, pd.DataFrame):
        values = _frame_as_series(values)
    elif isinstance(values, Mapping):
        values = pd.Series(list(values.values()), index=pd.Index(list(values)), dtype=object)
    elif not isinstance(values, pd.Series):
        values = _frame_as_series(_as_pandas(values))
    if values.index.nlevels > 2:
        raise DataError(
            f"the ratings have {values.index.nlevels} keys", expected="trust, or trust and department"
        )
    if isinstance(values.index, pd.MultiIndex):
        return values.set_axis(pd.MultiIndex.from_tuples([tuple(key) for key in values.index]))
    return values.set_axis(values.index.astype(object))


def _as_pandas(values: object) -> pd.DataFrame:
    """Ratings in a table of another library."""
    try:
        frame = nw.from_native(values, eager_only=True)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        raise SettingsError(
            f"rating must be a column name, a mapping, a Series or a DataFrame; received {type(values).__name__}"
        ) from None
    return pd.DataFrame({name: frame[name].to_numpy() for name in frame.columns})


def _frame_as_series(frame: pd.DataFrame) -> pd.Series:
    frame = with_text_names(frame)
    if names.TRUST in frame.columns and names.RATING in frame.columns:
        keys = [name for name in (names.TRUST, names.DEPARTMENT) if name in frame.columns]
        return frame.set_index(keys)[names.RATING]
    if frame.shape[1] == 2:
        return frame.set_index(frame.columns[0])[frame.columns[1]]
    raise DataError(
        f"the rating frame has {frame.shape[1]} columns",
        expected="two columns (trust, rating), or columns named 'trust', 'rating' and, for ratings of "
        "departments, 'department'",
    )


def _unit_labels(cells: Cells, by_department: bool) -> pd.Index:
    """Labels of the units that are rated: trusts (T,), or (trust, department) pairs (C,)."""
    if not by_department:
        return pd.Index(cells.trusts, dtype=object)
    return pd.MultiIndex.from_arrays(
        [cells.trusts[cells.cell_trust], cells.departments[cells.cell_department]]
    )


def _in_spelling_of(units: pd.Index, stated: pd.Index) -> pd.Index:
    """Labels of ratings (`stated`) in the spelling of the data (`units`), where the data have them in some spelling."""
    if isinstance(units, pd.MultiIndex):
        levels = [
            _in_spelling_of(units.get_level_values(level).unique(), stated.get_level_values(level))
            for level in range(units.nlevels)
        ]
        return pd.MultiIndex.from_arrays(levels)
    own = set(units)
    spelling = {canonical_label(label): label for label in own if isinstance(label, str)}
    return pd.Index(
        [
            spelling.get(canonical_label(label), label)
            if isinstance(label, str) and label not in own
            else label
            for label in stated
        ],
        dtype=object,
    )


def _repeats(index: pd.Index, words: pd.Series) -> npt.NDArray[np.bool_]:
    """Which ratings repeat an earlier one: the same unit and the same word."""
    position = pd.factorize(index)[0]
    return pd.DataFrame({"unit": position, "word": words.to_numpy()}).duplicated().to_numpy()


def _spelling_hint(stated: pd.Index, spelt: pd.Index) -> str:
    """Say that ratings are not matched because the data spell their labels differently."""
    n = len(stated)
    pair = f"{_shown(stated[0])!r} for {_shown(spelt[0])!r}"
    return (
        f"{n:,} rating{'s are' if n > 1 else ' is'} of labels that the data spell differently ({pair}) and not "
        "matched: correct the spelling, or fit with tidy_labels=True"
    )


def _check_one_each(index: pd.Index) -> None:
    repeated = index[index.duplicated()]
    if len(repeated):
        unit = "trust" if index.nlevels == 1 else "department"
        raise DataError(
            f"a {unit} has more than one rating",
            rows=sorted({_shown(label) for label in repeated}),
            expected=f"one rating per {unit}",
        )


def _shown(label: Any) -> str:
    return " × ".join(map(str, label)) if isinstance(label, tuple) else str(label)
