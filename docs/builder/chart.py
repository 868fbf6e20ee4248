"""A chart of bars, from the numbers of a table of a page."""

from __future__ import annotations

import html
import re

# `<!-- bars: CAPTION -->` before a table. Its first column names the bars, and its second has their numbers.
MARK = re.compile(r"<!-- bars: (?P<caption>.*?) -->\n+(?P<table>(?:\|.*\n)+)")

WIDTH, LABEL, ROW, BAR = 760, 340, 34, 18


def with_charts(text: str) -> str:
    """The page, with a chart before each table that is marked."""
    return MARK.sub(lambda found: chart(found["caption"], found["table"]) + "\n" + found["table"], text)


def chart(caption: str, table: str) -> str:
    """The chart of a table, in the colours of the text and of the theme: it is read on light and on dark."""
    lines = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in table.splitlines()]
    rows = [(plain(line[0]), line[1]) for line in lines[2:]]
    values = [float(re.sub(r"[^\d.]", "", number)) for _, number in rows]
    longest = max(values) or 1
    parts: list[str] = []
    for place, ((label, number), value) in enumerate(zip(rows, values, strict=True)):
        length = (WIDTH - LABEL - 80) * value / longest
        middle = place * ROW + ROW // 2
        line = f'y="{middle}" dominant-baseline="central"'
        bar = f'y="{middle - BAR // 2}" width="{max(length, 2):.1f}" height="{BAR}" rx="2"'
        parts += [
            f'<text x="{LABEL - 10}" {line} text-anchor="end">{html.escape(label)}</text>',
            f'<rect class="bar" x="{LABEL}" {bar}/>',
            f'<text x="{LABEL + length + 8:.1f}" {line}>{html.escape(number)}</text>',
        ]
    shown = html.escape(caption)
    size = f'viewBox="0 0 {WIDTH} {len(rows) * ROW}" font-size="14" fill="currentColor"'
    svg = f'<svg role="img" aria-label="{shown}" {size}>{"".join(parts)}</svg>'
    return f'<figure class="bars">{svg}<figcaption>{shown}</figcaption></figure>\n'


def plain(cell: str) -> str:
    """The text of a cell without its marks."""
    return re.sub(r"[`*]|\]\([^)]*\)|\[", "", cell)
