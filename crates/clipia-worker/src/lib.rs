//! The contract between a queue and what makes its outputs, and the workers between the two.
//!
//! An [`Executor`] gets a [`Job`] and returns a [`JobOutput`]. It knows nothing of leases, credits or deliveries: its worker
//! takes care of them. The [`work`] of all workers is one loop. It reaches its queue over a [`Line`](work::Line).
//!
//! What must never be here: a store, a price, and the HTTP server.

pub mod collect;
mod control;
mod data_url;
mod executor;
mod inputs;
mod job;
mod output;
mod program;
pub mod regular;
#[cfg(feature = "remote")]
pub mod remote;
mod settings;
pub mod size;
pub mod work;

pub use clipia_queue::logs::{LINE_BYTES_MAX as LOG_LINE_BYTES_MAX, LINES_MAX as LOG_LINES_KEPT, LogLines};
pub use control::JobControl;
pub use data_url::DataUrl;
pub use executor::{Executor, JobError};
pub use inputs::Inputs;
pub use job::{Job, Source};
pub use output::{Content, JobOutput, MediaFile, content_type};
pub use program::{JobDirectory, Program, placeholders};
pub use settings::ProgramSettings;
