"""Defaults as a reader of the API reference needs them: values instead of names of ours, and each argument's own.

An extension of Griffe, which reads the sources for the site: a default such as ``names.TRUST`` is shown as ``'trust'``,
and where one entry of a docstring describes several arguments each is given its own default.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import griffe


class OwnDefaults(griffe.Extension):
    """Put constants of `common.vocabulary` in the place of their names, and defaults beside their arguments."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Go through every function of the package once it is read."""
        for function in _functions(pkg):
            for parameter in function.parameters:
                default = str(parameter.default)
                if default.startswith("names."):
                    parameter.default = str(pkg["common.vocabulary"][default.removeprefix("names.")].value)
            for section in function.docstring.parsed if function.docstring else ():
                if section.kind is griffe.DocstringSectionKind.parameters:
                    for told in section.value:
                        if told.name in function.parameters:
                            default = function.parameters[told.name].default
                            told.value = None if default is None else str(default)


def _functions(home: griffe.Module | griffe.Class) -> Iterator[griffe.Function]:
    for member in home.members.values():
        if isinstance(member, griffe.Function):
            yield member
        elif isinstance(member, griffe.Module | griffe.Class):
            yield from _functions(member)
