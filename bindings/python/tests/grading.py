"""The grade of a receiver by `clipia webhooks check`."""

from __future__ import annotations

import json
import subprocess

from conftest import program
from receivers import PATH


def assert_right(url: str, secret: str) -> None:
    """Sends every delivery of the check to the receiver at `url`. Asserts that it treats all rightly."""
    command = [str(program()), "webhooks", "check", url + PATH, "--secret", secret]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert checked.returncode == 0, checked.stderr
    assert json.loads(checked.stdout)["red"] == 0
