"""One rival on one table, in a process of its own; started by rivals.py.

    python rival_models.py RIVAL table.csv CENTRED CHAINS WARMUP DRAWS SECONDS out.csv started

The model is that of `fit_hierarchy`: y ~ Poisson(E·exp(intercept + a + u + v)), intercept ~ N(0, 0.5²), σ ~ HalfNormal(0.5),
written as a user of each package would write it. CENTRED names the effects that are sampled as they are, the others are
standard normals times σ. Packages are imported inside the functions: what a rival does not need is not in its start.
"""

from __future__ import annotations

import argparse
import importlib
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from children import cells_file, processor_seconds, write_values

SIGMAS = ("sd_trust", "sd_department", "sd_department_type")
_MOST_REPEATS = 5


class Job(NamedTuple):
    """What a rival is asked for."""

    table: pd.DataFrame
    centred: frozenset[str]
    chains: int
    warmup: int
    draws: int


class Drawn(NamedTuple):
    """What NUTS gave.

    Parameters
    ----------
    shared : (chains, draws, 4)
        The σ's in the order of `SIGMAS`, and the intercept.
    trust_effect : (chains, draws, trusts)
    department_effect : (chains, draws, cells)
    """

    shared: np.ndarray
    trust_effect: np.ndarray
    department_effect: np.ndarray


class Indexed(NamedTuple):
    """A table as arrays: integer codes, log of expected events, observed events."""

    trust: np.ndarray
    department: np.ndarray
    offset: np.ndarray
    observed: np.ndarray
    trusts: int
    departments: int


def indexed(table: pd.DataFrame) -> Indexed:
    """Codes of labels in sorted order."""
    trust, trusts = pd.factorize(table["trust"], sort=True)
    department, departments = pd.factorize(table["department"], sort=True)
    offset = np.log(table["expected"].to_numpy(np.float64))
    return Indexed(
        trust, department, offset, table["observed"].to_numpy(np.int64), len(trusts), len(departments)
    )


def with_numpyro(job: Job) -> Drawn:
    """NumPyro, one chain a device, which is the faster of its ways on two cores."""
    import numpyro

    numpyro.set_host_device_count(job.chains)
    import jax
    import jax.numpy as jnp
    import numpyro.distributions as dist
    from numpyro.infer import MCMC, NUTS

    data = indexed(job.table)

    def effect(name: str, sd: Any, size: int) -> Any:
        with numpyro.plate(f"{name}_units", size):
            if name in job.centred:
                return numpyro.sample(name, dist.Normal(0.0, sd))
            return numpyro.deterministic(name, sd * numpyro.sample(f"{name}_z", dist.Normal(0.0, 1.0)))

    def model() -> None:
        intercept = numpyro.sample("intercept", dist.Normal(0.0, 0.5))
        sd_trust, sd_department, sd_type = (numpyro.sample(name, dist.HalfNormal(0.5)) for name in SIGMAS)
        trust = effect("trust", sd_trust, data.trusts)
        department = effect("department", sd_department, len(data.observed))
        kind = effect("department_type", sd_type, data.departments)
        eta = data.offset + intercept + trust[data.trust] + kind[data.department] + department
        numpyro.sample("observed", dist.Poisson(jnp.exp(eta)), obs=data.observed)

    chains = MCMC(
        NUTS(model),
        num_warmup=job.warmup,
        num_samples=job.draws,
        num_chains=job.chains,
        chain_method="parallel",
        progress_bar=False,
    )
    chains.run(jax.random.PRNGKey(1))
    draws = {name: np.asarray(value) for name, value in chains.get_samples(group_by_chain=True).items()}
    shared = np.stack([draws[name] for name in (*SIGMAS, "intercept")], axis=-1)
    return Drawn(shared, draws["trust"], draws["department"])


def pymc_model(job: Job) -> Any:
    """The model in PyMC."""
    import pymc as pm

    data = indexed(job.table)

    def effect(name: str, sd: Any, size: int) -> Any:
        if name in job.centred:
            return pm.Normal(name, 0.0, sd, shape=size)
        return pm.Deterministic(name, sd * pm.Normal(f"{name}_z", 0.0, 1.0, shape=size))

    with pm.Model() as model:
        intercept = pm.Normal("intercept", 0.0, 0.5)
        sd_trust, sd_department, sd_type = (pm.HalfNormal(name, 0.5) for name in SIGMAS)
        trust = effect("trust", sd_trust, data.trusts)
        department = effect("department", sd_department, len(data.observed))
        kind = effect("department_type", sd_type, data.departments)
        eta = data.offset + intercept + trust[data.trust] + kind[data.department] + department
        pm.Poisson("observed", pm.math.exp(eta), observed=data.observed)
    return model


