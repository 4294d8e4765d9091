"""`write_board_pack()`: one call from a fit to a file for the board."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from brightspots.disclosure import Rules
from brightspots.errors import SettingsError
from brightspots.exports import write_text
from brightspots.manifest import Manifest, make_manifest, without_digests
from brightspots.release import suppressed_fit, suppressed_spots
from brightspots.report.compose import nation_document, trust_document
from brightspots.report.html import render
from brightspots.report.subject import Subject

if TYPE_CHECKING:
    from brightspots.fits import HierarchyFit
    from brightspots.spots import Spots

SUFFIXES = (".html",)


def write_board_pack(
    fit: HierarchyFit,
    spots: Spots,
    path: str | os.PathLike[str],
    *,
    trust: object = None,
    title: str | None = None,
    events: str = "events",
    notes: Sequence[str] = (),
    manifest: Manifest | None = None,
    suppress_below: int | None = None,
    round_to: int | None = None,
) -> Path:
    """Write what a board should read: where the variation lies, the bright and dark spots, and what cannot be told.

    Parameters
    ----------
    fit : HierarchyFit
    spots : Spots
        Of this fit: ``fit.find_spots()``.
    path : str or path
        The suffix chooses the format: ``.html`` is one self-contained page. An existing file is replaced, and never
        by half of a new one.
    trust : label, optional
        Write about this trust, its bright and dark spots first, compared with its peers. Default: the whole nation.
    title : str, optional
        By default one that says what the pack is about.
    events : str, default "events"
        What was counted, in the plural: ``"deaths"``, ``"readmissions"``.
    notes : sequence of str, optional
        Sentences about the data that a reader must know (source, period, what was left out), such as
        the ``.attrs["notes"]`` of a reader or a sample.
    manifest : Manifest, optional
        Provenance to carry; by default that of the fit and of the running software. Digests of exact data are taken out
        where counts are suppressed: one could be tried against every possible count.
    suppress_below, round_to : int, optional
        Disclosure control, as `below` and `round_to` of `brightspots.suppress`: the model is refitted to what may be
        shown, and the pack speaks of that fit alone (see `HierarchyFit.suppressed`).

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    SettingsError
        Where the suffix is not supported, the folder does not exist, there is no such trust, or the spots come
        from another fit.
    """
    target = Path(path)
    check_suffix(target)
    if spots.effects is not fit.effects:
        raise SettingsError("the spots come from another fit: pass fit.find_spots() of the same fit")
    if suppress_below is not None or round_to is not None:
        fit, spots, said = publishable(fit, spots, Rules(suppress_below, round_to))
        notes = (*notes, *said)
        manifest = None if manifest is None else without_digests(manifest, fit)
    subject = Subject.of(fit, spots, events)
    write_text(target, page(subject, trust=trust, title=title, notes=notes, manifest=manifest))
    return target


def publishable(fit: HierarchyFit, spots: Spots, rules: Rules) -> tuple[HierarchyFit, Spots, tuple[str, ...]]:
    """Refit to what may be shown, and apply the same rule and ratings; with sentences on what was done."""
    shown, notes = suppressed_fit(fit, rules)
    return shown, suppressed_spots(shown, spots), notes


def page(
    subject: Subject,
    *,
    trust: object = None,
    title: str | None = None,
    notes: Sequence[str] = (),
    manifest: Manifest | None = None,
) -> str:
    """Compose and render one pack; with one `Subject` many can be made from what was computed once."""
    carried = make_manifest(subject.fit) if manifest is None else manifest
    if trust is None:
        return render(nation_document(subject, carried, title, notes))
    return render(trust_document(subject, subject.trust_index(trust), carried, title, notes))


def check_suffix(path: Path) -> None:
    """Raise `SettingsError` for a format that cannot be written."""
    if path.suffix.lower() not in SUFFIXES:
        raise SettingsError(
            f"a board pack is written as {' or '.join(SUFFIXES)}, by the suffix of its path; received {str(path)!r}"
        )
