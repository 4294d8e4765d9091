"""Who may import whom: arrows point one way, and heavy packages stay out of `import brightspots`."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

import brightspots as bs
from tests.conftest import ROOT

PACKAGE = ROOT / "brightspots"
HEAVY = ("pymc", "arviz", "statsmodels", "matplotlib")

# Rooms from the ground up; a module may import from its own room and from those before it.
ROOMS = (
    (
        "errors",
        "arguments",
        "vocabulary",
        "cautions",
        "settings",
        "_version",
        "placing",
        "file_names",
        "exports",
        "parallel",
        "period_order",
        "pickling",
        "sealing",
        "wording",
        "labels",
        "shortening",
    ),
    (
        "cells",
        "column_names",
        "columns",
        "keys",
        "intervals",
        "counts",
        "empty_rows",
        "total_rows",
        "design",
        "tables",
        "estimates",
        "tails",
        "disclosure",
        "data_checks",
    ),
    (
        "readers",
        "parsing",
        "samples",
        "simulate",
        "simulated_draws",
        "overdispersion",
        "predictive",
        "boundaries",
        "funnel_units",
        "funnel_checks",
        "limits",
    ),
    ("likelihood", "posterior", "stacks", "engine"),
    (
        "information",
        "evidence",
        "summaries",
        "left_out",
        "detectable",
        "checks",
        "decisions",
        "persistence",
        "ratings",
        "rating_scales",
        "rating_model",
        "rating_statistics",
        "kept_decision",
    ),
    ("frames", "learning", "display", "draw_tree", "saved_checks", "storage", "tidying"),
    ("figures",),
    ("casemix",),
    ("spots", "fit_limits", "plots", "fits", "outcomes", "sensitivity", "release"),
    ("hierarchy",),
    ("manifest", "report"),
    ("cli",),
)
FLOOR = {module: floor for floor, room in enumerate(ROOMS) for module in room}
MODULES = sorted(
    path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py" or path.parent != PACKAGE
)


def room_of(dotted: str) -> str:
    return dotted.split(".")[1]


def imports_of(path) -> set[str]:
    """Modules of ours that a file imports when it runs (not those it names for the type checker only)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("brightspots"):
            if node.module == "brightspots":
                # A public name counts as an import of the module where it lives.
                found |= {bs._HOME_OF.get(alias.name, f"brightspots.{alias.name}") for alias in node.names}
            else:
                found.add(node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("brightspots.")}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_arrows_point_one_way(path):
    relative = path.relative_to(PACKAGE)
    own = relative.parts[0].removesuffix(".py")
    assert own in FLOOR, f"{relative}: say in ROOMS (and in ARCHITECTURE.md) which room this module is in"
    above = {
        name
        for name in imports_of(path)
        if name != "brightspots.__version__" and FLOOR[room_of(name)] > FLOOR[own]
    }
    if own == "storage":
        above -= {"brightspots.fit.hierarchy_fit"}  # load_fit() gives back what it read
    assert not above, f"{relative} imports from a room above it: {sorted(above)}"


def test_importing_the_library_loads_nothing_heavy():
    code = f"import sys, brightspots; print([name for name in {HEAVY!r} if name in sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert loaded.stdout.strip() == "[]"


def test_a_page_needs_no_plotting_library_and_no_office_package():
    code = (
        "import sys; from brightspots.report import pack, html, compose\n"
        "print([name for name in ('matplotlib', 'docx', 'pptx') if name in sys.modules])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert loaded.stdout.strip() == "[]"


def test_matplotlib_lives_in_the_figures_and_in_the_pictures_of_packs_only():
    for path in MODULES:
        if "figures" in path.parts or path == PACKAGE / "report" / "pictures.py":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        names = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module or "" for node in top if isinstance(node, ast.ImportFrom)}
        assert not {name.split(".")[0] for name in names} & set(HEAVY), path
