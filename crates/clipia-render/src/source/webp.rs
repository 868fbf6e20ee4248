//! The cost of decoding a WebP file, computed from its chunks.
//!
//! The decoder has no limit of its own. It keeps code tables as large as the file demands, and decodes a lossy frame before it
//! compares the frame's size with the picture's.

use super::pixels;

/// The most bytes of lossless data, of the picture or of its alpha.
const LOSSLESS_BYTES_MAX: usize = 256 * 1024;
/// The most bytes of code tables for one byte of lossless data. In 138 bytes a file can describe a code of 2048 symbols of 11
/// bits, which takes 70 KB.
const TABLES: u64 = 512;

/// The properties of a WebP file that decide its cost.
#[derive(Default)]
pub(super) struct WebP {
    /// The size of the largest lossy frame, by the frame's own header.
    pub(super) frame: (u32, u32),
    /// The bytes of lossless data.
    lossless: usize,
    is_animated: bool,
}

impl WebP {
    /// Reads the chunks.
    ///
    /// # Errors
    /// Says what is wrong with the file.
    pub(super) fn read(file: &[u8]) -> Result<Self, String> {
        let mut webp = Self { frame: (1, 1), ..Self::default() };
        for (name, content) in chunks(file.get(12..).unwrap_or_default()) {
            webp.take(name, content);
            // Only the first picture of an animation is decoded. Its position, size and duration come before its chunks.
            if name == b"ANMF" && !webp.is_animated {
                webp.is_animated = true;
                for (name, content) in chunks(content.get(16..).unwrap_or_default()) {
                    webp.take(name, content);
                }
            }
        }
        if webp.lossless > LOSSLESS_BYTES_MAX {
            return Err(format!(
                "is too large for a lossless WebP: {} bytes, at most {LOSSLESS_BYTES_MAX}: send it as a PNG",
                webp.lossless
            ));
        }
        Ok(webp)
    }

    fn take(&mut self, name: &[u8], content: &[u8]) {
        match name {
            b"VP8L" | b"ALPH" => self.lossless += content.len(),
            b"VP8 " => {
                if let Some([w0, w1, h0, h1]) = content.get(6..10) {
                    let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
                    self.frame = (self.frame.0.max(side(*w0, *w1)), self.frame.1.max(side(*h0, *h1)));
                }
            }
            _ => {}
        }
    }

    /// The bytes that decoding a picture of `size` needs in addition to the file and the pixels.
    pub(super) fn memory(&self, size: (u32, u32)) -> u64 {
        // The planes of brightness and colour, in whole blocks of 16x16.
        let (width, height) = (self.frame.0.next_multiple_of(16), self.frame.1.next_multiple_of(16));
        let planes = pixels((width, height)) * 3 / 2;
        // Pixels of four bytes; four times the predictors, one for each block of 4x4; the alpha separately.
        let lossless = if self.lossless > 0 { 7 * pixels(size) } else { 0 };
        // The canvas, and the frame that is drawn on it.
        let animation = if self.is_animated { 8 * pixels(size) } else { 0 };
        planes + lossless + animation + TABLES * self.lossless as u64 + 2 * 1024 * 1024
    }
}

/// The chunks of a RIFF file. The last one may be truncated.
fn chunks(mut rest: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        let (header, behind) = rest.split_at_checked(8)?;
        let length = u32::from_le_bytes(*header.last_chunk()?) as usize;
        let content = &behind[..length.min(behind.len())];
        rest = behind.get(length.next_multiple_of(2)..).unwrap_or_default();
        Some((&header[..4], content))
    })
}
