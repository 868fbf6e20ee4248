"""How a release is prepared, and what the workflow of a release promises."""

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import PACKAGING, ROOT, VERSION, run

RELEASE: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in "Cargo.toml", "Cargo.lock", "CHANGELOG.md":
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def release(checkout: Path, *arguments: str, code: int = 0) -> str:
    return run(sys.executable, PACKAGING / "release.py", *arguments, code=code, cwd=checkout)


def test_a_release_has_its_version_and_its_changes(checkout: Path) -> None:
    before = {name: (checkout / name).read_text() for name in ("Cargo.toml", "Cargo.lock", "CHANGELOG.md")}
    changes = before["CHANGELOG.md"].split("## Unreleased\n")[1].split("\n## ")[0].strip()
    release(checkout, "prepare", "99.1.0")
    assert release(checkout, "notes", "v99.1.0").strip() == changes
    # Nothing else changed.
    for name in "Cargo.toml", "Cargo.lock":
        assert (checkout / name).read_text().replace("99.1.0", VERSION) == before[name]
    assert (checkout / "CHANGELOG.md").read_text().index("## Unreleased\n\n## 99.1.0 - 20") > 0
    members = [path for path in (ROOT / "crates").iterdir() if (path / "Cargo.toml").exists()]
    assert (checkout / "Cargo.toml").read_text().count('"99.1.0"') == len(members) + 1
    # All crates of the workspace: those of `crates/`, the Python package, the tests, `xtask`.
    assert (checkout / "Cargo.lock").read_text().count('"99.1.0"') == len(members) + 4


def test_what_does_not_fit_is_refused(checkout: Path) -> None:
    assert f"the tag must be `v{VERSION}`" in release(checkout, "notes", "v99.1.0", code=1)
    assert "is no version" in release(checkout, "prepare", "v2", code=1)
    assert "has no changes under" in release(checkout, "notes", f"v{VERSION}", code=1)
    release(checkout, "prepare", "99.1.0")
    assert "a release has changes" in release(checkout, "prepare", "99.2.0", code=1)


def needed(job: str) -> set[str]:
    """The jobs that must have succeeded before `job`, directly and indirectly."""
    needs = RELEASE["jobs"][job].get("needs", [])
    direct = {needs} if isinstance(needs, str) else set(needs)
    return direct.union(*map(needed, direct))


def test_nothing_is_published_before_all_is_tested() -> None:
    publishing = {name for name, job in RELEASE["jobs"].items() if "write" in str(job.get("permissions"))}
    assert publishing == {"release", "npm", "image", "crates"}
    for job in publishing:
        assert {"checks", "notes", "programs", "installers"} <= needed(job), job


def test_every_platform_of_the_packages_is_built() -> None:
    built = {entry["target"] for entry in RELEASE["jobs"]["programs"]["strategy"]["matrix"]["include"]}
    source = (PACKAGING / "npm/packages.py").read_text()
    assert built == set(re.findall(r'^    "([\w-]+)": \(', source, re.MULTILINE))
    installers = "".join((PACKAGING / "install" / name).read_text() for name in ("install.sh", "install.ps1"))
    assert all(target in installers for target in built)
