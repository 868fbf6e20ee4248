"""The coroutines that the compiled module returns."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from clipia_queue._clipia_queue import AsyncGenerationResult, StatusResponse

T = TypeVar("T")


class Watch(Protocol):
    """A wait whose events are asked for one by one."""

    def next(self) -> Awaitable[StatusResponse | AsyncGenerationResult]: ...


async def run(call: Awaitable[T]) -> T:
    """A real coroutine, which `asyncio.run` and `create_task` insist on."""
    return await call


async def follow(watch: Watch, callback: Callable[[StatusResponse], object]) -> AsyncGenerationResult:
    """Tells a plain function or a coroutine function of every change, and returns the result."""
    while isinstance(event := await watch.next(), StatusResponse):
        told = callback(event)
        if inspect.isawaitable(told):
            await told
    return event
