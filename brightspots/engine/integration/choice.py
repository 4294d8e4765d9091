"""Which distribution the effects of a level are given where nobody says: normal, or a mixture of two normals.

A mixture keeps the promise on false flags where a few units are exceptional, and does next to no harm where none are;
but it costs more, and where there are few units, or all are alike, the data know nothing of it. So the data decide, by
the Bayes factor of the one against the other, each level by itself.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from brightspots.common.settings import Priors
from brightspots.data.cells import Cells
from brightspots.engine.effect_choice import ENOUGH
from brightspots.engine.effects import DISTRIBUTIONS, NORMAL
from brightspots.engine.integration.mode import find_modes
from brightspots.engine.integration.model import Model
from brightspots.engine.integration.pilot import around, grid_density, level_block
from brightspots.engine.integration.scales import Scales
from brightspots.engine.integration.tree import Tree
from brightspots.engine.levels import Level
from brightspots.engine.terms import resolve_priors


def log_bayes_factors(cells: Cells, priors: Priors) -> dict[Level, float]:
    """How much likelier the data are if a level's effects are a mixture of two normals than if they are normal.

    Parameters
    ----------
    cells : Cells
    priors : Priors
        Its `undecided` levels are those asked about.

    Returns
    -------
    dict of level to float
        Natural logarithms. σ and the mixture's parameters are integrated out against their priors, on grids. All else
        is where the model with normal effects has its mode, and effects below a level are distributed as was found for
        them.
    """
    terms, mixture = resolve_priors(cells, priors), DISTRIBUTIONS["mixture"]
    asked = [level for level in priors.undecided if level in terms.levels]
    model = Model(Tree(cells, terms.levels, dict.fromkeys(asked, mixture)), terms)
    mode = find_modes(model.normal)[0]
    given = around(model, mode)
    found: dict[Level, float] = {}
    below = given.scales
    for level in reversed(model.tree.nested):
        if level not in asked:
            continue
        block = level_block(model, mode, given, level, [below])
        usual = replace(block, columns=block.columns[:1], effect=NORMAL)
        as_mixture, as_normal = (grid_density(model, each, mode) for each in (block, usual))
        found[level] = as_mixture.log_total - as_normal.log_total
        is_mixture = found[level] > ENOUGH
        sd, mixing = dict(below.sd), dict(below.mixing)
        sd[level] = np.exp((as_mixture if is_mixture else as_normal).peak[0])
        if is_mixture:
            mixing[level] = mixture.mixing(as_mixture.peak[1:])
        below = Scales(sd, mixing)
    return found
