"""Effects against those of all departments: who belongs to the most extreme share of them, draw by draw.

Where counts are huge every department differs from the others by more than a fixed margin. Then it says more that a
department belongs to the most extreme tenth of all true effects. The effects of one draw are a possible truth for all
departments at once; their share/2 and 1 − share/2 quantiles are what the department is compared with in that draw (Shen
& Louis 1998, J R Stat Soc B 60:455; Lin, Louis, Paddock & Ridgeway 2006, Bayesian Analysis 1:915).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from brightspots.common.arrays import FloatArray
from brightspots.common.settings import Reference
from brightspots.data.cells import Cells
from brightspots.engine.posterior import EffectBlock, Posterior
from brightspots.statistics.contrasts import own_contrast, peer_effect

# Values of a draw that are kept before the largest are picked out: this many times as many as are wanted.
_SLACK = 3
_LEAST_ROWS = 1_000


@dataclass(frozen=True)
class Extremes:
    """Probabilities that each cell lies among the most extreme, (C,) each; NaN where the effect is not defined.

    Parameters
    ----------
    own_high, own_low : (C,)
        P(D above the 1 − share/2 quantile of all D), P(D below the share/2 quantile).
    peer_high, peer_low : (C,)
        The same of u + v.
    both_high, both_low : (C,)
        Of D and of u + v in the same draw, each against its own quantile.
    """

    own_high: FloatArray
    own_low: FloatArray
    peer_high: FloatArray
    peer_low: FloatArray
    both_high: FloatArray
    both_low: FloatArray

    def beyond(self, reference: Reference) -> tuple[FloatArray, FloatArray]:
        """Probabilities of the high and of the low side against one reference."""
        if reference == "organisation":
            return self.own_high, self.own_low
        if reference == "peers":
            return self.peer_high, self.peer_low
        return self.both_high, self.both_low


def extremes(posterior: Posterior, share: float) -> Extremes:
    """Probability of each cell to belong to the most extreme `share` of all effects, half of it on each side.

    Parameters
    ----------
    posterior : Posterior
    share : float
        Between 0 and 1.
    """
    cells, tail = posterior.cells, 0.5 * share
    n_own = int(np.sum(~_alone(cells)))
    ends = [
        (_Largest(tail, n), _Largest(tail, n), function)
        for n, function in ((n_own, own_contrast), (cells.n_cells, peer_effect))
    ]
    for block in posterior.blocks():
        for above, below, function in ends:
            effect = function(cells, block)
            above.add(effect)
            below.add(-effect)
    (own_top, own_bottom), (peer_top, peer_bottom) = (
        (above.edge(), -below.edge()) for above, below, _ in ends
    )

    def beyond(block: EffectBlock) -> FloatArray:
        own, peer = own_contrast(cells, block), peer_effect(cells, block)
        high, low = (own > own_top, peer > peer_top), (own < own_bottom, peer < peer_bottom)
        parts = [np.mean(each, axis=1) for each in (high[0], low[0], high[1], low[1])]
        parts += [np.mean(here & there, axis=1) for here, there in (high, low)]
        alone = np.isnan(own).any(axis=1)
        for part in (0, 1, 4, 5):
            parts[part][alone] = np.nan
        return np.stack(parts)

    return Extremes(*np.concatenate(list(posterior.map_blocks(beyond)), axis=1))


def extreme_size(posterior: Posterior, reference: Reference, share: float) -> float:
    """The size that the most extreme `share` of all effects exceed, on the scale of effects: a mean over draws.

    Where `reference` is both, the smaller of the two effects counts where they are on one side, else 0. NaN where no
    department has an effect against that reference.
    """
    cells = posterior.cells
    kept = _Largest(share, cells.n_cells if reference == "peers" else int(np.sum(~_alone(cells))))

    def size(block: EffectBlock) -> FloatArray:
        if reference == "peers":
            return np.abs(peer_effect(cells, block))
        own = own_contrast(cells, block)
        if reference == "organisation":
            return np.abs(own)
        peer = peer_effect(cells, block)
        return np.where(own * peer > 0.0, np.minimum(np.abs(own), np.abs(peer)), 0.0 * own)

    for effect in posterior.map_blocks(size):
        kept.add(effect)
    return float(np.mean(kept.edge()))


def _alone(cells: Cells) -> npt.NDArray[np.bool_]:
    """Cells that are their trust's only department, (C,)."""
    return np.asarray(np.bincount(cells.cell_trust)[cells.cell_trust] == 1)


class _Largest:
    """The 1 − tail quantile of n values in each of S draws, from values that come a few rows at a time.

    Only the largest are kept, for cells × draws may not fit into memory. The quantile is interpolated between order
    statistics as `numpy.quantile` does it.
    """

    def __init__(self, tail: float, n: int) -> None:
        self._place = (n - 1) * (1.0 - tail)
        self._keep = max(n - int(np.floor(self._place)), 1)
        self._rows: list[FloatArray] = []
        self._n = 0

    def add(self, values: FloatArray) -> None:
        """Take rows of values, (rows, S); rows that are NaN throughout do not count."""
        rows = values[~np.isnan(values[:, 0])]
        self._rows.append(rows)
        self._n += len(rows)
        if self._n > _SLACK * self._keep + _LEAST_ROWS:
            self._cut()

    def _cut(self) -> None:
        held = np.concatenate(self._rows)
        self._rows = [np.partition(held, len(held) - self._keep, axis=0)[len(held) - self._keep :]]
        self._n = self._keep

    def edge(self) -> FloatArray:
        """The quantile of each draw, (S,); NaN where there are no values."""
        if not self._n:
            return np.array([np.nan])
        held = np.sort(np.concatenate(self._rows), axis=0)[-self._keep :]
        share = self._place - np.floor(self._place)
        return np.asarray(held[0] + share * (held[min(1, self._keep - 1)] - held[0]))
