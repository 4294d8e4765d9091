"""Tables from files as people have them: what is certain is read automatically, and everything done is said."""

from __future__ import annotations

from brightspots.parsing.readings import Reading
from brightspots.parsing.table_file import TableFile, parse_frame, read_table_file

__all__ = ["Reading", "TableFile", "parse_frame", "read_table_file"]
