//! Size and duration of a WebM or Matroska file.
//!
//! Such a file is a tree of elements. Those before the first cluster of pictures and sounds are looked at, and of each a few
//! numbers are read.

use super::bytes::at;
use super::clip::Clip;
use std::io::{Read, Seek};
use std::ops::Range;

/// The most elements that are looked at.
const ELEMENTS_MAX: usize = 4_096;

// The ids of elements, with the marker of their length.
const HEADER: u32 = 0x1a45_dfa3;
const DOCUMENT_TYPE: u32 = 0x4282;
const SEGMENT: u32 = 0x1853_8067;
const CLUSTER: u32 = 0x1f43_b675;
const INFO: u32 = 0x1549_a966;
const TIMESTAMP_SCALE: u32 = 0x2a_d7b1;
const DURATION: u32 = 0x4489;
const TRACKS: u32 = 0x1654_ae6b;
const TRACK: u32 = 0xae;
const TRACK_TYPE: u32 = 0x83;
const VIDEO: u32 = 0xe0;
const PIXEL_WIDTH: u32 = 0xb0;
const PIXEL_HEIGHT: u32 = 0xba;

/// The clip in a file of `length` bytes; none where it has no segment.
pub(super) fn read(file: &mut (impl Read + Seek), length: u64) -> Option<Clip> {
    let mut elements = Elements { file, left: ELEMENTS_MAX };
    let mut clip = Clip { extensions: (&["mkv"], &["mka"]), ..Clip::default() };
    let mut top = 0..length;
    while let Some((id, content)) = elements.next(&mut top) {
        match id {
            HEADER => {
                let mut header = content;
                while let Some((id, content)) = elements.next(&mut header) {
                    if id == DOCUMENT_TYPE && at(elements.file, content.start) == Some(*b"webm") {
                        clip.extensions = (&["webm"], &["weba", "webm"]);
                    }
                }
            }
            SEGMENT => {
                elements.segment(content, &mut clip);
                return Some(clip);
            }
            _ => {}
        }
    }
    None
}

struct Elements<'f, F> {
    file: &'f mut F,
    /// How many more elements are looked at.
    left: usize,
}

impl<F: Read + Seek> Elements<'_, F> {
    /// The id and the content of the next element in `within`, which begins behind the element afterwards. An element of unknown
    /// length ends with `within`.
    fn next(&mut self, within: &mut Range<u64>) -> Option<(u32, Range<u64>)> {
        self.left = self.left.checked_sub(1)?;
        if within.start >= within.end {
            return None;
        }
        let (id, id_bytes, _) = self.number(within.start, false)?;
        let (length, length_bytes, is_unknown) = self.number(within.start + id_bytes, true)?;
        let start = within.start + id_bytes + length_bytes;
        let end = match is_unknown {
            true => within.end,
            false => start.checked_add(length)?.min(within.end),
        };
        within.start = end;
        (start <= end).then_some((u32::try_from(id).ok()?, start..end))
    }

    /// A number whose first byte tells its length, the number of its bytes, and whether all its bits are ones, which stands for
    /// an unknown length. An id keeps the bit that marks the length.
    fn number(&mut self, place: u64, unmarked: bool) -> Option<(u64, u64, bool)> {
        let [first] = at::<1>(self.file, place)?;
        let bytes = first.leading_zeros() + 1;
        if bytes > 8 {
            return None;
        }
        let mut number = u64::from(first);
        for next in 1..u64::from(bytes) {
            number = number << 8 | u64::from(at::<1>(self.file, place + next)?[0]);
        }
        let ones = (1_u64 << (7 * bytes)) - 1;
        let value = if unmarked { number & ones } else { number };
        Some((value, u64::from(bytes), number & ones == ones))
    }

    /// The unsigned number of an element.
    fn unsigned(&mut self, content: &Range<u64>) -> Option<u64> {
        let bytes = content.end - content.start;
        if bytes > 8 {
            return None;
        }
        (content.start..content.end)
            .try_fold(0, |number, place| Some(number << 8 | u64::from(at::<1>(self.file, place)?[0])))
    }

    /// The floating-point number of an element.
    fn float(&mut self, content: &Range<u64>) -> Option<f64> {
        match content.end - content.start {
            4 => at(self.file, content.start).map(|bytes| f64::from(f32::from_be_bytes(bytes))),
            8 => at(self.file, content.start).map(f64::from_be_bytes),
            _ => None,
        }
    }

    fn segment(&mut self, mut segment: Range<u64>, clip: &mut Clip) {
        while let Some((id, content)) = self.next(&mut segment) {
            match id {
                INFO => clip.duration = self.duration(content),
                TRACKS => {
                    let mut tracks = content;
                    while let Some((id, content)) = self.next(&mut tracks) {
                        if id == TRACK {
                            self.track(content, clip);
                        }
                    }
                }
                CLUSTER => return,
                _ => {}
            }
        }
    }

    /// The duration in seconds. Its unit is in nanoseconds, a million where the file does not say it.
    fn duration(&mut self, mut info: Range<u64>) -> Option<f64> {
        let (mut unit, mut duration) = (1_000_000, None);
        while let Some((id, content)) = self.next(&mut info) {
            match id {
                TIMESTAMP_SCALE => unit = self.unsigned(&content)?,
                DURATION => duration = self.float(&content),
                _ => {}
            }
        }
        duration.map(|duration| duration * unit as f64 / 1e9)
    }

    fn track(&mut self, mut track: Range<u64>, clip: &mut Clip) {
        let (mut kind, mut size) = (None, (0, 0));
        while let Some((id, content)) = self.next(&mut track) {
            match id {
                TRACK_TYPE => kind = self.unsigned(&content),
                VIDEO => {
                    let mut video = content;
                    while let Some((id, content)) = self.next(&mut video) {
                        let mut pixels = || {
                            self.unsigned(&content).and_then(|pixels| u32::try_from(pixels).ok()).unwrap_or(0)
                        };
                        match id {
                            PIXEL_WIDTH => size.0 = pixels(),
                            PIXEL_HEIGHT => size.1 = pixels(),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        match kind {
            Some(1) if clip.size.is_none() => clip.size = Some(size),
            Some(2) => clip.has_sound = true,
            _ => {}
        }
    }
}
