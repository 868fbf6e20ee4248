"""The compose files and the systemd unit: their commands are run, with directories in place of volumes."""

import json
import os
import re
import shlex
import shutil
import string
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import ENVIRONMENT, PACKAGING, PROGRAM, ROOT, needs, run, started

COMPOSE = PACKAGING / "compose"
UNIT = PACKAGING / "systemd/clipia.service"
DOCKERFILE = (PACKAGING / "container/Dockerfile").read_text()

# What the image sets.
IMAGE: dict[str, str] = dict(re.findall(r"(CLIPIA_\w+)=(\S+)", DOCKERFILE))


def services(name: str, **variables: str) -> dict[str, Any]:
    """The services of a file, with its variables (`${NAME:-default}`, `${NAME:?message}`) filled in."""

    def value(found: re.Match[str]) -> str:
        name, _, default = found.groups()
        return variables.get(name, default if found[2] == ":-" else f"<{name}>")

    text = re.sub(r"\$\{(\w+)(?:(:-|:\?)([^}]*))?\}", value, (COMPOSE / name).read_text())
    loaded: dict[str, Any] = yaml.safe_load(text)["services"]
    return loaded


class Machine:
    """Runs services as processes of this machine, each with its directories in the place of volumes."""

    def __init__(self, directory: Path, **replaced: str) -> None:
        self.directory = directory
        # What the names of a private network stand for here.
        self.replaced = replaced

    def words(self, words: list[str], service: dict[str, Any]) -> list[str]:
        for volume in service.get("volumes", []):
            source, path, *_ = volume.split(":")
            place = self.directory / source
            if not source.startswith("."):
                place.mkdir(exist_ok=True)
                # Only whole paths and their beginnings: `/data` and `/data/x`, not `/database`.
                words = [re.sub(rf"^{path}(?=/|$)", str(place), word) for word in words]
        for name, here in self.replaced.items():
            words = [word.replace(name, here) for word in words]
        return words

    def environment(self, service: dict[str, Any]) -> dict[str, str]:
        set = {**IMAGE, **service.get("environment", {})}
        values = self.words(list(set.values()), service)
        # Each server has the port of its own that the container's network would give it.
        return {**ENVIRONMENT, **dict(zip(set, values, strict=True)), "CLIPIA_SERVE_LISTEN": "127.0.0.1:0"}

    def command(self, service: dict[str, Any]) -> list[str]:
        return [str(PROGRAM), *self.words(service["command"], service)]

    def run(self, service: dict[str, Any], *arguments: str, code: int = 0) -> str:
        """Runs the program in the container of a service, as `docker compose exec` does."""
        return run(PROGRAM, *arguments, code=code, env=self.environment(service))

    @contextmanager
    def started(self, service: dict[str, Any]) -> Iterator[dict[str, str]]:
        with started(*self.command(service), "--json", env=self.environment(service)) as ready:
            assert json.loads(self.run(service, "health"))["ready"]
            yield ready


@pytest.mark.parametrize("path", sorted(COMPOSE.glob("*.yml")), ids=lambda path: path.name)
def test_a_service_is_confined_and_keeps_what_it_writes(path: Path) -> None:
    form = ["--builtin-schema", "vendor.compose-spec"]
    run(sys.executable, "-m", "check_jsonschema", *form, path)
    for name, service in services(path.name).items():
        if service.get("image") != "clipia-queue" or "healthcheck" in service:
            continue
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"]), name
        assert any(volume.endswith(":/data") for volume in service["volumes"]), name
        (port,) = service["ports"]
        assert port.startswith("127.0.0.1:"), f"{name} is open to everybody"
        assert port.endswith(IMAGE["CLIPIA_SERVE_LISTEN"].removeprefix("0.0.0.0")), name


def test_one_node(tmp_path: Path) -> None:
    (server,) = services("one-node.yml").values()
    machine = Machine(tmp_path)
    with machine.started(server):
        assert json.loads(machine.run(server, "doctor"))["violation"] is None
    assert (tmp_path / "data/clipia.db").exists()
    machine.run(server, "health", code=6)


