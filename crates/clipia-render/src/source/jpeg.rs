//! What a JPEG file costs to decode, told by its markers.
//!
//! Only the segments that draw are given to the decoder. Profiles, thumbnails and what lies behind the picture cost
//! nothing then, and each scan that the decoder can find has been counted.

const SOI: [u8; 2] = [0xff, 0xd8];
const EOI: [u8; 2] = [0xff, 0xd9];
const SOS: u8 = 0xda;

/// Most visits of a block of 8x8 coefficients by a scan: a picture of 40 megapixels in 30 scans of all its components;
/// encoders make about 10. It takes seconds.
const VISITS_MAX: u64 = 56_000_000;
/// What the decoder may keep of a few rows, in bytes.
const ROWS_MAX: u64 = 16 * 1024 * 1024;

/// A JPEG file, less what does not draw.
pub(super) struct Jpeg {
    pub(super) file: Vec<u8>,
    /// Coefficients of all components, with the padding of the last blocks.
    coefficients: u64,
    /// Whether all of them are kept until the last scan has been read.
    is_kept: bool,
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
            is_kept: false,
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
                    jpeg.is_kept |= marker > 0xc1;
                }
                // Tables, intervals and scans, and what tells the colours.
                0xc4 | 0xdb | 0xdd | SOS | 0xe0 | 0xee => {}
                _ => continue,
            }
            jpeg.file.extend([0xff, marker]);
            jpeg.file.extend(u16::try_from(content.len() + 2).unwrap_or(u16::MAX).to_be_bytes());
            jpeg.file.extend(content);
            if marker == SOS {
                jpeg.is_kept |= content.first().is_some_and(|count| *count < components);
                let end = next_marker(rest).unwrap_or(rest.len());
                jpeg.file.extend(&rest[..end]);
                rest = &rest[end..];
            }
        }
        if components == 0 {
            return Err(damaged());
        }
        jpeg.file.extend(EOI);
        // Wherever the decoder looks for them.
        jpeg.scans = jpeg.file.windows(2).filter(|pair| *pair == [0xff, SOS]).count() as u64;
        Ok(jpeg)
    }

    /// Bytes of memory that decoding takes beside the file and the pixels: this copy and the decoder's, and coefficients.
    pub(super) fn memory(&self) -> u64 {
        let kept = if self.is_kept { 2 * self.coefficients } else { 0 };
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

/// The next segment that has content: its marker, its content, and what is behind it.
fn segment(mut rest: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    loop {
        rest = &rest[next_marker(rest)?..];
        let (marker, behind) = (rest[1], &rest[2..]);
        match marker {
            0xd9 => return None,
            // The start of a picture within, and one that means nothing, stand alone.
            0x01 | 0xd8 => rest = behind,
            _ => {
                let length = usize::from(u16::from_be_bytes(*behind.first_chunk()?));
                return Some((marker, behind.get(2..length)?, &behind[length..]));
            }
        }
    }
}

/// Where the next marker stands that is neither a restart nor a byte of the data.
fn next_marker(bytes: &[u8]) -> Option<usize> {
    bytes.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xff | 0xd0..=0xd7))
}

/// The components of a frame, and the coefficients of all of them.
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
