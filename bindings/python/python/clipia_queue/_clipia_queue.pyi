from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
)
from datetime import datetime
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Final, Protocol, TypeAlias, final

from typing_extensions import Self, disjoint_base

from clipia_queue._model_list import ModelList
from clipia_queue._types import Account, Model

__all__ = [
    "AccountResource",
    "AsyncAccountResource",
    "AsyncClipia",
    "AsyncDelivery",
    "AsyncGeneration",
    "AsyncGenerationResult",
    "AsyncMediaFile",
    "AsyncModelsResource",
    "AsyncSubmitted",
    "AsyncWebhooks",
    "Clipia",
    "Delivery",
    "DownloadProgress",
    "EstimateResponse",
    "Generation",
    "GenerationResult",
    "InputWarning",
    "MediaFile",
    "ModelsResource",
    "Pending",
    "ResultResponse",
    "StatusResponse",
    "SubmitResponse",
    "Submitted",
    "Upload",
    "Webhooks",
    "__version__",
    "printable",
    "run_program",
    "verify_signature",
]

__version__: Final[str]

_Bytes: TypeAlias = bytes  # the name, where a method is called `bytes`

@final
class Pending:
    @property
    def model(self) -> str: ...
    @property
    def idempotency_key(self) -> str: ...
    @property
    def request_id(self) -> str | None: ...
    @property
    def submitted_at(self) -> datetime: ...

@final
class InputWarning:
    def __new__(cls, code: str, parameter: str, message: str) -> Self: ...
    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> InputWarning: ...
    @property
    def code(self) -> str: ...
    @property
    def parameter(self) -> str: ...
    @property
    def message(self) -> str: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class StatusResponse:
    @property
    def request_id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def queue_position(self) -> int | None: ...
    @property
    def progress(self) -> int | None: ...
    @property
    def logs(self) -> list[Any]: ...
    @property
    def is_terminal(self) -> bool: ...
    @property
    def data(self) -> dict[str, Any]: ...
    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> StatusResponse: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class EstimateResponse:
    @property
    def credits(self) -> int: ...
    @property
    def warnings(self) -> list[InputWarning]: ...
    @property
    def data(self) -> dict[str, Any]: ...
    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> EstimateResponse: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Upload:
    @property
    def url(self) -> str: ...
    @property
    def file_name(self) -> str | None: ...
    @property
    def content_type(self) -> str | None: ...
    @property
    def file_size(self) -> int | None: ...
    @property
    def expires_at(self) -> datetime | None: ...
    @property
    def data(self) -> dict[str, Any]: ...
    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Upload: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@disjoint_base
class SubmitResponse:
    @property
    def request_id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def queue_position(self) -> int | None: ...
    @property
    def status_url(self) -> str | None: ...
    @property
    def response_url(self) -> str | None: ...
    @property
    def cost(self) -> float | None: ...
    @property
    def warnings(self) -> list[InputWarning]: ...
    @property
    def is_terminal(self) -> bool: ...
    @property
    def data(self) -> dict[str, Any]: ...
    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> SubmitResponse: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@disjoint_base
class ResultResponse:
    @property
    def request_id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def queue_position(self) -> int | None: ...
    @property
    def progress(self) -> int | None: ...
    @property
    def model(self) -> str | None: ...
    @property
    def output(self) -> dict[str, Any] | None: ...
    @property
    def error(self) -> dict[str, Any] | None: ...
    @property
    def cost(self) -> float | None: ...
    @property
    def created_at(self) -> datetime | None: ...
    @property
    def completed_at(self) -> datetime | None: ...
    @property
    def expired_at(self) -> datetime | None: ...
    @property
    def pending(self) -> bool: ...
    @property
    def is_terminal(self) -> bool: ...
    @property
    def data(self) -> dict[str, Any]: ...
    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> ResultResponse: ...
    def raise_for_status(self) -> Self: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class DownloadProgress:
    @property
    def file(self) -> int: ...
    @property
    def path(self) -> Path: ...
    @property
    def bytes(self) -> int: ...
    @property
    def total_bytes(self) -> int | None: ...
    @property
    def files_done(self) -> int: ...
    @property
    def files(self) -> int: ...
    def __eq__(self, value: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

_Asgi: TypeAlias = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[MutableMapping[str, Any]]],
        Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ],
    Awaitable[None],
]
_FlaskView: TypeAlias = Callable[[], tuple[str, int]]
_DjangoView: TypeAlias = Callable[[Any], Any]

