"""Everything that can go wrong, a class per cause.

Those of the API's error codes are in `_generated_exceptions`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from clipia_queue import _api_error, _generated_exceptions
from clipia_queue._api_error import ClipiaApiError, ClipiaError, ClipiaValueError
from clipia_queue._clipia_queue import InputWarning, printable
from clipia_queue._generated_exceptions import ModelInputInvalid


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


for _exception in [*vars(_api_error).values(), *vars(_generated_exceptions).values(), *globals().values()]:
    if isinstance(_exception, type) and issubclass(_exception, (ClipiaError, InputFault)):
        # Tracebacks read `clipia_queue.RateLimited`, and pickle finds it there.
        _exception.__module__ = "clipia_queue"
