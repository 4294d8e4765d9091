"""The probability that a trust or a department is exceptional, where effects are a mixture of two normals."""

from __future__ import annotations

import numpy as np
from scipy import special

from brightspots.common.arrays import FloatArray
from brightspots.engine.effects import TwoNormals
from brightspots.engine.levels import Level
from brightspots.engine.posterior import Posterior, enough_draws


def p_exceptional(posterior: Posterior, level: Level) -> FloatArray | None:
    """P(the effect of each unit is of the wide one of two normals | the data), (units,).

    That a unit is exceptional says neither that its effect is large nor on which side it lies: the wide normal has its
    centre where the narrow one has. Averaged over the draws, and over the distribution of the effect given each of them
    where the engine knows it (Rao & Blackwell).

    Returns
    -------
    (units,) or None
        None where effects of the level are not a mixture of two normals.
    """
    of_level = posterior.shared.effects.get(level)
    if of_level is None or not isinstance(of_level.distribution, TwoNormals):
        return None
    shapes = posterior.shapes(enough_draws(posterior.cells))
    if shapes is not None:
        return np.concatenate(list(shapes.map_shapes(lambda block: block.exceptional[level])))
    (_, log_share), (narrow, wide) = of_level.mixing
    usual = np.log1p(-np.exp(log_share))
    found = []
    for block in posterior.blocks():
        if level == "trust":
            effect, sd = block.trust_effect, posterior.shared.sd[level]
        else:
            effect, sd = block.department_effect, posterior.shared.sd_of_cells(posterior.cells, block.cells)
        logs = [
            weight - np.log(factor) - 0.5 * (effect / (sd * factor)) ** 2
            for weight, factor in ((usual, narrow), (log_share, wide))
        ]
        found.append(special.expit(logs[1] - logs[0]).mean(axis=1))
    return np.concatenate(found)
