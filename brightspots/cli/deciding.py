"""The rule and ratings that a command used, and where each came from: an option, a saved fit or the default."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from brightspots.common import vocabulary as names

if TYPE_CHECKING:
    from brightspots.cli.options import RuleOptions
    from brightspots.fit.fitted import Fitted
    from brightspots.fit.spots import Spots
    from brightspots.statistics.ratings import Ratings

_SAVED = "saved fit"


def decided_by(fitted: Fitted, spots: Spots, options: RuleOptions) -> dict[str, Any]:
    """The rule and the ratings of some spots, for `--json` and `fit.json`.

    Parameters
    ----------
    fitted : Fitted
        As it was fitted or loaded.
    spots : Spots
    options : RuleOptions
        As they were given.

    Returns
    -------
    dict
        `rule`: every field of the rule, and in `from` the origin of each (option, saved fit or default). `ratings`: who
        is rated, how many in each band, what counts as strong, and `from`; None where nobody is rated.
    """
    otherwise = "default" if fitted.decision is None else _SAVED
    given = options.given()
    sources = {
        item.name: f"--{item.name.replace('_', '-')}" if item.name in given else otherwise
        for item in fields(spots.rule)
    }
    return {
        "rule": asdict(spots.rule) | {"from": sources},
        "ratings": None
        if spots.ratings is None
        else _ratings(spots, spots.ratings, _origin(fitted, options)),
    }


def _saved_as(name: str, saved: Mapping[str, object]) -> str:
    """What a saved rule has in place of an option: of a margin and a share there is one."""
    other = {"share": "margin", "margin": "share"}.get(name)
    if saved[name] is None and other is not None:
        return f"--{other} {saved[other]} in its place"
    return str(saved[name])


def said_of_saved(path: str, fitted: Fitted, options: RuleOptions) -> list[str]:
    """Sentences that say whether the rule and ratings are those of a saved fit, or which options override them."""
    kept = fitted.decision
    if kept is None:
        return [
            f"{path} was saved without its rule and ratings: the default rule is used where no option says another"
        ]
    saved = asdict(kept.rule)
    said = [
        f"--{name.replace('_', '-')} {value} is used, and {path} was saved with {_saved_as(name, saved)}"
        for name, value in options.given().items()
        if value != saved[name]
    ]
    if options.rating is not None or options.ratings_file is not None:
        before = "without ratings" if kept.ratings is None else "with others"
        said.append(f"ratings are those of {_origin(fitted, options)}, and {path} was saved {before}")
    elif options.rating_order is not None or options.strong_from is not None:
        said.append(f"the ratings of {path} are read anew by --rating-order and --strong-from as given")
    return said or [f"decided by the rule and ratings with which {path} was saved"]


def _origin(fitted: Fitted, options: RuleOptions) -> str:
    if options.ratings_file is not None:
        return f"--ratings-file {options.ratings_file}"
    if options.rating is not None:
        return f"--rating {options.rating}"
    return f"column '{names.RATING}'" if fitted.decision is None else _SAVED


def _ratings(spots: Spots, rated: Ratings, origin: str) -> dict[str, Any]:
    bands = rated.cell_band if rated.trust_band is None else rated.trust_band
    counts = Counter(bands[bands >= 0].tolist())
    return {
        "of": "departments" if rated.by_department else "trusts",
        "bands": {str(level): counts[place] for place, level in enumerate(rated.levels)},
        "strong": rated.strong_rule or None,
        "uses_outcome": spots.rating_uses_outcome,
        "from": origin,
    }
