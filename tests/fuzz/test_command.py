"""Whatever is typed after a command, it ends with a status that is documented and with words, not with a traceback."""

from __future__ import annotations

import random

import pytest
from typer.testing import CliRunner

from brightspots.cli import app, counting, drawing, fitting, reporting
from brightspots.cli.terminal import options_of
from brightspots.common.errors import BrightspotsError
from tests.cli.test_wording import speaks_python
from tests.conftest import simulate_frame
from tests.fuzz.subjects import patients
from tests.fuzz.trials import SEED, SIZE, LostError, Tally

VALUES = (
    "", " ", "x", "-1", "0", "1", "1.5", "nan", "inf", "1e308", "2" * 40, "trust", "observed",
    "expected", "rating", "Good", "a,b", "Good,Poor", "=", "a=1,2", "age=levels", "*", "a'b",
    'a"b', "ŵ", "病", "x" * 5_000, "../x", "/", ".", "worse", "better", "peers", "auto", "nuts",
    "poisson", "binomial", "html", "1;2", "--force", "-", "\\", "%s", "{x}", "[red]x[/]",
)  # fmt: skip
COMMANDS = {
    "fit": (fitting.fit, ["cells.csv", "-o", "out", "--draws", "100"]),
    "report": (reporting.report, ["cells.csv", "-o", "board.html", "--draws", "100"]),
    "funnel": (drawing.funnel, ["cells.csv", "-o", "funnel.png", "--sum"]),
    "standardise": (
        counting.standardise,
        ["records.csv", "-o", "counted.csv", "--outcome", "died", "--casemix", "age"],
    ),
}
FLAGS = (
    "--force",
    "--json",
    "--pool-periods",
    "--withhold-zeros",
    "--rating-uses-outcome",
    "--each-trust",
    "--sum",
    "--version",
)


def typed(number: int) -> list[str]:
    """A command with one to three options that are mostly wrong."""
    rng = random.Random(f"command {SEED} {number}")
    name = rng.choice(list(COMMANDS))
    command, works = COMMANDS[name]
    options = [option for option in options_of(command).values() if option not in FLAGS]
    extra: list[str] = []
    for _ in range(rng.randint(1, 3)):
        option = rng.choice(options)
        # A misspelt option is one of those that people type.
        option = rng.choice([option] * 9 + [option[:-1]])
        # Sampling takes minutes and has its own tests.
        value = rng.choice([value for value in VALUES if (option, value) != ("--method", "nuts")])
        extra += [option, value]
    return [name, *works, "--force", *extra]


def run(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    if result.exit_code not in (0, 2, 3):
        raise LostError(f"status {result.exit_code}")
    if result.exit_code == 2:
        if not result.stderr.strip():
            raise LostError("nothing is said")
        python = speaks_python(result.stderr) if result.stderr.startswith("error") else []
        if python:
            raise LostError(f"speaks Python, {python}: {result.stderr[:300]}")
        raise BrightspotsError(result.stderr)


def try_commands(size):
    simulate_frame(6, 3).to_csv("cells.csv", index=False)
    patients().to_csv("records.csv", index=False)
    tally = Tally("commands")
    for number in range(size):
        arguments = typed(number)
        tally.trial(" ".join(map(repr, arguments))[:400], lambda arguments=arguments: run(arguments))
    tally.check()


def test_some_commands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try_commands(12)


@pytest.mark.fuzz
def test_commands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try_commands(SIZE // 2)
