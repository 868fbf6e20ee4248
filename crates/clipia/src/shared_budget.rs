//! The request budget of a client, shared by all its calls and waits.

use crate::budget::{Budget, RateLimit};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

#[derive(Clone, Debug)]
pub(crate) struct SharedBudget(Arc<Mutex<Budget>>);

impl SharedBudget {
    pub(crate) fn new(now: Instant) -> Self {
        Self(Arc::new(Mutex::new(Budget::new(now, rand::random()))))
    }

    /// The budget of a client that ignores others.
    #[cfg(feature = "simulation")]
    pub(crate) fn ignoring_others(now: Instant) -> Self {
        Self(Arc::new(Mutex::new(Budget::new(now, rand::random()).ignoring_others())))
    }

    /// Whether a server has sent a limit or a 429.
    pub(crate) fn is_limit_known(&self) -> bool {
        self.with(|budget| budget.is_limit_known())
    }

    /// Takes a token even if the bucket has none.
    pub(crate) fn spend(&self) -> Token {
        let number = self.with(|budget| budget.spend(now()));
        self.token(number)
    }

    /// Takes a token if the bucket has one and is at least this full (from 0 to 1); otherwise returns when to try
    /// again.
    pub(crate) fn take(&self, now: Instant, fullness: f64) -> Result<Token, Instant> {
        let number = self.with(|budget| budget.take(now, fullness))?;
        Ok(self.token(number))
    }

    fn token(&self, number: u64) -> Token {
        Token { budget: self.clone(), number, state: State::Unused }
    }

    fn with<T>(&self, change: impl FnOnce(&mut Budget) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unused,
    Sent,
    Answered,
}

/// The right to send one request. A token that is dropped unused returns to the budget. A token of a request that was
/// sent and got no response counts as abandoned.
#[derive(Debug)]
pub(crate) struct Token {
    budget: SharedBudget,
    number: u64,
    state: State,
}

impl Token {
    /// Marks the request as sent.
    pub(crate) fn sent(&mut self) {
        self.state = State::Sent;
    }

    /// Records a response that was a success.
    pub(crate) fn accepted(self, headers: RateLimit) {
        let budget = self.budget.clone();
        self.answered(headers);
        budget.with(Budget::accepted);
    }

    /// Records a response.
    pub(crate) fn answered(mut self, headers: RateLimit) {
        self.state = State::Answered;
        self.budget.with(|budget| budget.answered(now(), self.number, headers));
    }

    /// Records a 429 for the rate limit.
    pub(crate) fn refused(self, headers: RateLimit, retry_after: Option<Duration>) {
        let budget = self.budget.clone();
        self.answered(headers);
        budget.with(|budget| budget.refused(now(), retry_after));
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        match self.state {
            State::Unused => self.budget.with(Budget::refund),
            State::Sent => self.budget.with(Budget::abandoned),
            State::Answered => {}
        }
    }
}

/// The time by Tokio's clock, which a test can pause.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
