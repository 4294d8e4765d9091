"""How loops are compiled, and the arithmetic that all of them use.

Numba compiles a loop when its module is loaded, and keeps the result on disk, so that a machine compiles once
(`compiled_code` says where, and `twins` whether it is waited for). Compiled loops release the interpreter's lock:
callers spread them over threads.

The compiler works on several numbers at once where an inner loop is a few multiplications and additions of arrays that
it can see not to overlap. So loops name each row outside the innermost one, write one array in each, add instead of
taking maxima, and call nothing; exponentials are written out (`exp_negative`).
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import numba

from brightspots.common.compiled_code import kept_in

Function = TypeVar("Function", bound=Callable[..., Any])

# Draws worked on together: a dozen arrays of so many stay in a core's innermost cache.
BLOCK: Final = 192


# What the compiler may do to sums and products; numbers that are not numbers stay so.
_REORDERED: Final = {"contract", "reassoc", "nsz", "arcp"}


def compiled(signature: str) -> Callable[[Function], Function]:
    """Compile a function for arguments of one signature, when its module is loaded."""

    def decorate(function: Function) -> Function:
        # Division by zero gives what it gives in NumPy: a check for it would keep loops from being vectorised.
        options: dict[str, Any] = {"nogil": True, "fastmath": _REORDERED, "error_model": "numpy"}
        folder = kept_in()
        usual = numba.config.CACHE_DIR
        numba.config.CACHE_DIR = usual if folder is None else str(folder)
        try:
            result: Function = numba.njit(signature, cache=folder is not None, **options)(function)
        finally:
            numba.config.CACHE_DIR = usual
        return result

    return decorate


# Parts of loops, put into them before these are compiled: calls would cost a tenth.
inlined = numba.njit(inline="always")
# Parts that are called, and compiled with the first loop that calls them.
called = numba.njit(nogil=True, fastmath=_REORDERED, error_model="numpy")


@inlined
def exp_negative(x):
    """e^x for x ≤ 0, to 1e-12 of itself; below e^-64 that.

    e^(x/64) by Taylor's polynomial about −½, then squared six times: nothing but multiplications and additions.
    """
    t = max(x, -64.0) * 0.015625 + 0.5
    value = 1.0 / 479001600.0
    value = value * t + 1.0 / 39916800.0
    value = value * t + 1.0 / 3628800.0
    value = value * t + 1.0 / 362880.0
    value = value * t + 1.0 / 40320.0
    value = value * t + 1.0 / 5040.0
    value = value * t + 1.0 / 720.0
    value = value * t + 1.0 / 120.0
    value = value * t + 1.0 / 24.0
    value = value * t + 1.0 / 6.0
    value = value * t + 0.5
    value = value * t + 1.0
    value = (value * t + 1.0) * 0.60653065971263342
    value = value * value
    value = value * value
    value = value * value
    value = value * value
    value = value * value
    return value * value
