"""What `fit_hierarchy()` returns: a fit, and the verbs that decide, draw and write."""

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
            rule,
            rating,
            rating_order=rating_order,
            strong_from=strong_from,
            rating_uses_outcome=rating_uses_outcome,
        )

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
        return sensitivity(self, self.rule_in_use(rule))

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
        return suppressed_fit(self, Rules(below, round_to, zeros, totals))[0]  # type: ignore[arg-type]

    def __repr__(self) -> str:
        return fit_text.fit_text(self)

    def _repr_html_(self) -> str:
        return fit_text.fit_html(self)
