"""The emulator of the queue, for tests: every outcome in milliseconds, with no key and no network.

The program is in this package, so there is nothing to download::

    from clipia_queue.testing import Emulator

    with Emulator(clock="auto") as emulator:
        clipia = emulator.client()
        clipia.subscribe("nano-banana-2", {"prompt": "@takes=10m a red fox"})  # takes no time

With pytest, ``pytest_plugins = ["clipia_queue.testing"]`` in ``conftest.py`` adds two fixtures.
``clipia_emulator`` is one emulator for the whole run, whose clock jumps to what is due next. ``clipia_key``
is a key of the test alone: each is an account of its own, so tests that run at once never meet.

PYTEST_DONT_REWRITE: a module may import this one before pytest does, and its assertions have messages.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from clipia_queue import AsyncClipia, Clipia

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import NotRequired, Self

__all__ = ["Emulator", "EmulatorError", "Finding", "Occurrence"]

_STOPS_WITHIN = 10.0  # seconds
_RESPONDS_WITHIN = 60.0  # seconds; `advance` returns once all that fell due has happened


class EmulatorError(RuntimeError):
    """The emulator did not start, or refused what was asked of it."""


class Occurrence(TypedDict):
    """Something that happened while the clock was advanced."""

    at: str
    request_id: str
    what: str


class Finding(TypedDict):
    """Something that a caller or a receiver did wrong."""

    kind: str
    what: str
    hint: str
    times: int
    request_id: NotRequired[str]


class Emulator:
    """An emulator in a process of its own. Use it with ``with``, or call :meth:`stop`.

    ``clock`` is ``real``, ``x60`` (so many times as fast), ``manual`` (see :meth:`advance`) or ``auto``.
    ``seed`` makes two runs alike. ``faults`` are faults on calls, such as ``"status 503 x5"``. ``scenario``
    is a TOML file. ``like="clipia"`` has the limits and prices of the vendor.
    """

    url: str
    """The base URL, for clients."""
    live_key: str
    """A key. Every other one that begins with ``clipia_live_`` works too, and is an account of its own."""
    webhook_secret: str
    """The secret that signs the deliveries of every account."""

    def __init__(
        self,
        *,
        clock: str = "auto",
        seed: int | None = None,
        faults: Sequence[str] = (),
        scenario: str | os.PathLike[str] | None = None,
        like: Literal["clipia"] | None = None,
        rpm: int | None = None,
    ) -> None:
        command = [sys.executable, "-m", "clipia_queue", "emulate", "--json", "--port", "0", "--clock", clock]
        if seed is not None:
            command += ["--seed", str(seed)]
        for fault in faults:
            command += ["--fault", fault]
        if scenario is not None:
            command += ["--scenario", os.fspath(scenario)]
        if like is not None:
            command += ["--like", like]
        if rpm is not None:
            command += ["--rpm", str(rpm)]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            self._process.stdout.close()
            raise EmulatorError(f"the emulator did not start: it exited with {code}, and stderr says why")
        ready = json.loads(line)
        self.url, self.live_key = ready["url"], ready["live_key"]
        self.webhook_secret = ready["webhook_secret"]

    def __repr__(self) -> str:
        return f"Emulator(url={getattr(self, 'url', None)!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends the emulator. Nothing of it is left."""
        self._process.terminate()
        try:
            self._process.wait(_STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def client(self, key: str | None = None, **options: Any) -> Clipia:
        """A client of this emulator. ``options`` are those of :class:`clipia_queue.Clipia`."""
        return Clipia(key or self.live_key, base_url=self.url, **options)

    def async_client(self, key: str | None = None, **options: Any) -> AsyncClipia:
        """The same with ``async``."""
        return AsyncClipia(key or self.live_key, base_url=self.url, **options)

    @staticmethod
    def key_of(name: str) -> str:
        """A key for a name, such as that of a test. Another name is another account."""
        readable = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")[-60:]
        return f"clipia_live_{readable}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"

    def advance(
        self, *, seconds: float = 0, minutes: float = 0, hours: float = 0, days: float = 0
    ) -> list[Occurrence]:
        """Moves the clock on. All that falls due meanwhile happens, in order; returns what happened."""
        by = timedelta(seconds=seconds, minutes=minutes, hours=hours, days=days)
        milliseconds = round(by.total_seconds() * 1000)
        occurred: list[Occurrence] = self._call("POST", "clock", {"advance": f"{milliseconds}ms"})["occurred"]
        return occurred

    def script(
        self, words: str, *, model: str | None = None, prompt: str | None = None, times: int | None = None
    ) -> None:
        """Lets requests do what ``words`` say, if their prompt has no words of its own.

        ``prompt`` is a regular expression.
        """
        rule = {"words": words, "model": model, "prompt": prompt, "times": times}
        self._call("POST", "scripts", {name: value for name, value in rule.items() if value is not None})

    def fault(self, fault: str) -> None:
        """Adds a fault on calls, such as ``"submit drop x1"``."""
        self._call("POST", "faults", {"fault": fault})

    def journal(
        self, *, operation: str | None = None, key: str | None = None, since: int = 0
    ) -> list[dict[str, Any]]:
        """The calls that came, the oldest first: of an operation, with a key, after the call of a number."""
        query = {"operation": operation, "key": key, "since": since or None}
        given = {name: value for name, value in query.items() if value is not None}
        calls: list[dict[str, Any]] = self._call("GET", "journal?" + urllib.parse.urlencode(given))["calls"]
        return calls

    def findings(self) -> list[Finding]:
        """What callers and receivers did wrong."""
        findings: list[Finding] = self._call("GET", "findings")["findings"]
        return findings

    def assert_clean(self) -> None:
        """Fails if a caller or a receiver did something wrong."""
        findings = self.findings()
        assert not findings, "\n".join(f"{finding['what']}: {finding['hint']}" for finding in findings)

    def reset(self) -> None:
        """Forgets the journal, the findings, and what was added by :meth:`script` and :meth:`fault`."""
        self._call("POST", "reset")

    def _call(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {} if data is None else {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/_emulator/{path}", data, headers, method=method)
        # A proxy of the environment does not reach this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=_RESPONDS_WITHIN) as response:
                read = response.read()
        except urllib.error.HTTPError as error:
            with error:
                said = error.read().decode(errors="replace")
            with contextlib.suppress(ValueError, KeyError, TypeError):
                said = json.loads(said)["error"]["message"]
            raise EmulatorError(said) from None
        return json.loads(read) if read else None


try:
    import pytest
except ImportError:  # the class alone needs no pytest
    pass
else:

    @pytest.fixture(scope="session")
    def clipia_emulator() -> Iterator[Emulator]:
        """One emulator for the whole run, whose clock jumps to what is due next."""
        with Emulator() as emulator:
            yield emulator

    @pytest.fixture
    def clipia_key(request: pytest.FixtureRequest) -> str:
        """A key of the test alone."""
        return Emulator.key_of(request.node.nodeid)
