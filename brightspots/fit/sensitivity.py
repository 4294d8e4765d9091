"""Sensitivity of results to the priors, and of flags to errors of the expected events: refits under others."""

from __future__ import annotations

import html
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple, TypeVar, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.errors import CertificateWarning, SettingsError
from brightspots.common.settings import Flat, Priors, SpotRule
from brightspots.common.wording import percent
from brightspots.data.cells import Cells
from brightspots.engine.options import FitOptions, Method
from brightspots.engine.posterior import Certificate, Posterior
from brightspots.engine.run import run
from brightspots.engine.terms import resolve_priors
from brightspots.fit import frames
from brightspots.fit.fitted import Fitted
from brightspots.statistics.decisions import decide, flags
from brightspots.statistics.ensemble import extremes
from brightspots.statistics.expected_errors import reweighted
from brightspots.statistics.summaries import cell_summary, cell_tails, partition

Width = Literal["halved", "as fitted", "doubled"]
FACTORS: dict[Width, float] = {"halved": 0.5, "as fitted": 1.0, "doubled": 2.0}
# Standard deviations of log(expected) under which it is asked whether a flag survives.
EXPECTED_SDS: Final = (0.05, 0.1)

Statuses = npt.NDArray[np.str_]
Key = TypeVar("Key", bound=str | float)


