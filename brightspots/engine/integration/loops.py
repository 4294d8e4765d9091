"""Which of the two twins does the work: plain NumPy for a small table, compiled loops for a larger one."""

from __future__ import annotations

from types import ModuleType

# One-dimensional integrals from which compiled loops win by more than a first compilation may cost.
COMPILE_FROM = 500_000


def choose_loops(integrals: int) -> ModuleType:
    """Module with the loops of `kernels` for so many integrals."""
    if integrals < COMPILE_FROM:
        from brightspots.engine.integration import loops_plain as vectorised

        return vectorised
    from brightspots.engine.integration import loops_compiled as kernels

    return kernels
