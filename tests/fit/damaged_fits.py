"""Damage to a saved fit, and what comes of loading it: in a process of its own, which may crash or hang.

By hand: ``python -m tests.fit.damaged_fits FIT.nc COUNT SEED`` prints the counts.
"""

from __future__ import annotations

import multiprocessing
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

# Kinds of damage of which, by chance, as many are made as the issue that asked for this loop counted.
SHARES = {"bit flipped": 3, "cut off": 1, "block of zeros": 1}
SECONDS = 60.0

REFUSED, UNCHANGED = "refused", "unchanged"
RAW, WRONG, CRASH, HANG = "raw exception", "wrong result", "crash", "hang"
BAD = (RAW, WRONG, CRASH, HANG)


def damaged(content: bytes, count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """`count` damaged copies of a file: three in five with one bit flipped, the others cut off or partly zeroed."""
    rng = random.Random(seed)
    kinds = [kind for kind, share in SHARES.items() for _ in range(share)]
    for number in range(count):
        kind, copy, at = kinds[number % len(kinds)], bytearray(content), rng.randrange(len(content))
        if kind == "bit flipped":
            copy[at] ^= 1 << rng.randrange(8)
        elif kind == "cut off":
            del copy[at:]
        else:
            end = min(at + rng.choice((16, 64, 512, 4096)), len(copy))
            copy[at:end] = bytes(end - at)
        yield kind, bytes(copy)


def damage_saved_fit(path: Path, count: int, seed: int) -> Counter[tuple[str, str]]:
    """Load `count` damaged copies of a saved fit, and count by kind of damage what came of it.

    A copy may be refused by a `DataError` that names the file, or be `unchanged` (zeros where zeros were, or bytes
    that say nothing). Everything else is in `BAD`.
    """
    counts: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "fit.nc"
        worker = _Worker(path, target)
        for kind, content in damaged(path.read_bytes(), count, seed):
            target.write_bytes(content)
            counts[kind, worker.load()] += 1
        worker.stop()
    return counts


class _Worker:
    """A process that loads a file when told to, and is started again when it does not answer."""

    def __init__(self, good: Path, target: Path) -> None:
        self._arguments = (good, target)
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_answer, args=(theirs, *self._arguments), daemon=True)
        self._process.start()
        theirs.close()
        assert self._ours.recv() == "ready"

    def load(self) -> str:
        self._ours.send("load")
        try:
            if self._ours.poll(SECONDS):
                return str(self._ours.recv())
            outcome = HANG
        except EOFError:
            outcome = CRASH
        self.stop()
        self._start()
        return outcome

    def stop(self) -> None:
        self._process.kill()
        self._process.join()
        self._ours.close()


def _answer(asked: Connection, good: Path, target: Path) -> None:
    from brightspots.fit.load import load_fit

    whole = load_fit(good)
    asked.send("ready")
    while True:
        asked.recv()
        asked.send(_outcome(whole, target))


def _outcome(whole: object, target: Path) -> str:
    from brightspots import DataError
    from brightspots.common.pickling import made_alike
    from brightspots.fit.load import load_fit

    try:
        loaded = load_fit(target)
    except DataError as error:
        return REFUSED if str(target) in str(error) else RAW
    except Exception:  # noqa: BLE001  (whatever it is, it is counted)
        return RAW
    return UNCHANGED if made_alike(loaded, whole) else WRONG


if __name__ == "__main__":
    for (kind, outcome), number in sorted(
        damage_saved_fit(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])).items()
    ):
        print(f"{kind}: {outcome} {number:,}")