def with_pymc(job: Job) -> Drawn:
    """PyMC's own NUTS."""
    import pymc as pm

    with pymc_model(job):
        sampled = pm.sample(
            nuts_sampler="pymc",
            draws=job.draws,
            tune=job.warmup,
            chains=job.chains,
            cores=job.chains,
            random_seed=1,
            progressbar=False,
            compute_convergence_checks=False,
        )
    return _drawn(sampled, "trust", "department")


def with_nutpie(job: Job) -> Drawn:
    """Nutpie, on the model as a PyMC user writes it."""
    return _drawn(_nutpie(pymc_model(job), job), "trust", "department")


def with_nutpie_ours(job: Job) -> Drawn:
    """Nutpie, on the model of `fit.pymc_model()`: levels split from their means, centred where the data know them."""
    import brightspots as bs

    model = bs.fit_hierarchy(job.table, method="integrate", seed=1).pymc_model()
    return _drawn(_nutpie(model, job), "trust_effect", "department_effect")


def _nutpie(model: Any, job: Job) -> Any:
    import nutpie

    return nutpie.sample(
        nutpie.compile_pymc_model(model),
        draws=job.draws,
        tune=job.warmup,
        chains=job.chains,
        cores=job.chains,
        seed=1,
        progress_bar=False,
    )


def with_bambi(job: Job) -> Drawn:
    """Bambi, its formula and its default (non-centred) form; PyMC's own NUTS, as its documentation has it."""
    import bambi as bmb

    table = job.table.assign(offset=np.log(job.table["expected"]), cell=np.arange(len(job.table)).astype(str))
    scale = bmb.Prior("HalfNormal", sigma=0.5)
    priors: dict[str, Any] = {
        f"1|{level}": bmb.Prior("Normal", mu=0.0, sigma=scale) for level in ("trust", "department", "cell")
    }
    model = bmb.Model(
        "observed ~ 1 + (1|trust) + (1|department) + (1|cell) + offset(offset)",
        table,
        family="poisson",
        priors=priors | {"Intercept": bmb.Prior("Normal", mu=0.0, sigma=0.5)},
        noncentered="department" not in job.centred,
    )
    sampled = model.fit(
        draws=job.draws,
        tune=job.warmup,
        chains=job.chains,
        cores=job.chains,
        random_seed=1,
        progressbar=False,
        inference_method="pymc",
        compute_convergence_checks=False,
    )
    posterior = _posterior(sampled)
    sigmas = [posterior[f"1|{level}_sigma"] for level in ("trust", "cell", "department")]
    shared = np.stack([each.to_numpy() for each in (*sigmas, posterior["Intercept"])], axis=-1)
    cells = posterior["1|cell"].sel(cell__factor_dim=table["cell"].to_numpy()).to_numpy()
    return Drawn(shared, posterior["1|trust"].to_numpy(), cells)


def _posterior(sampled: Any) -> Any:
    group = sampled["posterior"]
    return group.to_dataset() if hasattr(group, "to_dataset") else group


def _drawn(sampled: Any, trust: str, department: str) -> Drawn:
    posterior = _posterior(sampled)
    shared = np.stack([posterior[name].to_numpy() for name in (*SIGMAS, "intercept")], axis=-1)
    return Drawn(shared, posterior[trust].to_numpy(), posterior[department].to_numpy())


SAMPLERS: dict[str, Callable[[Job], Drawn]] = {
    "pymc": with_pymc,
    "nutpie": with_nutpie,
    "nutpie_ours": with_nutpie_ours,
    "numpyro": with_numpyro,
    "bambi": with_bambi,
}


# Loaded before the clock of the first fit starts; compilation is inside it.
PACKAGES = {
    "pymc": ("pymc",),
    "nutpie": ("pymc", "nutpie"),
    "nutpie_ours": ("pymc", "nutpie", "brightspots"),
    "numpyro": ("numpyro", "numpyro.infer"),
    "bambi": ("bambi",),
}


