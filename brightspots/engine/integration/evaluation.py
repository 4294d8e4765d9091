"""Log likelihoods of all draws by expansions, and how far these are off."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from brightspots.common.arrays import FloatArray
from brightspots.common.parallel import map_in_order
from brightspots.engine.integration.exact import trust_log_likelihood
from brightspots.engine.integration.expansion import Expansion
from brightspots.engine.integration.outermost import integrate_trusts
from brightspots.engine.integration.polynomials import (
    TrustGroup,
    trust_groups,
    trust_polynomials,
)

_CHECKED_DRAWS = 8
_CHECKED_LEAVES = 80


def evaluate(expansions: Sequence[Expansion]) -> FloatArray:
    """Log likelihood of each unit of the outermost level at each draw, effects integrated out, (units, S)."""
    tree = expansions[0].tree
    top = tree.nodes[0]
    by_unit = np.empty((top.n_units, sum(band.draws.size for band in expansions)))

    def one(task: tuple[Expansion, TrustGroup]) -> None:
        band, group = task
        by_unit[top.units(group.leaves), band.members] = integrate_trusts(
            band, trust_polynomials(band, group)
        )

    tasks = [(band, group) for band in expansions for group in trust_groups(tree.cells, band.draws.size)]
    deque(map_in_order(one, tasks), maxlen=0)
    return by_unit


def expansion_error(
    expansions: Sequence[Expansion], by_unit: FloatArray, weights: FloatArray, generator: np.random.Generator
) -> float:
    """Error that interpolation adds to log weights, as a standard deviation over the posterior.

    A few units of the outermost level are done again by nested quadrature, at the draws that weigh most and at some
    drawn by weight.
    """
    top = expansions[0].tree.nodes[0]
    sizes = np.diff(top.leaves)
    order = generator.permutation(top.n_units)
    units = order[: max(int(np.searchsorted(np.cumsum(sizes[order]), _CHECKED_LEAVES)), 2)]
    # The draws that weigh most stand for themselves, some others, drawn by weight, for all the rest.
    share = weights / weights.sum()
    heaviest = np.argsort(share)[-_CHECKED_DRAWS // 2 :]
    mass = np.zeros(len(share))
    mass[heaviest] = share[heaviest]
    others = np.where(mass > 0.0, 0.0, share)
    if others.sum() > 0.0:  # nothing else weighs where a few draws hold all the weight
        typical = generator.choice(len(share), _CHECKED_DRAWS // 2, p=others / others.sum())
        np.add.at(mass, typical, others.sum() / len(typical))
    parts, masses = [], []
    for band in expansions:
        at = np.flatnonzero(mass[band.members])
        if len(at):
            exact = [trust_log_likelihood(band, int(unit), at) for unit in units]
            parts.append(by_unit[np.ix_(units, band.members[at])] - np.array(exact))
            masses.append(mass[band.members[at]])
    errors, by_draw = np.concatenate(parts, axis=1), np.concatenate(masses)
    # Only what varies from draw to draw changes weights. A part common to all units adds up over them, the rest as
    # its root.
    errors -= (errors @ by_draw / by_draw.sum())[:, np.newaxis]
    common = errors.mean(axis=0)
    rest = np.mean((errors - common) ** 2, axis=0)
    return float(np.sqrt((top.n_units**2 * common**2 + top.n_units * rest) @ by_draw))
