"""`Caution`: something about the data that readers of a result should know."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass

from brightspots.common.errors import DataWarning
from brightspots.common.vocabulary import STATEMENTS


@dataclass(frozen=True)
class Caution:
    """Something about the data that readers of a result should know.

    Parameters
    ----------
    code : str
        Which kind: "national ratio", "shrunken estimates", "too alike", "outside plain limits", "period order"; of a
        funnel also "few units", "narrow limits", "wide limits"; "way in" of what was done before the data were checked.
    text : str
        In whole sentences.
    """

    code: str
    text: str

    @property
    def statement(self) -> str:
        """The first sentence of `text` without its full stop, for captions."""
        return self.text.removesuffix(".").split(". ")[0]

    @property
    def is_doubt(self) -> bool:
        """Whether something is probably wrong with the data or the limits; else it is a plain statement about them."""
        return self.code not in STATEMENTS


def warn_of(cautions: Iterable[Caution], *, stacklevel: int, about: str = "") -> None:
    """Warn of what is in doubt (`DataWarning`). Statements are said in texts and files, not as warnings.

    Parameters
    ----------
    cautions : iterable of Caution
    stacklevel : int
        As in `warnings.warn` called by the caller of this function: 1 points at that caller, 2 at what called it.
    about : str, optional
        Put in front of each text: says which data are meant, where there are several.
    """
    for caution in cautions:
        if caution.is_doubt:
            warnings.warn(about + caution.text, DataWarning, stacklevel=stacklevel + 1)
