//! The playground: a form for any model, with its price, and the result on the page of its request.

use super::input_form::{self, FILE, Texts};
use super::input_price::{price, usable_keys};
use super::layout::{Page, encoded};
use super::page_error::PageError;
use super::visit::Visit;
use crate::http::{self, Segment};
use crate::store::{Key, KeyListing};
use ::http::StatusCode;
use axum::extract::{Multipart, Query};
use axum::response::Response;
use bytes::Bytes;
use clipia_api::ModelType;
use clipia_queue::RequestId;
use clipia_queue::catalogue::Entry;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::sync::Arc;

/// The name of the parameter whose value draws the same output again.
const SEED: &str = "seed";

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Choice {
    model: String,
    /// The request whose input fills the form.
    from: String,
    /// The seed that fills the form.
    seed: String,
    key: String,
}

pub(super) async fn show(visit: Visit, Query(choice): Query<Choice>) -> Result<Response, PageError> {
    let mut texts = Texts::new();
    let (mut slug, mut key_id, mut made_with) = (choice.model, choice.key, None);
    if !choice.from.is_empty() {
        let (id, history) = history(&visit, &choice.from).await?;
        texts = input_form::texts(&history.input.unwrap_or_default());
        (slug, key_id) = (history.request.model, history.request.key);
        let outputs = super::output::of(&visit, [id]).await?;
        made_with = outputs.get(&id).and_then(|output| output.seed).map(|seed| (choice.from, seed));
    }
    if !choice.seed.is_empty() {
        texts.insert(input_form::text_field(SEED), choice.seed);
    }
    let catalogue = visit.dashboard.parts.app.catalogue.now();
    let entry = match slug.as_str() {
        "" => {
            catalogue.iter().find(|entry| entry.model.type_ == ModelType::Image).or(catalogue.iter().next())
        }
        slug => catalogue.get(slug),
    };
    let entry = entry.ok_or_else(|| PageError::not_found("model"))?;
    form(&visit, Form { entry, key_id: &key_id, texts: &texts, made_with, refused: None }).await
}

/// A form, and what it is filled with.
struct Form<'a> {
    entry: &'a Entry,
    key_id: &'a str,
    texts: &'a Texts,
    /// The request whose input fills it, and the seed of its output.
    made_with: Option<(String, u64)>,
    refused: Option<PageError>,
}

async fn form(visit: &Visit, form: Form<'_>) -> Result<Response, PageError> {
    let Form { entry, key_id, texts, made_with, refused } = form;
    let keys = usable_keys(visit).await?;
    let key = keys.iter().find(|key| key.id == key_id).or(keys.first());
    let catalogue = visit.dashboard.parts.app.catalogue.now();
    let model = &entry.model;
    let price = price(visit, entry, key, texts).await?;
    let content = html! {
        @if let Some(refused) = &refused { p.notice.bad role="alert" { (refused.message) } }
        form.filters action=(visit.link("/playground")) {
            label { "Model" select name="model" {
                @for entry in catalogue.iter() {
                    option value=(entry.model.slug) selected[entry.model.slug == model.slug] { (entry.model.slug) " · " (entry.model.type_) }
                }
            } }
            button { "Choose" }
        }
        @if let Some(description) = &model.description { p { (description) } }
        @if keys.is_empty() {
            p.empty { "No key is in force. Make one on the page " a href=(visit.link("/accounts")) { "Accounts" } "." }
        } @else {
            div.beside {
                form.play id="play" method=(if visit.may_change() { "post" } else { "get" }) action=(visit.link("/playground")) enctype="multipart/form-data" {
                    input.value type="hidden" name="model" value=(model.slug);
                    (input_form::fields(model, texts))
                    @if let Some((from, seed)) = made_with {
                        p.hint { "The output was made with the seed " code { (seed) } ". "
                            a href=(visit.link(format_args!("/playground?from={}&seed={seed}", encoded(&from)))) { "Keep the seed" } }
                    }
                    div.field { label for="key" { "Key" } (key_choice(&keys, key)) }
                    @if visit.may_change() { button { "Submit" } }
                }
                section.price aria-label="Price and call" {
                    div id="price" hx-post=(visit.link("/playground/price")) hx-include="#play .value"
                        hx-trigger="change from:#play, input from:#play delay:400ms" aria-live="polite" { (price) }
                }
            }
        }
    };
    let status = refused.map_or(StatusCode::OK, |refused| refused.status);
    Ok(visit.page(Page { title: "Playground", at: "playground", content, status, ..Page::still() }))
}

