//! The client for code that is not async: the same names, the same behaviour. Feature `blocking`.
//!
//! An async call ends in `.await`. Its blocking counterpart ends in `run()` if it is a chain, and in nothing
//! otherwise.
//!
//! ```no_run
//! use clipia::blocking::Clipia;
//! use clipia::json;
//! use std::time::Duration;
//!
//! # fn teach() -> Result<(), clipia::Error> {
//! let clipia = Clipia::from_env()?;
//! let fox = clipia.submit("nano-banana-2", json!({ "prompt": "a red fox in snow" })).max_cost(40).run()?;
//! for update in fox.updates() {
//!     println!("{:?}", update?.progress);
//! }
//! let picture = fox.wait().timeout(Duration::from_secs(600)).run()?.completed()?;
//! let paths = picture.download("out").run()?;
//! println!("{paths:?}, {} left", clipia.account()?.balance.credits);
//! # Ok(()) }
//! ```
//!
//! # Where it may be called
//! Any number of threads may call at once, and each sleeps until its call has ended. A client has one thread of its own
//! for the network and the timers. Clones and handles share this thread, which ends with the last of them.
//!
//! A call panics in async code, where a sleeping thread would stop other tasks, and in a callback of another call.
//! Use the [async client](crate::Clipia) there, or Tokio's `spawn_blocking`. A client may be made, cloned and dropped
//! anywhere.

mod call;
mod client;
mod download;
mod generation;
mod media_file;
mod outcome;
mod runtime;
mod submit;
mod submitted;
mod wait;

pub use client::Clipia;
pub use download::Download;
pub use generation::{Generation, Updates};
pub use media_file::{MediaFile, MediaReader};
pub use outcome::{Completed, Outcome};
pub use submit::{Submit, Subscribe};
pub use submitted::Submitted;
pub use wait::Wait;
