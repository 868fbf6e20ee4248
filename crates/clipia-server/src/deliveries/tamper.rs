//! What an emulator does to deliveries on their way, so that receivers can be tested.

use crate::store::DueDelivery;
use async_trait::async_trait;
use bytes::Bytes;
use clipia_queue::RequestId;
use std::fmt;
use std::time::Duration;

/// A delivery as it is sent once.
#[derive(Clone)]
pub struct Outgoing {
    /// The request.
    pub request: RequestId,
    /// The number of the attempt, from 1 on.
    pub number: u32,
    /// The body.
    pub body: Bytes,
    /// The secrets to sign with, in the order of their signatures.
    pub secrets: Vec<String>,
    /// When the delivery says that it was signed, in Unix seconds.
    pub signed_at: u64,
    /// The pause before each byte of the body; none where the body is sent at once.
    pub pause_before_byte: Option<Duration>,
}

impl Outgoing {
    /// The delivery as it is sent if nothing is done to it.
    pub(super) fn of(delivery: &DueDelivery, signed_at: u64) -> Self {
        Self {
            request: delivery.request,
            number: delivery.number,
            body: delivery.body.clone().into(),
            secrets: delivery.secrets.clone(),
            signed_at,
            pause_before_byte: None,
        }
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("request", &self.request)
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

/// Does something to deliveries on their way.
#[async_trait]
pub trait Tamper: Send + Sync {
    /// What is sent in place of `delivery`, one after the other. The response to the first one is that of the attempt. If there is none,
    /// nothing is sent, and the attempt counts as accepted: the delivery is lost on its way.
    async fn in_place_of(&self, delivery: Outgoing) -> Vec<Outgoing>;

    /// What the receiver responded to `sent`, after which time; none where there was no response.
    fn responded(&self, sent: &Outgoing, status: Option<u16>, after: Duration);
}
