"""Published data sets from file to flags; writes docs/real_data.md and its funnels.

    python benchmarks/real_data.py [folder of published files]

The folder defaults to BRIGHTSPOTS_REAL_DATA. Every number in docs/real_data.md comes from this script.
"""

from __future__ import annotations

import os
import platform
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes

import brightspots as bs
from brightspots.common.vocabulary import REASONS
from brightspots.common.wording import interval_text, percent_interval, probability_text
from brightspots.fit import fit_text, spots_text
from brightspots.fit.funnels import trust_limits
from brightspots.fit.sensitivity import surviving_flags
from brightspots.report import cautions

mpl.use("Agg")
DOCS = Path(__file__).resolve().parents[1] / "docs"


@dataclass(frozen=True)
class Study:
    """One data set, its rating if any, and how to fit it."""

    key: str
    title: str
    introduction: str
    data: pd.DataFrame
    rating: pd.DataFrame | None
    options: dict[str, object]
    notes: tuple[str, ...]


def studies(folder: Path) -> list[Study]:
    """Read the published files."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", bs.DataWarning)
        iqi = bs.read_ny_iqi(folder / "ny_iqi_2009_2014.csv")
        hrrp = bs.read_cms_hrrp(folder / "cms_hrrp_fy2026.csv")
        stars = bs.read_cms_ratings(folder / "cms_hospital_general_information_2026.csv")
        rtt = bs.read_nhs_rtt(folder / "nhs_rtt_2026_01_full_extract.zip")
        cqc = bs.read_cqc_ratings(folder / "cqc_provider_ratings_2013_2019.csv")
    warned = tuple(str(warning.message) for warning in said)
    return [
        Study(
            "ny_iqi",
            "New York: deaths in hospital, 2009–2014",
            "The 11 main mortality indicators of the New York State Inpatient Quality Indicators, six years pooled. The "
            "departments are indicators, such as pneumonia or hip fracture.",
            iqi,
            None,
            {"period": False},
            tuple(iqi.attrs["notes"]),
        ),
        Study(
            "ny_iqi_years",
            "New York: the same, year by year",
            "Three levels: hospitals, departments within them, and years within departments, so that what is particular to one "
            "year is told from the average over the years shown.",
            iqi,
            None,
            {},
            (),
        ),
        Study(
            "cms_hrrp",
            "United States: readmissions of Medicare patients, 2021–2024, and overall stars",
            "The Hospital Readmissions Reduction Program, fiscal year 2026: six conditions, with the overall star rating "
            "(1 to 5) of each hospital.",
            hrrp,
            stars,
            {},
            tuple(dict.fromkeys((*warned, *hrrp.attrs["notes"]))),
        ),
        Study(
            "nhs_rtt",
            "England: waits over 18 weeks, January 2026, and ratings of the Care Quality Commission",
            "Incomplete pathways by NHS trust and treatment function; the event is a wait of more than 18 weeks, and ratios "
            "are odds ratios. The ratings are of 2013–2019, seven years before the waits: an illustration, not evidence.",
            rtt,
            cqc,
            {},
            tuple(rtt.attrs["notes"]),
        ),
    ]


def report(study: Study) -> str:
    """Fit one study and say what it gives, as Markdown."""
    started = time.perf_counter()
    fit = bs.fit_hierarchy(study.data, seed=1, **study.options)  # type: ignore[arg-type]
    seconds = time.perf_counter() - started
    spots = fit.find_spots(rating=study.rating)
    cells = fit.table.cells
    partition = fit.variance_partition()
    trust, department = partition.loc["trust"], partition.loc["department"]
    lines = [
        f"## {study.title}",
        "",
        study.introduction,
        f"{cells.n_trusts:,} hospitals or trusts, {cells.n_departments} departments, {cells.n_cells:,} cells; fitted in "
        f"{seconds:.2f} s ({fit_text.certificate_line(fit)}).",
        "",
        "```text",
        fit_text.partition_text(partition),
        "",
        fit_text.shape_line(fit),
        spots_text.spots_line(spots),
        "```",
        "",
        f"Of the variation that is not chance, {percent_interval(trust.share, trust.share_lower, trust.share_upper)} lies "
        f"between hospitals and {percent_interval(department.share, department.share_lower, department.share_upper)} between "
        f"departments of the same hospital{_between_periods(partition)}.",
        *_trust_lines(fit),
        *_rating_lines(spots),
        *_silence(spots),
        *_reading_lines(spots),
        *_flag_lines(spots),
        *_learning_lines(spots),
        f"![Funnel of {study.key}](images/{study.key}_funnel.png)",
        "",
        f"*{bs.describe(_funnel(fit, study.key))}*",
        "",
        *(["What the reader did:", "", *[f"- {note}" for note in study.notes], ""] if study.notes else []),
    ]
    return "\n".join(lines)


def withheld(folder: Path) -> str:
    """What leaving small cells out does to the readmissions, beside two ways of minding it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bs.DataWarning)
        cells = bs.read_cms_hrrp(folder / "cms_hrrp_fy2026.csv")
    plain = cells.drop(columns="counted_from")
    tables = {
        "as if nothing were withheld": plain,
        "counts of at least 11, given that they are shown": cells,
        "cells that expect 25 or more, alone": plain[plain["expected"] >= 25],
    }
    rows = []
    for name, table in tables.items():
        fit = bs.fit_hierarchy(table, seed=1)
        assert isinstance(fit, bs.HierarchyFit)  # one outcome
        sd = fit.variance_partition()
        types = sd.attrs["sd_department_type"]
        flags = [
            fit.find_spots(bs.SpotRule(reference=reference)).summary()["departments"]
            for reference in ("organisation", "peers")
        ]
        rows.append(
            {
                "fit": name,
                "cells": f"{len(table):,}",
                "σ trust": interval_text(*sd.loc["trust", ["sd", "sd_lower", "sd_upper"]], form=".3f"),
                "σ department": interval_text(
                    *sd.loc["department", ["sd", "sd_lower", "sd_upper"]], form=".3f"
                ),
                "σ department type": interval_text(*types, form=".3f"),
                "bright, dark (own trust)": f"{flags[0]['bright spot']:,}, {flags[0]['dark spot']:,}",
                "bright, dark (peers)": f"{flags[1]['bright spot']:,}, {flags[1]['dark spot']:,}",
            }
        )
    return "\n".join(
        [
            "## What withholding small counts does: readmissions once more",
            "",
            f"The file withholds 3,683 cells with fewer than 11 readmissions together with their discharges, so that they cannot "
            f"enter as intervals (`docs/readers.md`). The {len(plain):,} cells that are left are there because they have 11 or more. "
            "Three fits: of the counts as if nothing were withheld; of the same counts, each given that it is at least 11 (the column "
            "`counted_from`, which the reader gives); and of the cells that expect 25 or more, which hardly any outcome could have "
            "taken out of the file.",
            "",
            *_markdown(pd.DataFrame(rows)),
            "",
            "Conditions with many small cells (bypass surgery, heart attack) look worse nationally than they are where nothing is "
            "minded, which draws the department types together: their σ is the number that differs most. "
            "The likelihood of a count given that it is shown takes the levels of the departments shown to be spread as those of "
            "all departments are, whereas the higher ones are shown more often. That matters little where departments differ "
            "little, as here; `docs/readers.md` has the measurements.",
            "",
        ]
    )


