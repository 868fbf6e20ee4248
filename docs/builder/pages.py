"""The pages of `docs` as Zensical takes them: tabs, charts, and links that leave `docs`."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from .chart import with_charts
from .fences import FENCE, without_attributes

SOURCE = "https://github.com/clipia/clipia-queue/blob/main"
TABS = re.compile(r"<!-- tabs -->\n(?P<tabs>.*?)<!-- /tabs -->\n", re.DOTALL)
LABEL = re.compile(r"^\*\*(?P<label>[^*\n]+)\*\*$", re.MULTILINE)
LINK = re.compile(r"(?P<before>!?\[(?:[^\]\[]|\[[^\]]*\])*\]\()(?P<target>[^)\s#]*)(?P<anchor>#[^)\s]*)?\)")
PICTURES = {".webp", ".png", ".svg"}


@dataclass(frozen=True)
class Pages:
    """The directory `docs` of a repository, and the one that its pages are staged in."""

    root: Path
    staged: Path

    def stage(self) -> list[Path]:
        """Stages all pages, and returns their paths in `docs`."""
        docs = self.root / "docs"
        found = sorted(page.relative_to(docs) for page in docs.rglob("*.md"))
        for page in found:
            self.write(page, (docs / page).read_text())
        return found

    def write(self, page: Path, text: str) -> None:
        """Stages a page with this text."""
        at = self.staged / page
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_text(self.text(page, text))

    def text(self, page: Path, text: str) -> str:
        """The text of a page for Zensical."""
        text = with_charts(self.with_links(page, without_attributes(text)))
        return TABS.sub(lambda found: tabbed(found["tabs"]), text)

    def with_links(self, page: Path, text: str) -> str:
        """The page with links that are right where it is staged. What is in a block is no link."""
        parts, end = [], 0
        for block in FENCE.finditer(text):
            parts += [self.linked(page, text[end : block.start()]), block[0]]
            end = block.end()
        return "".join([*parts, self.linked(page, text[end:])])

    def linked(self, page: Path, text: str) -> str:
        def target(found: re.Match[str]) -> str:
            link, anchor = found["target"], found["anchor"] or ""
            if not link or ":" in link:
                return found[0]
            return f"{found['before']}{self.target(page, link)}{anchor})"

        return LINK.sub(target, text)

    def target(self, page: Path, link: str) -> str:
        """Where a relative link of a page leads from the site."""
        docs = (self.root / "docs").resolve()
        file = (docs / page.parent / link).resolve()
        if file.is_relative_to(docs):
            return link  # the check of the built site finds what is missing
        if not file.exists():
            raise ValueError(f"docs/{page}: {link} does not exist")
        if file.suffix in PICTURES:
            copy = self.staged / "pictures" / file.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
            return "../" * (len(page.parts) - 1) + f"pictures/{file.name}"
        return f"{SOURCE}/{file.relative_to(self.root.resolve()).as_posix()}"


def tabbed(text: str) -> str:
    """Blocks under bold labels, which any renderer shows one after the other, as tabs."""
    begun = list(LABEL.finditer(text))
    if not begun:
        raise ValueError(f"tabs without a label: {text!r}")
    tabs = ""
    for number, label in enumerate(begun):
        end = begun[number + 1].start() if number + 1 < len(begun) else len(text)
        body = text[label.end() : end].strip("\n")
        indented = "\n".join(f"    {line}" if line else "" for line in body.splitlines())
        tabs += f'=== "{label["label"]}"\n\n{indented}\n\n'
    return tabs
