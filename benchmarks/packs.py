"""How long board packs take, and how large they are: one of a nation, and one for each of its trusts from one fit.

python benchmarks/packs.py           # prints
python benchmarks/packs.py --write   # also puts its section into docs/board_pack.md
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent))

from documents import DOCS, number, table, write_section
from machines import describe

import brightspots as bs
from brightspots.report.pack import SUFFIXES, compose, write_document
from brightspots.report.subject import Subject

TRUSTS, DEPARTMENTS, SEED = 150, 142, 1
PACKAGES = ("brightspots", "numpy", "pandas", "matplotlib", "jinja2", "python-docx", "python-pptx")


def main() -> None:
    """Measure, print, and write where that is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="put the section into docs/board_pack.md")
    parser.add_argument(
        "--trusts", type=int, default=TRUSTS, help="packs of single trusts to write in each format"
    )
    arguments = parser.parse_args()

    nation = bs.simulate_nation(TRUSTS, DEPARTMENTS, missing_departments=0.0, seed=SEED).cells
    start = time.process_time()
    fit = bs.fit_hierarchy(nation, seed=SEED)
    spots = fit.find_spots()
    seconds_to_spots = time.process_time() - start
    start = time.process_time()
    subject = Subject.of(fit, spots, "deaths")
    compose(subject)
    compose(subject, trust=fit.table.cells.trusts[0])
    seconds_shared = time.process_time() - start
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for suffix in SUFFIXES:
            whole = Path(folder) / f"nation{suffix}"
            start = time.process_time()
            write_document(compose(subject), whole)
            seconds = time.process_time() - start
            each, sizes = [], []
            for trust in fit.table.cells.trusts[: arguments.trusts]:
                path = Path(folder) / f"trust{suffix}"
                start = time.process_time()
                write_document(compose(subject, trust=trust), path)
                each.append(time.process_time() - start)
                sizes.append(path.stat().st_size / 1e6)
            rows.append(
                (
                    f"`{suffix}`", number(seconds), number(whole.stat().st_size / 1e6), number(statistics.median(each)),
                    number(max(each)), number(sum(each)), number(max(sizes)),
                )
            )  # fmt: skip
            print(rows[-1], flush=True)
    head = (
        "format", "nation, s", "nation, MB", "one trust, s (middle)", "one trust, s (slowest)",
        f"{len(each)} trusts, s", "one trust, MB (largest)",
    )  # fmt: skip
    said = (
        f"A simulated nation of {TRUSTS} trusts × {DEPARTMENTS} types of department: {fit.table.cells.n_cells:,} departments, "
        f"{len(spots.dark) + len(spots.bright):,} of them flagged. To fit and flag it took {number(seconds_to_spots)} s, and what all "
        f"its packs share (surprise, ratings, partners) {number(seconds_shared)} s, each once; then:\n\n"
        f"{table(head, rows)}\n\n"
        "Seconds are processor time of one process, so that a busy machine counts no more than an idle one; the disk is not in them. "
        f"Measured on {describe(PACKAGES)}. Written by `benchmarks/packs.py --write`."
    )
    print(said)
    if arguments.write:
        write_section("packs", said, page=DOCS / "board_pack.md")


if __name__ == "__main__":
    main()
