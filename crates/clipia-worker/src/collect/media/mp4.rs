//! Size and duration of an MP4 or QuickTime file.
//!
//! Such a file is a tree of boxes. Only the boxes of the movie and of its tracks are looked at, and of each a few numbers are
//! read: the libraries for this format read the tables of all samples, whose length a hostile file chooses.

use super::bytes::{at, u32_at, u64_at};
use super::clip::Clip;
use std::io::{Read, Seek};
use std::ops::Range;

/// The most boxes that are looked at. A movie has a dozen for each track.
const BOXES_MAX: usize = 4_096;

/// Whether a file with these first bytes may be one. Old QuickTime files begin with other boxes than `ftyp`.
pub(super) fn is_possible(first: &[u8]) -> bool {
    first.get(4..8).is_some_and(|kind| [&b"ftyp"[..], b"moov", b"mdat", b"wide"].contains(&kind))
}

/// The clip in a file of `length` bytes; none where it has no movie.
pub(super) fn read(file: &mut (impl Read + Seek), length: u64) -> Option<Clip> {
    let brand = at(file, 8)?;
    let mut clip = Clip {
        extensions: match &brand {
            b"qt  " => (&["mov", "qt"], &["m4a", "mov"]),
            _ => (&["mp4", "m4v"], &["m4a", "mp4"]),
        },
        ..Clip::default()
    };
    let mut boxes = Boxes { file, left: BOXES_MAX };
    let mut has_movie = false;
    let mut top = 0..length;
    while let Some((kind, content)) = boxes.next(&mut top) {
        if &kind == b"moov" && !std::mem::replace(&mut has_movie, true) {
            boxes.movie(content, &mut clip);
        }
    }
    has_movie.then_some(clip)
}

struct Boxes<'f, F> {
    file: &'f mut F,
    /// How many more boxes are looked at.
    left: usize,
}

impl<F: Read + Seek> Boxes<'_, F> {
    /// The kind and the content of the next box in `within`, which begins behind the box afterwards.
    fn next(&mut self, within: &mut Range<u64>) -> Option<([u8; 4], Range<u64>)> {
        /// The bytes of the length and the kind.
        const HEAD: u64 = 8;
        let start = within.start;
        self.left = self.left.checked_sub(1)?;
        if within.end.checked_sub(start)? < HEAD {
            return None;
        }
        let length = u32_at(self.file, start)?;
        let kind = at(self.file, start + 4)?;
        let (head, length) = match length {
            0 => (HEAD, within.end - start),
            1 => (2 * HEAD, u64_at(self.file, start + HEAD)?),
            length => (HEAD, u64::from(length)),
        };
        // The last box of a file that was cut off ends with the file.
        let end = start.checked_add(length)?.min(within.end);
        let content = start + head..end;
        within.start = end;
        (content.start <= content.end).then_some((kind, content))
    }

    fn movie(&mut self, mut movie: Range<u64>, clip: &mut Clip) {
        let (mut scale, mut length) = (0, None);
        while let Some((kind, content)) = self.next(&mut movie) {
            match &kind {
                b"mvhd" => {
                    let times = self.times(&content);
                    (scale, length) = times.map_or((0, None), |(scale, length)| (scale, Some(length)));
                }
                // A file in fragments says its length here.
                b"mvex" => {
                    let mut extension = content;
                    while let Some((kind, content)) = self.next(&mut extension) {
                        if &kind == b"mehd" && matches!(length, None | Some(0)) {
                            length = match self.version(&content) {
                                Some(0) => u32_at(self.file, content.start + 4).map(u64::from),
                                _ => u64_at(self.file, content.start + 4),
                            };
                        }
                    }
                }
                b"trak" => self.track(content, clip),
                _ => {}
            }
        }
        clip.duration = length.filter(|_| scale > 0).map(|length| length as f64 / f64::from(scale));
    }

    fn version(&mut self, content: &Range<u64>) -> Option<u8> {
        at::<1>(self.file, content.start).map(|[version]| version)
    }

    /// The units of a second, and the duration in them, of the movie's header. A duration of only ones is unknown.
    fn times(&mut self, content: &Range<u64>) -> Option<(u32, u64)> {
        let start = content.start;
        let (scale, length) = match self.version(content)? {
            0 => (
                u32_at(self.file, start + 12)?,
                u32_at(self.file, start + 16).filter(|length| *length != u32::MAX).map(u64::from),
            ),
            _ => (
                u32_at(self.file, start + 20)?,
                u64_at(self.file, start + 24).filter(|length| *length != u64::MAX),
            ),
        };
        Some((scale, length.unwrap_or(0)))
    }

    fn track(&mut self, mut track: Range<u64>, clip: &mut Clip) {
        let (mut size, mut handler) = (None, None);
        while let Some((kind, content)) = self.next(&mut track) {
            match &kind {
                b"tkhd" => size = self.size(&content),
                b"mdia" => {
                    let mut media = content;
                    while let Some((kind, content)) = self.next(&mut media) {
                        if &kind == b"hdlr" {
                            handler = at::<4>(self.file, content.start + 8);
                        }
                    }
                }
                _ => {}
            }
        }
        match handler.as_ref() {
            Some(b"vide") if clip.size.is_none() => clip.size = Some(size.unwrap_or_default()),
            Some(b"soun") => clip.has_sound = true,
            _ => {}
        }
    }

    /// Width and height of a track in pixels, as it is shown: a matrix may turn it by a quarter.
    fn size(&mut self, content: &Range<u64>) -> Option<(u32, u32)> {
        let matrix = content.start + if self.version(content)? == 0 { 40 } else { 52 };
        let is_turned = u32_at(self.file, matrix)? == 0 && u32_at(self.file, matrix + 4)? != 0;
        // Fixed-point numbers with 16 bits of a fraction.
        let (width, height) = (u32_at(self.file, matrix + 36)? >> 16, u32_at(self.file, matrix + 40)? >> 16);
        Some(if is_turned { (height, width) } else { (width, height) })
    }
}
