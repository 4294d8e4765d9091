"""Brightspots beside PyMC, nutpie, NumPyro, Bambi, lme4 and glmmTMB on the same tables, in one run.

What is timed of brightspots is the whole job: the fit, the table of departments, and the table of spots, compared with
ratings where there are any; of the others the fit alone.

    python benchmarks/rivals.py [--data FOLDER] [--quick] [--write] [--tables …] [--rivals …]

Each rival runs in a process of its own with the same data, model and priors. NUTS runs two chains of 1,000 + 1,000 on two
cores. The folder of published files defaults to BRIGHTSPOTS_REAL_DATA; without it only simulated tables are run. R and
its packages are run where Rscript finds them. `--write` puts the result into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from children import Child, cells_file, end_with_children, run
from documents import number, table, write_section
from machines import describe, r_versions
from rival_tables import PROBLEMS, Problem

HERE = Path(__file__).resolve().parent
CHAINS = 2
NUTS = {
    "numpyro": "NumPyro",
    "nutpie": "nutpie",
    "nutpie_ours": "nutpie on `fit.pymc_model()`",
    "bambi": "Bambi",
    "pymc": "PyMC",
}
POINT = {"glmmTMB": "glmmTMB (point estimate)", "glmer": "lme4::glmer (point estimate)"}
NAMES = {"brightspots": "brightspots", **NUTS, **POINT}
PACKAGES = ("brightspots", "numpy", "scipy", "numba", "pymc", "pytensor", "nutpie", "numpyro", "jax", "bambi")
SIGMAS = ("sd_trust", "sd_department", "sd_department_type")
# One thread for linear algebra in each process: chains and brightspots' own threads share out the cores. Not
# OMP_NUM_THREADS, which would take glmmTMB's threads from it.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Lengths:
    """Which sampler is the reference, how long chains are, what may be repeated within how many seconds, and when to give up."""

    warmup: int = 1_000
    draws: int = 1_000
    reference: str = "numpyro"
    reference_draws: int = 4_000
    repeat_within: float = 60.0
    give_up_after: float = 1_200.0
    reference_within: float = 1_200.0


@dataclass(frozen=True)
class Meeting:
    """What happened on one table."""

    problem: Problem
    facts: Child
    reference: Child
    first_ever: Child | None
    rivals: Mapping[str, Child]
    ratio: Mapping[str, np.ndarray]
    reference_ratio: np.ndarray | None
    reference_sd: np.ndarray | None


def meet(key: str, rivals: Sequence[str], lengths: Lengths, folder: str, scratch: Path) -> Meeting:
    """Run all rivals on one table, the reference first."""
    problem = PROBLEMS[key]
    data = scratch / f"{key}.csv"

    def start(name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> Child:
        child = run(
            command,
            scratch / f"{key}_{name}.csv",
            lengths.reference_within if name == "reference" else lengths.give_up_after,
            ONE_THREAD | dict(environment or {}),
        )
        said = child.problem or f"{child.seconds:.1f} s, {child.peak:,.0f} MiB"
        print(f"{key}: {name}: {said}", file=sys.stderr, flush=True)
        return child

    def python(rival: str, draws: int, repeat_within: float) -> list[str]:
        settings = [",".join(sorted(problem.centred)), CHAINS, lengths.warmup, draws, repeat_within]
        return [sys.executable, str(HERE / "rival_models.py"), rival, str(data), *map(str, settings)]

    facts = start("table", [sys.executable, str(HERE / "rival_tables.py"), key, str(data), folder])
    if facts.problem:
        raise SystemExit(f"{key}: {facts.problem}")
    reference = start("reference", python(lengths.reference, lengths.reference_draws, 0.0))
    first_ever = None
    results, ratio = {}, {}
    for rival in rivals:
        if rival == "brightspots":
            cache = {"NUMBA_CACHE_DIR": str(scratch / "numba")}
            if not (scratch / "numba").exists():
                first_ever = start(
                    "brightspots_first_ever",
                    python(rival, lengths.draws, 0.0),
                    cache | {"BRIGHTSPOTS_LOOPS": "auto"},
                )
                subprocess.run(
                    [sys.executable, "-m", "brightspots.cli", "compile"], env=os.environ | cache, check=True
                )
            command = python(rival, lengths.draws, lengths.repeat_within)
        elif rival in POINT:
            cache = {}
            command = ["Rscript", str(HERE / "rival_models.R"), rival, str(data), str(lengths.repeat_within)]
        else:
            cache = {}
            command = python(rival, lengths.draws, lengths.repeat_within)
        results[rival] = start(rival, command, cache)
        if results[rival].problem is None:
            ratio[rival] = _columns(scratch / f"{key}_{rival}.csv")["mean"]
    known = _columns(scratch / f"{key}_reference.csv") if reference.problem is None else {}
    return Meeting(problem, facts, reference, first_ever, results, ratio, known.get("mean"), known.get("sd"))


def _columns(out: Path) -> dict[str, np.ndarray]:
    values = np.genfromtxt(cells_file(out), delimiter=",", names=True, deletechars='"')
    return {str(name).strip('"'): np.atleast_1d(values[name]) for name in values.dtype.names}


def warm_seconds(child: Child) -> float | None:
    """Median of the repeats in the same process."""
    return statistics.median(child.values["warm"]) if child.values.get("warm") else None


def middle(child: Child, name: str) -> float | None:
    """Median of what a child measured under a name."""
    return statistics.median(child.values[name]) if child.values.get(name) else None


def per_thousand(seconds: float | None, child: Child) -> float | None:
    """Seconds per 1,000 effective draws."""
    effective = child.one("effective")
    return None if seconds is None or effective is None else 1_000.0 * seconds / effective


def differences(meeting: Meeting, rival: str) -> tuple[float | None, float | None, float | None]:
    """Largest difference of a σ, and largest and root-mean-square difference of cell means, in posterior SDs."""
    child, reference = meeting.rivals[rival], meeting.reference
    if child.problem or meeting.reference_ratio is None or meeting.reference_sd is None:
        return None, None, None

    def of_sigma(name: str) -> float:
        return abs(child.values[name][0] - reference.values[name][0]) / reference.values[f"{name}_sd"][0]

    cells = (meeting.ratio[rival] - meeting.reference_ratio) / meeting.reference_sd
    return max(map(of_sigma, SIGMAS)), float(np.abs(cells).max()), float(np.sqrt(np.mean(cells**2)))


def rows(meeting: Meeting) -> list[list[str]]:
    """One row a rival."""
    written = []
    for rival, child in meeting.rivals.items():
        if child.problem:
            written.append([NAMES[rival], child.problem, *["–"] * 10])
            continue
        whole = warm_seconds(child) if rival == "brightspots" else child.one("first")
        seconds = child.one("cold"), child.one("first"), warm_seconds(child), middle(child, "processor")
        written.append(
            [
                NAMES[rival],
                *map(number, (*seconds, child.one("effective"))),
                number(per_thousand(whole, child)),
                number(child.peak),
                *(number(value, 2) for value in differences(meeting, rival)),
            ]
        )
    return written


def fastest(meeting: Meeting, per_draw: bool) -> tuple[str, float] | None:
    """The NUTS rival with the fewest seconds of its first run, in all or per 1,000 effective draws."""
    seconds = {}
    for rival in NUTS:
        child = meeting.rivals.get(rival)
        first = None if child is None else child.one("first")
        value = first if child is None or not per_draw else per_thousand(first, child)
        if value is not None:
            seconds[rival] = value
    return min(seconds.items(), key=lambda pair: pair[1]) if seconds else None


def ratios(meeting: Meeting) -> list[str]:
    """How many times faster brightspots is, in sentences."""
    ours = meeting.rivals.get("brightspots")
    warm = None if ours is None else warm_seconds(ours)
    if ours is None or warm is None:
        return []
    lines = []
    whole, each = fastest(meeting, False), fastest(meeting, True)
    if whole is not None and each is not None:
        each_ours = per_thousand(warm, ours)
        assert each_ours is not None
        lines.append(
            f"- The fastest NUTS run ({NAMES[whole[0]]}, compilation included) takes **{number(whole[1] / warm, 2)} times** as long as the "
            f"whole job warm; per effective draw the best ({NAMES[each[0]]}) takes **{number(each[1] / each_ours, 2)} times** as long."
        )
        cold_ours = ours.one("cold")
        colds = [meeting.rivals[rival].one("cold") for rival in NUTS if rival in meeting.rivals]
        cold = min(value for value in colds if value is not None)
        if cold_ours:
            lines.append(
                f"- Cold, process start to result, the fastest NUTS takes {number(cold / cold_ours, 2)} times as long."
            )
    glmm = meeting.rivals.get("glmmTMB")
    if glmm is not None and (theirs := warm_seconds(glmm) or glmm.one("first")) is not None:
        lines.append(
            f"- Warm, `glmmTMB` takes **{number(theirs / warm, 2)} times** as long for a point estimate."
        )
    parts = [number(middle(ours, f"{stage}_seconds")) for stage in ("fit", "departments", "spots")]
    lines.append(
        f"- Of the whole job `fit_hierarchy` takes {parts[0]} s, `fit.departments()` {parts[1]} s, `find_spots().table` {parts[2]} s."
    )
    if meeting.first_ever is not None and meeting.first_ever.problem is None:
        lines.append(
            f"- With an empty cache of compiled code, as once after installation, the first job takes "
            f"{number(meeting.first_ever.one('first'))} s."
        )
    k_hat, ok = ours.one("pareto_k"), ours.one("ok")
    lines.append(f"- The certificate {'holds' if ok else 'does not hold'}: Pareto k̂ {number(k_hat, 2)}.")
    return lines


HEAD = (
    "", "cold", "first", "warm", "processor", "effective draws", "s per 1,000", "peak MiB", "σ", "cells, largest", "cells, RMS",
)  # fmt: skip


def section(meeting: Meeting) -> str:
    """One table's part of the page."""
    fact = {name: values[0] for name, values in meeting.facts.values.items()}
    reference = meeting.reference
    effective = reference.one("effective")
    against = (
        f"The reference took {number(reference.one('first'))} s and has {number(effective)} effective draws, so that its own means "
        f"are known to about {number(None if effective is None else effective**-0.5, 2)} posterior SD."
        if reference.problem is None
        else f"The reference {reference.problem}."
    )
    lines = [
        f"### {meeting.problem.title}: {fact['cells']:,.0f} cells",
        "",
        f"`{meeting.problem.source}`: {fact['trusts']:,.0f} trusts, {fact['departments']:,.0f} department types; "
        f"{fact['expect_below_one']:.0%} of cells expect less than one event, {fact['none_observed']:.0%} saw none. "
        f"Sampled centred by the hand-written rivals: {', '.join(sorted(meeting.problem.centred)) or 'nothing'}. {against}",
        "",
        table(HEAD, rows(meeting)),
        "",
        *ratios(meeting),
    ]
    return "\n".join(lines)


