"""Centers for Medicare & Medicaid Services: readmissions (HRRP) and overall star ratings of US hospitals."""

from __future__ import annotations

import warnings
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pandas as pd

from brightspots.common import vocabulary as names
from brightspots.common.arguments import checked
from brightspots.common.errors import DataError, DataWarning
from brightspots.readers.layout import Layout
from brightspots.readers.opening import PublishedFile
from brightspots.readers.published import Records, counted, finish, read_records

# Counts below 11 are withheld.
_LARGEST_WITHHELD: Final = 10

# Expected readmissions from which hardly any cell can have been withheld: P(fewer than 11 | 25 expected) < 0.001.
_SAFE_EXPECTED: Final = 25

# Expected readmissions from which no count is believed to be fewer than 11: P(10 or fewer) is under 1e-6 even in a
# hospital at 0.7 of what is expected.
_NEVER_WITHHELD: Final = 50

_CONDITIONS: Final = MappingProxyType(
    {
        "READM-30-AMI-HRRP": "Heart Attack",
        "READM-30-CABG-HRRP": "CABG Surgery",
        "READM-30-COPD-HRRP": "COPD",
        "READM-30-HF-HRRP": "Heart Failure",
        "READM-30-HIP-KNEE-HRRP": "Hip/Knee Replacement",
        "READM-30-PN-HRRP": "Pneumonia",
    }
)

# A state in two digits, then letters where a kind of hospital has them (Veterans: 01014F).
_CERTIFICATION_NUMBER: Final = "[0-9]{2}[0-9A-Z][0-9]{2}[0-9A-Z]"

_FACILITY: Final = (
    "Facility ID",
    "Provider ID",
    "Provider Number",
    "Hospital ID",
    "CMS Certification Number (CCN)",
)

_HRRP: Final = Layout(
    "CMS's Hospital Readmissions Reduction Program file",
    {
        "facility": _FACILITY,
        "name": ("Facility Name", "Hospital Name"),
        "measure": ("Measure Name", "Measure ID"),
        "discharges": ("Number of Discharges",),
        "expected_rate": ("Expected Readmission Rate",),
        "readmissions": ("Number of Readmissions",),
    },
    {"start": ("Start Date", "Measure Start Date"), "end": ("End Date", "Measure End Date")},
)

_GENERAL: Final = Layout(
    "CMS's Hospital General Information file",
    {"facility": _FACILITY, "rating": ("Hospital overall rating", "Hospital Overall Rating Star")},
)


