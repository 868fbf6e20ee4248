"""Everything that can go wrong, a class per cause."""

from __future__ import annotations

import math
from typing import Any


class ClipiaError(Exception):
    """What every exception of this package is."""

    request_id: str | None
    """The generation it is about, if it is about one."""
    idempotency_key: str | None = None
    """Of a submit that may have been accepted: the same again with this key finds it, and is charged once."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.request_id = None


class ClipiaValueError(ClipiaError, ValueError):
    """What was passed cannot be used: an API key, a base URL, an input. Nothing was sent."""


class ClipiaConnectionError(ClipiaError):
    """The server could not be reached, or did not answer in time, however often it was tried."""


class ClipiaApiError(ClipiaError):
    """The API refused the call, or failed. Each cause that it names is a class of its own."""

    status: int
    """The HTTP status."""
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
        pause = "" if self.retry_after is None else f"; try again in {math.ceil(self.retry_after)} s"
        return f"{self.message}{pause} ({self.status} {self.code})"


class InvalidRequest(ClipiaApiError):
    """400 `invalid_request`: the call is not of the API's form."""


class WebhookUrlInvalid(ClipiaApiError):
    """400 `webhook_url_invalid`: the webhook address is not one that may be called."""


class InvalidApiKey(ClipiaApiError):
    """401 `invalid_api_key`: the key is not in force."""


class InsufficientCredits(ClipiaApiError):
    """402 `insufficient_credits`: the generation costs more than the account has."""


class SubscriptionRequired(ClipiaApiError):
    """402 `subscription_required`: the model needs a subscription."""


class InsufficientScope(ClipiaApiError):
    """403 `insufficient_scope`: the key may not do this."""


class NotFound(ClipiaApiError):
    """404 `not_found`: no such request, or none of this account's."""


class ModelNotFound(ClipiaApiError):
    """404 `model_not_found`: no such model."""


class IdempotencyKeyReuse(ClipiaApiError):
    """409 `idempotency_key_reuse`: the idempotency key was used with other parameters."""


class RequestInProgress(ClipiaApiError):
    """409 `request_in_progress`: the first submit of this idempotency key is still being processed."""


class ModelInputInvalid(ClipiaApiError):
    """422 `model_input_invalid`: the model does not take this input."""


class RateLimited(ClipiaApiError):
    """429 `rate_limit_exceeded`: too many requests in this minute."""


class ConcurrencyLimited(ClipiaApiError):
    """429 `concurrency_limit_exceeded`: too many generations in flight."""


class InternalError(ClipiaApiError):
    """500 `internal_error`: the server failed."""


class ServiceUnavailable(ClipiaApiError):
    """503 `service_unavailable`: the server cannot answer now."""


class ClipiaTimeoutError(ClipiaApiError, TimeoutError):
    """The wait took longer than its `timeout`. The generation goes on: resume with its `request_id`."""

    request_id: str
    timeout: float
    """The seconds that were allowed."""

    def __init__(self, request_id: str, timeout: float, message: str = "") -> None:
        message = message or f"gave up waiting for {request_id} after {timeout:g} s"
        super().__init__(0, "poll_timeout", message)
        self.args = (request_id, timeout, message)
        self.request_id = request_id
        self.timeout = timeout

    def __str__(self) -> str:
        return self.message


class GenerationFailed(ClipiaError):
    """The generation made nothing, but its files were asked for. Its credits were returned."""

    request_id: str
    code: str
    """Why, a word for programs."""
    message: str
    """Why, a sentence for people."""

    def __init__(self, request_id: str, code: str, message: str) -> None:
        super().__init__(request_id, code, message)
        self.request_id = request_id
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"generation {self.request_id} failed: {self.message} ({self.code})"


class GenerationCanceled(ClipiaError):
    """The generation was canceled, but its files were asked for. Its credits were returned."""

    request_id: str

    def __init__(self, request_id: str) -> None:
        super().__init__(request_id)
        self.request_id = request_id

    def __str__(self) -> str:
        return f"generation {self.request_id} was canceled"


class StillRunning(ClipiaError):
    """The generation has not ended, but its files were asked for."""

    request_id: str
    status: str

    def __init__(self, request_id: str, status: str) -> None:
        super().__init__(request_id, status)
        self.request_id = request_id
        self.status = status

    def __str__(self) -> str:
        return f"generation {self.request_id} has not ended: it is still {self.status}"


class DownloadFailed(ClipiaError):
    """A file of a result could not be fetched or written; in that case the `OSError` is its cause."""


for _exception in list(globals().values()):
    if isinstance(_exception, type) and issubclass(_exception, ClipiaError):
        # Tracebacks read `clipia_queue.RateLimited`, and pickle finds it there.
        _exception.__module__ = "clipia_queue"
