//! Numbers at places of a file.

use std::io::{Read, Seek, SeekFrom};

/// The bytes at `at`; none where the file ends before.
pub(super) fn at<const N: usize>(file: &mut (impl Read + Seek), at: u64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    file.seek(SeekFrom::Start(at)).ok()?;
    file.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

/// The number of four bytes at `at`, the most significant byte first.
pub(super) fn u32_at(file: &mut (impl Read + Seek), at: u64) -> Option<u32> {
    self::at(file, at).map(u32::from_be_bytes)
}

/// The number of eight bytes at `at`, the most significant byte first.
pub(super) fn u64_at(file: &mut (impl Read + Seek), at: u64) -> Option<u64> {
    self::at(file, at).map(u64::from_be_bytes)
}
