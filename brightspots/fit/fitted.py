"""`Fitted`: a fit and its tables, without what stands on them (spots, figures, files)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

import numpy as np
import pandas as pd
import xarray as xr

from brightspots.common import vocabulary as names
from brightspots.common.arguments import check_choice, checked
from brightspots.common.arrays import FloatArray
from brightspots.common.cautions import Caution
from brightspots.common.errors import SettingsError
from brightspots.common.pickling import PickledByFields
from brightspots.common.settings import (
    EffectLevel,
    Priors,
    Reference,
    SpotRule,
    check_probability,
    margin_in_use,
)
from brightspots.data.checks import data_cautions
from brightspots.data.columns import Columns
from brightspots.data.tables import Table
from brightspots.disclosure import Rules
from brightspots.disclosure.intake import vouch_for
from brightspots.engine.chains import stacks
from brightspots.engine.effect_choice import EffectChoice
from brightspots.engine.levels import Level, structure
from brightspots.engine.posterior import Certificate, Posterior
from brightspots.engine.run import Request
from brightspots.engine.terms import resolve_priors
from brightspots.fit import draw_tree, frames
from brightspots.statistics import summaries
from brightspots.statistics.detectable import NEEDED, detectable_effects
from brightspots.statistics.effect_shape import EffectShape, effect_shapes
from brightspots.statistics.ensemble import Extremes, extreme_size, extremes
from brightspots.statistics.exceptional import p_exceptional
from brightspots.statistics.kept_decision import Decision
from brightspots.statistics.ranks import department_ranks, trust_ranks

if TYPE_CHECKING:
    import pymc as pm

    from brightspots.engine.integration.leave_one_out import Surprise

Result = TypeVar("Result")


@checked
@dataclass(frozen=True, eq=False, repr=False)
class Fitted(PickledByFields):
    """A fitted hierarchy: what the data say of trusts, of departments within them, and how surely.

    Its subclass `HierarchyFit` adds spots, figures and files, and documents the attributes.
    """

    table: Table
    columns: Columns
    priors: Priors
    higher_is: names.HigherIs
    seed: int | None
    certificate: Certificate
    effects: Posterior  # the draws as the engine gives them; `posterior` and `draws()` are trees made of them
    request: Request = field(default_factory=Request)
    rules: Rules | None = None
    decision: Decision | None = None
    disclosed: tuple[str, ...] = ()
    choice: EffectChoice = field(default_factory=EffectChoice)
    _cache: dict[object, Any] = field(default_factory=dict, init=False)

    def variance_partition(self, probability: float = 0.95) -> pd.DataFrame:
        """Divide the variance between trusts, departments within trusts and, with periods, periods.

        Parameters
        ----------
        probability : float, default 0.95
            Of the central intervals.

        Returns
        -------
        pandas.DataFrame
            Indexed by `level`; columns `sd, share, median_ratio`, each with `_lower` and `_upper`. `sd` is on the
            scale of the linear predictor (log ratio or log odds); `share` is σ²/Σσ² computed draw by draw;
            `median_ratio` is the median ratio between two randomly chosen units, exp(√2·Φ⁻¹(¾)·σ) (Larsen & Merlo
            2005).
            `.attrs["p_department_exceeds_trust"]` is P(σ_department > σ_trust); `.attrs["sd_department_type"]` the σ
            between department types nationally (point, lower, upper), which is outside the shares.
            With ``estimate_scale="difference"`` `sd` is in the units of the estimates, and `median_difference`,
            √2·Φ⁻¹(¾)·σ, stands in place of `median_ratio`.

        Examples
        --------
        >>> import brightspots as bs
        >>> fit = bs.fit_hierarchy(bs.load_sample("nation"), period=False, seed=1)
        >>> fit.variance_partition()["share"].round(1).to_dict()
        {'trust': 0.3, 'department': 0.7}
        """
        check_probability("probability", probability)
        ratios = self.table.cells.is_ratio
        return frames.partition_frame(summaries.partition(self.effects.shared, probability), ratios=ratios)

    def departments(
        self, margin: float = 1.1, probability: float = 0.95, *, difference: float | None = None
    ) -> pd.DataFrame:
        """Describe every department of every trust, one row a cell, in the order of the data.

        Parameters
        ----------
        margin : float, default 1.1
            A ratio matters beyond `margin` or below 1/`margin`.
        probability : float, default 0.95
            Of the central intervals.
        difference : float
            In place of `margin`, and without a default, where the fit has ``estimate_scale="difference"``.

        Returns
        -------
        pandas.DataFrame
            `trust, department`, the data, `raw_ratio`, `peer_ratio` (against the same department nationally),
            `own_ratio` (against the other departments of its own trust), `excess` (events above its own trust's level),
            all with intervals; `p_peer_high, p_peer_low, p_own_high, p_own_low`, the probabilities that a ratio lies
            above or below the margin; `reliability` and `surprise`, see below; `detectable_ratio_high` and
            `detectable_ratio_low`, the smallest and largest true `own_ratio` that would be flagged with a probability
            of 0.8 on their side (infinite and 0 where none would, as where few events are expected), and
            `detectable_ratio`, whichever of them is on the dark side. Point values of ratios are
            exp(posterior mean of the logarithm). With periods ratios and excess are of the average over the periods
            shown, and say nothing of other periods. With ``estimate_scale="difference"``: `peer_difference,
            own_difference, detectable_difference` (`_high, _low`) in place of these ratios, in the units of the
            estimates, and no `excess`.

            `reliability` is 1 − Var(v | data)/σ_v², between 0 and 1: how much the data say about the department's own
            effect v.

            `surprise` is a leave-one-out mid-p, P(Y > y) + ½·P(Y = y), with Y the count predicted from all data but the
            department's own: near 0 the department is higher than predicted, near 1 lower. With fewer than about three
            predicted events it cannot exceed 0.975 whatever is counted. `.attrs["surprise"]` says in how many
            departments that is so.

            Under ``Priors(effects="mixture")`` `p_exceptional` is the probability that the department's effect v is of
            the wide one of two normals: that it is of the few that differ from their trust as most do not.

        Examples
        --------
        >>> import brightspots as bs
        >>> fit = bs.fit_hierarchy(bs.simulate_nation(30, 8, seed=1).cells, seed=1)
        >>> fit.departments()[["trust", "department", "own_ratio"]].head(2).round(1)
          trust       department  own_ratio
        0  T001       Cardiology        ...
        1  T001  General surgery        ...
        """
        margin = margin_in_use(margin, difference, ratios=self.table.cells.is_ratio)
        check_probability("probability", probability)
        return self.described(margin, probability)

    def described(self, margin: float, probability: float, needed: float = NEEDED) -> pd.DataFrame:
        """What `departments` returns, with detectable effects for the exceedance probability that a flag needs."""
        summary = self.cell_summary(margin, probability)
        detectable = self._once(
            ("detectable", margin, needed),
            lambda: detectable_effects(
                self.table.cells, self.effects.shared, summary, summary.reach, needed=needed
            ),
        )
        frame = frames.departments_frame(
            self.table,
            summary,
            self.surprise(),
            detectable,
            self._p_exceptional("department"),
            margin,
            self.higher_is,
        )
        return frame if self.rules is None else vouch_for(frame, self.rules)

    def trusts(
        self, margin: float = 1.1, probability: float = 0.95, *, difference: float | None = None
    ) -> pd.DataFrame:
        """Describe every trust: `trust_ratio` with interval and exceedance probabilities, expected rank with interval.

        Arguments as for `departments`; with ``estimate_scale="difference"`` `trust_difference`.

        Returns
        -------
        pandas.DataFrame
            Sorted by label. `.attrs["rankability"]` is the share of the variation between trusts' estimates that is not
            chance, and `.attrs["rankability_interval"]` its interval (lower, upper); where it is low, ranks mean little
            (van Dishoeck et al. 2011; defined in `brightspots.statistics.information.rankability_draws`). With
            `p_exceptional` as in `departments` where trusts' effects are a mixture of two normals.
        """
        margin = margin_in_use(margin, difference, ratios=self.table.cells.is_ratio)
        check_probability("probability", probability)
        summary = self.trust_summary(margin, probability)
        frame = frames.trusts_frame(self.table, summary, self._p_exceptional("trust"))
        return frame if self.rules is None else vouch_for(frame, self.rules)

    def ranks(
        self, level: Literal["trust", "department"] = "trust", probability: float = 0.95
    ) -> pd.DataFrame:
        """Ranks with the set of ranks that each unit may have, all sets holding at once; 1 is the lowest effect.

        Parameters
        ----------
        level : {"trust", "department"}, default "trust"
            Trusts by their effect, or departments by their level against their peers, ranked within their kind.
        probability : float, default 0.95
            Of each interval by itself, and of all sets together.

        Returns
        -------
        pandas.DataFrame
            One row a unit, trusts by label and departments in the order of the data: `trust` (`department`), `units`,
            how many are ranked together; `rank`, the expected rank, with `rank_lower` and `rank_upper` of the unit by
            itself; `set_lower` and `set_upper`, the smallest and largest rank of its set. With the probability given,
            the true ranks of *all* units lie in their sets, as they must to compare several (Mogstad, Romano, Shaikh &
            Wilhelm 2024; see `brightspots.statistics.ranks`). Sorted by label, for these are no league table.

        Examples
        --------
        >>> import brightspots as bs
        >>> fit = bs.fit_hierarchy(bs.simulate_nation(30, 8, seed=1).cells, seed=1)
        >>> ranks = fit.ranks()
        >>> bool(ranks["rank"].between(ranks["set_lower"], ranks["set_upper"]).all())
        True
        """
        check_choice("level", level, ("trust", "department"))
        check_probability("probability", probability)
        of_level = trust_ranks if level == "trust" else department_ranks
        ranks = self._once(("ranks", level, probability), lambda: of_level(self.effects, probability))
        return frames.ranks_frame(self.table.cells, ranks, of_departments=level == "department")

    def department_types(self, probability: float = 0.95) -> pd.DataFrame:
        """National level of each department type against its expected events, `type_ratio`, with interval.

        With ``Priors(department_by_type=…)`` also `sd_department` with interval, the standard deviation of its
        departments between trusts.
        """
        check_probability("probability", probability)
        shared = self.effects.shared
        return frames.types_frame(
            self.table.cells,
            summaries.type_summary(shared, probability),
            summaries.type_spread(shared, probability),
        )

    def effect_shape(self) -> pd.DataFrame:
        """Check the normal distribution of effects, by the kurtosis of their posterior draws.

        Returns
        -------
        pandas.DataFrame
            Indexed by `level` (trust, department); `units, excess_kurtosis` (0 for a normal) with
            `excess_kurtosis_lower` and `_upper`, and `p`, a one-sided p-value of normal effects against heavier tails:
            about uniform where effects are normal, missing where there are too few units or too little is known of
            them. Below 0.01 the text of the fit says so. See `brightspots.statistics.effect_shape`.
        """
        return frames.shape_frame(self._effect_shapes())

    @property
    def effect_distribution(self) -> pd.DataFrame:
        """The distribution of effects that was fitted, of each level, and why.

        Returns
        -------
        pandas.DataFrame
            Indexed by `level` (trust, department; those in the model); `distribution` ("normal", "mixture" or
            "student_t"); `sd_by_type`, whether each type of department has a standard deviation of its own;
            `log_bayes_factor`, the natural logarithm of how much likelier the data are under a mixture of two normals
            than under a normal, and `log_bayes_factor_by_type`, of a standard deviation by type against one for all,
            missing where `Priors` had said which (the second with periods too, where it would take minutes); `why`, in
            words. Of departments the likelier of the two comes first, and the other is judged with that in the model.
            Bayes factors have a level's σ's and the mixture's parameters integrated out against their priors, with all
            else where the model with normal effects has its mode. The less simple is taken where the logarithm is
            beyond 3: where the data are 20 times likelier ("strong" evidence in the scale of Kass & Raftery 1995, JASA
            90:773).

        Examples
        --------
        >>> import brightspots as bs
        >>> fit = bs.fit_hierarchy(bs.simulate_nation(30, 8, seed=1).cells, seed=1)
        >>> fit.effect_distribution["distribution"].to_dict()
        {'trust': 'normal', 'department': 'normal'}
        """
        levels: tuple[EffectLevel, ...] = get_args(EffectLevel)
        fitted = [level for level in levels if level in self.effects.shared.sd]
        by_type = not self.effects.shared.has_one_sd
        return frames.distribution_frame(fitted, self.choice, self.priors.distributions, by_type=by_type)

    @property
    def structure(self) -> str:
        """The levels of the model, one a line, to print: their units, their effects, and the priors of their σ's."""
        cells, fitted = self.table.cells, self.effects.shared.sd
        scales = resolve_priors(cells, self.priors).scales
        return structure(
            cells,
            {level: scales[level] for level in fitted if level in scales},
            distributions=self.priors.distributions,
        )

    @property
    def cautions(self) -> tuple[Caution, ...]:
        """What readers should know of the data: doubts and statements computed from them, then the notes of the table.

        Notes of readers, of `tidy` and of the checks have the code "way in".
        """
        noted = tuple(Caution(names.WAY_IN, note) for note in self.table.notes)
        return self._once("cautions", lambda: data_cautions(self.table.cells) + noted)

    @property
    def posterior(self) -> xr.DataTree:
        """All draws as a DataTree: group `posterior`, dims (chain, draw, trust | department | cell)."""
        return self._once("tree", lambda: draw_tree.posterior_tree(self.effects))

    def draws(self, n: int) -> xr.DataTree:
        """Take `n` of the fit's draws, evenly spaced, as a DataTree like `posterior`.

        Raises
        ------
        SettingsError
            Where `n` is below 1 or above the number of draws of the fit.
        """
        held = self.effects.shared.n_draws
        if not 1 <= n <= held:
            raise SettingsError(f"draws(n) takes 1 to {held:,} (refit with draws=… for more); received {n!r}")
        return draw_tree.posterior_tree(self.effects, np.linspace(0, held - 1, n).astype(np.int64))

    def to_arviz(self) -> Any:
        """The posterior as the installed ArviZ takes it: InferenceData for 0.x, DataTree for 1.x."""
        return stacks.to_arviz(self.posterior)

    def pymc_model(self) -> pm.Model:
        """Build the same model in PyMC, with the data and priors of the fit, to be extended there."""
        from brightspots.engine.chains.pymc_model import build_model

        return build_model(self.table.cells, self.priors)

    def rule_in_use(self, rule: SpotRule | None) -> SpotRule:
        """The rule given, else the one that a saved fit remembers, else the default."""
        if rule is not None and not isinstance(rule, SpotRule):
            raise SettingsError(f"rule must be a SpotRule; received {rule!r}")
        return rule or (SpotRule() if self.decision is None else self.decision.rule)

    def margin(self, rule: SpotRule) -> float:
        """The margin of a rule: a ratio, or its difference where effects are not ratios."""
        return margin_in_use(rule.ordinary_margin, rule.difference, ratios=self.table.cells.is_ratio)

    def cell_summary(self, margin: float, probability: float) -> summaries.CellSummary:
        """Estimands of every cell, computed once for a margin and a probability; see `summaries.cell_summary`."""
        check_probability("probability", probability)
        return self._once(
            ("cells", margin, probability), lambda: summaries.cell_summary(self.effects, margin, probability)
        )

    def trust_summary(self, margin: float, probability: float) -> summaries.TrustSummary:
        """Estimands of every trust, computed once for a margin and a probability; see `summaries.trust_summary`."""
        check_probability("probability", probability)
        return self._once(
            ("trusts", margin, probability),
            lambda: summaries.trust_summary(self.effects, margin, probability),
        )

    def extremes(self, share: float) -> Extremes:
        """Who belongs to the most extreme share of all effects, computed once for a share; see `ensemble.extremes`."""
        return self._once(("extremes", share), lambda: extremes(self.effects, share))

    def extreme_size(self, reference: Reference, share: float) -> float:
        """The size that the most extreme share of all effects exceed; see `ensemble.extreme_size`."""
        return self._once(
            ("extreme size", reference, share), lambda: extreme_size(self.effects, reference, share)
        )

    def trust_level(self) -> FloatArray:
        """Posterior mean of each trust's effect, (T,), on the scale of the linear predictor."""
        return self._once("trust level", lambda: summaries.trust_means(self.effects))

    def surprise(self) -> Surprise:
        """Leave-one-out mid-p of every cell."""
        from brightspots.engine.integration.leave_one_out import leave_one_out

        return self._once("surprise", lambda: leave_one_out(self.effects))

    def _p_exceptional(self, level: Level) -> FloatArray | None:
        return self._once(("exceptional", level), lambda: p_exceptional(self.effects, level))

    def _effect_shapes(self) -> dict[str, EffectShape]:
        return self._once("shapes", lambda: effect_shapes(self.effects))

    def _once(self, key: object, compute: Callable[[], Result]) -> Result:
        """The cached value of a key; computed and cached the first time."""
        if key not in self._cache:
            self._cache[key] = compute()
        kept: Result = self._cache[key]
        return kept
