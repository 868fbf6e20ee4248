//! Executors make the outputs of requests.
//!
//! An [`Executor`] gets a [`Job`] and returns a [`JobOutput`]. It knows nothing of leases, credits or deliveries: its worker
//! takes care of them.

#[cfg(feature = "render")]
mod drawn_samples;
#[cfg(feature = "render")]
mod needs;
#[cfg(feature = "render")]
mod rendering;
pub mod sandbox;
#[cfg(feature = "render")]
mod source;
#[cfg(feature = "render")]
mod source_hosts;

#[cfg(feature = "render")]
pub(crate) use drawn_samples::DrawnSamples;
#[cfg(feature = "render")]
pub(crate) use rendering::Render;

pub use clipia_worker::{Content, Executor, Job, JobControl, JobError, JobOutput, MediaFile, Source};
