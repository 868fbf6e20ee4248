//! The API over HTTP, one file a resource.

mod account;
mod admission;
mod base_url;
mod body;
mod budgets;
mod caller;
mod conditions;
mod file_response;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod fuzz_calls;
mod input;
mod json;
mod media;
mod models;
mod observe;
mod path;
mod requests;
mod responses;
mod submit;
mod uploads;

pub(crate) use admission::Admission;
pub(crate) use base_url::scheme;
pub(crate) use body::discard;
pub(crate) use budgets::{Budgets, share as share_budgets};
pub(crate) use conditions::Validators;
pub(crate) use file_response::FileResponse;
pub(crate) use input::{PricedInput, check_price_and_warn};
pub(crate) use media::body as file_body;
pub(crate) use media::router as media_router;
pub(crate) use observe::{request as note_request, watch, worker as note_worker};
pub(crate) use path::Segment;
pub(crate) use submit::submit_input;
pub(crate) use uploads::{keep as keep_upload, slots as upload_slots};

use crate::api_error::{no_such_method, no_such_path};
use crate::builder::RequestIds;
use crate::config::PublicUrl;
use crate::executors::Executor;
use crate::executors::sandbox::Samples;
use crate::media::MediaStore;
use crate::metrics::Metrics;
use crate::outbound::Target;
use crate::refused_tokens::RefusedTokens;
use crate::served_models::ServedModels;
use crate::store::{AccountId, Store};
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use clipia_worker::work::SharedSlots;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What every call needs.
pub(crate) struct App {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) catalogue: Arc<ServedModels>,
    /// The executors by name, for what they say of models and inputs.
    pub(crate) executors: BTreeMap<String, Arc<dyn Executor>>,
    /// The files of generations.
    pub(crate) media: MediaStore,
    /// The outputs of sandbox requests.
    pub(crate) samples: Samples,
    /// The addresses that a webhook URL may name.
    pub(crate) webhooks: Target,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) refused_tokens: Arc<RefusedTokens>,
    /// The rate budget of each key.
    pub(crate) budgets: Arc<Budgets>,
    /// Makes the ids of requests.
    pub(crate) request_ids: RequestIds,
    /// Each account's share of memory and of the writer.
    pub(crate) admission: Admission,
    /// The slots of uploads that are being received.
    pub(crate) upload_slots: Arc<SharedSlots<AccountId>>,
    /// The address that clients call, where it is not the one that each call names.
    pub(crate) public_url: PublicUrl,
}

/// The routes of the whole API.
pub(crate) fn router(app: Arc<App>) -> Router {
    let files = media::router(&app.media).layer(from_fn_with_state(Arc::clone(&app), observe::observe_file));
    Router::new()
        .route("/v1/models", get(models::list))
        .route("/v1/models/{model}", get(models::one).post(submit::submit))
        .route("/v1/models/{model}/estimate", post(models::estimate))
        .route("/v1/requests/{request_id}", get(requests::result))
        .route("/v1/requests/{request_id}/status", get(requests::status))
        .route("/v1/account", get(account::account))
        .route(uploads::PATH, post(uploads::upload))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(from_fn_with_state(Arc::clone(&app), observe::observe_and_admit))
        .with_state(app)
        .nest(crate::media::PATH, files)
}