@checked
def read_cms_hrrp(path: PublishedFile) -> pd.DataFrame:
    """Read 30-day readmissions by US hospital × condition from the Hospital Readmissions Reduction Program.

    Expected readmissions are discharges × Expected Readmission Rate / 100. The predicted rate and the published
    ratio are never used: they are already shrunken towards the national mean.

    Counts below 11 are withheld. Where the discharges are given all the same, the cell is kept as an interval, 0 to 10
    readmissions. Where they are withheld too (fiscal years 2016 to 2026, as far as seen), the number of expected events
    is unknown and the cell is left out, with a `DataWarning`: which small cells are in the file then depends
    on their outcome, so that the small ones that are in it look worse than they are. The column `counted_from` (11)
    says so of the counts that are left, and `fit_hierarchy` takes them as counts of at least 11.

    Parameters
    ----------
    path : path, URL or open file
        CSV, also inside a zip or gzip. The headings, spellings and dates of fiscal years 2016 to 2026 are known.

    Returns
    -------
    pandas.DataFrame
        `trust` (facility ID, six characters), `trust_name`, `department` (condition), `period` (first and last day)
        where the file has it, `observed` (readmissions), `expected`, `denominator` (discharges), and with
        withheld counts that could be kept `observed_lower, observed_upper`, with cells left out for their counts
        `counted_from`. ``.attrs["notes"]`` says what was left out.

    Raises
    ------
    DataError
        Where the file is not this publication, is damaged, or writes something whose meaning is not certain.
    """
    records = read_records(path, _HRRP)
    records = records.with_columns(
        facility=records.identifiers("facility", 6, _CERTIFICATION_NUMBER),
        measure=_conditions(records),
        period=_periods(records),
    )
    records.check_unique("facility", "measure", "period")

    rate = records.numbers("expected_rate", blank=np.nan)
    discharges, readmissions = (
        _counts_or_withheld(records, column) for column in ("discharges", "readmissions")
    )
    assessed = rate.notna() & ~(discharges == 0)
    _refuse_impossible(records, rate, discharges, readmissions, assessed)

    shown_count = assessed & readmissions.notna()
    censored = assessed & readmissions.isna() & discharges.notna()
    lost = assessed & discharges.isna()
    records.refuse(
        "readmissions", censored & (discharges * rate / 100 > _NEVER_WITHHELD),
        f"a count is missing where more than {_NEVER_WITHHELD} readmissions are expected, so that it cannot be fewer "
        "than 11", "a count", "the file may be damaged",
    )  # fmt: skip
    records.notes.append(
        f"Dropped {counted((~assessed).sum(), 'cell')} without an expected rate: not assessed."
    )
    kept = shown_count | censored
    if not kept.any():
        raise DataError("no cell has both discharges and an expected rate", expected=_HRRP.file)
    frame = _kept_cells(records, rate, discharges, readmissions, kept)
    if censored.any():
        frame = _with_intervals(frame)
        records.notes.append(
            f"Kept {counted(censored.sum(), 'cell')} with a withheld count (fewer than 11) as intervals from 0 to 10."
        )
    if lost.any():
        frame = frame.assign(
            **{names.COUNTED_FROM: np.where(frame[names.OBSERVED].notna(), _LARGEST_WITHHELD + 1, 0)}
        )
        message = _left_out(frame, int(lost.sum()), int(assessed.sum()))
        records.notes.append(message)
        warnings.warn(message, DataWarning, stacklevel=3)
    records.notes.append(
        f"Kept {counted(len(frame), 'cell')}, {frame[names.TRUST].nunique():,} hospitals × "
        f"{frame[names.DEPARTMENT].nunique()} conditions."
    )
    keys = [key for key in (names.TRUST, names.DEPARTMENT, names.PERIOD) if key in frame]
    return finish(frame, keys, records.notes)


def _refuse_impossible(
    records: Records,
    rate: pd.Series[float],
    discharges: pd.Series[float],
    readmissions: pd.Series[float],
    assessed: pd.Series[bool],
) -> None:
    """Refuse rates that are no percentage, and readmissions without the discharges that they are among."""
    records.refuse(
        "expected_rate", assessed & ((rate <= 0) | (rate >= 100)), "an expected rate is not a percentage",
        "a rate per 100 discharges", "the columns may have moved",
    )  # fmt: skip
    records.refuse(
        "readmissions", readmissions.notna() & (rate.isna() | discharges.isna() | (readmissions > discharges)),
        "readmissions are given without an expected rate and at least as many discharges",
        "readmissions ≤ discharges", "the columns may have moved",
    )  # fmt: skip


def _kept_cells(
    records: Records,
    rate: pd.Series[float],
    discharges: pd.Series[float],
    readmissions: pd.Series[float],
    kept: pd.Series[bool],
) -> pd.DataFrame:
    """The cells that are kept, in the standard columns; without periods where the file has none."""
    frame = pd.DataFrame(
        {
            names.TRUST: records.frame["facility"],
            names.TRUST_NAME: records.frame["name"],
            names.DEPARTMENT: records.frame["measure"],
            names.PERIOD: records.frame["period"],
            names.OBSERVED: readmissions,
            names.EXPECTED: discharges * rate / 100,
            names.DENOMINATOR: discharges,
        }
    )[kept]
    _check_scale(frame)
    return frame.drop(columns=names.PERIOD) if frame[names.PERIOD].eq("").all() else frame


def _left_out(frame: pd.DataFrame, lost: int, assessed: int) -> str:
    """What is said of cells that were left out because nothing is known of them but that they are small."""
    return (
        f"{lost:,} of {assessed:,} assessed cells were left out: their readmissions (fewer than 11) "
        "and their discharges are both withheld, so that their expected readmissions are unknown. Small cells "
        "are in the file only where they had 11 readmissions or more, and so look worse than they are; cells "
        f"that expect at least {_SAFE_EXPECTED} are hardly touched "
        f"({(frame[names.EXPECTED] >= _SAFE_EXPECTED).sum():,} of the {len(frame):,} that are kept). The column "
        "counted_from says so to fit_hierarchy."
    )


