"""The loops in which a fit spends its time, compiled.

Each has a twin in plain NumPy (`loops_plain.py`), which small tables use so as not to wait for a compiler; tests hold
the two to the same numbers.
"""

from brightspots.engine.integration.loops_conditioned import conditioned_marginals
from brightspots.engine.integration.loops_leaves import leaf_marginals, products_of_types
from brightspots.engine.integration.loops_mixtures import sum_mixed_polynomials
from brightspots.engine.integration.loops_polynomials import (
    integrate_polynomials,
    largest_shifts,
    leaf_effects,
    sum_polynomials,
)
from brightspots.engine.integration.loops_types import type_densities

__all__ = [
    "conditioned_marginals",
    "integrate_polynomials",
    "largest_shifts",
    "leaf_effects",
    "leaf_marginals",
    "products_of_types",
    "sum_mixed_polynomials",
    "sum_polynomials",
    "type_densities",
]
