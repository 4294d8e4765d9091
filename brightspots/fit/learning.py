"""`Learning`: spots with whom to learn from: better departments for each dark spot, and positive deviants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.arguments import check_whole, checked
from brightspots.common.errors import SettingsError
from brightspots.common.settings import check_probability
from brightspots.fit.decided import Decided
from brightspots.statistics import learning_pairs
from brightspots.statistics.decisions import bayesian_fdr, eligible
from brightspots.statistics.positive_deviants import deviants_frame, lasting_probability

# A positive deviant less probable than this would not be listed at any sensible rate.
LEAST_LISTED = 0.05


@checked
@dataclass(frozen=True, eq=False, repr=False)
class Learning(Decided):
    """Statuses of every department, and whom to learn from; its subclass `Spots` adds text and documents attributes."""

    def learning_pairs(self, k: int = 3) -> pd.DataFrame:
        """For each dark spot, better departments to learn from: same type, another trust, nearest in size.

        A partner is better than average of its kind, and better than the dark spot by the margin, each with a
        probability above ½, whatever its position in its own trust: where all departments are good, all can teach.
        The distance is Euclidean, in log size (expected events, denominator or precision) and, where the fit has
        covariates, in these, each divided by its standard deviation over departments; see
        `brightspots.statistics.learning_pairs`.

        Parameters
        ----------
        k : int, default 3
            Partners per dark spot at most.

        Returns
        -------
        pandas.DataFrame
            One row a pair: `trust, department` of the dark spot, `partner_trust`, the `size` of both, and
            `p_truly_better`, the probability that the partner's level is better by more than the rule's margin;
            `own_ratio` and `peer_ratio` of both; and `distance`, 0 for two departments alike in size and covariates.
            `.attrs["without_partner"]` lists the dark spots that have none, and `.attrs["why_without"]` why: no other
            trust has the department, or none is probably better than average, or by the margin.

        Examples
        --------
        >>> import brightspots as bs
        >>> fit = bs.fit_hierarchy(bs.load_sample("nation"), period=False, seed=1)
        >>> pairs = fit.find_spots().learning_pairs(k=1)
        >>> pairs[["trust", "department", "partner_trust"]].head(2)
          trust        department partner_trust
        0  T001       Haematology          T...
        1  T001  Medical oncology          T...
        """
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise SettingsError(f"k must be a positive whole number; received {k!r}")
        return learning_pairs.learning_pairs(
            self.effects,
            self.fit.cell_summary(self.margin, 0.95),
            self.decisions.status,
            margin=self.margin,
            higher_is=self.higher_is,
            k=k,
        )

    def positive_deviants(self, fdr: float = 0.05, periods: int = 4) -> pd.DataFrame:
        """Departments ahead of their own trust and of their peers, and in every recent period, each with a comparator.

        Ahead by the margin on the good side of both comparisons at once and, where the fit has periods, on the good
        side of 1 against both in each of the last `periods` periods. It is one probability, P(all of this), and the
        list keeps `fdr` by it as the list of spots does, with the floor, `min_reliability` and `min_expected` of the
        rule. See `brightspots.statistics.positive_deviants`.

        Parameters
        ----------
        fdr : float, default 0.05
            Expected share of the list that is false.
        periods : int, default 4
            How many of the last periods are asked of; all where there are fewer. Not used where the model has no
            effects of periods.

        Returns
        -------
        pandas.DataFrame
            One row a positive deviant, in the order of labels: `trust, department, probability, size, own_ratio,
            peer_ratio` and, with periods, `periods`, in how many of the last ones it has data. Its comparator is the
            department of its kind in another trust that is nearest to it in size (and covariates) among those that
            are not flagged and are probably within the margin of both their own trust and their peers:
            `comparator_trust, comparator_size, p_comparator_ordinary, comparator_own_ratio, comparator_peer_ratio,
            distance`; missing where there is none. `.attrs["expected_false"]` is the expected number of false ones.

        Raises
        ------
        SettingsError
            Where `periods` leaves some out and the order of the periods is not known.

        Examples
        --------
        >>> import brightspots as bs
        >>> fit = bs.fit_hierarchy(bs.load_sample("nation"), period=False, seed=1)
        >>> ahead = fit.find_spots().positive_deviants()
        >>> bool((ahead["own_ratio"] < 1).all() and (ahead["peer_ratio"] < 1).all())
        True
        """
        check_probability("fdr", fdr)
        check_whole("periods", periods, "a positive whole number", least=1)
        cells, rule = self.effects.cells, self.rule
        by_period = "period" in self.effects.shared.sd
        shown = 0 if cells.periods is None else len(cells.periods)
        if by_period and periods < shown and cells.period_order == "unknown":
            raise SettingsError(
                "which periods are the last is not known, for their labels could only be sorted alphabetically: give "
                f"them as dates, numbers or an ordered categorical, or ask of all with periods={shown}"
            )
        summary = self.fit.cell_summary(self.margin, 0.95)
        lasting = lasting_probability(
            self.effects,
            summary,
            self.higher_is,
            periods=periods,
            least=max(rule.min_probability, LEAST_LISTED),
        )
        may = eligible(summary, cells.weight, rule) & (lasting.probability >= rule.min_probability)
        listed = bayesian_fdr(np.where(may, lasting.probability, np.nan), fdr)
        flags = (names.BRIGHT, names.DARK)
        ordinary = ~np.isin(self.decisions.own_status, flags) & ~np.isin(self.decisions.peer_status, flags)
        return deviants_frame(cells, summary, lasting, listed, ordinary, by_period=by_period)
