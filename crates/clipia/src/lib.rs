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
//! // Wait. An error here still names the id, and FAILED and CANCELED become errors only if you ask.
//! let picture = fox.wait().timeout(Duration::from_secs(600)).await?.completed()?;
//! let paths = picture.download("out").await?;
//!
//! // Follow. Any id, any process, any day.
//! let mut updates = clipia.generation(fox.id()).updates();
//! while let Some(update) = updates.next().await {
//!     println!("{:?}", update?.progress);
//! }
//!
//! // Submit and wait in one.
//! match clipia.subscribe("seedance-2-fast-t2v", json!({ "prompt": "waves at dusk" })).await? {
//!     Outcome::Completed(clip) => println!("{:?}", clip.output().video),
//!     Outcome::Failed(why) => println!("{}, credits returned", why.message()),
//!     ended => println!("{}", ended.response().status),
//! }
//! # Ok(()) }
//! ```
//!
//! - **A fleet** is a `join_all` over one client: clones share the one request budget that a key has, learned
//!   from the server's answers, and all waits are entries in one schedule that spends it. What fails for the
//!   moment never ends a wait, and a submit is charged once however often it is repeated.
//! - **Webhooks** that reach the program end its waits, through [`Webhooks`]: a generation then costs one
//!   request.
//! - **Before paying**, [`check`](Clipia::check) an input, [`estimate`](Clipia::estimate) its price, or bound
//!   it ([`Submit::max_cost`]).
//! - **After a restart**, go on from an id ([`Clipia::generation`]) or from what was
//!   [saved](Generation::saved).
//!
//! [`Clipia`] is the way in, [`Generation`] the handle, [`Outcome`] how it ended, [`Error`] every cause by
//! name. Everything runs on Tokio. A program for each of these is in the directory `examples`. What must
//! never be here: a rule of the queue (prices, limits, lifecycle), which the server decides, and a path or
//! field of the wire, which `clipia-api` generates from the specification.
//!
//! # Features
//! Off unless asked for: `axum`, a route and an extractor for webhooks; `blocking`, the module of that name
//! with the same client for code that is not async.
//!
//! # Tracing
//! By the crate `tracing`, with targets below `clipia`. Neither API keys nor inputs are in it.
//!
//! - Span `clipia` (INFO), one around all tries of a call, around a wait and around a download: `operation`
//!   (`submit`, `status`, `wait`, `download`, …), `model`, `request_id`, which a submit learns.
//! - Event `in line for the budget` (DEBUG), of a call that has to wait for its turn: `class` (`Call`, `Submit`).
//!   One that is in line for more than 5 s is told as `still in line for the budget` (INFO), once for all that are:
//!   `class`, `calls` (how many are), `waited_ms`, `waits_for`.
//! - Event `tried` (DEBUG), after each try, those of waits included: `operation`, `request_id`, `http_status`
//!   (none without an answer), `code` (the error's), `duration_ms`.
//! - Event `trying again` (INFO), before a pause: `error`, `tries`, `elapsed_ms`, `pause_ms`, and `waits_for` in words
//!   (`the rate limit`, `the concurrency limit`, `the first submit of this idempotency key`, `the server to recover`,
//!   `a connection`, …). The same of a wait is `asking again` (DEBUG; INFO where the pause is longer than 5 s):
//!   `request_id`, `error`, `pause_ms`, `waits_for`. Of a file that came further than before it is `going on`
//!   (DEBUG): `request_id`, `error`.
//! - Event `submitted` (DEBUG): `request_id`, `cost`; one accepted at more than `max_cost` is a warning.
//!   A submit whose future is dropped between its first try and the answer that settles it: `submit cut short: …`
//!   (WARN): `model`, `idempotency_key`.
//! - Event `wait cut short: …` (INFO; WARN of a `subscribe`, whose caller has not learned the id), of a wait whose
//!   future is dropped before its end: `request_id`.
//! - Event `downloaded` (DEBUG), of each file: `request_id`, `bytes`, `path`. Event `more files than are saved`
//!   (WARN): `request_id`, `saved`.
//! - Event `webhook received` (DEBUG): `request_id`, `delivery_id`, `status`, `duplicate`, `resolved`; with
//!   the feature `axum`, `webhook refused` (WARN) with the reason.

mod base_url;
mod budget;
mod builder;
mod catalogue;
mod certificates;
mod client;
mod download;
mod environment;
mod error;
mod generation;
mod input;
mod key;
mod outcome;
mod printable;
mod proxies;
mod recent;
mod request;
mod retry;
mod saved;
mod spending;
mod submit;
mod wait;
mod webhooks;

#[cfg(feature = "blocking")]
pub mod blocking;

/// Verifies the deliveries that a server posts to a webhook; [`Webhooks`] does it and ends waits with them.
pub mod webhook {
    pub use clipia_webhook::*;
}

pub use builder::Builder;
pub use client::Clipia;
pub use download::{Download, DownloadProgress};
pub use error::{ApiError, Error};
pub use generation::{Generation, Updates, Wait};
pub use input::InputFault;
pub use outcome::{Canceled, Completed, Failed, Outcome, why_failed};
pub use printable::printable;
pub use saved::SavedGeneration;
pub use submit::{Submit, Submitted, Subscribe};
pub use wait::Update;
pub use webhooks::{Received, Webhooks};

pub use clipia_api::types::{
    Account, Audio, Balance, ErrorBody, ErrorEnvelope, EstimateResponse, GenerationError, Image,
    InputParameter, InputSchema, InputWarning, Model, Output, Pricing, RequestId, ResultResponse,
    StatusResponse, SubmitResponse, TextLimits, Usage, Video,
};
pub use clipia_api::{Credits, ModelType, Progress, Status};
pub use jiff::Timestamp;
pub use serde_json::json;

/// Compiles what the README shows.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
