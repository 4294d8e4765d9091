"""Disclosure control: withhold small counts, round others, and leave nothing from which they could be computed.

Suppress first, compute afterwards. Results computed from a suppressed table reveal no more than the table itself.
Results computed from the exact one can reveal counts: if a count is from 1 to 10, the posterior mean of its cell can
only be one of ten numbers, and with enough digits it says which. `suppress` makes the table that may be published;
``fit.suppressed(…)``, the command line and the board pack fit that table.

Published practice: CMS lets no count from 1 to 10 be shown, or be derived from what is shown, and zeros are no
violation (CMS Cell Size Suppression Policy, 2024): ``below=11``. NHS hospital statistics write * for 1 to 7 and round
all others to 5, zeros shown (Disclosure control methodology for HES and ECDS, 2018): ``below=8, round_to=5``.

`rules` holds the options, `counts` decides what is withheld (with `secondary`), `expected` changes expected events
whose sums would reveal counts, and `table` applies all of it to a table.
"""

from brightspots.disclosure.rules import Rules, Totals, Zeros
from brightspots.disclosure.table import suppress

__all__ = ["Rules", "Totals", "Zeros", "suppress"]
