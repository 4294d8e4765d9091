"""What an engine hands over: draws of the shared parameters, and effects trust by trust.

Cells × draws need never be held at once. An engine gives a `Posterior`, and whoever summarises it walks
through `Posterior.blocks()`: each block holds whole trusts, so every quantity that compares a department
with the rest of its own trust can be computed inside one block.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import special

from brightspots.common import vocabulary as names
from brightspots.common.arrays import FloatArray, IntArray
from brightspots.common.parallel import map_in_order
from brightspots.data.cells import Cells
from brightspots.engine.effects import EffectDraws
from brightspots.engine.levels import Level, effect_name, sd_name

Result = TypeVar("Result")

# Draws over which distributions of single departments are averaged: at least the first number, and more while
# cells × draws stays below the second.
_LEAST_DRAWS, _CELLS_TIMES_DRAWS = 64, 200_000

_LEAST_SD = np.float32(1e-12)
_INVERSE_ROOT = np.float32(1.0 / np.sqrt(2.0 * np.pi))


def enough_draws(cells: Cells) -> int:
    """How many shared draws to average the distributions of single departments over.

    The shared parameters move a department the less the larger the table is, so that a large one needs fewer.
    """
    return max(_LEAST_DRAWS, _CELLS_TIMES_DRAWS // cells.n_cells)


@dataclass(frozen=True)
class SharedDraws:
    """S equally weighted joint draws of the parameters that all trusts share.

    Parameters
    ----------
    intercept : (S,)
    coefficients : (S, K)
        Per unit of the scaled design columns of `Cells`.
    sd : mapping of level to (S,)
        Standard deviation of the effects of each level that is in the model, in the order of `levels.LEVELS`.
    type_effect : (S, A)
        Department-type effects a; zeros where the level is not in the model.
    effects : mapping of level to EffectDraws
        Of the levels whose effects are not normal: what they are distributed as, and draws of its parameters.
    sd_department_by_type : (S, D) or None
        Where every department type has its own; ``sd["department"]`` is then the root mean square over cells.
    """

    intercept: FloatArray
    coefficients: FloatArray
    sd: Mapping[Level, FloatArray]
    type_effect: FloatArray
    effects: Mapping[Level, EffectDraws] = field(default_factory=dict)
    sd_department_by_type: FloatArray | None = None

    @property
    def has_one_sd(self) -> bool:
        """Whether departments of all types have one σ."""
        return self.sd_department_by_type is None

    @property
    def departments_are_normal(self) -> bool:
        """Whether departments' effects are normal, and all of one σ."""
        return self.has_one_sd and "department" not in self.effects

    def sd_of_cells(self, cells: Cells, run: slice = slice(None)) -> FloatArray:
        """Draws of σ of the departments of some cells, (cells, S); (1, S) where all have the same."""
        if self.sd_department_by_type is None:
            return self.sd_of("department")[np.newaxis]
        return np.ascontiguousarray(self.sd_department_by_type[:, cells.cell_department[run]].T)

    def department_variance(self, cells: Cells) -> FloatArray:
        """Posterior mean of σ_v² of each cell's department, (C,); 0 where the level is not in the model."""
        if self.sd_department_by_type is not None:
            return np.asarray(np.mean(self.sd_department_by_type**2, axis=0)[cells.cell_department])
        return np.full(cells.n_cells, self.mean_variance("department"))

    @property
    def scalars(self) -> dict[str, FloatArray]:
        """Draws of every single number among the parameters, (S,) each, by the names under which they are published."""
        found = {names.INTERCEPT: self.intercept}
        found |= {sd_name(level): values for level, values in self.sd.items()}
        for level, of in self.effects.items():
            found |= {effect_name(level, name): values for name, values in of.natural.items()}
        return found

    def sd_of(self, level: Level) -> FloatArray:
        """Draws of the standard deviation of a level, (S,); zeros where the level is not in the model."""
        return self.sd.get(level, np.zeros(self.n_draws))

    def mean_variance(self, level: Level) -> float:
        """Posterior mean of σ² of a level; 0 where the level is not in the model."""
        return float(np.mean(self.sd[level] ** 2)) if level in self.sd else 0.0

    def take(self, draws: IntArray) -> SharedDraws:
        """Some of the draws, by their numbers."""
        by_type = self.sd_department_by_type
        return SharedDraws(
            self.intercept[draws],
            self.coefficients[draws],
            {level: values[draws] for level, values in self.sd.items()},
            self.type_effect[draws],
            {level: of.take(draws) for level, of in self.effects.items()},
            None if by_type is None else by_type[draws],
        )

    @property
    def n_draws(self) -> int:
        """S."""
        return len(self.intercept)

    def leaf_predictor(self, cells: Cells, leaves: slice = slice(None)) -> FloatArray:
        """Offset + x'β + a for some leaves, (leaves, S): the linear predictor before u, v and w."""
        fixed = self.intercept + self.type_effect[:, cells.leaf_type[leaves]].T
        if self.coefficients.shape[1]:
            fixed = fixed + cells.design[leaves] @ self.coefficients.T
        return fixed + cells.offset[leaves, np.newaxis]

    def mean_leaf_predictor(self, cells: Cells) -> FloatArray:
        """Posterior mean of offset + x'β + a of each leaf, (N,): what it would be at u = v = w = 0.

        It is linear in the draws, so it is computed from their means, without a (leaves, S) array.
        """
        types = self.type_effect.mean(axis=0)[cells.leaf_type]
        fixed: FloatArray = cells.offset + self.intercept.mean() + types
        return fixed + cells.design @ self.coefficients.mean(axis=0)