class _PydanticModel(Protocol):
    def model_dump(self, *, mode: str) -> Any: ...

class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]

_Input: TypeAlias = Mapping[str, Any] | _PydanticModel | _Dataclass
_Headers: TypeAlias = Mapping[str, str] | Mapping[bytes, bytes] | Iterable[tuple[str | bytes, str | bytes]]

# the classes of `Clipia`

@final
class MediaFile:
    @property
    def name(self) -> str: ...
    @property
    def url(self) -> str: ...
    def bytes(self, *, max_bytes: int = ...) -> _Bytes: ...
    def stream(self) -> Iterator[_Bytes]: ...

@final
class GenerationResult(ResultResponse):
    def files(self, *, renditions: bool = False) -> list[MediaFile]: ...
    def download(
        self,
        dir: str | PathLike[str],
        *,
        renditions: bool = False,
        overwrite: bool = False,
        on_progress: Callable[[DownloadProgress], object] | None = None,
    ) -> list[Path]: ...

@final
class Submitted(SubmitResponse):
    def wait(
        self,
        timeout: float | None = None,
        *,
        progress: bool = False,
    ) -> GenerationResult: ...
    def updates(self) -> Iterator[StatusResponse]: ...
    def result(
        self,
        *,
        headers: Mapping[str, str] | None = None,
        call_timeout: float | None = None,
    ) -> GenerationResult: ...
    def download(
        self,
        dir: str | PathLike[str],
        *,
        renditions: bool = False,
        overwrite: bool = False,
        on_progress: Callable[[DownloadProgress], object] | None = None,
    ) -> list[Path]: ...

@final
class Generation:
    @property
    def request_id(self) -> str: ...
    def wait(
        self,
        timeout: float | None = None,
        *,
        progress: bool = False,
    ) -> GenerationResult: ...
    def updates(self) -> Iterator[StatusResponse]: ...
    def status(
        self,
        *,
        headers: Mapping[str, str] | None = None,
        call_timeout: float | None = None,
    ) -> StatusResponse: ...
    def result(
        self,
        *,
        headers: Mapping[str, str] | None = None,
        call_timeout: float | None = None,
    ) -> GenerationResult: ...
    def download(
        self,
        dir: str | PathLike[str],
        *,
        renditions: bool = False,
        overwrite: bool = False,
        on_progress: Callable[[DownloadProgress], object] | None = None,
    ) -> list[Path]: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Delivery:
    @property
    def request_id(self) -> str: ...
    @property
    def delivery_id(self) -> str | None: ...
    @property
    def is_duplicate(self) -> bool: ...
    @property
    def resolved(self) -> int: ...
    @property
    def result(self) -> GenerationResult: ...
    @property
    def data(self) -> dict[str, Any]: ...

@final
class Webhooks:
    def receive(self, headers: _Headers, body: bytes | str) -> Delivery: ...
    def asgi(self, on_delivery: Callable[[Delivery], object] | None = None) -> _Asgi: ...
    def flask(self, on_delivery: Callable[[Delivery], object] | None = None) -> _FlaskView: ...
    def django(self, on_delivery: Callable[[Delivery], object] | None = None) -> _DjangoView: ...

@final
class ModelsResource:
    def list(self) -> ModelList: ...
    def get(self, slug: str) -> Model: ...
    def estimate(self, slug: str, input: _Input) -> EstimateResponse: ...
    def submit(
        self,
        model: str,
        input: _Input,
        *,
        webhook_url: str | None = None,
        idempotency_key: str | None = None,
        max_cost: float | None = None,
        headers: Mapping[str, str] | None = None,
        call_timeout: float | None = None,
    ) -> Submitted: ...

@final
class AccountResource:
    def get(self) -> Account: ...

