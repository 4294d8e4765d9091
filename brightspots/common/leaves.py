"""Mark which fields of a dataclass hold one value per leaf (a row of the data), and index all of them at once.

`Cells`, `Counts` and the likelihood's `Outcomes` declare such fields with ``field(metadata=PER_LEAF)``. Code that
selects leaves takes the fields from `leaf_fields`, so that a new field is never forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

# Metadata of a field whose first axis runs over the leaves: ``field(metadata=PER_LEAF)``.
PER_LEAF: Final[Mapping[str, Any]] = MappingProxyType({"axis": "leaf"})

Index = slice | npt.NDArray[np.integer[Any]] | npt.NDArray[np.bool_]


@cache
def leaf_fields(kind: type) -> tuple[str, ...]:
    """Names of a dataclass's fields that are marked as `PER_LEAF`."""
    return tuple(item.name for item in fields(kind) if item.metadata.get("axis") == PER_LEAF["axis"])


def values_at(holder: object, leaves: Index, of: type | None = None) -> dict[str, Any]:
    """Index every `PER_LEAF` field of an object by the same leaves.

    Parameters
    ----------
    holder : dataclass instance
    leaves : int or bool array, or slice
        Which leaves, as an index of arrays (N, ...).
    of : type, optional
        A dataclass whose `PER_LEAF` fields are wanted; the holder has attributes of the same names. By default the
        holder's own type.

    Returns
    -------
    dict of str to array or None
        The field's values at these leaves, by name of the field; None where the field is None.
    """
    values = {name: getattr(holder, name) for name in leaf_fields(of or type(holder))}
    return {name: None if value is None else value[leaves] for name, value in values.items()}