class Conditional(NamedTuple):
    """Nearly normal distributions of effects given a draw of all that they depend on, unit by unit and draw by draw.

    Arrays (units, S) of single precision: mean, standard deviation, skewness and excess kurtosis.
    """

    mean: npt.NDArray[np.float32]
    sd: npt.NDArray[np.float32]
    skewness: npt.NDArray[np.float32]
    kurtosis: npt.NDArray[np.float32]

    def above(self, threshold: FloatArray) -> npt.NDArray[np.float32]:
        """P(v > threshold), (cells, S), by Edgeworth's series to second order (Hall 1992, ch. 2)."""
        # Beyond 10 standard deviations the normal's tail is below 1e-22.
        z = np.clip((threshold.astype(np.float32) - self.mean) / np.maximum(self.sd, _LEAST_SD), -10.0, 10.0)
        square = z * z
        correction = self.skewness * (square - 1.0) / 6.0 + z * (
            self.kurtosis * (square - 3.0) / 24.0
            + self.skewness**2 * ((square - 10.0) * square + 15.0) / 72.0
        )
        density = np.exp(-0.5 * square) * _INVERSE_ROOT
        return np.asarray(np.clip(special.ndtr(-z) + density * correction, 0.0, 1.0))


@dataclass(frozen=True)
class EffectBlock:
    """Draws of the effects of a few whole trusts, jointly with `SharedDraws` draw by draw.

    Parameters
    ----------
    trusts, cells : slice
        Which trusts and which cells, in the order of `Cells`.
    trust_effect : (trusts, S)
        u.
    department_effect : (cells, S)
        v; zeros where the level is not in the model.
    conditional : Conditional or None
        What v was drawn from, where the engine knows it: averages over it carry less noise than over the draws
        (Rao & Blackwell).
    """

    trusts: slice
    cells: slice
    trust_effect: FloatArray
    department_effect: FloatArray
    conditional: Conditional | None = None

    def above(self, threshold: FloatArray) -> npt.NDArray[np.floating]:
        """P(v > threshold) draw by draw, (cells, S), where `threshold` does not depend on the cell's own v."""
        if self.conditional is None:
            return np.where(np.isnan(threshold), np.nan, self.department_effect > threshold)
        return self.conditional.above(threshold)


@dataclass(frozen=True)
class ShapeBlock:
    """Distributions, not draws, of the effects of a few whole trusts, given each draw of `SharedDraws`.

    Parameters
    ----------
    trusts, cells : slice
        Which trusts and which cells, in the order of `Cells`.
    trust : Conditional
        Of u, (trusts, S).
    department : Conditional
        Of v where u is at its mean, (cells, S). Given u the effects of a trust's departments are independent, and their
        cumulants move with it: dκₙ/du = κₙ₊₁/σ_v², for the mean less 1 (Tweedie's formula; Efron 2011, JASA 106:1602).
    trust_sd, department_sd : (trusts, S), (cells, S)
        σ_u and σ_v: where effects are a mixture of normals, those of the component that each effect is of in the draw.
    exceptional : mapping of level to (units,)
        Probability of each trust or department of being exceptional, where effects are a mixture of two normals.
    """

    trusts: slice
    cells: slice
    trust: Conditional
    department: Conditional
    trust_sd: FloatArray
    department_sd: FloatArray
    exceptional: Mapping[Level, FloatArray] = field(default_factory=dict)


