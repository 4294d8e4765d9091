"""Check arguments of public functions against their annotations, with errors that say what was expected."""

from __future__ import annotations

import builtins
import collections.abc as abc
import dataclasses
import functools
import inspect
import math
import os
import reprlib
import types
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin

import numpy as np

from brightspots.common.errors import SettingsError

Thing = TypeVar("Thing", bound=Callable[..., Any])

# Numbers and short texts are quoted as they are; of anything longer, its kind says more.
_LONGEST: Final = 80
# From here on numpy and indices do not hold a whole number; seeds may be as long as they like.
_TOO_LARGE: Final = 2**63
_WORDS: Final[Mapping[Any, tuple[str, str]]] = {
    str: ("text", "texts"),
    bool: ("True or False", "True or False"),
    int: ("a whole number", "whole numbers"),
    float: ("a finite number", "finite numbers"),
    type(None): ("None", "None"),
    os.PathLike: ("a path", "paths"),
}
# Words for a class in errors: what it is, or what returns one.
_KINDS: Final[Mapping[str, str]] = {
    "Axes": "a matplotlib Axes",
    "ReadableFile": "an open file",
    "FunnelLimits": "what funnel_limits() returns",
    "HierarchyFit": "a fit, which fit_hierarchy() returns",
    "Spots": "what fit.find_spots() returns",
    "Standardised": "the result of standardise()",
}
# Arguments that name a column, in functions that take the columns of a table by name.
_COLUMNS: Final = frozenset(
    (
        *("trust", "department", "observed", "expected", "denominator", "observed_lower", "observed_upper"),
        *("counted_from", "estimate", "standard_error", "period", "outcome", "casemix", "keep"),
    )
)
# Names that other software (or another function here) has for an option, and what it is called here.
_SYNONYMS: Final[Mapping[str, tuple[str, ...]]] = {
    "threshold": ("below", "suppress_below"),
    "minimum": ("below", "suppress_below"),
    "below": ("suppress_below",),
    "suppress_below": ("below",),
    "ratings": ("rating",),
    "alpha": ("levels",),
}


# Classes of options (`Priors`, `SpotRule`): the argument by which functions take them, and the call to recommend where
# a function does not take them. Filled by `send_options_to`.
_HOMES: Final[dict[type, tuple[str, str]]] = {}


def checked(thing: Thing) -> Thing:
    """Check the arguments of a function, or of every public method of a class, against their annotations.

    A value of another kind raises a `SettingsError` that names the argument, says what was expected and quotes what was
    received. NumPy's scalars become Python's numbers and booleans. Arguments annotated with `Any` or `object` are not
    checked. Where an option of `SpotRule` or `Priors` is passed to a function that has no such option, the error says
    how to pass it.

    Returns
    -------
    callable or type
        A function that checks and then calls `thing`: this adds one frame to the stack, which the `stacklevel` of
        warnings inside `thing` must count. Of a class: the class itself, with its public methods wrapped.
    """
    if isinstance(thing, type):
        for name, method in list(vars(thing).items()):
            if inspect.isfunction(method) and not name.startswith("_"):
                setattr(thing, name, checked(method))
        return thing
    signature = inspect.signature(thing)
    columns = _COLUMNS & set(signature.parameters) if "department" in signature.parameters else frozenset()

    @functools.cache
    def hints() -> dict[str, Any]:
        return {name: _hint(parameter, thing) for name, parameter in signature.parameters.items()}

    @functools.wraps(thing)
    def run(*positional: Any, **named: Any) -> Any:
        try:
            given = signature.bind(*positional, **named)
        except TypeError:
            _send_to_its_home(thing, signature, hints(), named)
            return thing(*positional, **named)  # which says what is missing or too many, in Python's words
        for name, value in given.arguments.items():
            given.arguments[name] = as_annotated(name, value, hints()[name], columns=name in columns)
        return thing(*given.args, **given.kwargs)

    return run  # type: ignore[return-value]


def send_options_to(home: type, argument: str, elsewhere: str) -> None:
    """Register a class of options, so that errors say where to pass an option that was given to a function directly.

    Parameters
    ----------
    home : type
        A dataclass of options.
    argument : str
        Name of the argument by which functions take such an object, such as "priors".
    elsewhere : str
        The call to recommend where a function has no such argument, with ``{}`` in place of ``option=value``.
    """
    _HOMES[home] = (argument, elsewhere)


