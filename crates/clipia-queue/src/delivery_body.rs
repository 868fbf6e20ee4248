//! What a delivery says.

use crate::failure::Failure;
use crate::media_address::absolute;
use crate::{Credits, RequestId};
use clipia_api::WebhookStatus;
use clipia_api::types::{Output, WebhookDelivery, WebhookPayload};

/// A generation completed. Its media are told under `base_url`, the address that the submit was made under.
pub fn completed(
    request_id: RequestId,
    model: &str,
    output: &Output,
    charged: Credits,
    base_url: &str,
) -> WebhookDelivery {
    let payload = WebhookPayload {
        model: Some(model.to_owned()),
        output: Some(absolute(output.clone(), base_url)),
        cost: Some(charged.into()),
        extra: Default::default(),
    };
    WebhookDelivery {
        request_id: request_id.into(),
        status: WebhookStatus::Ok,
        payload: Some(payload),
        error: None,
        extra: Default::default(),
    }
}

/// A generation failed.
pub fn failed(request_id: RequestId, why: &Failure) -> WebhookDelivery {
    WebhookDelivery {
        request_id: request_id.into(),
        status: WebhookStatus::Error,
        payload: None,
        error: Some(why.clone().into()),
        extra: Default::default(),
    }
}
