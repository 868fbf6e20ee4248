"""The container image: its root file system, run without a container engine, and the image where one is."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import ENVIRONMENT, PACKAGING, VERSION, needs, run, script, started, version

USER = 65532


def prefix() -> list[str]:
    """What a command needs before it to mount something; the test is left out where nothing helps."""
    for before in [], ["sudo", "-n"]:
        probe = [*before, "unshare", "--mount", "true"]
        if shutil.which(probe[0]) and subprocess.run(probe, capture_output=True).returncode == 0:
            return before
    pytest.skip("needs the right to mount")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory, small_program: Path) -> Path:
    """A directory with the root file system, as `docker build` takes it."""
    directory = tmp_path_factory.mktemp("image")
    script("container/rootfs.py", small_program, directory / "amd64")
    return directory


@pytest.fixture(scope="module")
def root(image: Path) -> Path:
    """The root file system, put together as the image has it."""
    put_together = image / "together"
    for part in "root", "owned":
        shutil.copytree(image / "amd64" / part, put_together, dirs_exist_ok=True)
    return put_together


# Mounts the root file system read-only and the data directory in it, and becomes its user.
ENTER = """
mount --bind "$1" "$1"
mount --bind "$2" "$1/data"
mount -o remount,bind,ro "$1"
root=$1
shift 2
exec chroot --userspec=65532:65532 "$root" "$@"
"""


def inside(root: Path, data: Path, *arguments: str) -> list[str]:
    """The command that runs the program in the root file system."""
    variables = ["CLIPIA_SERVE_DATA=/data", "CLIPIA_SERVE_LISTEN=127.0.0.1:0", "CLIPIA_SERVE_DEV=true"]
    cleared = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *variables]
    private = [
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-euc",
        ENTER,
        "sh",
        str(root),
        str(data),
    ]
    return [*prefix(), *cleared, *private, "/usr/bin/clipia", *arguments]


def test_it_runs_read_only_as_its_user(root: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    run(*prefix(), "chown", f"{USER}:{USER}", data)
    assert "no server runs on" in run(*inside(root, data, "health"), code=6)
    with started(*inside(root, data, "serve", "--json")) as ready:
        health = json.loads(run(*inside(root, data, "health")))
        assert (health["ready"], health["says"]) == (True, "ok")
        assert json.loads(run(*inside(root, data, "doctor")))["violation"] is None
        client = {"CLIPIA_BASE_URL": ready["url"], "CLIPIA_KEY": ready["live_key"]}
        fox = ["generate", "nano-banana-2", "-p", "fox", "--set", "resolution=0.5K", "--wait"]
        # From outside, with the same program: its key is in no command line.
        made = run(root / "usr/bin/clipia", *fox, env={**ENVIRONMENT, **client})
        assert json.loads(made)["status"] == "COMPLETED"
        assert data.stat().st_uid == USER
        assert {entry.stat().st_uid for entry in data.iterdir()} == {USER}
    assert "no server runs on" in run(*inside(root, data, "health"), code=6)


def test_it_holds_the_program_and_what_it_loads(root: Path) -> None:
    programs = [path for path in root.rglob("*") if path.is_file() and os.access(path, os.X_OK)]
    names = {path.name for path in programs}
    assert "clipia" in names
    assert all(name == "clipia" or ".so" in name for name in names), "neither a shell nor a package manager"
    libraries = [path.name for path in root.rglob("*.so*")]
    assert len(libraries) < 10, libraries
    records = {path.name for path in (root / "var/lib/dpkg/status.d").iterdir()}
    assert {"libc6", "ca-certificates"} <= records
    for package in records:
        assert (root / "usr/share/doc" / package / "copyright").stat().st_size > 0


def test_a_program_that_cannot_be_loaded_makes_no_image(tmp_path: Path) -> None:
    refused = script("container/rootfs.py", PACKAGING / "npm/launcher.js", tmp_path / "rootfs", code=1)
    assert "cannot be loaded on this machine: not a dynamic executable" in refused


@needs("buildah")
@pytest.mark.skipif(os.geteuid() != 0, reason="buildah has a store for root")
def test_the_image_is_built_without_a_registry(image: Path, tmp_path: Path) -> None:
    store = ["--root", str(tmp_path / "store"), "--runroot", str(tmp_path / "run"), "--storage-driver", "vfs"]
    context = ["--format", "docker", "-f", str(PACKAGING / "container/Dockerfile"), str(image)]
    built = run("buildah", *store, "build", "--isolation", "chroot", "--quiet", *context).strip()
    config = json.loads(run("buildah", *store, "inspect", "--type", "image", built))["Docker"]["config"]
    assert (config["User"], config["WorkingDir"]) == ("65532:65532", "/data")
    assert config["Healthcheck"]["Test"] == ["CMD", "clipia", "health"]
    assert (config["Entrypoint"], config["Cmd"]) == (["clipia"], ["serve"])
    container = run("buildah", *store, "from", built).strip()
    mounted = Path(run("buildah", *store, "mount", container).strip())
    for name in "data", "media":
        assert (mounted / name).stat().st_uid == USER
    entered = ["buildah", *store, "run", "--isolation", "chroot", container, "--", "clipia"]
    assert version(*entered) == VERSION
