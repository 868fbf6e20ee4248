//! The SDK for the Clipia queue API: images, video and audio, submitted, waited for, and never lost.
//!
//! ```no_run
//! use clipia::{Clipia, Outcome, json};
//! use std::time::Duration;
//!
//! # async fn teach() -> Result<(), Box<dyn std::error::Error>> {
//! let clipia = Clipia::from_env()?; // CLIPIA_KEY, and CLIPIA_BASE_URL for a server of your own
//!
//! // Submit. What is optional chains; `.await` sends.
//! let fox = clipia.submit("nano-banana-2", json!({ "prompt": "a red fox in snow" })).max_cost(40).await?;
//! println!("{} costs {} credits", fox.id(), fox.cost().unwrap_or_default());
//!
//! // Wait. An error still names the id. FAILED and CANCELED become errors only through `completed`.
//! let picture = fox.wait().timeout(Duration::from_secs(600)).await?.completed()?;
//! let paths = picture.download("out").await?;
//!
//! // Follow. Any process can do it from the id alone.
//! let mut updates = clipia.generation(fox.id()).updates();
//! while let Some(update) = updates.next().await {
//!     println!("{:?}", update?.progress);
//! }
//!
//! // Submit and wait in one.
//! match clipia.subscribe("seedance-2-fast-t2v", json!({ "prompt": "waves at dusk" })).await? {
//!     Outcome::Completed(clip) => println!("{:?}", clip.output().video),
//!     Outcome::Failed(failed) => println!("{}, credits returned", failed.message()),
//!     other => println!("{}", other.response().status),
//! }
//! # Ok(()) }
//! ```
//!
//! - **A fleet** is a `join_all` over one client. Clones share the request budget of the key, which the client learns
//!   from the server's responses. One scheduler spends this budget for all waits. A transient error
//!   never ends a wait, and a submit is charged once however often it is repeated.
//! - **Webhooks** that reach the program end its waits, through [`Webhooks`]: a generation then costs one
//!   request.
//! - **Before paying**, [`check`](Clipia::check) an input, [`estimate`](Clipia::estimate) its price, or bound
//!   the price ([`Submit::max_cost`]).
//! - **Files of your own** go into an input by [`upload`](Clipia::upload), or as a `data:` URL.
//! - **After a restart**, go on from an id ([`Clipia::generation`]) or from a
//!   [saved](Generation::saved) handle, or from the list of what is [pending](Clipia::pending), which a file may keep.
//!
//! Entry points: [`Clipia`] is the client, [`Generation`] the handle, [`Outcome`] the end of a generation, [`Error`]
//! every cause by name. Everything runs on Tokio. The directory `examples` has a program for each of these. What must
//! never be here: a rule of the queue (prices, limits, lifecycle), which the server decides; and a path or
//! field of the wire, which `clipia-api` generates from the specification.
//!
//! # Features
//! Both are off by default: `axum`, a route and an extractor for webhooks; `blocking`, a module with the same client
//! for code that is not async.
//!
//! # Tracing
//! Events and spans of the crate `tracing`, with targets below `clipia`. They contain neither API keys nor inputs.
//!
//! - Span `clipia` (INFO), one around all attempts of a call, around a wait and around a download: `operation`
//!   (`submit`, `status`, `wait`, `download`, …), `model`, `request_id` (of a submit: once it is known).
//! - Event `in queue for the request budget` (DEBUG), when a call has to wait: `class` (`call`, `submit`). After 5 s of
//!   it `still in queue for the request budget` (INFO), once for all calls that wait: `class`, `calls` (their number),
//!   `waited_ms`, `waits_for`.
//! - Event `tried` (DEBUG), after each attempt, polls of waits included: `operation`, `request_id`, `http_status`
//!   (none without a response), `code` (of the error), `duration_ms`.
//! - Event `trying again` (INFO), before a pause: `error`, `tries`, `elapsed_ms`, `pause_ms`, and `waits_for` in words
//!   (`the rate limit`, `the concurrency limit`, `the first submit of this idempotency key`, `the server to recover`,
//!   `a connection`, …). For a wait the event is `asking again` (DEBUG; INFO if the pause is longer than 5 s):
//!   `request_id`, `error`, `pause_ms`, `waits_for`. For a file of which more has arrived it is `going on`
//!   (DEBUG): `request_id`, `error`.
//! - Event `submitted` (DEBUG): `request_id`, `cost`. A submit accepted at more than `max_cost` is a warning.
//!   Event `submit cut short: …` (WARN), when the future of a submit is dropped between its first attempt and the
//!   response that settles it: `model`, `idempotency_key`.
//! - Event `wait cut short: …` (INFO), when the future of a wait is dropped before its end: `request_id`. It is a
//!   warning for a `subscribe`, whose caller does not know the id.
//! - Event `uploaded` (DEBUG): `bytes`.
//! - Event `downloaded` (DEBUG), for each file: `request_id`, `bytes`, `path`. Event `more files than are saved`
//!   (WARN): `request_id`, `saved`.
//! - Event `webhook received` (DEBUG): `request_id`, `delivery_id`, `status`, `duplicate`, `resolved`. With
//!   the feature `axum`, `webhook refused` (WARN) with the reason.

mod account;
mod backoff;
mod base_url;
mod budget;
mod builder;
mod call;
mod call_options;
mod catalogue;
mod catalogue_cache;
mod certificates;
mod client;
mod connection;
mod delivered_ids;
mod download;
mod environment;
mod error;
mod failed;
mod generation;
mod headers;
mod http;
mod json_object;
mod key;
mod limits;
mod media_type;
mod outcome;
mod path_segment;
mod pending;
mod printable;
mod proxies;
mod recent;
mod redirect;
mod request;
mod retry;
mod retry_after;
mod retrying;
mod saved;
mod settings;
mod shared_budget;
mod submit;
mod submit_gate;
mod update;
mod upload;
mod wait;
mod webhooks;

#[cfg(feature = "blocking")]
pub mod blocking;

/// Verification of deliveries. [`Webhooks`] verifies them, and ends waits with them.
pub mod webhook {
    pub use clipia_webhook::*;
}

pub use builder::Builder;
pub use call_options::CallOptions;
pub use client::Clipia;
pub use download::{Download, DownloadProgress, MediaFile, MediaStream};
pub use error::{ApiError, Error, FoundBy, InputError};
pub use failed::{Canceled, Failed, why_failed};
pub use generation::{Generation, Updates, Wait};
pub use media_type::media_type;
pub use outcome::{Completed, Outcome};
pub use pending::Pending;
pub use printable::printable;
pub use saved::SavedGeneration;
pub use submit::{Submit, Submitted, Subscribe};
pub use update::Update;
pub use webhooks::{Received, Webhooks};

pub use clipia_api::error_code::ErrorCode;
pub use clipia_api::input::InputFault;
pub use clipia_api::types::{
    Account, Audio, Balance, ErrorBody, ErrorEnvelope, EstimateResponse, GenerationError, Image,
    InputParameter, InputSchema, InputWarning, Model, Output, OutputFile, Pricing, RequestId, ResultResponse,
    StatusResponse, SubmitResponse, TextLimits, Upload, Usage, Video,
};
pub use clipia_api::{Credits, ModelType, Progress, Status};
pub use jiff::Timestamp;
pub use serde_json::json;

/// Fleets in simulated time, for the benchmarks of this workspace. Not a part of the API.
#[cfg(any(test, feature = "simulation"))]
#[doc(hidden)]
pub mod simulation {
    pub use crate::wait::simulation::{Measured, measure};
}

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
