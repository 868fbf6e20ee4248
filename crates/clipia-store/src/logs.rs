//! What attempts logged, as an operator reads it.

use clipia_queue::lifecycle::{Epoch, Phase};
use clipia_queue::logs::LogPosition;

/// Lines that the attempts at a request logged, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPage {
    /// The phase of the request when the lines were read. No line comes after its end.
    pub phase: Phase,
    /// The lines.
    pub lines: Vec<LogEntry>,
    /// The position of the last line; where there is none, the position that the page was to begin after.
    pub position: LogPosition,
    /// Whether there are lines after these now.
    pub more: bool,
}

/// A line that an attempt logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// The attempt.
    pub epoch: Epoch,
    /// The number of the line in its attempt, from 1. Numbers that are left out are those of lines that were dropped.
    pub number: u64,
    /// When its report arrived.
    pub at: jiff::Timestamp,
    /// The line.
    pub line: String,
}
