//! A queue is paused: nothing of it is claimed until it is resumed. It takes submits, and what runs goes on.

use super::Now;
use crate::Moment;
use crate::audit::Act;

/// A pause that begins or ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// When the pause began, by the system's clock; nothing where it ends.
    pub paused_at: Option<Moment>,
    /// The operator's act.
    pub act: Act,
}

/// Pauses a queue. Nothing where it is paused already: the pause is as old as it was.
pub fn pause(queue: &str, paused_at: Option<Moment>, now: Now) -> Option<Changed> {
    let begins = || Changed { paused_at: Some(now.wall), act: Act::queue_paused(queue) };
    paused_at.is_none().then(begins)
}

/// Resumes a queue. Nothing where it is not paused.
pub fn resume(queue: &str, paused_at: Option<Moment>) -> Option<Changed> {
    paused_at.map(|_| Changed { paused_at: None, act: Act::queue_resumed(queue) })
}
