"""No-U-turn sampling of the hierarchy with PyMC: the reference and the fallback."""

from __future__ import annotations

import contextlib
import importlib
import logging
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from brightspots.common import vocabulary as names
from brightspots.common.arrays import FloatArray
from brightspots.common.settings import EffectDistribution, Priors
from brightspots.data.cells import Cells
from brightspots.engine.chains import stacks
from brightspots.engine.chains.pymc_model import build_model
from brightspots.engine.effects import DISTRIBUTIONS, EffectDraws, Heavy
from brightspots.engine.levels import LEVELS, Level, ShapedLevel, effect_name, sd_name
from brightspots.engine.posterior import Certificate, SharedDraws, StoredPosterior, worst_of

if TYPE_CHECKING:
    import pymc as pm

CHAINS = 4
TUNE = 1_000
DRAWS_PER_CHAIN = 1_000
# Thresholds of Vehtari et al. (2021, Bayesian Analysis 16:667): R-hat below 1.01 and 100 effective draws a chain.
R_HAT_LIMIT = 1.01
EFFECTIVE_PER_CHAIN = 100
TARGET_ACCEPT = 0.95


def sample(
    cells: Cells,
    priors: Priors,
    *,
    draws: int | None = None,
    seed: int | None = None,
    sampler: str = "auto",
    progress: bool = False,
) -> tuple[StoredPosterior, Certificate]:
    """Sample the joint posterior with NUTS, however long it takes.

    Parameters
    ----------
    cells : Cells
    priors : Priors
    draws : int, optional
        Draws kept in all, spread over four chains; default 4,000.
    seed : int, optional
        The same seed gives the same numbers.
    sampler : {"auto", "nutpie", "numpyro", "pymc"}, default "auto"
        Who runs NUTS; auto takes the fastest that is installed.
    progress : bool, default False
        Show a progress bar.

    Returns
    -------
    StoredPosterior, Certificate
    """
    finished = sample_within(
        math.inf, cells, priors, draws=draws, seed=seed, sampler=sampler, progress=progress
    )
    assert finished is not None  # without a limit of time it always is
    return finished


