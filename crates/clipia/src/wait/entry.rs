//! What a table holds: the entry of a wait, and the place in line of a call.

use super::policy::Known;
use super::table::Ask;
use super::{Class, Ending, Goal, Update};
use crate::error::Error;
use clipia_api::types::RequestId;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;
use tokio::runtime::Id as RuntimeId;

#[derive(Debug)]
pub(crate) struct Entry {
    pub(super) request_id: RequestId,
    pub(super) model: Option<Arc<str>>,
    pub(super) goal: Goal,
    pub(super) watched: bool,
    /// Whether its submit named a webhook.
    pub(super) webhook: bool,
    pub(super) known: Known,
    /// The age at which its model's durations count it as running.
    pub(super) counted: Option<f64>,
    pub(super) entered: Instant,
    /// When it was last asked for, or entered.
    pub(super) unasked_since: Instant,
    /// Whether an ask is on the way, and when the latest was sent.
    pub(super) asking: bool,
    pub(super) sent: Instant,
    pub(super) lane: Option<RuntimeId>,
    /// Where its lane lists it; nowhere while an ask is on the way.
    pub(super) listed: Option<Listed>,
    pub(super) deadline: Option<Instant>,
    /// The latest state, and whether its future has still to see it.
    pub(super) latest: Option<Update>,
    pub(super) unseen: bool,
    pub(super) trouble: Option<Box<Error>>,
    pub(super) ending: Option<Ending>,
    pub(super) waker: Option<Waker>,
}

/// Where a lane lists an entry.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) level: Option<usize>,
    pub(super) rises: Option<Instant>,
    pub(super) overdue: Instant,
    /// Among those of its level, the lowest first.
    pub(super) order: i64,
}

/// A call in line for a token.
#[derive(Debug)]
pub(super) struct Errand<T> {
    pub(super) class: Class,
    pub(super) lane: Option<RuntimeId>,
    pub(super) waker: Option<Waker>,
    pub(super) granted: Option<T>,
}

impl Entry {
    pub(super) fn new(request_id: RequestId, goal: Goal, watched: bool, known: Known, now: Instant) -> Self {
        Self {
            request_id,
            model: None,
            goal,
            watched,
            webhook: false,
            known,
            counted: None,
            entered: now,
            unasked_since: now,
            asking: false,
            sent: now,
            lane: None,
            listed: None,
            deadline: None,
            latest: None,
            unseen: false,
            trouble: None,
            ending: None,
            waker: None,
        }
    }

    /// When it is to be asked for whatever its chance, while it is listed.
    pub(super) fn overdue(&self) -> Option<Instant> {
        self.listed.as_ref().map(|listed| listed.overdue)
    }

    pub(super) fn ask(&self) -> Ask {
        let ended = self.latest.as_ref().is_some_and(|update| update.status.is_terminal());
        let trouble = self.trouble.as_deref();
        match self.goal {
            // What the status does not tell the result may.
            _ if matches!(trouble, Some(Error::UnexpectedAnswer(_))) => Ask::Result,
            Goal::Updates => Ask::Status,
            Goal::Outcome if self.watched && !ended => Ask::Status,
            Goal::Outcome => Ask::Result,
        }
    }

    /// Takes a state as of `sent`, and keeps it for the future if it is a change and somebody watches.
    pub(super) fn learn(&mut self, sent: Instant, update: Update) {
        self.known.answered(sent, &update.status, update.queue_position, update.progress);
        self.trouble = None;
        if self.latest.as_ref().is_none_or(|latest| update.is_change(latest)) {
            self.unseen = self.watched;
            self.latest = Some(update);
        }
    }

    pub(super) fn deadline_passed(&mut self, now: Instant) -> Ending {
        let latest = self.latest.as_ref();
        Ending::Error(Box::new(Error::Deadline {
            request_id: self.request_id.clone(),
            waited: now - self.entered,
            status: latest.map(|update| update.status.clone()),
            progress: latest.and_then(|update| update.progress),
            source: self.trouble.take(),
        }))
    }
}
