//! Requests: a list or a gallery of them, with filters in the address.

use super::layout::{Page, encoded};
use super::page_error::PageError;
use super::times::{Span, ago};
use super::visit::Visit;
use super::{output, words};
use crate::store::{AccountId, RequestFilter, RequestListing};
use axum::extract::Query;
use axum::response::{IntoResponse, Redirect, Response};
use clipia_api::types::Output;
use clipia_queue::RequestId;
use clipia_queue::lifecycle::Phase;
use jiff::{Timestamp, ToSpan};
use maud::{Markup, html};
use serde::Deserialize;
use std::collections::HashMap;

/// How many requests a page has.
const ROWS: usize = 50;

/// The spans that a filter offers: their name in the address, their words, and their hours.
const SPANS: [(&str, &str, i64); 4] = [
    ("hour", "last hour", 1),
    ("day", "last 24 hours", 24),
    ("week", "last 7 days", 168),
    ("month", "last 30 days", 720),
];

const PHASES: [Phase; 5] = [Phase::Queued, Phase::Running, Phase::Completed, Phase::Failed, Phase::Canceled];

/// The query of the page. An empty field is as good as none: a form sends all of its fields.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Filters {
    status: String,
    model: String,
    account: String,
    key: String,
    text: String,
    since: String,
    view: String,
    after: String,
}

impl Filters {
    /// The filters in words, each with its name in the address.
    fn set(&self) -> Vec<(&'static str, &str)> {
        let all = [
            ("status", &self.status),
            ("model", &self.model),
            ("account", &self.account),
            ("key", &self.key),
            ("text", &self.text),
            ("since", &self.since),
        ];
        all.into_iter()
            .map(|(name, value)| (name, value.trim()))
            .filter(|(_, value)| !value.is_empty())
            .collect()
    }

    fn of_store(&self, now: Timestamp) -> Result<RequestFilter, PageError> {
        let given = |value: &str| Some(value.trim().to_owned()).filter(|value| !value.is_empty());
        let phase = given(&self.status).map(|status| phase_of(&status)).transpose()?;
        let span = SPANS.iter().find(|(name, ..)| *name == self.since);
        Ok(RequestFilter {
            account: given(&self.account).map(AccountId),
            phase,
            model: given(&self.model),
            key: given(&self.key),
            since: span.map(|(_, _, hours)| now - hours.hours()),
        })
    }

    /// The address of the page with these filters, another view, and another beginning.
    fn link(&self, visit: &Visit, view: &str, after: Option<RequestId>) -> String {
        let after = after.map(|id| id.to_string());
        let set = self.set();
        let pairs = set.into_iter().chain(Some(("view", view)).filter(|(_, view)| !view.is_empty()));
        let pairs = pairs.chain(after.as_deref().map(|after| ("after", after)));
        let query: Vec<_> = pairs.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        visit.link(format_args!("/requests?{}", query.join("&")))
    }
}

fn phase_of(status: &str) -> Result<Phase, PageError> {
    let found = PHASES.into_iter().find(|phase| phase.status().to_string() == status);
    found.ok_or_else(|| PageError::refused(format!("`{status}` is no status of a request.")))
}

pub(super) async fn show(visit: Visit, Query(filters): Query<Filters>) -> Result<Response, PageError> {
    let text = filters.text.trim();
    // The id of a request is found as itself.
    if let Ok(id) = text.parse::<RequestId>()
        && visit.store().request_history(id).await?.is_some()
    {
        return Ok(Redirect::to(&visit.link(format_args!("/requests/{id}"))).into_response());
    }
    let filter = filters.of_store(visit.now())?;
    let after = match filters.after.as_str() {
        "" => None,
        id => Some(id.parse().map_err(|_| PageError::refused(format!("`{id}` is no id of a request.")))?),
    };
    let page = match text {
        "" => visit.store().list_requests(filter, after, ROWS).await?,
        words => visit.store().search(words, filter, after, ROWS).await?,
    };
    let shown = Shown::of(&visit, &page.requests).await?;
    let is_gallery = filters.view == "gallery";
    let content = html! {
        (summary(&visit, &filters))
        @if page.requests.is_empty() {
            (none(&visit, &filters, page.next.is_some()))
        } @else if is_gallery {
            (gallery(&visit, &page.requests, &shown))
        } @else {
            (rows(&visit, &page.requests, &shown))
        }
        nav.pages aria-label="Pages of the list" {
            @if after.is_some() { a href=(filters.link(&visit, &filters.view, None)) { "Newest" } }
            @if let Some(next) = page.next { a rel="next" href=(filters.link(&visit, &filters.view, Some(next))) { "Older" } }
        }
    };
    let before = form(&visit, &filters);
    // Only the newest page changes.
    let live = after.is_none();
    Ok(visit.page(Page { title: "Requests", at: "requests", before, content, live, ..Page::live() }))
}

