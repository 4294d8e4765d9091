"""The model card beside a table whose small counts are withheld: what was fitted, and no count.

Events by department type, by level of case mix or by tenth of risk are sums of the same counts that the table
withholds. So are, to enough digits, the coefficients: an intercept is the log odds of a type's events, a standard error
the root of reciprocal counts.
"""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

from brightspots.casemix.card import ModelCard
from brightspots.casemix.models import LEFT_OUT
from brightspots.disclosure import Rules

# What says how the models were made, and of no count.
_PLAIN: Final = (
    "outcome", "trust", "department", "period", "casemix", "source", "fitted", "min_events", "missing",
)  # fmt: skip
_INTERCEPT: Final = "(intercept)"
_NOTES: Final = ("reference", "aliased")
_COEFFICIENT_DECIMALS: Final = 1
_C_STATISTIC_DECIMALS: Final = 2


def publishable_card(card: ModelCard, rules: Rules) -> dict[str, Any]:
    """What of a card may stand beside a suppressed table, as plain dicts, lists, text and numbers.

    Without counts, intercepts, standard errors, calibration and the sentences that speak of counts. Coefficients are
    rounded to one decimal, and missing for levels that have fewer than `below` events or records without the event.

    Parameters
    ----------
    card : ModelCard
    rules : Rules
        Those of the table.
    """
    plain: dict[str, Any] = {name: getattr(card, name) for name in _PLAIN}
    plain["casemix"] = list(card.casemix)
    plain["c_statistic"] = round(card.c_statistic, _C_STATISTIC_DECIMALS)
    plain["types"] = _records(card.types[["department", "model", "penalised"]])
    slopes = card.coefficients[card.coefficients["covariate"] != _INTERCEPT]
    plain["coefficients"] = _records(
        slopes[["model", "covariate", "level"]].assign(
            coefficient=slopes["coefficient"]
            .astype(float)
            .round(_COEFFICIENT_DECIMALS)
            .where(_many(slopes, rules)),
            note=slopes["note"].where(slopes["note"].isin(_NOTES), ""),
        )
    )
    plain["covariates"] = _records(card.covariates[["covariate", "levels"]])
    plain["left_out"] = card.left_out["reason"].tolist()
    plain["departments_left_out"] = card.types["department"][card.types["model"] == LEFT_OUT].tolist()
    plain["withheld"] = "counts and shares, intercepts, standard errors, calibration and notes on counts"
    return plain


def _many(levels: pd.DataFrame, rules: Rules) -> pd.Series[bool]:
    """Whether a level has enough events, and enough records without, for its coefficient to be shown."""
    least = rules.most + 1
    events = levels["observed"].fillna(0)
    return (events >= least) & (levels["records"].fillna(0) - events >= least)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain dicts; what is missing is None."""
    return [
        {str(key): None if pd.isna(value) else value for key, value in row.items()}
        for row in frame.astype(object).to_dict(orient="records")
    ]
