//! The doctor: whether the store is sound, what slows it down, and a copy of it.

use super::layout::Page;
use super::page_error::PageError;
use super::times::{ago, grouped};
use super::visit::Visit;
use super::words;
use crate::admin::{Order, upkeep};
use axum::extract::{Form, State};
use axum::response::Response;
use clipia_admin::types::{BackupOrder, Findings};
use maud::{Markup, html};
use serde::Deserialize;

pub(super) async fn show(visit: Visit) -> Result<Response, PageError> {
    let content = html! {
        p { "An examination reads the whole store in one snapshot, while it is in use. It looks for the first rule that is broken." }
        (actions(&visit))
    };
    Ok(visit.page(Page { title: "Doctor", at: "doctor", content, ..Page::still() }))
}

fn actions(visit: &Visit) -> Markup {
    html! {
        @if visit.may_change() {
            form.row method="post" action=(visit.link("/doctor")) { button { "Examine the store" } }
            section {
                h2 { "Back up" }
                form.row method="post" action=(visit.link("/doctor/backup")) {
                    label { "A new file on the server’s machine " input name="path" required placeholder="/var/backups/clipia.db"; }
                    button { "Back up" }
                }
            }
        }
    }
}

/// `POST /doctor`
pub(super) async fn examine(visit: Visit) -> Result<Response, PageError> {
    let findings = upkeep::examine(State(visit.admin())).await?.0;
    let content = html! { (found(&visit, &findings)) (actions(&visit)) };
    Ok(visit.page(Page { title: "Doctor", at: "doctor", content, ..Page::still() }))
}

fn found(visit: &Visit, findings: &Findings) -> Markup {
    let checked = &findings.checked;
    let now = visit.now();
    html! {
        @match &findings.violation {
            None => p.notice { (words::good(true, "sound")) " All " (grouped(checked.rules)) " rules hold." },
            Some(broken) => {
                p.notice.bad { (words::good(false, "broken")) " " (broken.rule) ": " (broken.found) }
                @if let Some(request) = &broken.request { p { "Request " a href=(visit.link(format_args!("/requests/{request}"))) { code { (request) } } } }
                @if let Some(account) = &broken.account { p { "Account " code { (account) } } }
                p { "Keep a copy of the store, and report this." }
            },
        }
        p { (grouped(checked.accounts)) " accounts, " (grouped(checked.requests)) " requests, " (grouped(checked.movements))
            " movements of credits and " (grouped(checked.deliveries)) " deliveries were looked at." }
        @if checked.deliveries_held > 0 {
            p.notice.bad { (grouped(checked.deliveries_held)) " deliveries are held since the store was restored: "
                a href=(visit.link("/deliveries?state=held")) { "resume or abandon" } }
        }
        @for paused in &findings.paused { p.notice.bad { (words::good(false, "paused")) " " (paused.of) ": " (paused.why) } }
        @for pin in &findings.pins {
            p.notice.bad { (words::good(false, "pinned")) " " (pin.by) ", for " (grouped(pin.transactions)) " transactions"
                @if let Some(since) = pin.since { ", since " (ago(since, now)) } ". The database gets slower until it ends." }
        }
    }
}

#[derive(Deserialize)]
pub(super) struct File {
    path: String,
}

/// `POST /doctor/backup`
pub(super) async fn back_up(visit: Visit, Form(File { path }): Form<File>) -> Result<Response, PageError> {
    let made = upkeep::back_up(State(visit.admin()), Order(BackupOrder { path })).await?.0;
    let what = format!("The store is copied to {}: {} bytes.", made.path, grouped(made.bytes));
    Ok(visit.done("/doctor", what))
}
