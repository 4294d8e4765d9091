"""Everything that a dozen fits say, written out, so that a change of the code alone can be seen to change nothing.

    python -m tests.golden.tables write [folder]     one text file a table, every number with all its digits
    python -m tests.golden.tables compare A B        which numbers of two such folders differ, and by how much
    python -m tests.golden.tables keep               write the fits that tests compare with into `tables.zip`
    python -m tests.golden.tables check              compare all of these with what the code says now

On one machine two states of the code give the same bytes where their arithmetic is the same. Where sums are rounded
differently (another order, machine or version of NumPy), a few draws of effects move by up to a hundredth, for their
skewness and kurtosis are high derivatives of polynomials, and so do numbers that few draws decide: what is kept is
compared with tolerances, `TOLERANCE` and `OF_DRAWS`. Sampled fits are written, and not kept: chains part after the
first difference in rounding.
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import brightspots as bs

HERE = Path(__file__).resolve().parent
KEPT = HERE / "tables.zip"
# What a page says of the run and not of the data: versions, seconds, digests of files that hold seconds, addresses.
_SECONDS = re.compile(r"\d+(\.\d+)? ?s\b")
_OF_THE_RUN = re.compile(
    r"\d+(\.\d+)? ?s\b|\d+\.\d+(\.\d+)*([a-z]+\d+)?|[0-9a-f]{12,64}|0x[0-9a-f]+|\d{4}-\d\d-\d\dT[\d:.+]*Z?"
)


@dataclass(frozen=True)
class Subject:
    """One fit: its table, what is asked of the fit, the rule, and whether the suite compares it."""

    data: Callable[[], pd.DataFrame]
    options: dict[str, Any] = field(default_factory=dict)
    rule: bs.SpotRule = field(default_factory=lambda: bs.SpotRule(margin=1.1, fdr=0.2))
    kept: bool = True


def nation(trusts: int = 9, departments: int = 5, periods: int | None = None, **options: Any) -> pd.DataFrame:
    """A small table whose trusts and departments differ enough to be told apart."""
    options = {"sd_trust": 0.2, "sd_department": 0.3, "mean_expected": 60.0, "seed": 5} | options
    return bs.simulate_nation(trusts, departments, periods, **options).cells


def with_covariates() -> pd.DataFrame:
    """Beds differ between trusts, teaching within them."""
    frame = nation()
    code = frame["trust"].astype("category").cat.codes.to_numpy()
    return frame.assign(beds=200.0 + 35.0 * code, teaching=np.arange(len(frame)) % 3 == 0)


def shown_from_four() -> pd.DataFrame:
    """Counts below four are withheld with their rows."""
    frame = nation(mean_expected=8.0)
    return frame[frame["observed"] >= 4].assign(counted_from=4)


def lengths_of_stay() -> pd.DataFrame:
    """Estimates in days, where a difference matters and no ratio."""
    frame = nation(family="normal")
    return frame.assign(estimate=6.0 + 2.0 * frame["estimate"], standard_error=2.0 * frame["standard_error"])


def with_errors(frame: pd.DataFrame) -> pd.DataFrame:
    """Expected events that are off by more in some departments than in others."""
    return frame.assign(off=0.05 * (pd.factorize(frame["department"])[0] % 4))


def two_outcomes() -> pd.DataFrame:
    """Deaths and readmissions of the same trusts."""
    parts = {"deaths": nation(7, 4), "readmissions": nation(7, 4, seed=6, mean_expected=25.0)}
    return pd.concat([frame.assign(outcome=name) for name, frame in parts.items()], ignore_index=True)


SUBJECTS = {
    "poisson": Subject(nation),
    "poisson_periods": Subject(lambda: nation(periods=3)),
    "binomial": Subject(
        lambda: nation(family="binomial").drop(columns="expected"), {"denominator": "denominator"}
    ),
    "binomial_periods": Subject(
        lambda: nation(7, 4, 3, family="binomial"), {"denominator": "denominator", "higher_is": "better"}
    ),
    "normal": Subject(
        lambda: nation(family="normal"),
        {"estimate": "estimate", "standard_error": "standard_error", "estimate_scale": "log ratio"},
    ),
    "normal_periods": Subject(
        lambda: nation(7, 4, 2, family="normal"),
        {"estimate": "estimate", "standard_error": "standard_error", "estimate_scale": "log ratio"},
    ),
    "difference": Subject(
        lengths_of_stay,
        {"estimate": "estimate", "standard_error": "standard_error", "estimate_scale": "difference"},
        bs.SpotRule(difference=0.3, fdr=0.2),
    ),
    "suppressed": Subject(lambda: nation(mean_expected=12.0, suppress=(1, 7))),
    "suppressed_periods": Subject(
        lambda: nation(7, 4, 2, family="binomial", mean_expected=12.0, suppress=(1, 7)),
        {"denominator": "denominator"},
    ),
    "counted_from": Subject(shown_from_four),
    "covariates": Subject(with_covariates, {"covariates": "beds + teaching"}),
    "without_types": Subject(nation, {"priors": bs.Priors(department_type=None)}),
    "trusts_alone": Subject(nation, {"priors": bs.Priors(department=None)}),
    "flat_priors": Subject(
        lambda: nation(14, 6), {"priors": bs.Priors(trust=bs.Flat(), department=bs.InverseGamma(2.0, 0.1))}
    ),
    "errors": Subject(nation, {"expected_sd": 0.1}),
    "errors_periods": Subject(
        lambda: with_errors(nation(7, 4, 2, family="binomial")),
        {"denominator": "denominator", "expected_sd": "off"},
    ),
    # Enough departments for the compiled loops.
    "compiled": Subject(lambda: nation(45, 9, seed=8)),
    "compiled_periods": Subject(lambda: nation(18, 5, 2, seed=8)),
    "outcomes": Subject(two_outcomes, {"outcome": "outcome"}),
    "sampled": Subject(lambda: nation(6, 4), {"method": "nuts", "sampler": "pymc", "draws": 400}, kept=False),
    "sampled_heavy_tails": Subject(
        lambda: nation(6, 4, 2),
        {
            "priors": bs.Priors(effects="student_t", trust_effects="normal"),
            "method": "nuts",
            "sampler": "pymc",
            "draws": 400,
        },
        kept=False,
    ),
    "sampled_types": Subject(
        lambda: nation(6, 4),
        {"priors": bs.Priors(department_by_type=0.5), "method": "nuts", "sampler": "pymc", "draws": 400},
        kept=False,
    ),
}


def tables_of(subject: Subject) -> Iterator[tuple[str, pd.DataFrame]]:
    """Every table that a fit, its spots and its funnels give."""
    fit: Any = bs.fit_hierarchy(subject.data(), seed=11, **subject.options)
    if isinstance(fit, bs.OutcomeFits):
        margin = {"margin": subject.rule.margin}
        yield "partition", fit.variance_partition().reset_index()
        yield "departments", fit.departments(**margin)
        return
    ratios = fit.table.cells.is_ratio
    beyond = {"margin": subject.rule.margin} if ratios else {"difference": subject.rule.difference}
    yield "partition", with_attributes(fit.variance_partition().reset_index())
    yield "departments", with_attributes(fit.departments(**beyond))
    yield "trusts", with_attributes(fit.trusts(**beyond))
    yield "types", fit.department_types()
    yield "shape", fit.effect_shape().reset_index()
    spots = fit.find_spots(subject.rule)
    yield "spots", with_attributes(spots.table)
    yield "summary", with_attributes(spots.summary().reset_index())
    yield "pairs", spots.learning_pairs()
    if spots.ratings is not None:
        yield "explained", with_attributes(spots.rating_explains().reset_index())
    tree = fit.posterior["posterior"].to_dataset().isel(draw=slice(0, 100, 10))
    size = tree.sizes["chain"] * tree.sizes["draw"]
    yield (
        "draws",
        pd.DataFrame(
            {str(name): tree[name].to_numpy().reshape(size, -1)[:, 0] for name in sorted(map(str, tree))}
        ),
    )
    certificate = fit.certificate
    yield (
        "certificate",
        pd.DataFrame(
            {
                "method": [certificate.method],
                "effective": [certificate.effective_draws],
                "pareto_k": [certificate.pareto_k],
                "ok": [certificate.ok],
                "message": [certificate.message],
            }
        ),
    )


def with_attributes(frame: pd.DataFrame) -> pd.DataFrame:
    """A table with what is in its attributes as columns of their own."""
    said = {f"attrs {name}": str(_plain(value)) for name, value in sorted(frame.attrs.items())}
    return frame.assign(**said)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    return value.item() if isinstance(value, np.generic) else value


def funnels() -> Iterator[tuple[str, pd.DataFrame]]:
    """Limits by every method, of counts, proportions and estimates."""
    frame = nation(40, 1)
    for method in ("poisson", "spiegelhalter", "shmi", "cqc", "phs"):
        limits = bs.funnel_limits(frame["observed"], frame["expected"], method=method)
        yield method, with_phi(limits)
    people = nation(40, 1, family="binomial")
    for method in ("proportion", "spiegelhalter"):
        limits = bs.funnel_limits(people["observed"], denominator=people["denominator"], method=method)
        yield f"{method} of proportions", with_phi(limits)


def with_phi(limits: bs.FunnelLimits) -> pd.DataFrame:
    """The table of limits, with what they rest on."""
    return limits.table.assign(phi=limits.phi, tau2=limits.tau2, kept=limits.kept, target=limits.target)


def texts() -> Iterator[tuple[str, str]]:
    """What is printed of a fit and its spots, and the words and numbers of the packs of two fits."""
    for name in ("poisson_periods", "suppressed", "difference"):
        subject = SUBJECTS[name]
        fit: Any = bs.fit_hierarchy(subject.data(), seed=11, **subject.options)
        spots = fit.find_spots(subject.rule)
        yield f"{name} fit.txt", repr(fit)
        yield f"{name} fit.html", fit._repr_html_()
        yield f"{name} spots.txt", repr(spots)
        yield f"{name} spots.html", spots.to_html()
        unit = {} if fit.table.cells.is_ratio else {"unit": "days"}
        with tempfile.TemporaryDirectory() as folder:
            for trust in (None, "T003"):
                path = Path(folder) / "pack.html"
                bs.write_board_pack(fit, spots, path, trust=trust, **unit)
                yield f"{name} pack {trust}.html", path.read_text(encoding="utf-8")
            for suffix in ("docx", "pptx"):
                path = Path(folder) / f"pack.{suffix}"
                bs.write_board_pack(fit, spots, path, **unit)
                with zipfile.ZipFile(path) as parts:
                    slides = [
                        each
                        for each in sorted(parts.namelist())
                        if re.search(r"(document|slide\d+)\.xml$", each)
                    ]
                    yield f"{name} pack {suffix}.xml", "\n".join(parts.read(each).decode() for each in slides)


def published() -> Iterator[tuple[str, str]]:
    """Limits of funnels, and a table whose small counts are withheld."""
    for name, frame in funnels():
        yield f"funnel {name}.csv", frame.to_csv(index=False)
    yield "disclosed.csv", bs.suppress(nation(mean_expected=8.0), below=5, round_to=5).to_csv(index=False)


def files(kept_only: bool = False) -> Iterator[tuple[str, str]]:
    """Names and contents of all that is written: tables as text, and pages."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bs.DataWarning)
        warnings.simplefilter("ignore", bs.CertificateWarning)
        for name, subject in SUBJECTS.items():
            if subject.kept or not kept_only:
                for table, frame in tables_of(subject):
                    yield f"{name} {table}.csv", frame.to_csv(index=False)
        yield from published()
        if not kept_only:
            for name, text in texts():
                yield name, (_OF_THE_RUN if name.endswith("html") else _SECONDS).sub("·", text)


