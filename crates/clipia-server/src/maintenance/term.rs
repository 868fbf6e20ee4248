//! The term of a node that does the rounds of a service for all nodes of its store.

use crate::store::{NodeId, Store, StoreError};
use std::sync::Arc;
use std::time::Duration;

/// How much longer than the pause between two rounds a term is, and so how long the rounds rest whose node is gone.
const SLACK: Duration = Duration::from_secs(30);

/// How often a node asks that does not lead, and a node that does while a round goes on.
const ASKED: Duration = Duration::from_secs(10);

/// How long the end of a server waits until its terms are given away.
const GIVEN_AWAY_MAX: Duration = Duration::from_secs(1);

/// How a node leads: its store, and who it is there.
#[derive(Clone)]
pub(crate) struct Leading {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) node: NodeId,
}

impl Leading {
    /// The term of a service that pauses for so long.
    pub(super) fn term(&self, task: &'static str, pause: Duration) -> Term {
        Term { leading: self.clone(), task, length: pause + SLACK }
    }
}

/// The term of a service.
pub(super) struct Term {
    leading: Leading,
    task: &'static str,
    length: Duration,
}

impl Term {
    async fn ask(&self, length: Duration) -> Result<bool, StoreError> {
        self.leading.store.lead(self.task, self.leading.node, length).await
    }

    /// Waits until this node leads.
    pub(super) async fn take(&self) {
        loop {
            match self.ask(self.length).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => tracing::warn!(task = self.task, %error, "the store does not say who leads"),
            }
            tokio::time::sleep(ASKED).await;
        }
    }

    /// Prolongs the term, until another node has it.
    pub(super) async fn is_lost(&self) {
        loop {
            tokio::time::sleep(ASKED).await;
            match self.ask(self.length).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => tracing::warn!(task = self.task, %error, "the term was not prolonged"),
            }
        }
    }

    /// Lets another node lead at once, where this one does.
    pub(super) async fn give_away(&self) {
        // A term that is not given away ends by itself. The end of a server does not wait for a store that does not answer.
        let _ = tokio::time::timeout(GIVEN_AWAY_MAX, self.ask(Duration::ZERO)).await;
    }
}
