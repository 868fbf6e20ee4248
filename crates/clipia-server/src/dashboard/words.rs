//! Words for states, each with a colour beside the word.

use super::times::grouped;
use crate::store::DeliveryState;
use clipia_queue::Credits;
use clipia_queue::lifecycle::Phase;
use maud::{Markup, html};

/// A state as a word in its colour.
fn state(class: &str, word: &str) -> Markup {
    html! { span.state.(class) { (word) } }
}

pub(super) fn phase(phase: Phase) -> Markup {
    let class = match phase {
        Phase::Queued => "waits",
        Phase::Running => "runs",
        Phase::Completed => "good",
        Phase::Failed => "bad",
        Phase::Canceled => "off",
    };
    state(class, &phase.status().to_string())
}

pub(super) fn delivery(of: DeliveryState) -> Markup {
    match of {
        DeliveryState::Pending => state("waits", "pending"),
        DeliveryState::Delivered => state("good", "delivered"),
        DeliveryState::Abandoned => state("bad", "abandoned"),
        DeliveryState::Held => state("off", "held"),
    }
}

/// A word for what is well or not.
pub(super) fn good(good: bool, word: &str) -> Markup {
    state(if good { "good" } else { "bad" }, word)
}

/// A word for what neither is.
pub(super) fn plain(word: &str) -> Markup {
    state("off", word)
}

pub(super) fn credits(credits: Credits) -> String {
    let amount = credits.get();
    format!("{} {}", grouped(amount), if amount == 1 { "credit" } else { "credits" })
}
