//! The administration of a running server: how it is found, and its lists beyond one page.

use crate::types::{
    AccountListing, AuditEntry, DeliveryListing, KeyListing, ListDeliveriesQuery, ListRequestsQuery,
    ReplayOrder, RequestListing,
};
use crate::{Access, Administration, AdministrationError, Secret};
use jiff::Timestamp;
use progenitor_client::ClientInfo;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use std::io;
use std::path::Path;
use std::time::Duration;

/// How long a connection is kept for the next call: less than the 5 s after which common servers close theirs, so that a
/// call is not sent into a closing one.
const IDLE_MAX: Duration = Duration::from_secs(4);

impl Administration {
    /// The administration of the server that runs on the data directory `data`.
    ///
    /// # Errors
    /// [`AdministrationError::NotRunning`] where no server runs there.
    pub fn of(data: &Path) -> Result<Self, AdministrationError> {
        let not_running = |source| AdministrationError::NotRunning { data: data.to_owned(), source };
        let access = Access::read(data).map_err(not_running)?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", access.token.reveal()))
            .map_err(|error| not_running(io::Error::other(error)))?;
        // `Debug` of the client does not show it then.
        bearer.set_sensitive(true);
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // A second installer is not a fault: whichever came first serves.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let http = reqwest::Client::builder()
            .user_agent(concat!("clipia-admin/", env!("CARGO_PKG_VERSION")))
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, bearer)]))
            // The token stays on this machine.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .pool_idle_timeout(IDLE_MAX)
            .build()?;
        Ok(Self::new_with_client(&access.url, http))
    }

    /// An address that signs a browser in to the dashboard, once, within a minute.
    ///
    /// # Errors
    /// [`AdministrationError`], also of a server without a dashboard.
    pub async fn dashboard_url(&self) -> Result<Secret, AdministrationError> {
        let ticket = self.create_ticket().await?.ticket;
        Ok(Secret::from(format!("{}/dashboard/in?ticket={}", self.baseurl(), ticket.reveal())))
    }

    /// Every account.
    ///
    /// # Errors
    /// [`AdministrationError`].
    pub async fn accounts(&self) -> Result<Vec<AccountListing>, AdministrationError> {
        let (mut listed, mut after) = (Vec::new(), None);
        loop {
            let page = self.list_accounts(after.as_deref(), None).await?;
            listed.extend(page.accounts);
            after = page.next;
            if after.is_none() {
                return Ok(listed);
            }
        }
    }

    /// Every key, revoked ones included.
    ///
    /// # Errors
    /// [`AdministrationError`].
    pub async fn keys(&self) -> Result<Vec<KeyListing>, AdministrationError> {
        let (mut listed, mut after) = (Vec::new(), None);
        loop {
            let page = self.list_keys(after.as_deref(), None).await?;
            listed.extend(page.keys);
            after = page.next;
            if after.is_none() {
                return Ok(listed);
            }
        }
    }

    /// As many requests as the query asks for, the newest first.
    ///
    /// # Errors
    /// [`AdministrationError`].
    pub async fn requests(
        &self,
        query: ListRequestsQuery,
    ) -> Result<Vec<RequestListing>, AdministrationError> {
        let ListRequestsQuery { account_id, mut after, key_id, mut limit, model, since, status, text } =
            query;
        let mut listed = Vec::new();
        while limit > 0 {
            let (account, key, model) = (account_id.as_deref(), key_id.as_deref(), model.as_deref());
            let (after_id, since, status) = (after.as_ref(), since.as_ref(), status.as_ref());
            let page = self
                .list_requests(account, after_id, key, limit, model, since, status, text.as_deref())
                .await?;
            limit = left(limit, page.requests.len());
            listed.extend(page.requests);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(listed)
    }

    /// As many deliveries as the query asks for, the newest first.
    ///
    /// # Errors
    /// [`AdministrationError`].
    pub async fn deliveries(
        &self,
        query: ListDeliveriesQuery,
    ) -> Result<Vec<DeliveryListing>, AdministrationError> {
        let ListDeliveriesQuery { account_id, mut before, mut limit, request_id, state } = query;
        let mut listed = Vec::new();
        while limit > 0 {
            let (account, request) = (account_id.as_deref(), request_id.as_ref());
            let page = self.list_deliveries(account, before.as_ref(), limit, request, state).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.id);
            limit = left(limit, page.len());
            listed.extend(page.0);
        }
        Ok(listed)
    }

    /// The `limit` newest entries of the audit, the newest first.
    ///
    /// # Errors
    /// [`AdministrationError`].
    pub async fn audit(&self, mut limit: u32) -> Result<Vec<AuditEntry>, AdministrationError> {
        let (mut listed, mut before) = (Vec::new(), None);
        while limit > 0 {
            let page = self.list_audit(before, limit).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.number);
            limit = left(limit, page.len());
            listed.extend(page.0);
        }
        Ok(listed)
    }

    /// Sends again every delivery that was given up at `since` or later; returns how many there are.
    ///
    /// # Errors
    /// [`AdministrationError`]. Deliveries before the one that failed are sent all the same.
    pub async fn replay_failed(&self, since: Timestamp) -> Result<u64, AdministrationError> {
        let (mut count, mut order) = (0, ReplayOrder { failed_since: since });
        loop {
            let replayed = self.replay_failed_deliveries(&order).await?;
            count += replayed.count;
            match replayed.next {
                Some(next) => order.failed_since = next,
                None => return Ok(count),
            }
        }
    }
}

/// How many of `limit` are still wanted after a page of so many.
fn left(limit: u32, page: usize) -> u32 {
    limit.saturating_sub(u32::try_from(page).unwrap_or(u32::MAX))
}
