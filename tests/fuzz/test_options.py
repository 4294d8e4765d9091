"""Whatever is passed as an option is understood, or refused by one error of ours that says so."""

from __future__ import annotations

import inspect

import matplotlib.pyplot as plt
import pytest

from tests.fuzz.subjects import subjects
from tests.fuzz.trials import SAMPLE, SIZE, Tally, chosen
from tests.fuzz.values import WRONG


def options_of(folder):
    """Every public callable, argument and wrong value."""
    return [
        (subject, parameter, value)
        for subject in subjects(folder)
        for parameter in subject.parameters
        for value in WRONG
    ]


def try_options(folder, size):
    tally = Tally("options")
    for subject, parameter, value in chosen(options_of(folder), size, "options"):
        tally.trial(
            f"{subject.name}({parameter}={value})",
            lambda subject=subject, parameter=parameter, value=value: subject.call(
                **{parameter: WRONG[value]()}
            ),
        )
        plt.close("all")
    tally.check()


def test_some_wrong_options(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try_options(tmp_path, SAMPLE)


@pytest.mark.fuzz
def test_wrong_options(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try_options(tmp_path, SIZE)


def test_every_public_callable_has_arguments_that_it_works_with(tmp_path):
    """One with arguments that must be given is to be added to `subjects`, or nothing of it would be tried."""
    for subject in subjects(tmp_path):
        inspect.signature(subject.function).bind(**subject.works)
