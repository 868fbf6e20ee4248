"""The exceptions of this package, a class per cause.

The exceptions for the API's error codes are in `_generated_exceptions`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from clipia_queue import _api_error, _generated_exceptions
from clipia_queue._api_error import ClipiaApiError, ClipiaError, ClipiaValueError
from clipia_queue._clipia_queue import InputWarning, printable
from clipia_queue._generated_exceptions import ModelInputInvalid


class UnexpectedAnswer(ClipiaApiError):
    """The response is not the API's: a page of a proxy, a redirect, an empty body, JSON of another form."""

    @property
    def beginning(self) -> str | None:
        """The start of the response, a thousand characters at most; `None` if the response is empty."""
        beginning = (self.body or {}).get("body")
        return beginning if isinstance(beginning, str) else None


class ClipiaConnectionError(ClipiaApiError):
    """The server could not be reached, or did not answer in time, after all retries."""

    def __init__(self, message: str) -> None:
        super().__init__(0, "connection_failed", message)
        self.args = (message,)


class InputFault(NamedTuple):
    """A fault of an input."""

    parameter: str
    """The key of the input."""
    message: str
    """A sentence for people: what the model requires, and what the input has."""


class InputInvalid(ModelInputInvalid, ClipiaValueError):
    """The model does not accept this input, as `check` found in the catalogue. Nothing was submitted."""

    model: str
    """The slug of the model."""
    faults: list[InputFault]
    """Why the model refuses the input."""
    warnings: list[InputWarning]
    """Keys that the model would ignore, often the misspelt name of a missing parameter."""

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
    """The price in credits."""
    max_cost: float
    """The highest price that `max_cost` allows, in credits."""

    def __init__(self, model: str, estimate: float, max_cost: float, message: str = "") -> None:
        message = message or f"this costs {estimate} credits, more than the {max_cost} allowed by `max_cost`"
        super().__init__(0, "max_cost_exceeded", message)
        self.args = (model, estimate, max_cost, message)
        self.model = model
        self.estimate = estimate
        self.max_cost = max_cost


class _OfGeneration(ClipiaApiError):
    """The base class of exceptions about one generation."""

    request_id: str

    def __init__(self, request_id: str, code: str, message: str) -> None:
        super().__init__(0, code, message)
        # The base class allows None, this class does not.
        self.request_id = request_id  # pyright: ignore[reportIncompatibleVariableOverride]


class ClipiaTimeoutError(_OfGeneration, TimeoutError):
    """The wait took longer than its `timeout`. The generation goes on: resume with its `request_id`.

    After a wait for many this is the first of the `request_ids`.
    """

    timeout: float
    """The timeout in seconds."""

    def __init__(self, request_id: str, timeout: float, message: str = "") -> None:
        message = message or f"gave up waiting for {request_id} after {timeout:g} s"
        super().__init__(request_id, "poll_timeout", message)
        self.args = (request_id, timeout, message)
        self.request_ids = [request_id]
        self.timeout = timeout


class GenerationFailed(_OfGeneration):
    """The generation failed, but its output was required. Its credits were returned.

    `code` and `message` are the cause.
    """

    def __init__(self, request_id: str, code: str, message: str) -> None:
        super().__init__(request_id, code, message)
        self.args = (request_id, code, message)

    def __str__(self) -> str:
        return printable(f"generation {self.request_id} failed: {self.message} ({self.code})")


class GenerationCanceled(_OfGeneration):
    """The generation was canceled, but its output was required. Its credits were returned."""

    def __init__(self, request_id: str) -> None:
        super().__init__(request_id, "generation_canceled", f"generation {request_id} was canceled")
        self.args = (request_id,)


class StillRunning(_OfGeneration):
    """The generation has not ended, but its output was required."""

    generation_status: str
    """The status of the generation."""

    def __init__(self, request_id: str, generation_status: str) -> None:
        message = f"generation {request_id} has not ended: it is still {generation_status}"
        super().__init__(request_id, "still_running", message)
        self.args = (request_id, generation_status)
        self.generation_status = generation_status


class DownloadFailed(ClipiaApiError):
    """A file of a result could not be fetched, or not be written: then the cause is an `OSError`."""

    def __init__(self, message: str) -> None:
        super().__init__(0, "download_failed", message)
        self.args = (message,)


class UploadFailed(ClipiaApiError):
    """A file could not be uploaded.

    It cannot be read, and the cause is an `OSError`; or the server takes no uploads, and the file is too
    large for an input.
    """

    def __init__(self, message: str) -> None:
        super().__init__(0, "upload_failed", message)
        self.args = (message,)


class WebhookRefused(ClipiaError):
    """A webhook delivery is not genuine. It changed nothing; respond with 400, without the reason."""


class SignatureMalformed(WebhookRefused):
    """The signature of a delivery is missing or malformed."""


class SignatureExpired(WebhookRefused):
    """A delivery was signed too long ago: an old one was sent again, or a clock is wrong."""


class SignatureMismatch(WebhookRefused):
    """A delivery is signed with another secret, or was changed: forged, or not the raw body."""


class DeliveryMalformed(WebhookRefused):
    """The signature is right, but the body is not a delivery."""


for _exception in [*vars(_api_error).values(), *vars(_generated_exceptions).values(), *globals().values()]:
    if isinstance(_exception, type) and issubclass(_exception, (ClipiaError, InputFault)):
        # Tracebacks show `clipia_queue.RateLimited`, and pickle finds the class there.
        _exception.__module__ = "clipia_queue"
