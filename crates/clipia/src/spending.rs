//! The one budget of a client, shared by all its calls and waits.

use crate::budget::{Budget, RateLimit};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

#[derive(Clone, Debug)]
pub(crate) struct Spending(Arc<Mutex<Budget>>);

impl Spending {
    pub(crate) fn new(now: Instant) -> Self {
        Self(Arc::new(Mutex::new(Budget::new(now))))
    }

    /// A token for a call of the user's own, which is not held back.
    pub(crate) fn spend(&self) -> Token {
        self.budget(|budget| budget.spend(now()));
        Token { spending: self.clone(), settled: false }
    }

    /// A token if there is one, or when there may be one.
    pub(crate) fn try_take(&self, now: Instant) -> Result<Token, Instant> {
        self.budget(|budget| budget.take(now))?;
        Ok(Token { spending: self.clone(), settled: false })
    }

    /// A token as soon as there is one.
    pub(crate) async fn take(&self) -> Token {
        loop {
            match self.try_take(now()) {
                Ok(token) => return token,
                Err(later) => tokio::time::sleep_until(later.into()).await,
            }
        }
    }

    fn budget<T>(&self, change: impl FnOnce(&mut Budget) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The right to send one request. Dropped without an answer, it counts as one that nobody waits for.
#[derive(Debug)]
pub(crate) struct Token {
    spending: Spending,
    settled: bool,
}

impl Token {
    pub(crate) fn answered(mut self, told: RateLimit) {
        self.settled = true;
        self.spending.budget(|budget| budget.answered(now(), told));
    }

    /// Answered with: the limit is reached.
    pub(crate) fn refused(self, told: RateLimit, retry_after: Option<Duration>) {
        let spending = self.spending.clone();
        self.answered(told);
        spending.budget(|budget| budget.refused(now(), retry_after));
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        if !self.settled {
            self.spending.budget(Budget::abandoned);
        }
    }
}

/// Tokio's clock, so that a test may hold it.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
