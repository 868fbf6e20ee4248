//! Models, what makes them, and the workers on other machines.

use super::layout::Page;
use super::now::slots;
use super::page_error::PageError;
use super::times::{ago, exact, grouped};
use super::visit::Visit;
use super::words;
use crate::admin::{queues, workers};
use crate::http::Segment;
use crate::store::WorkerListing;
use axum::extract::{Path, State};
use axum::response::Response;
use maud::{Markup, html};

pub(super) async fn show(visit: Visit) -> Result<Response, PageError> {
    let workers = visit.store().workers().await?;
    let content = html! {
        section { h2 { "Models" } (models(&visit)) }
        section { h2 { "Executors" } (executors(&visit).await?) }
        section { h2 { "Workers on other machines" } (elsewhere(&visit, &workers)) }
    };
    Ok(visit.page(Page { title: "Models and executors", at: "models", content, ..Page::live() }))
}

fn models(visit: &Visit) -> Markup {
    let catalogue = visit.dashboard.parts.app.catalogue.now();
    html! {
        p.summary { (grouped(catalogue.iter().count())) " models, by their names. " code { "models.toml" } " adds your own." }
        table {
            thead { tr { th { "Model" } th { "Type" } th { "Executor" } th { "Price" } th { "Longest attempt" } th { span.unseen { "Action" } } } }
            tbody { @for entry in catalogue.iter() { tr data-row {
                td { a href=(visit.link(format_args!("/playground?model={}", entry.model.slug))) { (entry.model.slug) }
                    @if let Some(name) = &entry.model.name { " " span.quiet { (name) } } }
                td { (entry.model.type_) }
                td { a href={ "#queue-" (entry.executor) } { (entry.executor) } }
                td { (price(&entry.model)) }
                td { (entry.attempt_seconds_max) " s" }
                td { a href=(visit.link(format_args!("/requests?model={}", entry.model.slug))) { "Requests" } }
            } } }
        }
    }
}

/// The price as the catalogue says it.
fn price(model: &clipia_api::types::Model) -> String {
    let Some(pricing) = &model.pricing else { return "none".to_owned() };
    let said = serde_json::to_value(pricing).unwrap_or_default();
    match (said.get("credits"), said.as_object().map_or(0, serde_json::Map::len)) {
        (Some(credits), 1) => format!("{credits} credits"),
        _ => said.to_string(),
    }
}

async fn executors(visit: &Visit) -> Result<Markup, PageError> {
    let listed = queues::list(State(visit.admin())).await?.0;
    let pauses = &visit.dashboard.parts.admin.pauses;
    let now = visit.now();
    Ok(html! {
        table {
            thead { tr { th { "Executor" } th { "Made by" } th { "Order" } th.number { "Waiting" } th.number { "Running" } th { "State" }
                th { span.unseen { "Action" } } } }
            tbody { @for queue in &listed.0 {
                @let name = &queue.queue;
                @let pause = pauses.iter().find(|pause| pause.of().strip_prefix("executor ") == Some(name));
                tr id={ "queue-" (name) } {
                    td { (name) }
                    td { (made_by(visit, name)) }
                    td { (queue.order) }
                    td.number { (grouped(queue.waiting)) }
                    td.number { (grouped(queue.running)) @if let Some(slots) = slots(visit, name) { span.quiet { " of " (slots) } } }
                    td {
                        @if let Some(at) = queue.paused_at { (words::plain("paused")) " " (ago(at, now)) }
                        @else if let Some(error) = pause.and_then(|pause| pause.error()) { (words::good(false, "failing")) " " (error) }
                        @else { (words::good(true, "open")) }
                    }
                    td {
                        @if queue.paused_at.is_some() { (visit.button(format_args!("/queues/{name}/resume"), "Resume")) }
                        @else { (visit.button(format_args!("/queues/{name}/pause"), "Pause")) }
                    }
                }
            } }
        }
    })
}

/// What makes the outputs of an executor: its command without its environment, which may hold secrets.
fn made_by(visit: &Visit, name: &str) -> Markup {
    let settings = visit.dashboard.parts.executors.get(name);
    html! {
        @match settings {
            Some(settings) => @match &settings.program {
                Some(program) => code { (program.command.join(" ")) },
                None if settings.slots == 0 => "workers on other machines",
                None => "built in",
            },
            None => "not in models.toml any more",
        }
    }
}

fn elsewhere(visit: &Visit, workers: &[WorkerListing]) -> Markup {
    let now = visit.now();
    html! {
        @if workers.is_empty() {
            p.empty { "None. " code { "clipia workers create" } " makes a token, with which " code { "clipia work" } " runs on another machine." }
        } @else {
            table {
                thead { tr { th { "Worker" } th { "Executors" } th { "Sessions" } th.number { "Running" } th { "State" } th { span.unseen { "Action" } } } }
                tbody { @for worker in workers {
                    @let name = &worker.name;
                    tr {
                        td { (name) " " code { (worker.hint) } }
                        td { (worker.executors.join(", ")) }
                        td { @for session in &worker.sessions {
                            p { (session.about.host) @if let Some(gpu) = &session.about.gpu { ", " (gpu) } ", " (session.about.version)
                                ", heard of " (ago(session.seen_at, now)) }
                        } }
                        td.number { (grouped(worker.sessions.iter().map(|session| session.running).sum::<u64>())) }
                        td { @match (worker.revoked_at, worker.quiet) {
                            (Some(at), _) => { (words::plain("revoked")) " " span title=(exact(at)) { (ago(at, now)) } },
                            (None, true) => (words::plain("quiet")),
                            (None, false) => (words::good(true, "in force")),
                        } }
                        td { @if worker.revoked_at.is_none() {
                            @if worker.quiet { (visit.button(format_args!("/workers/{name}/resume"), "Resume")) }
                            @else { (visit.button(format_args!("/workers/{name}/quiet"), "Quiet")) }
                        } }
                    }
                } }
            }
        }
    }
}

/// `POST /queues/{queue}/{pause|resume}`
pub(super) async fn queue(
    visit: Visit,
    Path((queue, action)): Path<(String, String)>,
) -> Result<Response, PageError> {
    let admin = State(visit.admin());
    let done = match action.as_str() {
        "pause" => queues::pause(admin, Segment(queue.clone())).await.map(|_| "is paused: what runs goes on"),
        "resume" => queues::resume(admin, Segment(queue.clone())).await.map(|_| "goes on"),
        _ => return Err(PageError::not_found("action")),
    };
    Ok(visit.done("/models", format!("The queue {queue} {}.", done?)))
}

/// `POST /workers/{name}/{quiet|resume}`
pub(super) async fn worker(
    visit: Visit,
    Path((name, action)): Path<(String, String)>,
) -> Result<Response, PageError> {
    let admin = State(visit.admin());
    let done = match action.as_str() {
        "quiet" => workers::quiet(admin, Segment(name.clone())).await.map(|_| "claims nothing more"),
        "resume" => workers::resume(admin, Segment(name.clone())).await.map(|_| "claims again"),
        _ => return Err(PageError::not_found("action")),
    };
    Ok(visit.done("/models", format!("The worker {name} {}.", done?)))
}
