"""Which loops do the work: by the size of the work, by what is ready, by what the environment asks for."""

from __future__ import annotations

import pytest

from brightspots.common import compiled_code, twins
from brightspots.common.errors import SettingsError
from brightspots.common.twins import Sizes, takes_compiled

SIZES = Sizes(compiled_from=100, wait_from=1_000)
SMALL, MODERATE, LARGE = 99, 100, 1_000


class Code:
    """Stands for `compiled_code`: notes what is asked of it."""

    def __init__(self, state: str) -> None:
        self.says = state
        self.calls: list[str] = []

    def state(self) -> str:
        return self.says

    def make_ready(self) -> None:
        self.calls.append("made ready")
        self.says = "ready"

    def start_in_background(self) -> None:
        self.calls.append("background")
        self.says = "compiling"


@pytest.fixture
def code(monkeypatch):
    monkeypatch.setenv(twins.VARIABLE, "auto")
    monkeypatch.setattr(twins, "_between", [])

    def make(state: str) -> Code:
        made = Code(state)
        monkeypatch.setattr(twins, "compiled_code", made)
        return made

    return make


@pytest.mark.parametrize("state", ["ready", "compiling", "failed", "absent", "nowhere"])
def test_a_small_table_has_plain_loops_and_asks_for_nothing(code, state):
    found = code(state)
    assert not takes_compiled(SMALL, SIZES)
    assert found.calls == []


@pytest.mark.parametrize("state", ["ready", "compiling", "failed", "absent", "nowhere"])
def test_large_work_waits_for_compiled_loops(code, state):
    found = code(state)
    assert takes_compiled(LARGE, SIZES)
    assert found.calls == ["made ready"]


@pytest.mark.parametrize(
    ("state", "compiled", "calls"),
    [
        ("ready", True, ["made ready"]),
        ("absent", False, ["background"]),
        ("compiling", False, []),
        ("nowhere", False, []),
        # Compiled here: it succeeds, or says why it does not.
        ("failed", True, ["made ready"]),
    ],
)
def test_moderate_work_takes_what_is_there(code, state, compiled, calls):
    found = code(state)
    assert takes_compiled(MODERATE, SIZES) is compiled
    assert found.calls == calls


def test_work_of_one_size_has_the_same_loops_for_the_life_of_a_process(code):
    found = code("absent")
    assert not takes_compiled(MODERATE, SIZES)
    found.says = "ready"
    assert not takes_compiled(MODERATE, SIZES)
    assert takes_compiled(LARGE, SIZES)
    assert not takes_compiled(MODERATE, SIZES)
    assert found.calls == ["background", "made ready"]


@pytest.mark.parametrize(
    ("asked", "compiled"),
    [("plain", (False, False, False)), ("compiled", (False, True, True)), ("", (False, False, True))],
)
def test_the_environment_has_the_last_word(code, monkeypatch, asked, compiled):
    code("absent")
    monkeypatch.setenv(twins.VARIABLE, asked)
    assert tuple(takes_compiled(size, SIZES) for size in (SMALL, MODERATE, LARGE)) == compiled


def test_another_value_is_one_error_whatever_the_size(code, monkeypatch):
    code("ready")
    monkeypatch.setenv(twins.VARIABLE, "Compiled")
    with pytest.raises(
        SettingsError, match=r"BRIGHTSPOTS_LOOPS is 'Compiled'; expected one of 'auto', 'compiled', 'plain'"
    ):
        takes_compiled(SMALL, SIZES)


def test_the_stand_in_has_what_the_module_has():
    assert all(hasattr(compiled_code, name) for name in vars(Code) if not name.startswith("__"))