_NUMBER = re.compile(r"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?")


# Relative differences that rounding may make, and numbers below which differences count as absolute ones.
TOLERANCE, SMALL = 1e-6, 1e-3
# The same where draws of departments decide; by far less than the Monte Carlo error of any probability or quantile.
OF_DRAWS, SMALL_OF_DRAWS = 5e-3, 0.5
_DRAWN = ("departments", "shape", "spots", "summary", "pairs", "explained")


def differences(before: str, after: str, small: float = SMALL) -> Iterator[tuple[str, float]]:
    """Largest relative difference of each column of two tables; infinite where text or missing values differ.

    Numbers inside text are compared like numbers; differences of numbers below `small` are relative to it.
    """
    one, two = (pd.read_csv(io.StringIO(text)) for text in (before, after))
    if list(one.columns) != list(two.columns) or len(one) != len(two):
        yield "columns or rows", np.inf
        return
    for column in one.columns:
        a, b = one[column], two[column]
        if pd.api.types.is_numeric_dtype(a) and pd.api.types.is_numeric_dtype(b):
            yield column, _apart(a.to_numpy(dtype=float), b.to_numpy(dtype=float), small)
            continue
        a, b = a.map(str), b.map(str)
        words = [each.str.replace(_NUMBER, "#", regex=True) for each in (a, b)]
        if not words[0].equals(words[1]):
            yield column, np.inf
            continue
        x, y = (np.array(_NUMBER.findall(" ".join(each)), dtype=float) for each in (a, b))
        yield column, _apart(x, y, small)


