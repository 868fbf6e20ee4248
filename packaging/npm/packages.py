"""Makes the npm packages from built programs: `clipia-queue`, and for each platform one with its program.

    python3 packages.py OUT TARGET=PROGRAM …

`clipia-queue` names the others as optional dependencies, and npm installs the one whose `os` and `cpu` fit.
So the program comes from the registry, or from its mirror, like any package: no script downloads it at the
installation.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

# Rust's name of a platform, and npm's: the package, `os`, `cpu`, and `libc` on Linux.
PLATFORMS: dict[str, tuple[str, str, str | None]] = {
    "x86_64-unknown-linux-gnu": ("linux", "x64", "glibc"),
    "aarch64-unknown-linux-gnu": ("linux", "arm64", "glibc"),
    "x86_64-apple-darwin": ("darwin", "x64", None),
    "aarch64-apple-darwin": ("darwin", "arm64", None),
    "x86_64-pc-windows-msvc": ("win32", "x64", None),
}


def common() -> dict[str, Any]:
    """What stands in the manifest of every package."""
    # Without a parser of TOML, which Python has from 3.11 on.
    manifest = (ROOT / "Cargo.toml").read_text()
    package = dict(re.findall(r'^(version|license|repository) = "(.+)"$', manifest, re.MULTILINE))
    return {
        "version": package["version"],
        "license": package["license"],
        "author": "The Clipia Queue developers",
        "repository": {"type": "git", "url": f"git+{package['repository']}.git"},
        "homepage": package["repository"],
    }


def write(directory: Path, manifest: dict[str, Any]) -> None:
    """Writes the manifest, and the texts that npm shows."""
    (directory / "package.json").write_text(json.dumps(manifest, indent=2) + "\n")
    shutil.copy(ROOT / "LICENSE", directory)
    shutil.copy(HERE / "README.md", directory)


def of_platform(out: Path, target: str, program: Path) -> str:
    """Makes the package of a platform; returns its name."""
    system, processor, libc = PLATFORMS[target]
    name = f"@clipia-queue/{system}-{processor}"
    directory = out / name
    (directory / "bin").mkdir(parents=True)
    copied = shutil.copy(program, directory / "bin" / ("clipia.exe" if system == "win32" else "clipia"))
    # An artifact of a workflow has lost its mode.
    Path(copied).chmod(0o755)
    manifest = {
        "name": name,
        "description": f"The program of clipia-queue for {system} on {processor}",
        **common(),
        "os": [system],
        "cpu": [processor],
        **({"libc": [libc]} if libc else {}),
        "files": ["bin"],
        # Yarn keeps packages in archives, from which nothing can be started.
        "preferUnplugged": True,
    }
    write(directory, manifest)
    return name


def make(out: Path, programs: dict[str, Path]) -> None:
    """Makes all packages in a new directory."""
    out.mkdir(parents=True)
    names = [of_platform(out, target, program) for target, program in sorted(programs.items())]
    directory = out / "clipia-queue"
    (directory / "bin").mkdir(parents=True)
    shutil.copy(HERE / "launcher.js", directory / "bin" / "clipia.js")
    shared = common()
    manifest = {
        "name": "clipia-queue",
        "description": "Images, video and audio from an asynchronous queue: the client and the server",
        "keywords": ["ai", "clipia", "image-generation", "queue", "video-generation"],
        **shared,
        # Two names: `npx clipia-queue` looks for the package's, people type the shorter one.
        "bin": {"clipia": "bin/clipia.js", "clipia-queue": "bin/clipia.js"},
        "files": ["bin"],
        "engines": {"node": ">=18"},
        "optionalDependencies": dict.fromkeys(names, shared["version"]),
    }
    write(directory, manifest)


if __name__ == "__main__":
    match sys.argv[1:]:
        case [out, *pairs] if pairs and all(pair.partition("=")[0] in PLATFORMS for pair in pairs):
            named = [pair.partition("=") for pair in pairs]
            make(Path(out), {target: Path(program) for target, _, program in named})
        case _:
            sys.exit(f"usage: packages.py OUT TARGET=PROGRAM …\nTARGET is one of {', '.join(PLATFORMS)}")
