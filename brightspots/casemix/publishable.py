"""What of a model card may be published beside a table whose small counts are withheld: what was adjusted for.

Events by department type, by level of case mix or by tenth of risk are sums of the counts that the table withholds, and
would reveal them. So would coefficients, to enough digits: an intercept follows from the log odds of a type's events, a
standard error from reciprocals of counts. And a type with a model of its own has at least ``min_events`` events, which
bounds its withheld counts.
"""

from __future__ import annotations

from typing import Any, Final

from brightspots.casemix.card import ModelCard

# Fields that say how the models were made, and nothing about counts.
_PLAIN: Final = ("outcome", "trust", "department", "period", "source", "fitted", "missing")
_C_STATISTIC_DECIMALS: Final = 2


def publishable_card(card: ModelCard) -> dict[str, Any]:
    """The publishable part of a card, as plain dicts, lists, text and numbers.

    The columns that were adjusted for with their numbers of levels, what was done with missing values, and the
    c-statistic over all records to two decimals.
    """
    return {name: getattr(card, name) for name in _PLAIN} | {
        "casemix": list(card.casemix),
        "levels": dict(zip(card.covariates["covariate"], map(int, card.covariates["levels"]), strict=True)),
        "c_statistic": round(card.c_statistic, _C_STATISTIC_DECIMALS),
        "withheld": "counts, coefficients, which departments have models of their own, calibration, notes on counts",
    }
