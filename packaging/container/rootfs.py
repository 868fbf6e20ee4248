"""Makes the root file system of the container image: the program, what it loads, and nothing else.

    python3 rootfs.py PROGRAM DIRECTORY

`root` in DIRECTORY belongs to root in the image, and `owned` to the image's user: what the server writes.
Both are copied to `/`.

There is no base image. The program needs five libraries and the certificates of the authorities, and a base
would bring a shell and a package manager that nobody uses. So the image is built without a registry, and a
test runs these files without a container engine.

The libraries are those of this machine, which must be Debian or a relative of it. Its records of their
packages are copied as well: scanners read from them which versions are in the image. So are the texts of
their licences, which must go with them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

# The user of the image. The number is above those of people and of services: it owns nothing on the machine.
USER = 65532

# What the server writes. Volumes are mounted there; a new one gets its owner from the directory in the image.
WRITABLE = ("data", "media")

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

FILES = {
    "etc/passwd": f"root:x:0:0:root:/:/sbin/nologin\nclipia:x:{USER}:{USER}:clipia:/data:/sbin/nologin\n",
    "etc/group": f"root:x:0:\nclipia:x:{USER}:\n",
    # Names are looked up in `/etc/hosts`, then by DNS. Both are a part of the C library.
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}


def libraries(program: Path) -> list[Path]:
    """The files that the loader maps for a program, itself among them."""
    ran = subprocess.run(["ldd", program], capture_output=True, text=True)
    listed = ran.stdout
    if ran.returncode != 0:
        sys.exit(f"error: `{program}` cannot be loaded on this machine: {(listed + ran.stderr).strip()}")
    if missing := re.findall(r"^\s*(\S+) => not found", listed, re.MULTILINE):
        sys.exit(f"error: `{program}` needs {', '.join(missing)}, which this machine lacks")
    # Either `name => /path (address)`, or `/path (address)` for the loader. The kernel's own has no path.
    return [Path(path) for path in re.findall(r"(?:^|=> )\s*(/\S+) \(0x", listed, re.MULTILINE)]


def owner(file: Path) -> str:
    """The Debian package that a file belongs to."""
    # A package knows its files by the paths from before or after /lib became a link to /usr/lib.
    for known in (file, file.resolve(), Path(f"/usr{file}"), Path(str(file.resolve()).removeprefix("/usr"))):
        found = subprocess.run(["dpkg", "-S", known], capture_output=True, text=True)
        if found.returncode == 0:
            return found.stdout.split(":")[0]
    sys.exit(f"error: `{file}` is of no Debian package, so its version and its licence are unknown")


def copy(source: Path, target: Path) -> None:
    """Copies a file, not a link, with the mode that everybody may read."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)


def make(program: Path, directory: Path) -> None:
    """Makes the root file system in a new directory."""
    for name in WRITABLE:
        (directory / "owned" / name).mkdir(parents=True)
    directory = directory / "root"
    copy(program, directory / "usr/bin/clipia")
    loaded = libraries(program)
    for library in loaded:
        copy(library, directory / str(library).lstrip("/"))
    copy(CERTIFICATES, directory / str(CERTIFICATES).lstrip("/"))
    copy(Path("/etc/os-release").resolve(), directory / "etc/os-release")
    copy(ROOT / "LICENSE", directory / "usr/share/doc/clipia/copyright")
    for package in sorted({*map(owner, loaded), "ca-certificates"}):
        query = ["dpkg-query", "-s", package]
        record = subprocess.run(query, check=True, capture_output=True, text=True).stdout
        known = directory / "var/lib/dpkg/status.d" / package
        known.parent.mkdir(parents=True, exist_ok=True)
        known.write_text(record)
        licence = Path("/usr/share/doc") / package / "copyright"
        copy(licence.resolve(), directory / str(licence).lstrip("/"))
    for name, text in FILES.items():
        (directory / name).write_text(text)
    # Whoever runs the image read-only mounts a tmpfs there. Nothing of the server needs it.
    (directory / "tmp").mkdir()
    (directory / "tmp").chmod(0o1777)


if __name__ == "__main__":
    match sys.argv[1:]:
        case [program, directory]:
            make(Path(program), Path(directory))
        case _:
            sys.exit("usage: rootfs.py PROGRAM DIRECTORY")
