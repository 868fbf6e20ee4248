//! Accounts and keys: balances, caps, and new ones.

use super::layout::{Page, encoded};
use super::page_error::PageError;
use super::times::{ago, grouped};
use super::visit::Visit;
use super::words;
use crate::admin::{Order, accounts as of_accounts, keys as of_keys};
use crate::clock::{timestamp, wall_at};
use crate::http::Segment;
use crate::store::{AccountId, AccountListing, KeyListing};
use axum::extract::{Form, Query, State};
use axum::response::Response;
use clipia_admin::types::{self, AccountOrder, BudgetPeriod, GrantOrder, KeyLimits, KeyOrder, Scopes};
use clipia_queue::Moment;
use clipia_queue::limits::{CreditBudget, Per, SpentCredits};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;
use std::num::NonZeroU64;

/// How many accounts and how many keys a page has.
const ROWS: usize = 100;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Pages {
    account: String,
    key: String,
}

pub(super) async fn show(
    visit: Visit,
    Query(Pages { account, key }): Query<Pages>,
) -> Result<Response, PageError> {
    let after = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let accounts = visit.store().accounts(after(&account).map(AccountId), ROWS).await?;
    let keys = visit.store().keys(after(&key), ROWS).await?;
    let content = html! {
        section {
            h2 { "Accounts" }
            p.summary { "The oldest first." }
            (accounts_table(&visit, &accounts.accounts))
            @if let Some(next) = &accounts.next { a rel="next" href=(visit.link(format_args!("/accounts?account={}", encoded(&next.0)))) { "Newer" } }
            @if visit.may_change() {
                form.row method="post" action=(visit.link("/accounts")) {
                    label { "Credits of a new account " input name="credits" inputmode="numeric" pattern="[0-9]+" value="1000" required; }
                    button { "Make an account" }
                }
            }
        }
        section {
            h2 { "Keys" }
            p.summary { "The oldest first, revoked ones included. A key is shown once, when it is made." }
            (keys_table(&visit, &keys.keys))
            @if let Some(next) = &keys.next { a rel="next" href=(visit.link(format_args!("/accounts?key={}", encoded(next)))) { "Newer" } }
            @if visit.may_change() { (key_form(&visit, &accounts.accounts)) }
        }
    };
    Ok(visit.page(Page { title: "Accounts and keys", at: "accounts", content, ..Page::still() }))
}

fn accounts_table(visit: &Visit, accounts: &[AccountListing]) -> Markup {
    let now = visit.now();
    html! {
        table {
            thead { tr { th { "Account" } th.number { "Available" } th.number { "Held" } th.number { "Keys" } th { "Made" } th { span.unseen { "Action" } } } }
            tbody { @for account in accounts { tr data-row {
                td { a href=(visit.link(format_args!("/requests?account={}", encoded(&account.id.0)))) { code { (account.id) } } }
                td.number { (words::credits(account.available)) }
                td.number { (words::credits(account.held)) }
                td.number { (grouped(account.keys)) }
                td { (ago(account.created_at, now)) }
                td { @if visit.may_change() {
                    form.one method="post" action=(visit.link(format_args!("/accounts/{}/grant", encoded(&account.id.0)))) {
                        input.short name="credits" inputmode="numeric" pattern="[0-9]+" required aria-label={ "Credits for " (account.id) };
                        " " button { "Grant" }
                    }
                } }
            } } }
        }
    }
}

fn keys_table(visit: &Visit, keys: &[KeyListing]) -> Markup {
    let (now, wall) = (visit.now(), wall_at(visit.store().now()));
    let limit = |limit: Option<u32>| match limit {
        None => "default".to_owned(),
        Some(0) => "none".to_owned(),
        Some(limit) => grouped(limit),
    };
    html! {
        @if keys.is_empty() { p.empty { "No key was made yet." } } @else {
            table {
                thead { tr { th { "Key" } th { "Account" } th { "State" } th.number { "A minute" } th.number { "In flight" } th { "Credits" } th { "Made" } th { span.unseen { "Action" } } } }
                tbody { @for key in keys { tr data-row {
                    td { a href=(visit.link(format_args!("/requests?key={}", encoded(&key.id)))) { code { (key.id) } } " " code.quiet { (key.hint) } }
                    td { code { (key.account) } }
                    td { @match key.revoked_at {
                        Some(at) => { (words::plain("revoked")) " " (ago(at, now)) },
                        None => (words::good(true, "in force")),
                    }
                        @if key.sandbox { " " (words::plain("sandbox")) }
                        @if !key.scopes.generate { " " (words::plain("reads only")) } }
                    td.number { (limit(key.limits.requests_per_minute)) }
                    td.number { (limit(key.limits.in_flight_max)) }
                    td { @match key.limits.credits {
                        Some(budget) => (spent(budget, key.spent, wall, now)),
                        None => "no budget",
                    } }
                    td { (ago(key.created_at, now)) }
                    td { @if key.revoked_at.is_none() && visit.may_change() {
                        form.one method="post" action=(visit.link(format_args!("/keys/{}/revoke", encoded(&key.id))))
                            data-confirm="Revoke this key? It cannot be undone." { button { "Revoke" } }
                    } }
                } } }
            }
        }
    }
}

