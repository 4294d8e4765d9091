"""Logistic regression on counts by case mix: by statsmodels, or for large designs by Newton's method in blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from brightspots.common.arrays import FloatArray, IntArray
from brightspots.common.parallel import spans

# Numbers in the largest dense design that is made at once: 128 MiB.
LARGEST_DESIGN: Final = 2**24
_MOST_STEPS: Final = 30
_MOST_BRAKED_STEPS: Final = 200
# Newton's method stops where no coefficient changes by more: it squares its error in each step.
_CONVERGED: Final = 1e-8
# Longest step in `_by_blocks`: a longer one can end where the likelihood is flat, from where no step leads back.
_LONGEST_STEP: Final = 2.0
# A log-odds ratio beyond this (3 million to one) is taken to grow without limit.
_LARGEST_COEFFICIENT: Final = 15.0
_ALIAS_TOLERANCE: Final = 1e-9
NO_MAXIMUM: Final = "the likelihood has no finite maximum"


@dataclass(frozen=True, eq=False)
class Counts:
    """The data of one model: S strata, each with one department type and one level of each of K factors.

    Parameters
    ----------
    group : int array (S,)
        Which of the model's G department types a stratum belongs to.
    codes : int array (S, K)
        Level of each factor.
    records, events : int array (S,)
    levels : tuple of int (K,)
        How many levels each factor has.
    groups : int
        G.
    """

    group: IntArray
    codes: npt.NDArray[np.int16]
    records: IntArray
    events: IntArray
    levels: tuple[int, ...]
    groups: int


@dataclass(frozen=True, eq=False)
class LogisticFit:
    """A fitted logistic model: logit p = intercept of the type + coefficient of each factor's level.

    Parameters
    ----------
    intercepts, intercept_errors : float array (G,)
    coefficients, errors : tuple of float arrays (L,)
        0 with a missing error at the reference and at aliased levels; NaN at levels without records.
    means : tuple of float (K,)
        Mean coefficient of each factor over the records.
    records, events : tuple of int arrays (L,)
        Of each level.
    references : tuple of int (K,)
        The level with most records.
    aliased : tuple of (factor, level)
        Levels that other columns already determine: their coefficient is 0.
    separated : tuple of (factor, level)
        Levels in which nobody or everybody had the event.
    penalty : str
        Why the coefficients are penalised; empty where they are not.
    """

    intercepts: FloatArray
    intercept_errors: FloatArray
    coefficients: tuple[FloatArray, ...]
    errors: tuple[FloatArray, ...]
    means: tuple[float, ...]
    records: tuple[IntArray, ...]
    events: tuple[IntArray, ...]
    references: tuple[int, ...]
    aliased: tuple[tuple[int, int], ...]
    separated: tuple[tuple[int, int], ...]
    penalty: str


@dataclass(frozen=True, eq=False)
class _Design:
    """Columns of the design: G intercepts first, then the levels that are estimated.

    Parameters
    ----------
    counts : Counts
    columns : tuple of int arrays (L,)
        Column of each level of each factor; −1 for levels without one (references, aliased or absent levels).
    width : int
        Number of columns.
    """

    counts: Counts
    columns: tuple[IntArray, ...]
    width: int

    def rows(self, part: slice) -> FloatArray:
        """The dense design of some strata, (strata, width), of 0 and 1."""
        group = self.counts.group[part]
        X = np.zeros((len(group), self.width), order="F")  # as cross-products read it fastest
        row = np.arange(len(group))
        X[row, group] = 1.0
        for position, columns in enumerate(self.columns):
            column = columns[self.counts.codes[part, position]]
            here = column >= 0
            X[row[here], column[here]] = 1.0
        return X

    def blocks(self) -> list[slice]:
        """Consecutive strata whose design has at most a quarter of `LARGEST_DESIGN` numbers."""
        return spans(len(self.counts.group), max(1, LARGEST_DESIGN // (4 * self.width)))


def fit_logistic(counts: Counts) -> LogisticFit:
    """Fit by maximum likelihood; where that has no finite maximum, with a weak penalty.

    Where a level has no events, or only events, or a coefficient grows without limit all the same, every coefficient
    except the intercepts gets a log-F(1, 1) prior: its log density is β/2 − log(1 + exp(β)), the likelihood of half a
    patient with the event and half a patient without in a stratum of their own (Greenland & Mansournia 2015, Stat Med
    34:3133). Intercepts have a flat prior, so that expected events still sum to those observed in every department
    type.

    Parameters
    ----------
    counts : Counts
        Every group has records with and without the event.
    """
    by_level = [
        (
            np.bincount(counts.codes[:, k], counts.records, levels),
            np.bincount(counts.codes[:, k], counts.events, levels),
        )
        for k, levels in enumerate(counts.levels)
    ]
    references = tuple(int(np.argmax(records)) for records, _ in by_level)
    design = _lay_out(counts, [records > 0 for records, _ in by_level], references)
    design, aliased = _without_aliases(design)
    separated = tuple(
        (k, int(level))
        for k, (records, events) in enumerate(by_level)
        for level in np.flatnonzero((records > 0) & ((events == 0) | (events == records)))
        if (records > 0).sum() > 1
    )
    start = np.zeros(design.width)
    of_group = np.bincount(counts.group, counts.events, counts.groups)
    start[: counts.groups] = logit(of_group / np.bincount(counts.group, counts.records, counts.groups))
    penalty = "a level has no events, or only events" if separated else ""
    estimate = None if separated else _maximise(design, start, penalised=False)
    if estimate is None:
        penalty = penalty or NO_MAXIMUM
        estimate = _maximise(design, start, penalised=True)
    if estimate is None:
        raise ArithmeticError(
            "a penalised logistic model did not converge"
        )  # its likelihood is strictly concave
    return _labelled(design, by_level, references, aliased, separated, penalty, estimate)


def _lay_out(counts: Counts, present: Sequence[npt.NDArray[np.bool_]], references: Sequence[int]) -> _Design:
    """Give a column to each level that has records and is not the reference."""
    columns, width = [], counts.groups
    for here, reference in zip(present, references, strict=True):
        estimated = here.copy()
        estimated[reference] = False
        of_level = np.full(len(here), -1, dtype=np.int64)
        of_level[estimated] = width + np.arange(estimated.sum())
        columns.append(of_level)
        width += int(estimated.sum())
    return _Design(counts, tuple(columns), width)


def _without_aliases(design: _Design) -> tuple[_Design, tuple[tuple[int, int], ...]]:
    """Leave out columns that are linear combinations of those before them (Gaussian elimination of X'X).

    Also returns the levels without a column therefore, as (factor, level).
    """
    gram = np.zeros((design.width, design.width))
    for block in design.blocks():
        X = design.rows(block)
        gram += X.T @ X
    scale = np.sqrt(np.diag(gram))
    gram /= np.outer(scale, scale)
    keep = np.ones(design.width, dtype=bool)
    for column in range(design.width):
        pivot = gram[column, column]
        if pivot < _ALIAS_TOLERANCE:
            keep[column] = False
            gram[column], gram[:, column] = 0.0, 0.0
            continue
        gram[column + 1 :] -= np.outer(gram[column + 1 :, column], gram[column]) / pivot
    if keep.all():
        return design, ()
    renumbered = np.where(keep, np.cumsum(keep) - 1, -1)
    aliased = tuple(
        (k, int(level))
        for k, columns in enumerate(design.columns)
        for level in np.flatnonzero((columns >= 0) & ~keep[columns])
    )
    columns = tuple(np.where(columns >= 0, renumbered[columns], -1) for columns in design.columns)
    return _Design(design.counts, columns, int(keep.sum())), aliased


def _maximise(design: _Design, start: FloatArray, *, penalised: bool) -> tuple[FloatArray, FloatArray] | None:
    """Coefficients and standard errors, or None where there is no finite maximum."""
    found = None
    if len(design.counts.group) * design.width <= LARGEST_DESIGN:
        found = _by_statsmodels(design, start, penalised=penalised)
    if found is None:  # too large for statsmodels, or its full Newton steps overshot
        found = _by_blocks(design, start, penalised=penalised)
    if found is None or (not penalised and _runs_away(found[0], design)):
        return None
    return found


def _runs_away(beta: FloatArray, design: _Design) -> bool:
    return bool(np.abs(beta[design.counts.groups :]).max(initial=0.0) > _LARGEST_COEFFICIENT)


def _by_statsmodels(
    design: _Design, start: FloatArray, *, penalised: bool
) -> tuple[FloatArray, FloatArray] | None:
    """Fit a binomial GLM by Newton's method; the penalty is added as strata of half an event and half none.

    None where it does not converge.
    """
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLM

    counts = design.counts
    X = design.rows(slice(None))
    cases = np.column_stack([counts.events, counts.records - counts.events]).astype(np.float64)
    if penalised:
        extra = np.eye(design.width)[counts.groups :]
        X = np.concatenate([X, extra])
        cases = np.concatenate([cases, np.full((len(extra), 2), 0.5)])
    model = GLM(cases, X, family=Binomial())
    try:
        fitted: Any = model.fit(
            start_params=start, method="newton", max_start_irls=0, maxiter=_MOST_STEPS, disp=0
        )
    except np.linalg.LinAlgError:
        return None
    beta, error = np.asarray(fitted.params), np.asarray(fitted.bse)
    # It may report convergence after overshooting to where the likelihood is flat. At a true maximum expected events
    # sum to the observed ones in each group.
    p = np.asarray(fitted.fittedvalues)[: len(counts.group)]
    expected = np.bincount(counts.group, counts.records * p, counts.groups)
    observed = np.bincount(counts.group, counts.events, counts.groups)
    if np.isfinite(beta).all() and np.allclose(expected, observed, rtol=1e-9, atol=0.0):
        return beta, error
    return None


def _by_blocks(
    design: _Design, start: FloatArray, *, penalised: bool
) -> tuple[FloatArray, FloatArray] | None:
    """Newton's method with step halving; the design is made block by block. None where it does not converge."""
    beta = start
    value, gradient, information = _likelihood(design, beta, penalised=penalised)
    for _ in range(_MOST_BRAKED_STEPS):
        try:
            step = np.linalg.solve(information, gradient)
        except np.linalg.LinAlgError:
            return None
        if not np.isfinite(step).all():
            return None
        if np.abs(step).max() < _CONVERGED:
            return beta + step, np.sqrt(np.diag(np.linalg.inv(information)))
        step = step * min(1.0, _LONGEST_STEP / np.abs(step).max())
        following = _likelihood(design, beta + step, penalised=penalised)
        while following[0] < value - 1e-12 * abs(value) and np.abs(step).max() > _CONVERGED:
            step = step / 2.0
            following = _likelihood(design, beta + step, penalised=penalised)
        beta = beta + step
        value, gradient, information = following
        if not penalised and _runs_away(beta, design):
            return None
    return None


def _likelihood(
    design: _Design, beta: FloatArray, *, penalised: bool
) -> tuple[float, FloatArray, npt.NDArray[np.float64]]:
    """Log of the (penalised) likelihood, its gradient (width,) and the information matrix (width, width)."""
    counts = design.counts
    prior = np.zeros(design.width)
    prior[counts.groups :] = float(penalised)
    half = expit(beta)
    value = float(prior @ (0.5 * beta - np.logaddexp(0.0, beta)))
    gradient = prior * (0.5 - half)
    information = np.diag(prior * half * (1.0 - half))
    for block in design.blocks():
        X, n, y = design.rows(block), counts.records[block], counts.events[block]
        eta = X @ beta
        p = expit(eta)
        value += float(y @ eta - n @ np.logaddexp(0.0, eta))
        gradient += X.T @ (y - n * p)
        information += X.T @ (X * (n * p * (1.0 - p))[:, None])
    return value, gradient, information


def _labelled(
    design: _Design,
    by_level: Sequence[tuple[npt.NDArray[Any], npt.NDArray[Any]]],
    references: tuple[int, ...],
    aliased: tuple[tuple[int, int], ...],
    separated: tuple[tuple[int, int], ...],
    penalty: str,
    estimate: tuple[FloatArray, FloatArray],
) -> LogisticFit:
    """The result by level: `estimate` is coefficients and standard errors by column of the design."""
    beta, error = estimate
    coefficients, errors, means = [], [], []
    for columns, (records, _) in zip(design.columns, by_level, strict=True):
        estimated = columns >= 0
        of_level = np.where(estimated, beta[columns], 0.0)
        coefficients.append(np.where(records > 0, of_level, np.nan))
        errors.append(np.where(estimated, error[columns], np.nan))
        means.append(float(records @ of_level / records.sum()))
    groups = design.counts.groups
    return LogisticFit(
        intercepts=beta[:groups],
        intercept_errors=error[:groups],
        coefficients=tuple(coefficients),
        errors=tuple(errors),
        means=tuple(means),
        records=tuple(records.astype(np.int64) for records, _ in by_level),
        events=tuple(events.astype(np.int64) for _, events in by_level),
        references=references,
        aliased=aliased,
        separated=separated,
        penalty=penalty,
    )
