"""A page as a test sees it: elements, text, and what a browser would load."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "hr", "img", "input", "path", "line", "circle", "rect"}
# End tags that HTML lets an author leave out.
IMPLIED = {"td", "li", "th", "tr", "dt", "dd", "p", "option"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    ancestors: tuple[str, ...]
    text: list[str] = field(default_factory=list)

    @property
    def words(self) -> str:
        return " ".join("".join(self.text).split())

    def __getitem__(self, name: str) -> str | None:
        return self.attributes.get(name)


class Page(HTMLParser):
    """Parse a page and keep every element, its ancestors and all the text below it."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.source = source
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self._read: list[str] = []
        self.feed(source)
        assert not [element.tag for element in self._open if element.tag not in IMPLIED]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._open and self._open[-1].tag in IMPLIED and self._open[-1].tag == tag:
            self._open.pop()
        element = Element(tag, dict(attrs), tuple(each.tag for each in self._open))
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs), tuple(each.tag for each in self._open)))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open[-1].tag != tag:
            assert self._open[-1].tag in IMPLIED, f"</{tag}> closes <{self._open[-1].tag}>"
            self._open.pop()
        assert self._open, f"</{tag}> closes nothing"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text.append(data)
        if not {"head", "script"} & {element.tag for element in self._open}:
            self._read.append(data)

    def all(self, tag: str) -> list[Element]:
        return [element for element in self.elements if element.tag == tag]

    def one(self, name: str) -> Element:
        found = [element for element in self.elements if element["id"] == name]
        assert len(found) == 1, name
        return found[0]

    @property
    def text(self) -> str:
        """What people read: all but the head and the scripts."""
        return " ".join("".join(self._read).split())
