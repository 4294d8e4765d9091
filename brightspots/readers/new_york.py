"""New York State Department of Health: hospital mortality, as published on health.data.ny.gov."""

from __future__ import annotations

from collections.abc import Collection
from types import MappingProxyType
from typing import Final

import numpy as np
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.arguments import checked
from brightspots.common.errors import DataError, SettingsError
from brightspots.readers.layout import Layout
from brightspots.readers.opening import PublishedFile
from brightspots.readers.published import Records, counted, finish, latest_spelling, read_records

# Indicators that do not overlap: IQI32 is part of IQI15, the lettered ones are part of the one they follow.
IQI_INDICATORS: Final = MappingProxyType(
    {
        "IQI08": "Esophageal Resection",
        "IQI09": "Pancreatic Resection",
        "IQI11": "Abdominal Aortic Aneurysm (AAA) Repair",
        "IQI13": "Craniotomy",
        "IQI14": "Hip Replacement",
        "IQI15": "Acute Myocardial Infarction (AMI)",
        "IQI16": "Heart Failure",
        "IQI18": "Gastrointestinal Hemorrhage",
        "IQI19": "Hip Fracture",
        "IQI20": "Pneumonia",
        "IQI31": "Carotid Endarterectomy",
    }
)

# All PCI is the sum of the two other kinds of PCI, so it is not among the default ones.
CARDIAC_PROCEDURES: Final = ("CABG", "Emergency PCI", "Non-Emergency PCI", "TAVR", "Valve or Valve/CABG")
_ALL_PCI: Final = "All PCI"

_IQI: Final = Layout(
    "New York's Inpatient Quality Indicators",
    {
        "period": ("Year", "Discharge Year"),
        "facility": ("Facility ID", "Hospital ID", "PFI"),
        "name": ("Hospital Name", "Facility Name"),
        "department": ("IQI Code", "Indicator Code"),
        "cases": ("Total Cases", "Denominator"),
        "deaths": ("Numerator",),
        "expected_rate": ("Expected Rate",),
    },
    {"observed_rate": ("Observed Rate",)},
)

_CARDIAC: Final = Layout(
    "New York's cardiac surgery and PCI file",
    {
        "facility": ("Facility ID", "Hospital ID", "PFI"),
        "name": ("Hospital Name", "Facility Name"),
        "department": ("Procedure",),
        "period": ("Year of Hospital Discharge", "Discharge Year", "Year"),
        "cases": ("Number of Cases",),
        "deaths": ("Number of Deaths",),
        "expected_rate": ("Expected Mortality Rate",),
        "comparison": ("Comparison Results",),
    },
    {
        "observed_rate": ("Observed Mortality Rate",),
        "adjusted_rate": ("Risk-Adjusted Mortality Rate",),
        "lower": ("Lower Limit of Confidence Interval",),
        "upper": ("Upper Limit of Confidence Interval",),
    },
)

_COMPARISONS: Final = MappingProxyType(
    {
        "rate significantly higher than statewide rate": "higher",
        "rate significantly lower than statewide rate": "lower",
        "rate not different than statewide rate": "not different",
    }
)


@checked
def read_ny_iqi(path: PublishedFile, *, years: Collection[int] | None = None) -> pd.DataFrame:
    """Read deaths and expected deaths by hospital × condition or procedure × year in New York State.

    The file is "Hospital Inpatient Quality Indicators (IQI) for All Payer". Kept are the eleven mortality
    indicators that do not overlap. Expected deaths are cases × expected rate / 1,000; the expected rate stands on a
    national reference, so that whole indicators lie above or below it (the model's department types take that up).

    Parameters
    ----------
    path : path, URL or open file
        CSV, also inside a zip or gzip.
    years : collection of int, optional
        Years to keep; all by default.

    Returns
    -------
    pandas.DataFrame
        `trust` (facility ID, four digits), `trust_name` (its latest spelling), `department` (the indicator), `period`
        (year), `observed` (deaths), `expected`, `denominator` (cases). ``.attrs["notes"]`` says what was left out.
        To add the years up, fit with ``period=False``.

    Raises
    ------
    DataError
        Where the file is not this publication, is damaged, or writes something whose meaning is not certain.
    SettingsError
        Where a year is asked for that the file does not have.
    """
    records = read_records(path, _IQI)
    records = _without_totals(records, records.frame["name"].str.lower().isin(["statewide", "national"]))
    known = records.frame["department"].isin(IQI_INDICATORS)
    records = _keep_noting(
        records, known, "department", "indicators that are not about deaths, or are part of another one"
    )
    records = records.with_columns(period=_years(records))
    if years is not None:
        published = set(records.frame["period"])
        absent = sorted(set(years) - published)
        if absent:
            raise SettingsError(f"years {absent} are not in the file, which has {sorted(published)}")
        records = _keep_noting(
            records, records.frame["period"].isin(list(years)), "period", "years not asked for"
        )
    blank = records.missing("expected_rate")
    if blank.any():
        records.notes.append(f"Dropped {counted(blank.sum(), 'row')} without an expected rate.")
        records = records.keep(~blank)
    frame = _cells(records, per=1000)
    frame[names.DEPARTMENT] = frame[names.DEPARTMENT].map(IQI_INDICATORS)
    return _finished(frame, records.notes, "Cells of fewer than 30 cases are not published.")


