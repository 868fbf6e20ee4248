//! The work for a queue: one loop, whatever line lies between the workers and the queue.

mod line;

pub use line::{
    AttemptId, Canceled, Claimed, End, KeepError, KeptOutput, Line, PreparationRoom, ReportRefused,
};