def as_annotated(name: str, value: Any, hint: Any, *, columns: bool = False) -> Any:
    """Return a value that fits its annotation, NumPy's scalars as Python's, or raise `SettingsError`.

    Parameters
    ----------
    name : str
        Of the argument, for the error.
    value : object
    hint : annotation
        Evaluated, not as text.
    columns : bool, default False
        Whether texts are names of columns: the error then says so.
    """
    usable, plain = _as(value, hint)
    if usable and isinstance(plain, int) and abs(plain) >= _TOO_LARGE and name != "seed":
        raise SettingsError(f"{name} is too large a number; received {shown(value)}")
    is_path = any(get_origin(part) is os.PathLike for part in get_args(hint))
    if usable and is_path and not _names_a_file(plain):
        raise SettingsError(f"{name} must be a path that the system can have; received {shown(value)}")
    if usable:
        return plain
    wanted = _described(hint)
    if columns:
        wanted = wanted.replace("a sequence of texts", "a list of columns").replace(
            "text", "the name of a column"
        )
    single = isinstance(value, str) and ("a sequence" in wanted or "a list" in wanted)
    perhaps = f", perhaps [{shown(value)}]" if single else ""
    if isinstance(value, Mapping) and value and all(_as(each, hint)[0] for each in value.values()):
        keys = [shown(key) for key in value]
        several = ", ".join(keys[:5]) + (", …" if len(keys) > 5 else "")
        perhaps = f" that holds {len(keys):,} ({several}): pass one, such as {name.rstrip('s')}s[{keys[0]}]"
    raise SettingsError(f"{name} must be {wanted}; received {shown(value)}{perhaps}")


def _names_a_file(value: Any) -> bool:
    """Whether the system can have a file of this name; True for anything but text (open files, path objects)."""
    try:
        return not isinstance(value, str) or b"\0" not in os.fsencode(value)
    except UnicodeEncodeError:
        return False


def check_number(name: str, value: object) -> float:
    """Return a finite number as a float, or raise `SettingsError`."""
    number: float = as_annotated(name, value, float)
    return float(number)


def check_whole(name: str, value: object, wanted: str = "a positive whole number", least: int = 1) -> int:
    """Return a whole number of at least `least`, or raise `SettingsError`."""
    usable, plain = _as(value, int)
    if not usable or plain < least:
        raise SettingsError(f"{name} must be {wanted}; received {shown(value)}")
    return int(plain)


def check_choice(name: str, value: object, choices: abc.Sequence[str]) -> None:
    """Raise `SettingsError` unless the value is one of some words."""
    if not (isinstance(value, str) and value in choices):
        raise SettingsError(f"{name} must be one of {', '.join(choices)}; received {shown(value)}")


def is_label(value: Any) -> bool:
    """Whether a value can be the label of one unit: text, a number, a date, …, and neither missing nor several."""
    if isinstance(value, abc.Iterable) and not isinstance(value, str | bytes):
        return False
    try:
        hash(value)
        str(value)
        return bool(value == value)  # what is missing does not equal itself
    except Exception:  # noqa: BLE001 - whatever an object of somebody else does when compared or written
        return False


def shown(value: object) -> str:
    """Quote what was received; of a value that is long or cannot be quoted, name its type."""
    if isinstance(value, np.generic):
        value = value.item()
    try:
        quoted = reprlib.repr(value) if isinstance(value, str | bytes | int) else repr(value)
    except Exception:  # noqa: BLE001 - whatever an object of somebody else does when asked for its text
        quoted = ""
    short = quoted and len(quoted) <= _LONGEST and "\n" not in quoted and " object at 0x" not in quoted
    return quoted if short else f"a value of type {type(value).__name__}"


def _hint(parameter: inspect.Parameter, function: Callable[..., Any]) -> Any:
    """Evaluate an annotation; a name that is imported for type checkers only becomes an `_OnlyNamed` class."""
    annotation = parameter.annotation
    if annotation is inspect.Parameter.empty:
        return Any
    if not isinstance(annotation, str):
        return annotation
    return eval(annotation, {}, _Names(function.__globals__))


class _Names(dict[str, Any]):
    """The global names of a module; for a name that it lacks at run time, an `_OnlyNamed` class of that name."""

    def __missing__(self, name: str) -> Any:
        return getattr(builtins, name, None) or type(name, (_OnlyNamed,), {})


class _OnlyNamed:
    """Base of classes that stand for one not imported: a value fits where a class of that name is among its bases."""


