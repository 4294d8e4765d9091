"""Long NUTS runs that the integrating engine is compared with; writes one small file of summaries each.

    python tests/golden/nuts_reference.py nation
    python tests/golden/nuts_reference.py ny_iqi [folder of published files]
    python tests/golden/nuts_reference.py cms_hrrp [folder of published files]

Only posterior summaries are kept: means, standard deviations and exceedance probabilities, no data.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import brightspots as bs
from brightspots.data.columns import Columns
from brightspots.data.options import ReadOptions
from brightspots.data.tables import Table, read_table
from brightspots.engine.chains import nuts, stacks
from brightspots.engine.levels import sd_name
from brightspots.statistics.summaries import cell_summary

HERE = Path(__file__).resolve().parent
DRAWS = 20_000
MARGIN = 1.1


def data(name: str, folder: Path) -> pd.DataFrame:
    """The table of one reference, periods to be pooled."""
    if name == "nation":
        return bs.load_sample("nation")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bs.DataWarning)
        if name == "ny_iqi":
            return bs.read_ny_iqi(folder / "ny_iqi_2009_2014.csv")
        # The reference is of the untruncated likelihood, as if no cell had been withheld.
        return bs.read_cms_hrrp(folder / "cms_hrrp_fy2026.csv").drop(columns="counted_from")


def table(name: str, folder: Path) -> Table:
    """Checked cells of one reference."""
    return read_table(data(name, folder), ReadOptions(Columns(period=False)), bs.Priors())


def main() -> None:
    """Sample one reference and write its summaries."""
    name = sys.argv[1]
    default = os.environ.get("BRIGHTSPOTS_REAL_DATA", "../shared/data")
    cells = table(name, Path(sys.argv[2] if len(sys.argv) > 2 else default)).cells
    posterior, certificate = nuts.sample(cells, bs.Priors(), draws=DRAWS, seed=20261122, progress=True)
    print(certificate)
    shared = posterior.shared
    sds = {sd_name(level): shared.sd[level] for level in ("trust", "department", "department_type")}
    effective = {
        key: float(stacks.effective_draws(values.reshape(nuts.CHAINS, -1, 1))[0])
        for key, values in sds.items()
    }
    summary = cell_summary(posterior, MARGIN, 0.95)
    peer = posterior.trust_effect[cells.cell_trust] + posterior.department_effect
    np.savez_compressed(
        HERE / f"nuts_{name}.npz",
        peer_mean=summary.peer.point.astype(np.float32),
        peer_sd=peer.std(axis=1).astype(np.float32),
        p_peer_high=summary.p_peer_high.astype(np.float32),
        p_own_high=summary.p_own_high.astype(np.float32),
        p_own_low=summary.p_own_low.astype(np.float32),
        **{f"{key}_mean": values.mean() for key, values in sds.items()},
        **{f"{key}_error": values.std() / effective[key] ** 0.5 for key, values in sds.items()},
        effective=min(effective.values()),
    )


if __name__ == "__main__":
    main()
