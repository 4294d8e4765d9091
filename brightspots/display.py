"""Text and HTML of fits and spots; numbers are said by `wording`. All text from data is escaped in HTML."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from brightspots import vocabulary as names
from brightspots.cells import FloatArray
from brightspots.wording import counted, interval_text, percent_interval, probability_text

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
        *cautions_lines(fit),
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
        f"{''.join(f'<p>{html.escape(line)}</p>' for line in cautions_lines(fit))}"
        f"<p>{html.escape(shape_line(fit))}</p>"
        f"<p>{html.escape(_flags_line(fit))}</p></div>"
    )


def _flags_line(fit: HierarchyFit) -> str:
    """Flags under the rule that a saved fit remembers, else under the default one, which only ratios have."""
    if not fit.table.cells.is_ratio and (fit.decision is None or fit.decision.rule.difference is None):
        return (
            "Bright and dark spots: say how large a difference matters, in the units of the estimates: "
            "fit.find_spots(SpotRule(difference=…))"
        )
    return spots_line(fit.find_spots(rating={}))  # statuses need no rating, be there one that cannot be read


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
    share = [percent_interval(*row) for row in _with_interval(partition, "share")]
    index = pd.Index([f"between {level}s" for level in partition.index])
    if "median_difference" in partition:
        columns = {"sd": "sd", "median_difference": "median difference between two"}
        in_units = {
            said: [interval_text(*row, form=".3g") for row in _with_interval(partition, name)]
            for name, said in columns.items()
        }
        return pd.DataFrame({"share of variance": share} | in_units, index=index)
    sd = [interval_text(*row, form=".3f") for row in _with_interval(partition, "sd")]
    ratio = [interval_text(*row) for row in _with_interval(partition, "median_ratio")]
    return pd.DataFrame(
        {"share of variance": share, "sd (log scale)": sd, "median ratio between two": ratio},
        index=index,
    )


def _with_interval(frame: pd.DataFrame, name: str) -> FloatArray:
    """A column with the ends of its interval, (rows, 3)."""
    return frame[[name, f"{name}_lower", f"{name}_upper"]].to_numpy(dtype=np.float64)


def partition_text(partition: pd.DataFrame) -> str:
    """The partition as lines of text, 95% intervals in brackets."""
    text = _partition_table(partition).to_string()
    exceeds = partition.attrs["p_department_exceeds_trust"]
    if exceeds == exceeds:  # not NaN: both levels are in the model
        text += f"\nP(departments vary more than trusts): {probability_text(exceeds)}"
    if "sd_department_type" in partition.attrs:
        form = ".3g" if "median_difference" in partition else ".3f"
        sd = interval_text(*partition.attrs["sd_department_type"], form=form)
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


def cautions_lines(fit: HierarchyFit) -> list[str]:
    """What readers should know of the data, a line each; of what was noted on their way here, how much there is."""
    noted = sum(caution.code == names.WAY_IN for caution in fit.cautions)
    said = [
        f"{'CAUTION' if caution.is_doubt else 'Caution'}: {caution.text}"
        for caution in fit.cautions
        if caution.code != names.WAY_IN
    ]
    return said + (
        [f"Data: {counted(noted, 'note')} on where they come from, among the cautions"] if noted else []
    )


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
        f"{level}s' excess kurtosis {kurtosis:.2f}, P: {probability_text(p)}"
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
        told = _with_interval(flagged, f"{of}_{kind}")
        columns[f"{of} {kind}"] = [interval_text(*row, form=form) for row in told]
    if spots.effects.cells.family != "normal":  # estimates have no events to be in excess
        columns["excess"] = [
            "only department" if pd.isna(events) else f"{events:+,.0f}" for events in flagged["excess"]
        ]
    columns["probability"] = flagged["probability"].map(probability_text)
    if "periods" in flagged:
        columns["periods on this side"] = [
            f"{same} of {compared}"
            for same, compared in zip(flagged["periods_same_side"], flagged["periods"], strict=True)
        ]
    shown = pd.DataFrame(columns)
    if spots.ratings is not None:
        shown["rating"] = flagged["rating"].map(lambda value: "not rated" if pd.isna(value) else str(value))
    if spots.ratings is not None and spots.ratings.strong is not None:
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


def _reasons(spots: Spots) -> str:
    """Why the data cannot tell, the number of departments before each reason."""
    why = spots.decisions.why.tolist()
    limit = "margin" if spots.effects.cells.is_ratio else "difference"
    counted = [
        f"{why.count(reason):,} {reason}".replace("margin", limit)
        for reason in names.REASONS
        if reason in why
    ]
    return f" (why: {', '.join(counted)})" if counted else ""


def _footnotes(spots: Spots, hidden: int) -> list[str]:
    notes = []
    if hidden > 0:
        notes.append(f"… and {hidden:,} more: see .table")
    notes.append(f"'cannot tell' means that the data do not say; it is not reassurance{_reasons(spots)}.")
    if spots.rating_note:
        how = " Say it with strong_from=…" if spots.ratings is not None else ""
        notes.append(f"{spots.rating_note}{how}")
    if spots.rating_uses_outcome:
        notes.append("The rating was built partly from this outcome: the two are not independent.")
    return notes
