"""Which distribution the effects of a level are given where nobody says: normal, or a mixture of two normals.

A mixture keeps the promise on false flags where a few units are exceptional, and does next to no harm where none are;
but it costs more, and where there are few units, or all are alike, the data know nothing of it. So the data decide, by
the Bayes factor of the one against the other, each level by itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from brightspots.common.arrays import FloatArray
from brightspots.common.settings import EffectLevel, Priors
from brightspots.data.cells import Cells
from brightspots.engine.effect_choice import ENOUGH
from brightspots.engine.effects import DISTRIBUTIONS, NORMAL
from brightspots.engine.integration.mode import Mode, find_modes
from brightspots.engine.integration.model import Model
from brightspots.engine.integration.pilot import Blocks, around, grid_density, level_block
from brightspots.engine.integration.tree import Tree
from brightspots.engine.levels import Level
from brightspots.engine.terms import resolve_priors

_MIXTURE: Final = DISTRIBUTIONS["mixture"]


class Looked(NamedTuple):
    """What was found on the way to an integration, which need not look for it again.

    Parameters
    ----------
    log_bayes_factors : dict of level to float
        See `look`.
    modes : tuple of Mode
        Of the model with normal effects, the highest first.
    blocks : mapping of level to (Block, GridDensity)
        Of the levels that were asked about, under what is likelier.
    """

    log_bayes_factors: dict[EffectLevel, float]
    modes: tuple[Mode, ...]
    blocks: Blocks


def look(cells: Cells, priors: Priors) -> Looked:
    """How much likelier the data are if a level's effects are a mixture of two normals than if they are normal.

    Parameters
    ----------
    cells : Cells
    priors : Priors
        Its `undecided` levels are those asked about.

    Returns
    -------
    Looked
        Bayes factors as natural logarithms. σ and the mixture's parameters are integrated out against their priors, on
        grids. All else is where the model with normal effects has its mode, and effects below a level are distributed
        as was found for them.
    """
    terms = resolve_priors(cells, priors)
    modes = find_modes(Model(Tree(cells, terms.levels), terms))
    mode, found = modes[0], Looked({}, modes, {})
    mixtures: dict[Level, FloatArray] = {}
    log_sd = mode.log_sd.copy()
    for level in reversed([level for level in priors.undecided if level in terms.levels]):
        tree = Tree(cells, terms.levels, dict.fromkeys([level, *mixtures], _MIXTURE))
        model = Model(tree, terms)
        below = np.zeros((1, tree.n_parameters))
        below[:, : len(log_sd)] = log_sd
        for other, free in mixtures.items():
            below[:, tree.free[other]] = free
        block = level_block(model, mode, around(model, mode), level, below)
        usual = replace(block, columns=block.columns[:1], effect=NORMAL)
        as_mixture, as_normal = (grid_density(model, each, mode) for each in (block, usual))
        factor = as_mixture.log_total - as_normal.log_total
        likelier = as_mixture if factor > ENOUGH else as_normal
        found.log_bayes_factors[level] = factor
        found.blocks[level] = block if likelier is as_mixture else usual, likelier
        log_sd[tree.levels.index(level)] = likelier.peak[0]
        if likelier is as_mixture:
            mixtures[level] = likelier.peak[1:]
    return found