@final
class Clipia:
    def __new__(
        cls,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        timeout: float | None = 30.0,
        max_retries: int = 5,
        retry_delay: float = 0.5,
        allow_http: bool | None = None,
        headers: dict[str, str] | None = None,
        proxy: str | None = None,
        certificates: str | PathLike[str] | None = None,
        pending_file: str | PathLike[str] | None = None,
    ) -> Self: ...
    @property
    def base_url(self) -> str: ...
    @property
    def max_retries(self) -> int: ...
    @property
    def retry_delay(self) -> float: ...
    @property
    def models(self) -> ModelsResource: ...
    @property
    def account(self) -> AccountResource: ...
    def submit(
        self,
        model: str,
        input: _Input,
        *,
        webhook_url: str | None = None,
        idempotency_key: str | None = None,
        max_cost: float | None = None,
        headers: Mapping[str, str] | None = None,
        call_timeout: float | None = None,
    ) -> Submitted: ...
    def status(
        self,
        request_id: str,
        *,
        headers: Mapping[str, str] | None = None,
        call_timeout: float | None = None,
    ) -> StatusResponse: ...
    def result(
        self,
        request_id: str,
        *,
        headers: Mapping[str, str] | None = None,
        call_timeout: float | None = None,
    ) -> GenerationResult: ...
    def subscribe(
        self,
        model: str,
        input: _Input,
        *,
        webhook_url: str | None = None,
        idempotency_key: str | None = None,
        on_queue_update: Callable[[StatusResponse], object] | None = None,
        poll_interval: float | None = None,
        timeout: float | None = None,
        progress: bool = False,
        max_cost: float | None = None,
        headers: Mapping[str, str] | None = None,
        call_timeout: float | None = None,
    ) -> GenerationResult: ...
    def wait_all(
        self,
        handles: Iterable[Submitted | Generation | str],
        timeout: float | None = None,
    ) -> list[GenerationResult]: ...
    def as_completed(
        self,
        handles: Iterable[Submitted | Generation | str],
        timeout: float | None = None,
    ) -> Iterator[GenerationResult]: ...
    def check(self, model: str, input: _Input) -> list[InputWarning]: ...
    def upload(self, file: str | PathLike[str] | bytes, *, file_name: str | None = None) -> Upload: ...
    def generation(self, request_id: str) -> Generation: ...
    def pending(self) -> list[Pending]: ...
    def webhooks(self, secret: str, *others: str) -> Webhooks: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exception_type: type[BaseException] | None = None,
        exception: BaseException | None = None,
        traceback: TracebackType | None = None,
        /,
    ) -> None: ...

# generated from the classes of `Clipia`: the classes of `AsyncClipia`

@final
class AsyncMediaFile:
    @property
    def name(self) -> str: ...
    @property
    def url(self) -> str: ...
    async def bytes(self, *, max_bytes: int = ...) -> _Bytes: ...
    def stream(self) -> AsyncIterator[_Bytes]: ...

@final
class AsyncGenerationResult(ResultResponse):
    async def files(self, *, renditions: bool = False) -> list[AsyncMediaFile]: ...
    async def download(
        self,
        dir: str | PathLike[str],
        *,
        renditions: bool = False,
        overwrite: bool = False,
        on_progress: Callable[[DownloadProgress], object] | None = None,
    ) -> list[Path]: ...

@final
class AsyncSubmitted(SubmitResponse):
    async def wait(
        self,
        timeout: float | None = None,
        *,
        progress: bool = False,
    ) -> AsyncGenerationResult: ...
    def updates(self) -> AsyncIterator[StatusResponse]: ...
    async def result(
        self,
        *,
        headers: Mapping[str, str] | None = None,
        call_timeout: float | None = None,
    ) -> AsyncGenerationResult: ...
    async def download(
        self,
        dir: str | PathLike[str],
        *,
        renditions: bool = False,
        overwrite: bool = False,
        on_progress: Callable[[DownloadProgress], object] | None = None,
    ) -> list[Path]: ...

@final
class AsyncGeneration:
    @property
    def request_id(self) -> str: ...
    async def wait(
        self,
        timeout: float | None = None,
        *,
        progress: bool = False,
    ) -> AsyncGenerationResult: ...
    def updates(self) -> AsyncIterator[StatusResponse]: ...
    async def status(
        self,
        *,
        headers: Mapping[str, str] | None = None,
        call_timeout: float | None = None,
    ) -> StatusResponse: ...
    async def result(
        self,
        *,
        headers: Mapping[str, str] | None = None,
        call_timeout: float | None = None,
    ) -> AsyncGenerationResult: ...
    async def download(
        self,
        dir: str | PathLike[str],
        *,
        renditions: bool = False,
        overwrite: bool = False,
        on_progress: Callable[[DownloadProgress], object] | None = None,
    ) -> list[Path]: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class AsyncDelivery:
    @property
    def request_id(self) -> str: ...
    @property
    def delivery_id(self) -> str | None: ...
    @property
    def is_duplicate(self) -> bool: ...
    @property
    def resolved(self) -> int: ...
    @property
    def result(self) -> AsyncGenerationResult: ...
    @property
    def data(self) -> dict[str, Any]: ...

