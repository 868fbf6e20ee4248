"""The coroutines that the compiled module returns and schedules."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def run(call: Awaitable[T]) -> T:
    """A real coroutine, which `asyncio.run` and `create_task` insist on."""
    return await call


async def tell(callback: Callable[[T], object], update: T) -> None:
    """Calls a plain function or a coroutine function."""
    told = callback(update)
    if inspect.isawaitable(told):
        await told
