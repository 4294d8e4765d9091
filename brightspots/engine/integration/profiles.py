"""What the data say of the effects of the outermost level, as functions and not only by slope and curvature.

Where effects inside a trust are a mixture of normals, the likelihood of the trust's own effect is no normal's: a few
departments that are far out pull with little weight, and may be right. Given the component of its effect what each unit
inside says (departments, as a rule) is nearly normal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from brightspots.common.arrays import FloatArray, IntArray, log_sum
from brightspots.engine.integration.elimination import Elimination
from brightspots.engine.integration.leaf import leaf_marginals
from brightspots.engine.integration.scales import Scales
from brightspots.engine.integration.tree import Tree
from brightspots.engine.levels import Level
from brightspots.likelihood.outcomes import Outcomes

_LEAST_BEND = 1e-9

Components = list[tuple[FloatArray | float, FloatArray]]


@dataclass(frozen=True, eq=False)
class Inside:
    """The units inside those of the outermost level, n of them, in order.

    Parameters
    ----------
    of_top : (n,)
        Unit of the outermost level, of T, that each lies in.
    centre : (n,)
        Value of its effect around which the log likelihood is told.
    value, slope, bend : (M, n)
        Of the log likelihood in that effect, for each component of the effects of the units inside; the weights of the
        components are in the value, and the bend is below 0.
    """

    of_top: IntArray
    centre: FloatArray
    value: FloatArray
    slope: FloatArray
    bend: FloatArray

    @property
    def n_units(self) -> int:
        """T."""
        return int(self.of_top[-1]) + 1

    @property
    def least_known(self) -> FloatArray:
        """Information on each unit of the outermost level if all inside it were of the widest component, (T,)."""
        return np.bincount(self.of_top, -self.bend.max(axis=0)).astype(np.float64)

    def seen_between(self, lowest: FloatArray, highest: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Least and largest of what the units inside point to, and of two more numbers, (T,) each."""
        lowest, highest = lowest.copy(), highest.copy()
        seen = self.centre - self.slope[0] / self.bend[0]
        np.minimum.at(lowest, self.of_top, seen)
        np.maximum.at(highest, self.of_top, seen)
        return lowest, highest

    def log_likelihood(self, at: FloatArray) -> FloatArray:
        """Of effects of the outermost level, (T, P)."""
        away = at[self.of_top] - self.centre[:, np.newaxis]
        logs = log_sum(
            np.stack([
                value[:, np.newaxis] + (slope[:, np.newaxis] + 0.5 * bend[:, np.newaxis] * away) * away
                for value, slope, bend in zip(self.value, self.slope, self.bend, strict=True)
            ])
        )  # fmt: skip
        return np.stack([np.bincount(self.of_top, column, self.n_units) for column in logs.T], axis=1)


def inside_of(
    tree: Tree,
    border: FloatArray,
    effects: Mapping[Level, FloatArray],
    scales: Scales,
    eliminated: Elimination,
) -> Inside:
    """The units inside those of the outermost level; where there are none in the model, the leaves.

    Parameters
    ----------
    tree : Tree
    border : (B,)
    effects : mapping of level to (units,)
        Of every node: around which to tell what leaves say.
    scales : Scales
        Numbers.
    eliminated : Elimination
        Of pseudo-data told around these effects, for what nodes say.
    """
    top = tree.nodes[0]
    of_top = top.of_leaf if len(tree.nodes) == 1 else tree.links[0].parent
    centre = effects[top.name][of_top]
    if len(tree.nodes) > 1:
        inner, step = tree.nodes[1], eliminated.steps[1]
        known = inner.sum(step.weight)
        above = tree.predictor(border) - tree.cells.offset
        pull = inner.sum(step.linear - step.weight * above) - known * centre
        parts = []
        for log_weight, sd in tree.components(inner.name, scales):
            kept = 1.0 / (1.0 + sd**2 * known)
            value = log_weight + 0.5 * np.log(kept) + 0.5 * sd**2 * kept * pull**2
            parts.append((value, kept * pull, -known * kept))
    else:
        outcomes = Outcomes.of(tree.cells)
        # A parabola fits best where it was told: near what a leaf says itself if that is much, else near its path.
        guess, known = outcomes.guess()
        own = known * tree.leaf_variance(scales.usual())
        fixed = tree.predictor(border)
        predictor = (own * guess + fixed + tree.path(effects)) / (1.0 + own)
        centre, parts = predictor - fixed, []
        for log_weight, sd in tree.leaf_components(scales):
            found = leaf_marginals(outcomes, predictor[:, np.newaxis], sd[:, np.newaxis], tree.loops)
            parts.append((found.value[:, 0] + log_weight, found.slope[:, 0], found.curvature[:, 0]))
    value, slope, bend = (np.stack(part) for part in zip(*parts, strict=True))
    return Inside(of_top, centre, value, slope, np.minimum(bend, -_LEAST_BEND))


def said_by_leaves(
    tree: Tree, scales: Scales, leaves: slice | IntArray, predictor: FloatArray, nodes: int
) -> FloatArray:
    """Log likelihood of leaves at predictors (L, P) without their own effects, by quadrature of `nodes`, (L, P)."""
    outcomes = Outcomes.of(tree.cells, leaves)
    parts = [
        leaf_marginals(outcomes, predictor, sd[:, np.newaxis], tree.loops, nodes=nodes).value + log_weight
        for log_weight, sd in tree.leaf_components(scales, leaves)
    ]
    return log_sum(np.stack(parts))


def log_density_of_mixture(components: Components, at: FloatArray) -> FloatArray:
    """Log density of effects, (n, P), that are a mixture of normals, up to a constant."""
    return log_sum(
        np.stack([log_weight - np.log(sd[0]) - 0.5 * (at / sd[0]) ** 2 for log_weight, sd in components])
    )
