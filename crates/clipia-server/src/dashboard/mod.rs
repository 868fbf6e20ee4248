//! The dashboard: pages for whoever operates a server, on the administration's listener.
//!
//! One file a page. A page is a function from the store's listings to HTML, and does what the administration does by the
//! administration's own calls. Nothing is loaded from another host, and every action is a form, so that a page works without
//! scripts. A script keeps a page live: `live` renders it again when the store has changed, once for everybody who looks at it.
//!
//! `gate` lets nobody in without a session. A session begins with a ticket, which the administration makes for
//! `clipia dashboard`.

mod accounts;
mod assets;
mod call;
mod chart;
mod deliveries;
mod doctor;
pub(crate) mod gate;
mod input_form;
mod input_price;
mod layout;
mod live;
mod models;
mod notice;
mod now;
mod output;
mod page_error;
mod playground;
mod request;
mod requests;
pub mod section;
mod timeline;
mod times;
mod visit;
mod words;

pub(crate) use gate::Gate;

use crate::admin::Admin;
use crate::deliveries::DeliveryStatistics;
use crate::http::App;
use crate::models_file::ExecutorSettings;
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::Redirect;
use axum::routing::{get, post};
use live::Feeds;
use page_error::PageError;
use section::Section;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The path of the dashboard, below the prefix of a proxy.
pub(crate) const PATH: &str = "/dashboard";

/// How the dashboard is shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// Whether nothing can be changed.
    pub(crate) read_only: bool,
    /// The path before [`PATH`] at which a proxy shows the dashboard, such as `/queue`.
    pub(crate) prefix: String,
}

/// What the pages are made of.
pub(crate) struct Parts {
    pub(crate) admin: Admin,
    pub(crate) app: Arc<App>,
    pub(crate) deliveries: Arc<DeliveryStatistics>,
    /// The executors as `models.toml` has them.
    pub(crate) executors: BTreeMap<String, ExecutorSettings>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) settings: Settings,
    /// Pages that a program adds.
    pub(crate) sections: Vec<Arc<dyn Section>>,
    /// Where clients call.
    pub(crate) api_url: String,
    /// Ends what is live.
    pub(crate) stop: CancellationToken,
}

/// What every page can reach.
#[derive(Clone)]
pub(crate) struct Dashboard(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) parts: Parts,
    /// The address of the pages, such as `/queue/dashboard`.
    base: String,
    feeds: Feeds,
}

impl std::ops::Deref for Dashboard {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// The routes of the dashboard.
pub(crate) fn router(parts: Parts) -> Router {
    let base = format!("{}{PATH}", parts.settings.prefix);
    let dashboard = Dashboard(Arc::new(Inner { parts, base, feeds: Feeds::default() }));
    let pages = pages(&dashboard);
    let guarded = Router::new()
        .route("/live", get(live::live))
        .route("/out", post(gate::sign_out))
        .merge(pages.clone())
        .nest("/media", crate::http::media_router(&dashboard.parts.app.media))
        .fallback(async || PageError::not_found("page"))
        .layer(from_fn_with_state(dashboard.clone(), gate::guard))
        .layer(axum::Extension(live::Pages(pages.with_state(dashboard.clone()))))
        .with_state(dashboard.clone());
    let open = Router::new()
        .route("/in", get(gate::sign_in))
        .route("/assets/{name}", get(assets::asset))
        .with_state(dashboard.clone());
    let all = open.merge(guarded).layer(from_fn_with_state(dashboard.clone(), layout::finish));
    let home = dashboard.base.clone() + "/";
    let to_home = move || async move { Redirect::to(&home) };
    let prefix = dashboard.parts.settings.prefix.clone();
    // A proxy may take the prefix off a path, or leave it.
    let beside = match prefix.is_empty() {
        true => Router::new(),
        false => {
            Router::new().nest_service(&dashboard.base, all.clone()).route(&prefix, get(to_home.clone()))
        }
    };
    // A service has `/dashboard/` too, which a nested router has not.
    Router::new().route("/", get(to_home)).nest_service(PATH, all).merge(beside)
}

/// The pages and their actions.
fn pages(dashboard: &Dashboard) -> Router<Dashboard> {
    let pages = Router::new()
        .route("/", get(now::show))
        .route("/queues/{queue}/{action}", post(models::queue))
        .route("/requests", get(requests::show))
        .route("/requests/{id}", get(request::show))
        .route("/requests/{id}/cancel", post(request::cancel))
        .route("/requests/{id}/again", post(playground::again))
        .route("/deliveries", get(deliveries::show))
        .route("/deliveries/failed", post(deliveries::replay_failed))
        .route("/deliveries/held", post(deliveries::settle_held))
        .route("/deliveries/{id}/replay", post(deliveries::replay))
        .route("/playground", get(playground::show).post(playground::submit))
        .route("/playground/price", post(input_price::show))
        .route("/models", get(models::show))
        .route("/workers/{name}/{action}", post(models::worker))
        .route("/accounts", get(accounts::show).post(accounts::create))
        .route("/accounts/{id}/grant", post(accounts::grant))
        .route("/keys", post(accounts::create_key))
        .route("/keys/{id}/revoke", post(accounts::revoke_key))
        .route("/doctor", get(doctor::show).post(doctor::examine))
        .route("/doctor/backup", post(doctor::back_up));
    dashboard.parts.sections.iter().fold(pages, |pages, section| {
        let path = format!("/{}", section.path());
        let (shown, done) = (Arc::clone(section), Arc::clone(section));
        let show = get(move |visit| section::show(visit, Arc::clone(&shown)));
        pages.route(&path, show.post(move |visit, form| section::act(visit, form, Arc::clone(&done))))
    })
}
