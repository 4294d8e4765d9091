"""Sensitivity of results to the priors: refits under priors half and twice as wide."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.errors import SettingsError
from brightspots.common.settings import Flat, Priors, SpotRule
from brightspots.common.wording import percent
from brightspots.engine.options import FitOptions, Method
from brightspots.engine.posterior import Certificate, Posterior
from brightspots.engine.run import run
from brightspots.engine.terms import resolve_priors
from brightspots.fit import frames
from brightspots.fit.fitted import Fitted
from brightspots.statistics.decisions import decide
from brightspots.statistics.ensemble import extremes
from brightspots.statistics.summaries import cell_summary, partition

Width = Literal["halved", "as fitted", "doubled"]
FACTORS: dict[Width, float] = {"halved": 0.5, "as fitted": 1.0, "doubled": 2.0}


@dataclass(frozen=True, eq=False, repr=False)
class Sensitivity:
    """What changes when every proper prior is half or twice as wide.

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
    certificates : mapping
        Of the three fits.
    """

    rule: SpotRule
    partition: pd.DataFrame
    changed: pd.DataFrame
    flags: pd.DataFrame
    certificates: Mapping[Width, Certificate]

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
        failed = [width for width, certificate in self.certificates.items() if not certificate.ok]
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
    cells, margin = fit.table.cells, fit.margin(rule)
    terms = resolve_priors(cells, fit.priors)
    priors = replace(fit.priors, intercept=terms.intercept)
    proper = [terms.intercept, *terms.scales.values()]
    if all(isinstance(prior, Flat) for prior in proper):
        raise SettingsError("every prior is flat: there is no width to halve or to double")

    partitions: dict[Width, pd.DataFrame] = {}
    statuses: dict[Width, npt.NDArray[np.str_]] = {}
    certificates: dict[Width, Certificate] = {}
    for width, factor in FACTORS.items():
        effects, certificate = fit.effects, fit.certificate
        if factor != 1.0:
            effects, certificate = _refit(fit, priors.scaled(factor))
        partitions[width] = frames.partition_frame(partition(effects.shared, 0.95), ratios=cells.is_ratio)
        summary = fit.cell_summary(margin, 0.95) if factor == 1.0 else cell_summary(effects, margin, 0.95)
        tails = None if rule.share is None else extremes(effects, rule.share)
        statuses[width] = decide(summary, cells.weight, rule, fit.higher_is, tails).status
        certificates[width] = certificate

    table = pd.DataFrame(
        {
            names.TRUST: cells.trusts[cells.cell_trust],
            names.DEPARTMENT: cells.departments[cells.cell_department],
        }
        | {str(width): status for width, status in statuses.items()}
    ).iloc[frames.cell_order(cells)]
    same = (table["halved"] == table["as fitted"]) & (table["doubled"] == table["as fitted"])
    return Sensitivity(
        rule=rule,
        partition=pd.concat({str(width): part for width, part in partitions.items()}, names=["priors"]),
        changed=table[~same].reset_index(drop=True),
        flags=_count_flags(statuses),
        certificates=certificates,
    )


def _refit(fit: Fitted, priors: Priors) -> tuple[Posterior, Certificate]:
    """Fit the data of `fit` under other priors, with the same engine, number of draws and seed."""
    method = cast(Method, fit.certificate.method)
    options = FitOptions(priors, method, draws=fit.effects.shared.n_draws, seed=fit.seed, progress=False)
    return run(fit.table.cells, options, stacklevel=5)


def _count_flags(statuses: Mapping[Width, npt.NDArray[np.str_]]) -> pd.DataFrame:
    def side(width: Width) -> npt.NDArray[np.int64]:
        status = statuses[width]
        return np.where(status == names.BRIGHT, 1, np.where(status == names.DARK, -1, 0))

    fitted = side("as fitted")
    rows = {}
    for width in FACTORS:
        here = side(width)
        rows[width] = {
            "flagged": int(np.sum(here != 0)),
            "gained": int(np.sum((here != 0) & (here != fitted))),
            "lost": int(np.sum((fitted != 0) & (here != fitted))),
        }
    return pd.DataFrame(rows).T.rename_axis("priors")
