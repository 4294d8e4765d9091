"""The model of brightspots written in PyMC: the reference that the engine is tested against, and yours to extend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from brightspots.common import vocabulary as names
from brightspots.common.arrays import FloatArray
from brightspots.common.settings import (
    Flat,
    HalfNormal,
    InverseGamma,
    LocationPrior,
    Normal,
    Priors,
    ScalePrior,
)
from brightspots.data.cells import Cells
from brightspots.engine.chains.pymc_effects import (
    EffectLevel,
    effect,
    effect_with_error,
    heavy_shape,
    split_effect,
)
from brightspots.engine.levels import Level, nested_levels, sd_name
from brightspots.engine.terms import Terms, resolve_priors
from brightspots.likelihood.family import CountFamily

if TYPE_CHECKING:
    import pymc as pm

# A level is sampled centred where its units are typically known this many times better than their prior tells, judged
# at standard deviations usual for hospital outcomes (Betancourt & Girolami 2015). Below it a σ near zero would make a
# funnel that NUTS cannot enter.
CENTRED_FROM = 4.0
TYPICAL_SD = 0.2
TYPICAL_TYPE_SD = 0.1

# Dimension of the effects of each nested level below the outermost one.
_UNITS: dict[Level, str] = {"department": names.CELL, "period": "leaf"}


def build_model(cells: Cells, priors: Priors) -> pm.Model:
    """Write the hierarchy as a PyMC model.

    Variables are named as in the posterior that brightspots returns: `intercept, coefficient, sd_trust,
    sd_department, sd_period, sd_department_type, trust_effect (trust), department_effect (cell),
    period_effect (leaf), department_type_effect (department[, period])`; where department effects are not normal
    `degrees_of_freedom` (Student's t) or `exceptional_share` and `exceptional_factor` (the mixture), and the same with
    `trust_` before them for trusts; `sd_department_by_type (department)` where each type has its own, `expected_error
    (cell)` where the error of what was expected is known. The level of the whole is sampled flat, with the intercept's
    prior as a potential, and so are heavier tails of trusts: posterior but not prior predictive draws can be made.

    Parameters
    ----------
    cells : Cells
    priors : Priors

    Returns
    -------
    pymc.Model
    """
    import pymc as pm

    terms = resolve_priors(cells, priors)
    with pm.Model(coords=_coords(cells)) as model:
        centred = _centred_levels(cells)
        sd = _standard_deviations(cells, terms, priors)
        heavy = priors.distributions

        def level_of(name: Level, *dims: str) -> EffectLevel:
            shape = heavy_shape(name, heavy[name]) if name in heavy else None
            return EffectLevel(f"{name}_effect", sd[name], dims, centred[name], shape)

        trust_deviation, trust_mean = split_effect(level_of("trust", names.TRUST), (cells.n_trusts,))
        # What the data know is the overall level, intercept plus mean effects; sampling that instead of the
        # intercept takes away the ridge along which one trades against the others.
        level = pm.Flat("level")
        eta: Any = cells.offset + level + trust_deviation[cells.leaf_trust]
        intercept = level - trust_mean
        if "department_type" in sd:
            dims, types_shape = _of_types(cells)
            type_deviation, type_mean = split_effect(level_of("department_type", *dims), types_shape)
            eta = eta + type_deviation[cells.leaf_type]
            intercept = intercept - type_mean
        intercept = pm.Deterministic(names.INTERCEPT, intercept)
        if isinstance(terms.intercept, Normal):
            density = pm.logp(pm.Normal.dist(terms.intercept.mean, terms.intercept.sd), intercept)
            pm.Potential("intercept_prior", density)
        if cells.covariates:
            beta = _location(names.COEFFICIENT, terms.covariate, dims=names.COVARIATE)
            eta = eta + pm.math.dot(cells.design, beta)
        for nested in nested_levels(cells)[1:]:
            if nested.name in sd:
                of_units = level_of(nested.name, _UNITS[nested.name])
                known_error = nested.name == "department" and cells.expected_sd is not None
                drawn = effect_with_error(of_units, cells) if known_error else effect(of_units)
                eta = eta + drawn[nested.of_leaf]
        _likelihood(cells, eta)
    return model


def _standard_deviations(cells: Cells, terms: Terms, priors: Priors) -> dict[Level, Any]:
    """The standard deviation of every level in the model under its prior; of departments (C,) where types differ."""
    return {
        level: _scale_by_type(cells, prior, priors.department_by_type)
        if level == "department" and priors.department_by_type is not None
        else _scale(sd_name(level), prior)
        for level, prior in terms.scales.items()
    }


def _coords(cells: Cells) -> dict[str, Any]:
    coords: dict[str, Any] = {
        names.TRUST: cells.trusts,
        names.DEPARTMENT: cells.departments,
        **{_UNITS[level.name]: np.arange(level.n_units) for level in nested_levels(cells)[1:]},
        "leaf": np.arange(cells.n_leaves),
    }
    if cells.covariates:
        coords[names.COVARIATE] = list(cells.covariates)
    if cells.periods is not None:
        coords[names.PERIOD] = cells.periods
    return coords


def _of_types(cells: Cells) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Dims and shape of department-type effects."""
    if cells.periods is None:
        return (names.DEPARTMENT,), (cells.n_types,)
    return (names.DEPARTMENT, names.PERIOD), (cells.n_departments, len(cells.periods))


def _location(name: str, prior: LocationPrior, dims: str | None = None) -> Any:
    import pymc as pm

    if isinstance(prior, Normal):
        return pm.Normal(name, prior.mean, prior.sd, dims=dims)
    return pm.Flat(name, dims=dims)


def _scale(name: str, prior: ScalePrior) -> Any:
    """A standard deviation under its prior."""
    import pymc as pm

    match prior:
        case HalfNormal(scale):
            return pm.HalfNormal(name, scale)
        case InverseGamma(shape, scale):
            variance = pm.InverseGamma(f"{name}_squared", alpha=shape, beta=scale)
            return pm.Deterministic(name, pm.math.sqrt(variance))
        case Flat():
            return pm.HalfFlat(name)


def _scale_by_type(cells: Cells, prior: ScalePrior, spread: HalfNormal | float) -> Any:
    """Standard deviations of department effects, one a type, for every cell (C,).

    log σ of a type is normal around that of the typical one, which has the level's prior. What is called
    `sd_department` is the root mean square over cells.
    """
    import pymc as pm

    typical = _scale(f"{sd_name('department')}_typical", prior)
    between = pm.HalfNormal(f"{names.SD_DEPARTMENT_BY_TYPE}_spread", _half_normal_scale(spread))
    z = pm.Normal(f"{names.SD_DEPARTMENT_BY_TYPE}_z", 0.0, 1.0, dims=names.DEPARTMENT)
    by_type = pm.Deterministic(
        names.SD_DEPARTMENT_BY_TYPE, typical * pm.math.exp(between * z), dims=names.DEPARTMENT
    )
    pm.Deterministic(sd_name("department"), pm.math.sqrt(pm.math.sum(cells.share_of_types * by_type**2)))
    return by_type[cells.cell_department]


def _half_normal_scale(prior: HalfNormal | float) -> float:
    # Priors has already turned numbers into priors; this says so to the type checker.
    return prior.scale if isinstance(prior, HalfNormal) else prior


def _centred_levels(cells: Cells) -> dict[Level, bool]:
    """Which levels sample better centred: those whose units the data know well.

    Information about one unit is what its leaves say, each blurred by the effects below it, at `TYPICAL_SD`.
    """
    variance = TYPICAL_SD**2
    counted = (cells.lower + np.where(np.isinf(cells.upper), cells.lower, cells.upper)) / 2.0
    leaf = cells.family.usual_information(counted, cells.size)
    information: dict[Level, FloatArray] = {}
    for level in reversed(nested_levels(cells)):
        # What leaves tell the level above: each unit's information less what its own effect blurs, by leaf.
        information[level.name] = level.sum(leaf)
        leaf = leaf / (1.0 + variance * information[level.name])[level.of_leaf]
        if level.name == "department":
            information["department_type"] = np.asarray(
                np.bincount(cells.leaf_type, weights=leaf, minlength=cells.n_types), dtype=np.float64
            )
    typical = dict.fromkeys(information, variance) | {"department_type": TYPICAL_TYPE_SD**2}
    return {
        level: bool(np.median(values) * typical[level] > CENTRED_FROM)
        for level, values in information.items()
    }


def _likelihood(cells: Cells, eta: Any) -> None:
    import pymc as pm

    family = cells.family
    if not isinstance(family, CountFamily):
        distribution, given = family.pymc_distribution(cells.size, eta)
        distribution(family.value_column, **given, observed=cells.lower)
        return
    _truncation(cells, family, eta)

    def counts(leaves: Any) -> Any:
        distribution, given = family.pymc_distribution(cells.size[leaves], eta[leaves])
        return distribution.dist(**given)

    exact = np.flatnonzero(~cells.censored)
    if len(exact) == cells.n_leaves:
        distribution, given = family.pymc_distribution(cells.size, eta)
        distribution(family.value_column, **given, observed=cells.lower.astype(np.int64))
        return
    if len(exact):
        pm.Potential("observed", pm.logp(counts(exact), cells.lower[exact].astype(np.int64)).sum())
    _interval_likelihood(cells, family, counts, eta)


def _truncation(cells: Cells, family: CountFamily, eta: Any) -> None:
    """Counts that are there only because they are not small: divide by the probability of that."""
    import pymc as pm

    if cells.counted_from is None:
        return
    leaves = np.flatnonzero(cells.counted_from > 0)
    shown = family.pymc_log_tail(cells.counted_from[leaves], cells.size[leaves], eta[leaves])
    pm.Potential("counted_from", -shown.sum())


def _interval_likelihood(cells: Cells, family: CountFamily, counts: Any, eta: Any) -> None:
    """Suppressed counts: the probability of the whole interval, summed count by count."""
    import pymc as pm

    endless = cells.censored & family.without_end(cells.upper, cells.size)
    open_ended = np.flatnonzero(endless & (cells.lower > 0))  # from 0 upwards is no information
    if len(open_ended):
        tail = family.pymc_log_tail(cells.lower[open_ended], cells.size[open_ended], eta[open_ended])
        pm.Potential("observed_tail", tail.sum())
    hidden = np.flatnonzero(cells.censored & ~endless)
    if not len(hidden):
        return
    steps = np.arange(int((cells.upper - cells.lower)[hidden].max()) + 1)
    value = cells.lower[hidden] + steps[:, np.newaxis]
    inside = value <= cells.upper[hidden]
    capped = np.minimum(value, cells.upper[hidden]).astype(np.int64)
    terms = pm.math.stack([pm.logp(counts(hidden), row) for row in capped])
    masked = pm.math.where(inside, terms, -np.inf)
    pm.Potential("observed_interval", pm.math.logsumexp(masked, axis=0).sum())
