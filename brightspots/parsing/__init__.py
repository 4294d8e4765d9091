"""Read tables from files as people have them: what is certain is done automatically, and all of it is reported."""

from __future__ import annotations

from brightspots.parsing.readings import Reading
from brightspots.parsing.table_file import TableFile, parse_frame, read_table_file

__all__ = ["Reading", "TableFile", "parse_frame", "read_table_file"]
