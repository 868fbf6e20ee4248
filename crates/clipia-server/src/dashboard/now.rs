//! Now: what waits, what runs, who works, and what is wrong.

use super::chart;
use super::layout::Page;
use super::page_error::PageError;
use super::requests::{Shown, rows};
use super::times::{ago, count, grouped};
use super::visit::Visit;
use super::words;
use crate::clock::{timestamp, wall_at};
use crate::store::{QueueMinute, QueueStatistics, RequestFilter, Statistics};
use axum::response::Response;
use jiff::{Timestamp, ToSpan};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// How many of the latest requests the page shows.
const LATEST: usize = 8;

/// How far back the lines of minutes go.
const MINUTES: usize = 120;

pub(super) async fn show(visit: Visit) -> Result<Response, PageError> {
    let store = visit.store();
    let now = visit.now();
    let statistics = store.statistics().await?;
    let latest = store.list_requests(RequestFilter::default(), None, LATEST).await?.requests;
    let shown = Shown::of(&visit, &latest).await?;
    let minutes = store.minutes(today(now).min(now - 2.hours())).await?;
    let workers = store.workers().await?;
    let heard_of = workers.iter().flat_map(|worker| &worker.sessions).count();
    let content = html! {
        (warnings(&visit, &statistics))
        section {
            h2 { "Queues" }
            (queues(&visit, &statistics, &minutes, now))
        }
        section.figures {
            (figure("workers elsewhere", &grouped(heard_of), &visit.link("/models")))
            (figure("hosts of deliveries down", &grouped(visit.dashboard.parts.deliveries.open_breakers()), &visit.link("/deliveries")))
            (figure("deliveries given up", &grouped(visit.dashboard.parts.deliveries.given_up()), &visit.link("/deliveries?state=abandoned")))
            (figure("credits charged today", &grouped(charged_since(&minutes, today(now))), &visit.link("/accounts")))
        }
        section {
            h2 { "Latest requests" }
            @if latest.is_empty() {
                p.empty { "Nothing was submitted yet. Try a model in the " a href=(visit.link("/playground")) { "playground" }
                    ", or run " code { "clipia generate" } "." }
            } @else {
                (rows(&visit, &latest, &shown))
                p { a href=(visit.link("/requests")) { "All requests" } }
            }
        }
    };
    Ok(visit.page(Page { title: "Now", at: "", content, ..Page::live() }))
}

/// The beginning of the day of `now`, in UTC.
fn today(now: Timestamp) -> Timestamp {
    let seconds = now.as_second();
    Timestamp::from_second(seconds - seconds.rem_euclid(24 * 60 * 60)).unwrap_or(now)
}

fn charged_since(minutes: &[QueueMinute], since: Timestamp) -> u64 {
    minutes.iter().filter(|minute| minute.minute >= since).map(|minute| minute.credits).sum()
}

fn figure(what: &str, number: &str, link: &str) -> Markup {
    html! { a.figure href=(link) { strong { (number) } " " (what) } }
}

/// What an operator should look at now.
fn warnings(visit: &Visit, statistics: &Statistics) -> Markup {
    let admin = &visit.dashboard.parts.admin;
    let paused = admin.pauses.iter().filter_map(|pause| Some((pause.of(), pause.error()?)));
    let media = visit.dashboard.parts.app.media.pause();
    let media = media.error().map(|error| (media.of(), error));
    let held = statistics.deliveries_held;
    html! {
        @for (of, error) in paused.chain(media) {
            p.notice.bad { (words::good(false, "paused")) " " (of) ": " (error) }
        }
        @if held > 0 {
            p.notice.bad { (words::plain("held")) " " (count(held, "delivery waits", "deliveries wait"))
                " since the store was restored: " a href=(visit.link("/deliveries?state=held")) { "resume or abandon" } }
        }
    }
}

fn queues(visit: &Visit, statistics: &Statistics, minutes: &[QueueMinute], now: Timestamp) -> Markup {
    let known = visit.dashboard.parts.admin.queues.names();
    let mut all: BTreeMap<&str, Option<&QueueStatistics>> = known.map(|name| (name, None)).collect();
    all.extend(statistics.queues.iter().map(|queue| (queue.queue.as_str(), Some(queue))));
    html! {
        table {
            thead { tr { th { "Queue" } th.number { "Waiting" } th.number { "Running" } th { "Oldest waits since" }
                th { "Completed a minute, 2 h" } th { "State" } th { span.unseen { "Action" } } } }
            tbody {
                @for (name, queue) in all {
                    @let paused = queue.and_then(|queue| queue.paused_at);
                    tr {
                        td { a href=(visit.link(format_args!("/models#queue-{name}"))) { (name) } }
                        td.number { (grouped(queue.map_or(0, |queue| queue.waiting))) }
                        td.number { (grouped(queue.map_or(0, |queue| queue.running)))
                            @if let Some(slots) = slots(visit, name) { span.quiet { " of " (slots) } } }
                        td { @if let Some(oldest) = queue.filter(|queue| queue.waiting > 0).and_then(|queue| queue.oldest) {
                            (ago(timestamp(wall_at(oldest)), now)) } }
                        td { (chart::line(&completed(minutes, name, now), &format!("{name}: completed a minute in the last two hours"))) }
                        td { @match paused {
                            Some(at) => { (words::plain("paused")) " " (ago(at, now)) },
                            None => (words::good(true, "open")),
                        } }
                        td { @match paused {
                            Some(_) => (visit.button(format_args!("/queues/{name}/resume"), "Resume")),
                            None => (visit.button(format_args!("/queues/{name}/pause"), "Pause")),
                        } }
                    }
                }
            }
        }
    }
}

/// The slots of an executor on this server; none where workers elsewhere alone make its outputs.
pub(super) fn slots(visit: &Visit, executor: &str) -> Option<usize> {
    let slots = visit.dashboard.parts.executors.get(executor)?.slots;
    (slots > 0).then_some(slots)
}

/// What a queue completed in each of the last minutes, the oldest first.
fn completed(minutes: &[QueueMinute], queue: &str, now: Timestamp) -> Vec<u64> {
    let mut completed = vec![0; MINUTES];
    for minute in minutes.iter().filter(|minute| minute.queue == queue) {
        let age = usize::try_from(now.duration_since(minute.minute).as_mins()).unwrap_or(usize::MAX);
        if let Some(place) = MINUTES.checked_sub(age.saturating_add(1)) {
            completed[place] += minute.completed;
        }
    }
    completed
}