fn form(visit: &Visit, filters: &Filters) -> Markup {
    let catalogue = visit.dashboard.parts.app.catalogue.now();
    html! {
        form.filters action=(visit.link("/requests")) {
            label { "Text" input type="search" name="text" value=(filters.text); }
            label { "Status" select name="status" {
                option value="" { "any" }
                @for phase in PHASES.map(|phase| phase.status().to_string()) {
                    option value=(phase) selected[phase == filters.status] { (phase) }
                }
            } }
            label { "Model" input name="model" value=(filters.model) list="models"; }
            datalist id="models" { @for entry in catalogue.iter() { option value=(entry.model.slug) {} } }
            label { "Account" input name="account" value=(filters.account); }
            label { "Key" input name="key" value=(filters.key); }
            label { "Accepted" select name="since" {
                option value="" { "at any time" }
                @for (name, words, _) in SPANS { option value=(name) selected[name == filters.since] { (words) } }
            } }
            input type="hidden" name="view" value=(filters.view);
            button { "Filter" }
        }
    }
}

/// How the list is sorted, and what was filtered.
fn summary(visit: &Visit, filters: &Filters) -> Markup {
    let set = filters.set();
    let (other, name) =
        if filters.view == "gallery" { ("", "as a list") } else { ("gallery", "as a gallery") };
    html! {
        p.summary {
            "Newest first. "
            @if set.is_empty() { "No filter. " } @else {
                "Filtered by "
                @for (number, (name, value)) in set.iter().enumerate() {
                    @if number > 0 { ", " } (name) " " code { (value) }
                }
                ". " a href=(visit.link("/requests")) { "Show all" } " · "
            }
            a href=(filters.link(visit, other, None)) { (name) }
        }
    }
}

fn none(visit: &Visit, filters: &Filters, more: bool) -> Markup {
    html! {
        p.empty {
            @if more { "None of the latest requests match; older ones may." }
            @else if filters.set().is_empty() {
                "Nothing was submitted yet. Try a model in the " a href=(visit.link("/playground")) { "playground" }
                ", or run " code { "clipia generate" } "."
            } @else { "No request matches. " a href=(visit.link("/requests")) { "Show all requests" } }
        }
    }
}

/// What a list shows of requests beside themselves.
pub(super) struct Shown {
    outputs: HashMap<RequestId, Output>,
    prompts: HashMap<RequestId, String>,
}

impl Shown {
    pub(super) async fn of(visit: &Visit, requests: &[RequestListing]) -> Result<Self, PageError> {
        let ids: Vec<RequestId> = requests.iter().map(|request| request.id).collect();
        let outputs = output::of(visit, ids.iter().copied()).await?;
        let prompts = visit.store().prompts(ids).await?.into_iter().collect();
        Ok(Self { outputs, prompts })
    }
}

/// Requests as a table.
pub(super) fn rows(visit: &Visit, requests: &[RequestListing], shown: &Shown) -> Markup {
    let now = visit.now();
    html! {
        table.requests {
            thead { tr { th { span.unseen { "Output" } } th { "Request" } th { "Status" } th { "Accepted" } th { "Took" }
                th.number { "Cost" } th { "Key" } } }
            tbody {
                @for request in requests {
                    tr data-row {
                        td { (output::thumbnail(visit, shown.outputs.get(&request.id), "thumbnail")) }
                        td { a href=(visit.link(format_args!("/requests/{}", request.id))) { (request.model) }
                            " " span.quiet.id { (request.id) }
                            @if let Some(prompt) = shown.prompts.get(&request.id) { p.prompt { (prompt) } }
                            @if let Some(error) = &request.error { p.error { (error) } } }
                        td { (words::phase(request.phase))
                            @if let Some(position) = request.position { " " span.quiet { (position) " ahead" } }
                            @if let Some(progress) = request.progress { " " progress max="100" value=(progress.percent()) { (progress.percent()) " %" } }
                            @if request.sandbox { " " (words::plain("sandbox")) } }
                        td { (ago(request.created_at, now)) }
                        td { @if let Some(end) = request.completed_at { (Span::between(request.created_at, end)) } }
                        td.number { (words::credits(request.cost)) }
                        td { code { (request.key) } }
                    }
                }
            }
        }
    }
}

fn gallery(visit: &Visit, requests: &[RequestListing], shown: &Shown) -> Markup {
    html! {
        ul.gallery {
            @for request in requests {
                li data-row {
                    a href=(visit.link(format_args!("/requests/{}", request.id))) {
                        (output::thumbnail(visit, shown.outputs.get(&request.id), "tile"))
                        span { (request.model) } " " (words::phase(request.phase))
                        @if let Some(prompt) = shown.prompts.get(&request.id) { span.prompt { (prompt) } }
                    }
                }
            }
        }
    }
}
