"""Inside the report arrows point one way: from facts to words, from words to sections, from sections to files."""

from __future__ import annotations

import ast

import pytest

from tests.conftest import ROOT

REPORT = ROOT / "brightspots" / "report"
# From the ground up: a module may import from floors below its own.
FLOORS = (
    ("manifest", "words"),
    ("measure",),
    ("document",),
    ("department_facts",),
    ("rating_facts",),
    ("facts", "subject"),
    ("funnels", "gather_rating"),
    ("gather",),
    ("sentences",),
    ("cautions", "rating_sentences", "trust_sentences"),
    ("paragraphs", "tables"),
    ("sections",),
    ("compose",),
    ("office", "svg", "word_style"),
    ("pictures",),
    ("storyboard",),
    ("html", "slides", "word"),
    ("pack",),
    ("__init__",),
)
FLOOR = {module: floor for floor, modules in enumerate(FLOORS) for module in modules}
# Words are chosen by facts alone: none of these sees a fit, or what is made of one.
OF_FACTS_ALONE = (
    *(
        "sentences",
        "rating_sentences",
        "trust_sentences",
        "cautions",
        "paragraphs",
        "tables",
        "sections",
        "compose",
    ),
)
WRITERS = ("html", "slides", "word", "storyboard", "svg", "pictures", "office", "word_style")


def imported(module: str) -> set[str]:
    """Modules of ours that a module of the report imports, wherever in it."""
    tree = ast.parse((REPORT / f"{module}.py").read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("brightspots"):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names if node.module == "brightspots.report" else {node.module}
    return found


def of_the_report(module: str) -> set[str]:
    return {name.split(".")[2] for name in imported(module) if name.startswith("brightspots.report.")}


def test_every_module_has_a_floor():
    assert {path.stem for path in REPORT.glob("*.py")} == set(FLOOR)


@pytest.mark.parametrize("module", sorted(FLOOR))
def test_arrows_point_down(module):
    above = {other for other in of_the_report(module) if FLOOR[other] >= FLOOR[module]}
    assert not above


@pytest.mark.parametrize("module", OF_FACTS_ALONE)
def test_words_are_chosen_by_facts_alone(module):
    assert not of_the_report(module) & {"subject", "gather", "gather_rating", "funnels"}
    assert not {
        name for name in imported(module) if name.split(".")[1] in ("fit", "engine", "statistics", "data")
    }


@pytest.mark.parametrize("module", WRITERS)
def test_writers_see_a_document_and_no_facts(module):
    allowed = {*WRITERS, "document", "manifest", "words", "cautions"}
    assert of_the_report(module) <= allowed
