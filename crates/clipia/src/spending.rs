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

    /// Whether a server has said anything of a limit.
    pub(crate) fn is_told(&self) -> bool {
        self.budget(|budget| budget.is_told())
    }

    /// A token, whether there is one or not.
    pub(crate) fn spend(&self) -> Token {
        let number = self.budget(|budget| budget.spend(now()));
        self.token(number)
    }

    /// A token if there is one and the bucket is at least so full (from 0 to 1), or when that may be.
    pub(crate) fn take(&self, now: Instant, fullness: f64) -> Result<Token, Instant> {
        let number = self.budget(|budget| budget.take(now, fullness))?;
        Ok(self.token(number))
    }

    fn token(&self, number: u64) -> Token {
        Token { spending: self.clone(), number, state: State::Unused }
    }

    fn budget<T>(&self, change: impl FnOnce(&mut Budget) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unused,
    OnTheWay,
    Answered,
}

/// The right to send one request. Dropped unused it goes back; dropped without an answer, it counts as one that
/// nobody waits for.
#[derive(Debug)]
pub(crate) struct Token {
    spending: Spending,
    number: u64,
    state: State,
}

impl Token {
    /// The request is about to be sent.
    pub(crate) fn used(&mut self) {
        self.state = State::OnTheWay;
    }

    /// Answered with what was asked for.
    pub(crate) fn accepted(self, told: RateLimit) {
        let spending = self.spending.clone();
        self.answered(told);
        spending.budget(Budget::accepted);
    }

    pub(crate) fn answered(mut self, told: RateLimit) {
        self.state = State::Answered;
        self.spending.budget(|budget| budget.answered(now(), self.number, told));
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
        match self.state {
            State::Unused => self.spending.budget(Budget::refund),
            State::OnTheWay => self.spending.budget(Budget::abandoned),
            State::Answered => {}
        }
    }
}

/// Tokio's clock, so that a test may hold it.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
