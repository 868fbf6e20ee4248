//! The deaths of a program in a row, and what follows from them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// So many deaths in a row, without one success, open the breaker: nothing more is claimed but one request that tries.
pub(super) const DEATHS_MAX: u32 = 5;

/// The deaths of a program since its last success.
pub(super) struct Deaths {
    state: Mutex<State>,
    /// How many deaths there were in all.
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    in_a_row: u32,
    last: String,
    /// Why it cannot be started at all.
    unstartable: Option<String>,
}

impl Deaths {
    pub(super) fn new() -> Self {
        Self { state: Mutex::default(), changed: watch::Sender::new(0) }
    }

    /// The program died.
    pub(super) fn died(&self, why: &str) {
        let mut state = self.lock();
        state.in_a_row = state.in_a_row.saturating_add(1);
        why.clone_into(&mut state.last);
        drop(state);
        self.changed.send_modify(|deaths| *deaths += 1);
    }

    /// The program cannot be started, and will not start the next time either.
    pub(super) fn unstartable(&self, why: &str) {
        self.lock().unstartable = Some(why.to_owned());
        self.changed.send_modify(|deaths| *deaths += 1);
    }

    /// The program did what it was asked to.
    pub(super) fn succeeded(&self) {
        *self.lock() = State::default();
    }

    /// Why nothing more may be claimed, if the breaker is open.
    pub(super) fn breaker(&self) -> Option<String> {
        let state = self.lock();
        if state.unstartable.is_some() {
            return state.unstartable.clone();
        }
        let (deaths, last) = (state.in_a_row, &state.last);
        (deaths >= DEATHS_MAX)
            .then(|| format!("its program died {deaths} times in a row, the last time because {last}"))
    }

    /// Waits for deaths from here on that leave the breaker open.
    pub(super) async fn next_with_open_breaker(&self) -> String {
        let mut changed = self.changed.subscribe();
        loop {
            // `self` owns the sender, so this does not fail.
            let _ = changed.changed().await;
            if let Some(why) = self.breaker() {
                return why;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_deaths_in_a_row_open_the_breaker() {
        let deaths = Deaths::new();
        for _ in 1..DEATHS_MAX {
            deaths.died("it crashed");
        }
        assert_eq!(deaths.breaker(), None);
        deaths.succeeded();
        for _ in 1..DEATHS_MAX {
            deaths.died("it crashed");
        }
        assert_eq!(deaths.breaker(), None);
        deaths.died("it died of SIGSEGV");
        let why = "its program died 5 times in a row, the last time because it died of SIGSEGV";
        assert_eq!(deaths.breaker().as_deref(), Some(why));
        deaths.succeeded();
        assert_eq!(deaths.breaker(), None);
    }
}
