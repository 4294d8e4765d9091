"""The examples of docstrings run, and give what they say."""

from __future__ import annotations

import doctest
import importlib
import inspect

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt

import brightspots as bs
from tests.conftest import ROOT

PACKAGE = ROOT / "brightspots"
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS

# What somebody who reads the reference would try first.
SHOWN = (
    bs.fit_hierarchy,
    bs.HierarchyFit.variance_partition,
    bs.HierarchyFit.departments,
    bs.HierarchyFit.find_spots,
    bs.Spots.learning_pairs,
    bs.funnel_limits,
    bs.plot_funnel,
    bs.simulate_nation,
    bs.load_sample,
    bs.write_board_pack,
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # an example may write a file
    mpl.use("Agg")
    module = importlib.import_module(name)
    tests = [test for test in doctest.DocTestFinder().find(module) if test.examples]
    assert tests
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    report: list[str] = []
    for test in tests:
        runner.run(test, out=report.append)
    plt.close("all")
    assert runner.failures == 0, "".join(report)


@pytest.mark.parametrize("thing", SHOWN, ids=lambda thing: thing.__qualname__)
def test_main_functions_show_an_example(thing):
    assert ">>> " in (inspect.getdoc(thing) or "")