fn key_choice(keys: &[KeyListing], chosen: Option<&KeyListing>) -> Markup {
    html! {
        select.value id="key" name="key" {
            @for key in keys {
                option value=(key.id) selected[chosen.is_some_and(|chosen| chosen.id == key.id)] {
                    (key.hint) @if key.sandbox { " (sandbox: a sample, no credits)" }
                }
            }
        }
    }
}

/// `POST /playground`
pub(super) async fn submit(visit: Visit, multipart: Multipart) -> Result<Response, PageError> {
    let (mut texts, files) = read(multipart).await?;
    let field = |name: &str| texts.get(name).cloned().unwrap_or_default();
    let (slug, key_id) = (field("model"), field("key"));
    let app = Arc::clone(&visit.dashboard.parts.app);
    let entry = app.catalogue.get(&slug).ok_or_else(|| PageError::not_found("model"))?;
    let outcome = async {
        let key = key(&visit, &key_id).await?;
        for (parameter, name, content) in files {
            let url =
                http::keep_upload(&app, &key.account, &name, content, &visit.dashboard.parts.api_url).await?;
            texts.insert(input_form::text_field(&parameter), url);
        }
        let input = input_form::input(&entry.model, &texts);
        accept(&visit, key, &slug, input).await
    };
    match outcome.await {
        Ok(id) => Ok(visit.done(format_args!("/requests/{id}"), "Submitted.")),
        Err(refused) => {
            form(
                &visit,
                Form {
                    entry: &entry,
                    key_id: &key_id,
                    texts: &texts,
                    made_with: None,
                    refused: Some(refused),
                },
            )
            .await
        }
    }
}

/// `POST /requests/{id}/again`: the same input with the same key.
pub(super) async fn again(visit: Visit, Segment(id): Segment) -> Result<Response, PageError> {
    let (_, history) = history(&visit, &id).await?;
    let input = history.input.ok_or_else(|| PageError::refused("Its input was let go."))?;
    let key = key(&visit, &history.request.key).await?;
    let id = accept(&visit, key, &history.request.model, input).await?;
    Ok(visit.done(format_args!("/requests/{id}"), "Submitted again."))
}

async fn history(visit: &Visit, id: &str) -> Result<(RequestId, crate::store::RequestHistory), PageError> {
    let missing = || PageError::not_found("request");
    let id: RequestId = id.parse().map_err(|_| missing())?;
    Ok((id, visit.store().request_history(id).await?.ok_or_else(missing)?))
}

/// The key of this public name, if it may submit.
async fn key(visit: &Visit, id: &str) -> Result<Arc<Key>, PageError> {
    let found = usable_keys(visit).await?.into_iter().find(|key| key.id == id);
    let KeyListing { id, account, hint, sandbox, scopes, limits, .. } =
        found.ok_or_else(|| PageError::refused("No key of this name is in force that may submit."))?;
    Ok(Arc::new(Key { id, account, hint, sandbox, scopes, limits }))
}

async fn accept(
    visit: &Visit,
    key: Arc<Key>,
    model: &str,
    input: Map<String, Value>,
) -> Result<RequestId, PageError> {
    let parts = &visit.dashboard.parts;
    Ok(http::submit_input(&parts.app, key, model, input, &parts.api_url).await?.id)
}

/// The texts of a form, and its files: their parameter, their name and their content.
async fn read(mut multipart: Multipart) -> Result<(Texts, Vec<(String, String, Bytes)>), PageError> {
    let unread = |error: axum::extract::multipart::MultipartError| PageError::refused(error.body_text());
    let (mut texts, mut files) = (Texts::new(), Vec::new());
    while let Some(field) = multipart.next_field().await.map_err(unread)? {
        let name = field.name().unwrap_or_default().to_owned();
        match name.strip_prefix(FILE) {
            Some(parameter) => {
                let file_name = field.file_name().unwrap_or_default().to_owned();
                let content = field.bytes().await.map_err(unread)?;
                if !content.is_empty() {
                    files.push((parameter.to_owned(), file_name, content));
                }
            }
            None => {
                texts.insert(name, field.text().await.map_err(unread)?);
            }
        }
    }
    Ok((texts, files))
}