@dataclass(frozen=True, eq=False, repr=False)
class Sensitivity:
    """What changes when every proper prior is half or twice as wide, and when expected events are somewhat off.

    Attributes
    ----------
    rule : SpotRule
        The rule for flags.
    partition : pandas.DataFrame
        `HierarchyFit.variance_partition` under each width, indexed by `priors` (halved, as fitted, doubled) and
        `level`.
    changed : pandas.DataFrame
        Departments whose status is not the same under all three: `trust, department` and a column for each width.
    flags : pandas.DataFrame
        Indexed by `priors`: departments `flagged`; how many of these are not flagged as fitted (`gained`), and how
        many of those flagged as fitted are not flagged here (`lost`). A flag on the other side counts as both.
    expected : pandas.DataFrame
        The same counts, indexed by `expected_sd`: were every department's expected events off by about 5% or 10%
        (0.05, 0.1), or by what the fit assumes of it already, where that is more. Empty for estimates, without
        departments, and where the fit assumes as much of every department.
    surviving : pandas.DataFrame
        One row a department flagged as fitted: `trust, department, status`, and `survives_0.05` and `survives_0.1`,
        whether the same flag is set with these errors too.
    certificates : mapping
        Of all fits, by the names of the widths and by `expected_sd`.
    """

    rule: SpotRule
    partition: pd.DataFrame
    changed: pd.DataFrame
    flags: pd.DataFrame
    expected: pd.DataFrame
    surviving: pd.DataFrame
    certificates: Mapping[str | float, Certificate]

    def __repr__(self) -> str:
        lines = ["Sensitivity to the priors: every proper prior half as wide, as fitted, twice as wide"]
        for level in self.partition.index.get_level_values("level").unique():
            shares = self.partition["share"].xs(level, level="level")
            lines.append(
                f"  share between {level}s: " + ", ".join(percent(shares[width], 1) for width in FACTORS)
            )
        counts = self.flags.loc[list(FACTORS)]
        lines.append("  departments flagged: " + ", ".join(f"{count:,}" for count in counts["flagged"]))
        for width in ("halved", "doubled"):
            row = self.flags.loc[width]
            lines.append(f"  {width}: {row['gained']:,} gained and {row['lost']:,} lost against the fit")
        lines.append(f"  departments whose status changes: {len(self.changed):,}")
        if len(self.expected):
            lines.append("Sensitivity to errors of the expected events")
        for size in self.expected.index:
            kept, gained = int(self.surviving[_survives(size)].sum()), self.expected.loc[size, "gained"]
            lines.append(
                f"  off by about {100 * size:g}%: {kept:,} of {len(self.surviving):,} flags survive, {gained:,} gained"
            )
        failed = [
            width if isinstance(width, str) else f"expected_sd {width:g}"
            for width, certificate in self.certificates.items()
            if not certificate.ok
        ]
        if failed:
            lines.append(f"  CERTIFICATE DOES NOT HOLD: {', '.join(failed)}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


def sensitivity(fit: Fitted, rule: SpotRule) -> Sensitivity:
    """Refit and compare; see `HierarchyFit.sensitivity`.

    Raises
    ------
    SettingsError
        Where all priors are flat: there is nothing to halve or double.
    """
    cells, method = fit.table.cells, cast(Method, fit.certificate.method)
    terms = resolve_priors(cells, fit.priors)
    priors = replace(fit.priors, intercept=terms.intercept)
    proper = [terms.intercept, *terms.scales.values()]
    if all(isinstance(prior, Flat) for prior in proper):
        raise SettingsError("every prior is flat: there is no width to halve or to double")

    partitions: dict[Width, pd.DataFrame] = {}
    statuses: dict[Width, Statuses] = {}
    certificates: dict[str | float, Certificate] = {}
    for width, factor in FACTORS.items():
        effects, certificate = fit.effects, fit.certificate
        if factor != 1.0:
            effects, certificate = _refit(fit, cells, priors.scaled(factor), method)
        partitions[width] = frames.partition_frame(partition(effects.shared, 0.95), ratios=cells.is_ratio)
        statuses[width] = _status(fit, effects, rule)
        certificates[width] = certificate
    with_errors = flags_with_errors(fit, rule, method)
    certificates |= {size: certificate for size, (_, certificate) in with_errors.items()}

    order, fitted = frames.cell_order(cells), statuses["as fitted"]
    labels = {
        names.TRUST: cells.trusts[cells.cell_trust],
        names.DEPARTMENT: cells.departments[cells.cell_department],
    }
    table = pd.DataFrame(labels | {str(width): status for width, status in statuses.items()}).iloc[order]
    same = (table["halved"] == table["as fitted"]) & (table["doubled"] == table["as fitted"])
    survives = {_survives(size): status == fitted for size, (status, _) in with_errors.items()}
    flagged = pd.DataFrame(labels | {"status": fitted} | survives).iloc[order]
    return Sensitivity(
        rule=rule,
        partition=pd.concat({str(width): part for width, part in partitions.items()}, names=["priors"]),
        changed=table[~same].reset_index(drop=True),
        flags=_count_flags(statuses, fitted, "priors"),
        expected=_count_flags(
            {size: status for size, (status, _) in with_errors.items()}, fitted, "expected_sd"
        ),
        surviving=flagged[flagged["status"].isin((names.BRIGHT, names.DARK))].reset_index(drop=True),
        certificates=certificates,
    )


def flags_with_errors(
    fit: Fitted, rule: SpotRule, method: Method
) -> dict[float, tuple[Statuses, Certificate]]:
    """Flags, (C,), and certificate of the fit were every department's expected events off by so much.

    Flags are bright, dark or empty. Errors that the fit assumes already stay, where they are larger.

    Returns
    -------
    dict
        By `EXPECTED_SDS`, without what the fit assumes throughout; empty for estimates, and without departments.
    """
    cells = fit.table.cells
    if not cells.family.is_count or fit.priors.department is None:
        return {}
    assumed = np.zeros(cells.n_leaves) if cells.expected_sd is None else cells.expected_sd
    found = {}
    for size in EXPECTED_SDS:
        if assumed.min() < size:
            other = replace(cells, expected_sd=np.maximum(assumed, size))
            effects, certificate = _with_errors(fit, other, method)
            found[size] = _flags(fit, effects, rule), certificate
    return found


def _with_errors(fit: Fitted, cells: Cells, method: Method) -> tuple[Posterior, Certificate]:
    """The fit with other errors of what was expected: from its own draws where these will do, else anew."""
    if method == "integrate" and fit.certificate.ok:
        same = reweighted(fit.effects, cells, fit.priors, 0 if fit.seed is None else fit.seed)
        if same is not None:
            return same
    return _refit(fit, cells, fit.priors, method)


class Survivors(NamedTuple):
    """How many of the flags of a rule are set too where expected events are off: by the size of the errors."""

    flags: int
    survive: tuple[tuple[float, int], ...]


def surviving_flags(fit: Fitted, rule: SpotRule) -> Survivors | None:
    """Count the flags that survive `EXPECTED_SDS`, for a fit that was integrated.

    None where there is none, the errors are assumed already, the fit was sampled (chains would take minutes, and
    another engine's flags differ by more than the errors), or one of the fits does not earn its certificate. Computed
    once for a fit and a rule: packs of all trusts ask for the same.
    """
    return fit._once(("survivors", rule), lambda: _surviving_flags(fit, rule))


def _surviving_flags(fit: Fitted, rule: SpotRule) -> Survivors | None:
    fitted = _status(fit, fit.effects, rule)
    flagged = np.isin(fitted, [names.BRIGHT, names.DARK])
    if not flagged.any() or fit.certificate.method != "integrate":
        return None
    with warnings.catch_warnings():
        # It would read as if it were about the user's own fit.
        warnings.simplefilter("ignore", CertificateWarning)
        found = flags_with_errors(fit, rule, "integrate")
    if not all(certificate.ok for _, certificate in found.values()):
        return None
    kept = tuple((size, int(np.sum(flagged & (status == fitted)))) for size, (status, _) in found.items())
    return Survivors(int(flagged.sum()), kept) if kept else None


def _survives(size: float) -> str:
    """Name of the column that says whether a flag survives errors of that size."""
    return f"survives_{size:g}"


def _refit(fit: Fitted, cells: Cells, priors: Priors, method: Method) -> tuple[Posterior, Certificate]:
    """Fit cells under other priors or errors, with the same number of draws and seed."""
    options = FitOptions(priors, method, draws=fit.effects.shared.n_draws, seed=fit.seed, progress=False)
    return run(cells, options, stacklevel=5)[:2]


def _status(fit: Fitted, effects: Posterior, rule: SpotRule) -> Statuses:
    """Status of every department under a posterior of the fit's data, (C,)."""
    margin = fit.margin(rule)
    own = effects is fit.effects
    summary = fit.cell_summary(margin, 0.95) if own else cell_summary(effects, margin, 0.95)
    tails = None if rule.share is None else extremes(effects, rule.share)
    return decide(summary, fit.table.cells.weight, rule, fit.higher_is, tails).status


def _flags(fit: Fitted, effects: Posterior, rule: SpotRule) -> Statuses:
    """Of `_status` the flags alone, (C,)."""
    tails = None if rule.share is None else extremes(effects, rule.share)
    return flags(cell_tails(effects, fit.margin(rule)), fit.table.cells.weight, rule, fit.higher_is, tails)


def _count_flags(statuses: Mapping[Key, Statuses], fitted: Statuses, index: str) -> pd.DataFrame:
    """Departments flagged, gained and lost against the status as fitted, a row for each of the statuses."""

    def side(status: Statuses) -> npt.NDArray[np.int64]:
        return np.where(status == names.BRIGHT, 1, np.where(status == names.DARK, -1, 0))

    was = side(fitted)
    rows = {}
    for key, status in statuses.items():
        here = side(status)
        rows[key] = {
            "flagged": int(np.sum(here != 0)),
            "gained": int(np.sum((here != 0) & (here != was))),
            "lost": int(np.sum((was != 0) & (here != was))),
        }
    columns = ["flagged", "gained", "lost"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis(index)
