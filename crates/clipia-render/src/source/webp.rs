//! What a WebP file costs to decode, told by its chunks.
//!
//! The decoder has no bound of its own. It keeps code tables as large as the file asks for, and decodes a lossy frame
//! before it compares the frame's size with the picture's.

use super::pixels;

/// Most bytes of lossless data, of the picture or of its alpha.
const LOSSLESS_BYTES_MAX: usize = 256 * 1024;
/// Bytes of code tables that the decoder keeps for a byte of lossless data, at most: 138 bytes say a code of 2048 symbols
/// of 11 bits, which takes 70 KB.
const TABLES: u64 = 512;

/// What the chunks of a WebP file tell.
#[derive(Default)]
pub(super) struct WebP {
    /// The size that the largest lossy frame tells of itself.
    pub(super) frame: (u32, u32),
    /// Bytes of lossless data.
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
            // Only the first picture of an animation is decoded. Its place, size and time come before its chunks.
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

    /// Bytes of memory that decoding a picture of `size` takes beside the file and the pixels.
    pub(super) fn memory(&self, size: (u32, u32)) -> u64 {
        // Planes of brightness and colour, of whole blocks of 16x16.
        let (width, height) = (self.frame.0.next_multiple_of(16), self.frame.1.next_multiple_of(16));
        let planes = pixels((width, height)) * 3 / 2;
        // Pixels of four bytes; what predicts them, for each block of 4x4 four times; the alpha apart.
        let lossless = if self.lossless > 0 { 7 * pixels(size) } else { 0 };
        // The canvas, and the frame that is laid on it.
        let animation = if self.is_animated { 8 * pixels(size) } else { 0 };
        planes + lossless + animation + TABLES * self.lossless as u64 + 2 * 1024 * 1024
    }
}

/// The chunks of a RIFF file. The last may be cut off.
fn chunks(mut rest: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        let (header, behind) = rest.split_at_checked(8)?;
        let length = u32::from_le_bytes(*header.last_chunk()?) as usize;
        let content = &behind[..length.min(behind.len())];
        rest = behind.get(length.next_multiple_of(2)..).unwrap_or_default();
        Some((&header[..4], content))
    })
}