def _apart(x: np.ndarray, y: np.ndarray, small: float) -> float:
    same = (x == y) | (np.isnan(x) & np.isnan(y))
    with np.errstate(invalid="ignore"):
        away = np.where(same, 0.0, np.abs(x - y) / np.maximum(np.maximum(np.abs(x), np.abs(y)), small))
    return float(np.where(np.isnan(away), np.inf, away).max(initial=0.0))


def beyond(file: str, before: str, after: str) -> Iterator[tuple[str, float]]:
    """Columns of two states of a file that differ by more than rounding may make, and by how much."""
    drawn = file.removesuffix(".csv").endswith(_DRAWN)
    tolerance, small = (OF_DRAWS, SMALL_OF_DRAWS) if drawn else (TOLERANCE, SMALL)
    return ((column, size) for column, size in differences(before, after, small) if size > tolerance)


def kept() -> dict[str, str]:
    """The tables that the suite compares with."""
    with zipfile.ZipFile(KEPT) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def main(arguments: list[str]) -> int:
    """Write, keep or compare."""
    if arguments[:1] == ["write"] and len(arguments) == 2:
        folder = Path(arguments[1])
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files():
            (folder / name).write_text(text, encoding="utf-8")
        return 0
    if arguments == ["keep"]:
        with zipfile.ZipFile(KEPT, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name, text in files(kept_only=True):
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text, zipfile.ZIP_DEFLATED)
        return 0
    if arguments == ["check"]:
        before = kept()
        moved = [
            f"{name}: {column} by {size:.2g}"
            for name, text in files(kept_only=True)
            for column, size in beyond(name, before[name], text)
        ]
        print("\n".join([*moved, f"{len(before)} files"]))
        return 1 if moved else 0
    if arguments[:1] == ["compare"] and len(arguments) == 3:
        return _compare(Path(arguments[1]), Path(arguments[2]))
    print(__doc__)
    return 2


def _compare(before: Path, after: Path) -> int:
    names = {path.name for folder in (before, after) for path in folder.iterdir()}
    differing = 0
    for name in sorted(names):
        pair = [folder / name for folder in (before, after)]
        if not all(path.exists() for path in pair):
            print(f"{name}: in one folder only")
            differing += 1
            continue
        one, two = (path.read_text(encoding="utf-8") for path in pair)
        if one == two:
            continue
        differing += 1
        if name.endswith(".csv"):
            found = {column: size for column, size in differences(one, two) if size > 0.0}
            worst = max(found, key=lambda column: found[column], default="text of numbers")
            print(f"{name}: {len(found)} columns differ, most {worst}, by {found.get(worst, 0.0):.2g}")
        else:
            print(f"{name}: differs")
    print(f"{len(names) - differing} of {len(names)} files are the same to the last byte")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
