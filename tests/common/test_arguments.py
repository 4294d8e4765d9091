"""Arguments of public functions are what their annotations say, or one error names, expects and quotes."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import brightspots as bs
from brightspots import Priors, SettingsError, SpotRule
from brightspots.common.arguments import as_annotated, checked, is_label, shown
from tests.conftest import simulate_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@pytest.fixture(scope="module")
def fit():
    return bs.fit_hierarchy(simulate_frame(6, 3), seed=1, draws=200)


@pytest.mark.parametrize(
    ("value", "hint", "plain"),
    [
        (np.float64(0.5), float, 0.5),
        (np.float32(1.5), float, 1.5),
        (2, float, 2),
        (np.int64(3), int, 3),
        (np.int8(3), float, 3),
        (np.True_, bool, True),
        (np.str_("a"), str, "a"),
        (None, int | None, None),
        ("shmi", Literal["shmi", "cqc"], "shmi"),
        ([np.int64(1), 2], Sequence[int], (1, 2)),
        ((0.9, 0.99), Iterable[float], (0.9, 0.99)),
        (np.array(["a", "b"]), Sequence[str], ("a", "b")),
        ((each for each in "ab"), Sequence[str], ("a", "b")),
        (Path("x"), str | os.PathLike[str], Path("x")),
        ({"a": 1}, Mapping[str, int], {"a": 1}),
        (object, Any, object),
    ],
)
def test_what_fits_is_taken_and_numpy_stands_for_python(value, hint, plain):
    taken = as_annotated("x", value, hint)
    assert (tuple(taken) if isinstance(taken, np.ndarray) else taken) == plain
    assert not isinstance(taken, np.number)


@pytest.mark.parametrize(
    ("value", "hint", "said"),
    [
        (True, float, "x must be a finite number; received True"),
        (float("nan"), float, "x must be a finite number; received nan"),
        (10**400, float, "x must be a finite number"),
        (2**70, int, "x is too large a number; received 1180591620717411303424"),
        (1.5, int | None, "x must be a whole number or None; received 1.5"),
        (b"x", str, "x must be text; received b'x'"),
        ("x", Literal["a", "b"], "x must be 'a' or 'b'; received 'x'"),
        ([], Literal["a", "b", "c"], r"x must be one of a, b, c; received \[\]"),
        ("Good", Sequence[Any], r"x must be a sequence of labels; received 'Good', perhaps \['Good'\]"),
        ({"a": 1}, Sequence[float], "x must be a sequence of finite numbers; received"),
        (np.array(1.0), Sequence[float], "x must be a sequence of finite numbers"),
        ((1, 2, 3), tuple[int, int], "x must be a sequence of 2 whole numbers"),
        (3, str | os.PathLike[str], "x must be a path; received 3"),
        (pd.DataFrame(), str | None, "x must be text or None; received a value of type DataFrame"),
        ("x" * 10_000, bool, "x must be True or False; received 'xxx"),
    ],
)
def test_what_does_not_fit_is_named_expected_and_quoted(value, hint, said):
    with pytest.raises(SettingsError, match=said) as caught:
        as_annotated("x", value, hint)
    assert len(str(caught.value)) < 300


def test_names_that_only_type_checkers_import_are_checked_by_name():
    @checked
    def draw(ax: Axes | None = None) -> str:
        return "drawn"

    assert draw() == "drawn"
    with pytest.raises(SettingsError, match="ax must be a matplotlib Axes or None; received 3"):
        draw(3)


def test_signature_name_and_words_are_those_of_the_function():
    assert list(inspect.signature(bs.load_sample).parameters) == ["name"]
    assert bs.load_sample.__name__ == "load_sample"
    assert bs.HierarchyFit.departments.__doc__.startswith("Describe every department")


@pytest.mark.parametrize(
    "value", [[1], {}, {1}, np.array([1, 2]), pd.Series([1]), float("nan"), pd.NaT, pd.NA]
)
def test_a_label_is_one_value_that_is_there(value):
    assert not is_label(value)
    assert all(map(is_label, ["T1", 3, pd.Timestamp("2024-01-01")]))


def test_what_cannot_be_quoted_is_described():
    class Rude:
        def __repr__(self) -> str:
            raise RuntimeError

    assert shown(Rude()) == "a value of type Rude"
    assert shown(object()) == "a value of type object"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda fit: fit.find_spots(margin=1.2), r"belongs to SpotRule: pass rule=SpotRule\(margin=1.2\)"),
        (lambda fit: fit.sensitivity(fdr=0.1), r"pass rule=SpotRule\(fdr=0.1\)"),
        (lambda fit: bs.fit_hierarchy([], margin=1.2), r"pass fit.find_spots\(SpotRule\(margin=1.2\)\)"),
        (lambda fit: bs.fit_hierarchy([], effects="normal"), r"pass priors=Priors\(effects='normal'\)"),
        (lambda fit: bs.suppress([], threshold=5), r"suppress\(\) has no option threshold: pass below=5"),
        (lambda fit: bs.write_board_pack(fit, fit, "x", below=5), "pass suppress_below=5"),
    ],
)
def test_an_option_of_another_object_is_sent_there(fit, call, said):
    with pytest.raises(SettingsError, match=said):
        call(fit)


def test_a_name_that_nobody_knows_is_pythons_own_error(fit):
    with pytest.raises(TypeError, match=r"departments\(\) got an unexpected keyword argument 'colour'"):
        fit.departments(colour="red")
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        bs.load_sample()


def test_several_fits_where_one_is_wanted(fit):
    fits = bs.OutcomeFits({"mortality": fit, "stay": fit})
    with pytest.raises(
        SettingsError, match=r"holds 2 \('mortality', 'stay'\): pass one, such as fits\['mortality'\]"
    ):
        bs.write_board_pack(fits, fits.find_spots(), "board.html")
    with pytest.raises(SettingsError, match=r"pass one, such as spots\['mortality'\]"):
        bs.write_board_pack(fit, fits.find_spots(), "board.html")


@pytest.mark.parametrize("of", [pl.from_pandas, pa.Table.from_pandas])
def test_ratings_may_be_a_table_of_any_library(fit, of):
    ratings = simulate_frame(6, 3)[["trust", "rating"]].drop_duplicates()
    expected = fit.find_spots(rating=ratings).table
    pd.testing.assert_frame_equal(fit.find_spots(rating=of(ratings)).table, expected)


def test_numpy_numbers_in_rules_and_priors_are_those_of_python():
    assert SpotRule(margin=np.float64(1.2), fdr=np.float64(0.1)) == SpotRule(margin=1.2, fdr=0.1)
    assert type(SpotRule(margin=np.float64(1.2)).margin) is float
    assert Priors(trust=np.int64(1)) == Priors(trust=1)


@pytest.mark.parametrize(
    "name", ['a"b', "a'b", "a`b", "a;drop table x", "count(*)", "C(a)", "1+1", "select", "a.b"]
)
def test_a_case_mix_column_may_be_called_anything(name):
    records = _records().rename(columns={"age": name})
    expected = bs.standardise(_records(), outcome="died", casemix=["age"]).table
    for held in (records, pl.from_pandas(records), pl.from_pandas(records).lazy()):
        table = bs.standardise(held, outcome="died", casemix=[name]).table
        assert table["expected"].to_numpy() == pytest.approx(expected["expected"].to_numpy())


@pytest.mark.parametrize("name", ["*", "^a$"])
def test_a_name_that_an_engine_reads_as_a_pattern_is_refused_there(name):
    records = _records().rename(columns={"age": name})
    assert len(bs.standardise(records, outcome="died", casemix=[name]).table) == 4
    with pytest.raises(bs.DataError, match=r"stands for several columns.*rename the column"):
        bs.standardise(pl.from_pandas(records), outcome="died", casemix=[name])


@pytest.mark.parametrize("odd", [1, b"x", [1], 2.5])
def test_values_of_another_kind_deep_in_a_case_mix_column_are_pointed_out(odd):
    records = _records()
    records["age"] = records["age"].astype(object)
    records.at[150, "age"] = odd
    with pytest.raises(bs.DataError, match="column 'age': text and other values are mixed; row 150"):
        bs.standardise(records, outcome="died", casemix=["age"])


@pytest.mark.parametrize(
    "formula",
    ["[red]x[/]", "a=1", "1 +* 2", "a | b", "log(trust)", "nosuch(expected)", "x" * 5_000, "(" * 500],
)
def test_a_formula_that_cannot_be_read_is_one_error(formula):
    with pytest.raises(bs.BrightspotsError) as caught:
        bs.fit_hierarchy(simulate_frame(6, 3).assign(a=1.0, b=2.0), covariates=formula, seed=1)
    assert len(str(caught.value)) < 12_000


def _records() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "trust": ["A", "B"] * 100,
            "department": ["x", "y", "y", "x"] * 50,
            "died": [0, 1, 1, 0, 0] * 40,
            "age": ["old", "young", "old"] * 66 + ["old"] * 2,
        }
    )
