"""Which of the two twins does the work: plain NumPy for a small table, compiled loops for a larger one."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from brightspots.common.twins import Sizes, takes_compiled

# By one-dimensional integrals. A million of them, and what is then made of them, take plain loops half a second, and
# all loops are compiled in about ten.
SIZES: Final = Sizes(compiled_from=500_000, wait_from=20_000_000)


def choose_loops(integrals: int) -> ModuleType:
    """Module with the loops, compiled or plain, that do so many integrals."""
    if takes_compiled(integrals, SIZES):
        from brightspots.engine.integration import loops_compiled

        return loops_compiled
    from brightspots.engine.integration import loops_plain

    return loops_plain
