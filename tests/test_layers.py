"""Who may import whom: arrows point down, none goes round in a circle, and `import brightspots` loads nothing heavy.

The rooms and their order are read from the table of ARCHITECTURE.md, so that it says what is so.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import brightspots as bs
from tests.conftest import ROOT

PACKAGE = ROOT / "brightspots"
HEAVY = ("pymc", "arviz", "statsmodels", "matplotlib")
# What any room may import from the package itself: its version.
OF_THE_PACKAGE = "brightspots._version"


def dotted(path: Path) -> str:
    """`brightspots.data.cells` of its file; a folder's `__init__` has the folder's name."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {dotted(path): path for path in sorted(PACKAGE.rglob("*.py"))}
INSIDE = {name: path for name, path in MODULES.items() if name not in ("brightspots", OF_THE_PACKAGE)}


def rooms_in_order() -> list[list[str]]:
    """Floors from the ground up, each a list of rooms, as the table of ARCHITECTURE.md has them."""
    rows = re.findall(
        r"^\| (\d+) \| `(\w+)/` \|", (ROOT / "ARCHITECTURE.md").read_text("utf-8"), re.MULTILINE
    )
    floors: dict[int, list[str]] = {}
    for floor, room in rows:
        floors.setdefault(int(floor), []).append(room)
    return [floors[floor] for floor in sorted(floors)]


FLOOR_OF = {room: floor for floor, rooms in enumerate(rooms_in_order()) for room in rooms}


def room_of(module: str) -> str:
    return module.split(".")[1]


@cache
def imports_of(path: Path) -> frozenset[str]:
    """Modules of ours that a file imports anywhere: when it runs, in its functions, and for the type checker."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written out in full"
            source = node.module or ""
            for alias in node.names if source.split(".")[0] == "brightspots" else ():
                inner = f"{source}.{alias.name}"
                # A public name counts as an import of the module where it lives.
                public = bs._HOME_OF.get(alias.name, source) if source == "brightspots" else source
                found.add(inner if inner in MODULES else public)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == "brightspots"}
    return frozenset(found - {OF_THE_PACKAGE})


def test_the_rooms_are_the_folders():
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders == set(FLOOR_OF)
    assert {path.name for path in PACKAGE.glob("*.py")} == {"__init__.py", "_version.py"}


@pytest.mark.parametrize("module", INSIDE)
def test_arrows_between_rooms_point_down(module):
    own = FLOOR_OF[room_of(module)]
    not_below = {
        name
        for name in imports_of(INSIDE[module])
        if room_of(name) != room_of(module) and FLOOR_OF[room_of(name)] >= own
    }
    assert not not_below, f"{module} imports from a room that is not below its own: {sorted(not_below)}"


def test_no_module_imports_itself_by_a_detour():
    graph = {module: imports_of(path) - {module} for module, path in INSIDE.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        pytest.fail(" imports ".join(reversed(circle.args[1])))


def test_imports_that_python_skips_or_puts_off_are_seen(tmp_path):
    file = tmp_path / "module.py"
    file.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from brightspots.fit.spots import Spots\n"
        "def late():\n    import brightspots.data.cells\n    from brightspots import fit_hierarchy\n"
    )
    assert imports_of(file) == {"brightspots.fit.spots", "brightspots.data.cells", "brightspots.fit.fitting"}


def test_a_module_is_read_in_one_sitting():
    long = {name: n for name, path in INSIDE.items() if (n := path.read_text("utf-8").count("\n")) > 400}
    assert long == {}


def test_tests_stand_in_the_folders_of_what_they_test():
    of_no_room = {"calibration", "docs", "fuzz", "golden"}
    folders = {path.name for path in (ROOT / "tests").iterdir() if (path / "__init__.py").exists()}
    assert folders - of_no_room == set(FLOOR_OF)


def _loaded_by(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.strip()


def test_importing_the_library_loads_nothing_heavy():
    code = f"import sys, brightspots; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert _loaded_by(code) == "[]"


def test_a_page_needs_no_plotting_library_and_no_office_package():
    code = (
        "import sys; from brightspots.report import pack, html, compose\n"
        "print([name for name in ('matplotlib', 'docx', 'pptx') if name in sys.modules])"
    )
    assert _loaded_by(code) == "[]"


def test_matplotlib_lives_in_the_figures_and_in_the_pictures_of_packs_only():
    for path in INSIDE.values():
        if "figures" in path.parts or path == PACKAGE / "report" / "pictures.py":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        names = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module or "" for node in top if isinstance(node, ast.ImportFrom)}
        assert not {name.split(".")[0] for name in names} & set(HEAVY), path
