//! How long the pieces of a file are: as long as the connection takes well. Pure.
//!
//! Proxies cut calls after a time, or bodies after a length. A short piece passes all of them; a long one costs fewer calls.

use std::time::Duration;

/// The shortest piece, in bytes.
const SHORTEST: u64 = 64 * 1024;

/// The longest piece, in bytes.
const LONGEST: u64 = 8 * 1024 * 1024;

/// The first piece, in bytes.
const FIRST: u64 = 1024 * 1024;

/// A piece that takes longer than this is too long.
const SLOW: Duration = Duration::from_secs(5);

/// The next piece may be longer after one that took less than this: one twice as long is still not slow.
const QUICK: Duration = Duration::from_secs(2);

/// The length of the next piece, for all files of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PieceLength(u64);

impl Default for PieceLength {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl PieceLength {
    /// The most bytes of the next piece.
    pub(super) fn bytes(self) -> u64 {
        self.0
    }

    /// The length after a piece of `bytes` has arrived in `time`.
    pub(super) fn arrived(self, bytes: u64, time: Duration) -> Self {
        match time {
            time if time > SLOW => self.failed(bytes),
            // A short piece tells nothing of a longer one.
            time if time < QUICK && bytes >= self.0 => Self((self.0 * 2).min(LONGEST)),
            _ => self,
        }
    }

    /// The length after a piece of `bytes` has not arrived. Two files may fail with the same piece length: it is halved once.
    pub(super) fn failed(self, bytes: u64) -> Self {
        Self(self.0.min((bytes / 2).max(SHORTEST)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_halved_after_a_failure_and_doubled_after_a_quick_success() {
        let quick = Duration::from_millis(100);
        let mut length = PieceLength::default();
        let mut doubled = Vec::new();
        for _ in 0..4 {
            length = length.arrived(length.bytes(), quick);
            doubled.push(length.bytes() >> 20);
        }
        assert_eq!(doubled, [2, 4, 8, 8]);
        assert_eq!(length.arrived(8 << 20, Duration::from_secs(3)), length, "neither quick nor slow");
        assert_eq!(length.arrived(8 << 20, Duration::from_secs(6)).bytes(), 4 << 20, "too slow");
        assert_eq!(length.arrived(1_000, quick), length, "the last piece of a file is short");
        for _ in 0..20 {
            length = length.failed(length.bytes());
        }
        assert_eq!(length.bytes(), SHORTEST);
        assert_eq!(PieceLength::default().failed(200 * 1024).bytes(), 100 * 1024);
    }
}
