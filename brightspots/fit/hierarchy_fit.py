"""`HierarchyFit`, which `fit_hierarchy()` returns: a fit with spots, figures, sensitivity and files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from brightspots.common.arguments import checked
from brightspots.common.errors import SettingsError
from brightspots.common.settings import SpotRule
from brightspots.disclosure import Rules, Totals, Zeros
from brightspots.fit import fit_text, storage
from brightspots.fit.plots import Drawable
from brightspots.fit.publishable import suppressed_fit
from brightspots.fit.sensitivity import Sensitivity, sensitivity
from brightspots.fit.spots import OTHER_FIT, Spots, find_spots


@checked
@dataclass(frozen=True, eq=False, repr=False)
class HierarchyFit(Drawable):
    """A fitted hierarchy: what the data say of trusts, of departments within them, and how surely.

    Made by `fit_hierarchy` or `load_fit`; not meant to be constructed by hand.

    Attributes
    ----------
    certificate : Certificate
        Whether the numbers may be relied on: method, effective draws, Pareto k̂ or R-hat, seconds, `ok`, `message`.
    table : Table
        The checked data.
    priors : Priors
        As asked for, with the distributions of effects that were fitted.
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
    choice : EffectChoice
        How the data decided on the distribution of effects; see `effect_distribution`.
    """

    def find_spots(
        self,
        rule: SpotRule | None = None,
        rating: Any = None,
        *,
        rating_order: Sequence[Any] | None = None,
        strong_from: Any = None,
        rating_uses_outcome: bool = False,
    ) -> Spots:
        """Find bright and dark spots, departments in line, and those whose data cannot tell.

        Parameters
        ----------
        rule : SpotRule, optional
            Margin, false discovery rate, reference. By default the rule that a saved fit remembers
            (`decision`), else ``SpotRule()``.
        rating : str, mapping, Series or eager dataframe (pandas, polars, pyarrow, …), optional
            The trusts' overall ratings: a column of the data (by default `rating` where there is one), or
            trust → rating. Departments' own ratings: a column that differs within trusts, keys (trust, department),
            or a frame with the columns `trust, department, rating`. Some trusts or departments may have none; a rating
            that rates nobody (``{}``, a blank column) is as if none were given. By default a saved fit uses the ratings
            that it remembers.
        rating_order : sequence, optional
            The bands, worst first. Not needed for numbers, an ordered categorical or a known scale.
        strong_from : optional
            The lowest band that counts as strong. By default "Good" for the Care Quality Commission's words and 4 for
            one to five stars; for another scale the upper half of the bands of `rating_order`, or of the categories of
            an ordered categorical, those that do not occur included. Otherwise it is not known which bands are strong,
            and flags are not compared with the rating. `rating_order` and `strong_from` without `rating` apply to the
            remembered ratings.
        rating_uses_outcome : bool, default False
            State that the rating was built partly from this outcome; the output then says that the two are not
            independent. A saved fit remembers it with its ratings.

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
            rule,
            rating,
            rating_order=rating_order,
            strong_from=strong_from,
            rating_uses_outcome=rating_uses_outcome,
        )

    def sensitivity(self, rule: SpotRule | None = None) -> Sensitivity:
        """Refit under priors half and twice as wide, and with errors of the expected events, and report what changes.

        Every proper prior is scaled: of the standard deviations, the intercept and the coefficients. Then expected
        events are taken to be off by about 5% and 10% in each department (`expected_sd` of 0.05 and 0.1), as case mix
        never adjusts perfectly: flags that do not survive could be such errors. Data, engine, number of draws and seed
        stay the same.

        Parameters
        ----------
        rule : SpotRule, optional
            The rule for flags; by default the one that a saved fit remembers, else ``SpotRule()``.

        Raises
        ------
        SettingsError
            Where every prior is flat.
        """
        return sensitivity(self, self.rule_in_use(rule))

    def save(self, path: str | os.PathLike[str], spots: Spots | None = None) -> None:
        """Write the fit to a netCDF file, whole or not at all; `load_fit` reads it under either ArviZ generation.

        The file holds the data: every count, and the columns that the model did not use. To publish a file, save
        ``fit.suppressed(below=…)`` instead.

        Parameters
        ----------
        path : str or path
        spots : Spots, optional
            Of this fit. The rule and the ratings by which they were found go into the file, and the loaded fit finds
            the same spots with ``load_fit(path).find_spots()``. Without it the file keeps the rule and ratings that
            this fit remembers (`decision`), if any.

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
        """Refit to the data after disclosure control, so that everything about the new fit may be published.

        Results computed from exact counts can reveal them: a posterior mean of a small cell, the position of a point, a
        saved fit. The fit returned is computed from the suppressed table alone: withheld counts enter as intervals, and
        of the other columns of the data it keeps only the names of trusts and departments, the column `rating`, and
        what it is fitted with: covariates and `expected_sd`.

        Parameters
        ----------
        below, round_to, zeros, totals
            As in `brightspots.suppress`.

        Returns
        -------
        HierarchyFit
            With the same model, number of draws and seed; sampled with NUTS where integrating does not earn its
            certificate.

        Raises
        ------
        SettingsError
            Where an option cannot be used, the fit is of estimates, or it was suppressed under other rules before.
        """
        return suppressed_fit(self, Rules(below, round_to, zeros, totals))[0]  # type: ignore[arg-type]

    def __repr__(self) -> str:
        return fit_text.fit_text(self)

    def _repr_html_(self) -> str:
        return fit_text.fit_html(self)
