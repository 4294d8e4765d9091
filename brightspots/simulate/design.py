"""`Design`: the arguments of `simulate_nation`, checked, and the labels of trusts, departments and periods."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args

import numpy as np

from brightspots.common import vocabulary as names
from brightspots.common.arrays import LabelArray
from brightspots.common.errors import SettingsError
from brightspots.common.settings import check_probability
from brightspots.likelihood.families import family_of
from brightspots.simulate.draws import EffectShape

DEPARTMENT_NAMES: Final = (
    "Cardiology", "General surgery", "Stroke medicine", "Trauma and orthopaedics", "Respiratory medicine",
    "Gastroenterology", "Urology", "Geriatric medicine", "Acute medicine", "Vascular surgery",
    "Renal medicine", "Haematology", "Medical oncology", "Neurology", "Gynaecology", "Critical care",
    "Diabetes and endocrinology", "Colorectal surgery", "Ear, nose and throat", "Emergency medicine",
    "Rheumatology", "Cardiac surgery", "Neurosurgery", "Infectious diseases",
)  # fmt: skip

# Most trusts, departments or periods: more is a mistake, and the nation would not fit into memory.
_MOST_UNITS: Final = 1_000_000
_MOST_EXPECTED: Final = 1_000_000_000
# Largest standard deviation, on the log scale: a ratio of e¹⁰ between units one standard deviation apart.
_MOST_SD: Final = 10.0


@dataclass(frozen=True)
class Design:
    """The arguments of `simulate_nation`, described there; `seed` is never None here.

    Raises
    ------
    SettingsError
        Where an argument lies outside its range.
    """

    trusts: int
    departments: int | Sequence[str]
    periods: int | Sequence[int] | Sequence[str] | None
    family: names.FamilyName
    intercept: float
    sd_trust: float
    sd_department: float | Sequence[float]
    sd_period: float
    sd_department_type: float
    effects: EffectShape
    trust_effects: EffectShape
    degrees_of_freedom: float
    contamination_share: float
    contamination_scale: float
    mean_expected: float
    sd_trust_size: float
    sd_department_size: float
    sd_cell_size: float
    base_rate: float
    missing_departments: float
    rating_validity: float | None
    rating_frequencies: Mapping[str, float]
    suppress: tuple[int, int] | None
    seed: int

    def __post_init__(self) -> None:
        """Refuse what lies outside its range, quoting what was received."""
        for name in ("trusts", "departments", "periods"):
            _check_units(name, getattr(self, name))
        shapes = (("effects", EffectShape), ("trust_effects", EffectShape))
        for name, literal in (("family", names.FamilyName), *shapes):
            value = getattr(self, name)
            _require(name, value, value in get_args(literal), f"one of {', '.join(get_args(literal))}")
        _check_sizes(self)
        _check_rating(self.rating_validity, self.rating_frequencies)
        _check_interval(self.suppress, self.family)

    @property
    def trust_labels(self) -> LabelArray:
        """Labels of trusts, (T,): T001, T002, …."""
        width = max(3, len(str(self.trusts)))
        return np.array([f"T{number:0{width}d}" for number in range(1, self.trusts + 1)], dtype=object)

    @property
    def department_labels(self) -> LabelArray:
        """Names of departments, (D,): as given, or `DEPARTMENT_NAMES`, and numbered beyond these."""
        if not isinstance(self.departments, int):
            return np.array(self.departments, dtype=object)
        beyond = range(len(DEPARTMENT_NAMES) + 1, self.departments + 1)
        numbered = (f"Department {number:03d}" for number in beyond)
        return np.array([*DEPARTMENT_NAMES[: self.departments], *numbered], dtype=object)

    @property
    def period_labels(self) -> tuple[int | str, ...] | None:
        """P labels; None without periods."""
        if self.periods is None:
            return None
        return tuple(range(1, self.periods + 1)) if isinstance(self.periods, int) else tuple(self.periods)

    @property
    def shape(self) -> tuple[int, int, int]:
        """T, D and P; one period where there are none."""
        return self.trusts, len(self.department_labels), len(self.period_labels or (0,))


def _require(name: str, value: object, holds: bool, wanted: str) -> None:
    if not holds:
        raise SettingsError(f"{name} must be {wanted}; received {value!r}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check_units(name: str, value: Any) -> None:
    """A number of units, or their labels (trusts have none, periods may be absent)."""
    if name != "trusts" and isinstance(value, Sequence) and not isinstance(value, str):
        _require(name, value, 0 < len(value) == len(set(value)), "labels that differ from each other")
    elif value is not None or name != "periods":
        whole = isinstance(value, int) and not isinstance(value, bool) and value > 0
        wanted = "a positive whole number"
        _require(name, value, whole, wanted if name == "trusts" else f"{wanted} or a sequence of labels")
        _require(name, value, value <= _MOST_UNITS, f"at most {_MOST_UNITS:,}")


def _check_sizes(design: Design) -> None:
    """Standard deviations, shares and other numbers, each within its range."""
    intercept = design.intercept
    _require("intercept", intercept, _is_number(intercept), "a finite number")
    _require("intercept", intercept, abs(intercept) <= _MOST_SD, f"from -{_MOST_SD:g} to {_MOST_SD:g}")
    of_types, n_types = design.sd_department, len(design.department_labels)
    if not _is_number(of_types):
        one_each = isinstance(of_types, Sequence) and len(of_types) == n_types
        wanted = f"a number, or one for each of the {n_types} department types"
        _require("sd_department", of_types, one_each, wanted)
    for name, value in vars(design).items():
        for sd in value if name == "sd_department" and isinstance(value, Sequence) else (value,):
            if name.startswith("sd_"):
                _require(name, sd, _is_number(sd) and sd >= 0, "a finite number of at least 0")
                _require(name, sd, sd <= _MOST_SD, f"at most {_MOST_SD:g}, on the scale of logarithms")
    for name, above in (("degrees_of_freedom", 2), ("contamination_scale", 0), ("mean_expected", 0)):
        value = getattr(design, name)
        _require(name, value, _is_number(value) and value > above, f"a finite number above {above}")
    mean = design.mean_expected
    _require("mean_expected", mean, mean <= _MOST_EXPECTED, f"at most {_MOST_EXPECTED:,}")
    check_probability("base_rate", design.base_rate)
    for name in ("contamination_share", "missing_departments"):
        value = getattr(design, name)
        _require(name, value, _is_number(value) and 0 <= value < 1, "a number from 0 to below 1")


def _check_rating(validity: float | None, shares: Mapping[str, float]) -> None:
    valid = validity is None or (_is_number(validity) and -1 <= validity <= 1)
    _require("rating_validity", validity, valid, "None or between -1 and 1")
    usable = isinstance(shares, Mapping) and all(
        _is_number(share) and share >= 0 for share in shares.values()
    )
    usable = usable and sum(shares.values()) > 0
    _require("rating_frequencies", shares, usable, "a mapping from band to share, worst first")


def _check_interval(ends: tuple[int, int] | None, family: names.FamilyName) -> None:
    if ends is None:
        return
    pair = isinstance(ends, tuple) and len(ends) == 2 and all(isinstance(end, int) for end in ends)
    wanted = "(lower, upper), whole numbers, 0 ≤ lower ≤ upper"
    _require("suppress", ends, pair and 0 <= ends[0] <= ends[1], wanted)
    _require("suppress", ends, family_of(family).is_count, "None for estimates, which are not counts")
