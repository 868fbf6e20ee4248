//! Submits.

use super::call::call;
use super::outcome::Outcome;
use super::submitted::Submitted;
use crate::update::Update;
use clipia_api::Credits;
use std::time::Duration;

call! {
    /// A generation that is to be submitted; [`run`](Self::run) sends it. Made by
    /// [`Clipia::submit`](super::Clipia::submit).
    Submit -> Submitted, Submitted::new;
    webhook(url: impl Into<String>);
    idempotency_key(key: impl Into<String>);
    max_cost(credits: impl Into<Credits>);
    header(name: impl Into<String>, value: impl Into<String>);
    call_timeout(timeout: Duration);
}

call! {
    /// A generation that is to be submitted and waited for; [`run`](Self::run) does both. Made by
    /// [`Clipia::subscribe`](super::Clipia::subscribe).
    Subscribe -> Outcome, Outcome::new;
    webhook(url: impl Into<String>);
    idempotency_key(key: impl Into<String>);
    max_cost(credits: impl Into<Credits>);
    header(name: impl Into<String>, value: impl Into<String>);
    call_timeout(timeout: Duration);
    timeout(timeout: Duration);
    min_interval(interval: Duration);
    on_update(callback: impl FnMut(&Update) + Send + 'static);
}
