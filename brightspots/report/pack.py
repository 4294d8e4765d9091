"""`write_board_pack()`: one call from a fit to a file for the board."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from brightspots.common.arguments import checked
from brightspots.common.errors import MissingExtraError, SettingsError
from brightspots.common.files import write_bytes
from brightspots.disclosure import Rules
from brightspots.fit.publishable import suppressed_fit, suppressed_spots
from brightspots.fit.spots import OTHER_FIT
from brightspots.report.compose import nation_document, trust_document
from brightspots.report.document import Document, legible_document
from brightspots.report.gather import nation_facts, trust_facts
from brightspots.report.manifest import Manifest, make_manifest, without_digests
from brightspots.report.subject import Subject

if TYPE_CHECKING:
    from brightspots.fit.hierarchy_fit import HierarchyFit
    from brightspots.fit.spots import Spots

SUFFIXES: Final = (".html", ".docx", ".pptx")
# Module, package and extra that a format needs beyond the library's own.
_NEEDS: Final = {".docx": ("docx", "python-docx", "word"), ".pptx": ("pptx", "python-pptx", "slides")}


@checked
def write_board_pack(
    fit: HierarchyFit,
    spots: Spots,
    path: str | os.PathLike[str],
    *,
    trust: object = None,
    title: str | None = None,
    events: str = "events",
    unit: str | None = None,
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
        The suffix chooses the format: ``.html`` is one self-contained page, ``.docx`` a paper for Word,
        ``.pptx`` slides. An existing file is replaced, once the new one is whole.
    trust : label, optional
        Write about this trust, its bright and dark spots first, compared with its peers. Default: the whole nation.
    title : str, optional
        By default one that says what the pack is about.
    events : str, default "events"
        What was counted, in the plural: ``"deaths"``, ``"readmissions"``.
    unit : str, optional
        What differences are measured in, in the plural, for a fit with ``estimate_scale="difference"``: ``"days"``,
        ``"points"``.
    notes : sequence of str, optional
        Sentences about the data that a reader must know (source, period, what was left out), such as
        the ``.attrs["notes"]`` of a reader or a sample.
    manifest : Manifest, optional
        Provenance to include; by default that of the fit and of the running software. Digests of exact data are removed
        where counts are suppressed, since every possible count could be tried against them.
    suppress_below, round_to : int, optional
        Disclosure control, as `below` and `round_to` of `brightspots.suppress`: the model is refitted to the suppressed
        data, and the pack is about that fit alone (see `HierarchyFit.suppressed`).

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    SettingsError
        Where the suffix is not supported, the folder does not exist, there is no such trust, or the spots come
        from another fit.
    MissingExtraError
        Where the format needs a package that is not installed.

    Examples
    --------
    >>> import brightspots as bs
    >>> fit = bs.fit_hierarchy(bs.simulate_nation(30, 8, seed=1).cells, seed=1)
    >>> page = bs.write_board_pack(fit, fit.find_spots(), "board.html", events="deaths")
    >>> page.name
    'board.html'
    """
    target = Path(path)
    check_suffix(target)
    if not spots.is_of(fit):
        raise SettingsError(OTHER_FIT)
    if suppress_below is not None or round_to is not None:
        fit, spots, said = publishable(fit, spots, Rules(suppress_below, round_to))
        notes = (*notes, *said)
        manifest = None if manifest is None else without_digests(manifest, fit)
    else:
        notes = (*notes, *(said for said in fit.disclosed if said not in notes))
    subject = Subject.of(fit, spots, events, unit=unit)
    write_document(compose(subject, trust=trust, title=title, notes=notes, manifest=manifest), target)
    return target


def publishable(fit: HierarchyFit, spots: Spots, rules: Rules) -> tuple[HierarchyFit, Spots, tuple[str, ...]]:
    """Refit to the suppressed data, and apply the same rule and ratings; also sentences on what was done."""
    shown, notes = suppressed_fit(fit, rules)
    return shown, suppressed_spots(shown, spots), notes


def compose(
    subject: Subject,
    *,
    trust: object = None,
    title: str | None = None,
    notes: Sequence[str] = (),
    manifest: Manifest | None = None,
) -> Document:
    """Compose one pack. Several packs of one `Subject` share what it has computed."""
    carried = make_manifest(subject.fit) if manifest is None else manifest
    if trust is None:
        return legible_document(nation_document(nation_facts(subject), carried, title, notes))
    facts = trust_facts(subject, subject.trust_index(trust))
    return legible_document(trust_document(facts, carried, title, notes))


def write_document(content: Document, path: Path) -> None:
    """Write a composed pack in the format that the suffix names, whole or not at all."""
    write_bytes(path, _writer(check_suffix(path))(content))


def check_suffix(path: Path) -> str:
    """The format of a path.

    Raises
    ------
    SettingsError
        Where no pack is written so.
    MissingExtraError
        Where writing it needs a package that is not installed.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise SettingsError(
            f"a board pack is written as {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}, by the suffix of its path; "
            f"received {str(path)!r}"
        )
    if suffix in _NEEDS:
        module, package, extra = _NEEDS[suffix]
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(package, extra=extra, purpose=f"writing {suffix}")
    return suffix


def _writer(suffix: str) -> Callable[[Document], bytes]:
    """The function that writes a format, imported here: an HTML page needs neither matplotlib nor office packages."""
    if suffix == ".docx":
        from brightspots.report import word

        return word.render
    if suffix == ".pptx":
        from brightspots.report import slides

        return slides.render
    from brightspots.report import html

    return lambda content: html.render(content).encode("utf-8")
