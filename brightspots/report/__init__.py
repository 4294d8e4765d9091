"""The board pack."""

from __future__ import annotations

from brightspots.report.pack import write_board_pack

__all__ = ["write_board_pack"]
