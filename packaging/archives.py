"""Makes the archive of a release for one platform: the program, with its licence and the changes.

    python3 archives.py PROGRAM TARGET OUT

Its name and what is in it depend on the version and on TARGET, Rust's name of the platform. `install.sh`,
`install.ps1` and cargo-binstall know this form. Two runs make the same bytes, so that anybody can compare
an archive with one of their own build.
"""

from __future__ import annotations

import gzip
import io
import re
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]

TEXTS = ("LICENSE", "README.md", "CHANGELOG.md")

# The newest glibc that a program for Linux may need. Red Hat 9 has it; Debian 12 has a newer one.
GLIBC_MAX = (2, 34)


def version() -> str:
    """The version of the workspace."""
    found = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)
    return found[1] if found else sys.exit("error: `Cargo.toml` has no version")


def check_glibc(program: bytes) -> None:
    """Refuses a program that was built on a system too new for what `GLIBC_MAX` promises."""
    numbers = re.findall(rb"\0GLIBC_(\d+\.\d+)(?=\0)", program)
    needed = {tuple(map(int, number.split(b"."))) for number in numbers}
    if needed and max(needed) > GLIBC_MAX:
        newest, most = (".".join(map(str, number)) for number in (max(needed), GLIBC_MAX))
        sys.exit(f"error: the program needs glibc {newest}, not {most} at most: build it on an older system")


def make(program: Path, target: str, out: Path) -> Path:
    """Makes the archive in the directory `out`."""
    name = f"clipia-queue-{version()}-{target}"
    windows = "windows" in target
    contents = {("clipia.exe" if windows else "clipia"): (program.read_bytes(), 0o755)}
    contents |= {text: ((ROOT / text).read_bytes(), 0o644) for text in TEXTS}
    if "linux" in target:
        check_glibc(contents["clipia"][0])
    out.mkdir(parents=True, exist_ok=True)
    archive = out / (name + (".zip" if windows else ".tar.gz"))
    if windows:
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
            for file, (data, _) in contents.items():
                zipped.writestr(zipfile.ZipInfo(f"{name}/{file}"), data, zipfile.ZIP_DEFLATED)
        return archive
    # Neither has a time in it, nor the name of a user.
    tarred = io.BytesIO()
    with tarfile.open(fileobj=tarred, mode="w") as tar:
        for file, (data, mode) in contents.items():
            entry = tarfile.TarInfo(f"{name}/{file}")
            entry.size, entry.mode = len(data), mode
            tar.addfile(entry, io.BytesIO(data))
    archive.write_bytes(gzip.compress(tarred.getvalue(), compresslevel=6, mtime=0))
    return archive


if __name__ == "__main__":
    match sys.argv[1:]:
        case [program, target, out]:
            print(make(Path(program), target, Path(out)))
        case _:
            sys.exit("usage: archives.py PROGRAM TARGET OUT")
