//! The API over HTTP: one file a resource.

mod account;
mod admission;
mod answer;
mod base_url;
mod body;
mod budgets;
mod caller;
mod conditions;
mod errors;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod fuzz_calls;
mod json;
mod media;
mod models;
mod observe;
mod requests;
mod submit;

pub(crate) use answer::Segment;
pub(crate) use errors::{ApiError, no_such_method, no_such_path};

use crate::executors::sandbox::{Sampler, Samples};
use crate::media::MediaStore;
use crate::metrics::Metrics;
use crate::outbound::Target;
use crate::refusals::RefusalCount;
use crate::store::Store;
use admission::Admission;
use axum::Router;
use axum::routing::{get, post};
use budgets::Budgets;
use clipia_queue::catalogue::Catalogue;
use clipia_queue::limits::RateLimit;
use std::sync::Arc;

/// What every call needs.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The parts of an [`App`].
pub struct Parts {
    /// Where requests are.
    pub store: Arc<dyn Store>,
    /// What can be generated.
    pub catalogue: Arc<Catalogue>,
    /// Where files are.
    pub media: MediaStore,
    /// What sandbox keys get.
    pub samples: Samples,
    /// Where webhooks may lead.
    pub webhooks: Target,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    refusals: Arc<RefusalCount>,
    budgets: Budgets,
    admission: Admission,
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What an [`App`] is made of, and how many requests a minute a key may make.
pub struct Setup {
    /// Where requests are.
    pub store: Arc<dyn Store>,
    /// What can be generated.
    pub catalogue: Arc<Catalogue>,
    /// Where files are.
    pub media: MediaStore,
    /// What makes the samples of the sandbox, if anything does.
    pub sampler: Option<Arc<dyn Sampler>>,
    /// Where webhooks may lead.
    pub webhooks: Target,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Counts the keys that are refused.
    pub(crate) refusals: Arc<RefusalCount>,
    /// Requests a minute of a key.
    pub limit: RateLimit,
}

/// The whole API.
pub fn router(setup: Setup) -> Router {
    let Setup { store, catalogue, media, sampler, webhooks, metrics, refusals, limit } = setup;
    let app = App(Arc::new(Parts {
        store,
        catalogue,
        samples: Samples::new(media.clone(), sampler),
        media,
        webhooks,
        metrics,
        refusals,
        budgets: Budgets::new(limit),
        admission: Admission::default(),
    }));
    let observed = axum::middleware::from_fn_with_state(app.clone(), observe::observe_file);
    let files = media::router(&app.media).layer(observed);
    Router::new()
        .route("/v1/models", get(models::list))
        .route("/v1/models/{model}", get(models::one).post(submit::submit))
        .route("/v1/models/{model}/estimate", post(models::estimate))
        .route("/v1/requests/{request_id}", get(requests::result))
        .route("/v1/requests/{request_id}/status", get(requests::status))
        .route("/v1/account", get(account::account))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(axum::middleware::from_fn_with_state(app.clone(), observe::observe_and_admit))
        .with_state(app)
        .nest(crate::media::PATH, files)
}
