"""Nations with a known truth, and the tables that ship."""

from __future__ import annotations

from brightspots.simulate.nation import Nation, sample_nation, simulate_nation

__all__ = ["Nation", "sample_nation", "simulate_nation"]
