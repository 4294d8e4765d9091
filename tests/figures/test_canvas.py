"""The library's style stays inside its figures."""

from __future__ import annotations

import matplotlib
import pytest

from brightspots.figures import canvas


def test_a_backend_that_turns_interactive_mode_on_while_drawing_keeps_it_on():
    """As Jupyter's does when the first figure of a session is drawn by the library."""
    before = matplotlib.is_interactive()
    try:
        matplotlib.interactive(False)
        with canvas.style():
            matplotlib.interactive(True)
        assert matplotlib.is_interactive()
        with pytest.raises(ValueError, match="drawing"), canvas.style():
            raise ValueError("drawing")
        assert matplotlib.is_interactive()
    finally:
        matplotlib.interactive(before)
