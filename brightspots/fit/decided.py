"""`Decided`: a rule applied to a fit, as tables: statuses, their comparison with ratings, and learning pairs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.arguments import checked
from brightspots.common.arrays import FloatArray
from brightspots.common.errors import SettingsError
from brightspots.common.pickling import PickledByFields, made_alike
from brightspots.common.settings import SpotRule, check_probability
from brightspots.data.cells import Cells
from brightspots.disclosure.intake import vouch_for
from brightspots.engine.posterior import Posterior
from brightspots.fit import frames
from brightspots.fit.fitted import Fitted
from brightspots.statistics import summaries
from brightspots.statistics.decisions import Decisions
from brightspots.statistics.detectable import NEEDED
from brightspots.statistics.kept_decision import Decision
from brightspots.statistics.persistence import count_same_side, period_sides
from brightspots.statistics.rating_model import with_ratings
from brightspots.statistics.rating_statistics import RatingStatistics, rating_statistics
from brightspots.statistics.ratings import Ratings, rating_status
from brightspots.statistics.scale import effect_values

OTHER_FIT: Final = "the spots come from another fit: pass fit.find_spots() of the same fit"
RATED_NOBODY: Final = (
    "Nobody in the data has a rating: it is blank throughout, and that is as if there were none."
)
STRENGTH_UNKNOWN: Final = (
    "Which bands of this rating count as strong is not known ({}): no flag is set against it."
)
# Above this share of flagged departments the margin is called small; it is then compared with this most extreme share.
MANY_FLAGGED, MOST_EXTREME = 0.3, 0.1


class WideSpread(NamedTuple):
    """The margin of a rule is small beside the ordinary spread between departments.

    `flagged` is the share of departments that it flags, `extreme` the margin (or difference) that the most extreme
    tenth of all true effects exceed.
    """

    flagged: float
    extreme: float


@checked
@dataclass(frozen=True, eq=False, repr=False)
class Decided(PickledByFields):
    """Statuses of every department of a fit under a rule; its subclass `Spots` adds text, and documents attributes."""

    fit: Fitted
    rule: SpotRule
    decisions: Decisions
    ratings: Ratings | None
    rating_uses_outcome: bool
    rating_asked: bool = False

    @property
    def rating_note(self) -> str:
        """Why flags are not compared with the rating that was given; empty where they are, or none was given."""
        if self.ratings is None:
            return RATED_NOBODY if self.rating_asked else ""
        if self.ratings.strong is None:
            return STRENGTH_UNKNOWN.format(", ".join(map(str, self.ratings.levels)))
        return ""

    @property
    def decision(self) -> Decision:
        """The rule and the ratings, from which with the fit all else can be computed again."""
        return Decision(self.rule, self.ratings, self.rating_uses_outcome, self.rating_asked)

    def is_of(self, fit: Fitted) -> bool:
        """Whether these are spots of this fit, or of a copy of it."""
        return fit.higher_is == self.higher_is and made_alike(self.effects, fit.effects)

    @property
    def effects(self) -> Posterior:
        """The posterior of the fit."""
        return self.fit.effects

    @property
    def margin(self) -> float:
        """The ratio that matters, or the difference where effects are not ratios."""
        return self.fit.margin(self.rule)

    @property
    def higher_is(self) -> names.HigherIs:
        """Which side is dark."""
        return self.fit.higher_is

    @cached_property
    def table(self) -> pd.DataFrame:
        """`HierarchyFit.departments` with statuses and ratings, unrounded, in the order of the data.

        Adds `status, own_status, peer_status, reading, why, probability, rating, rating_status, p_other_band,
        p_two_bands`. `own_status` and `peer_status` are the four statuses against the own trust alone and against the
        same department elsewhere alone, each with a list of flags of its own under the rule, and `reading` says both in
        one phrase (`brightspots.common.vocabulary.READINGS`); `status` takes its flags from the rule's `reference`, and
        is "in line" for a department within the margin of both at once, in the same draw. `why` is the reason for the
        status "cannot tell": `thin` (the 95% interval of its `own_ratio` holds both a bright and a dark value; under
        ``reference="peers"`` that of `peer_ratio`, unless it is in line with its peers), `near the margin` (it does
        not), `by assumption` (in line under the model, because departments differ little here, but not by its own
        data), `unlike peers` (in line with its own trust and not with its peers), `alone` (its trust's only
        department), `not eligible` (below `min_reliability` or `min_expected`). `detectable_ratio` (`_high`, `_low`) is
        computed for the smallest exceedance probability on this list instead of 0.95, where anything was flagged by a
        margin. `p_other_band` and `p_two_bands` are the probabilities, given the outcomes and the rating itself, that
        the band of the department's own level lies at least one or two bands from its rating.
        ``.attrs["rating_status"]`` says why flags are not compared with a rating that was given, where they are not: it
        rates nobody, or it is not known which of its bands count as strong.

        With periods it also adds

        - `persistent`, the probability that the department's average over the periods shown exceeds the margin (under
          `SpotRule.share`: is among the most extreme) on the side of the flag (without a flag: on the likelier side).
          Ratios of a fit with periods describe v, the part that all periods share, without the effects w of single
          periods; so this is the probability by which it is flagged, and for a flagged department the same as
          `probability`. With few periods v and w are hard to tell apart, and it stays low. It says nothing of other
          periods: where a department drifts, the average is neither its present level nor a forecast;
        - `periods_same_side` and `periods`: in how many periods the department lay on that side by its counts alone,
          and in how many that can be known, see `brightspots.statistics.persistence.period_sides`.
        """
        cells, decisions, rated = self.effects.cells, self.decisions, self.ratings
        # What a flag needs is known where flags were set by a margin.
        by_margin = self.rule.share is None and np.isfinite(decisions.needed)
        needed = float(np.clip(decisions.needed, 0.5, 1.0 - 1e-6)) if by_margin else NEEDED
        table = self.fit.described(self.margin, 0.95, needed)
        order = frames.cell_order(cells)
        columns: dict[str, Any] = {
            "status": decisions.status,
            "own_status": decisions.own_status,
            "peer_status": decisions.peer_status,
            "reading": decisions.reading,
            "why": [reason or None for reason in decisions.why.tolist()],
            "probability": decisions.probability,
        }
        columns["rating"] = _rating_column(cells, rated)
        columns["rating_status"] = rating_status(decisions.status, rated)
        columns["p_other_band"], columns["p_two_bands"] = self._p_bands()
        if cells.has_periods:
            sides = period_sides(cells, self.effects.shared)
            same, compared = count_same_side(cells, sides, self.rule.reference, decisions.side)
            columns |= {"persistent": decisions.beyond, "periods_same_side": same, "periods": compared}
        for name, values in columns.items():
            table[name] = np.asarray(values)[order]
        if self.rating_note:
            table.attrs["rating_status"] = self.rating_note
        return table if self.fit.rules is None else vouch_for(table, self.fit.rules)

    @property
    def bright(self) -> pd.DataFrame:
        """Rows of the bright spots."""
        return self.table[self.table["status"] == names.BRIGHT]

    @property
    def dark(self) -> pd.DataFrame:
        """Rows of the dark spots."""
        return self.table[self.table["status"] == names.DARK]

    @property
    def expected_false_flags(self) -> float:
        """Expected number of flags in the list that are false, Σ(1 − p)."""
        return self.decisions.expected_false

    def summary(self) -> pd.DataFrame:
        """Count departments by status, with the expected number of false flags among each kind of flag.

        Returns
        -------
        pandas.DataFrame
            Indexed by `status`; `departments`, `expected_false` (missing where nothing is flagged);
            `.attrs["expected_false_flags"]` is the total.
        """
        status, probability = self.decisions.status, self.decisions.probability
        flags = (names.BRIGHT, names.DARK)
        frame = pd.DataFrame(
            {
                "departments": [int(np.sum(status == each)) for each in names.STATUSES],
                "expected_false": [
                    float(np.sum(1.0 - probability[status == each])) if each in flags else np.nan
                    for each in names.STATUSES
                ],
            },
            index=pd.Index(names.STATUSES, name="status"),
        )
        frame.attrs["expected_false_flags"] = self.expected_false_flags
        return frame

    def readings(self) -> pd.DataFrame:
        """Count departments by what they are against their own trust and against their peers.

        Returns
        -------
        pandas.DataFrame
            Indexed by `own_status`, columns `peer_status`: the four statuses each.
        """
        own, peer = (
            pd.Categorical(status, categories=names.STATUSES)
            for status in (self.decisions.own_status, self.decisions.peer_status)
        )
        return pd.crosstab(own, peer, rownames=["own_status"], colnames=["peer_status"], dropna=False)

    @cached_property
    def wide_spread(self) -> WideSpread | None:
        """How many departments are flagged, and the margin that the most extreme tenth of all true effects exceed.

        None where 30% or fewer are flagged, and under `SpotRule.share`.
        """
        flagged = float(np.mean(np.isin(self.decisions.status, [names.BRIGHT, names.DARK])))
        if self.rule.share is not None or not flagged > MANY_FLAGGED:
            return None
        size = np.array(self.fit.extreme_size(self.rule.reference, MOST_EXTREME))
        return WideSpread(flagged, float(effect_values(self.effects.cells, size)))

    def rating_explains(self, probability: float = 0.95) -> pd.DataFrame:
        """Share of the variance between trusts, and between departments, that the overall rating explains.

        Returns
        -------
        pandas.DataFrame
            Rows `trust` (share of the variance between rated trusts; not where departments have ratings of their
            own) and `trust_and_department` (share of the variance between departments of all trusts); columns
            `share, share_lower, share_upper`. `.attrs["p_reversed"]` is the
            probability, with interval, that a random department of a higher-rated trust (or one rated higher
            itself) is worse than one of a lower-rated trust; `.attrs["rating_uses_outcome"]` is whether the rating was
            said to be built partly from this outcome.

        Notes
        -----
        The bands are a level between nation and trust. It is put above the trusts of the fit, from what this knows of
        each; where departments are rated, some trusts are not, or the fit has covariates or was sampled, the model is
        fitted once more. A share is B/(B + W), with B the variance of the bands' means and W the variance within bands
        (Nakagawa & Schielzeth 2013, Methods in Ecology and Evolution 4:133). B cannot be negative, so for an
        uninformative rating the share is small but above zero, with an interval that begins near zero. `share` is the
        posterior median, which near that bound is less biased than the mean. With covariates in the fit, the shares are
        of the variance that these do not explain.

        Raises
        ------
        SettingsError
            Where no rating was given, nobody is rated, or only one band occurs.
        """
        check_probability("probability", probability)
        if self.ratings is None:
            why = RATED_NOBODY if self.rating_asked else "no rating was given: pass rating=… to find_spots()"
            raise SettingsError(why)
        if len(self.ratings.levels) < 2:
            unit = "department" if self.ratings.by_department else "trust"
            raise SettingsError(
                f"every rated {unit} has the rating {self.ratings.levels[0]!r}: it explains nothing"
            )
        statistics = self._rating_statistics
        explained = {
            name: summaries.summarise(draws, probability) for name, draws in statistics.explained.items()
        }
        frame = pd.DataFrame(
            {
                "share": [float(np.median(draws)) for draws in statistics.explained.values()],
                "share_lower": [float(e.lower) for e in explained.values()],
                "share_upper": [float(e.upper) for e in explained.values()],
            },
            index=pd.Index(list(explained), name="of"),
        )
        reversed_ = summaries.summarise(statistics.reversed, probability)
        frame.attrs["p_reversed"] = tuple(
            float(v) for v in (reversed_.point, reversed_.lower, reversed_.upper)
        )
        frame.attrs["rating_uses_outcome"] = self.rating_uses_outcome
        return frame

    @cached_property
    def _rating_statistics(self) -> RatingStatistics:
        """Statistics of the hierarchy with rating bands in it, computed once; needs at least two bands."""
        assert self.ratings is not None  # asked only where there are ratings
        seed = 0 if self.fit.seed is None else self.fit.seed
        choice, priors = self.fit.choice, self.fit.priors
        # What was found to have no certificate is not tried once more.
        asked = priors if choice.set_aside else choice.asked(priors)
        rated = with_ratings(self.effects, asked, self.ratings, seed)
        return rating_statistics(rated, self.higher_is)

    def _p_bands(self) -> tuple[FloatArray, FloatArray]:
        """P(another band) and P(at least two bands away) of each cell, (C,); 0 where only one band occurs."""
        other, two = (np.full(self.effects.cells.n_cells, np.nan) for _ in range(2))
        if self.ratings is not None:
            rated, several = self.ratings.rated, len(self.ratings.levels) > 1
            other[rated] = self._rating_statistics.p_other_band if several else 0.0
            two[rated] = self._rating_statistics.p_two_bands if several else 0.0
        return other, two


def _rating_column(cells: Cells, rated: Ratings | None) -> Any:
    if rated is None:
        return np.full(cells.n_cells, None, dtype=object)
    labels = np.array([*rated.levels, None], dtype=object)
    return labels[rated.cell_band]
