"""`posterior_tree`: the posterior as an xarray DataTree with labelled dimensions, which ArviZ reads."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from brightspots._version import __version__
from brightspots.common import vocabulary as names
from brightspots.common.arrays import FloatArray, IntArray
from brightspots.engine.posterior import Posterior


def posterior_tree(effects: Posterior, keep: IntArray | None = None) -> xr.DataTree:
    """Draws as a DataTree with one group, `posterior`, dims (chain, draw, trust | department | cell).

    Parameters
    ----------
    effects : Posterior
    keep : int array, optional
        Positions of the draws to keep, of S; these become one chain. By default all, in their chains.
    """
    cells, shared = effects.cells, effects.shared
    chains = effects.chains if keep is None else 1
    picked: Any = slice(None) if keep is None else keep

    def by_chain(values: FloatArray) -> FloatArray:
        """From (S, ...) to (chain, draw, ...)."""
        chosen = values[picked]
        return chosen.reshape(chains, -1, *values.shape[1:])

    variables: dict[str, Any] = {}
    for name, values in shared.scalars.items():
        variables[name] = (("chain", "draw"), by_chain(values))
    if cells.covariates:
        variables[names.COEFFICIENT] = (("chain", "draw", names.COVARIATE), by_chain(shared.coefficients))
    if shared.sd_department_by_type is not None:
        dims_of_type = ("chain", "draw", names.DEPARTMENT)
        variables[names.SD_DEPARTMENT_BY_TYPE] = (dims_of_type, by_chain(shared.sd_department_by_type))
    types = by_chain(shared.type_effect)
    dims = (names.DEPARTMENT,)
    if cells.periods is not None:
        dims = (names.DEPARTMENT, names.PERIOD)  # type: ignore[assignment]
        types = types.reshape(*types.shape[:2], cells.n_departments, len(cells.periods))
    variables[names.DEPARTMENT_TYPE_EFFECT] = (("chain", "draw", *dims), types)
    blocks = [
        (block.trust_effect[:, picked], block.department_effect[:, picked]) for block in effects.blocks()
    ]
    trust_effect = np.concatenate([trust for trust, _ in blocks]).T
    department_effect = np.concatenate([department for _, department in blocks]).T
    for name, dim, values in (
        (names.TRUST_EFFECT, names.TRUST, trust_effect),
        (names.DEPARTMENT_EFFECT, names.CELL, department_effect),
    ):
        variables[name] = (("chain", "draw", dim), values.reshape(chains, -1, values.shape[1]))
    coords: dict[str, Any] = {
        "chain": np.arange(chains),
        "draw": np.arange(variables[names.INTERCEPT][1].shape[1]),
        names.TRUST: cells.trusts,
        names.DEPARTMENT: cells.departments,
        names.CELL: np.arange(cells.n_cells),
        "cell_trust": (names.CELL, cells.trusts[cells.cell_trust]),
        "cell_department": (names.CELL, cells.departments[cells.cell_department]),
    }
    if cells.periods is not None:
        coords[names.PERIOD] = cells.periods
    if cells.covariates:
        coords[names.COVARIATE] = list(cells.covariates)
    dataset = xr.Dataset(variables, coords=coords, attrs={"library": f"brightspots {__version__}"})
    return xr.DataTree.from_dict({"/posterior": dataset})