def sample(rival: str, job: Job, budget: float, out: Path, started: float) -> None:
    """Sample once, and again in the same process where the first time leaves room in `budget`."""
    for package in PACKAGES[rival]:
        importlib.import_module(package)
    began, used = time.perf_counter(), processor_seconds()
    drawn = SAMPLERS[rival](job)
    first = time.perf_counter() - began
    processor = processor_seconds() - used
    cold = time.time() - started
    warm = []
    if 2.0 * first < budget:
        began = time.perf_counter()
        SAMPLERS[rival](job)
        warm.append(time.perf_counter() - began)

    from brightspots.engine.chains.stacks import effective_draws

    means, sds = drawn.shared.mean(axis=(0, 1)), drawn.shared.std(axis=(0, 1))
    named = dict(zip((*SIGMAS, "intercept"), means, strict=True))
    spread = {f"{name}_sd": sd for name, sd in zip((*SIGMAS, "intercept"), sds, strict=True)}
    effective = float(effective_draws(drawn.shared.astype(np.float64)).min())
    timed = {"first": first, "cold": cold, "warm": warm, "processor": processor}
    write_values(out, {**timed, "effective": effective, **named, **spread})
    trust = indexed(job.table).trust
    mean, sd = np.empty(len(trust)), np.empty(len(trust))
    for cell, of in enumerate(trust):
        ratio = drawn.department_effect[:, :, cell] + drawn.trust_effect[:, :, of]
        mean[cell], sd[cell] = ratio.mean(dtype=np.float64), ratio.std(dtype=np.float64)
    pd.DataFrame({"mean": mean, "sd": sd}).to_csv(cells_file(out), index=False)


class Stage(NamedTuple):
    """What the stages of the whole job took: wall and processor seconds of each."""

    wall: dict[str, float]
    processor: dict[str, float]


def integrate(job: Job, budget: float, out: Path, started: float) -> None:
    """The whole job with brightspots: fit, table of departments, table of spots with ratings where there are any."""
    import brightspots as bs

    def once() -> tuple[bs.HierarchyFit, pd.DataFrame, Stage]:
        stage, at = Stage({}, {}), (time.perf_counter(), processor_seconds())

        def done(name: str) -> None:
            nonlocal at
            now = time.perf_counter(), processor_seconds()
            stage.wall[name], stage.processor[name] = now[0] - at[0], now[1] - at[1]
            at = now

        fit = bs.fit_hierarchy(job.table, method="integrate", seed=1)
        done("fit")
        departments = fit.departments()
        done("departments")
        spots = fit.find_spots(rating="rating") if "rating" in job.table else fit.find_spots()
        _ = spots.table
        done("spots")
        return fit, departments, stage

    began = time.time()
    fit, departments, first = once()
    cold = time.time() - started
    repeats: list[Stage] = []
    while len(repeats) < _MOST_REPEATS and time.time() - began < budget:
        repeats.append(once()[2])
    shared = fit.effects.shared
    values = {
        "sd_trust": shared.sd["trust"], "sd_department": shared.sd["department"],
        "sd_department_type": shared.sd["department_type"], "intercept": shared.intercept,
    }  # fmt: skip
    write_values(
        out,
        {
            "first": sum(first.wall.values()),
            "cold": cold,
            "warm": [sum(stage.wall.values()) for stage in repeats],
            "processor": [sum(stage.processor.values()) for stage in repeats],
            **{f"{name}_seconds": [stage.wall[name] for stage in repeats] for name in first.wall},
            "effective": fit.certificate.effective_draws,
            "pareto_k": fit.certificate.pareto_k,
            "ok": fit.certificate.ok,
            **{name: float(draws.mean()) for name, draws in values.items() if draws is not None},
        },
    )
    ratio = np.log(departments["peer_ratio"].to_numpy())
    pd.DataFrame({"mean": ratio}).to_csv(cells_file(out), index=False)


def main() -> None:
    """Run the rival named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rival", choices=("brightspots", *SAMPLERS))
    parser.add_argument("table", type=Path)
    parser.add_argument("centred", help="comma-separated among trust, department, department_type")
    parser.add_argument("chains", type=int)
    parser.add_argument("warmup", type=int)
    parser.add_argument("draws", type=int)
    parser.add_argument("budget", type=float, help="seconds within which the work may be repeated")
    parser.add_argument("out", type=Path)
    parser.add_argument("started", type=float)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    table = pd.read_csv(given.table, dtype={"trust": str, "department": str})
    job = Job(table, frozenset(given.centred.split(",")), given.chains, given.warmup, given.draws)
    if given.rival == "brightspots":
        integrate(job, given.budget, given.out, given.started)
    else:
        sample(given.rival, job, given.budget, given.out, given.started)


if __name__ == "__main__":
    main()
