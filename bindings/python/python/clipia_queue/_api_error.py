"""The base classes of the exceptions of this package."""

from __future__ import annotations

import math
from typing import Any

from clipia_queue._clipia_queue import printable


class ClipiaError(Exception):
    """The base class of every exception of this package."""

    request_id: str | None
    """The id of the generation, if the exception is about one."""
    request_ids: list[str]
    """After a wait for many: the ids of the generations whose results are missing."""
    idempotency_key: str | None = None
    """The key of a submit that may have been accepted. The same submit with this key is charged once."""
    argument: str | None = None
    """The argument that cannot be taken, such as `"input"` or `"webhook_url"`, if one is known."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.request_id = None
        self.request_ids = []


class ClipiaValueError(ClipiaError, ValueError):
    """An argument cannot be used: an API key, a base URL, an input. Nothing was sent."""


class ClipiaApiError(ClipiaError):
    """A call, a generation or a wait failed. Each cause is a class of its own.

    The fields are what the server sent. `str`, for tracebacks, escapes characters that a terminal would obey.
    """

    status: int
    """The HTTP status of the API's response; 0 if no response was the cause."""
    code: str
    """The cause, a word for programs."""
    message: str
    """A sentence for people."""
    type: str
    """The family of causes, such as `rate_limit_error`."""
    body: dict[str, Any] | None
    """The whole response, including fields that this version does not know."""
    retry_after: float | None
    """How many seconds the server asked to wait before the next attempt."""

    def __init__(
        self,
        status: int,
        code: str = "",
        message: str = "",
        type: str = "",
        body: dict[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(status, code, message, type, body, retry_after)
        self.status = status
        self.code = code
        self.message = message or code or f"HTTP {status}"
        self.type = type
        self.body = body
        self.retry_after = retry_after

    def __str__(self) -> str:
        if self.status == 0:
            return printable(self.message)
        pause = "" if self.retry_after is None else f"; try again in {math.ceil(self.retry_after)} s"
        return printable(f"{self.message}{pause} ({self.status} {self.code})")
