"""Word and PowerPoint files in another program: LibreOffice opens them and turns them into the pages one expects."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from brightspots.report import office
from brightspots.report.document import Cell, Column, Table
from brightspots.report.pack import write_board_pack
from tests.conftest import simulate_frame
from tests.report.conftest import make_fit


@pytest.fixture(scope="module")
def converted(tmp_path_factory) -> dict[str, str]:
    """Text of the pages, by format."""
    for program, package in (
        ("soffice", "libreoffice-writer libreoffice-impress"),
        ("pdftotext", "poppler-utils"),
    ):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (Debian: apt-get install {package})")
    folder = tmp_path_factory.mktemp("office")
    fit = make_fit(simulate_frame(12, 6))
    packs = [
        write_board_pack(fit, fit.find_spots(), folder / f"{kind}.{kind}", trust="T003")
        for kind in ("docx", "pptx")
    ]
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    subprocess.run(
        ["soffice", "--headless", profile, "--convert-to", "pdf", "--outdir", folder, *packs],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    return {path.stem: pages(path) for path in folder.glob("*.pdf")}


def pages(path: Path) -> str:
    done = subprocess.run(["pdftotext", path, "-"], check=True, capture_output=True, text=True)
    return " ".join(done.stdout.split())


def test_a_paper_becomes_pages_with_its_headings_and_captions(converted):
    text = converted["docx"]
    for heading in ("In brief", "Dark spots and bright spots", "Every department", "Whom to learn from"):
        assert heading in text
    assert text.index("Table 1. ") < text.index("Figure 1. ") < text.index("Table 2. ")
    assert "page 2 of" in text


def test_slides_become_pages_with_their_messages_and_tables(converted):
    text = converted["pptx"]
    assert "A flag is a reason to look, not a finding about the quality of care." in text
    assert "For " in text
    assert "the data cannot tell" in text
    for department in range(6):
        assert f"D{department:02d}" in text


def test_columns_hold_their_longest_word_and_share_what_is_left():
    columns = (Column("Trust"), Column("Status"), Column("Excess deaths", numeric=True))
    long = "The very long name of a trust in the north of somewhere"
    rows = ((Cell(long), Cell("dark spot", kind="dark"), Cell("+1,234")),) * 3
    table = Table("t", "T", columns, rows)
    for width in (3.0, 6.0, 12.0):
        shares = office.column_shares(table, range(3), range(3), width, 9.0)
        assert sum(shares) == pytest.approx(1.0)
        assert shares[0] == max(shares)
        needs = [office.measure(word) * 9.0 / 72.0 for word in ("somewhere", "Status", "+1,234")]
        assert all(share * width > need for share, need in zip(shares, needs, strict=True))


def test_an_empty_table_has_columns_all_the_same():
    table = Table("t", "T", (Column("Trust"), Column("Status")), ())
    assert sum(office.column_shares(table, (), range(2), 6.0, 9.0)) == pytest.approx(1.0)