@checked
def read_cms_ratings(path: PublishedFile) -> pd.DataFrame:
    """Read the overall star rating of US hospitals from CMS's Hospital General Information file.

    Parameters
    ----------
    path : path, URL or open file
        CSV, also inside a zip or gzip.

    Returns
    -------
    pandas.DataFrame
        `trust` (facility ID, six characters) and `rating` (1 to 5 stars, 5 is best; missing where unrated), one
        row a hospital. ``.attrs["notes"]`` says how many are rated.

    Raises
    ------
    DataError
        Where the file is not this publication, is damaged, or has ratings other than 1 to 5.
    """
    records = read_records(path, _GENERAL)
    records = records.with_columns(facility=records.identifiers("facility", 6, _CERTIFICATION_NUMBER))
    records.check_unique("facility")
    stars = records.numbers("rating", blank=np.nan)
    records.refuse(
        "rating", stars.notna() & ~stars.isin([1, 2, 3, 4, 5]), "a rating is not one to five stars",
        "1, 2, 3, 4, 5 or Not Available", "the publication may have changed",
    )  # fmt: skip
    frame = pd.DataFrame({names.TRUST: records.frame["facility"], names.RATING: stars.astype("Int64")})
    rated = int(stars.notna().sum())
    records.notes.append(
        f"{rated:,} of {len(frame):,} hospitals have an overall rating; the others are missing."
    )
    return finish(frame, [names.TRUST], records.notes)


def _counts_or_withheld(records: Records, column: str) -> pd.Series[float]:
    """Read counts, NaN where they are missing or withheld ("Too Few to Report")."""
    shown = records.frame[column].mask(records.suppressed(column), "")
    return records.with_columns(**{column: shown}).counts(column, blank=np.nan)


def _conditions(records: Records) -> pd.Series[str]:
    """Give the condition of each measure, with hyphens between its words or, as in fiscal year 2019, underscores."""
    measure = records.text("measure").str.upper().str.replace("_", "-")
    records.refuse(
        "measure", ~measure.isin(_CONDITIONS), "a measure is not one of the six of the programme",
        ", ".join(_CONDITIONS), "the publication may have changed",
    )  # fmt: skip
    conditions: pd.Series[str] = measure.map(_CONDITIONS)
    return conditions


def _periods(records: Records) -> pd.Series[Any]:
    """First and last day of the data, month first as in the United States; blank where the file does not say."""
    if "start" not in records or "end" not in records:
        return pd.Series("", index=records.frame.index)
    days = []
    for column in ("start", "end"):
        day = records.dates(column, ("%m/%d/%Y", "%Y-%m-%d"), "month/day/year, or year-month-day")
        days.append(day.dt.strftime("%Y-%m-%d"))
    return days[0] + "/" + days[1]


def _check_scale(frame: pd.DataFrame) -> None:
    """Refuse rates that are not per 100: nationally, observed and expected readmissions are about equal."""
    known = frame[frame[names.OBSERVED].notna()]
    expected = known[names.EXPECTED].sum()
    if expected > 0 and not 0.5 < known[names.OBSERVED].sum() / expected < 2.0:
        raise DataError(
            f"{known[names.OBSERVED].sum():,.0f} readmissions were observed and {expected:,.0f} expected",
            column="Expected Readmission Rate",
            expected="about as many: a rate per 100 discharges",
            action="another scale or other columns than in known releases: not read",
        )


def _with_intervals(frame: pd.DataFrame) -> pd.DataFrame:
    hidden = frame[names.OBSERVED].isna()
    return frame.assign(
        **{
            names.OBSERVED_LOWER: frame[names.OBSERVED].mask(hidden, 0.0),
            names.OBSERVED_UPPER: frame[names.OBSERVED].mask(
                hidden, frame[names.DENOMINATOR].clip(upper=_LARGEST_WITHHELD)
            ),
        }
    )
