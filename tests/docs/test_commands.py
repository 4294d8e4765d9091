"""Every `brightspots …` command on a page is one that the command line takes, and those on small files are run."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from brightspots.cli import app
from tests.conftest import ROOT, simulate_frame
from tests.docs.conftest import blocks as tool
from tests.docs.test_pages import PAGES
from tests.readers import files

_COMMAND = re.compile(r"\s*(\$ )?brightspots ")
# What it does to the machine lasts, so tests/cli runs it in a folder of its own.
_NOT_HERE = "compile"


def commands(text: str) -> list[list[str]]:
    """Arguments of each brightspots command in a block, continued lines joined, comments and redirections dropped."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        words = []
        if _COMMAND.match(line):
            words = shlex.split(line.strip().removeprefix("$ "), comments=True)
        for stop in ("&&", "||", "|", ">", "2>", ";"):
            if stop in words:
                words = words[: words.index(stop)]
        if words and words[0] == "brightspots":
            found.append(words[1:])
    return found


SHELL = {
    name: found
    for name, page in PAGES.items()
    if (
        found := [
            block for block in tool.read_blocks(page) if block.language != "python" and commands(block.code)
        ]
    )
}


def sample_files(folder: Path) -> None:
    """The files that pages speak of, small."""
    cells = simulate_frame(12, 5)
    cells["trust"] = "T" + (cells["trust"].str[1:].astype(int) + 1).map("{:03d}".format)
    cells.to_csv(folder / "cells.csv", index=False)
    cells.drop(columns="rating").assign(specialty=cells["department"]).to_csv(
        folder / "plain.csv", index=False
    )
    trusts = cells.groupby("trust", as_index=False)[["observed", "expected"]].sum()
    trusts.to_csv(folder / "shmi.csv", index=False)
    rows = [files.iqi(1 + i // 2, ("IQI16", "IQI20")[i % 2], 2014, 400, 30 + i, 80.0) for i in range(12)]
    (folder / "ny_iqi.csv").write_text(files.write(files.IQI_COLUMNS, rows))


def parse(arguments: list[str]) -> None:
    """Let the command line read the arguments of a command, and do nothing."""
    group = typer.main.get_command(app)
    command = group.commands[arguments[0]]
    with command.make_context(arguments[0], list(arguments[1:]), parent=None):
        pass


@pytest.mark.parametrize("name", SHELL)
def test_the_command_line_takes_every_command(name):
    for block in SHELL[name]:
        for arguments in commands(block.code):
            parse(arguments)


def test_a_misspelt_option_would_be_noticed():
    with pytest.raises(Exception, match="No such option"):
        parse(["fit", "cells.csv", "--ratings", "rating", "-o", "out/"])


@pytest.mark.parametrize("name", SHELL)
def test_commands_run(name):
    """In order, in one folder. What is marked as not run, or reads a file that nobody made, is said to be skipped."""
    skipped = []
    with tool.folder_for([]) as folder:
        sample_files(folder)
        made = set(folder.iterdir())
        for block in SHELL[name]:
            for arguments in commands(block.code):
                line = shlex.join(["brightspots", *arguments])
                inputs = [word for word in arguments[1:2] if Path(word).suffix]
                absent = [word for word in inputs if not Path(word).exists()]
                if block.not_run or absent or arguments[0] == _NOT_HERE:
                    skipped.append(
                        f"{line} ({block.not_run or ('no file ' + absent[0] if absent else 'not here')})"
                    )
                    continue
                _make_room(arguments, made)
                result = CliRunner().invoke(app, arguments, catch_exceptions=False)
                assert result.exit_code == 0, f"{block.where}: {line}\n{result.output}"
    if skipped:
        pytest.skip("; ".join(skipped))


@pytest.mark.skipif(os.name != "posix", reason="a script for sh")
def test_the_published_script_runs_in_a_folder_that_holds_the_table_alone(tmp_path):
    """As it stands on the page, by a shell, and a second time, when its files are there."""
    work, programs = tmp_path / "work", tmp_path / "programs"
    for folder in (work, programs):
        folder.mkdir()
    (programs / "brightspots").write_text(
        f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m brightspots.cli "$@"\n'
    )
    (programs / "brightspots").chmod(0o755)
    (script,) = [block.code for block in SHELL["docs/how_to/scheduled_pipeline.md"] if block.language == "sh"]
    (tmp_path / "monthly.sh").write_text(script)
    simulate_frame(4, 5).drop(columns="rating").to_csv(work / "cells.csv", index=False)

    def once() -> tuple[int, str]:
        ended = subprocess.run(
            ["sh", tmp_path / "monthly.sh"], cwd=work, capture_output=True, text=True, timeout=300,
            env=os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"},
        )  # fmt: skip
        return ended.returncode, ended.stderr

    status, said = once()
    assert status == 0, said
    (month,) = [path for path in (work / "out").iterdir() if path.is_dir()]
    assert {path.name for path in month.iterdir()} == {
        "board.html", "departments.csv", "fit.json", "fit.nc", "packs", "partition.csv", "spots.csv", "trusts.csv",
    }  # fmt: skip
    assert len(list((month / "packs").iterdir())) == 4
    assert json.loads((month / "fit.json").read_text("utf-8"))["trusts"] == 4
    status, said = once()
    assert (status, "would be overwritten" in said) == (2, True)


def _make_room(arguments: list[str], made: set[Path]) -> None:
    """A page may show how to make a file that the test has put there for the commands before."""
    if "-o" in arguments:
        target = Path.cwd() / arguments[arguments.index("-o") + 1]
        if target.name in {path.name for path in made} and target.is_file():
            target.unlink()


def test_the_sample_files_are_what_the_pages_call_them(tmp_path):
    sample_files(tmp_path)
    assert set(pd.read_csv(tmp_path / "cells.csv").columns) >= {
        "trust",
        "department",
        "observed",
        "expected",
        "rating",
    }
