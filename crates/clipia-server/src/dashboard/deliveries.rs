//! Deliveries: what arrived, what is attempted again, and what was given up.

use super::layout::{Page, encoded};
use super::page_error::PageError;
use super::times::{ago, count};
use super::visit::Visit;
use super::words;
use crate::admin::deliveries as administration;
use crate::http::Segment;
use crate::store::{AccountId, DELIVERIES_MAX, DeliveryFilter, DeliveryListing, DeliveryState};
use axum::extract::{Form, Query, State};
use axum::response::Response;
use clipia_queue::Moment;
use jiff::ToSpan;
use maud::{Markup, html};
use serde::Deserialize;
use url::Url;
use uuid::Uuid;

/// How many deliveries a page has.
const ROWS: u32 = 50;

/// The states of a filter, by their names in the address.
const STATES: [(&str, DeliveryState); 4] = [
    ("pending", DeliveryState::Pending),
    ("delivered", DeliveryState::Delivered),
    ("abandoned", DeliveryState::Abandoned),
    ("held", DeliveryState::Held),
];

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Filters {
    state: String,
    account: String,
    before: Option<Uuid>,
}

pub(super) async fn show(visit: Visit, Query(filters): Query<Filters>) -> Result<Response, PageError> {
    let state = STATES.iter().find(|(name, _)| *name == filters.state).map(|(_, state)| *state);
    let account = Some(filters.account.trim()).filter(|account| !account.is_empty());
    let filter = DeliveryFilter { account: account.map(|id| AccountId(id.to_owned())), request: None, state };
    let deliveries = visit.store().list_deliveries(filter, filters.before, ROWS).await?;
    let full = deliveries.len() >= usize::try_from(ROWS).unwrap_or(usize::MAX);
    let older = deliveries.last().filter(|_| full).map(|last| last.id);
    let link = |before: Option<Uuid>| {
        let before = before.map(|id| format!("&before={id}")).unwrap_or_default();
        let (state, account) = (encoded(&filters.state), encoded(account.unwrap_or_default()));
        visit.link(format_args!("/deliveries?state={state}&account={account}{before}"))
    };
    let content = html! {
        p.summary {
            "Newest first. "
            @if state.is_none() && account.is_none() { "No filter." } @else {
                "Filtered by " @if state.is_some() { "state " code { (filters.state) } " " }
                @if let Some(account) = account { "account " code { (account) } }
                ". " a href=(visit.link("/deliveries")) { "Show all" }
            }
        }
        @if deliveries.is_empty() {
            p.empty { "No delivery. A submit with a " code { "webhook_url" } " gets one when it ends. "
                code { "clipia webhooks check" } " tests a receiver." }
        } @else { (rows(&visit, &deliveries)) }
        nav.pages aria-label="Pages of the list" {
            @if filters.before.is_some() { a href=(link(None)) { "Newest" } }
            @if older.is_some() { a rel="next" href=(link(older)) { "Older" } }
        }
    };
    let before = html! {
        form.filters action=(visit.link("/deliveries")) {
            label { "State" select name="state" {
                option value="" { "any" }
                @for (name, _) in STATES { option value=(name) selected[name == filters.state] { (name) } }
            } }
            label { "Account" input name="account" value=(filters.account); }
            button { "Filter" }
        }
        @if visit.may_change() {
            div.row {
                form.one method="post" action=(visit.link("/deliveries/failed")) data-confirm="Send all abandoned deliveries of that time again?" {
                    label { "Replay all that were abandoned in the last " select name="hours" {
                        option value="1" { "hour" } option value="24" { "24 hours" } option value="168" { "7 days" }
                    } } " " button { "Replay" }
                }
                @if filters.state == "held" {
                    form.one method="post" action=(visit.link("/deliveries/held")) data-confirm="Settle all held deliveries?" {
                        button name="act" value="resume" { "Resume all held" } " "
                        button name="act" value="abandon" { "Abandon all held" }
                    }
                }
            }
        }
    };
    let live = filters.before.is_none();
    Ok(visit.page(Page { title: "Deliveries", at: "deliveries", before, content, live, ..Page::live() }))
}

fn rows(visit: &Visit, deliveries: &[DeliveryListing]) -> Markup {
    let now = visit.now();
    html! {
        table {
            thead { tr { th { "Host" } th { "State" } th.number { "Attempts" } th { "Ended" } th { "Next attempt" } th { "Request" }
                th { span.unseen { "Action" } } } }
            tbody { @for delivery in deliveries { tr data-row {
                td title=(delivery.url) { (host(&delivery.url)) }
                td { (words::delivery(delivery.state)) @if delivery.postponed { " " (words::plain("postponed")) } }
                td.number { (delivery.attempts) }
                td { (ago(delivery.created_at, now)) }
                td { @if let Some(next) = delivery.next_at { (ago(next, now)) } }
                td { a href=(visit.link(format_args!("/requests/{}", delivery.request_id))) { code.id { (delivery.request_id) } } }
                td { (visit.button(format_args!("/deliveries/{}/replay", delivery.id), "Replay")) }
            } } }
        }
    }
}

fn host(url: &str) -> String {
    Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| url.to_owned())
}

pub(super) async fn replay(visit: Visit, Segment(id): Segment) -> Result<Response, PageError> {
    let parsed: Uuid = id.parse().map_err(|_| PageError::not_found("delivery"))?;
    let found = visit.store().delivery(parsed).await?.ok_or_else(|| PageError::not_found("delivery"))?;
    let _ = administration::replay(State(visit.admin()), Segment(id)).await?;
    let request = found.delivery.request_id;
    Ok(visit.done(format_args!("/requests/{request}"), "The delivery is sent again."))
}

#[derive(Deserialize)]
pub(super) struct Hours {
    hours: u16,
}

pub(super) async fn replay_failed(
    visit: Visit,
    Form(Hours { hours }): Form<Hours>,
) -> Result<Response, PageError> {
    let mut since = visit.now() - i64::from(hours).hours();
    let mut all = 0;
    loop {
        let moment = Moment::from_micros(since.as_microsecond());
        let replayed = visit.store().replay_failed(moment, DELIVERIES_MAX).await?;
        all += replayed.count;
        match replayed.next {
            Some(next) => since = next,
            None => break,
        }
    }
    let what = format!("{} sent again.", count(all, "delivery is", "deliveries are"));
    Ok(visit.done("/deliveries", what))
}

#[derive(Deserialize)]
pub(super) struct Act {
    act: String,
}

pub(super) async fn settle_held(visit: Visit, Form(Act { act }): Form<Act>) -> Result<Response, PageError> {
    let settled = match act.as_str() {
        "resume" => administration::resume(State(visit.admin())).await?,
        "abandon" => administration::abandon(State(visit.admin())).await?,
        _ => return Err(PageError::refused("Held deliveries are resumed or abandoned.")),
    };
    let what = format!("{} settled: {act}.", count(settled.0.count, "delivery is", "deliveries are"));
    Ok(visit.done("/deliveries", what))
}