/// What a key has spent of its credit budget, and when the budget is whole again.
fn spent(budget: CreditBudget, spent: SpentCredits, wall: Moment, now: Timestamp) -> Markup {
    let spent = budget.current(spent, wall);
    let (credits, most, per) = (grouped(spent.credits), grouped(budget.credits), budget.per.name());
    html! { (credits) " of " (most) " spent this " (per) ", whole again " (ago(timestamp(spent.period.end()), now)) }
}

fn key_form(visit: &Visit, accounts: &[AccountListing]) -> Markup {
    html! {
        form.row method="post" action=(visit.link("/keys")) {
            label { "Account " select name="account" {
                @for account in accounts { option value=(account.id) { (account.id) } }
            } }
            label { "Kind " select name="kind" {
                option value="live" { "live" } option value="sandbox" { "sandbox" } option value="reads" { "reads only" }
            } }
            label { "Requests a minute " input.short name="rpm" inputmode="numeric" pattern="[0-9]*" placeholder="default"; }
            label { "In flight " input.short name="in_flight" inputmode="numeric" pattern="[0-9]*" placeholder="default"; }
            label { "Credits " input.short name="credits" inputmode="numeric" pattern="[0-9]*" placeholder="no budget"; }
            label { "Per " select name="per" { @for per in Per::ALL { option value=(per.name()) { (per.name()) } } } }
            button { "Make a key" }
        }
    }
}

/// A number of a form.
fn number<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, PageError> {
    text.trim().parse().map_err(|_| PageError::refused(format!("{what} must be a number; `{text}` is none.")))
}

#[derive(Deserialize)]
pub(super) struct Amount {
    credits: String,
}

/// `POST /accounts`. Its webhook secret is not shown: a rotation makes one that is.
pub(super) async fn create(
    visit: Visit,
    Form(Amount { credits }): Form<Amount>,
) -> Result<Response, PageError> {
    let order = AccountOrder { credits: number(&credits, "`Credits`")? };
    let made = of_accounts::create(State(visit.admin()), Order(order)).await?.0;
    let content = html! {
        p { "The account " code { (made.account_id) } " is made. This secret signs its deliveries. It is not shown again." }
        (secret(made.webhook_secret.reveal()))
        p { a href=(visit.link("/accounts")) { "Accounts and keys" } }
    };
    Ok(visit.page(Page { title: "A new account", at: "accounts", content, ..Page::still() }))
}

/// `POST /accounts/{id}/grant`
pub(super) async fn grant(
    visit: Visit,
    account: Segment,
    Form(Amount { credits }): Form<Amount>,
) -> Result<Response, PageError> {
    let credits: NonZeroU64 = number(&credits, "`Credits`")?;
    let order = GrantOrder { credits };
    let granted = of_accounts::grant(State(visit.admin()), account, Order(order)).await?.0;
    let what = format!(
        "{} credits granted to {}, which has {} now.",
        granted.granted, granted.account_id, granted.available
    );
    Ok(visit.done("/accounts", what))
}

#[derive(Deserialize)]
pub(super) struct NewKey {
    account: String,
    kind: String,
    #[serde(default)]
    rpm: String,
    #[serde(default)]
    in_flight: String,
    #[serde(default)]
    credits: String,
    per: Option<BudgetPeriod>,
}

/// `POST /keys`
pub(super) async fn create_key(visit: Visit, Form(new): Form<NewKey>) -> Result<Response, PageError> {
    let NewKey { account, kind, rpm, in_flight, credits, per } = new;
    let limit = |text: &str, what| match text.trim() {
        "" => Ok(None),
        text => number(text, what).map(Some),
    };
    let order = KeyOrder {
        account_id: account,
        sandbox: kind == "sandbox",
        scopes: Scopes { generate: kind != "reads" },
        limits: KeyLimits {
            requests_per_minute: limit(&rpm, "`Requests a minute`")?,
            in_flight_max: limit(&in_flight, "`In flight`")?,
            credits: match credits.trim() {
                "" => None,
                text => {
                    let per = per.unwrap_or(BudgetPeriod::Day);
                    Some(types::CreditBudget { max: number(text, "`Credits`")?, per })
                }
            },
        },
    };
    let made = of_keys::create(State(visit.admin()), Order(order)).await?.0;
    let content = html! {
        p { "The key " code { (made.id) } " is made. It is not shown again." }
        (secret(made.key.reveal()))
        p { a href=(visit.link("/accounts")) { "Accounts and keys" } }
    };
    Ok(visit.page(Page { title: "A new key", at: "accounts", content, ..Page::still() }))
}

/// A secret that was just made, to be copied.
fn secret(secret: &str) -> Markup {
    html! { p.secret { code { (secret) } " " button.copy type="button" data-copy=(secret) { "Copy" } } }
}

/// `POST /keys/{id}/revoke`
pub(super) async fn revoke_key(visit: Visit, Segment(id): Segment) -> Result<Response, PageError> {
    let _ = of_keys::revoke(State(visit.admin()), Segment(id.clone())).await?;
    Ok(visit.done("/accounts", format!("The key {id} is revoked.")))
}