def _between_periods(partition: pd.DataFrame) -> str:
    if "period" not in partition.index:
        return ""
    period = partition.loc["period"]
    return (
        f"; {percent_interval(period.share, period.share_lower, period.share_upper)} lies between periods of the same "
        "department"
    )


def _rating_lines(spots: bs.Spots) -> list[str]:
    if spots.ratings is None:
        return []
    explained = spots.rating_explains()
    trust, both = explained.loc["trust"], explained.loc["trust_and_department"]
    point, lower, upper = explained.attrs["p_reversed"]
    crossed = spots.table["rating_status"].value_counts()
    return [
        "",
        f"The overall rating explains {percent_interval(trust.share, trust.share_lower, trust.share_upper, decimals=1)} of the variance "
        f"between hospitals and {percent_interval(both.share, both.share_lower, both.share_upper, decimals=1)} of that between departments of "
        f"all hospitals. A random department of a higher-rated hospital is worse than a random one of a lower-rated hospital "
        f"with probability {probability_text(point)} ({probability_text(lower)} to {probability_text(upper)}). "
        f"{crossed.get('dark in strong', 0):,} dark spots lie in strongly rated hospitals, "
        f"{crossed.get('bright in weak', 0):,} bright spots in weakly rated ones.",
    ]


def _silence(spots: bs.Spots) -> list[str]:
    counts = spots.summary()["departments"]
    silent, all_cells = int(counts["cannot tell"]), int(counts.sum())
    why = spots.table["why"].value_counts()
    reasons = ", ".join(f"{why[reason]:,} {reason}" for reason in REASONS if reason in why)
    table = spots.table
    by_model = int((1.0 - table["p_own_high"] - table["p_own_low"] >= spots.rule.in_line).sum())
    return [
        "",
        f"Of {silent:,} of the {all_cells:,} departments nothing can be told at this margin: no flag, and no evidence that they are "
        f"in line ({reasons}). By the model alone, without evidence of their own and against their own hospital only, {by_model:,} "
        f"would be called in line; {int(counts['in line']):,} are. {spots.expected_false_flags:.1f} of the {int(counts['bright spot'] + counts['dark spot']):,} flags are expected "
        "to be false.",
    ]