def sample_within(
    seconds: float,
    cells: Cells,
    priors: Priors,
    *,
    draws: int | None = None,
    seed: int | None = None,
    sampler: str = "auto",
    progress: bool = False,
) -> tuple[StoredPosterior, Certificate] | None:
    """As `sample`, but None where the chains are not done after some seconds, since unfinished chains are not used.

    NumPyro cannot be stopped: with a limit, "auto" does not take it, and where it is asked for the limit is not kept.
    """
    started = time.perf_counter()
    per_chain = DRAWS_PER_CHAIN if draws is None else -(-draws // CHAINS)
    model = build_model(cells, priors)
    chosen = stacks.choose_sampler(sampler, can_stop=math.isfinite(seconds))
    with _quiet(progress):
        run = _nutpie if chosen == "nutpie" else _pymc
        sampled = run(model, per_chain, seed, chosen, progress, time.perf_counter() + seconds)
    if sampled is None:
        return None
    posterior = _collect(cells, stacks.group(sampled, "posterior"), priors.distributions)
    diverging = int(stacks.group(sampled, "sample_stats")["diverging"].sum())
    certificate = certify(posterior, diverging, time.perf_counter() - started)
    return posterior, certificate


def _nutpie(
    model: pm.Model, draws: int, seed: int | None, sampler: str, progress: bool, deadline: float
) -> Any | None:
    """Sample with nutpie in the background; None where it is not done by the deadline."""
    nutpie: Any = importlib.import_module(sampler)
    running = nutpie.sample(
        nutpie.compile_pymc_model(model),
        draws=draws,
        tune=TUNE,
        chains=CHAINS,
        seed=seed,
        target_accept=TARGET_ACCEPT,
        save_warmup=False,
        progress_bar=progress,
        blocking=False,
    )
    left = max(deadline - time.perf_counter(), 0.0)
    try:
        return running.wait(timeout=left if math.isfinite(left) else None)
    except TimeoutError:
        running.cancel()
        return None
    except BaseException:
        running.cancel()  # whoever interrupts does not want it to go on unseen
        raise


def _pymc(
    model: pm.Model, draws: int, seed: int | None, sampler: str, progress: bool, deadline: float
) -> Any | None:
    """Sample through PyMC, with its own sampler or NumPyro's; None where its own is not done by the deadline."""
    import pymc as pm

    late = False

    def stop_when_late(**_: object) -> None:
        nonlocal late
        if time.perf_counter() > deadline:
            late = True
            raise KeyboardInterrupt  # PyMC's documented way to end sampling from a callback

    watch = {"callback": stop_when_late} if sampler == "pymc" and math.isfinite(deadline) else {}
    try:
        with model:
            sampled = pm.sample(
                draws=draws,
                tune=TUNE,
                chains=CHAINS,
                random_seed=seed,
                nuts_sampler=sampler,
                progressbar=progress,
                target_accept=TARGET_ACCEPT,
                compute_convergence_checks=False,
                **watch,
            )
    except (Exception, KeyboardInterrupt):
        if late:  # what PyMC makes of chains that were stopped before they had a draw
            return None
        raise
    return None if late else sampled


def show_progress(progress: bool | None) -> bool:
    """Whether to show a bar: where asked, else in a terminal or in Jupyter and never in a pipeline."""
    if progress is not None:
        return progress
    return sys.stderr.isatty() or "ipykernel" in sys.modules


@contextlib.contextmanager
def _quiet(progress: bool) -> Iterator[None]:
    """Keep PyMC's notes about its own running out of a pipeline's log; what matters is in the certificate."""
    logger = logging.getLogger("pymc")
    level = logger.level
    if not progress:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _collect(
    cells: Cells, dataset: xr.Dataset, distributions: Mapping[ShapedLevel, EffectDistribution]
) -> StoredPosterior:
    """Arrange a sampled Dataset (chain, draw, …) as draws, chains one after the other.

    `distributions` are those of the effects that are not normal, by level.
    """
    chains, draws = dataset.sizes["chain"], dataset.sizes["draw"]
    size = chains * draws

    def take(name: str, *shape: int) -> FloatArray | None:
        if name not in dataset:
            return None
        return np.asarray(dataset[name].to_numpy(), dtype=np.float64).reshape(size, *shape)

    def required(name: str, *shape: int) -> FloatArray:
        values = take(name, *shape)
        return np.zeros((size, *shape)) if values is None else values

    shared = SharedDraws(
        intercept=required(names.INTERCEPT),
        coefficients=required(names.COEFFICIENT, len(cells.covariates)),
        sd={level: sd for level in LEVELS if (sd := take(sd_name(level))) is not None},
        type_effect=required(names.DEPARTMENT_TYPE_EFFECT, cells.n_types),
        effects={
            level: _effect_draws(level, DISTRIBUTIONS[name], required)
            for level, name in distributions.items()
        },
        sd_department_by_type=take(names.SD_DEPARTMENT_BY_TYPE, cells.n_departments),
    )
    return StoredPosterior(
        cells=cells,
        shared=shared,
        trust_effect=np.ascontiguousarray(required(names.TRUST_EFFECT, cells.n_trusts).T),
        department_effect=np.ascontiguousarray(required(names.DEPARTMENT_EFFECT, cells.n_cells).T),
        chains=chains,
    )


def _effect_draws(level: Level, heavy: Heavy, required: Callable[[str], FloatArray]) -> EffectDraws:
    natural = {name: required(effect_name(level, name)) for name in heavy.names}
    return EffectDraws(heavy, heavy.sampled(natural))


def certify(posterior: StoredPosterior, divergences: int, seconds: float) -> Certificate:
    """Judge the chains by the shared parameters and the trust effects."""
    shared, chains = posterior.shared, posterior.chains
    of_effects = [of.free for of in shared.effects.values()]
    watched = np.column_stack([shared.intercept, *shared.sd.values(), *of_effects, shared.coefficients])
    if "department_type" in shared.sd:
        watched = np.column_stack([watched, shared.type_effect])
    if shared.sd_department_by_type is not None:
        watched = np.column_stack([watched, shared.sd_department_by_type])
    by_chain = watched.reshape(chains, -1, watched.shape[1])
    effects = posterior.trust_effect.T.reshape(chains, -1, posterior.cells.n_trusts)
    by_chain = np.concatenate([by_chain, effects], axis=2)
    r_hat = float(np.max(stacks.r_hat(by_chain)))
    effective = float(np.min(stacks.effective_draws(by_chain)))
    needed = EFFECTIVE_PER_CHAIN * chains
    problems = []
    if not r_hat <= R_HAT_LIMIT:
        problems.append(f"R-hat {r_hat:.3f} exceeds {R_HAT_LIMIT}")
    if not effective >= needed:
        problems.append(f"{effective:.0f} effective draws are fewer than {needed}")
    if divergences:
        problems.append(f"{divergences:,} divergent transitions")
    message = (
        "; ".join(problems) + "; run longer (draws=…) or look for conflicting data"
        if problems
        else "the chains agree"
    )
    shortfall = worst_of(
        (r_hat - 1.0) / (R_HAT_LIMIT - 1.0),
        needed / effective,
        1.0 + 100.0 * divergences / shared.n_draws if divergences else 0.0,
    )
    return Certificate(
        "nuts", effective, float("nan"), r_hat, divergences, seconds, not problems, message, shortfall
    )
