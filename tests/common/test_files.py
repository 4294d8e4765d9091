"""Files: whole or not at all, and harmless."""

from __future__ import annotations

import inspect
import json
import math
from typing import get_args

import numpy as np
import pandas as pd
import pytest

from brightspots import MissingExtraError, SettingsError
from brightspots.cli.fitting import fit
from brightspots.common.files import (
    PROGRAM_SUFFIXES,
    TABLE_FORMATS,
    TableFormat,
    atomic_path,
    check_table_path,
    neutralise,
    refuse_to_overwrite,
    to_json,
    write_json,
    write_table,
    write_text,
)


def test_a_failing_writer_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def fail() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_files_have_the_rights_that_others_would_get(tmp_path):
    write_text(tmp_path / "ours.txt", "")
    (tmp_path / "usual.txt").write_text("")
    assert (tmp_path / "ours.txt").stat().st_mode == (tmp_path / "usual.txt").stat().st_mode


def test_overwriting_is_refused_by_name(tmp_path):
    write_text(tmp_path / "a.txt", "")
    with pytest.raises(SettingsError, match=r"a\.txt would be overwritten"):
        refuse_to_overwrite([tmp_path / "a.txt", tmp_path / "b.txt"], force=False)
    refuse_to_overwrite([tmp_path / "a.txt"], force=True)


@pytest.mark.parametrize("text", ["=1+1", "+44", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"])
def test_formulas_are_neutralised(text):
    assert neutralise(text) == f"'{text}"


def test_numbers_are_not_text(tmp_path):
    frame = pd.DataFrame({"trust": ["=A", "B"], "=x": [-1.5, math.nan], "n": [-1, 2], "rating": [None, "-"]})
    write_table(frame, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == "trust,'=x,n,rating\n'=A,-1.5,-1,\nB,,2,'-\n"


def test_categories_are_text_too(tmp_path):
    write_table(pd.DataFrame({"rating": pd.Categorical(["=Good", None])}), tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == 'rating\n\'=Good\n""\n'


def test_numbers_keep_their_precision(tmp_path):
    value = 1 / 3 + 1e-16
    write_table(pd.DataFrame({"x": [value]}), tmp_path / "a.csv")
    assert pd.read_csv(tmp_path / "a.csv")["x"][0] == value


def test_parquet_keeps_text_as_it_is(tmp_path):
    frame = pd.DataFrame({"trust": ["=A"]})
    frame.attrs["note"] = object()
    write_table(frame, tmp_path / "a.parquet")
    assert pd.read_parquet(tmp_path / "a.parquet")["trust"][0] == "=A"


def test_json_has_no_numbers_that_parsers_refuse():
    content = {"a": math.inf, "b": [np.float64("nan"), np.int64(3)], "c": (True, None)}
    assert json.loads(to_json(content)) == {"a": None, "b": [None, 3], "c": [True, None]}


@pytest.mark.parametrize(
    "text", ["=1+1", "+44", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", '=cmd|" /C calc"!A0']
)
def test_a_workbook_holds_no_formula(tmp_path, text):
    openpyxl = pytest.importorskip("openpyxl")
    write_table(pd.DataFrame({text: [text, "B"], "n": [-1.5, math.nan]}), tmp_path / "a.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx").active
    cells = [cell for row in sheet.iter_rows() for cell in row]
    assert "f" not in {cell.data_type for cell in cells}
    # XML turns a carriage return into a line feed.
    assert sheet["A2"].value.replace("\r", "\n") == f"'{text}".replace("\r", "\n")
    assert sheet["A1"].value.startswith("'")
    assert (sheet["B2"].value, sheet["B3"].value) == (-1.5, None)


def test_a_workbook_takes_text_with_control_characters(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    write_table(pd.DataFrame({"trust": ["A\x00B\x1f"]}), tmp_path / "a.xlsx")
    assert openpyxl.load_workbook(tmp_path / "a.xlsx").active["A2"].value == "A\ufffdB\ufffd"


def test_text_longer_than_a_cell_is_cut_where_one_can_see_it(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    write_table(pd.DataFrame({"trust": ["x" * 32_767, "x" * 32_768]}), tmp_path / "a.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx").active
    assert [sheet["A2"].value, sheet["A3"].value] == ["x" * 32_767, "x" * 32_766 + "…"]


@pytest.mark.parametrize("suffix", ["csv", "parquet", "xlsx"])
def test_halves_of_characters_are_replaced_where_a_format_cannot_hold_them(tmp_path, suffix):
    text = pd.Series(["A\ud800B", "B", None], dtype=object)
    path = tmp_path / f"a.{suffix}"
    write_table(pd.DataFrame({"trust": text, "n": [1, 2, 3]}), path)
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet, "xlsx": pd.read_excel}[suffix](path)
    assert list(read["trust"])[:2] == ["A\ufffdB", "B"]


def test_halves_of_characters_are_escaped_in_json(tmp_path):
    write_json(tmp_path / "a.json", {"A\ud800": ["\udfff", "𝒜"]})
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == {"A\ud800": ["\udfff", "𝒜"]}


def test_without_openpyxl_a_workbook_says_what_to_install(tmp_path, monkeypatch):
    def absent(*arguments, **options):
        raise ImportError

    monkeypatch.setattr(pd.DataFrame, "to_excel", absent)
    with pytest.raises(MissingExtraError, match=r"brightspots\[excel\]"):
        write_table(pd.DataFrame({"a": [1]}), tmp_path / "a.xlsx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.tsv", "a.json", "a.csv.gz", "a", "a.", ".csv"])
def test_a_table_of_an_unknown_suffix_is_refused_and_nothing_is_written(tmp_path, name):
    with pytest.raises(
        SettingsError, match=r"written as \.csv, \.xlsx or \.parquet; received .*give the file a name"
    ):
        write_table(pd.DataFrame({"a": [1]}), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_suffixes_in_capitals_are_the_same_formats(tmp_path):
    frame = pd.DataFrame({"a": [1]})
    write_table(frame, tmp_path / "a.CSV")
    write_table(frame, tmp_path / "a.Parquet")
    assert (tmp_path / "a.CSV").read_text() == "a\n1\n"
    assert pd.read_parquet(tmp_path / "a.Parquet").equals(frame)


def test_a_workbook_is_not_for_programs_and_the_refusal_says_what_is():
    with pytest.raises(SettingsError, match=r"written as \.csv or \.parquet; received 'a\.xlsx'"):
        check_table_path("a.xlsx", PROGRAM_SUFFIXES)


def test_a_new_format_is_one_entry(tmp_path, monkeypatch):
    def lines(frame: pd.DataFrame, held) -> None:
        held.write(frame.to_json(orient="records", lines=True).encode())

    monkeypatch.setitem(TABLE_FORMATS, ".jsonl", TableFormat(lines))
    write_table(pd.DataFrame({"a": [1, 2]}), tmp_path / "a.jsonl")
    assert (tmp_path / "a.jsonl").read_text() == '{"a":1}\n{"a":2}\n'


def test_the_command_that_fits_offers_every_format():
    choices = get_args(inspect.signature(fit, eval_str=True).parameters["format_"].annotation)[0]
    assert {f".{choice}" for choice in get_args(choices)} == set(TABLE_FORMATS)
