"""What the tests of the pages share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from database import Postgres
from pages import all_blocks, left_out, named


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server of PostgreSQL, which is started when a page asks for a database."""
    postgres = Postgres()
    yield postgres
    postgres.stop()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says which blocks were not run, and why."""
    terminalreporter.write_line(f"{len(left_out())} of {len(all_blocks())} blocks are not run:")
    for page, block in left_out():
        terminalreporter.write_line(f"  {named(page, block)}: {block.attributes['not-run']}")
