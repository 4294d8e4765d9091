"""Text and HTML of fits and spots: the only place that rounds. All text from data is escaped in HTML."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from brightspots import vocabulary as names

if TYPE_CHECKING:
    from brightspots.fits import HierarchyFit
    from brightspots.spots import Spots

SHOWN_SPOTS = 10
# Probability of tails as heavy under the model below which the text of a fit speaks of it.
HEAVY_TAILS = 0.01
_COUNTED = {"poisson": "events against expected", "binomial": "events among people", "normal": "estimates"}


def fit_text(fit: HierarchyFit) -> str:
    """One screen: sizes, partition, certificate and flags."""
    lines = [_headline(fit), ""]
    lines.append(partition_text(fit.variance_partition()))
    lines += [
        "",
        certificate_line(fit),
        shape_line(fit),
        "",
        _flags_line(fit),
        "Next: fit.find_spots(), fit.departments()",
    ]
    return "\n".join(lines)


def fit_html(fit: HierarchyFit) -> str:
    """The same as a HTML fragment for notebooks."""
    mark = "" if fit.certificate.ok else " style='color:#9a3c00;font-weight:bold'"
    return (
        f"<div class='brightspots'><p><b>{html.escape(_headline(fit))}</b></p>"
        f"{_partition_table(fit.variance_partition()).to_html(escape=True, border=0)}"
        f"<p{mark}>{html.escape(certificate_line(fit))}</p>"
        f"<p>{html.escape(shape_line(fit))}</p>"
        f"<p>{html.escape(_flags_line(fit))}</p></div>"
    )


def _flags_line(fit: HierarchyFit) -> str:
    """Flags under the default rule, which only ratios have."""
    if not fit.table.cells.is_ratio:
        return (
            "Bright and dark spots: say how large a difference matters, in the units of the estimates: "
            "fit.find_spots(SpotRule(difference=…))"
        )
    return spots_line(fit.find_spots())


def _headline(fit: HierarchyFit) -> str:
    cells = fit.table.cells
    sizes = [
        f"{cells.n_trusts:,} trusts",
        f"{cells.n_departments:,} departments",
        f"{cells.n_cells:,} cells",
    ]
    if cells.periods is not None:
        sizes.append(f"{len(cells.periods):,} periods")
    return f"Hierarchy of {', '.join(sizes)}: {_COUNTED[cells.family]} ({cells.family}), higher is {fit.higher_is}"


def _partition_table(partition: pd.DataFrame) -> pd.DataFrame:
    """The partition rounded and worded for people."""
    share = [
        f"{row.share:.0%} ({row.share_lower:.0%} to {row.share_upper:.0%})" for row in partition.itertuples()
    ]
    index = pd.Index([f"between {level}s" for level in partition.index])
    if "median_difference" in partition:
        columns = {"sd": "sd", "median_difference": "median difference between two"}
        in_units = {
            said: [
                f"{point:.3g} ({lower:.3g} to {upper:.3g})"
                for point, lower, upper in partition[[name, f"{name}_lower", f"{name}_upper"]].to_numpy()
            ]
            for name, said in columns.items()
        }
        return pd.DataFrame({"share of variance": share} | in_units, index=index)
    sd = [f"{row.sd:.3f} ({row.sd_lower:.3f} to {row.sd_upper:.3f})" for row in partition.itertuples()]
    ratio = [
        f"{row.median_ratio:.2f} ({row.median_ratio_lower:.2f} to {row.median_ratio_upper:.2f})"
        for row in partition.itertuples()
    ]
    return pd.DataFrame(
        {"share of variance": share, "sd (log scale)": sd, "median ratio between two": ratio},
        index=index,
    )


def partition_text(partition: pd.DataFrame) -> str:
    """The partition as lines of text, 95% intervals in brackets."""
    text = _partition_table(partition).to_string()
    exceeds = partition.attrs["p_department_exceeds_trust"]
    if exceeds == exceeds:  # not NaN: both levels are in the model
        text += f"\nP(departments vary more than trusts) = {probability(exceeds)}"
    if "sd_department_type" in partition.attrs:
        point, lower, upper = partition.attrs["sd_department_type"]
        form = ".3g" if "median_difference" in partition else ".3f"
        sd = f"{point:{form}} ({lower:{form}} to {upper:{form}})"
        text += f"\nDepartment types nationally: sd {sd}, outside the shares"
    return text


def certificate_line(fit: HierarchyFit) -> str:
    """The certificate in one line."""
    certificate = fit.certificate
    checks = [f"{certificate.effective_draws:,.0f} effective draws"]
    if certificate.pareto_k == certificate.pareto_k:
        checks.append(f"Pareto k {certificate.pareto_k:.2f}")
    if certificate.r_hat == certificate.r_hat:
        checks += [f"R-hat {certificate.r_hat:.3f}", f"{certificate.divergences:,} divergences"]
    state = "Certificate" if certificate.ok else "CERTIFICATE DOES NOT HOLD"
    message = "" if certificate.ok else f"; {certificate.message}"
    return f"{state}: {certificate.method}, {', '.join(checks)}, {certificate.seconds:.2f} s{message}"


def shape_line(fit: HierarchyFit) -> str:
    """Whether normal effects are good enough, in one line."""
    freedom = fit.effects.shared.degrees_of_freedom
    if freedom is not None:
        lower, middle, upper = np.quantile(freedom, [0.025, 0.5, 0.975])
        return (
            f"Department effects: Student's t, {middle:.1f} degrees of freedom ({lower:.1f} to {upper:.1f})"
        )
    by_type = fit.effects.shared.sd_department_by_type
    spread = ""
    if by_type is not None:
        typical = by_type.mean(axis=0)
        least, most = int(np.argmin(typical)), int(np.argmax(typical))
        labels = fit.table.cells.departments
        spread = (
            f"Departments' sd by type: from {typical[least]:.3f} ({labels[least]}) to {typical[most]:.3f} "
            f"({labels[most]})\n"
        )
    return spread + _shape_words(fit)


def _shape_words(fit: HierarchyFit) -> str:
    shape = fit.effect_shape()
    known = shape[shape["p"].notna()]
    if not len(known):
        return (
            "Shape of the effects: too few units to tell whether they are normal, or too little known of them"
        )
    heavy = known[known["p"] < HEAVY_TAILS]
    told = heavy if len(heavy) else known
    said = "; ".join(
        f"{level}s' excess kurtosis {kurtosis:.2f}, P = {probability(p)}"
        for level, kurtosis, p in zip(told.index, told["excess_kurtosis"], told["p"], strict=True)
    )
    if not len(heavy):
        return f"Shape of the effects: nothing against normal ones ({said})"
    return (
        f"SHAPE OF THE EFFECTS: heavier tails than normal ({said}); a few units carry the standard deviation, and "
        "the extreme ones are shrunk too far; compare Priors(effects='student_t')"
    )


def spots_line(spots: Spots) -> str:
    """Counts by status and the expected number of false flags, in one line."""
    counts = spots.summary()["departments"]
    plural = {names.BRIGHT: "bright spots", names.DARK: "dark spots"}
    said = [
        f"{count:,} {status if count == 1 else plural.get(str(status), str(status))}"
        for status, count in counts.items()
    ]
    reference = {
        "organisation": "their own trust",
        "peers": "the same department elsewhere",
        "both": "their own trust and the same department elsewhere",
    }
    return (
        f"Departments against {reference[spots.rule.reference]}, {_margin_words(spots)}: {', '.join(said)}; "
        f"{spots.expected_false_flags:.1f} of the flags are expected to be false"
    )


def _margin_words(spots: Spots) -> str:
    word = "margin" if spots.effects.cells.is_ratio else "difference"
    return f"{word} {spots.margin:g}"


def spots_table(spots: Spots) -> pd.DataFrame:
    """The flagged departments, most certain first within dark and bright, rounded for people."""
    flagged = spots.table[spots.table["status"].isin([names.BRIGHT, names.DARK])]
    flagged = flagged.sort_values(["status", "probability"], ascending=[False, False], kind="stable")
    shown_for = {"organisation": ["own"], "peers": ["peer"], "both": ["own", "peer"]}
    kind, form = ("ratio", ".2f") if spots.effects.cells.is_ratio else ("difference", ".3g")
    columns: dict[str, Any] = {name: flagged[name] for name in ("trust", "department", "status")}
    for of in shown_for[spots.rule.reference]:
        name = f"{of}_{kind}"
        columns[f"{of} {kind}"] = [
            f"{point:{form}} ({lower:{form}} to {upper:{form}})"
            for point, lower, upper in zip(
                flagged[name], flagged[f"{name}_lower"], flagged[f"{name}_upper"], strict=True
            )
        ]
    if spots.effects.cells.family != "normal":  # estimates have no events to be in excess
        columns["excess"] = [
            "only department" if pd.isna(events) else f"{events:+,.0f}" for events in flagged["excess"]
        ]
    columns["probability"] = flagged["probability"].map(probability)
    if "periods" in flagged:
        columns["periods on this side"] = [
            f"{same} of {compared}"
            for same, compared in zip(flagged["periods_same_side"], flagged["periods"], strict=True)
        ]
    shown = pd.DataFrame(columns)
    if spots.ratings is not None:
        shown["rating"] = flagged["rating"].map(lambda value: "not rated" if pd.isna(value) else str(value))
        shown["against rating"] = flagged["rating_status"]
    return shown.reset_index(drop=True)


def spots_text(spots: Spots) -> str:
    """A bounded slice of the list, and how much it hides."""
    table = spots_table(spots)
    lines = [spots_line(spots)]
    if len(table):
        lines += ["", table.head(SHOWN_SPOTS).to_string(index=False)]
    lines += _footnotes(spots, len(table) - SHOWN_SPOTS)
    return "\n".join(lines)


def spots_html(spots: Spots) -> str:
    """The whole list as a HTML fragment."""
    notes = "".join(f"<p>{html.escape(note)}</p>" for note in _footnotes(spots, 0))
    table: Any = spots_table(spots).to_html(index=False, escape=True, border=0)
    return f"<div class='brightspots'><p><b>{html.escape(spots_line(spots))}</b></p>{table}{notes}</div>"


def _footnotes(spots: Spots, hidden: int) -> list[str]:
    notes = []
    if hidden > 0:
        notes.append(f"… and {hidden:,} more: see .table")
    notes.append("'cannot tell' means that the data are too thin to say; it is not reassurance.")
    if spots.rating_uses_outcome:
        notes.append("The rating was built partly from this outcome: the two are not independent.")
    return notes


def probability(value: float) -> str:
    """A probability with two decimals, never shown as certain."""
    if value >= 0.995:
        return "> 0.99"
    return "< 0.01" if value < 0.005 else f"{value:.2f}"
