"""Case-mix models: one logistic model for each department type, and a pooled one for types with few events."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from threadpoolctl import threadpool_limits

from brightspots.casemix.factors import Factor
from brightspots.casemix.logistic import Counts, LogisticFit, fit_logistic
from brightspots.casemix.strata import Patterns, Types, decode
from brightspots.common.arrays import FloatArray, IntArray, LabelArray
from brightspots.common.errors import DataError
from brightspots.common.parallel import map_in_order, spans

# Fewest events, and records without the event, for each coefficient (Peduzzi et al. 1996, J Clin Epidemiol 49:1373).
PER_COEFFICIENT: Final = 10
_AT_ONCE: Final = 250_000
LEFT_OUT, OWN, POOLED = "left out", "own", "pooled"


@dataclass(frozen=True, eq=False)
class CaseMixModel:
    """Fitted models of all department types, with all that `standardise` needs to score other records.

    Parameters
    ----------
    departments : array (D,)
        Sorted labels.
    factors : tuple of Factor (K,)
    fits : tuple of LogisticFit
        One for each type with a model of its own, then the pooled one, if any.
    members : tuple of int arrays
        The department types of each fit, as positions in `departments`.
    kind : array of {"own", "pooled", "left out"} (D,)
        Which model each department type has.
    min_events : int
        Events, and records without the event, that a type needs for a model of its own.
    missing : {"level", "drop", "error"}
        What was done with missing case mix.
    """

    departments: LabelArray
    factors: tuple[Factor, ...]
    fits: tuple[LogisticFit, ...]
    members: tuple[IntArray, ...]
    kind: LabelArray
    min_events: int
    missing: str

    @property
    def intercepts(self) -> FloatArray:
        """Intercept of each department type (D,), NaN where it is left out."""
        found = np.full(len(self.departments), np.nan)
        for fit, members in zip(self.fits, self.members, strict=True):
            found[members] = fit.intercepts
        return found

    def coefficients(self) -> list[FloatArray]:
        """Coefficient of each code of each factor, (D, L + 1) each; NaN where a type's records had no such value."""
        found = [np.full((len(self.departments), factor.radix), np.nan) for factor in self.factors]
        for fit, members in zip(self.fits, self.members, strict=True):
            for table, factor, coefficient in zip(found, self.factors, fit.coefficients, strict=True):
                table[members, : factor.unseen] = coefficient
        return found

    def scores(self) -> list[FloatArray]:
        """`coefficients` with NaN replaced by the mean coefficient over the records that the model was fitted to."""
        filled = []
        for position, table in enumerate(self.coefficients()):
            for fit, members in zip(self.fits, self.members, strict=True):
                rows = table[members]
                rows[np.isnan(rows)] = fit.means[position]
                table[members] = rows
            filled.append(table)
        return filled


def fit_models(
    types: Types, patterns: Patterns, factors: tuple[Factor, ...], *, min_events: int | None, missing: str
) -> CaseMixModel:
    """Decide which types have a model of their own, and fit all models.

    A type whose outcome never varies is left out. Of the others, one with fewer than `min_events` events, or records
    without the event, shares the coefficients of one pooled model, which has an intercept for each of its types. Where
    the pool itself is that small, the smallest of the other types join it.

    Raises
    ------
    DataError
        Where no type has records both with and without the event.
    """
    if min_events is None:
        present = _levels_present(patterns, factors)
        min_events = PER_COEFFICIENT * max(1, sum(max(0, levels - 1) for levels in present))
    used = _used(types, patterns)
    scarce = np.minimum(used.events, used.records - used.events)
    kind = np.full(len(types.labels), OWN, dtype=object)
    kind[scarce < min_events] = POOLED
    kind[scarce == 0] = LEFT_OUT
    if (kind == LEFT_OUT).all():
        raise DataError(
            "no department has records both with and without the event",
            expected="an outcome that varies within a department",
            action="nothing can be expected of such records: check the outcome",
        )
    _fill_pool(kind, used, min_events)
    members = [np.array([position]) for position in np.flatnonzero(kind == OWN)]
    if (kind == POOLED).any():
        members.append(np.flatnonzero(kind == POOLED))

    def fit(group: IntArray) -> LogisticFit:
        return fit_logistic(_counts(patterns, group, factors))

    # Models are spread over the cores, so each gets one thread of linear algebra. Warnings of statsmodels (convergence,
    # separation) are silenced: `fit_logistic` checks for both itself.
    with threadpool_limits(limits=1, user_api="blas"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fits = tuple(map_in_order(fit, members))
    return CaseMixModel(types.labels, factors, fits, tuple(members), kind, min_events, missing)


def _used(types: Types, patterns: Patterns) -> Types:
    """Department types with the counts of only those records that enter the fit."""
    size = len(types.labels)
    return replace(
        types,
        records=np.bincount(patterns.type, patterns.records, size).astype(np.int64),
        events=np.bincount(patterns.type, patterns.events, size).astype(np.int64),
    )


def _fill_pool(kind: LabelArray, used: Types, min_events: int) -> None:
    """Change `kind` of the smallest types from "own" to "pooled" while the pool has fewer than `min_events`."""
    scarce = np.minimum(used.events, used.records - used.events)
    others = [position for position in np.argsort(scarce, kind="stable") if kind[position] == OWN]
    for position in others:
        pool = kind == POOLED
        if not pool.any() or scarce[pool].sum() >= min_events:
            return
        kind[position] = POOLED


def _levels_present(patterns: Patterns, factors: Sequence[Factor]) -> list[int]:
    """Number of codes of each factor that occur in the records."""
    seen = [np.zeros(factor.radix, dtype=bool) for factor in factors]
    for part in spans(len(patterns.code), _AT_ONCE):
        for position, codes in enumerate(decode(patterns.code[part], factors).T):
            seen[position][codes] = True
    return [int(levels.sum()) for levels in seen]


def _counts(patterns: Patterns, members: IntArray, factors: Sequence[Factor]) -> Counts:
    parts = [patterns.of_type(int(position)) for position in members]
    rows = np.concatenate([np.arange(part.start, part.stop) for part in parts])
    sizes = [part.stop - part.start for part in parts]
    return Counts(
        group=np.repeat(np.arange(len(members)), sizes),
        codes=decode(patterns.code[rows], factors),
        records=patterns.records[rows],
        events=patterns.events[rows],
        levels=tuple(factor.unseen for factor in factors),
        groups=len(members),
    )


def predict(model: CaseMixModel, patterns: Patterns) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Fitted probability of each pattern, and which of its levels its type's model was not fitted to.

    Returns
    -------
    float array (P,)
        NaN for types that are left out.
    bool array (P, K)
    """
    intercepts, scores = model.intercepts, model.scores()
    unknown = [np.isnan(table) for table in model.coefficients()]
    p = np.empty(len(patterns.code))
    strange = np.zeros((len(patterns.code), len(model.factors)), dtype=bool)

    def fill(part: slice) -> None:
        of_type, codes = patterns.type[part], decode(patterns.code[part], model.factors)
        eta = intercepts[of_type]
        for position, (score, not_known) in enumerate(zip(scores, unknown, strict=True)):
            eta += score[of_type, codes[:, position]]
            strange[part, position] = not_known[of_type, codes[:, position]]
        p[part] = expit(eta)

    for _ in map_in_order(fill, spans(len(patterns.code), _AT_ONCE)):
        pass
    return p, strange
