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

/// Some lines of an attempt as they are stored, one row for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogBlock<'a> {
    /// The attempt.
    pub epoch: Epoch,
    /// How many lines of the attempt came before.
    pub start: u64,
    /// When their report arrived.
    pub at: jiff::Timestamp,
    /// The lines, with [`BETWEEN_LINES`] between two.
    pub lines: &'a str,
}

/// The character between two lines of a [`LogBlock`]. No line has it.
pub const BETWEEN_LINES: char = '\n';

impl LogPage {
    /// Takes the lines of a block after the position `begin`, up to `limit` on the page. Returns whether all of them had room.
    pub fn take(&mut self, block: LogBlock<'_>, begin: LogPosition, limit: usize) -> bool {
        let LogBlock { epoch, start, at, lines } = block;
        for (number, line) in (start.saturating_add(1)..).zip(lines.split(BETWEEN_LINES)) {
            let position = LogPosition { epoch, number };
            if position <= begin {
                continue;
            }
            if self.lines.len() >= limit {
                return false;
            }
            self.lines.push(LogEntry { epoch, number, at, line: line.to_owned() });
            self.position = position;
        }
        true
    }
}