class Shapes(Protocol):
    """The distributions of all effects, given some draws of the shared parameters."""

    @property
    def shared(self) -> SharedDraws:
        """The draws that are given."""
        ...

    def map_shapes(self, work: Callable[[ShapeBlock], Result]) -> Iterator[Result]:
        """Apply `work` to every trust once, in order, on all cores."""
        ...


@dataclass(frozen=True)
class Certificate:
    """Whether the numbers of a fit may be relied on, and why.

    Parameters
    ----------
    method : {"integrate", "nuts"}
    effective_draws : float
        Effective number of independent posterior draws of the worst-determined shared parameter.
    pareto_k : float
        Shape of the tail of the importance weights (Vehtari et al. 2024); NaN for NUTS.
    r_hat : float
        Largest rank-normalised split R-hat (Vehtari et al. 2021); NaN for the integrating engine.
    divergences : int
        Divergent transitions of NUTS; 0 for the integrating engine.
    seconds : float
        Wall time of the fit.
    ok : bool
    message : str
        One line: what holds, or what does not and what to do.
    shortfall : float
        By what factor the worst of the checks misses its limit; 1 or less where all hold. NaN where it is not known.
    """

    method: str
    effective_draws: float
    pareto_k: float
    r_hat: float
    divergences: int
    seconds: float
    ok: bool
    message: str
    shortfall: float = float("nan")


def worst_of(*factors: float) -> float:
    """Largest of the factors by which checks miss their limits; one that cannot be computed misses by all."""
    return max(math.inf if math.isnan(factor) else factor for factor in factors)


class Posterior(Protocol):
    """What every engine gives."""

    @property
    def cells(self) -> Cells:
        """The data that were fitted."""
        ...

    @property
    def shared(self) -> SharedDraws:
        """Draws of σ's, intercept, coefficients and department-type effects."""
        ...

    @property
    def chains(self) -> int:
        """Number of chains that the S draws are made of, equally long and in order (1 for independent draws)."""
        ...

    def blocks(self) -> Iterator[EffectBlock]:
        """Every trust once, in order; the same numbers each time it is called."""
        ...

    def map_blocks(self, work: Callable[[EffectBlock], Result]) -> Iterator[Result]:
        """Apply `work` to every block, on all cores, in order: for work that is heavier than passing blocks on."""
        ...

    def shapes(self, most: int) -> Shapes | None:
        """Distributions of effects given at most so many draws, thinned; None where nothing but draws is known."""
        ...


@dataclass(frozen=True)
class StoredPosterior:
    """A posterior whose effects are held in memory: what NUTS gives and what a file gives back."""

    cells: Cells
    shared: SharedDraws
    trust_effect: FloatArray
    department_effect: FloatArray
    chains: int = 1

    # Numbers of a block that are held at once: large enough for NumPy, small beside the draws themselves.
    BLOCK_NUMBERS = 500_000

    def blocks(self) -> Iterator[EffectBlock]:
        """Slices of the stored arrays."""
        for trusts, cells in trust_blocks(self.cells, self.BLOCK_NUMBERS // self.shared.n_draws):
            yield EffectBlock(trusts, cells, self.trust_effect[trusts], self.department_effect[cells])

    def map_blocks(self, work: Callable[[EffectBlock], Result]) -> Iterator[Result]:
        """Apply `work` to every block, on all cores, in order."""
        return map_in_order(work, self.blocks())

    def shapes(self, most: int) -> None:  # noqa: ARG002
        """None: nothing but draws is known of its effects."""
        return


def trust_blocks(cells: Cells, cells_per_block: int) -> Iterator[tuple[slice, slice]]:
    """Cut the trusts into runs of whole trusts with about `cells_per_block` cells each.

    Yields
    ------
    tuple of slice
        Trusts, and their cells.
    """
    bounds = cells.trust_cells
    start = 0
    while start < cells.n_trusts:
        stop = int(np.searchsorted(bounds, bounds[start] + max(cells_per_block, 1), side="right")) - 1
        stop = min(max(stop, start + 1), cells.n_trusts)
        yield slice(start, stop), slice(int(bounds[start]), int(bounds[stop]))
        start = stop
