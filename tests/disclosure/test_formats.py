"""Whatever is written depends on nothing that is withheld: two worlds with one published table give the same files.

This is the strongest attack there is on a file: who reads all of it, tooltips, sort keys, coordinates and metadata
included, learns what would stand there in every world, and so nothing of the one he is in.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import brightspots as bs
from brightspots.common.files import write_table
from tests.cli.test_commands import run
from tests.conftest import simulate_frame

OPTIONS = ("--suppress-below", 8, "--round-to", 5)
RULES = {"below": 8, "round_to": 5}


def world(family: str) -> pd.DataFrame:
    """An exact table, with ratings and names, and a column that holds its counts as well."""
    if family == "periods":
        years = [
            simulate_frame(12, 5, mean_expected=60.0, seed=4 + y).assign(period=2020 + y) for y in range(2)
        ]
        frame = pd.concat(years, ignore_index=True).drop(columns="rating")
    else:
        frame = simulate_frame(20, 6, mean_expected=40.0, seed=4)
    frame["trust_name"] = "Hospital " + frame["trust"]
    if family == "proportions":
        rng = np.random.default_rng(9)
        n = rng.poisson(rng.choice([5.0, 60.0, 200.0], len(frame), p=[0.02, 0.2, 0.78])) + 1
        eta = np.repeat(rng.normal(-0.4, 0.2, 20), 6) + rng.normal(0.0, 0.3, len(frame))
        few = rng.random(len(frame)) < 0.04
        frame = frame.drop(columns="expected").assign(denominator=n)
        frame["observed"] = np.where(few, np.minimum(n, 3), rng.binomial(n, 1.0 / (1.0 + np.exp(-eta))))
    return frame.assign(copy=frame["observed"])


def published(frame: pd.DataFrame) -> pd.DataFrame:
    return bs.suppress(frame.drop(columns="copy"), **RULES)


def other_world(frame: pd.DataFrame) -> pd.DataFrame:
    """Another exact table of which the same is published: withheld and rounded counts moved, as far as they can be."""
    rng = np.random.default_rng(1)
    shown, now = published(frame), frame.copy()
    columns = [name for name in ("observed", "denominator") if name in frame]
    withheld = np.flatnonzero(shown["withheld"] != "")
    for row in (*np.repeat(withheld, 5), *rng.integers(0, len(frame), 250)):
        tried = now.copy()
        tried.loc[row, columns] += rng.integers(-3, 4, len(columns))
        # A count that is shown is shown rounded: nothing need be published to see that another multiple would be.
        nearest = [
            np.round(each.loc[row, columns].to_numpy(float) / RULES["round_to"]) for each in (tried, now)
        ]
        if row not in withheld and not np.array_equal(*nearest):
            continue
        if (tried["observed"] < 0).any() or (tried["observed"] > tried.get("denominator", np.inf)).any():
            continue
        if published(tried).equals(shown):
            now = tried
    different = (now["observed"] != frame["observed"]).to_numpy()
    assert different[withheld].mean() > 0.3
    assert different.mean() > 0.2
    return now.assign(copy=now["observed"])


def two_worlds(family: str, tmp_path: Path, monkeypatch) -> list[Path]:
    """Folders of two worlds, in each what ``brightspots fit`` wrote of its cells.csv."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    one = world(family)
    paths = []
    for name, frame in (("one", one), ("two", other_world(one))):
        paths.append(tmp_path / name)
        paths[-1].mkdir()
        frame.to_csv(paths[-1] / "cells.csv", index=False)
        monkeypatch.chdir(paths[-1])  # the names of the files are the same then
        result = run("fit", "cells.csv", "-o", "out", "--format", "xlsx", *OPTIONS)
        assert result.exit_code == 0, result.output
    return paths


def without_seconds(content: bytes) -> bytes:
    """What a fit took differs between any two runs, and with it the digest and size of a fit.nc that was read."""
    content = re.sub(rb"\d+\.\d+ s\b", b"", content)
    content = re.sub(rb"sha256[^0-9a-f]+[0-9a-f]{64}|SHA-256 [0-9a-f]{64}", b"", content)
    return re.sub(rb'"(seconds|bytes)[^:]{1,6}: [\d.e-]+', b"", content)


def contents(path: Path) -> dict[str, bytes]:
    """All that a file holds; of an archive each of its members."""
    raw = path.read_bytes()
    if not raw.startswith(b"PK"):
        return {"": without_seconds(raw)}
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    if path.suffix == ".xlsx":  # its writer puts the time of writing into it
        members["docProps/core.xml"] = re.sub(rb"\d{4}-\d\d-\d\dT[\d:]+Z", b"", members["docProps/core.xml"])
    return {name: without_seconds(content) for name, content in members.items()}


def assert_same(one: Path, other: Path) -> None:
    first, second = contents(one), contents(other)
    assert first.keys() == second.keys()
    for name in first:
        assert first[name] == second[name], (one.name, name)


def arrays(path: Path) -> dict[str, list]:
    fit = bs.load_fit(path)
    shared = fit.effects.shared
    held = {**vars(fit.table.cells), **vars(shared), **shared.sd}
    found = {name: value.tolist() for name, value in held.items() if isinstance(value, np.ndarray)}
    return found | {"extras": fit.table.extras.to_dict("list"), "rows": fit.table.row_cell.tolist()}


MADE = {
    "counts": [("funnel", "out/fit.nc", "-o", "funnel.svg")],
    "periods": [("report", "out/fit.nc", "-o", "pack.html")],
    "proportions": [
        ("report", "out/fit.nc", "-o", "pack.html"),
        ("report", "out/fit.nc", "-o", "pack.docx", "--trust", "T002"),
        ("report", "out/fit.nc", "-o", "pack.pptx"),
        ("funnel", "out/fit.nc", "-o", "funnel.png", "--trust", "T002"),
        ("funnel", "out/fit.nc", "-o", "funnel.pdf"),
    ],
}


