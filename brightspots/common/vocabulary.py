"""Names that the library owns: columns, dimensions, groups, levels and statuses, declared once."""

from __future__ import annotations

from typing import Final, Literal, get_args

FamilyName = Literal["poisson", "binomial", "normal"]
FAMILIES: Final = get_args(FamilyName)

HigherIs = Literal["worse", "better"]

# What a difference between two estimates is; counts are always compared by ratios.
EstimateScale = Literal["log ratio", "difference"]
ESTIMATE_SCALES: Final = ("log ratio", "difference")

# How the order of the periods in time is known: from an ordered categorical, from numbers, dates or names of months;
# "unknown" where the labels could only be sorted alphabetically.
PeriodOrder = Literal["category", "number", "date", "month", "unknown"]
PERIOD_ORDERS: Final = ("category", "number", "date", "month", "unknown")

# Columns of the input and of the tables that come back.
TRUST: Final = "trust"
DEPARTMENT: Final = "department"
PERIOD: Final = "period"
OUTCOME: Final = "outcome"
OBSERVED: Final = "observed"
EXPECTED: Final = "expected"
DENOMINATOR: Final = "denominator"
OBSERVED_LOWER: Final = "observed_lower"
OBSERVED_UPPER: Final = "observed_upper"
COUNTED_FROM: Final = "counted_from"
DENOMINATOR_LOWER: Final = "denominator_lower"
DENOMINATOR_UPPER: Final = "denominator_upper"
ESTIMATE: Final = "estimate"
STANDARD_ERROR: Final = "standard_error"
RATING: Final = "rating"
TRUST_NAME: Final = "trust_name"
DEPARTMENT_NAME: Final = "department_name"

# Dimensions of the posterior.
CELL: Final = "cell"

# Variables of the posterior.
INTERCEPT: Final = "intercept"
COEFFICIENT: Final = "coefficient"
COVARIATE: Final = "covariate"
SD_DEPARTMENT_BY_TYPE: Final = "sd_department_by_type"
# Of department effects that are not normal; `levels.effect_name` gives the names for other levels.
DEGREES_OF_FREEDOM: Final = "degrees_of_freedom"
EXCEPTIONAL_SHARE: Final = "exceptional_share"
EXCEPTIONAL_FACTOR: Final = "exceptional_factor"
P_EXCEPTIONAL: Final = "p_exceptional"
EXPECTED_ERROR: Final = "expected_error"
TRUST_EFFECT: Final = "trust_effect"
DEPARTMENT_EFFECT: Final = "department_effect"
DEPARTMENT_TYPE_EFFECT: Final = "department_type_effect"

# Statuses.
BRIGHT: Final = "bright spot"
DARK: Final = "dark spot"
IN_LINE: Final = "in line"
CANNOT_TELL: Final = "cannot tell"
STATUSES: Final = (BRIGHT, DARK, IN_LINE, CANNOT_TELL)

# Why a department's status is "cannot tell".
THIN: Final = "thin"
NEAR_THE_MARGIN: Final = "near the margin"
BY_ASSUMPTION: Final = "by assumption"
UNLIKE_PEERS: Final = "unlike peers"
ALONE: Final = "alone"
NOT_ELIGIBLE: Final = "not eligible"
REASONS: Final = (THIN, NEAR_THE_MARGIN, BY_ASSUMPTION, UNLIKE_PEERS, ALONE, NOT_ELIGIBLE)

