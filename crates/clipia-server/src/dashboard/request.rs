//! A request: what it made, how its time went, and everything that is known of it.

use super::layout::Page;
use super::page_error::PageError;
use super::times::{Span, ago, exact, grouped};
use super::visit::Visit;
use super::{call, output, timeline, words};
use crate::admin::{deliveries as of_deliveries, requests as administration};
use crate::http::Segment;
use crate::store::{DeliveryDetails, LogEntry, RequestHistory};
use axum::extract::State;
use axum::response::Response;
use clipia_queue::RequestId;
use clipia_queue::lifecycle::Phase;
use clipia_queue::logs::LogPosition;
use maud::{Markup, html};
use serde_json::{Map, Value};

/// How many deliveries and log lines the page shows.
const DELIVERIES: u32 = 20;
const LINES: usize = 500;

/// The longest value of an input that is shown whole.
const VALUE_MAX: usize = 4_000;

pub(super) async fn show(visit: Visit, Segment(id): Segment) -> Result<Response, PageError> {
    let id: RequestId = id.parse().map_err(|_| PageError::not_found("request"))?;
    let store = visit.store();
    let history = store.request_history(id).await?.ok_or_else(|| PageError::not_found("request"))?;
    let outputs = output::of(&visit, [id]).await?;
    let deliveries = of_deliveries::of_request(store, id, DELIVERIES).await?;
    let logs = store.logs(id, None, LogPosition::default(), LINES).await?;
    let (lines, more) = logs.map_or((Vec::new(), false), |page| (page.lines, page.more));
    let request = &history.request;
    // The sandbox keeps no input.
    let input = history.input.as_ref().filter(|input| !(request.sandbox && input.is_empty()));
    let now = visit.now();
    let ended = !matches!(request.phase, Phase::Queued | Phase::Running);
    let content = html! {
        p.summary {
            (words::phase(request.phase)) " "
            @if request.sandbox { (words::plain("sandbox")) " " }
            strong { (request.model) } " accepted " (ago(request.created_at, now))
            @if let Some(position) = request.position { ", " (grouped(position)) " ahead in the queue " code { (request.queue) } }
            @if let Some(progress) = request.progress { ", " (progress.percent()) " % done" }
            @if let Some(end) = request.completed_at { ", took " (Span::between(request.created_at, end)) }
            ", " (words::credits(request.cost))
        }
        @if let Some(error) = &request.error { p.notice.bad { (error) } }
        @match outputs.get(&id) {
            Some(made) => (output::whole(&visit, made)),
            None if request.phase == Phase::Completed => p.empty { "Its files were let go: the server keeps files for a time." },
            None => {},
        }
        (timeline::bar(&history, &deliveries, now))
        div.row {
            @if visit.may_change() {
                @if input.is_some() {
                    a.button href=(visit.link(format_args!("/playground?from={id}"))) { "Again with changes" }
                    form.one method="post" action=(visit.link(format_args!("/requests/{id}/again"))) { button { "Submit again" } }
                }
                @if !ended { form.one method="post" action=(visit.link(format_args!("/requests/{id}/cancel"))) data-confirm="Cancel this request?" { button { "Cancel" } } }
            }
        }
        (attempts_and_deliveries(&visit, &history, &deliveries))
        (log_lines(&lines, more, ended))
        (moved(&history, now))
        section {
            h2 { "Input" }
            @match input {
                Some(input) => { (input_table(input)) (call::tabs(&visit.dashboard.parts.api_url, &request.model, input)) },
                None if request.sandbox => p.empty { "The sandbox keeps no input: its output is a sample, whatever the input says." },
                None => p.empty { "Its input was let go: the server keeps inputs for a time." },
            }
        }
        (facts(&history))
    };
    let live = !ended || deliveries.iter().any(|delivery| delivery.delivery.next_at.is_some());
    let title = format!("Request {id}");
    Ok(visit.page(Page { title: &title, at: "requests", content, live, ..Page::live() }))
}

