"""Fields that hold one value a leaf (or a row), marked where they are declared, so that no part forgets one.

Whoever takes some leaves of `Cells`, of `Counts` or of a likelihood's `Outcomes` asks `leaf_fields` which arrays have
an entry for each leaf, in place of a list of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

# Of a field whose first axis is the leaves: ``field(metadata=PER_LEAF)``.
PER_LEAF: Final[Mapping[str, Any]] = MappingProxyType({"axis": "leaf"})

Index = slice | npt.NDArray[np.integer[Any]] | npt.NDArray[np.bool_]


@cache
def leaf_fields(kind: type) -> tuple[str, ...]:
    """Names of a dataclass's fields that are marked as `PER_LEAF`."""
    return tuple(item.name for item in fields(kind) if item.metadata.get("axis") == PER_LEAF["axis"])


def values_at(holder: object, leaves: Index, of: type | None = None) -> dict[str, Any]:
    """What an object holds of some of its leaves, by field; None where it holds nothing.

    Parameters
    ----------
    holder : dataclass instance
    leaves : int or bool array, or slice
    of : type, optional
        A dataclass whose `PER_LEAF` fields the holder has under the same names; by default its own.
    """
    values = {name: getattr(holder, name) for name in leaf_fields(of or type(holder))}
    return {name: None if value is None else value[leaves] for name, value in values.items()}