@checked
def read_ny_cardiac(path: PublishedFile, *, procedures: Collection[str] | None = None) -> pd.DataFrame:
    """Read deaths and expected deaths by hospital × cardiac procedure in New York State.

    The file is "Cardiac Surgery and Percutaneous Coronary Interventions by Hospital". Some procedures are published
    by year, the others for overlapping windows of three years, in which the same death appears up to three
    times. Of those windows the latest is kept, and before it every one that does not overlap a later one that
    is kept; so rows of one procedure can be added up. "All PCI" contains the two other kinds of PCI and is only read
    when it is asked for, without them.

    Parameters
    ----------
    path : path, URL or open file
        CSV, also inside a zip or gzip.
    procedures : collection of str, optional
        Default CABG, Emergency PCI, Non-Emergency PCI, TAVR, Valve or Valve/CABG.

    Returns
    -------
    pandas.DataFrame
        `trust` (facility ID, four digits), `trust_name` (its latest spelling), `department` (procedure), `period`
        ("2016", or "2017-2019"), `observed`, `expected` (cases × expected rate / 100), `denominator` (cases), and the
        publisher's own: `official_comparison` ("higher", "lower" or "not different" than statewide), and where
        the file has them `official_adjusted_rate`, `official_lower`, `official_upper` (per 100).

    Raises
    ------
    DataError
        Where the file is not this publication, is damaged, or writes something whose meaning is not certain.
    SettingsError
        Where a procedure is asked for that the file does not have, or All PCI together with a part of it.
    """
    records = read_records(path, _CARDIAC)
    comparison = records.frame["comparison"].str.lower()
    records = _without_totals(
        records, (comparison == "statewide rate") | (records.frame["name"] == "NYS - All Hospitals")
    )
    wanted = _procedures(procedures, set(records.frame["department"]))
    chosen = records.frame["department"].isin(wanted)
    records = _without_overlap(_keep_noting(records, chosen, "department", "procedures not asked for"))
    frame = _cells(records, per=100)
    comparison = records.frame["comparison"].str.lower()
    records.refuse(
        "comparison", ~comparison.isin(_COMPARISONS), "an official comparison is not one of the known ones",
        "rate significantly higher than, lower than, or not different than the statewide rate",
        "the publication may have changed",
    )  # fmt: skip
    frame["official_comparison"] = comparison.map(_COMPARISONS)
    frame = frame.assign(**records.official(("adjusted_rate", "lower", "upper")))
    return _finished(frame, records.notes, "Expected rates are published to 0.01 per 100 cases.")


def _without_totals(records: Records, total: pd.Series[bool]) -> Records:
    records.notes.append(f"Dropped {counted(total.sum(), 'row')} of statewide and national rates.")
    return records.keep(~total)


def _keep_noting(records: Records, keep: pd.Series[bool], column: str, what: str) -> Records:
    """Keep some rows, and note how many others were left out and which values of `column` they had."""
    if not keep.all():
        dropped = sorted({str(value) for value in records.frame[column][~keep]})
        records.notes.append(f"Dropped {counted((~keep).sum(), 'row')} of {what} ({', '.join(dropped)}).")
    return records.keep(keep)


def _years(records: Records) -> pd.Series[int]:
    text = records.text("period")
    records.refuse(
        "period", ~text.str.fullmatch(r"(19|20)\d\d"), "a year is not a year", "four digits",
        "the columns may have moved",
    )  # fmt: skip
    return text.astype(np.int64)


