"""Put messages of the library into the words of the command line: options in place of arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

# Arguments whose option has another name than theirs (with dashes).
RENAMED: Final[Mapping[str, str]] = {
    "trust": "trust_column",
    "department": "department_column",
    "below": "suppress_below",
    "zeros": "withhold_zeros",
}
# Arguments for which some command has no option, without those that are plain words, such as observed.
WITHOUT_OPTION: Final = frozenset(
    (
        *(
            "estimate_scale",
            "in_line",
            "min_reliability",
            "min_expected",
            "department_type",
            "department_by_type",
        ),
        *(
            "priors",
            "outcome",
            "sampler",
            "tau2",
            "trim",
            "target",
            "sides",
            "keep",
            "mark",
            "totals",
            "model",
        ),
        *(
            "observed_lower",
            "observed_upper",
            "counted_from",
            "standard_error",
            "rating_order",
            "strong_from",
        ),
        *("difference", "effects", "trust_effects", "rule", "spots", "progress", "offset", "tidy_labels"),
    )
)
# Phrases of messages to replace, because the command line has another way to do it, or none.
_PHRASES: Final = (
    (r"pass priors=Priors\(department=None, department_type=None\) to fit trusts alone",
     "to compare trusts alone, draw them with brightspots funnel"),
    (r"(or )?pass it as a mapping; ratings of departments as a frame with the columns",
     r"\1give --ratings-file; ratings of departments are a table with the columns"),
    (r"pass it as a mapping", "give it with --ratings-file"),
    (r"\bpass period=False\b", "give --pool-periods"),
    (r"\bperiod=False\b", "--pool-periods"),
    (r"pass bins=\{'([^']*)': \[([^\]]*)\]\}", r"give --bins '\1=\2'"),
    (r"bins=\{'([^']*)': '?(\w+)'?\}", r"--bins '\1=\2'"),
    (r"in Priors\(([^)]*)\)|with Priors\(([^)]*)\)", "with these priors"),
    (r"give (tau2|trim|target)\b", r"state \1 from Python"),
    (r", for example with pandas\.qcut", ""),
    (r"read the file first, for example with pandas\.read_csv", "name a file"),
    (r"numbers, an ordered categorical, or the Care Quality Commission's words",
     "numbers, or the Care Quality Commission's words"),
    (r"to publish results use fit\.suppressed\(\)", "to publish results use fit and report with --suppress-below"),
    (r"publish fit\.suppressed\(…\)", "publish it with --suppress-below"),
    (r"brightspots\.suppress\(\)", "standardise and funnel with --suppress-below"),
    (r"plot_partition\(\) and plot_funnel\(\) of all trusts are", "brightspots funnel of all trusts is"),
    (r"with column names of your own, columns=", "with names of your own, "),
    (r"\bspots\.table\b", "the table of spots"),
)  # fmt: skip
_CALLS: Final[Mapping[str, str]] = {
    "fit_hierarchy": "brightspots fit",
    "standardise": "brightspots standardise",
    "funnel_limits": "brightspots funnel",
    "plot_funnel": "brightspots funnel",
    "write_board_pack": "brightspots report",
    "find_spots": "brightspots fit",
    "tidy": "brightspots check",
    "check_table": "brightspots check",
}
_QUOTED: Final = re.compile(r"(?<!\w)('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")(?!\w)")
_VALUE: Final = r"(?P<value>'[^']*'|\"[^\"]*\"|\[[^\]]*\]|\{[^}]*\}|\([^)]*\)|…|[\w.]+)?"
_PLAIN: Final = re.compile(r"[\w.,=-]+")
_NOTHING: Final = ("", "…", "[…]", "True", "False", "None")


def in_options(said: str, options: Mapping[str, str]) -> str:
    """Put a message of the library into the words of a command.

    Parameters
    ----------
    said : str
    options : mapping
        Parameter of the command to the option that sets it.

    Returns
    -------
    str
        The message with options in place of Python's arguments; text in quotation marks (columns, labels, values) is
        kept.
    """
    for pattern, words in _PHRASES:
        said = re.sub(pattern, words, said)
    said = re.sub(r"\b(?:SpotRule|Priors|Rules)\((\w+)\)", lambda found: _named(found[1], options), said)
    said = re.sub(r"\b(?:SpotRule|Priors|Rules)\(([^()]*)\)", r"\1", said)
    known = {*options, *RENAMED, *WITHOUT_OPTION}
    argument = re.compile(
        rf"(?P<verb>\bpass )?(?<![\w'\"/.])(?P<name>{'|'.join(sorted(known, key=len, reverse=True))})={_VALUE}"
    )
    said = argument.sub(lambda found: _given(found, options), said)
    pieces = _QUOTED.split(said)
    return "".join(piece if at % 2 else _bare(piece, known, options) for at, piece in enumerate(pieces))


def _given(found: re.Match[str], options: Mapping[str, str]) -> str:
    """``pass trust=…`` as ``give --trust-column``."""
    value = found["value"] or ""
    bare = value.strip("'")
    shown = "" if value in _NOTHING else f" {bare if _PLAIN.fullmatch(bare) else value}"
    where = "" if _option(found["name"], options) else " (from Python)"
    return f"{'give ' if found['verb'] else ''}{_named(found['name'], options)}{shown}{where}"


def _bare(piece: str, known: set[str], options: Mapping[str, str]) -> str:
    """Replace calls and names with underscores in a piece of text without quotation marks."""
    piece = re.sub(
        r"\b(?:fit\.|spots\.|brightspots\.|bs\.)?([a-z]+(?:_[a-z]+)*)\(\)",
        lambda found: _CALLS.get(found[1], found[1].replace("_", " ")),
        piece,
    )
    return re.sub(
        r"(?<![\w./-])([a-z]+(?:_[a-z0-9]+)+)(?![\w/]|\.\w)",
        lambda found: _named(found[1], options) if found[1] in known else found[0],
        piece,
    )


def _option(name: str, options: Mapping[str, str]) -> str | None:
    renamed = RENAMED.get(name, name)
    return options.get(renamed, options.get(name))


def _named(name: str, options: Mapping[str, str]) -> str:
    """The option of an argument, or its name in words where the command has none."""
    return _option(name, options) or name.replace("_", " ")
