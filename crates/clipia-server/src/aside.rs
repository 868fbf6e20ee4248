//! The requests of a queue that were set aside, for all who claim from it: the server's own workers, and workers elsewhere.
//!
//! A claim passes over requests that name a file elsewhere, if their account uses its whole share of the claimer's preparation. They
//! are set aside in the store. Before each claim, requests of accounts that have room with this claimer are put back. So what one
//! claimer set aside, another one takes.

use crate::store::{AccountId, Claim, Holder, Recorded, Store, StoreError};
use clipia_worker::work::PreparationRoom;
use prometheus_client::metrics::gauge::Gauge;
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The accounts with requests of one queue that were set aside. A store that is opened has none.
#[derive(Debug, Default)]
pub(crate) struct Aside {
    accounts: Mutex<HashSet<AccountId>>,
    /// The metric of these accounts, which all queues share.
    counted: Gauge,
}

impl Aside {
    /// No accounts yet. They are counted in this gauge.
    pub(crate) fn new(counted: Gauge) -> Self {
        Self { accounts: Mutex::default(), counted }
    }

    /// Claims the first requests of `queue` that can run where `room` says what can be prepared, `most` at most. The accounts are
    /// those of this queue. The store may answer [ahead of its commit](crate::store::Queue::claim_ahead).
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) async fn claim(
        &self,
        store: &dyn Store,
        queue: &str,
        holder: &Holder,
        room: &dyn PreparationRoom,
        most: usize,
    ) -> Result<(Vec<Claim>, Recorded), StoreError> {
        self.put_back(store, queue, room).await?;
        loop {
            let (past, recorded) = store.claim_ahead(queue, holder.clone(), most, room.full()).await?;
            self.note(past.aside);
            if !past.claims.is_empty() || !past.more {
                return Ok((past.claims, recorded));
            }
        }
    }

    /// Notes that requests of these accounts were set aside.
    fn note(&self, accounts: impl IntoIterator<Item = AccountId>) {
        let mut aside = self.accounts();
        for account in accounts {
            if aside.insert(account) {
                self.counted.inc();
            }
        }
    }

    /// Puts requests that were set aside back into the queue, as many as their accounts have room for.
    async fn put_back(
        &self,
        store: &dyn Store,
        queue: &str,
        room: &dyn PreparationRoom,
    ) -> Result<(), StoreError> {
        let mut still_aside = Vec::new();
        let mut result = Ok(());
        // An account is removed before its requests are put back. So a request that another claim sets aside meanwhile is
        // noted afterwards, and not lost.
        while let Some((account, free)) = self.take_account_with_room(room) {
            let put_back = store.put_back(queue, &account, free).await;
            if !put_back.as_ref().is_ok_and(|count| *count < free) {
                still_aside.push(account);
            }
            if let Err(error) = put_back {
                result = Err(error);
                break;
            }
        }
        self.note(still_aside);
        result
    }

    /// Removes an account that has room; returns it with the number of requests that it has room for.
    fn take_account_with_room(&self, room: &dyn PreparationRoom) -> Option<(AccountId, u32)> {
        let mut aside = self.accounts();
        let free = |account: &AccountId| u32::try_from(room.free_for(account)).unwrap_or(u32::MAX);
        let (account, free) =
            aside.iter().map(|account| (account.clone(), free(account))).find(|(_, free)| *free > 0)?;
        aside.remove(&account);
        self.counted.dec();
        Some((account, free))
    }

    fn accounts(&self) -> MutexGuard<'_, HashSet<AccountId>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Room for two requests of each account, except of these.
    struct Room(&'static [&'static str]);

    impl PreparationRoom for Room {
        fn full(&self) -> Vec<AccountId> {
            self.0.iter().map(|account| AccountId((*account).to_owned())).collect()
        }

        fn free_for(&self, account: &AccountId) -> usize {
            if self.0.contains(&account.0.as_str()) { 0 } else { 2 }
        }
    }

    #[test]
    fn what_one_claimer_has_set_aside_another_one_takes() {
        let counted = Gauge::default();
        let aside = Aside::new(counted.clone());
        let (here, elsewhere) = (Room(&["a", "b"]), Room(&["a"]));
        aside.note(here.full());
        aside.note(elsewhere.full());
        assert_eq!((counted.get(), aside.take_account_with_room(&here)), (2, None));
        let taken = aside.take_account_with_room(&elsewhere);
        assert_eq!((counted.get(), taken), (1, Some((AccountId("b".to_owned()), 2))));
        assert_eq!(aside.take_account_with_room(&elsewhere), None);
    }
}
