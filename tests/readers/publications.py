"""A small good file of every publication that is read, as it is published now and as it was in earlier years."""

from __future__ import annotations

from brightspots.readers import (
    read_cms_hrrp,
    read_cms_ratings,
    read_cqc_ratings,
    read_nhs_rtt,
    read_nhs_shmi,
    read_ny_cardiac,
    read_ny_iqi,
)
from tests.readers import files, test_cms, test_cqc, test_new_york, test_nhs_england

STARS = [{"Facility ID": f"{10001 + at}", "Hospital overall rating": at % 5 + 1} for at in range(6)]
SHMI = [
    files.shmi("RA1", 913, 768.4005),
    files.shmi("RA2", 1346, 1478.9925),
    files.shmi("RA3", 1023, 909.8874),
    files.shmi("RA4", "*", 5.5, **{"PROVIDER NAME": "YSBYTY, CÔR"}),
]
HRRP = [
    *test_cms.COUNTED,
    files.hrrp("450001", "AMI", 60, "Too Few to Report"),
    files.hrrp(33, "HF", "", "", "12.5"),
    files.hrrp(33, "PN", "N/A", "N/A", "N/A"),
    {**files.hrrp(44, "CABG", 120, 18), "Facility Name": 'ST. "OLAF", HOSPITAL'},
]

# Name: reader, columns, rows.
PUBLICATIONS = {
    "iqi": (read_ny_iqi, files.IQI_COLUMNS, test_new_york.IQI_ROWS),
    "cardiac": (read_ny_cardiac, files.CARDIAC_COLUMNS, test_new_york.CARDIAC_ROWS),
    "hrrp": (read_cms_hrrp, files.HRRP_COLUMNS, HRRP),
    "stars": (read_cms_ratings, files.STAR_COLUMNS, STARS),
    "cqc": (read_cqc_ratings, files.CQC_COLUMNS, test_cqc.ROWS),
    "rtt": (read_nhs_rtt, files.RTT_COLUMNS, test_nhs_england.RTT_ROWS),
    "shmi": (read_nhs_shmi, files.SHMI_COLUMNS, SHMI),
}


def _hrrp_2019() -> str:
    """Fiscal year 2019: other headings, measures with underscores, footnotes in words, days without zeros."""
    renamed = {"Facility Name": "Hospital Name", "Facility ID": "Provider ID"}
    spelt = {
        "N/A": "Not Available", "": "Not Available", "Too Few to Report": "Not Available",
        "07/01/2021": "7/1/2014", "06/30/2024": "6/30/2017",
    }  # fmt: skip
    rows = [
        {renamed.get(column, column): spelt.get(str(value), value) for column, value in row.items()}
        | {"Measure Name": str(row["Measure Name"]).replace("-", "_")}
        for row in HRRP
    ]
    return files.write([renamed.get(column, column) for column in files.HRRP_COLUMNS], rows)


def _shmi_2013() -> str:
    """The quarterly releases of 2013 and 2014: a row of commas and a copyright line below the table."""
    commas = "," * (len(files.SHMI_COLUMNS) - 1)
    return (
        f'{files.write(files.SHMI_COLUMNS, SHMI)}{commas}\r\n"Copyright © 2013, the publisher. All Rights Reserved"'
        f"{commas}\r\n"
    )


def _shmi_windows() -> str:
    """The historical file: windows of twelve months, bandings as a spreadsheet writes them, results not shown."""
    renamed = {
        "DATE": "TIME_PERIOD", "PROVIDER": "PROVIDER_CODE", "PROVIDER NAME": "PROVIDER_NAME", "VALUE": "SHMI_VALUE",
        "OD_BANDING": "SHMI_BANDING", "DENOMINATOR": "SPELLS",
    }  # fmt: skip
    hidden = {"SHMI_VALUE": "**", "SHMI_BANDING": "**", "OD_LL": "**", "OD_UL": "**"}
    rows = [
        {renamed.get(column, column): value for column, value in row.items()}
        | {"TIME_PERIOD": "APR22_MAR23", "SHMI_BANDING": "2.0"}
        | (hidden if row["PROVIDER"] == "RA3" else {})
        for row in SHMI
    ]
    return files.write([renamed.get(column, column) for column in files.SHMI_COLUMNS], rows)


def older_waits(
    rows,
    code: str = "Treatment Function Code",
    name: str = "Treatment Function Name",
    month: str = "JANUARY",
    year: str = "2025-26",
) -> str:
    """Waiting times as they were published until September 2017: cover rows, a year and a month, capitals."""
    renamed = {
        "RTT Part Type": "RTT Part Name", "Treatment Function Code": code, "Treatment Function Name": name,
    }  # fmt: skip
    columns = [
        "Year",
        "Period Name",
        *(renamed.get(one, one) for one in files.RTT_COLUMNS if one != "Period"),
    ]
    older = [
        {
            renamed.get(key, key): value.upper() if key == "RTT Part Type" else value
            for key, value in row.items()
        }
        | {"Year": year, "Period Name": month}
        for row in rows
    ]
    return "SHA & Self Trusts - Provider,\r\n\r\n" + files.write(columns, older)


# Name: reader, content. What follows the name of a publication is the year from which it was like that.
GOOD_FILES = {
    **{
        name: (reader, files.write(columns, rows).encode())
        for name, (reader, columns, rows) in PUBLICATIONS.items()
    },
    "hrrp 2019": (read_cms_hrrp, _hrrp_2019().encode()),
    "shmi 2013": (read_nhs_shmi, _shmi_2013().encode()),
    "shmi windows": (read_nhs_shmi, _shmi_windows().encode()),
    "rtt 2016": (read_nhs_rtt, older_waits(test_nhs_england.RTT_ROWS).encode()),
}
HISTORICAL = tuple(name for name in GOOD_FILES if name not in PUBLICATIONS)
