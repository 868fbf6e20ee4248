//! Pages that a program adds to the dashboard, such as those of the emulator.

use super::layout::Page;
use super::page_error::PageError;
use super::visit::Visit;
use async_trait::async_trait;
use axum::extract::Form;
use axum::response::Response;
pub use maud::{Markup, html};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A page that a program adds to the dashboard.
#[async_trait]
pub trait Section: Send + Sync {
    /// The name of the page, in the navigation and as its heading.
    fn name(&self) -> &'static str;
    /// The last segment of its address, in lower case.
    fn path(&self) -> &'static str;
    /// The page. `act` is the address that its forms post to. It is rendered again while somebody looks at it.
    async fn show(&self, act: &str) -> Markup;
    /// Does what a form of the page asks for, by the names of its fields; returns what was done, in a sentence.
    ///
    /// # Errors
    /// Why it was not done, in a sentence.
    async fn act(&self, fields: BTreeMap<String, String>) -> Result<String, String>;
}

pub(super) async fn show(visit: Visit, section: Arc<dyn Section>) -> Result<Response, PageError> {
    let act = visit.link(format_args!("/{}", section.path()));
    let content = section.show(&act).await;
    Ok(visit.page(Page { title: section.name(), at: section.path(), content, ..Page::live() }))
}

pub(super) async fn act(
    visit: Visit,
    Form(fields): Form<BTreeMap<String, String>>,
    section: Arc<dyn Section>,
) -> Result<Response, PageError> {
    let done = section.act(fields).await.map_err(PageError::refused)?;
    Ok(visit.done(format_args!("/{}", section.path()), done))
}
