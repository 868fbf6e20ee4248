//! A call of a page, and the response to it.

use super::layout::{Page, whole};
use super::notice::Notice;
use super::page_error::PageError;
use super::{Dashboard, gate};
use crate::admin::Admin;
use crate::clock::{timestamp, wall_at};
use crate::store::Store;
use axum::extract::FromRequestParts;
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::request::Parts;
use jiff::Timestamp;
use maud::{Markup, html};
use std::fmt;
use std::sync::Arc;

/// Marks a call of [`live`](super::live) for the part of a page that changes.
#[derive(Clone, Copy)]
pub(super) struct LivePart;

/// A call of a page.
pub(super) struct Visit {
    pub(super) dashboard: Dashboard,
    pub(super) session: gate::SessionId,
    /// The path and the query below the dashboard's address.
    pub(super) path: String,
    is_live_part: bool,
    /// Whether the page is live: its caller can say `live=off`.
    is_paused: bool,
}

impl Visit {
    pub(super) fn store(&self) -> &dyn Store {
        self.dashboard.parts.admin.store.as_ref()
    }

    pub(super) fn admin(&self) -> Admin {
        self.dashboard.parts.admin.clone()
    }

    pub(super) fn may_change(&self) -> bool {
        !self.dashboard.parts.settings.read_only
    }

    /// The present as the store's times are shown.
    pub(super) fn now(&self) -> Timestamp {
        timestamp(wall_at(self.store().now()))
    }

    /// The address of a path of the dashboard.
    pub(super) fn link(&self, path: impl fmt::Display) -> String {
        format!("{}{path}", self.dashboard.base)
    }

    /// A form with one button, for an action that needs no more; nothing where nothing may be changed.
    pub(super) fn button(&self, path: impl fmt::Display, word: &str) -> Markup {
        html! {
            @if self.may_change() {
                form.one method="post" action=(self.link(path)) { button { (word) } }
            }
        }
    }

    /// The page, or its changing part only.
    pub(super) fn page(&self, page: Page<'_>) -> Response {
        if self.is_live_part {
            return Html(page.content.into_string()).into_response();
        }
        let notice = self.dashboard.parts.gate.take_notice(self.session);
        let page = Page { live: page.live && !self.is_paused, ..page };
        let status = page.status;
        (status, Html(whole(&self.dashboard, Some(self), notice, page).into_string())).into_response()
    }

    /// Goes on with another page, which first says what was done.
    pub(super) fn done(&self, path: impl fmt::Display, what: impl Into<String>) -> Response {
        self.dashboard.parts.gate.note(self.session, Notice::done(what));
        Redirect::to(&self.link(path)).into_response()
    }
}

impl FromRequestParts<Dashboard> for Visit {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, dashboard: &Dashboard) -> Result<Self, PageError> {
        let session = parts.extensions.get::<gate::SessionId>().copied();
        let session =
            session.ok_or_else(|| PageError::forbidden("This page is shown to whoever signs in."))?;
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self {
            dashboard: Dashboard(Arc::clone(&dashboard.0)),
            session,
            path,
            is_live_part: parts.extensions.get::<LivePart>().is_some(),
            is_paused: query.split('&').any(|pair| pair == "live=off"),
        })
    }
}
