//! The duration of a WAV file.

use super::bytes::{at, u32_at};
use std::io::{Read, Seek};

/// The most chunks that are looked at.
const CHUNKS_MAX: usize = 1_024;

/// The duration in seconds of a file of `length` bytes; none where it has no format or no data. A program that writes to a pipe
/// cannot say the length of the data, and says one that is too large: the file's end counts then.
pub(super) fn seconds(file: &mut (impl Read + Seek), length: u64) -> Option<f64> {
    /// The bytes of the name and of the length of a chunk.
    const HEAD: u64 = 8;
    let mut bytes_per_second = None;
    let mut place = 12;
    for _ in 0..CHUNKS_MAX {
        let name = at(file, place)?;
        // The least significant byte comes first.
        let chunk = u64::from(u32_at(file, place + 4)?.swap_bytes());
        let content = place + HEAD;
        match &name {
            b"fmt " => {
                bytes_per_second = Some(u32_at(file, content + 8)?.swap_bytes()).filter(|bytes| *bytes > 0)
            }
            b"data" => {
                let data = chunk.min(length.checked_sub(content)?);
                return Some(data as f64 / f64::from(bytes_per_second?));
            }
            _ => {}
        }
        place = content + chunk.next_multiple_of(2);
    }
    None
}
