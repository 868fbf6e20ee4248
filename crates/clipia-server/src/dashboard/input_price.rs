//! What a form of the playground would cost, and the call that does the same.

use super::input_form::{self, Texts};
use super::page_error::PageError;
use super::visit::Visit;
use super::{call, words};
use crate::http::{PricedInput, check_price_and_warn};
use crate::store::{AccountId, KeyListing};
use axum::extract::Form;
use axum::response::{Html, IntoResponse, Response};
use clipia_queue::catalogue::Entry;
use maud::{Markup, html};
use serde_json::Map;

/// `POST /playground/price`: the part of the page that changes with each field.
pub(super) async fn show(visit: Visit, Form(texts): Form<Texts>) -> Result<Response, PageError> {
    let slug = texts.get("model").map(String::as_str).unwrap_or_default();
    let entry = visit.dashboard.parts.app.catalogue.get(slug).ok_or_else(|| PageError::not_found("model"))?;
    let keys = usable_keys(&visit).await?;
    let key = texts.get("key").and_then(|id| keys.iter().find(|key| key.id == *id));
    Ok(Html(price(&visit, &entry, key, &texts).await?.into_string()).into_response())
}

/// The keys in force that may submit, those of the sandbox first.
pub(super) async fn usable_keys(visit: &Visit) -> Result<Vec<KeyListing>, PageError> {
    let mut keys = visit.store().keys(None, 1_000).await?.keys;
    keys.retain(|key| key.revoked_at.is_none() && key.scopes.generate);
    keys.sort_by_key(|key| !key.sandbox);
    Ok(keys)
}

/// The price of an input, what is left afterwards, and the call.
pub(super) async fn price(
    visit: &Visit,
    entry: &Entry,
    key: Option<&KeyListing>,
    texts: &Texts,
) -> Result<Markup, PageError> {
    let app = &visit.dashboard.parts.app;
    let input = input_form::input(&entry.model, texts);
    let priced = check_price_and_warn(app, entry, &input, &Map::new());
    let available = match key {
        Some(key) => available(visit, &key.account).await?,
        None => None,
    };
    Ok(html! {
        @match &priced {
            Ok(PricedInput { cost, warnings, .. }) => {
                p { strong { (words::credits(*cost)) }
                    @match (key.is_some_and(|key| key.sandbox), available) {
                        (true, _) => " with a live key; a key of the sandbox pays nothing and gets a sample",
                        (false, Some(available)) => { ": of " (words::credits(available)) ", "
                            (words::credits(available.checked_sub(*cost).unwrap_or_default())) " are left" },
                        (false, None) => {},
                    }
                }
                @for warning in warnings { p.notice { code { (warning.parameter) } " " (warning.message) } }
            },
            Err(why) => p.hint { (why.message()) },
        }
        (call::tabs(&visit.dashboard.parts.api_url, &entry.model.slug, &input))
    })
}

async fn available(visit: &Visit, account: &AccountId) -> Result<Option<clipia_queue::Credits>, PageError> {
    Ok(visit.store().account(account).await?.map(|account| account.available))
}
