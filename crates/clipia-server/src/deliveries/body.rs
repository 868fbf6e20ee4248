//! What a delivery says.

use crate::media;
use crate::store::Failure;
use clipia_api::types::{Output, RequestId, WebhookDelivery, WebhookPayload};
use clipia_api::{Credits, WebhookStatus};

/// A generation completed. Its media are told under `base_url`, the address that the submit was made under.
pub fn completed(
    request_id: RequestId,
    model: &str,
    output: &Output,
    charged: Credits,
    base_url: &str,
) -> WebhookDelivery {
    let payload = WebhookPayload {
        model: model.to_owned(),
        output: media::absolute(output.clone(), base_url),
        cost: charged,
        extra: Default::default(),
    };
    WebhookDelivery {
        request_id,
        status: WebhookStatus::Ok,
        payload: Some(payload),
        error: None,
        extra: Default::default(),
    }
}

/// A generation failed.
pub fn failed(request_id: RequestId, why: &Failure) -> WebhookDelivery {
    WebhookDelivery {
        request_id,
        status: WebhookStatus::Error,
        payload: None,
        error: Some(why.clone().into()),
        extra: Default::default(),
    }
}
