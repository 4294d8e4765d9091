"""Readers of published files, one module for each publisher or publication."""

from __future__ import annotations

from brightspots.readers.cms import read_cms_hrrp, read_cms_ratings
from brightspots.readers.cqc import read_cqc_ratings
from brightspots.readers.new_york import read_ny_cardiac, read_ny_iqi
from brightspots.readers.nhs_rtt import read_nhs_rtt
from brightspots.readers.nhs_shmi import read_nhs_shmi

__all__ = [
    "read_cms_hrrp",
    "read_cms_ratings",
    "read_cqc_ratings",
    "read_nhs_rtt",
    "read_nhs_shmi",
    "read_ny_cardiac",
    "read_ny_iqi",
]
