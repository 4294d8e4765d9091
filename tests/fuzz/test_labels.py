"""Whatever units are called, every output has them all, or one error of ours says why not."""

from __future__ import annotations

import pytest

from tests.fuzz.labels import STEPS, carry_through, hostile_table
from tests.fuzz.trials import SEED, SIZE, Tally


def try_labels(folder, size):
    tally = Tally("labels")
    for number in range(size):
        seed, step = SEED * 1_000_000 + number, STEPS[number % len(STEPS)]
        tally.trial(
            f"labels of seed {seed} to {step}",
            lambda seed=seed, step=step: carry_through(hostile_table(seed), step, folder),
        )
    tally.check()


def test_some_hostile_labels(tmp_path):
    try_labels(tmp_path, len(STEPS))


@pytest.mark.fuzz
def test_hostile_labels(tmp_path):
    try_labels(tmp_path, SIZE // 5)
