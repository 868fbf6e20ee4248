//! The sessions of workers: the one claim of each that may be held open, and when the store was last told of it.

use crate::store::{AboutSession, SessionSeen, Store, StoreError, WorkerSession};
use clipia_remote::types::Word;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often the store is told of a session at most, unless the session says something else of itself.
const TELL_INTERVAL: Duration = Duration::from_secs(5);

/// The most sessions in memory. Above this number, sessions that were not heard of for a while are forgotten.
const REMEMBERED_MAX: usize = 10_000;

/// How long a session is remembered that is not heard of.
const REMEMBERED: Duration = Duration::from_secs(10 * 60);

/// The sessions that this process has heard of. Nothing of them is missed after a restart.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<WorkerSession, Session>>);

/// What is known of a session.
struct Session {
    heard: Instant,
    about: Option<AboutSession>,
    /// When the store was last told of it.
    told: Option<Instant>,
    /// The word that it heard last.
    said: Option<Word>,
    /// Ends its latest claim.
    claim: CancellationToken,
    /// Held while a claim asks the store, so that the next one finds what it got.
    claiming: Arc<tokio::sync::Mutex<()>>,
}

/// A claim of a session.
pub(super) struct ClaimTurn {
    /// Canceled by a later claim of the session.
    pub(super) superseded: CancellationToken,
    /// Held while the store is asked.
    pub(super) claiming: Arc<tokio::sync::Mutex<()>>,
}

impl Sessions {
    fn known(&self) -> MutexGuard<'_, HashMap<WorkerSession, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a claim. It ends an earlier one of the session.
    pub(super) fn claim(&self, session: &WorkerSession) -> ClaimTurn {
        self.with(session, |known| {
            known.claim.cancel();
            known.claim = CancellationToken::new();
            ClaimTurn { superseded: known.claim.clone(), claiming: Arc::clone(&known.claiming) }
        })
    }

    /// Whether the session has not heard this word last.
    pub(super) fn is_news(&self, session: &WorkerSession, word: Word) -> bool {
        self.with(session, |known| known.said != Some(word))
    }

    /// Notes the word that the session hears.
    pub(super) fn said(&self, session: &WorkerSession, word: Word) {
        self.with(session, |known| known.said = Some(word));
    }

    /// Tells the store that the session was heard of, unless it was told a moment ago. `about` is none where the session says
    /// nothing new of itself.
    ///
    /// # Errors
    /// If the store fails.
    pub(super) async fn heard(
        &self,
        store: &dyn Store,
        session: &WorkerSession,
        about: Option<AboutSession>,
    ) -> Result<(), StoreError> {
        let now = Instant::now();
        let news = self.with(session, |known| {
            let is_new = about.is_some() && about != known.about;
            known.about = about.or(known.about.take());
            let is_due = known.told.is_none_or(|told| now.duration_since(told) >= TELL_INTERVAL);
            let about = known.about.clone().filter(|_| is_new || is_due)?;
            known.told = Some(now);
            Some(about)
        });
        let Some(about) = news else { return Ok(()) };
        let told = store.session_seen(SessionSeen { session: session.clone(), about }).await;
        if told.is_err() {
            self.with(session, |known| known.told = None);
        }
        told
    }

    fn with<T>(&self, session: &WorkerSession, change: impl FnOnce(&mut Session) -> T) -> T {
        let now = Instant::now();
        let mut known = self.known();
        if known.len() >= REMEMBERED_MAX && !known.contains_key(session) {
            known.retain(|_, session| now.duration_since(session.heard) < REMEMBERED);
        }
        let entry = known.entry(session.clone()).or_insert_with(|| Session {
            heard: now,
            about: None,
            told: None,
            said: None,
            claim: CancellationToken::new(),
            claiming: Arc::default(),
        });
        entry.heard = now;
        change(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn session(number: u128) -> WorkerSession {
        WorkerSession { worker: "box".to_owned(), session: Uuid::from_u128(number) }
    }

    #[test]
    fn a_later_claim_of_the_same_session_ends_the_earlier_one() {
        let sessions = Sessions::default();
        let (first, other) = (sessions.claim(&session(1)), sessions.claim(&session(2)));
        let second = sessions.claim(&session(1));
        assert!(first.superseded.is_cancelled());
        assert!(!second.superseded.is_cancelled() && !other.superseded.is_cancelled());
    }

    #[test]
    fn a_word_is_news_until_it_was_heard() {
        let sessions = Sessions::default();
        assert!(sessions.is_news(&session(1), Word::Work));
        sessions.said(&session(1), Word::Work);
        assert!(!sessions.is_news(&session(1), Word::Work) && sessions.is_news(&session(1), Word::Quiet));
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_that_fell_silent_are_forgotten() {
        let sessions = Sessions::default();
        for number in 0..REMEMBERED_MAX {
            sessions.said(&session(number as u128), Word::Work);
        }
        tokio::time::advance(REMEMBERED).await;
        sessions.said(&session(u128::MAX), Word::Work);
        assert_eq!(sessions.known().len(), 1);
    }
}
