//! The wait for the end of a generation.

use super::call::call;
use super::outcome::Outcome;
use crate::update::Update;
use std::time::Duration;

call! {
    /// The wait for the end of one generation; [`run`](Self::run) begins it. Made by
    /// [`Generation::wait`](super::Generation::wait).
    Wait -> Outcome, Outcome::new;
    timeout(timeout: Duration);
    min_interval(interval: Duration);
    on_update(callback: impl FnMut(&Update) + Send + 'static);
}