def _procedures(asked: Collection[str] | None, published: set[str]) -> tuple[str, ...]:
    if asked is None:
        return CARDIAC_PROCEDURES
    wanted = (asked,) if isinstance(asked, str) else tuple(asked)
    if not wanted or not published.issuperset(wanted):
        raise SettingsError(f"procedures must be among {sorted(published)}; received {asked!r}")
    if _ALL_PCI in wanted and {"Emergency PCI", "Non-Emergency PCI"} & set(wanted):
        raise SettingsError(
            "All PCI contains the other kinds of PCI; ask for All PCI or for its parts, not for both"
        )
    return wanted


def _without_overlap(records: Records) -> Records:
    """Keep, for each procedure, the latest span of years and those before it that overlap none that is kept."""
    parts = records.frame["period"].str.extract(r"^((?:19|20)\d\d)(?:\s*[-–]\s*((?:19|20)\d\d))?$")
    records.refuse(
        "period", parts[0].isna(), "a period is neither a year nor a span of years", "2016, or 2017-2019",
        "the columns may have moved",
    )  # fmt: skip
    first = parts[0].astype(np.int64)
    last = parts[1].fillna(parts[0]).astype(np.int64)
    spans = list(zip(last.tolist(), first.tolist(), records.frame["department"].tolist(), strict=True))
    kept: set[tuple[int, int, str]] = set()
    earliest: dict[str, int] = {}
    for span in sorted(set(spans), reverse=True):
        end, start, procedure = span
        if end < earliest.get(procedure, end + 1):
            kept.add(span)
            earliest[procedure] = start
    keep = pd.Series([span in kept for span in spans], index=first.index, dtype=bool)
    if not keep.all():
        records.notes.append(
            f"Dropped {counted((~keep).sum(), 'row')} of years that overlap later ones that are kept."
        )
    period = first.astype(str).where(first == last, first.astype(str) + "-" + last.astype(str))
    return records.with_columns(period=period).keep(keep)


def _cells(records: Records, *, per: int) -> pd.DataFrame:
    """Read cases, deaths and expected deaths, from rates per 100 or per 1,000."""
    if records.frame.empty:
        raise DataError(f"no rows are left in {records.layout.file}", action="; ".join(records.notes))
    records = records.with_columns(facility=records.identifiers("facility", 4, "[0-9]{4}"))
    records.check_unique("facility", "department", "period")
    cases, deaths, rate = records.counts("cases"), records.counts("deaths"), records.numbers("expected_rate")
    records.refuse(
        "deaths", deaths > cases, "there are more deaths than cases", "deaths ≤ cases", "the columns may have moved"
    )  # fmt: skip
    records.refuse(
        "expected_rate", (rate <= 0) | (rate >= per) | (cases == 0),
        "expected deaths are not between zero and all cases",
        f"cases, and a rate per {per:,}", "the columns may have moved",
    )  # fmt: skip
    if "observed_rate" in records:
        records.check_identity("observed_rate", deaths / cases * per, 0.06, f"deaths / cases × {per:,}")
    return pd.DataFrame(
        {
            names.TRUST: records.frame["facility"],
            names.TRUST_NAME: records.frame["name"],
            names.DEPARTMENT: records.frame["department"],
            names.PERIOD: records.frame["period"],
            names.OBSERVED: deaths,
            names.EXPECTED: cases * rate / per,
            names.DENOMINATOR: cases,
        }
    )


def _finished(frame: pd.DataFrame, notes: list[str], last_note: str) -> pd.DataFrame:
    """Give every facility its latest name, and note how much is kept."""
    end = frame[names.PERIOD].astype(str).str[-4:]
    latest = latest_spelling(frame.assign(end=end), names.TRUST, names.TRUST_NAME, "end")
    spellings = frame[[names.TRUST, names.TRUST_NAME]].drop_duplicates()
    several = int(spellings[names.TRUST].value_counts().gt(1).sum())
    if several:
        notes.append(f"Used the latest of several names for {counted(several, 'hospital')}.")
    frame[names.TRUST_NAME] = frame[names.TRUST].map(latest)
    cells = len(frame.drop_duplicates([names.TRUST, names.DEPARTMENT]))
    notes.append(
        f"Kept {counted(len(frame), 'row')}, {frame[names.TRUST].nunique()} hospitals × "
        f"{frame[names.DEPARTMENT].nunique()} departments ({cells:,} cells). {last_note}"
    )
    return finish(frame, [names.TRUST, names.DEPARTMENT, names.PERIOD], notes)
