"""The coroutines that the compiled module returns."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from clipia_queue._api_error import ClipiaError
from clipia_queue._progress import Bar

T = TypeVar("T")

Interrupted = Callable[[BaseException], None]
"""Leaves in the exception that ends a call how to go on."""


class Watch(Protocol):
    """A call whose events are asked for one by one."""

    def next(self) -> Awaitable[tuple[bool, Any]]:
        """Whether it has ended, and what it came to or else what changed."""
        ...

    def close(self) -> None:
        """Ends it."""
        ...


async def run(call: Awaitable[T], interrupted: Interrupted | None) -> T:
    """A real coroutine, which `asyncio.run` and `create_task` insist on."""
    try:
        return await call
    except (asyncio.CancelledError, KeyboardInterrupt, SystemExit) as exception:
        if interrupted is not None:
            interrupted(exception)
        raise


async def follow(
    watch: Watch,
    callback: Callable[[Any], object] | None,
    bar: Bar | None,
    interrupted: Interrupted | None,
) -> Any:
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
    except (ClipiaError, GeneratorExit):
        # The first has what it takes to go on, and after the second there is nobody to tell.
        raise
    except BaseException as exception:
        if interrupted is not None:
            interrupted(exception)
        raise
    finally:
        watch.close()
        if bar is not None:
            bar.close()
