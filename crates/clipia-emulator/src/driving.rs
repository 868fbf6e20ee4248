//! What a test drives by hand: the clock, the accounts, the requests and the deliveries.

use crate::accounts::{Accounts, CreditsRefused};
use crate::advance::{Advance, AdvanceRefused, Occurrences};
use crate::clock::EmulatedClock;
use crate::control::{Control, ControlError, Finish, Resend};
use crate::executor::ScriptedExecutor;
use crate::tampering::Tampering;
use crate::words::{DeliverySignature, End};
use crate::{CallerKey, duration};
use async_trait::async_trait;
use clipia_queue::{Credits, RequestId};
use clipia_store::clock::{Clock, timestamp};
use clipia_store::{DELIVERIES_MAX, DeliveryFilter, Store, StoreError, WorkRefused};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// How long the response to a delivery that is sent by hand is waited for, in real time.
const RESPONSE_WAIT: Duration = Duration::from_secs(15);

/// What is driven by hand.
pub(crate) struct Driving {
    pub(crate) clock: Arc<EmulatedClock>,
    pub(crate) advance: Arc<Advance>,
    pub(crate) executor: Arc<ScriptedExecutor>,
    pub(crate) tampering: Arc<Tampering>,
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) occurrences: Arc<Occurrences>,
    pub(crate) store: Arc<dyn Store>,
}

fn failed(error: StoreError) -> ControlError {
    ControlError::Failed(error.to_string())
}

#[async_trait]
impl Control for Driving {
    async fn clock(&self) -> Value {
        let next = self.clock.next_due().map(timestamp);
        json!({ "clock": self.clock.pace().to_string(), "now": timestamp(self.clock.now()), "next_due": next })
    }

    async fn advance(&self, by: Duration) -> Result<Value, ControlError> {
        let occurred = self.advance.advance(by).await.map_err(|refused| match refused {
            AdvanceRefused::Store(error) => failed(error),
            AdvanceRefused::Passes => ControlError::Impossible(refused.to_string()),
        })?;
        Ok(json!({
            "advanced": duration::shown(by),
            "now": timestamp(self.clock.now()),
            "occurred": occurred,
        }))
    }

    async fn set_credits(&self, key: &CallerKey, credits: u64) -> Result<(), ControlError> {
        let opened = self.accounts.open_with(key, Credits::new(credits)).await;
        opened.map_err(|refused| match refused {
            CreditsRefused::Store(error) => failed(error),
            CreditsRefused::Used => ControlError::Impossible(refused.to_string()),
        })
    }

    async fn finish(&self, request: RequestId, finish: Finish) -> Result<(), ControlError> {
        let end = match finish {
            Finish::Completed => End::Complete,
            Finish::Failed => End::Fail { code: None, why: None },
            Finish::Canceled => {
                return match self.store.cancel(request).await {
                    Ok(()) => Ok(()),
                    Err(WorkRefused::Store(error)) => Err(failed(error)),
                    Err(WorkRefused::Unknown) => Err(ControlError::NotFound("request")),
                    Err(refused) => Err(ControlError::Impossible(refused.to_string())),
                };
            }
        };
        if self.executor.end(request, end) {
            return Ok(());
        }
        match self.store.request_history(request).await.map_err(failed)? {
            None => Err(ControlError::NotFound("request")),
            Some(_) => Err(ControlError::Impossible(
                "the request does not run: it waits, or has ended; let it run with `@stuck` until you end it"
                    .to_owned(),
            )),
        }
    }

    async fn deliveries(&self) -> Result<Vec<Value>, ControlError> {
        let all = self.store.list_deliveries(DeliveryFilter::default(), None, DELIVERIES_MAX).await;
        let told = |delivery: clipia_store::DeliveryListing| {
            json!({
                "id": delivery.id,
                "request_id": delivery.request_id.to_string(),
                "url": delivery.url,
                "state": format!("{:?}", delivery.state).to_lowercase(),
                "attempts": delivery.attempts,
                "next_at": delivery.next_at,
            })
        };
        // The first one first.
        Ok(all.map_err(failed)?.into_iter().rev().map(told).collect())
    }

    async fn send(&self, delivery: &str, send: Resend) -> Result<Value, ControlError> {
        let none = || ControlError::NotFound("delivery");
        let id: Uuid = delivery.parse().map_err(|_| none())?;
        let found = self.store.delivery(id).await.map_err(failed)?.ok_or_else(none)?;
        let signature = match send {
            Resend::Again => DeliverySignature::Good,
            Resend::Forged => DeliverySignature::Forged,
            Resend::Stale => DeliverySignature::Stale,
        };
        let response = self.tampering.sign_next(found.delivery.request_id, signature);
        if !self.store.replay(id).await.map_err(failed)? {
            return Err(none());
        }
        match tokio::time::timeout(RESPONSE_WAIT, response).await {
            Ok(Ok(status)) => Ok(json!({ "response": status })),
            _ => Err(ControlError::Failed("the delivery was not sent in time".to_owned())),
        }
    }

    async fn reset(&self) -> Result<(), ControlError> {
        self.occurrences.clear();
        Ok(())
    }
}
