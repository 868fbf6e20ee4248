//! What a page says first: what the action before it did.

use maud::{Markup, html};

/// What the next page says first, once.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    pub(super) text: String,
}

impl Notice {
    /// Something was done.
    pub(super) fn done(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }

    pub(super) fn shown(&self) -> Markup {
        html! { p.notice role="status" { (self.text) } }
    }
}
