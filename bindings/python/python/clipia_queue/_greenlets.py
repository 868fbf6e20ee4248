"""Calls in the greenlets of gevent and eventlet, which must not block the thread of the others."""

from __future__ import annotations

import contextlib
import importlib
import sys
from typing import Any, Protocol


class Pause(Protocol):
    """How a greenlet waits for a call while the others of its thread run."""

    def wait(self) -> None:
        """Returns once `wake` was called since the last return. Raises what ends the greenlet."""
        ...

    def wake(self) -> None:
        """Called on another thread, also after `close`."""
        ...

    def close(self) -> None: ...


def pause() -> Pause | None:
    """The pause of a call that begins here. `None` if the call may block the thread.

    As with the sockets of Python, a call yields if the program is patched for one of these libraries.
    """
    if "gevent.monkey" in sys.modules and (paused := _of_gevent()) is not None:
        return paused
    return _of_eventlet() if "eventlet.patcher" in sys.modules else None


def _module(name: str) -> Any:
    """A module of a library whose types are not installed."""
    return importlib.import_module(name)


def _of_gevent() -> Pause | None:
    if not _module("gevent.monkey").is_module_patched("socket"):
        return None
    gevent = _module("gevent")
    hub = gevent.get_hub()
    # A callback of the loop itself cannot wait.
    return None if gevent.getcurrent() is hub else _GeventPause(hub)


class _GeventPause:
    def __init__(self, hub: Any) -> None:
        self._woken = _module("gevent.event").Event()
        self._watcher = hub.loop.async_()
        # Started at once: a `wake` before would be lost.
        self._watcher.start(self._woken.set)

    def wait(self) -> None:
        self._woken.wait()
        self._woken.clear()

    def wake(self) -> None:
        self._watcher.send()

    def close(self) -> None:
        self._watcher.stop()
        self._watcher.close()


def _of_eventlet() -> Pause | None:
    if not _module("eventlet.patcher").is_monkey_patched("socket"):
        return None
    hub = _module("eventlet.hubs").get_hub()
    # As above.
    return None if _module("eventlet").getcurrent() is hub.greenlet else _EventletPause()


class _EventletPause:
    def __init__(self) -> None:
        self._trampoline = _module("eventlet.hubs").trampoline
        # The modules as they are without eventlet: another thread wakes.
        original = _module("eventlet.patcher").original
        self._receiver, self._sender = original("socket").socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)
        self._lock = original("threading").Lock()

    def wait(self) -> None:
        self._trampoline(self._receiver, read=True)
        with contextlib.suppress(BlockingIOError):
            self._receiver.recv(4096)

    def wake(self) -> None:
        # A full buffer wakes too. The lock keeps `close` from closing what is being written to.
        with self._lock, contextlib.suppress(OSError):
            self._sender.send(b"w")

    def close(self) -> None:
        with self._lock:
            self._sender.close()
        self._receiver.close()
