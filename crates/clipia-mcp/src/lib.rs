//! The tools of Clipia for agents, by the Model Context Protocol (MCP).
//!
//! [`serve_stdio`] serves the tools over stdin and stdout, for an agent on the same machine. [`router`] serves them over HTTP at
//! [`PATH`], for the keys of a queue's own API. Both speak every revision of the protocol from 2024-11-05 to 2026-07-28.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use clipia::Clipia;
//! use clipia_mcp::{Settings, serve_stdio};
//! use tokio_util::sync::CancellationToken;
//!
//! let key = std::env::var("CLIPIA_KEY")?;
//! let clipia = Clipia::builder().key(&key).build()?;
//! serve_stdio(clipia, &key, Settings::default(), CancellationToken::new()).await?;
//! # Ok(()) }
//! ```
//!
//! - **A tool call** reads its arguments (`parameters`), builds the input of a model from them (`input`), asks what it costs and
//!   whether that is wanted (`confirmation`), submits it (`generate`), waits (`waiting`), and says what came of it (`result`).
//! - **Nothing is kept** between two calls. A task has the id of its request, and a confirmation is sealed into the state that the
//!   client sends back. So a server that was started anew goes on with what the one before it began.
//! - **A tool never fails the protocol.** A refusal of the API, and a panic, are results with `isError`.
//!
//! What must never be here: a rule of the queue, which the server decides; and anything that writes to stdout beside the frames of the
//! protocol.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod balance;
mod call;
mod callers;
mod catalogue;
mod confirmation;
mod failpoints;
mod files;
mod generate;
mod handler;
mod http;
mod input;
mod input_schema;
mod parameters;
mod preview;
mod progress;
mod refusal;
mod result;
mod settings;
mod stdio;
mod tasks;
mod tools;
mod waiting;

pub use http::{PATH, router};
pub use settings::{Kind, KindInvalid, Settings};
pub use stdio::{ServeError, serve_stdio};

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
