//! How far a generation is, for a client that asked to be told.

use clipia::{Progress as Percent, Status, Update};
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::{Peer, RoleServer};

/// The smallest step between two notifications. The protocol has the number grow with each, also where only a position changed.
const STEP: f64 = 0.001;

/// Where the progress of a call is told.
pub(crate) struct Progress {
    peer: Peer<RoleServer>,
    token: ProgressToken,
    last: f64,
}

impl Progress {
    pub(crate) fn new(peer: Peer<RoleServer>, token: ProgressToken) -> Self {
        Self { peer, token, last: 0.0 }
    }

    /// Tells that so many percent are done.
    pub(crate) async fn tell(&mut self, percent: f64, message: String) {
        self.last = percent.max(self.last + STEP);
        let notification = ProgressNotificationParam::new(self.token.clone(), self.last);
        let notification = notification.with_total(100.0).with_message(message);
        // A client that is gone learns nothing more.
        let _ = self.peer.notify_progress(notification).await;
    }
}

/// An update in a few words: `3rd in line`, `72 %`.
pub(crate) fn in_words(status: &Status, position: Option<u64>, progress: Option<Percent>) -> String {
    match (status, position, progress) {
        (Status::InQueue, Some(position), _) => format!("{} in line", ordinal(position.saturating_add(1))),
        (Status::InQueue, None, _) => "in line".to_owned(),
        (Status::InProgress, _, Some(progress)) => progress.to_string(),
        (Status::InProgress, _, None) => "in progress".to_owned(),
        (status, ..) => status.to_string(),
    }
}

/// The percent that are done.
pub(crate) fn percent(update: &Update) -> f64 {
    if update.status.is_terminal() {
        return 100.0;
    }
    update.progress.map_or(0.0, |progress| f64::from(progress.percent()))
}

fn ordinal(number: u64) -> String {
    let suffix = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_queue_is_an_ordinal() {
        for (ahead, words) in
            [(0, "1st"), (1, "2nd"), (2, "3rd"), (3, "4th"), (10, "11th"), (21, "22nd"), (111, "112th")]
        {
            let said = in_words(&Status::InQueue, Some(ahead), None);
            assert_eq!(said, format!("{words} in line"));
        }
        assert_eq!(in_words(&Status::InQueue, None, None), "in line");
        assert_eq!(in_words(&Status::InProgress, None, None), "in progress");
    }
}
