"""What `fit_hierarchy()` returns: a fitted hierarchy, which answers by orchestrating the rooms below."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from brightspots import display, draw_tree, frames, stacks, storage, summaries
from brightspots import vocabulary as names
from brightspots.arguments import checked
from brightspots.cautions import Caution
from brightspots.checks import EffectShape, effect_shapes
from brightspots.counts import ColumnNames
from brightspots.data_checks import data_cautions
from brightspots.disclosure import Rules, Totals, Zeros
from brightspots.disclosure.intake import vouch_for
from brightspots.engine.run import Request
from brightspots.errors import SettingsError
from brightspots.kept_decision import Decision
from brightspots.pickling import PickledByFields
from brightspots.posterior import Certificate, Posterior
from brightspots.settings import Priors, SpotRule, check_probability, margin_in_use
from brightspots.spots import OTHER_FIT, Spots, find_spots
from brightspots.tables import Table

if TYPE_CHECKING:
    import pymc as pm
    from matplotlib.axes import Axes

    from brightspots.engine.cavity import Surprise
    from brightspots.sensitivity import Sensitivity


@checked
@dataclass(frozen=True, eq=False, repr=False)
class HierarchyFit(PickledByFields):
    """A fitted hierarchy: what the data say of trusts, of departments within them, and how surely.

    Made by `fit_hierarchy` or `load_fit`; not meant to be constructed by hand.

    Attributes
    ----------
    certificate : Certificate
        Whether the numbers may be relied on: method, effective draws, Pareto k̂ or R-hat, seconds, `ok`, `message`.
    table : Table
        The checked data.
    priors : Priors
    higher_is : {"worse", "better"}
    seed : int or None
    request : Request
        What was asked of the engine.
    rules : Rules or None
        The rules of disclosure control by which the data were suppressed before they were fitted.
    decision : Decision or None
        The rule and the ratings that a saved fit remembers, by which `find_spots` decides where none are given; None
        where it was saved without.
    disclosed : tuple of str
        What `suppressed` did to the data, in sentences that readers of its results must see.
    """

    table: Table
    columns: ColumnNames
    priors: Priors
    higher_is: names.HigherIs
    seed: int | None
    certificate: Certificate
    effects: Posterior
    request: Request = field(default_factory=Request)
    rules: Rules | None = None
    decision: Decision | None = None
    disclosed: tuple[str, ...] = ()
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
            `median_ratio` is
            the median ratio between two randomly chosen units, exp(√2·Φ⁻¹(¾)·σ) (Larsen & Merlo 2005).
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
            `own_ratio` (against the other departments of its own trust), `excess` (events above its own
            trust's level), all with
            intervals; `p_peer_high, p_peer_low, p_own_high, p_own_low`; `reliability`, `surprise`;
            `detectable_ratio_high` and `detectable_ratio_low`, the smallest and largest true `own_ratio` that would be
            flagged with a probability of 0.8 on their side (infinite and 0 where none would: fewer events say less than
            more), and `detectable_ratio`, whichever of them is on the dark side. Point values of ratios are
            exp(posterior mean of the logarithm). With periods ratios and excess are of the average over the periods
            shown, and say nothing of other periods. With ``estimate_scale="difference"``: `peer_difference,
            own_difference, detectable_difference` (`_high, _low`) in place of these ratios, in the units of the
            estimates, and no `excess`.

            `surprise` is a leave-one-out mid-p: near 0 the department is higher, near 1 lower, than everything but
            itself would have it. Of few predicted events none is no surprise: below about three
            it cannot exceed 0.975 whatever is counted. `.attrs["surprise"]` says of how many departments that
            is so (and where `surprise` is missing, why).

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
        summary = self._cell_summary(margin, probability)
        frame = frames.departments_frame(
            self.table, self.effects.shared, summary, self._surprise(), margin, self.higher_is
        )
        return frame if self.rules is None else vouch_for(frame, self.rules)

    def trusts(
        self, margin: float = 1.1, probability: float = 0.95, *, difference: float | None = None
    ) -> pd.DataFrame:
        """Describe every trust: `trust_ratio` with interval and exceedances, expected rank with interval.

        Arguments as for `departments`; with ``estimate_scale="difference"`` `trust_difference`.

        Returns
        -------
        pandas.DataFrame
            Sorted by label. `.attrs["rankability"]` is the share of the variation that is not chance, and
            `.attrs["rankability_interval"]` its interval (lower, upper); where it is low, ranks say little (van
            Dishoeck et al. 2011; `information.rankability_draws` has the definition).
        """
        margin = margin_in_use(margin, difference, ratios=self.table.cells.is_ratio)
        check_probability("probability", probability)
        summary = summaries.trust_summary(self.effects, margin, probability)
        frame = frames.trusts_frame(self.table, summary)
        return frame if self.rules is None else vouch_for(frame, self.rules)

    def department_types(self, probability: float = 0.95) -> pd.DataFrame:
        """National level of each department type, `type_ratio` with interval, against what was expected of it.

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
        """Say whether a normal distribution of effects is good enough: the shape of the posterior's own draws.

        Returns
        -------
        pandas.DataFrame
            Indexed by `level` (trust, department); `units, excess_kurtosis` (0 for a normal) with
            `excess_kurtosis_lower` and `_upper`, and `p`, the probability that normal effects would show as heavy
            tails: about uniform where effects are normal, missing where there are too few units or too little is known
            of them. Below 0.01 the text of the fit says so. See `brightspots.checks`.
        """
        return frames.shape_frame(self._effect_shapes())

    def sensitivity(self, rule: SpotRule | None = None) -> Sensitivity:
        """Refit under priors half and twice as wide, and report which shares and which flags change.

        Every proper prior is scaled: of the standard deviations, the intercept and the coefficients. Data, engine,
        number of draws and seed stay.

        Parameters
        ----------
        rule : SpotRule, optional
            Under which departments are flagged; by default the one that a saved fit remembers, else ``SpotRule()``.

        Raises
        ------
        SettingsError
            Where every prior is flat.
        """
        from brightspots.sensitivity import sensitivity

        return sensitivity(self, self._rule(rule))

    def find_spots(
        self,
        rule: SpotRule | None = None,
        rating: Any = None,
        *,
        rating_order: Sequence[Any] | None = None,
        strong_from: Any = None,
        rating_uses_outcome: bool = False,
    ) -> Spots:
        """Say which departments are bright or dark spots, which are in line, and of which nothing can be said.

        Parameters
        ----------
        rule : SpotRule, optional
            Margin, false discovery rate, reference. By default the rule that a saved fit remembers
            (`decision`), else ``SpotRule()``.
        rating : str, mapping, Series or eager dataframe (pandas, polars, pyarrow, …), optional
            The trusts' overall ratings: a column of the data (by default `rating` where there is one), or
            trust → rating. Departments' own ratings: a column that differs within trusts, keys (trust, department),
            or a frame with the columns `trust, department, rating`. Trusts or departments may lack one; a rating that
            rates nobody (``{}``, a blank column) is none. By default a saved fit uses the ratings that it remembers.
        rating_order : sequence, optional
            The bands, worst first, where neither numbers, an ordered categorical nor a known scale tells.
        strong_from : optional
            The lowest band that counts as strong. The Care Quality Commission's words (Good) and one to five stars (4)
            know theirs; of another scale the upper half of the bands of `rating_order`, or of the categories of an
            ordered categorical, counts as strong, those that do not occur included. Where none of these says it, no
            flag is set against the rating. Without `rating`, the remembered ratings are read anew by what is given of
            these two.
        rating_uses_outcome : bool, default False
            State that the rating was built partly from this outcome; the output then says that the two are not
            independent. Of remembered ratings it is remembered too.

        Returns
        -------
        Spots

        Examples
        --------
        >>> import brightspots as bs
        >>> fit = bs.fit_hierarchy(bs.simulate_nation(30, 8, seed=1).cells, seed=1)
        >>> spots = fit.find_spots(bs.SpotRule(margin=1.2, fdr=0.1))
        >>> spots.summary().index.tolist()
        ['bright spot', 'dark spot', 'in line', 'cannot tell']
        >>> int(spots.summary()["departments"].sum()) == len(spots.table)
        True
        """
        return find_spots(
            self,
            self._rule(rule),
            rating,
            rating_order=rating_order,
            strong_from=strong_from,
            rating_uses_outcome=rating_uses_outcome,
        )

    @property
    def cautions(self) -> tuple[Caution, ...]:
        """What readers should know of the data: computed from them, and what was noted on their way here.

        Doubts first; what was noted by readers, by `tidy` and by the checks has the code "way in".
        """
        if "cautions" not in self._cache:
            noted = tuple(Caution(names.WAY_IN, note) for note in self.table.notes)
            self._cache["cautions"] = data_cautions(self.table.cells) + noted
        found: tuple[Caution, ...] = self._cache["cautions"]
        return found

    @property
    def posterior(self) -> xr.DataTree:
        """All draws as a DataTree: group `posterior`, dims (chain, draw, trust | department | cell)."""
        if "tree" not in self._cache:
            self._cache["tree"] = draw_tree.posterior_tree(self.effects)
        tree: xr.DataTree = self._cache["tree"]
        return tree

    def draws(self, n: int) -> xr.DataTree:
        """Give `n` equally weighted draws, evenly spaced among those held, as a DataTree like `posterior`.

        Raises
        ------
        SettingsError
            Where more are asked for than the fit holds.
        """
        held = self.effects.shared.n_draws
        if not 1 <= n <= held:
            raise SettingsError(f"draws(n) takes 1 to {held:,} (refit with draws=… for more); received {n!r}")
        return draw_tree.posterior_tree(self.effects, np.linspace(0, held - 1, n).astype(np.int64))

    def to_arviz(self) -> Any:
        """The posterior as whatever the installed ArviZ takes: InferenceData on 0.x, DataTree on 1.x."""
        return stacks.to_arviz(self.posterior)

    def pymc_model(self) -> pm.Model:
        """Write the same model in PyMC, to extend."""
        from brightspots.engine.pymc_model import build_model

        return build_model(self.table.cells, self.priors)

    def save(self, path: str | os.PathLike[str], spots: Spots | None = None) -> None:
        """Write the fit to a netCDF file, whole or not at all; `load_fit` reads it under either ArviZ generation.

        The file holds the data: every count, and the columns that the model did not use. To give it away, save
        ``fit.suppressed(below=…)``.

        Parameters
        ----------
        path : str or path
        spots : Spots, optional
            Of this fit. The rule and the ratings by which they were found go into the file, and the loaded fit finds
            the same spots by itself: ``load_fit(path).find_spots()``. Without it the file keeps what this fit
            remembers, if it was loaded from a file that says it.

        Raises
        ------
        SettingsError
            Where the spots come from another fit.
        """
        if spots is not None and not spots.is_of(self):
            raise SettingsError(OTHER_FIT)
        storage.save(self, path, self.decision if spots is None else spots.decision)

    def suppressed(
        self,
        *,
        below: int | None = None,
        round_to: int | None = None,
        zeros: Zeros = "shown",
        totals: Sequence[Totals] = ("trust", "department"),
    ) -> HierarchyFit:
        """Refit to what disclosure control leaves of the data, so that everything about the fit may be published.

        Whatever is computed from exact counts can give them back: a posterior mean of a small cell, the position of a
        point, a saved fit. What this returns has seen no more than the suppressed table: withheld counts are intervals
        to it, and of the other columns of the data only names and the column `rating` go along.

        Parameters
        ----------
        below, round_to, zeros, totals
            As in `brightspots.suppress`.

        Returns
        -------
        HierarchyFit
            With the same model, number of draws and seed; sampled where integrating does not earn its certificate.

        Raises
        ------
        SettingsError
            Where an option cannot be used, the fit is of estimates, or it was suppressed under other rules before.
        """
        from brightspots.release import suppressed_fit

        return suppressed_fit(self, Rules(below, round_to, zeros, totals))[0]  # type: ignore[arg-type]

    def plot_funnel(
        self,
        trust: object = None,
        *,
        limits: Literal["hierarchical", "exact"] = "hierarchical",
        levels: Sequence[float] = (0.95, 0.998),
        highlight: str | Sequence[object] | None = None,
        multiplier: float = 1.0,
        caption: str | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw a funnel: the trusts of the nation, or the departments of one trust about the trust's own level.

        Parameters
        ----------
        trust : label, optional
            Whose departments to draw; None draws all trusts.
        limits : {"hierarchical", "exact"}, default "hierarchical"
            The fitted model's own predictive limits, or chance alone.
        levels : sequence of float, default (0.95, 0.998)
        highlight : sequence of labels, optional
            Points to name besides those outside the limits.
        multiplier : float, default 1
            What ratios are multiplied by, such as 100; stated on the axis.
        caption : str, optional
            Added to the method, of which the caption always speaks: period, source, date.
        ax : matplotlib Axes, optional

        Returns
        -------
        matplotlib.axes.Axes
        """
        from brightspots import plots

        return plots.funnel(
            self,
            trust,
            limits=limits,
            levels=levels,
            highlight=highlight,
            multiplier=multiplier,
            caption=caption,
            ax=ax,
        )

    def plot_two_stage(
        self,
        trust: object,
        *,
        limits: Literal["hierarchical", "exact"] = "hierarchical",
        levels: Sequence[float] = (0.95, 0.998),
        caption: str | None = None,
        axes: tuple[Axes, Axes] | None = None,
    ) -> tuple[Axes, Axes]:
        """Draw one trust among all trusts and, beside it on the same scale, its departments about its own level.

        Parameters
        ----------
        trust : label
        limits, levels, caption
            As in `plot_funnel`.
        axes : two matplotlib Axes, optional
            Where to draw; without it a figure of two panels is made.
        """
        from brightspots import plots

        return plots.two_stage(self, trust, limits=limits, levels=levels, caption=caption, axes=axes)

    def plot_partition(self, *, caption: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw the shares of variance with their intervals; `caption` as in `plot_funnel`."""
        from brightspots import plots

        return plots.partition(self, caption=caption, ax=ax)

    def plot_mosaic(
        self,
        *,
        spots: Spots | None = None,
        trusts: Sequence[object] | None = None,
        caption: str | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw the trust × department grid of bright, dark, in line and cannot tell.

        Parameters
        ----------
        spots : Spots, optional
            Whose statuses to draw; by default those of ``find_spots()``.
        trusts : sequence of labels, optional
            Whom to draw; by default all, of whom a sheet shows 400 at most.
        caption, ax
            As in `plot_funnel`.
        """
        from brightspots import plots

        return plots.mosaic(self, spots, trusts=trusts, caption=caption, ax=ax)

    def plot_trend(
        self, trust: object, department: object, *, caption: str | None = None, ax: Axes | None = None
    ) -> Axes:
        """Draw one department's ratio in each period, with the interval of chance alone, and its average over them."""
        from brightspots import plots

        return plots.trend(self, trust, department, caption=caption, ax=ax)

    def plot_caterpillar(
        self,
        trust: object = None,
        *,
        spots: Spots | None = None,
        caption: str | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw ratios with intervals, in their order: all trusts, or the departments of one trust."""
        from brightspots import plots

        return plots.caterpillar(self, trust, spots, caption=caption, ax=ax)

    def plot_rating(
        self, *, spots: Spots | None = None, caption: str | None = None, ax: Axes | None = None
    ) -> Axes:
        """Draw departments against their trust's overall rating, the divergent ones named."""
        from brightspots import plots

        return plots.rating(self, spots, caption=caption, ax=ax)

    def _rule(self, rule: SpotRule | None) -> SpotRule:
        """The rule given, else the one remembered, else the default."""
        if rule is not None and not isinstance(rule, SpotRule):
            raise SettingsError(f"rule must be a SpotRule; received {rule!r}")
        return rule or (SpotRule() if self.decision is None else self.decision.rule)

    def _margin(self, rule: SpotRule) -> float:
        return margin_in_use(rule.margin, rule.difference, ratios=self.table.cells.is_ratio)

    def _cell_summary(self, margin: float, probability: float) -> summaries.CellSummary:
        key = ("cells", margin, probability)
        if key not in self._cache:
            self._cache[key] = summaries.cell_summary(self.effects, margin, probability)
        summary: summaries.CellSummary = self._cache[key]
        return summary

    def _effect_shapes(self) -> dict[str, EffectShape]:
        if "shapes" not in self._cache:
            self._cache["shapes"] = effect_shapes(self.effects)
        shapes: dict[str, EffectShape] = self._cache["shapes"]
        return shapes

    def _surprise(self) -> Surprise:
        if "surprise" not in self._cache:
            from brightspots.engine.cavity import Surprise, leave_one_out

            normal = self.effects.shared.has_normal_departments
            missing = np.full(self.table.cells.n_cells, np.nan)
            self._cache["surprise"] = (
                leave_one_out(self.effects) if normal else Surprise(missing, missing, missing)
            )
        found: Surprise = self._cache["surprise"]
        return found

    def __repr__(self) -> str:
        return display.fit_text(self)

    def _repr_html_(self) -> str:
        return display.fit_html(self)