def introduction(lengths: Lengths, versions: Mapping[str, str]) -> str:
    """What was measured, and on what."""
    in_r = ", ".join(f"{name} {version}" for name, version in versions.items()) or "no R"
    return f"""## Beside other software

Written by `benchmarks/rivals.py` on {describe(PACKAGES)}; {in_r}.

One model and the same priors for all: y ~ Poisson(E·exp(intercept + a + u + v)), intercept ~ N(0, 0.5²), every σ
HalfNormal(0.5), with effects of department types (a), trusts (u) and departments in trusts (v). Each rival runs in a
process of its own, one after the other. Timed is, of brightspots, the whole job: fit, `departments()` and `find_spots().table`,
compared with ratings where the table has them (the simulated ones); of all others the fit alone. NUTS runs {CHAINS} chains of {lengths.warmup:,} + {lengths.draws:,}, side by side. `glmmTMB` and `glmer` maximise a
Laplace approximation without priors: they give no draws, and their σ's are modes, which differ from posterior means.

| column | is |
|---|---|
| cold | seconds from the start of the process, with imports, compilation and reading the table, to the end of the first job |
| first | seconds of the first job in a process, compilation included, imports of the rival's own package not |
| warm | seconds of a later one in the same process, median of several where they are short (of glmmTMB with one or with all cores, whichever is faster); – where the first took too long to repeat |
| processor | processor seconds, of all cores: of the first job for NUTS, of a warm one for brightspots |
| effective draws | bulk effective draws (Vehtari et al. 2021) of the worst of the three σ's and the intercept; for brightspots what its certificate claims, the worst of these and all department types |
| s per 1,000 | seconds per 1,000 effective draws: of the first job for NUTS, of the warm one for brightspots |
| peak MiB | largest resident memory of the process; PyMC and Bambi sample in two more, of which only the larger could count |
| σ; cells | difference from the reference in posterior SDs: the largest of the three means of σ; the largest, and the root mean square, over cells of the means of u + v |

The reference is the longest run: {NAMES[lengths.reference]}, {CHAINS} chains of {lengths.warmup:,} + {lengths.reference_draws:,}."""


