//! The hosts that inputs are fetched from, with their circuit breakers.
//!
//! A fetch from a host that does not respond takes its whole time limit. After some failures in a row the host's breaker opens for
//! a while, by the same rules as for receivers of deliveries. Meanwhile the account's generations from that host fail at once,
//! and their credits are returned.

use crate::clock::now;
use crate::outbound::AllowedUrl;
use crate::store::AccountId;
use clipia_queue::breaker::{Breaker, FAILURES_MAX, PAUSE_MAX, Sign, Turn};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most hosts in memory. Above this number, hosts without a fetch are dropped, and their failures are forgotten.
const REMEMBERED_MAX: usize = 10_000;

/// An account and a host. Each account has its own breaker for a host, so that no account can close a host for others.
type AccountHost = (AccountId, String);

/// The hosts with fetches under way or with failures.
#[derive(Clone, Default)]
pub(super) struct InputHosts(Arc<Mutex<HashMap<AccountHost, Breaker>>>);

/// The error of a host whose breaker is open.
#[derive(Debug, thiserror::Error)]
#[error(
    "is on a host that did not answer {FAILURES_MAX} times in a row, and is left alone for {} minutes at most: submit again \
     once it answers",
    PAUSE_MAX.as_secs() / 60
)]
pub(super) struct HostDown;

/// A fetch under way. If it is dropped before its end, the breaker learns nothing of the host.
pub(super) struct Fetching {
    hosts: InputHosts,
    of: AccountHost,
    turn: Option<Turn>,
}

impl InputHosts {
    fn known(&self) -> MutexGuard<'_, HashMap<AccountHost, Breaker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a fetch.
    ///
    /// # Errors
    /// [`HostDown`] if the host's breaker is open, and its next probe is not due.
    pub(super) fn begin(&self, account: &AccountId, url: &AllowedUrl) -> Result<Fetching, HostDown> {
        let of = (account.clone(), url.host());
        let mut known = self.known();
        let forget = known.len() > REMEMBERED_MAX;
        known.retain(|_, host| host.under_way() > 0 || !(forget || host.is_fresh()));
        let host = known.entry(of.clone()).or_default();
        if host.is_open() && host.room(now()) == 0 {
            return Err(HostDown);
        }
        let turn = host.begin();
        Ok(Fetching { hosts: self.clone(), of, turn: Some(turn) })
    }
}

impl Fetching {
    /// Ends the fetch, with its sign of the host's health.
    pub(super) fn end(mut self, sign: Sign) {
        self.finish(sign);
    }

    fn finish(&mut self, sign: Sign) {
        let Some(turn) = self.turn.take() else { return };
        if let Some(host) = self.hosts.known().get_mut(&self.of) {
            host.end(turn, sign, now());
        }
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        self.finish(Sign::None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::Target;

    #[test]
    fn a_host_that_does_not_respond_is_closed_for_one_account_only() {
        let hosts = InputHosts::default();
        let (noisy, quiet) = (AccountId("noisy".to_owned()), AccountId("quiet".to_owned()));
        let url = |text| Target::new(true, &[]).parse(text).unwrap();
        let (dead, well) = (url("http://127.0.0.1:4000/a.png"), url("http://127.0.0.1:4001/b.png"));
        for _ in 0..FAILURES_MAX {
            hosts.begin(&noisy, &dead).unwrap().end(Sign::Down);
        }
        let down = hosts.begin(&noisy, &dead).err().unwrap().to_string();
        assert!(down.contains("10 times in a row") && down.contains("5 minutes"), "{down}");
        hosts.begin(&noisy, &well).unwrap().end(Sign::Alive);
        hosts.begin(&quiet, &dead).unwrap().end(Sign::Alive);
        drop(hosts.begin(&quiet, &dead).unwrap());
        hosts.begin(&quiet, &well).unwrap().end(Sign::Alive);
        assert_eq!(hosts.known().len(), 2, "only what is known of a host is kept");
    }
}
