"""Everything that can go wrong, a class per cause."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

from clipia_queue._clipia_queue import InputWarning, printable


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


class UnexpectedAnswer(ClipiaApiError):
    """The answer is none of the API's: a page of a proxy, a redirect, nothing, JSON without what matters."""

    @property
    def beginning(self) -> str | None:
        """How the answer begins, in a thousand characters; `None` where it is empty."""
        beginning = (self.body or {}).get("body")
        return beginning if isinstance(beginning, str) else None


class ClipiaConnectionError(ClipiaApiError):
    """The server could not be reached, or did not answer in time, however often it was tried."""

    def __init__(self, message: str) -> None:
        super().__init__(0, "connection_failed", message)
        self.args = (message,)


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


class InputFault(NamedTuple):
    """One thing that is wrong with an input."""

    parameter: str
    """The key of the input."""
    message: str
    """A sentence for people: what the model wants, and what it got."""


class InputInvalid(ModelInputInvalid, ClipiaValueError):
    """The model would not take this input, as `check` found in the catalogue. Nothing was submitted."""

    model: str
    """The slug of the model."""
    faults: list[InputFault]
    """What it would refuse."""
    warnings: list[InputWarning]
    """What it would not apply besides, often the misspelt name of what is missing."""

    def __init__(
        self,
        model: str,
        message: str,
        faults: Iterable[tuple[str, str]] = (),
        warnings: Iterable[InputWarning] = (),
    ) -> None:
        super().__init__(0, "model_input_invalid", message, "invalid_request_error")
        self.model = model
        self.faults = [InputFault(*fault) for fault in faults]
        self.warnings = list(warnings)
        self.args = (model, message, self.faults, self.warnings)


class MaxCostExceeded(ClipiaApiError):
    """The generation costs more than its `max_cost` allows. Nothing was submitted."""

    model: str
    """The slug of the model."""
    estimate: float
    """The credits that it costs."""
    max_cost: float
    """The credits that it may cost."""

    def __init__(self, model: str, estimate: float, max_cost: float, message: str = "") -> None:
        message = message or f"this costs {estimate} credits, more than the {max_cost} allowed by `max_cost`"
        super().__init__(0, "max_cost_exceeded", message)
        self.args = (model, estimate, max_cost, message)
        self.model = model
        self.estimate = estimate
        self.max_cost = max_cost


class RateLimited(ClipiaApiError):
    """429 `rate_limit_exceeded`: too many requests in this minute."""


class ConcurrencyLimited(ClipiaApiError):
    """429 `concurrency_limit_exceeded`: too many generations in flight."""


class InternalError(ClipiaApiError):
    """500 `internal_error`: the server failed."""


class ServiceUnavailable(ClipiaApiError):
    """503 `service_unavailable`: the server cannot answer now."""


class _OfGeneration(ClipiaApiError):
    """What is about one generation, which it always names."""

    request_id: str

    def __init__(self, request_id: str, code: str, message: str) -> None:
        super().__init__(0, code, message)
        # Set and read as what it is, whatever a cause of another kind has.
        self.request_id = request_id  # pyright: ignore[reportIncompatibleVariableOverride]


class ClipiaTimeoutError(_OfGeneration, TimeoutError):
    """The wait took longer than its `timeout`. The generation goes on: resume with its `request_id`.

    Of a wait for many it is the first of the `request_ids` that had not ended.
    """

    timeout: float
    """The seconds that were allowed."""

    def __init__(self, request_id: str, timeout: float, message: str = "") -> None:
        message = message or f"gave up waiting for {request_id} after {timeout:g} s"
        super().__init__(request_id, "poll_timeout", message)
        self.args = (request_id, timeout, message)
        self.request_ids = [request_id]
        self.timeout = timeout


class GenerationFailed(_OfGeneration):
    """The generation made nothing, but what it made was asked for. Its credits were returned.

    `code` and `message` tell why.
    """

    def __init__(self, request_id: str, code: str, message: str) -> None:
        super().__init__(request_id, code, message)
        self.args = (request_id, code, message)

    def __str__(self) -> str:
        return printable(f"generation {self.request_id} failed: {self.message} ({self.code})")


class GenerationCanceled(_OfGeneration):
    """The generation was canceled, but what it made was asked for. Its credits were returned."""

    def __init__(self, request_id: str) -> None:
        super().__init__(request_id, "generation_canceled", f"generation {request_id} was canceled")
        self.args = (request_id,)


class StillRunning(_OfGeneration):
    """The generation has not ended, but what it made was asked for."""

    generation_status: str
    """Where it stands."""

    def __init__(self, request_id: str, generation_status: str) -> None:
        message = f"generation {request_id} has not ended: it is still {generation_status}"
        super().__init__(request_id, "still_running", message)
        self.args = (request_id, generation_status)
        self.generation_status = generation_status


class DownloadFailed(ClipiaApiError):
    """A file of a result could not be fetched or written; in that case the `OSError` is its cause."""

    def __init__(self, message: str) -> None:
        super().__init__(0, "download_failed", message)
        self.args = (message,)


class WebhookRefused(ClipiaError):
    """A webhook delivery is not to be believed. It changed nothing; answer 400, without the reason."""


class SignatureMalformed(WebhookRefused):
    """The signature of a delivery is missing, or not of its form."""


class SignatureExpired(WebhookRefused):
    """A delivery was signed too long ago: an old one sent again, or a clock that is wrong."""


class SignatureMismatch(WebhookRefused):
    """A delivery is signed with another secret, or was changed on its way: forged, or not the raw body."""


class DeliveryMalformed(WebhookRefused):
    """The signature is right, yet the body is not a delivery."""


for _exception in list(globals().values()):
    if isinstance(_exception, type) and issubclass(_exception, (ClipiaError, InputFault)):
        # Tracebacks read `clipia_queue.RateLimited`, and pickle finds it there.
        _exception.__module__ = "clipia_queue"
