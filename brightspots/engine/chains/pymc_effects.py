"""Effects of a level as variables of a PyMC model: normal ones, and those with heavier tails."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from brightspots.common import vocabulary as names
from brightspots.common.settings import EffectDistribution
from brightspots.data.cells import Cells
from brightspots.engine.effects import FACTOR_SCALE, FREEDOM_PRIOR, SHARE_PRIOR
from brightspots.engine.levels import Level, effect_name


@dataclass(frozen=True)
class Shape:
    """A distribution of effects with heavier tails than a normal one, its parameters being variables of the model.

    Parameters
    ----------
    unit : tensor
        The scale at which its standard deviation is 1.
    family : distribution of PyMC
    given : function
        Arguments of `family`, from a scale, which has one value or one a unit.
    """

    unit: Any
    family: Any
    given: Callable[[Any], dict[str, Any]]

    def excess(self, z: Any, size: int) -> Any:
        """Log density of `size` effects of scale 1 less that of standard normal ones, summed."""
        import pymc as pm

        heavy = pm.logp(self.family.dist(**self.given(1.0), shape=size), z)
        return pm.math.sum(heavy - pm.logp(pm.Normal.dist(0.0, 1.0, shape=size), z))


def heavy_shape(level: Level, distribution: EffectDistribution) -> Shape:
    """Put the parameters of a level's distribution into the model, under the names by which they are published."""
    return _student_t(level) if distribution == "student_t" else _two_normals(level)


def _student_t(level: Level) -> Shape:
    """Student's t with more than 2 degrees of freedom ν; of scale 1 its standard deviation is √(ν/(ν − 2))."""
    import pymc as pm

    name = effect_name(level, names.DEGREES_OF_FREEDOM)
    above_two = pm.Gamma(f"{name}_above_two", *FREEDOM_PRIOR)
    freedom = pm.Deterministic(name, 2.0 + above_two)
    unit = pm.math.sqrt(above_two / freedom)
    return Shape(unit, pm.StudentT, lambda scale: {"nu": freedom, "mu": 0.0, "sigma": scale})


def _two_normals(level: Level) -> Shape:
    """N(0, 1) and, with probability π, N(0, k²), of scale 1; which of them an effect is from is summed out."""
    import pymc as pm

    share = pm.Beta(effect_name(level, names.EXCEPTIONAL_SHARE), *SHARE_PRIOR)
    name = effect_name(level, names.EXCEPTIONAL_FACTOR)
    factor = pm.Deterministic(name, 1.0 + pm.HalfNormal(f"{name}_above_one", FACTOR_SCALE))
    weights, widths = pm.math.stack([1.0 - share, share]), pm.math.stack([1.0, factor])

    def given(scale: Any) -> dict[str, Any]:
        of_each = scale if np.ndim(scale) == 0 else scale[:, np.newaxis]
        return {"w": weights, "mu": 0.0, "sigma": of_each * widths}

    unit = 1.0 / pm.math.sqrt(1.0 - share + share * factor**2)
    return Shape(unit, pm.NormalMixture, given)


@dataclass(frozen=True)
class EffectLevel:
    """A level whose effects are sampled: their name, their standard deviation, their dims, and how.

    Parameters
    ----------
    name : str
    sd : tensor
        One, or one a unit.
    dims : tuple of str
    centred : bool
        Whether effects are sampled as they are, or as multiples of their standard deviation.
    heavy : Shape or None
        None for normal effects.
    """

    name: str
    sd: Any
    dims: tuple[str, ...]
    centred: bool
    heavy: Shape | None = None


def split_effect(level: EffectLevel, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Effects in two parts: deviations that sum to zero, and their mean.

    Normal effects N(0, sd²) have independent parts, the mean being N(0, sd²/size). Heavier tails are a potential on top
    of that, by which the parts depend on each other.

    Returns
    -------
    deviations, mean
        Their sum is registered as a Deterministic under the level's name.
    """
    import pymc as pm

    size, heavy = math.prod(shape), level.heavy
    scale = level.sd if heavy is None else level.sd * heavy.unit
    # One flat axis, whatever the dims: the effects share one mean, not one a row and one a column.
    if level.centred:
        deviation = pm.ZeroSumNormal(f"{level.name}_deviation", scale, shape=size)
    else:
        deviation = scale * pm.ZeroSumNormal(f"{level.name}_z", 1.0, shape=size)
    mean = scale * pm.Normal(f"{level.name}_mean_z", 0.0, 1.0) / np.sqrt(size)
    if heavy is not None:
        pm.Potential(f"{level.name}_tails", heavy.excess((deviation + mean) / scale, size))
    pm.Deterministic(level.name, (deviation + mean).reshape(shape), dims=level.dims)
    return deviation, mean


def effect(level: EffectLevel) -> Any:
    """Effects with standard deviation sd, sampled as they are (centred) or as multiples of sd (non-centred)."""
    import pymc as pm

    heavy = level.heavy
    if heavy is None:
        if level.centred:
            return pm.Normal(level.name, 0.0, level.sd, dims=level.dims)
        z = pm.Normal(f"{level.name}_z", 0.0, 1.0, dims=level.dims)
        return pm.Deterministic(level.name, level.sd * z, dims=level.dims)
    if level.centred:
        return heavy.family(level.name, **heavy.given(level.sd * heavy.unit), dims=level.dims)
    z = heavy.family(f"{level.name}_z", **heavy.given(1.0), dims=level.dims)
    return pm.Deterministic(level.name, level.sd * heavy.unit * z, dims=level.dims)


def effect_with_error(level: EffectLevel, cells: Cells) -> Any:
    """Department effects v plus errors ε ~ N(0, e²) of expected events, both registered; (C,).

    The data know the sum s alone. Where v is normal it is sampled as s and, for the split, v = κs + √κ·e·z with
    κ = sd²/(sd² + e²) and z standard normal, of which the data say nothing: no ridge is left along which v and ε trade.
    """
    import pymc as pm

    name, dims, sd = names.EXPECTED_ERROR, level.dims, level.sd
    error = np.sqrt(cells.error_variance)
    if level.heavy is not None:
        return effect(level) + effect(EffectLevel(name, error, dims, centred=False))
    spread = pm.math.sqrt(sd**2 + error**2)
    total = effect(EffectLevel(f"{level.name}_and_error", spread, dims, level.centred))
    kept = sd**2 / (sd**2 + error**2)
    z = pm.Normal(f"{name}_z", 0.0, 1.0, dims=dims)
    own = pm.Deterministic(level.name, kept * total + pm.math.sqrt(kept) * error * z, dims=dims)
    pm.Deterministic(name, total - own, dims=dims)
    return total
