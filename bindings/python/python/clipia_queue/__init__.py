"""The Clipia queue API: images, video and audio, submitted, waited for, and never lost.

    from clipia_queue import Clipia

    with Clipia() as clipia:  # CLIPIA_KEY, and CLIPIA_BASE_URL for a server of your own
        fox = clipia.submit("nano-banana-2", {"prompt": "a red fox in snow"})
        print(fox.request_id, fox.cost)
        fox.wait().download("out")

`AsyncClipia` is the same for asyncio. `subscribe` submits and waits in one call. `wait_all` and
`as_completed` wait for many. A failed generation is a result, not an exception. Every exception is a
`ClipiaError`; an exception about a call, a generation or a wait is a `ClipiaApiError`.

`clipia_queue.worker` is the other side: it makes a function of yours a model of a server.
"""

from clipia_queue._api_error import ClipiaApiError, ClipiaError, ClipiaValueError
from clipia_queue._clipia_queue import (
    AccountResource,
    AsyncAccountResource,
    AsyncClipia,
    AsyncDelivery,
    AsyncGeneration,
    AsyncGenerationResult,
    AsyncMediaFile,
    AsyncModelsResource,
    AsyncSubmitted,
    AsyncWebhooks,
    Clipia,
    Delivery,
    DownloadProgress,
    EstimateResponse,
    Generation,
    GenerationResult,
    InputWarning,
    MediaFile,
    ModelsResource,
    Pending,
    ResultResponse,
    StatusResponse,
    SubmitResponse,
    Submitted,
    Upload,
    Webhooks,
    __version__,
    verify_signature,
)
from clipia_queue._exceptions import (
    ClipiaConnectionError,
    ClipiaTimeoutError,
    DeliveryMalformed,
    DownloadFailed,
    GenerationCanceled,
    GenerationFailed,
    InputFault,
    InputInvalid,
    MaxCostExceeded,
    SignatureExpired,
    SignatureMalformed,
    SignatureMismatch,
    StillRunning,
    UnexpectedAnswer,
    UploadFailed,
    WebhookRefused,
)

# generated from spec/openapi.yaml: imports
from clipia_queue._generated_exceptions import (
    ConcurrencyLimited,
    IdempotencyKeyReuse,
    InsufficientCredits,
    InsufficientScope,
    InternalError,
    InvalidApiKey,
    InvalidRequest,
    ModelInputInvalid,
    ModelNotFound,
    NotFound,
    RateLimited,
    RequestInProgress,
    ServiceUnavailable,
    SubscriptionRequired,
    UploadLimitExceeded,
    UploadTooLarge,
    WebhookUrlInvalid,
)

# end of what is generated: imports
from clipia_queue._model_list import ModelList
from clipia_queue._statuses import CANCELED, COMPLETED, FAILED, IN_PROGRESS, IN_QUEUE, TERMINAL_STATUSES
from clipia_queue._types import (
    Account,
    Balance,
    InputParameter,
    InputSchema,
    Model,
    Pricing,
    TextLimits,
    Usage,
)

__all__ = [
    "CANCELED",
    "COMPLETED",
    "FAILED",
    "IN_PROGRESS",
    "IN_QUEUE",
    "TERMINAL_STATUSES",
    "Account",
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
    "Balance",
    "Clipia",
    "ClipiaApiError",
    "ClipiaConnectionError",
    "ClipiaError",
    "ClipiaTimeoutError",
    "ClipiaValueError",
    "Delivery",
    "DeliveryMalformed",
    "DownloadFailed",
    "DownloadProgress",
    "EstimateResponse",
    "Generation",
    "GenerationCanceled",
    "GenerationFailed",
    "GenerationResult",
    "InputFault",
    "InputInvalid",
    "InputParameter",
    "InputSchema",
    "InputWarning",
    "MaxCostExceeded",
    "MediaFile",
    "Model",
    "ModelList",
    "ModelsResource",
    "Pending",
    "Pricing",
    "ResultResponse",
    "SignatureExpired",
    "SignatureMalformed",
    "SignatureMismatch",
    "StatusResponse",
    "StillRunning",
    "SubmitResponse",
    "Submitted",
    "TextLimits",
    "UnexpectedAnswer",
    "Upload",
    "UploadFailed",
    "Usage",
    "WebhookRefused",
    "Webhooks",
    "__version__",
    "verify_signature",
]
# generated from spec/openapi.yaml: names
__all__ += [
    "ConcurrencyLimited",
    "IdempotencyKeyReuse",
    "InsufficientCredits",
    "InsufficientScope",
    "InternalError",
    "InvalidApiKey",
    "InvalidRequest",
    "ModelInputInvalid",
    "ModelNotFound",
    "NotFound",
    "RateLimited",
    "RequestInProgress",
    "ServiceUnavailable",
    "SubscriptionRequired",
    "UploadLimitExceeded",
    "UploadTooLarge",
    "WebhookUrlInvalid",
]
# end of what is generated: names