@pytest.mark.parametrize("family", MADE)
def test_files_are_the_same_in_both_worlds(family, tmp_path, monkeypatch):
    worlds = two_worlds(family, tmp_path, monkeypatch)
    one, other = (path / "out" for path in worlds)
    for name in ("departments.xlsx", "spots.xlsx", "partition.csv", "trusts.csv", "fit.json"):
        assert_same(one / name, other / name)
    assert arrays(one / "fit.nc") == arrays(other / "fit.nc")
    assert json.loads((one / "fit.json").read_text())["manifest"]["input"] is None
    assert "copy" not in bs.load_fit(one / "fit.nc").table.extras
    for command in MADE[family]:
        for path in worlds:
            monkeypatch.chdir(path)
            result = run(*command)
            assert result.exit_code == 0, result.output
        assert_same(*(path / command[3] for path in worlds))


def test_notes_and_other_attributes_of_a_frame_never_go_into_the_metadata_of_a_file(tmp_path):
    frame = published(world("counts"))
    frame.attrs["secret"] = "seventeen"
    for name in ("table.csv", "table.parquet", "table.xlsx"):
        write_table(frame, tmp_path / name)
        assert b"seventeen" not in b"".join(contents(tmp_path / name).values())


def test_a_suppressed_fit_says_how_and_is_not_suppressed_otherwise(tmp_path):
    fit = bs.fit_hierarchy(world("counts"), seed=1, draws=700).suppressed(**RULES)
    assert fit.request.draws == fit.effects.shared.n_draws == 700
    fit.save(tmp_path / "safe.nc")
    back = bs.load_fit(tmp_path / "safe.nc")
    assert back.rules == fit.rules
    assert back.rules.options == "below=8, round_to=5"
    assert back.suppressed(**RULES) is back
    with pytest.raises(bs.SettingsError, match="suppressed already, with below=8, round_to=5"):
        back.suppressed(below=11)
    result = run("report", tmp_path / "safe.nc", "-o", tmp_path / "again.html", "--suppress-below", 11)
    assert result.exit_code == 2
    assert "suppressed already" in result.stderr


def test_the_number_of_draws_is_not_what_the_exact_fit_took():
    """As many as give 1,000 effective ones: how many that were is a matter of the exact counts."""
    frame = world("counts")
    fit = bs.fit_hierarchy(frame, seed=1)
    assert fit.request.draws is None
    direct = bs.fit_hierarchy(published(frame), seed=1)
    assert fit.suppressed(**RULES).effects.shared.n_draws == direct.effects.shared.n_draws


def test_a_funnel_of_proportions_takes_what_may_be_shown(tmp_path):
    """Bounds without an upper end are bounded by the patients."""
    rng = np.random.default_rng(5)
    n = rng.integers(4, 400, 40)
    chance = np.where(rng.random(40) < 0.2, 0.97, 0.3)
    table = pd.DataFrame(
        {"trust": [f"T{i:02d}" for i in range(40)], "observed": rng.binomial(n, chance), "denominator": n}
    )
    table.to_csv(tmp_path / "trusts.csv", index=False)
    limits = tmp_path / "limits.csv"
    result = run(
        "funnel", tmp_path / "trusts.csv", "-o", tmp_path / "f.png", "--denominator", "denominator", "--method",
        "proportion", "--table", limits, *OPTIONS,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    written = pd.read_csv(limits).set_index("trust")
    shown = bs.suppress(table, **RULES).set_index("trust")
    assert not shown["denominator"].isna().any() or len(written) < len(shown)
    bars = written["ratio"].isna()
    assert 0 < bars.sum() < len(written)
    people = shown.loc[written.index, "denominator"]
    np.testing.assert_allclose(
        (written["ratio"] * people)[~bars], shown.loc[written.index, "observed"][~bars]
    )
    assert (written["ratio_upper"][bars] <= 1.0).all()
    exact = table.set_index("trust").loc[written.index]
    inside = exact["observed"] <= written["ratio_upper"] * people + 3
    assert inside[bars].all()


@pytest.mark.parametrize("family", MADE)
def test_a_table_and_the_fit_of_it_withhold_the_same_in_whatever_order_they_come(family):
    """Otherwise the two of them together are two releases."""
    frame = world(family).drop(columns="copy")
    keys = [name for name in ("trust", "department", "period") if name in frame]
    shuffled = frame.sample(frac=1.0, random_state=3, ignore_index=True)
    shown = published(frame.assign(copy=0))
    again = published(shuffled.assign(copy=0))
    pd.testing.assert_frame_equal(
        again.sort_values(keys, ignore_index=True), shown.sort_values(keys, ignore_index=True)
    )
    cells = bs.fit_hierarchy(shuffled, seed=1, draws=400).suppressed(**RULES).table.cells
    leaves = pd.DataFrame(
        {"lower": cells.lower, "upper": cells.upper, "trust": cells.trusts[cells.leaf_trust]}
    )
    leaves["department"] = cells.departments[cells.cell_department[cells.leaf_cell]]
    if cells.periods is not None:
        leaves["period"] = cells.periods[cells.leaf_period]
    both = leaves.merge(shown, on=keys)
    assert len(both) == len(leaves)
    lower = both["observed_lower"].fillna(both["observed"])
    upper = np.minimum(both["observed_upper"].fillna(both["observed"]), both.get("denominator", np.inf))
    np.testing.assert_array_equal(both["lower"], lower)
    np.testing.assert_array_equal(both["upper"], upper)
    if "denominator" in shown:
        assert len(shown) - len(leaves) == shown["denominator"].isna().sum()
