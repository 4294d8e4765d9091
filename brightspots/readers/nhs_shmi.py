"""NHS England: the Summary Hospital-level Mortality Indicator (SHMI)."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.arguments import checked
from brightspots.readers.dates import twelve_months
from brightspots.readers.layout import Layout
from brightspots.readers.opening import PublishedFile
from brightspots.readers.published import Records, counted, finish, latest_spelling, read_records

_PROVIDER: Final = "[0-9A-Z]{3,}"

_SHMI: Final = Layout(
    "the Summary Hospital-level Mortality Indicator",
    {
        "provider": ("PROVIDER", "PROVIDER_CODE", "Provider code"),
        "observed": ("OBSERVED", "Observed deaths"),
        "expected": ("EXPECTED", "Expected deaths"),
        "value": ("VALUE", "SHMI_VALUE"),
    },
    {
        "period": ("DATE", "TIME_PERIOD", "Reporting period"),
        "name": ("PROVIDER NAME", "PROVIDER_NAME"),
        "spells": ("DENOMINATOR", "SPELLS", "Provider spells", "Number of spells"),
        "poisson_lower": ("PO_LL",),
        "poisson_upper": ("PO_UL",),
        "lower": ("OD_LL",),
        "upper": ("OD_UL",),
        "banding": ("OD_BANDING", "SHMI_BANDING"),
    },
    {
        "SITE_CODE": "the SHMI by hospital site",
        "SITE_NAME": "the SHMI by hospital site",
        "DIAGNOSIS_GROUP": "the SHMI by diagnosis group",
    },
)

_HIGHER, _AS_EXPECTED, _LOWER = "higher than expected", "as expected", "lower than expected"
# The publisher's bandings as numbers, as numbers of a spreadsheet (1.0), and in words.
_BANDINGS: Final = MappingProxyType(
    {
        written: words
        for number, words in enumerate((_HIGHER, _AS_EXPECTED, _LOWER), start=1)
        for written in (f"{number}", f"{number}.0", words)
    }
)
_ENGLAND: Final = frozenset({"england", "eng", "total"})

# NHS disclosure control writes * for a count of 1 to 7.
_SUPPRESSED_COUNT: Final = (1.0, 7.0)


@checked
def read_nhs_shmi(path: PublishedFile) -> pd.DataFrame:
    """Read observed and expected deaths by trust in England, with the official limits and banding.

    Parameters
    ----------
    path : path, URL or open file
        SHMI at trust level: the quarterly files, the later ones with codes for headings, the historical one with
        windows of twelve months, or the sheet of the workbook saved as CSV; also inside a zip or gzip.

    Returns
    -------
    pandas.DataFrame
        `trust`, `trust_name` (latest spelling, missing where never given), `period` where the file has it, `observed`,
        `expected`, `denominator` (spells) where the file has it, and the publisher's own: `official_value`,
        `official_poisson_lower`, `official_poisson_upper`, `official_lower`, `official_upper` (over-dispersed),
        `official_banding` ("higher than expected", "as expected", "lower than expected"). A withheld
        count (``*``) is kept as the interval 1 to 7 in `observed_lower, observed_upper`.

    Raises
    ------
    DataError
        Where the file is not this publication, is damaged, or writes something whose meaning is not certain.
    """
    records = _without_england(read_records(path, _SHMI))
    records = records.with_columns(provider=records.identifiers("provider", 0, _PROVIDER))
    if "period" in records:
        records = records.with_columns(period=_days(records))
        if len(records.frame["period"].unique()) > 1:
            records.notes.append(
                "Every period is of twelve months and they may overlap: deaths of one are then in another too, so that "
                "periods must not be added up."
            )
    keys = ["provider", *(["period"] if "period" in records else [])]
    records.check_unique(*keys)
    withheld = records.suppressed("observed")
    shown = records.with_columns(observed=records.frame["observed"].mask(withheld, "0"))
    observed = shown.counts("observed").mask(withheld)
    expected = records.numbers("expected")
    records.refuse(
        "expected", expected <= 0, "expected deaths are not positive", "deaths", "the columns may have moved"
    )
    results = records.with_columns(value=records.frame["value"].mask(records.withheld("value"), ""))
    results.check_identity("value", observed / expected, 0.02, "observed / expected deaths")
    frame = pd.DataFrame({names.TRUST: records.frame["provider"]})
    if "name" in records:
        frame[names.TRUST_NAME] = records.frame["provider"].map(
            latest_spelling(records.frame, "provider", "name", keys[-1])
        )
    if "period" in records:
        frame[names.PERIOD] = records.frame["period"]
    frame[names.OBSERVED], frame[names.EXPECTED] = observed, expected
    if "spells" in records:
        frame[names.DENOMINATOR] = records.counts("spells")
    if withheld.any():
        for column, bound in zip(
            (names.OBSERVED_LOWER, names.OBSERVED_UPPER), _SUPPRESSED_COUNT, strict=True
        ):
            frame[column] = observed.mask(withheld, bound)
        records.notes.append(
            f"Kept {counted(withheld.sum(), 'withheld count')} (*) as intervals from 1 to 7."
        )
    official = records.official(("value", "poisson_lower", "poisson_upper", "lower", "upper"))
    frame = frame.assign(**official)
    if "banding" in records:
        banding = records.frame["banding"].str.lower()
        unbanded = (banding == "") | records.withheld("banding")
        records.refuse(
            "banding", ~unbanded & ~banding.isin(list(_BANDINGS)), "a banding is not known", "1, 2 or 3",
            "the columns may have moved",
        )  # fmt: skip
        frame["official_banding"] = banding.map(_BANDINGS)
        if unbanded.any():
            records.notes.append(f"{counted(unbanded.sum(), 'official banding')} missing in the file.")
    if len(frame) > 1 and (observed.dropna() % 5 == 0).all():
        records.notes.append("Counts are rounded to 5 by the publisher: limits can only be met roughly.")
    records.notes.append(
        f"Kept {counted(len(frame), 'row')}, {frame[names.TRUST].nunique()} trusts, no departments."
    )
    return finish(frame, [key for key in (names.TRUST, names.PERIOD) if key in frame], records.notes)


def _without_england(records: Records) -> Records:
    """Leave out rows of England as a whole."""
    country = records.frame["provider"].str.lower().isin(_ENGLAND)
    if "name" in records:
        country |= records.frame["name"].str.lower().isin(_ENGLAND)
    if country.any():
        records.notes.append(f"Dropped {counted(country.sum(), 'row')} of England as a whole.")
    return records.keep(~country)


def _days(records: Records) -> pd.Series[str]:
    """Periods with dates written year first, so that they sort; in the file they are day first or year first.

    Windows of twelve months (APR22_MAR23) become their first and last day.
    """
    text = records.text("period")
    windows = {label: twelve_months(label) for label in text.unique()}
    if all(windows.values()):
        return text.map(windows)
    if not text.str.fullmatch(r"[0-9/.:TZ-]+").any():
        return text
    dates = records.dates(
        "period", ("%d/%m/%Y", "%Y-%m-%d"), "day/month/year, or year-month-day, in every row"
    )
    days: pd.Series[str] = dates.dt.strftime("%Y-%m-%d")
    return days
