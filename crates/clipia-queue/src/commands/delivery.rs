//! The delivery of a request that has ended: its body, its host, and when it is due.

use super::Now;
use crate::deliveries::StoredDelivery;
use crate::delivery_host::host_of;
use crate::{Credits, Failure, Moment, RequestId, media_address};
use clipia_api::types::{Output, WebhookDelivery, WebhookPayload};

/// How a request ended.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// With an output.
    Output(&'a Output),
    /// Without one.
    Failure(&'a Failure),
    /// An operator canceled it.
    Canceled,
}

/// The request of a delivery.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its id.
    pub id: RequestId,
    /// The model's slug.
    pub model: &'a str,
    /// The address that the submit was made under. The body names media under it.
    pub base_url: &'a str,
    /// Where to post the outcome.
    pub webhook_url: Option<&'a str>,
}

/// A delivery to write: pending, not attempted yet.
#[derive(Clone, Debug, PartialEq)]
pub struct NewDelivery<'a> {
    /// The host that is called: scheme, host and port.
    pub host: String,
    /// The URL that is called.
    pub url: &'a str,
    /// The body.
    pub body: WebhookDelivery,
    /// When the request ended, by the system's clock.
    pub created_at: Moment,
    /// Its state: the first attempt is due at once.
    pub stored: StoredDelivery,
}

/// The delivery of a request that has ended, if it wants one.
pub fn announce<'a>(
    request: Subject<'a>,
    outcome: Outcome<'_>,
    charged: Credits,
    now: Now,
) -> Option<NewDelivery<'a>> {
    let url = request.webhook_url?;
    let body = match outcome {
        Outcome::Output(output) => completed(request, output, charged),
        Outcome::Failure(failure) => WebhookDelivery::failed(request.id.into(), failure.clone().into()),
        // The contract has one status for failed and canceled. The request's own status distinguishes them.
        Outcome::Canceled => WebhookDelivery::failed(request.id.into(), Failure::canceled().into()),
    };
    Some(NewDelivery {
        host: host_of(url),
        url,
        body,
        created_at: now.wall,
        stored: StoredDelivery::new(now.steady),
    })
}

/// The body for a generation that completed.
fn completed(request: Subject<'_>, output: &Output, charged: Credits) -> WebhookDelivery {
    let payload = WebhookPayload {
        model: Some(request.model.to_owned()),
        output: Some(media_address::absolute(output.clone(), request.base_url)),
        cost: Some(charged.into()),
        extra: Default::default(),
    };
    WebhookDelivery::completed(request.id.into(), payload)
}
