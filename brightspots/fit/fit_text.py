"""Text and HTML of a fit; numbers are worded by `common.wording`. All text from data is escaped in HTML."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.settings import EffectQuestion
from brightspots.common.wording import counted, interval_text, percent_interval, probability_text
from brightspots.engine.effects import EffectDraws
from brightspots.fit.fitted import Fitted
from brightspots.fit.frames import why, with_interval
from brightspots.fit.spots import find_spots
from brightspots.fit.spots_text import spots_line

# The text of a fit warns of heavy tails where p of `effect_shape` is below this.
HEAVY_TAILS = 0.01


def fit_text(fit: Fitted) -> str:
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


def fit_html(fit: Fitted) -> str:
    """What `fit_text` says, as an HTML fragment for notebooks."""
    mark = "" if fit.certificate.ok else " style='color:#9a3c00;font-weight:bold'"
    return (
        f"<div class='brightspots'><p><b>{html.escape(_headline(fit))}</b></p>"
        f"{_partition_table(fit.variance_partition()).to_html(escape=True, border=0)}"
        f"<p{mark}>{html.escape(certificate_line(fit))}</p>"
        f"{''.join(f'<p>{html.escape(line)}</p>' for line in cautions_lines(fit))}"
        f"<p>{html.escape(shape_line(fit))}</p>"
        f"<p>{html.escape(_flags_line(fit))}</p></div>"
    )


def _flags_line(fit: Fitted) -> str:
    """Counts of statuses in one line, under the rule of a saved fit or the default one, which only ratios have."""
    if not fit.table.cells.is_ratio and (fit.decision is None or fit.decision.rule.difference is None):
        return (
            "Bright and dark spots: say how large a difference matters, in the units of the estimates: "
            "fit.find_spots(SpotRule(difference=…))"
        )
    return spots_line(find_spots(fit, rating={}))  # statuses need no rating, be there one that cannot be read


def _headline(fit: Fitted) -> str:
    cells = fit.table.cells
    sizes = [
        f"{cells.n_trusts:,} trusts",
        f"{cells.n_departments:,} departments",
        f"{cells.n_cells:,} cells",
    ]
    if cells.periods is not None:
        sizes.append(f"{len(cells.periods):,} periods")
    return f"Hierarchy of {', '.join(sizes)}: {cells.family.described} ({cells.family.name}), higher is {fit.higher_is}"


def _partition_table(partition: pd.DataFrame) -> pd.DataFrame:
    """The partition rounded and worded for people."""
    share = [percent_interval(*row) for row in with_interval(partition, "share")]
    index = pd.Index([f"between {level}s" for level in partition.index])
    if "median_difference" in partition:
        columns = {"sd": "sd", "median_difference": "median difference between two"}
        in_units = {
            said: [interval_text(*row, form=".3g") for row in with_interval(partition, name)]
            for name, said in columns.items()
        }
        return pd.DataFrame({"share of variance": share} | in_units, index=index)
    sd = [interval_text(*row, form=".3f") for row in with_interval(partition, "sd")]
    ratio = [interval_text(*row) for row in with_interval(partition, "median_ratio")]
    return pd.DataFrame(
        {"share of variance": share, "sd (log scale)": sd, "median ratio between two": ratio},
        index=index,
    )


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


def certificate_line(fit: Fitted) -> str:
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


def cautions_lines(fit: Fitted) -> list[str]:
    """The cautions of a fit, a line each; of the notes of its table (code "way in") only the number."""
    noted = sum(caution.code == names.WAY_IN for caution in fit.cautions)
    said = [
        f"{'CAUTION' if caution.is_doubt else 'Caution'}: {caution.text}"
        for caution in fit.cautions
        if caution.code != names.WAY_IN
    ]
    return said + (
        [f"Data: {counted(noted, 'note')} on where they come from, among the cautions"] if noted else []
    )


# What a fit says of a question to which it could not take the answer that the data gave.
_SET_ASIDE: Final[Mapping[EffectQuestion, str]] = {
    "trust": "Trust effects: fitted as normal",
    "department": "Department effects: fitted as normal",
    "department_by_type": "Department effects: fitted with one sd for all types",
}


def shape_line(fit: Fitted) -> str:
    """The shape of the effects: sd by type, what was estimated of heavy tails, and the check of normality elsewhere."""
    shared = fit.effects.shared
    lines = [f"{level.capitalize()} effects: {_tails(of)}" for level, of in shared.effects.items()]
    lines += [f"{_SET_ASIDE[question]}; {why(question, fit.choice)}" for question in fit.choice.set_aside]
    by_type = shared.sd_department_by_type
    if by_type is not None:
        typical = by_type.mean(axis=0)
        least, most = int(np.argmin(typical)), int(np.argmax(typical))
        labels = fit.table.cells.departments
        lines.append(
            f"Departments' sd by type: from {typical[least]:.3f} ({labels[least]}) to {typical[most]:.3f} "
            f"({labels[most]})"
        )
    checked = [
        level for level in ("trust", "department") if level in shared.sd and level not in shared.effects
    ]
    if checked:
        lines.append(_shape_words(fit, checked))
    return "\n".join(lines)


def _tails(of: EffectDraws) -> str:
    """A distribution with heavy tails and what was estimated of it, medians with 95% intervals."""
    natural = of.natural

    def estimated(name: str) -> tuple[float, float, float]:
        lower, middle, upper = np.quantile(natural[name], [0.025, 0.5, 0.975])
        return float(middle), float(lower), float(upper)

    if names.DEGREES_OF_FREEDOM in natural:
        middle, lower, upper = estimated(names.DEGREES_OF_FREEDOM)
        return f"Student's t, {middle:.1f} degrees of freedom ({lower:.1f} to {upper:.1f})"
    share = percent_interval(*estimated(names.EXCEPTIONAL_SHARE))
    factor = interval_text(*estimated(names.EXCEPTIONAL_FACTOR), form=".1f")
    return f"mixture of two normals, exceptional {share}, and {factor} times as wide as the others"


def _shape_words(fit: Fitted, levels: list[str]) -> str:
    """What speaks against normal effects of the levels that were taken to have them."""
    shape = fit.effect_shape()
    shape = shape[shape.index.isin(levels)]
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
        "the extreme ones are shrunk too far; compare Priors(effects='mixture')"
    )
