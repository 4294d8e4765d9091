"""Tables, figure and words of docs/decisions.md, from what benchmarks/decisions.py measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt

mpl.use("Agg")
from matplotlib import pyplot as plt

Array = npt.NDArray[np.float64]

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE, FIGURE = DOCS / "decisions.md", DOCS / "images" / "decisions.png"
START, END = "<!-- measured: start -->", "<!-- measured: end -->"
AGAINST = {
    "organisation": "the other departments of the own trust",
    "peers": "the same department nationally",
}
# Okabe & Ito's colours, told apart by line style as well.
STYLES = (("#0072B2", "-"), ("#D55E00", "--"), ("#CC79A7", "-."), ("#555555", ":"))


@dataclass(frozen=True)
class RivalRow:
    """One rival: (nations, 2) of false discovery proportion and power at its usual cut and at ours; its curve."""

    usual: Array
    equal: dict[float, Array]
    curve: Array


@dataclass(frozen=True)
class Summary:
    """One scenario and reference; `ours` by nominal rate, `coverage` by nation."""

    ours: dict[float, Array]
    rivals: dict[str, RivalRow]
    curve: Array
    coverage: Array
    certified: int


def mean_error(values: Array) -> tuple[float, float]:
    """Mean over nations and its Monte Carlo standard error."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


def percent(values: Array) -> str:
    """`12.3 ± 0.4`, in per cent."""
    mean, error = mean_error(values)
    return f"{100 * mean:.1f} ± {100 * error:.1f}"


def text(summaries: Mapping[tuple[str, str], Summary], nations: int, rivals_in_r: bool) -> str:
    """The measured part of the page."""
    parts = [
        f"{nations} nations of 120 trusts × 20 department types in each setting, simulated by "
        "`brightspots.simulate.nation.simulate_nation` with seeds 1, 2, …; σ between trusts 0.12, between departments within a "
        "trust 0.19, between department types 0.08; 40 expected events a department on average unless stated. "
        "± is one Monte Carlo standard error over nations."
    ]
    if not rivals_in_r:
        parts.append("Rscript with lme4 was not found: the shrunken means are left out.")
    parts += ["### Are the rates kept, and do intervals cover?", _rates(summaries, nations)]
    parts += ["### Power at equal false discovery", _powers(summaries)]
    parts += ["### The rivals at their usual cuts", _usual(summaries)]
    return "\n\n".join(parts)


def _table(head: list[str], rows: list[list[str]]) -> str:
    rule = ["---", "---", *["---:"] * (len(head) - 2)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))


def _rates(summaries: Mapping[tuple[str, str], Summary], nations: int) -> str:
    rates = list(next(iter(summaries.values())).ours)
    head = ["setting", "compared with"]
    head += [f"false flags at fdr {rate:.2f}, %" for rate in rates] + [
        f"power at {rate:.2f}, %" for rate in rates
    ]
    head += ["95% intervals cover, %", "certified"]
    rows = []
    for (scenario, reference), summary in summaries.items():
        row = [scenario, AGAINST[reference]]
        row += [percent(summary.ours[rate][:, 0]) for rate in rates]
        row += [percent(summary.ours[rate][:, 1]) for rate in rates]
        rows.append([*row, percent(summary.coverage), f"{summary.certified} of {nations}"])
    return _table(head, rows)


def _powers(summaries: Mapping[tuple[str, str], Summary]) -> str:
    rates = list(next(iter(summaries.values())).ours)
    rows = []
    for (scenario, reference), summary in summaries.items():
        for name, rival in summary.rivals.items():
            row = [f"{scenario}; {AGAINST[reference]}", name]
            for rate in rates:
                row += [
                    percent(rival.equal[rate][:, 1]),
                    percent(summary.ours[rate][:, 1] - rival.equal[rate][:, 1]),
                ]
            rows.append(row)
    head = ["setting", "rival"]
    for rate in rates:
        head += [f"its power at our rate (fdr {rate:.2f}), %", "ours is higher by, points"]
    return _table(head, rows)


def _usual(summaries: Mapping[tuple[str, str], Summary]) -> str:
    rows = [
        [f"{scenario}; {AGAINST[reference]}", name, percent(rival.usual[:, 0]), percent(rival.usual[:, 1])]
        for (scenario, reference), summary in summaries.items()
        for name, rival in summary.rivals.items()
    ]
    return _table(["setting", "rival", "false flags, %", "power, %"], rows)


def figure(summaries: Mapping[tuple[str, str], Summary]) -> plt.Figure:
    """Power against false discovery, one panel a setting, against the own trust."""
    shown = {
        scenario: summary
        for (scenario, reference), summary in summaries.items()
        if reference == "organisation"
    }
    drawing, axes = plt.subplots(
        1,
        len(shown),
        figsize=(max(3.3 * len(shown), 7.5), 4.2),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for ax, (scenario, summary) in zip(axes[0], shown.items(), strict=True):
        lines = {"brightspots": summary.curve} | {name: rival.curve for name, rival in summary.rivals.items()}
        for (name, values), (colour, style) in zip(lines.items(), STYLES, strict=False):
            ax.plot(100 * values[:, 0], 100 * values[:, 1], style, color=colour, label=name)
        for rate, marker in zip(summary.ours, "os", strict=False):
            false, power = 100 * summary.ours[rate].mean(axis=0)
            label = f"brightspots at fdr = {rate:.2f}"
            ax.plot(false, power, marker, color=STYLES[0][0], label=label, markersize=7)
        ax.set(title=scenario.replace(" (", "\n("), xlim=(0, 40), xlabel="False discovery proportion, %")
        ax.grid(alpha=0.25)
    axes[0, 0].set(ylabel="Departments beyond the margin\nthat are found, %", ylim=(0, None))
    handles, labels = axes[0, 0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize="small")
    return drawing


def write(measured: str, summaries: Mapping[tuple[str, str], Summary]) -> None:
    """Put the measured part between its markers and draw the figure."""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(START)
    PAGE.write_text(f"{before}{START}\n{measured}\n{END}{rest.split(END)[1]}", encoding="utf-8")
    drawing = figure(summaries)
    drawing.savefig(FIGURE, dpi=150)
    plt.close(drawing)
