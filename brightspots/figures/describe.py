"""Alternative text of figures, for screen readers."""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakKeyDictionary

from matplotlib.axes import Axes

from brightspots.common.arguments import checked
from brightspots.common.errors import SettingsError
from brightspots.common.files import legible
from brightspots.common.shortening import shorten

_DESCRIPTIONS: WeakKeyDictionary[Axes, str] = WeakKeyDictionary()


@checked
def describe(ax: Axes) -> str:
    """Return the alternative text of a figure that this library drew.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Returned by a plotting function of this library.

    Returns
    -------
    str
        A few plain sentences: kind of figure, size, what stands out, how it was made.

    Raises
    ------
    SettingsError
        Where the axes hold no figure of this library.
    """
    text = _DESCRIPTIONS.get(ax) if isinstance(ax, Axes) else None
    if text is None:
        raise SettingsError(
            "describe(ax) takes axes that a brightspots figure was drawn on; "
            f"received {type(ax).__name__} without one"
        )
    return text


def remember(ax: Axes, text: str) -> None:
    """Keep the alternative text of a figure for `describe`, as long as its axes exist."""
    _DESCRIPTIONS[ax] = legible(text)


def titled(kind: str, title: str | None) -> str:
    """Begin an alternative text: the kind of figure, and its title where it has one."""
    return f"{kind}: {shorten(title, 120)}" if title else kind


def listed(names: Sequence[str], most: int = 5) -> str:
    """Write the first few names and how many more there are."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown
