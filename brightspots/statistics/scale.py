"""Effects as people read them: ratios where they are logarithms, differences in the estimates' units where not."""

from __future__ import annotations

import numpy as np

from brightspots.common.arrays import FloatArray
from brightspots.data.cells import Cells


def effect_name(cells: Cells, of: str) -> str:
    """Name of the column of an effect: `own_ratio` or, where effects are not ratios, `own_difference`."""
    return f"{of}_ratio" if cells.is_ratio else f"{of}_difference"


def effect_values(cells: Cells, effect: FloatArray) -> FloatArray:
    """Effects as people read them: ratios, or differences as they are."""
    return np.exp(effect) if cells.is_ratio else effect


def margin_of_effects(cells: Cells, margin: float) -> float:
    """The margin on the scale of effects: its logarithm for ratios, the margin itself for differences."""
    return float(np.log(margin)) if cells.is_ratio else margin
