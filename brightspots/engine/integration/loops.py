"""Which of the two twins does the work: plain NumPy for a small table, compiled loops for a larger one."""

from __future__ import annotations

from types import ModuleType

# One-dimensional integrals from which compiled loops win by more than a first compilation may cost.
COMPILE_FROM = 500_000


def choose_loops(integrals: int) -> ModuleType:
    """Module with the loops, compiled or plain, that is the faster for so many integrals."""
    if integrals < COMPILE_FROM:
        from brightspots.engine.integration import loops_plain

        return loops_plain
    from brightspots.engine.integration import loops_compiled

    return loops_compiled