@final
class AsyncWebhooks:
    def receive(self, headers: _Headers, body: bytes | str) -> AsyncDelivery: ...
    def asgi(self, on_delivery: Callable[[AsyncDelivery], object] | None = None) -> _Asgi: ...
    def flask(self, on_delivery: Callable[[AsyncDelivery], object] | None = None) -> _FlaskView: ...
    def django(self, on_delivery: Callable[[AsyncDelivery], object] | None = None) -> _DjangoView: ...

@final
class AsyncModelsResource:
    async def list(self) -> ModelList: ...
    async def get(self, slug: str) -> Model: ...
    async def estimate(self, slug: str, input: _Input) -> EstimateResponse: ...
    async def submit(
        self,
        model: str,
        input: _Input,
        *,
        webhook_url: str | None = None,
        idempotency_key: str | None = None,
        max_cost: float | None = None,
        headers: Mapping[str, str] | None = None,
        call_timeout: float | None = None,
    ) -> AsyncSubmitted: ...

@final
class AsyncAccountResource:
    async def get(self) -> Account: ...

@final
class AsyncClipia:
    def __new__(
        cls,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        timeout: float | None = 30.0,
        max_retries: int = 5,
        retry_delay: float = 0.5,
        allow_http: bool | None = None,
        headers: dict[str, str] | None = None,
        proxy: str | None = None,
        certificates: str | PathLike[str] | None = None,
        pending_file: str | PathLike[str] | None = None,
    ) -> Self: ...
    @property
    def base_url(self) -> str: ...
    @property
    def max_retries(self) -> int: ...
    @property
    def retry_delay(self) -> float: ...
    @property
    def models(self) -> AsyncModelsResource: ...
    @property
    def account(self) -> AsyncAccountResource: ...
    async def submit(
        self,
        model: str,
        input: _Input,
        *,
        webhook_url: str | None = None,
        idempotency_key: str | None = None,
        max_cost: float | None = None,
        headers: Mapping[str, str] | None = None,
        call_timeout: float | None = None,
    ) -> AsyncSubmitted: ...
    async def status(
        self,
        request_id: str,
        *,
        headers: Mapping[str, str] | None = None,
        call_timeout: float | None = None,
    ) -> StatusResponse: ...
    async def result(
        self,
        request_id: str,
        *,
        headers: Mapping[str, str] | None = None,
        call_timeout: float | None = None,
    ) -> AsyncGenerationResult: ...
    async def subscribe(
        self,
        model: str,
        input: _Input,
        *,
        webhook_url: str | None = None,
        idempotency_key: str | None = None,
        on_queue_update: Callable[[StatusResponse], object] | None = None,
        poll_interval: float | None = None,
        timeout: float | None = None,
        progress: bool = False,
        max_cost: float | None = None,
        headers: Mapping[str, str] | None = None,
        call_timeout: float | None = None,
    ) -> AsyncGenerationResult: ...
    async def wait_all(
        self,
        handles: Iterable[AsyncSubmitted | AsyncGeneration | str],
        timeout: float | None = None,
    ) -> list[AsyncGenerationResult]: ...
    def as_completed(
        self,
        handles: Iterable[AsyncSubmitted | AsyncGeneration | str],
        timeout: float | None = None,
    ) -> AsyncIterator[AsyncGenerationResult]: ...
    async def check(self, model: str, input: _Input) -> list[InputWarning]: ...
    async def upload(self, file: str | PathLike[str] | bytes, *, file_name: str | None = None) -> Upload: ...
    def generation(self, request_id: str) -> AsyncGeneration: ...
    def pending(self) -> list[Pending]: ...
    def webhooks(self, secret: str, *others: str) -> AsyncWebhooks: ...
    async def close(self) -> None: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self,
        exception_type: type[BaseException] | None = None,
        exception: BaseException | None = None,
        traceback: TracebackType | None = None,
        /,
    ) -> None: ...

# end of what is generated: the classes of `AsyncClipia`

def printable(text: str) -> str: ...
def run_program(arguments: list[str]) -> int: ...
def verify_signature(
    secret: str,
    headers: Mapping[str, str],
    body: str | bytes,
    *,
    tolerance_seconds: float = 300,
    now: float | None = None,
) -> bool: ...