# What a department is against its own trust and against its peers, at once: (own status, peer status) → reading.
# Worse and better are those of the outcome, whichever way it counts.
READINGS: Final = {
    (DARK, DARK): "worse than own trust and peers",
    (DARK, BRIGHT): "worse than own trust, better than peers",
    (DARK, IN_LINE): "worse than own trust, as peers",
    (DARK, CANNOT_TELL): "worse than own trust; peers: cannot tell",
    (BRIGHT, DARK): "better than own trust, worse than peers",
    (BRIGHT, BRIGHT): "better than own trust and peers",
    (BRIGHT, IN_LINE): "better than own trust, as peers",
    (BRIGHT, CANNOT_TELL): "better than own trust; peers: cannot tell",
    (IN_LINE, DARK): "as own trust, worse than peers",
    (IN_LINE, BRIGHT): "as own trust, better than peers",
    (IN_LINE, IN_LINE): "as own trust and peers",
    (IN_LINE, CANNOT_TELL): "as own trust; peers: cannot tell",
    (CANNOT_TELL, DARK): "worse than peers; own trust: cannot tell",
    (CANNOT_TELL, BRIGHT): "better than peers; own trust: cannot tell",
    (CANNOT_TELL, IN_LINE): "as peers; own trust: cannot tell",
    (CANNOT_TELL, CANNOT_TELL): "cannot tell",
}

DARK_IN_STRONG: Final = "dark in strong"
BRIGHT_IN_WEAK: Final = "bright in weak"
CONCORDANT: Final = "concordant"
NOT_RATED: Final = "not rated"
RATING_STATUSES: Final = (DARK_IN_STRONG, BRIGHT_IN_WEAK, CONCORDANT, NOT_RATED)

# Cautions: what readers should know of the data, and of the limits of a funnel.
NATIONAL_RATIO: Final = "national ratio"
SHRUNKEN: Final = "shrunken estimates"
TOO_ALIKE: Final = "too alike"
EXPECTED_OFF: Final = "expected events off"
OUTSIDE_PLAIN: Final = "outside plain limits"
FEW_UNITS: Final = "few units"
NARROW_LIMITS: Final = "narrow limits"
WIDE_LIMITS: Final = "wide limits"
ORDER_UNKNOWN: Final = "period order"
# What was done, or noticed, on the way from a file to checked data: the notes of readers, of tidying, of the checks.
WAY_IN: Final = "way in"
# Cautions that only state something about the data; all others say that something is probably wrong.
STATEMENTS: Final = (OUTSIDE_PLAIN, WIDE_LIMITS, ORDER_UNKNOWN, EXPECTED_OFF, WAY_IN)

# Rating scales that are public knowledge, worst first, and the lowest band of each that counts as strong.
CQC_RATINGS: Final = ("Inadequate", "Requires improvement", "Good", "Outstanding")
CQC_STRONG_FROM: Final = "Good"
STAR_RATINGS: Final = ("1", "2", "3", "4", "5")
STARS_STRONG_FROM: Final = "4"

# Names, in lower case, of labels that are a total of the others: of any kind, of departments, of trusts.
_TOTALS: Final = frozenset(
    {"all", "grand total", "overall", "overall total", "sub-total", "subtotal", "sum", "total", "totals"}
)
TOTAL_WORDS: Final = _TOTALS | {
    "all departments",
    "all services",
    "all specialities",
    "all specialties",
    "all wards",
    "hospital total",
    "total departments",
    "total services",
    "total specialties",
    "trust total",
    "whole hospital",
    "whole trust",
}
TRUST_TOTAL_WORDS: Final = _TOTALS | {
    "all england",
    "all hospitals",
    "all organisations",
    "all providers",
    "all sites",
    "all states",
    "all trusts",
    "england",
    "england total",
    "great britain",
    "nation",
    "national",
    "national total",
    "nationwide",
    "nhs england",
    "northern ireland",
    "provider total",
    "scotland",
    "scotland total",
    "state total",
    "statewide",
    "total england",
    "total hospitals",
    "total providers",
    "total sites",
    "total trusts",
    "uk",
    "united kingdom",
    "united states",
    "usa",
    "wales",
    "wales total",
}

# What publishers write where there is no rating, in lower case.
UNRATED_WORDS: Final = frozenset(
    {
        "",
        "-",
        "–",
        "inspected but not rated",
        "insufficient evidence to rate",
        "n/a",
        "no published rating",
        "no rating",
        "not applicable",
        "not available",
        "not formally rated",
        "not rated",
        "not yet rated",
        "unrated",
    }
)
