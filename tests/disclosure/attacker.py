"""One who knows everything that is published, and the totals that may be known, and wants the rest.

He solves integer programmes (`Attack`), tries out every row that could stand behind a published one (`readings`), and
counts what he finds (`score`). He uses the published table alone, never the code that made it, and the words of
``docs/disclosure.md``:

- a count that is shown is exact, or with ``round_to=m`` one of the m numbers that round to it;
- a count that is withheld lies within its bounds;
- totals are known exactly, but for those of which the notes say that they must not be published.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp

NOBODY_KNOWS: tuple[str, ...] = ()
# What an unbounded count is taken to be at most, far above any count of the tables.
_LARGE = 1e5


@dataclass(frozen=True)
class Asked:
    """The rules of a release."""

    below: int
    round_to: int | None = None
    zeros: str = "shown"
    totals: tuple[str, ...] = ("trust", "department")

    @property
    def least(self) -> int:
        return 1 if self.zeros == "shown" else 0

    @property
    def most(self) -> int:
        return self.below - 1


def rounding_range(value: np.ndarray, multiple: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Fewest and most that a shown count can be: halves are rounded up."""
    m = multiple or 1
    return np.maximum(value - m // 2, 0.0), value + (m + 1) // 2 - 1


def forbidden(notes, column: str, kind: str) -> tuple[set[str], bool]:
    """Labels of the totals of a column that the notes forbid, and whether the overall one is forbidden.

    Trusts are called T…, departments D….
    """
    labels: set[str] = set()
    for note in notes:
        if note.startswith(f"Do not publish the totals of {column!r}"):
            named = note.rsplit(": ", 1)[1].rstrip(".").split(", ")
            labels |= {
                name
                for name in named
                if name.startswith("T" if kind == "trust" else "D") or name == "the whole"
            }
    return labels, any(note.startswith(f"Do not publish the overall total of {column!r}") for note in notes)


class Attack:
    """The system of equations that a published table and the known totals make.

    Parameters
    ----------
    exact : DataFrame
        The table before suppression; used for the totals that are known, and for nothing else.
    shown : DataFrame
        What was published.
    asked : Asked
    """

    def __init__(self, exact: pd.DataFrame, shown: pd.DataFrame, asked: Asked) -> None:
        self.n = len(exact)
        self.names = [name for name in ("observed", "denominator") if name in exact]
        low, high = [], []
        for name in self.names:
            least, most = rounding_range(shown[name].to_numpy(dtype=float), asked.round_to)
            hidden = shown[name].isna().to_numpy()
            for bound, end, free in ((f"{name}_lower", least, 0.0), (f"{name}_upper", most, _LARGE)):
                given = (
                    shown[bound].to_numpy(dtype=float)[hidden]
                    if bound in shown
                    else np.full(hidden.sum(), free)
                )
                end[hidden] = np.clip(given, 0.0, _LARGE)
            low.append(least)
            high.append(most)
        self.bounds = Bounds(np.concatenate(low), np.concatenate(high))
        equations, sums = [], []
        for position, name in enumerate(self.names):
            values = exact[name].to_numpy(dtype=float)
            offset = position * self.n

            def know(member: np.ndarray, offset=offset, values=values) -> None:
                line = np.zeros(self.n * len(self.names))
                line[offset : offset + self.n][member] = 1.0
                equations.append(line)
                sums.append(values[member].sum())

            periods = exact["period"].to_numpy() if "period" in exact else np.zeros(self.n)
            for period in np.unique(periods):
                inside = periods == period
                for kind in asked.totals:
                    labels, _ = forbidden(shown.attrs["notes"], name, kind)
                    for label in exact[kind][inside].unique():
                        if label not in labels:
                            know(inside & (exact[kind] == label).to_numpy())
                if asked.totals and not forbidden(shown.attrs["notes"], name, "trust")[1]:
                    know(inside)
        self.constraints = []
        if equations:
            self.constraints.append(LinearConstraint(np.array(equations), sums, sums))
        if len(self.names) == 2:  # nobody has the event who is not there
            both = np.hstack([-np.eye(self.n), np.eye(self.n)])
            self.constraints.append(LinearConstraint(both, 0.0, np.inf))

    def direction(self, row: int, what: str) -> np.ndarray:
        """Events, people, or people without the event of a row, as a linear form."""
        line = np.zeros(self.n * len(self.names))
        if what in self.names:
            line[self.names.index(what) * self.n + row] = 1.0
        else:
            line[row], line[self.n + row] = -1.0, 1.0
        return line

    def range_of(self, row: int, what: str) -> tuple[float, float]:
        """Least and most that a number can be."""
        line = self.direction(row, what)
        ends = []
        for sign in (1.0, -1.0):
            found = milp(
                sign * line, constraints=self.constraints, bounds=self.bounds,
                integrality=np.ones(len(line)),
            )  # fmt: skip
            if found.status == 2:
                raise AssertionError("what is published contradicts the totals")
            assert found.status == 0, found.message
            ends.append(sign * found.fun)
        return float(np.round(ends[0], 6)), float(np.round(ends[1], 6))


def promises(exact: pd.DataFrame, shown: pd.DataFrame, asked: Asked) -> list[tuple[int, str, float, float]]:
    """What is promised of each withheld count: (row, what, least, most) that the attacker must leave possible.

    Of a count beside a small one the promise is a width: it stands as (row, what, NaN, width).
    """
    least, most = asked.least, asked.most
    found: list[tuple[int, str, float, float]] = []
    observed = exact["observed"].to_numpy(dtype=float) if "observed" in exact else None
    people = exact["denominator"].to_numpy(dtype=float) if "denominator" in exact else None
    for row in range(len(exact)):
        if people is not None and np.isnan(shown["denominator"].iloc[row]):
            n = people[row]
            small = least <= n <= most
            found.append(
                (row, "denominator", least, most) if small else (row, "denominator", np.nan, most - least)
            )
        if observed is None or not np.isnan(shown["observed"].iloc[row]) or np.isnan(observed[row]):
            continue
        o = observed[row]
        told = people is not None and not np.isnan(shown["denominator"].iloc[row])
        few = least <= o <= most
        nearly_all = told and least <= people[row] - o <= most
        if told and (few or nearly_all) and people[row] <= 2 * most:
            found.append((row, "observed", least, people[row] - least))
        elif few:
            found.append((row, "observed", least, most))
        elif nearly_all:
            found.append((row, "without", least, most))
        else:
            found.append((row, "observed", np.nan, most - least))
    return found


@dataclass
class Score:
    """How many withheld counts there are, how many were bounded more tightly than promised, and how many solved."""

    counts: int = 0
    tightened: int = 0
    solved: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(self.counts + other.counts, self.tightened + other.tightened, self.solved + other.solved)


def score(
    exact: pd.DataFrame, shown: pd.DataFrame, asked: Asked, *, given: pd.DataFrame | None = None
) -> dict[str, Score]:
    """Attack every withheld count of a table; by kind: "small" and "beside" events, "people small", "people beside".

    `given` is the table as it came, where some of its counts had been withheld before: totals are those of `exact`.
    """
    attack = Attack(exact, shown, asked)
    scores: dict[str, Score] = {}
    for row, what, least, most in promises(exact if given is None else given, shown, asked):
        low, high = attack.range_of(row, what)
        width = np.isnan(least)
        tight = high - low < most if width else low > least or high < most
        kind = ("people " if what == "denominator" else "") + ("beside" if width else "small")
        scores[kind] = scores.get(kind, Score()) + Score(1, int(tight), int(low == high))
    return scores


# ------------------------------------------------------------------------------------------------------------------
# Random tables


def random_table(rng: np.random.Generator, kind: str) -> pd.DataFrame:
    """A table of trusts by departments, some cells absent, of "counts", "proportions" or "people"; "… periods": 3."""
    periods = 3 if kind.endswith("periods") else 1
    trusts, departments = rng.integers(2, 6, 2)
    parts = []
    for period in range(periods):
        cells = [(f"T{t}", f"D{d}") for t in range(trusts) for d in range(departments) if rng.random() > 0.1]
        frame = pd.DataFrame(cells, columns=["trust", "department"])
        size = len(frame)
        if kind.startswith("counts"):
            scale = rng.choice([4.0, 20.0, 80.0], size)
            frame["observed"] = np.where(rng.random(size) < 0.1, 0, rng.poisson(scale))
        else:
            people = rng.choice([5.0, 14.0, 60.0, 150.0], size, p=[0.15, 0.15, 0.35, 0.35])
            frame["denominator"] = rng.poisson(people) + 1
            if kind.startswith("proportions"):
                chance = rng.choice([0.03, 0.4, 0.97, 1.0], size, p=[0.25, 0.4, 0.25, 0.1])
                frame["observed"] = rng.binomial(frame["denominator"], chance)
        if periods > 1:
            frame["period"] = 2020 + period
        parts.append(frame)
    return pd.concat(parts, ignore_index=True)


def partly_withheld(rng: np.random.Generator, exact: pd.DataFrame) -> pd.DataFrame:
    """The table as it might come from a publisher who withholds some counts, with bounds that hold them.

    Not among few people: nothing protects such a number from its totals, and it tells of the people.
    """
    given = rng.random(len(exact)) < 0.12
    observed = exact["observed"].to_numpy(dtype=float)
    lower = np.maximum(observed - rng.integers(0, 6, len(exact)), 0.0)
    upper = np.where(rng.random(len(exact)) < 0.2, np.inf, observed + rng.integers(0, 6, len(exact)))
    if "denominator" in exact:
        upper = np.minimum(upper, exact["denominator"])
        given &= (exact["denominator"] > 10).to_numpy()
    given &= lower < upper
    return exact.assign(
        observed=np.where(given, np.nan, observed),
        observed_lower=np.where(given, lower, observed),
        observed_upper=np.where(given, upper, observed),
    )


def random_rules(rng: np.random.Generator) -> Asked:
    return Asked(
        below=int(rng.choice([3, 5, 8, 11])),
        round_to=[None, None, 5, 10][rng.integers(4)],
        zeros=str(rng.choice(["shown", "shown", "withheld"])),
        totals=[("trust", "department"), ("trust", "department"), ("trust",), ("department",), ()][
            rng.integers(5)
        ],
    )
