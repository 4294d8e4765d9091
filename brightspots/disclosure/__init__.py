"""Disclosure control on the way out: small counts withheld, others rounded, and nothing left that gives them back.

Suppress first, compute afterwards. What is computed from a suppressed table cannot say more than the table does; what
is computed from the exact one can: a posterior mean of a small cell is one of ten numbers, and so, to enough digits, is
that of its neighbour. `suppress` makes the table that may be published; ``fit.suppressed(…)``, the command line and
the board pack fit that.

Published practice: CMS lets no count from 1 to 10 be shown, or be derived from what is shown, and zeros are no
violation (CMS Cell Size Suppression Policy, 2024): ``below=11``. NHS hospital statistics write * for 1 to 7 and round
all others to 5, zeros shown (Disclosure control methodology for HES and ECDS, 2018): ``below=8, round_to=5``.

`rules` says what was asked for, `counts` decides what is withheld (with `secondary`), `expected` keeps expected events
from telling what their sums are, and `table` does it to a table.
"""

from brightspots.disclosure.rules import Rules, Totals, Zeros
from brightspots.disclosure.table import suppress

__all__ = ["Rules", "Totals", "Zeros", "suppress"]