fn attempts_and_deliveries(
    visit: &Visit,
    history: &RequestHistory,
    deliveries: &[DeliveryDetails],
) -> Markup {
    let now = visit.now();
    html! {
        @if history.attempts.len() > 1 {
            section {
                h2 { "Attempts" }
                table {
                    thead { tr { th.number { "Attempt" } th { "Worker" } th { "Began" } th { "Took" } th { "End" } } }
                    tbody { @for attempt in &history.attempts { tr {
                        td.number { (attempt.epoch.0) }
                        td { (attempt.worker.as_deref().unwrap_or("this server")) }
                        td { (ago(attempt.claimed_at, now)) }
                        td { @if let Some((at, _)) = attempt.ended { (Span::between(attempt.claimed_at, at)) } }
                        td { @match attempt.ended { Some((_, end)) => (clipia_store::columns::attempt_name(end)), None => "runs" } }
                    } } }
                }
            }
        }
        section {
            h2 { "Deliveries" }
            @if deliveries.is_empty() { p.empty { "None: the submit named no webhook, or the request has not ended." } }
            @for DeliveryDetails { delivery, log } in deliveries {
                p { (words::delivery(delivery.state)) " " code { (delivery.url) }
                    @if let Some(next) = delivery.next_at { ", next attempt " (ago(next, now)) }
                    " " (visit.button(format_args!("/deliveries/{}/replay", delivery.id), "Replay")) }
                @if !log.is_empty() {
                    table {
                        thead { tr { th.number { "Attempt" } th { "At" } th { "Took" } th { "Outcome" } th { "Reply" } } }
                        tbody { @for attempt in log { tr {
                            td.number { (attempt.number) @if attempt.replay { " (replay)" } }
                            td { (ago(attempt.at, now)) }
                            td { (attempt.duration_ms) " ms" }
                            td { (words::good(attempt.class == "delivered", &attempt.class.replace('_', " ")))
                                @if let Some(status) = attempt.status { " " (status) }
                                @if let Some(error) = &attempt.error { " " (error) } }
                            td { code { (attempt.reply) } }
                        } } }
                    }
                }
            }
        }
    }
}

fn log_lines(lines: &[LogEntry], more: bool, ended: bool) -> Markup {
    html! {
        section {
            h2 { "Log" }
            @if lines.is_empty() {
                p.empty { @if ended { "Its attempts logged nothing." } @else { "Nothing was logged yet." } }
            } @else {
                pre.log tabindex="0" aria-label="The log of the attempts" {
                    @for line in lines {
                        span.quiet title=(exact(line.at)) { (line.epoch.0) ":" (line.number) } " " (line.line) "\n"
                    }
                }
                @if more { p.quiet { "These are the first " (lines.len()) " lines. " code { "clipia requests logs" } " shows all." } }
            }
        }
    }
}

/// How the credits moved.
fn moved(history: &RequestHistory, now: jiff::Timestamp) -> Markup {
    html! {
        section {
            h2 { "Credits" }
            @if history.movements.is_empty() { p.empty { "No credits moved: a request of the sandbox costs nothing." } } @else {
                table {
                    thead { tr { th { "Movement" } th.number { "Change of what is available" } th { "At" } } }
                    tbody { @for movement in &history.movements { tr {
                        td { (movement.kind) }
                        td.number { (grouped(movement.available)) }
                        td { (ago(movement.at, now)) }
                    } } }
                }
            }
        }
    }
}

fn input_table(input: &Map<String, Value>) -> Markup {
    html! {
        table {
            thead { tr { th { "Parameter" } th { "Value" } } }
            tbody { @for (name, value) in input { tr { th scope="row" { (name) } td { (shown(value)) } } } }
        }
        details { summary { "As JSON" } pre tabindex="0" aria-label="The input as JSON" { code { (pretty(input)) } } }
    }
}

/// A value as it is, cut where it is long.
fn shown(value: &Value) -> String {
    let mut text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.len() > VALUE_MAX {
        let bytes = text.len();
        text.truncate(text.floor_char_boundary(VALUE_MAX));
        text += &format!("… ({} bytes)", grouped(bytes));
    }
    text
}

fn pretty(input: &Map<String, Value>) -> String {
    let cut: Map<_, _> = input
        .iter()
        .map(|(name, value)| match value {
            Value::String(text) if text.len() > VALUE_MAX => (name.clone(), shown(value).into()),
            _ => (name.clone(), value.clone()),
        })
        .collect();
    serde_json::to_string_pretty(&cut).unwrap_or_default()
}

fn facts(history: &RequestHistory) -> Markup {
    let request = &history.request;
    html! {
        section {
            h2 { "Facts" }
            dl.facts {
                dt { "Request" } dd { code { (request.id) } button.copy type="button" data-copy=(request.id) { "Copy" } }
                dt { "Account" } dd { code { (request.account) } }
                dt { "Key" } dd { code { (request.key) } }
                dt { "Queue" } dd { (request.queue) }
                dt { "Accepted" } dd { (exact(request.created_at)) }
                @if let Some(end) = request.completed_at { dt { "Ended" } dd { (exact(end)) } }
            }
        }
    }
}

pub(super) async fn cancel(visit: Visit, Segment(id): Segment) -> Result<Response, PageError> {
    let canceled = administration::cancel(State(visit.admin()), Segment(id.clone())).await?;
    let returned = canceled.0.returned;
    Ok(visit.done(format_args!("/requests/{id}"), format!("Canceled. Credits returned: {returned}.")))
}
