"""Which distribution the effects of a level are given where nobody says, and whether types of department differ.

A mixture keeps the promise on false flags where a few units are exceptional, standard deviations by type keep it where
some types of department are more alike than others, and both do next to no harm where there is nothing of the kind. But
they cost more, and where there are few units, or all are alike, the data know nothing of it. So the data decide, by
Bayes factors.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import numpy as np

from brightspots.common.settings import EffectQuestion, Priors
from brightspots.data.cells import Cells
from brightspots.engine.effect_choice import ENOUGH
from brightspots.engine.effects import DISTRIBUTIONS, NORMAL, Heavy
from brightspots.engine.integration.blocks import AnyBlock, BlockDensity, Blocks, level_block, told_of
from brightspots.engine.integration.mode import Mode, find_modes
from brightspots.engine.integration.model import Model
from brightspots.engine.integration.pilot import around, middle_of
from brightspots.engine.integration.tree import Tree
from brightspots.engine.integration.type_blocks import mixed_types, normal_types
from brightspots.engine.integration.unit_tables import UnitValues
from brightspots.engine.levels import Level
from brightspots.engine.terms import Terms, resolve_priors

_MIXTURE: Final = DISTRIBUTIONS["mixture"]


class Looked(NamedTuple):
    """What was found on the way to an integration, which need not look for it again.

    Parameters
    ----------
    log_bayes_factors : dict of question to float
        See `look`.
    modes : tuple of Mode
        Of the model with normal effects, the highest first.
    blocks : mapping of level to (block, density)
        Of the levels that were asked about, under what is likelier.
    """

    log_bayes_factors: dict[EffectQuestion, float]
    modes: tuple[Mode, ...]
    blocks: Blocks


class _Answered(NamedTuple):
    """Factors by question, and what is said of departments under what is likelier."""

    log_bayes_factors: dict[EffectQuestion, float]
    block: AnyBlock
    density: BlockDensity


def look(cells: Cells, priors: Priors) -> Looked:
    """How much likelier the data are if a level's effects are a mixture of two normals, or differ in spread by type.

    Parameters
    ----------
    cells : Cells
    priors : Priors
        Its `undecided` questions are those asked.

    Returns
    -------
    Looked
        Bayes factors as natural logarithms: of a mixture against normal effects, and of a standard deviation by type of
        department against one for all. Of departments the likelier of the two comes first, and the other is judged with
        that in the model. σ's and the mixture's parameters are integrated out against their priors, on grids. All else
        is where the model with normal effects has its mode, and effects below a level are distributed as was found for
        them.
    """
    terms = resolve_priors(cells, priors)
    modes = find_modes(Model(Tree(cells, terms.levels), terms))
    mode, found = modes[0], Looked({}, modes, {})
    model = Model(Tree(cells, terms.levels), terms)
    levels: tuple[Level, ...] = ("department", "trust")
    for level in levels:
        if level not in priors.undecided or level not in terms.levels:
            continue
        log_sd = float(mode.log_sd[terms.levels.index(level)])
        below, of_types = middle_of(model, mode, found.blocks)
        given = around(model, mode)
        told = told_of(model.tree, given, level, log_sd, below[np.newaxis], of_types)
        if level == "department":
            answered = _of_departments(told, model.tree, terms, log_sd, priors)
        else:
            answered = _of_level(told, terms, level, log_sd)
        found.log_bayes_factors.update(answered.log_bayes_factors)
        found.blocks[level] = answered.block, answered.density
        effects: dict[Level, Heavy] = {
            of: block.effect for of, (block, _) in found.blocks.items() if block.effect != NORMAL
        }
        by_type = model.tree.by_type or answered.block.by_type
        model = Model(Tree(cells, terms.levels, effects, by_type), terms)
    return found


def _of_level(
    told: UnitValues, terms: Terms, level: Literal["trust", "department"], log_sd: float
) -> _Answered:
    """A mixture against normal effects."""
    prior = terms.scales[level]
    normal, mixture = (level_block(told, effect, prior, log_sd) for effect in (NORMAL, _MIXTURE))
    factor = mixture[1].log_total - normal[1].log_total
    return _Answered({level: factor}, *(mixture if factor > ENOUGH else normal))


def _of_departments(told: UnitValues, tree: Tree, terms: Terms, log_sd: float, priors: Priors) -> _Answered:
    """A mixture against normal effects, and a standard deviation for each type against one for all.

    The second is not asked where there is but one type, or where departments have periods: there it takes minutes.
    """
    not_asked = tree.cells.n_departments == 1 or tree.leaf_level != "department"
    if not_asked and priors.department_by_type is None:
        return _of_level(told, terms, "department", log_sd)
    types = normal_types(told, tree, terms, log_sd)
    if priors.department_by_type is not None:
        mixed = mixed_types(told, tree, types, log_sd, _MIXTURE)
        factor = mixed[1].log_bayes_factor
        return _Answered({"department": factor}, *(mixed if factor > ENOUGH else types))
    normal, mixture = (
        level_block(told, effect, terms.scales["department"], log_sd) for effect in (NORMAL, _MIXTURE)
    )
    as_mixture, by_type = (of.log_total - normal[1].log_total for of in (mixture[1], types[1]))
    if max(as_mixture, by_type) <= ENOUGH:
        return _Answered({"department": as_mixture, "department_by_type": by_type}, *normal)
    mixed = mixed_types(told, tree, types, log_sd, _MIXTURE)
    both = by_type + mixed[1].log_bayes_factor
    if by_type >= as_mixture:
        factors: dict[EffectQuestion, float] = {
            "department": both - by_type,
            "department_by_type": by_type,
        }
        return _Answered(factors, *(mixed if both - by_type > ENOUGH else types))
    factors = {"department": as_mixture, "department_by_type": both - as_mixture}
    return _Answered(factors, *(mixed if both - as_mixture > ENOUGH else mixture))
