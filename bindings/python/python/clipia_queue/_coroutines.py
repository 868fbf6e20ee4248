"""The coroutines that the compiled module returns."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from clipia_queue._api_error import ClipiaError
from clipia_queue._progress import Bar

T = TypeVar("T")

OnInterrupt = Callable[[BaseException], None]
"""Puts into an exception that ends a call how to resume it."""


class Watch(Protocol):
    """A call that is followed event by event."""

    def next(self) -> Awaitable[tuple[bool, Any]]:
        """The next event: whether the call has ended, and its result or else the change."""
        ...

    def close(self) -> None:
        """Ends the call."""
        ...


async def run(call: Awaitable[T], on_interrupt: OnInterrupt | None) -> T:
    """A real coroutine, which `asyncio.run` and `create_task` require."""
    try:
        return await call
    except (asyncio.CancelledError, KeyboardInterrupt, SystemExit) as exception:
        if on_interrupt is not None:
            on_interrupt(exception)
        raise


async def follow(
    watch: Watch,
    callback: Callable[[Any], object] | None,
    bar: Bar | None,
    on_interrupt: OnInterrupt | None,
) -> Any:
    """Passes every change to a plain function or a coroutine function. Returns the result of the call."""
    try:
        while True:
            ended, event = await watch.next()
            if ended:
                return event
            if bar is not None:
                bar(event)
            if callback is not None and inspect.isawaitable(awaitable := callback(event)):
                await awaitable
    except (ClipiaError, GeneratorExit):
        # A `ClipiaError` says how to resume already. After a `GeneratorExit` nobody gets the exception.
        raise
    except BaseException as exception:
        if on_interrupt is not None:
            on_interrupt(exception)
        raise
    finally:
        watch.close()
        if bar is not None:
            bar.close()