def test_a_server_and_two_workers(tmp_path: Path) -> None:
    server, worker = (services("workers.yml")[name] for name in ("server", "worker"))
    source, path, _ = server["volumes"][1].split(":")
    (tmp_path / "data").mkdir()
    shutil.copy(COMPOSE / source, tmp_path / path.lstrip("/"))
    machine = Machine(tmp_path)
    with machine.started(server) as ready, ExitStack() as stack:
        made = machine.run(server, "workers", "create", "workers", "--executors", "gpu")
        machine.replaced = {"http://server:4747": ready["url"], "/srv": str(COMPOSE / "worker")}
        token = {"CLIPIA_WORKER_TOKEN": json.loads(made)["token"]}
        command = machine.command(worker)
        assert command.count("python") == 1
        command[command.index("python")] = sys.executable
        for _ in range(worker["deploy"]["replicas"]):
            process = stack.enter_context(subprocess.Popen(command, env={**ENVIRONMENT, **token}))
            stack.callback(process.wait, 60)
            stack.callback(process.terminate)
        client = {**ENVIRONMENT, "CLIPIA_BASE_URL": ready["url"], "CLIPIA_KEY": ready["live_key"]}
        for colour in "teal", "crimson":
            result = json.loads(run(PROGRAM, "generate", "colour", "-p", colour, "--wait", env=client))
            assert result["status"] == "COMPLETED"
            assert result["output"]["images"]


@contextmanager
def postgres() -> Iterator[str]:
    """The directory of the socket of a PostgreSQL server, which ends with the test."""
    script = ["sh", str(ROOT / "tests/postgres/src/server.sh")]
    # It refuses to run as root.
    command = ["runuser", "-u", "nobody", "--", *script] if os.geteuid() == 0 else script
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=ENVIRONMENT) as process:
        assert process.stdout is not None
        directory = process.stdout.readline().strip()
        if directory == "none":
            assert "CI" not in os.environ, "PostgreSQL is not installed"
            pytest.skip("needs PostgreSQL")
        yield directory
        if process.stdin:
            process.stdin.close()


def test_postgres_and_three_nodes(tmp_path: Path) -> None:
    named = services("three-nodes.yml", POSTGRES_PASSWORD="secret")
    nodes = [service for name, service in named.items() if name.startswith("node-")]
    assert len(nodes) == 3
    assert {node["environment"]["CLIPIA_DATABASE_URL"] for node in nodes} == {
        named["migrate"]["environment"]["CLIPIA_DATABASE_URL"]
    }
    with postgres() as directory:
        host = {"clipia:secret@postgres/clipia?": f"clipia:secret@/postgres?host={directory}&"}
        machine = Machine(tmp_path, **host)
        assert "clipia migrate" in machine.run(nodes[0], *nodes[0]["command"], "--json", code=1)
        machine.run(named["migrate"], *named["migrate"]["command"])
        with ExitStack() as stack:
            ready = [stack.enter_context(machine.started(node)) for node in nodes]
            (key,) = (node["live_key"] for node in ready if "live_key" in node)
            client = {**ENVIRONMENT, "CLIPIA_KEY": key}
            urls = [node["url"] for node in ready]
            fox = ["generate", "nano-banana-2", "-p", "fox", "--set", "resolution=0.5K"]
            made = json.loads(run(PROGRAM, *fox, "--wait", env={**client, "CLIPIA_BASE_URL": urls[0]}))
            # Another node has the result and its file.
            there = {**client, "CLIPIA_BASE_URL": urls[1]}
            result = json.loads(run(PROGRAM, "result", made["request_id"], env=there))
            assert result["status"] == "COMPLETED"
            assert list((tmp_path / "media").rglob("*.png"))


def test_the_unit_starts_the_server(tmp_path: Path) -> None:
    (start,) = re.findall("^ExecStart=(.*)$", UNIT.read_text(), re.MULTILINE)
    command = shlex.split(start.replace("/var/lib/clipia", str(tmp_path / "data")))
    assert command[0] == "/usr/local/bin/clipia"
    with started(PROGRAM, *command[1:], "--listen", "127.0.0.1:0", "--json"):
        assert (tmp_path / "data/clipia.db").exists()


@needs("systemd-analyze")
def test_systemd_finds_nothing_in_the_unit(tmp_path: Path) -> None:
    # It looks for the program.
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/usr/local/bin/clipia", str(PROGRAM.resolve())))
    analyzed = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    assert (analyzed.returncode, analyzed.stderr) == (0, "")


def test_every_option_of_the_texts_is_one_of_the_program() -> None:
    """The commands in the comments, which nobody runs here."""
    texts = [*COMPOSE.glob("*.yml"), UNIT]
    shown = [
        found
        for text in texts
        for found in re.findall(r"(?:server|sudo) clipia ((?:[\w-]+ ?)+)", text.read_text())
    ]
    assert len(shown) >= 3
    for words in shown:
        command = [word for word in words.split() if set(word) <= set(string.ascii_lowercase)][:2]
        options = [word for word in words.split() if word.startswith("--")]
        known = run(PROGRAM, *command[:1], "--help") + run(PROGRAM, *command, "--help")
        assert all(option in known for option in options), words
