# Generated from spec/openapi.yaml by `cargo xtask generate`. Do not edit.

"""The exceptions of the error codes, a class for each code."""

from clipia_queue._api_error import ClipiaApiError


class InvalidRequest(ClipiaApiError):
    """400 `invalid_request`: the call does not have the form of the API.

    Correct the call as the message says.
    """


class WebhookUrlInvalid(ClipiaApiError):
    """400 `webhook_url_invalid`: the server may not call this webhook URL.

    Pass an https URL with a public address.
    """


class InvalidApiKey(ClipiaApiError):
    """401 `invalid_api_key`: the API key is missing, wrong or revoked.

    Use a key that this server issued.
    """


class InsufficientCredits(ClipiaApiError):
    """402 `insufficient_credits`: the generation costs more credits than the account or its key has.

    Nothing was charged. Add credits, or use a key with a larger budget.
    """


class SubscriptionRequired(ClipiaApiError):
    """402 `subscription_required`: the model needs a subscription.

    Nothing was charged. Subscribe, or use another model.
    """


class InsufficientScope(ClipiaApiError):
    """403 `insufficient_scope`: the API key lacks the scope that the call needs.

    Use a key that has the scope.
    """


class NotFound(ClipiaApiError):
    """404 `not_found`: the request or the path does not exist for this account.

    Check the id. Only a key of the account that submitted a request finds it.
    """


class ModelNotFound(ClipiaApiError):
    """404 `model_not_found`: the server has no model with this slug.

    Use a slug from the list of models.
    """


class IdempotencyKeyReuse(ClipiaApiError):
    """409 `idempotency_key_reuse`: the idempotency key was used with other parameters.

    Use a new key for another submit.
    """


class RequestInProgress(ClipiaApiError):
    """409 `request_in_progress`: the first submit of the idempotency key is still being processed.

    Repeat the submit with the same key in a moment.
    """


class ModelInputInvalid(ClipiaApiError):
    """422 `model_input_invalid`: the model does not accept this input.

    Correct the input as the message says. Some servers send this code with 400.
    """


class RateLimited(ClipiaApiError):
    """429 `rate_limit_exceeded`: the API key made too many requests in this minute.

    Repeat the call after `Retry-After`.
    """


class ConcurrencyLimited(ClipiaApiError):
    """429 `concurrency_limit_exceeded`: the API key has too many generations in flight.

    Submit again when one of the generations has ended.
    """


class UploadTooLarge(ClipiaApiError):
    """413 `upload_too_large`: the file is longer than an upload may be.

    Upload a shorter file. A self-hosted server takes 100 MiB.
    """


class UploadLimitExceeded(ClipiaApiError):
    """403 `upload_limit_exceeded`: the account keeps as many uploads as it may, in number or in bytes.

    Wait until some expire, 24 hours after they came.
    """


class InternalError(ClipiaApiError):
    """500 `internal_error`: the server failed.

    Repeat the call with growing pauses, a submit with its own idempotency key.
    """


class ServiceUnavailable(ClipiaApiError):
    """503 `service_unavailable`: the server cannot serve the call now.

    Repeat the call after `Retry-After`, a submit with its own idempotency key.
    """
