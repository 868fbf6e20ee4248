"""The check of a built site: every link within it leads somewhere, and nothing is loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What the browser loads by itself, and what a reader may follow.
LOADED = {("script", "src"), ("link", "href"), ("img", "src"), ("source", "src")}
FOLLOWED = {("a", "href")}


@dataclass
class Page(HTMLParser):
    """What a page has and what it leads to."""

    ids: set[str] = field(default_factory=set)
    links: list[tuple[bool, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def has(self, anchor: str) -> bool:
        """Whether an anchor is there. Those of the theme's own scripts begin with `__`."""
        return not anchor or anchor in self.ids or anchor.startswith("__")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value is None:
                continue
            if name == "id":
                self.ids.add(value)
            if (tag, name) in LOADED | FOLLOWED:
                self.links.append(((tag, name) in LOADED, value))


def faults(site: Path) -> Iterator[str]:
    """What is wrong with the links of a site, a sentence for each."""
    pages: dict[Path, Page] = {}
    for file in sorted(site.rglob("*.html")):
        pages[file] = Page()
        pages[file].feed(file.read_text())
    for file, page in pages.items():
        for loaded, link in page.links:
            said = f"{file.relative_to(site)}: {link}"
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if loaded and parts.scheme != "data":
                    yield f"{said} is loaded from another host"
                continue
            # The page that is shown where there is none has addresses from the top.
            base = site if parts.path.startswith("/") else file.parent
            target = (base / unquote(parts.path).lstrip("/")).resolve() if parts.path else file
            if target.is_dir():
                target /= "index.html"
            if not target.exists():
                yield f"{said} does not exist"
            elif target in pages and not pages[target].has(unquote(parts.fragment)):
                yield f"{said} has no such anchor"
