"""Refuse a built site that would ask anything from elsewhere when it is read.

``python docs/check_site.py site`` looks at every script, style, image, font and frame of every page. Links that a
reader may follow are not requests.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

# Attributes by which a page loads something at once.
_LOADS = {
    "script": ("src",), "img": ("src", "srcset"), "iframe": ("src",), "source": ("src", "srcset"), "video": ("src",),
    "audio": ("src",), "embed": ("src",), "object": ("data",), "input": ("src",), "use": ("href", "xlink:href"),
}  # fmt: skip
_LOADED_LINKS = {
    "stylesheet",
    "icon",
    "preconnect",
    "dns-prefetch",
    "preload",
    "modulepreload",
    "prefetch",
    "manifest",
}
_STYLE_URL = re.compile(r"(?:url\(\s*['\"]?|@import\s+['\"])((?:https?:)?//[^'\")\s]+)")
_ELSEWHERE = re.compile(r"\s*(?:https?:)?//")
# The theme's script fetches from a repository's host only where a page has this component, and the library of diagrams
# only where a page has a diagram.
_FETCHES = ('data-md-component="source"', 'class="mermaid"')


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        addresses = [given[name] for name in _LOADS.get(tag, ()) if name in given]
        if tag == "link" and _LOADED_LINKS & set(given.get("rel", "").split()):
            addresses.append(given.get("href", ""))
        if "style" in given:
            addresses += _STYLE_URL.findall(given["style"])
        self.found += [address for address in addresses if _ELSEWHERE.match(address)]


def outside_requests(site: Path) -> list[str]:
    """What the pages and styles of a site load from elsewhere: file and address."""
    found = []
    for path in sorted(site.rglob("*")):
        if path.suffix == ".html":
            text = path.read_text(encoding="utf-8")
            page = _Page()
            page.feed(text)
            styles = [
                address
                for style in re.findall(r"<style[^>]*>(.*?)</style>", text, re.DOTALL)
                for address in _STYLE_URL.findall(style)
            ]
            fetched = [mark for mark in _FETCHES if mark in text]
            found += [f"{path}: {address}" for address in [*page.found, *styles, *fetched]]
        elif path.suffix == ".css":
            found += [
                f"{path}: {address}" for address in _STYLE_URL.findall(path.read_text(encoding="utf-8"))
            ]
    return found


def main(arguments: list[str]) -> None:
    """Say what is asked from elsewhere, and fail where there is any."""
    site = Path(arguments[0])
    pages = len(list(site.rglob("*.html")))
    if not pages:
        raise SystemExit(f"{site} holds no pages")
    found = outside_requests(site)
    if found:
        raise SystemExit("\n".join(["the site asks for something from elsewhere:", *found]))
    print(f"{pages} pages, and none asks for anything from elsewhere")


if __name__ == "__main__":
    main(sys.argv[1:])
