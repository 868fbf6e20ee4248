//! The cost of decoding a JPEG file, computed from its markers.
//!
//! The decoder gets a copy with only the segments that it needs for the picture. So profiles, thumbnails and data after the
//! picture cost nothing, and all scans that the decoder can find were counted.

const SOI: [u8; 2] = [0xff, 0xd8];
const EOI: [u8; 2] = [0xff, 0xd9];
const SOS: u8 = 0xda;

/// The most visits of blocks by scans, where a block has 8x8 coefficients. That is a picture of 40 megapixels with 30 scans of all
/// components, which takes seconds. Encoders make about 10 scans.
const VISITS_MAX: u64 = 56_000_000;
/// The most bytes that the decoder keeps for a few rows.
const ROWS_MAX: u64 = 16 * 1024 * 1024;

/// A JPEG file with only the segments that its picture needs.
pub(super) struct Jpeg {
    pub(super) file: Vec<u8>,
    /// The number of coefficients of all components, with the padding of the last blocks.
    coefficients: u64,
    /// Whether the decoder keeps all coefficients until it has read the last scan.
    keeps_all: bool,
    scans: u64,
}

impl Jpeg {
    /// Reads the markers.
    ///
    /// # Errors
    /// Says what is wrong with the file.
    pub(super) fn read(file: &[u8]) -> Result<Self, String> {
        let damaged = || "cannot be decoded: a JPEG without a picture".to_owned();
        let mut rest = file.strip_prefix(&SOI).ok_or_else(damaged)?;
        let mut jpeg = Self {
            file: Vec::with_capacity(file.len() + EOI.len()),
            coefficients: 0,
            keeps_all: false,
            scans: 0,
        };
        jpeg.file.extend(SOI);
        let mut components = 0;
        while let Some((marker, content, behind)) = segment(rest) {
            rest = behind;
            match marker {
                0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                    if components > 0 {
                        return Err("cannot be decoded: a JPEG with two frames".to_owned());
                    }
                    (components, jpeg.coefficients) = frame(content).ok_or_else(damaged)?;
                    // Anything but a baseline frame is progressive.
                    jpeg.keeps_all |= marker > 0xc1;
                }
                // Tables, restart intervals, scans, and the segments about colours.
                0xc4 | 0xdb | 0xdd | SOS | 0xe0 | 0xee => {}
                _ => continue,
            }
            jpeg.file.extend([0xff, marker]);
            jpeg.file.extend(u16::try_from(content.len() + 2).unwrap_or(u16::MAX).to_be_bytes());
            jpeg.file.extend(content);
            if marker == SOS {
                jpeg.keeps_all |= content.first().is_some_and(|count| *count < components);
                let end = next_marker(rest).unwrap_or(rest.len());
                jpeg.file.extend(&rest[..end]);
                rest = &rest[end..];
            }
        }
        if components == 0 {
            return Err(damaged());
        }
        jpeg.file.extend(EOI);
        // The decoder finds a scan anywhere in the file, so all marker bytes count.
        jpeg.scans = jpeg.file.windows(2).filter(|pair| *pair == [0xff, SOS]).count() as u64;
        Ok(jpeg)
    }

    /// The bytes that decoding needs in addition to the file and the pixels: this copy, the decoder's copy, and the coefficients.
    pub(super) fn memory(&self) -> u64 {
        let kept = if self.keeps_all { 2 * self.coefficients } else { 0 };
        2 * self.file.capacity() as u64 + kept + ROWS_MAX
    }

    /// Whether decoding ends in seconds.
    ///
    /// # Errors
    /// Says that there are too many scans.
    pub(super) fn check_work(&self) -> Result<(), String> {
        let visits = self.coefficients / 64 * self.scans;
        if visits > VISITS_MAX {
            return Err(format!(
                "has too many scans, {}, for its size: send it as a baseline JPEG",
                self.scans
            ));
        }
        Ok(())
    }
}

/// The next segment with content: its marker, its content, and the bytes after it.
fn segment(mut rest: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    loop {
        rest = &rest[next_marker(rest)?..];
        let (marker, behind) = (rest[1], &rest[2..]);
        match marker {
            0xd9 => return None,
            // These two markers have no content: the start of an inner picture, and a marker without meaning.
            0x01 | 0xd8 => rest = behind,
            _ => {
                let length = usize::from(u16::from_be_bytes(*behind.first_chunk()?));
                return Some((marker, behind.get(2..length)?, &behind[length..]));
            }
        }
    }
}

/// The position of the next marker that is no restart marker and no escaped data byte.
fn next_marker(bytes: &[u8]) -> Option<usize> {
    bytes.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xff | 0xd0..=0xd7))
}

/// The number of a frame's components, and the number of their coefficients.
fn frame(content: &[u8]) -> Option<(u8, u64)> {
    let [_, h0, h1, w0, w1, count, components @ ..] = content else {
        return None;
    };
    let (height, width) =
        (u64::from(u16::from_be_bytes([*h0, *h1])), u64::from(u16::from_be_bytes([*w0, *w1])));
    let samplings = components
        .chunks_exact(3)
        .map(|component| (u64::from(component[1] >> 4).max(1), u64::from(component[1] & 15).max(1)));
    let most =
        samplings.clone().fold((1, 1), |most, sampling| (most.0.max(sampling.0), most.1.max(sampling.1)));
    let units = width.div_ceil(8 * most.0) * height.div_ceil(8 * most.1);
    let coefficients = samplings.map(|(across, down)| units * 64 * across * down).sum();
    (*count > 0).then_some((*count, coefficients))
}
