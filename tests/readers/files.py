"""Tiny files in the publishers' formats, written from plain rows so that a test can spoil one value at a time."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

Row = Mapping[str, object]

IQI_COLUMNS = (
    "Year", "Facility ID", "Hospital Name", "Hospital County", "Hospital Region", "IQI Code", "IQI Value",
    "Total Cases", "Numerator", "Observed Rate", "Expected Rate", "Risk Adjusted Rate",
)  # fmt: skip
CARDIAC_COLUMNS = (
    "Facility ID", "Hospital Name", "Region", "Procedure", "Year of Hospital Discharge", "Number of Cases",
    "Number of Deaths", "Observed Mortality Rate", "Expected Mortality Rate", "Risk-Adjusted Mortality Rate",
    "Lower Limit of Confidence Interval", "Upper Limit of Confidence Interval", "Comparison Results",
)  # fmt: skip
HRRP_COLUMNS = (
    "Facility Name", "Facility ID", "State", "Measure Name", "Number of Discharges", "Excess Readmission Ratio",
    "Predicted Readmission Rate", "Expected Readmission Rate", "Number of Readmissions", "Start Date", "End Date",
)  # fmt: skip
STAR_COLUMNS = ("Facility ID", "Facility Name", "State", "Hospital overall rating")
CQC_COLUMNS = ("ORG_CODE", "DATE", "POPULATION", "QUESTION", "RATING_SCORE")
SHMI_COLUMNS = (
    "DATE", "PROVIDER", "PROVIDER NAME", "DENOMINATOR", "OBSERVED", "EXPECTED", "VALUE", "PO_LL", "PO_UL", "OD_LL",
    "OD_UL", "OD_BANDING",
)  # fmt: skip
WEEKS = (*(f"Gt {week:02d} To {week + 1:02d} Weeks SUM 1" for week in range(20)), "Gt 20 Weeks SUM 1")
RTT_COLUMNS = (
    "Period", "Provider Org Code", "Provider Org Name", "Commissioner Org Code", "RTT Part Type",
    "Treatment Function Code", "Treatment Function Name", *WEEKS, "Total", "Total All",
)  # fmt: skip


def write(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """CSV text with the columns in the order given; a key that a row lacks is blank."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([row.get(column, "") for column in columns] for row in rows)
    return text.getvalue()


def iqi(
    facility: object, code: str, year: int, cases: int, deaths: int, expected: object, name: str = "HOSPITAL"
) -> Row:
    return {
        "Year": year, "Facility ID": facility, "Hospital Name": name, "Hospital Region": "Region", "IQI Code": code,
        "Total Cases": cases, "Numerator": deaths, "Observed Rate": round(deaths / cases * 1000, 2),
        "Expected Rate": expected,
    }  # fmt: skip


def cardiac(
    facility: object, procedure: str, period: str, cases: int, deaths: int, expected: object = 2.0,
    flag: str = "Rate not different than Statewide Rate", name: str = "Hospital",
) -> Row:  # fmt: skip
    return {
        "Facility ID": facility, "Hospital Name": name, "Procedure": procedure, "Year of Hospital Discharge": period,
        "Number of Cases": cases, "Number of Deaths": deaths,
        "Observed Mortality Rate": round(deaths / cases * 100, 2),
        "Expected Mortality Rate": expected, "Risk-Adjusted Mortality Rate": 2.5,
        "Lower Limit of Confidence Interval": 0.5, "Upper Limit of Confidence Interval": 4.5,
        "Comparison Results": flag,
    }  # fmt: skip


def hrrp(
    facility: object, measure: str, discharges: object, readmissions: object, expected: object = "15.0",
    predicted: object = "99.0",
) -> Row:  # fmt: skip
    return {
        "Facility Name": "HOSPITAL", "Facility ID": facility, "Measure Name": f"READM-30-{measure}-HRRP",
        "Number of Discharges": discharges, "Predicted Readmission Rate": predicted,
        "Expected Readmission Rate": expected, "Number of Readmissions": readmissions, "Start Date": "07/01/2021",
        "End Date": "06/30/2024",
    }  # fmt: skip


def rtt(
    provider: str, function: str, waits: Mapping[int, int], *, commissioner: str = "01A", part: str = "Part_2",
    name: str = "AN NHS TRUST",
) -> Row:  # fmt: skip
    """Waits by week (20 is everything longer), the total, and blanks where nobody waits."""
    functions = {"C_100": "General Surgery Service", "C_320": "Cardiology Service", "C_999": "Total"}
    return {
        "Period": "RTT-January-2026", "Provider Org Code": provider, "Provider Org Name": name,
        "Commissioner Org Code": commissioner, "RTT Part Type": part, "Treatment Function Code": function,
        "Treatment Function Name": functions[function], **{WEEKS[week]: count for week, count in waits.items()},
        "Total All": sum(waits.values()),
    }  # fmt: skip


def shmi(
    provider: str, observed: object, expected: object, date: str = "2012-10-01", **values: object
) -> Row:
    numbers = isinstance(observed, int) and isinstance(expected, int | float)
    return {
        "DATE": date, "PROVIDER": provider, "PROVIDER NAME": f"TRUST {provider}", "DENOMINATOR": 40000,
        "OBSERVED": observed, "EXPECTED": expected, "VALUE": round(observed / expected, 4) if numbers else "",
        "PO_LL": 0.9, "PO_UL": 1.1, "OD_LL": 0.88, "OD_UL": 1.13, "OD_BANDING": 2, **values,
    }  # fmt: skip
