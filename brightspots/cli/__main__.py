"""``python -m brightspots.cli``."""

from __future__ import annotations

from brightspots.cli import main

main()
