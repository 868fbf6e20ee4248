//! One bar of time: how a request waited, ran, and was delivered.

use super::times::{Span, exact};
use crate::store::{AttemptEnd, DeliveryDetails, RequestHistory};
use clipia_queue::lifecycle::Phase;
use jiff::Timestamp;
use maud::{Markup, html};

/// The width of the bar. Every part of it is visible, however short it was.
const WIDTH: f64 = 1_000.0;
const PART_MIN: f64 = 4.0;

/// A part of the bar.
struct Part {
    class: &'static str,
    /// What it was, in a few words.
    what: String,
    from: Timestamp,
    to: Timestamp,
}

/// The parts of a request's time in their order, up to `now`.
fn parts(history: &RequestHistory, deliveries: &[DeliveryDetails], now: Timestamp) -> Vec<Part> {
    let request = &history.request;
    let end = request.completed_at.unwrap_or(now);
    let mut parts = Vec::new();
    let mut from = request.created_at;
    for attempt in &history.attempts {
        if attempt.claimed_at > from {
            parts.push(Part { class: "waits", what: "waited".to_owned(), from, to: attempt.claimed_at });
        }
        let (to, ended) = attempt.ended.map_or((end, None), |(at, ended)| (at, Some(ended)));
        let (class, how) = match ended {
            None => ("runs", "runs"),
            Some(AttemptEnd::Completed) => ("good", "completed"),
            Some(AttemptEnd::Failed) => ("bad", "failed"),
            Some(AttemptEnd::Released) => ("off", "released"),
            Some(AttemptEnd::Lost) => ("bad", "lost"),
            Some(AttemptEnd::Canceled) => ("off", "canceled"),
        };
        let worker = attempt.worker.as_ref().map(|worker| format!(" on {worker}")).unwrap_or_default();
        let what = format!("attempt {} {how}{worker}", attempt.epoch.0);
        parts.push(Part { class, what, from: attempt.claimed_at, to });
        from = to;
    }
    if end > from && matches!(request.phase, Phase::Queued | Phase::Canceled) {
        parts.push(Part { class: "waits", what: "waited".to_owned(), from, to: end });
    }
    for delivery in deliveries {
        for attempt in &delivery.log {
            let duration =
                jiff::SignedDuration::from_millis(i64::try_from(attempt.duration_ms).unwrap_or(i64::MAX));
            let to = attempt.at.checked_add(duration).unwrap_or(attempt.at);
            let class = if attempt.class == "delivered" { "good" } else { "bad" };
            let what = format!("delivery attempt {} {}", attempt.number, attempt.class.replace('_', " "));
            parts.push(Part { class, what, from: attempt.at, to });
        }
    }
    parts
}

/// The bar, and its parts as a list for whoever cannot see it.
pub(super) fn bar(history: &RequestHistory, deliveries: &[DeliveryDetails], now: Timestamp) -> Markup {
    let parts = parts(history, deliveries, now);
    let start = history.request.created_at;
    let end = parts.iter().map(|part| part.to).chain([start]).max().unwrap_or(start);
    let whole = seconds(start, end).max(0.001);
    let place = |at| seconds(start, at) / whole * (WIDTH - PART_MIN);
    html! {
        svg.bar viewBox={ "0 0 " (WIDTH) " 24" } preserveAspectRatio="none" aria-hidden="true" {
            @for part in &parts {
                @let x = place(part.from);
                rect.(part.class) x=(format!("{x:.1}")) y="0" height="24"
                    width=(format!("{:.1}", (place(part.to) - x).max(PART_MIN))) {
                    title { (part.what) ", " (Span::between(part.from, part.to)) }
                }
            }
        }
        ol.parts {
            @for part in &parts {
                li { span.mark.(part.class) aria-hidden="true" {} (part.what) " "
                    span.quiet title=(exact(part.from)) { (Span::between(part.from, part.to)) } }
            }
        }
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}
