"""Objects that keep what they computed, and are copied and sent to other processes without it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

import numpy as np


class PickledByFields:
    """A dataclass that is pickled and copied as the arguments it was made of.

    Values computed from them and kept (cached properties) are left behind: they can be large, they can hold what cannot
    be pickled (compiled code, modules), and they are computed again, with the same result, when asked for.
    """

    __slots__ = ()

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        arguments = tuple(getattr(self, item.name) for item in fields(self) if item.init)  # type: ignore[arg-type]
        return type(self), arguments


def made_alike(one: Any, other: Any) -> bool:
    """Whether two values are equal, compared by content: dataclasses by their fields, arrays and frames by values.

    Only values of exactly the same type are equal; NaN equals NaN.
    """
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if is_dataclass(one):
        made_of = [item.name for item in fields(one) if item.init]
        return all(made_alike(getattr(one, name), getattr(other, name)) for name in made_of)
    if isinstance(one, partial):
        one, other = ((each.func, each.args, each.keywords) for each in (one, other))
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(made_alike, one, other))
    if isinstance(one, Mapping):
        return list(one) == list(other) and all(made_alike(one[key], other[key]) for key in one)
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if hasattr(one, "equals"):  # frames of pandas, which are not imported for this alone
        return bool(one.equals(other))
    return bool(one == other) or bool(one != one and other != other)  # NaN, which is not itself
