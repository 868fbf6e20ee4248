"""The reference of the metrics, as a running server tells them."""

from __future__ import annotations

import re

from .plain import code, escaped, table

HELP = re.compile(r"^# HELP (?P<name>\S+) (?P<text>.*)$")
TYPE = re.compile(r"^# TYPE (?P<name>\S+) (?P<kind>\S+)$")
LABELS = re.compile(r"^(?P<name>[a-z_]+)\{")

INTRODUCTION = """# Metrics

`/metrics` is on the address of the administration (`admin_listen`) and needs no token. The format is
Prometheus text, or OpenMetrics if the scraper asks for it. This is the list of a server with a store of its
own.

A histogram `NAME` is told as `NAME_bucket`, `NAME_sum` and `NAME_count`.

"""


def page(exposition: str) -> str:
    """The page, from what `/metrics` returned."""
    texts: dict[str, str] = {}
    kinds: dict[str, str] = {}
    labels: dict[str, set[str]] = {}
    for line in exposition.splitlines():
        if found := HELP.match(line):
            texts[found["name"]] = found["text"]
        elif found := TYPE.match(line):
            kinds[found["name"]] = found["kind"]
        elif found := LABELS.match(line):
            name = re.sub(r"_(bucket|sum|count)$", "", found["name"])
            own = set(re.findall(r"([a-z_]+)=\"", line)) - {"le"}
            labels.setdefault(name if name in kinds else found["name"], set()).update(own)
    rows = [
        [
            code(name),
            kinds[name],
            ", ".join(code(label) for label in sorted(labels.get(name, ()))),
            escaped(text),
        ]
        for name, text in sorted(texts.items())
    ]
    return INTRODUCTION + table(["metric", "type", "labels", "what it tells"], rows)
