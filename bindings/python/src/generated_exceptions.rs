// Generated from spec/openapi.yaml by `cargo xtask generate`. Do not edit.

use crate::exceptions::Fields;
use clipia::Error;
use pyo3::{PyErr, import_exception};

import_exception!(clipia_queue._generated_exceptions, InvalidRequest);
import_exception!(clipia_queue._generated_exceptions, WebhookUrlInvalid);
import_exception!(clipia_queue._generated_exceptions, InvalidApiKey);
import_exception!(clipia_queue._generated_exceptions, InsufficientCredits);
import_exception!(clipia_queue._generated_exceptions, SubscriptionRequired);
import_exception!(clipia_queue._generated_exceptions, InsufficientScope);
import_exception!(clipia_queue._generated_exceptions, NotFound);
import_exception!(clipia_queue._generated_exceptions, ModelNotFound);
import_exception!(clipia_queue._generated_exceptions, IdempotencyKeyReuse);
import_exception!(clipia_queue._generated_exceptions, RequestInProgress);
import_exception!(clipia_queue._generated_exceptions, ModelInputInvalid);
import_exception!(clipia_queue._generated_exceptions, RateLimited);
import_exception!(clipia_queue._generated_exceptions, ConcurrencyLimited);
import_exception!(clipia_queue._generated_exceptions, UploadTooLarge);
import_exception!(clipia_queue._generated_exceptions, UploadLimitExceeded);
import_exception!(clipia_queue._generated_exceptions, InternalError);
import_exception!(clipia_queue._generated_exceptions, ServiceUnavailable);

/// What makes the exception of an error that has a code of the API; `None` of another error.
pub(crate) fn of_code(error: &Error) -> Option<fn(Fields) -> PyErr> {
    Some(match error {
        Error::InvalidApiKey(_) => InvalidApiKey::new_err,
        Error::InsufficientCredits(_) => InsufficientCredits::new_err,
        Error::SubscriptionRequired(_) => SubscriptionRequired::new_err,
        Error::InsufficientScope(_) => InsufficientScope::new_err,
        Error::NotFound(_) => NotFound::new_err,
        Error::ModelNotFound(_) => ModelNotFound::new_err,
        Error::IdempotencyKeyReuse(_) => IdempotencyKeyReuse::new_err,
        Error::RequestInProgress(_) => RequestInProgress::new_err,
        Error::RateLimitExceeded(_) => RateLimited::new_err,
        Error::ConcurrencyLimitExceeded(_) => ConcurrencyLimited::new_err,
        Error::UploadTooLarge(_) => UploadTooLarge::new_err,
        Error::UploadLimitExceeded(_) => UploadLimitExceeded::new_err,
        Error::InternalError(_) => InternalError::new_err,
        Error::ServiceUnavailable(_) => ServiceUnavailable::new_err,
        _ => return None,
    })
}
