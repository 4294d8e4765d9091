"""What the readers give goes straight into the library."""

from __future__ import annotations

import io

import pytest

from brightspots.readers import read_cms_hrrp, read_nhs_rtt, read_ny_cardiac, read_ny_iqi
from tests.conftest import table_of
from tests.readers import files, test_cms, test_new_york, test_nhs_england

TWO_HOSPITALS = [*test_new_york.CARDIAC_ROWS, files.cardiac("0002", "CABG", "2019", 100, 2)]


@pytest.mark.parametrize(
    ("reader", "columns", "rows", "family", "cells"),
    [
        (read_ny_iqi, files.IQI_COLUMNS, test_new_york.IQI_ROWS, "poisson", 3),
        (read_ny_cardiac, files.CARDIAC_COLUMNS, TWO_HOSPITALS, "poisson", 5),
        (read_cms_hrrp, files.HRRP_COLUMNS, test_cms.COUNTED, "poisson", 3),
        (read_nhs_rtt, files.RTT_COLUMNS, test_nhs_england.RTT_ROWS, "binomial", 3),
    ],
)
def test_a_published_file_becomes_cells(reader, columns, rows, family, cells):
    table = table_of(reader(io.StringIO(files.write(columns, rows))), period=False)
    assert table.cells.family.name == family
    assert table.cells.n_cells == cells
    assert "trust_name" in table.extras


def test_withheld_counts_become_censored_cells():
    rows = [*test_cms.COUNTED, files.hrrp("450001", "AMI", 60, "Too Few to Report")]
    cells = table_of(read_cms_hrrp(io.StringIO(files.write(files.HRRP_COLUMNS, rows)))).cells
    assert cells.censored.sum() == 1
    assert cells.lower[cells.censored].tolist() == [0]
    assert cells.upper[cells.censored].tolist() == [10]
