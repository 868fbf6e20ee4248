"""What every exception of this package is, and what one about a call is."""

from __future__ import annotations

import math
from typing import Any

from clipia_queue._clipia_queue import printable


class ClipiaError(Exception):
    """What every exception of this package is."""

    request_id: str | None
    """The generation it is about, if it is about one."""
    request_ids: list[str]
    """Of those that many were waited for: the generations whose results are missing."""
    idempotency_key: str | None = None
    """Of a submit that may have been accepted: the same again with this key finds it, and is charged once."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.request_id = None
        self.request_ids = []


class ClipiaValueError(ClipiaError, ValueError):
    """What was passed cannot be used: an API key, a base URL, an input. Nothing was sent."""


class ClipiaApiError(ClipiaError):
    """A call, a generation or a wait came to nothing. Each cause is a class of its own.

    Its fields are what the server sent. Its `str`, for tracebacks, leaves out what a terminal would obey.
    """

    status: int
    """The HTTP status of what the API answered; 0 where that was not the cause."""
    code: str
    """The cause, a word for programs."""
    message: str
    """The sentence for people."""
    type: str
    """The family of causes, such as `rate_limit_error`."""
    body: dict[str, Any] | None
    """The whole answer, fields that this version does not know included."""
    retry_after: float | None
    """How many seconds the server asked to wait before the next try."""

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