def _trust_lines(fit: bs.HierarchyFit) -> list[str]:
    """Hospitals as a whole: outside the 99.8% limits of the funnel, with what the model says of them."""
    limits = trust_limits(fit, "hierarchical", (0.95, 0.998)).table
    outside = limits.index[limits["zone"].isin(["above 99.8%", "below 99.8%"])]
    trusts = fit.trusts().set_index("trust")
    surely = trusts[["p_high", "p_low"]].max(axis=1)
    least = surely.loc[outside].min()
    said = (
        f" The {len(outside):,} outside the 99.8% limits of the funnel have one of at least {probability_text(least)}."
        if len(outside)
        else ""
    )
    return [
        "",
        f"{int((trusts['p_high'] >= 0.95).sum()):,} hospitals as a whole lie above the national level by more than the margin with a "
        f"probability of 0.95 or more, {int((trusts['p_low'] >= 0.95).sum()):,} below it.{said}",
    ]


def _reading_lines(spots: bs.Spots) -> list[str]:
    """Own status by peer status, and how small the margin is where most are flagged."""
    readings = spots.readings()
    table = pd.DataFrame({"against the own hospital": list(readings.index)})
    for peer in readings.columns:
        table[f"elsewhere: {peer}"] = [f"{n:,}" for n in readings[peer]]
    lines = ["", "Both comparisons at once:", "", *_markdown(table), ""]
    if spots.wide_spread is not None:
        share = spots.fit.find_spots(bs.SpotRule(share=0.1)).summary()["departments"]
        lines += [
            f"{spots.wide_spread.flagged:.0%} of the departments are flagged: a margin of {spots.margin:g} is small beside the "
            f"ordinary spread between them; a tenth of them differ by more than a factor of {spots.wide_spread.extreme:.3g}. "
            f"`SpotRule(share=0.1)` flags {int(share['bright spot']):,} bright and {int(share['dark spot']):,} dark spots.",
            "",
        ]
    return lines


def _learning_lines(spots: bs.Spots) -> list[str]:
    """Partners of dark spots, positive deviants, and flags that survive errors of what was expected."""
    pairs, ahead = spots.learning_pairs(), spots.positive_deviants()
    alone = len(pairs.attrs["without_partner"])
    said = (
        f"{pairs[['trust', 'department']].drop_duplicates().shape[0]:,} dark spots have better departments of their kind to "
        f"talk to ({len(pairs):,} pairs with at most three partners each; {alone:,} dark spots have none). "
    )
    counted = (
        f"{len(ahead):,} departments are positive deviants, ahead of their own hospital and of their peers"
    )
    if spots.effects.cells.has_periods:
        counted += " and on the good side of both in each of the last four periods"
    survivors = surviving_flags(spots.fit, spots.rule)
    kept = (
        ""
        if survivors is None
        else f" {cautions.surviving(*survivors, adjusted=spots.effects.cells.expected is not None)}"
    )
    return [f"{said if len(spots.dark) else ''}{counted}.{kept}", ""]


def _flag_lines(spots: bs.Spots) -> list[str]:
    table = spots_text.spots_table(spots)
    if not len(table):
        return ["No department is flagged against its own hospital.", ""]
    shown = pd.concat([table[table["status"] == status].head(5) for status in ("dark spot", "bright spot")])
    return [
        f"The five most certain dark and bright spots of {len(table):,} (trusts by their code):",
        "",
        *_markdown(shown),
        "",
    ]


def _markdown(table: pd.DataFrame) -> list[str]:
    rows = [list(table.columns), ["---"] * table.shape[1], *table.astype(str).to_numpy().tolist()]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]


def _funnel(fit: bs.HierarchyFit, key: str) -> Axes:
    ax = fit.plot_funnel()
    (DOCS / "images").mkdir(exist_ok=True)
    ax.figure.savefig(DOCS / "images" / f"{key}_funnel.png", dpi=90, bbox_inches="tight")
    return ax


def main() -> None:
    """Write docs/real_data.md."""
    default = os.environ.get("BRIGHTSPOTS_REAL_DATA", "../shared/data")
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else default)
    parts = [report(study) for study in studies(folder)]
    parts.append(withheld(folder))
    head = [
        "# Published data sets, from file to flags",
        "",
        "Written by `benchmarks/real_data.py` from the publishers' own files, which are not part of the package (see "
        "`docs/readers.md` for where each comes from and its licence). Run times are of one fit, data already read, on "
        f"{os.cpu_count()} cores ({platform.machine()}, Python {platform.python_version()}), brightspots {bs.__version__}. "
        "All fits use the default priors, a margin of 1.1 and a false discovery rate of 0.05; intervals are 95%.",
        "",
    ]
    (DOCS / "real_data.md").write_text("\n".join(head + parts), encoding="utf-8")


if __name__ == "__main__":
    main()
