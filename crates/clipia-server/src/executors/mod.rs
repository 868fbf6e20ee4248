//! Executors make the outputs of requests.
//!
//! An [`Executor`] gets a [`Job`] and returns a [`JobOutput`]. It knows nothing of leases, credits or deliveries: its worker
//! takes care of them.

#[cfg(feature = "render")]
mod drawn_samples;
mod fetching;
mod input_hosts;
mod inputs;
#[cfg(feature = "render")]
mod needs;
#[cfg(feature = "render")]
mod rendering;
pub mod sandbox;
#[cfg(feature = "render")]
mod source;

#[cfg(feature = "render")]
pub(crate) use drawn_samples::DrawnSamples;
#[cfg(feature = "render")]
pub(crate) use rendering::Render;

pub(crate) use inputs::ServerInputs;

pub use clipia_worker::{
    Content, Executor, Inputs, Job, JobControl, JobError, JobOutput, MediaFile, ProgramSettings, Source,
};
