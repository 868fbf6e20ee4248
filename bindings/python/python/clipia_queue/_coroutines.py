"""The coroutines that the compiled module returns."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from clipia_queue._progress import Bar

T = TypeVar("T")


class Watch(Protocol):
    """A call whose events are asked for one by one."""

    def next(self) -> Awaitable[tuple[bool, Any]]:
        """Whether it has ended, and what it came to or else what changed."""
        ...


async def run(call: Awaitable[T]) -> T:
    """A real coroutine, which `asyncio.run` and `create_task` insist on."""
    return await call


async def follow(watch: Watch, callback: Callable[[Any], object] | None, bar: Bar | None) -> Any:
    """Tells a plain function or a coroutine function of every change, and returns what the call came to."""
    try:
        while True:
            ended, event = await watch.next()
            if ended:
                return event
            if bar is not None:
                bar(event)
            if callback is not None and inspect.isawaitable(told := callback(event)):
                await told
    finally:
        if bar is not None:
            bar.close()