def _as(value: Any, hint: Any) -> tuple[bool, Any]:
    """Whether a value fits an annotation, and the value with NumPy's scalars as Python's."""
    origin, parts = get_origin(hint), get_args(hint)
    if hint is Any or hint is object:
        return True, value
    if origin in (Union, types.UnionType):
        answers = (_as(value, part) for part in parts)
        return next((answer for answer in answers if answer[0]), (False, value))
    if origin is Literal:
        return isinstance(value, str | None) and value in parts, value
    if hint is None or hint is type(None):
        return value is None, value
    if hint in (bool, int, float):
        return _as_number(value, hint)
    if origin in (abc.Sequence, abc.Iterable, abc.Collection, list, tuple):
        return _as_sequence(value, origin, parts)
    if origin is not None:
        return (isinstance(value, origin) if isinstance(origin, type) else True), value
    if not isinstance(hint, type):
        return True, value
    if issubclass(hint, _OnlyNamed):
        return hint.__name__ in {base.__name__ for base in type(value).__mro__}, value
    if getattr(hint, "_is_protocol", False):  # known by what it does
        return all(hasattr(value, name) for name in vars(hint) if not name.startswith("_")), value
    return isinstance(value, hint), value


def _as_number(value: Any, kind: type) -> tuple[bool, Any]:
    """As `_as` for bool, int and float; a boolean is no number, and a float must be finite."""
    plain = value.item() if isinstance(value, np.generic) else value
    if kind is bool or isinstance(plain, bool):
        return kind is bool and isinstance(plain, bool), plain
    if kind is int:
        return isinstance(plain, int), plain
    try:
        return isinstance(plain, int | float) and math.isfinite(plain), plain
    except OverflowError:  # a whole number that no float holds
        return False, plain


def _as_sequence(value: Any, origin: Any, parts: tuple[Any, ...]) -> tuple[bool, Any]:
    """As `_as` for sequences, item by item; an iterator, which can be read only once, is returned as a tuple."""
    if isinstance(value, str | bytes | bytearray | Mapping) or not isinstance(value, abc.Iterable):
        return False, value
    try:
        items = list(value)
    except Exception:  # noqa: BLE001 - an array without dimensions, a generator that fails
        return False, value
    fixed = origin is tuple and Ellipsis not in parts
    if fixed and len(items) != len(parts):
        return False, value
    kinds = parts if fixed else (parts[0] if parts else Any,) * len(items)
    answers = [_as(item, kind) for item, kind in zip(items, kinds, strict=True)]
    unchanged = all(plain is item for (_, plain), item in zip(answers, items, strict=True))
    keep = unchanged and not isinstance(value, abc.Iterator)
    return all(usable for usable, _ in answers), value if keep else tuple(plain for _, plain in answers)


def _alternatives(hint: Any, plural: bool) -> list[str]:
    """Words for one part of a union; the two values of a two-value Literal, or of bool, are listed separately."""
    parts = get_args(hint)
    if get_origin(hint) is Literal and len(parts) == 2:
        return list(map(repr, parts))
    return ["True", "False"] if hint is bool else [_described(hint, plural)]


def _described(hint: Any, plural: bool = False) -> str:
    """An annotation in words."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        words = list(dict.fromkeys(word for part in parts for word in _alternatives(part, plural)))
        if "a path" in words and "text" in words:
            words.remove("text")
        return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
    if origin is Literal:
        if len(parts) == 2:
            return " or ".join(map(repr, parts))
        return f"one of {', '.join(map(str, parts))}"
    if origin in (abc.Sequence, abc.Iterable, abc.Collection, list, tuple):
        if origin is tuple and Ellipsis not in parts:
            return f"a sequence of {len(parts)} {_described(parts[0], plural=True)}"
        items = parts[0] if parts else Any
        return f"a sequence of {'labels' if items in (Any, object) else _described(items, plural=True)}"
    if hint in _WORDS or origin in _WORDS:
        return _WORDS[hint if hint in _WORDS else origin][plural]
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "mappings" if plural else "a mapping"
    name = getattr(hint, "__name__", str(hint))
    if name in _KINDS and not plural:
        return _KINDS[name]
    return f"{name} objects" if plural else f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


def _send_to_its_home(
    function: Callable[..., Any],
    signature: inspect.Signature,
    hints: Mapping[str, Any],
    named: Mapping[str, Any],
) -> None:
    """Raise `SettingsError` for an unknown option that has another name here or belongs to a registered class."""
    for name, value in named.items():
        if name in signature.parameters:
            continue
        typed = f"{name}={shown(value)}"
        for synonym in _SYNONYMS.get(name, ()):
            if synonym in signature.parameters:
                raise SettingsError(
                    f"{function.__name__}() has no option {name}: pass {synonym}={shown(value)}"
                )
        for home, (argument, elsewhere) in _HOMES.items():
            if name not in {field.name for field in dataclasses.fields(home)}:
                continue
            accepts = home in (hints.get(argument), *get_args(hints.get(argument)))
            where = f"{argument}={home.__name__}({typed})" if accepts else elsewhere.format(typed)
            raise SettingsError(
                f"{function.__name__}() has no option {name}, which belongs to {home.__name__}: pass {where}"
            )
