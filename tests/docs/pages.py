"""The pages whose blocks run, and their blocks."""

from __future__ import annotations

from pathlib import Path

from builder.fences import Block, blocks

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "llms-install.md",
    ROOT / "skills/clipia/SKILL.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]

# Text that is no program and no data.
PROSE = {"text"}


def all_blocks() -> list[tuple[Path, Block]]:
    """Every block that is a program or data, with its page."""
    found = ((page, block) for page in PAGES for block in blocks(page.read_text()))
    return [(page, block) for page, block in found if block.language not in PROSE]


def left_out() -> list[tuple[Path, Block]]:
    """Those that are not run."""
    return [(page, block) for page, block in all_blocks() if "not-run" in block.attributes]


def named(page: Path, block: Block) -> str:
    """Where a block is."""
    return f"{page.relative_to(ROOT)}:{block.line} {block.language}"
