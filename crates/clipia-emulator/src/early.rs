//! Webhooks that come early: before the status of their request says that it has ended.

use clipia_queue::RequestId;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The requests whose webhook comes early.
#[derive(Debug, Default)]
pub(crate) struct EarlyWebhooks(Mutex<HashMap<RequestId, Hides>>);

/// Until when reads hide the end of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hides {
    /// Until its receiver has responded.
    UntilDelivered,
    /// For one more read: the receiver may ask as soon as it has the webhook.
    OneRead,
}

impl EarlyWebhooks {
    /// The webhook of this request comes early.
    pub(crate) fn expect(&self, request: RequestId) {
        self.requests().insert(request, Hides::UntilDelivered);
    }

    /// The receiver has responded.
    pub(crate) fn delivered(&self, request: RequestId) {
        if let Some(hides) = self.requests().get_mut(&request) {
            *hides = Hides::OneRead;
        }
    }

    /// Whether this read of a request that has ended hides the end.
    pub(crate) fn hides_end(&self, request: RequestId) -> bool {
        let mut requests = self.requests();
        let hides = requests.get(&request).copied();
        if hides == Some(Hides::OneRead) {
            requests.remove(&request);
        }
        hides.is_some()
    }

    /// Forgets all.
    pub(crate) fn clear(&self) {
        self.requests().clear();
    }

    fn requests(&self) -> MutexGuard<'_, HashMap<RequestId, Hides>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_hidden_until_one_read_after_the_webhook() {
        let request = "019d0000-0000-7000-8000-000000000001".parse().unwrap();
        let early = EarlyWebhooks::default();
        assert!(!early.hides_end(request));
        early.expect(request);
        assert!(early.hides_end(request) && early.hides_end(request));
        early.delivered(request);
        assert!(early.hides_end(request));
        assert!(!early.hides_end(request));
    }
}
