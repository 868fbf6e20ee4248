//! What happens to deliveries on their way, as the words of their requests say.

use crate::advance::Occurrences;
use crate::clock::EmulatedClock;
use crate::emulation::Emulation;
use crate::findings::{ObservedDelivery, ObservedSignature};
use crate::words::{Delivery, DeliveryBody, DeliverySignature, DeliveryTime};
use async_trait::async_trait;
use bytes::Bytes;
use clipia_queue::RequestId;
use clipia_server::deliveries::{Outgoing, Tamper};
use clipia_store::clock::Clock;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// How long ago a stale delivery was signed: twice the age that receivers accept.
const STALE: Duration = Duration::from_secs(600);

/// The padding of a huge body, in bytes.
const PADDING: usize = 5_000_000;

/// The pause before each byte of a slow body.
const SLOW: Duration = Duration::from_secs(1);

/// A secret that no account has.
const OTHER_SECRET: &str = "whsec_bm90IHRoZSBzZWNyZXQgb2YgdGhpcyBhY2NvdW50";

/// A status that receivers do not know.
const UNKNOWN_STATUS: &str = "PAUSED";

/// What happens to deliveries.
pub(crate) struct Tampering {
    clock: Arc<EmulatedClock>,
    emulation: Arc<Emulation>,
    occurrences: Arc<Occurrences>,
    /// How the next attempt of a request is signed, and who waits for the response.
    next: Mutex<HashMap<RequestId, Next>>,
}

/// An attempt that is sent by hand.
struct Next {
    signature: DeliverySignature,
    response: oneshot::Sender<Option<u16>>,
}

impl Tampering {
    /// Does to the delivery of each request what its script says.
    pub(crate) fn new(
        clock: Arc<EmulatedClock>,
        emulation: Arc<Emulation>,
        occurrences: Arc<Occurrences>,
    ) -> Self {
        Self { clock, emulation, occurrences, next: Mutex::default() }
    }

    /// Signs the next attempt of a request so. Returns what the receiver will respond.
    pub(crate) fn sign_next(
        &self,
        request: RequestId,
        signature: DeliverySignature,
    ) -> oneshot::Receiver<Option<u16>> {
        let (response, responded) = oneshot::channel();
        self.next().insert(request, Next { signature, response });
        responded
    }

    fn next(&self) -> MutexGuard<'_, HashMap<RequestId, Next>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How an attempt at the delivery of a request goes wrong. One that is made again goes right.
    fn way(&self, delivery: &Outgoing) -> Delivery {
        if let Some(Next { signature, .. }) = self.next().get(&delivery.request) {
            return Delivery { signature: *signature, ..Delivery::default() };
        }
        let script = self.emulation.scripts().learned(delivery.request).filter(|_| delivery.number == 1);
        script.map(|script| script.deliver).unwrap_or_default()
    }
}

#[async_trait]
impl Tamper for Tampering {
    async fn in_place_of(&self, delivery: Outgoing) -> Vec<Outgoing> {
        let way = self.way(&delivery);
        match way.time {
            DeliveryTime::Never => {
                let what = format_args!("delivery attempt {}: lost on its way", delivery.number);
                self.occurrences.note(self.clock.now(), delivery.request, what);
                return Vec::new();
            }
            DeliveryTime::Late(by) => self.clock.until(self.clock.now() + by).await,
            DeliveryTime::AtTheEnd | DeliveryTime::Early => {}
        }
        let bent = bent(delivery, way);
        if way.twice { vec![bent.clone(), bent] } else { vec![bent] }
    }

    fn responded(&self, sent: &Outgoing, status: Option<u16>, after: Duration) {
        let says = status.map_or_else(|| "no response".to_owned(), |status| status.to_string());
        let what = format_args!("delivery attempt {}: {says}", sent.number);
        self.occurrences.note(self.clock.now(), sent.request, what);
        let signature = match self.way(sent).signature {
            DeliverySignature::Good | DeliverySignature::Rotated => ObservedSignature::Good,
            DeliverySignature::Forged => ObservedSignature::Forged,
            DeliverySignature::Stale => ObservedSignature::Stale,
        };
        let request = sent.request;
        if let Some(Next { response, .. }) = self.next().remove(&request) {
            // Whoever asked may have gone.
            let _ = response.send(status);
        }
        self.emulation.delivered(&ObservedDelivery { request, signature, status, took: after });
    }
}

/// A delivery that goes wrong in this way.
fn bent(delivery: Outgoing, way: Delivery) -> Outgoing {
    let mut bent = delivery;
    match way.signature {
        DeliverySignature::Good => {}
        DeliverySignature::Forged => bent.secrets = vec![OTHER_SECRET.to_owned()],
        DeliverySignature::Stale => bent.signed_at = bent.signed_at.saturating_sub(STALE.as_secs()),
        // As in a rotation that this receiver has not followed: its secret is the old one, which is the last.
        DeliverySignature::Rotated => bent.secrets.insert(0, OTHER_SECRET.to_owned()),
    }
    bent.body = match way.body {
        DeliveryBody::Good => bent.body,
        DeliveryBody::Unknown => with(&bent.body, "status", UNKNOWN_STATUS.into()),
        DeliveryBody::Garbage => Bytes::from_static(b"<html>not what you expected</html>"),
        DeliveryBody::Huge => with(&bent.body, "padding", " ".repeat(PADDING).into()),
    };
    bent.pause_before_byte = way.slow.then_some(SLOW);
    bent
}

/// The body with one member set.
fn with(body: &[u8], name: &str, value: Value) -> Bytes {
    let mut members: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
    members.insert(name.to_owned(), value);
    Value::Object(members).to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_ZW11bGF0b3I";

    fn outgoing() -> Outgoing {
        Outgoing {
            request: "019d0000-0000-7000-8000-000000000001".parse().unwrap(),
            number: 1,
            body: Bytes::from_static(br#"{"status":"COMPLETED","cost":18446744073709551615}"#),
            secrets: vec![SECRET.to_owned()],
            signed_at: 1_767_225_600,
            pause_before_byte: None,
        }
    }

    /// Whether a receiver with the secret, that checks signatures and nothing else, takes the delivery.
    fn is_signed(sent: &Outgoing) -> bool {
        let signed = clipia_webhook::sign(&sent.secrets, sent.signed_at, &sent.body);
        let expected = clipia_webhook::sign([SECRET], sent.signed_at, &sent.body);
        signed.split(',').any(|part| part.starts_with("v1=") && expected.contains(part))
    }

    fn sent(way: &str) -> Outgoing {
        bent(outgoing(), way.parse().unwrap())
    }

    #[test]
    fn each_way_goes_wrong_in_one_thing() {
        let fine = outgoing();
        assert!(is_signed(&fine));
        assert!(!is_signed(&sent("forged")));
        let stale = sent("stale");
        assert_eq!((is_signed(&stale), stale.signed_at), (true, fine.signed_at - 600));
        let rotated = sent("rotated");
        assert_eq!(
            (is_signed(&rotated), rotated.secrets.len(), rotated.secrets[1].as_str()),
            (true, 2, SECRET)
        );
        let unknown = sent("unknown");
        let body: Value = serde_json::from_slice(&unknown.body).unwrap();
        assert_eq!((body["status"].as_str(), body["cost"].as_u64()), (Some("PAUSED"), Some(u64::MAX)));
        assert!(serde_json::from_slice::<Value>(&sent("garbage").body).is_err());
        let huge = sent("huge");
        assert!(huge.body.len() > PADDING && is_signed(&huge));
        assert_eq!(sent("slow").pause_before_byte, Some(SLOW));
    }
}
