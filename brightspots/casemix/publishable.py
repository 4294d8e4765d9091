"""The model card beside a table whose small counts are withheld: what was adjusted for, and no count.

Events by department type, by level of case mix or by tenth of risk are sums of the same counts that the table
withholds. So are the coefficients, to enough digits: an intercept is the log odds of a type's events, a standard error
the root of reciprocal counts. And a type that has a model of its own has at least ``min_events`` events, which bounds
what is withheld of it.
"""

from __future__ import annotations

from typing import Any, Final

from brightspots.casemix.card import ModelCard

# What says how the models were made, and of no count.
_PLAIN: Final = ("outcome", "trust", "department", "period", "source", "fitted", "missing")
_C_STATISTIC_DECIMALS: Final = 2


def publishable_card(card: ModelCard) -> dict[str, Any]:
    """What of a card may stand beside a suppressed table, as plain dicts, lists, text and numbers.

    The columns that were adjusted for with their numbers of levels, what was done with missing values, and the
    c-statistic over all records to two decimals.
    """
    return {name: getattr(card, name) for name in _PLAIN} | {
        "casemix": list(card.casemix),
        "levels": dict(zip(card.covariates["covariate"], map(int, card.covariates["levels"]), strict=True)),
        "c_statistic": round(card.c_statistic, _C_STATISTIC_DECIMALS),
        "withheld": "counts, coefficients, which departments have models of their own, calibration, notes on counts",
    }
