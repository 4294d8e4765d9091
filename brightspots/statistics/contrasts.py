"""What a department is compared with, draw by draw: the others of its trust, and the same one nationally."""

from __future__ import annotations

import numpy as np

from brightspots.common.arrays import FloatArray
from brightspots.data.cells import Cells
from brightspots.engine.posterior import EffectBlock


def others_mean(cells: Cells, block: EffectBlock) -> FloatArray:
    """Σ_{e≠d} ω_e·v_e of each cell of a block, (cells, S): the other departments of its trust, ω ∝ `Cells.weight`.

    NaN for a trust's only department.
    """
    weight = cells.weight[block.cells]
    starts = cells.trust_cells[block.trusts] - block.cells.start
    trust = cells.cell_trust[block.cells] - block.trusts.start
    weighted = weight[:, np.newaxis] * block.department_effect
    others_weight = np.add.reduceat(weight, starts)[trust] - weight
    others = np.add.reduceat(weighted, starts, axis=0)[trust] - weighted
    others_weight[np.bincount(trust)[trust] == 1] = np.nan
    return others / others_weight[:, np.newaxis]


def peer_effect(cells: Cells, block: EffectBlock) -> FloatArray:
    """The department against the same one nationally: u + v of each cell of a block, (cells, S)."""
    return block.trust_effect[cells.cell_trust[block.cells] - block.trusts.start] + block.department_effect


def own_contrast(cells: Cells, block: EffectBlock) -> FloatArray:
    """D = v_d − Σ_{e≠d} ω_e·v_e of each cell of a block, (cells, S): the department less the others of its trust.

    The department itself is left out of the mean it is compared with. NaN for a trust's only department.
    """
    return block.department_effect - others_mean(cells, block)
