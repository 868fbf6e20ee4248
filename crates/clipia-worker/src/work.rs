//! The work for a queue: one loop, whatever line lies between the workers and the queue.

mod activity;
mod attempt;
pub(crate) mod line;
mod pause;
mod preparation;
mod shared_slots;
#[cfg(test)]
mod tests;
mod workers;

pub use activity::Activity;
pub use line::{
    AttemptId, Canceled, ClaimRecorded, Claimed, End, KeepError, KeptOutput, Line, PreparationRoom,
    ReportRefused,
};
pub use pause::{Pause, Trial};
pub use preparation::Preparation;
pub use shared_slots::{SharedSlot, SharedSlots};
pub use workers::Workers;