def available(rivals: Sequence[str], versions: Mapping[str, str]) -> list[str]:
    """Those that are installed; says which are not."""
    present = {"glmmTMB": "glmmTMB" in versions, "glmer": "lme4" in versions}
    missing = [rival for rival in rivals if not present.get(rival, True)]
    if missing:
        print(f"not installed in R: {', '.join(missing)}", file=sys.stderr)
    return [rival for rival in rivals if rival not in missing]


def main() -> None:
    """Run and print; write where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", default=os.environ.get("BRIGHTSPOTS_REAL_DATA", ""), help="folder of published files"
    )
    parser.add_argument(
        "--quick", action="store_true", help="a small table and short chains, to check the script"
    )
    parser.add_argument("--write", action="store_true", help="put the result into docs/benchmarks.md")
    parser.add_argument("--tables", nargs="+", choices=PROBLEMS, help="only these")
    parser.add_argument("--rivals", nargs="+", choices=NAMES, default=list(NAMES), help="only these")
    parser.add_argument(
        "--give-up-after", type=float, default=Lengths.give_up_after, help="seconds a rival may take"
    )
    parser.add_argument(
        "--reference", choices=NUTS, default=Lengths.reference, help="run for longer, to compare with"
    )
    given = parser.parse_args()
    end_with_children()
    lengths = Lengths(reference=given.reference, give_up_after=given.give_up_after)
    if given.quick:
        lengths = replace(lengths, warmup=300, draws=200, reference_draws=500)
    chosen = given.tables or [
        key
        for key, problem in PROBLEMS.items()
        if problem.quick == given.quick and (given.data or not problem.published)
    ]
    versions = r_versions(("lme4", "glmmTMB"))
    rivals = available(given.rivals, versions)
    with tempfile.TemporaryDirectory() as scratch:
        parts = [section(meet(key, rivals, lengths, given.data, Path(scratch))) for key in chosen]
    text = "\n\n".join([introduction(lengths, versions), *parts])
    print(text)
    if given.write:
        write_section("rivals", text)


if __name__ == "__main__":
    main()
