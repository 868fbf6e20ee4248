//! The rendition of a picture that something else made: a smaller file of the same size in pixels, for display.

use super::picture::webp;
use super::source::{Refusal, whole};
use image::codecs::jpeg::JpegDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder};
use std::io::Cursor;
use webp::PixelLayout;

/// Why a picture has no rendition.
#[derive(Debug, thiserror::Error)]
pub enum NoRendition {
    /// The picture would cost too much memory or time: see [`SOURCE_MEMORY_MAX`](crate::SOURCE_MEMORY_MAX).
    #[error("the picture {0}")]
    Cost(String),
    /// The picture has a format, or uses something, that this crate does not decode or encode.
    #[error("the picture {0}")]
    Unsuited(String),
    /// The picture is damaged: nobody can see it.
    #[error("the picture {0}")]
    Broken(String),
}

/// A lossy WebP of a PNG, JPEG or WebP file. Transparent parts stay transparent. Takes at most
/// [`SOURCE_MEMORY_MAX`](crate::SOURCE_MEMORY_MAX) bytes of memory, which is computed from the headers.
///
/// # Errors
/// [`NoRendition`] says why there is none.
pub fn rendition(file: &[u8]) -> Result<Vec<u8>, NoRendition> {
    if is_turned(file) {
        return Err(NoRendition::Unsuited("is to be turned for display, which a WebP cannot say".to_owned()));
    }
    let decoded = whole(file).map_err(|refusal| match refusal {
        Refusal::Cost(why) => NoRendition::Cost(why),
        Refusal::Damage(why) => NoRendition::Broken(why),
        Refusal::Format | Refusal::Unsupported(_) => NoRendition::Unsuited(refusal.to_string()),
    })?;
    let (width, height) = (decoded.width(), decoded.height());
    let encoded = match decoded.color().has_alpha() {
        true => webp(&decoded.into_rgba8(), PixelLayout::Rgba, width, height),
        false => webp(&DynamicImage::into_rgb8(decoded), PixelLayout::Rgb, width, height),
    };
    encoded.map_err(|error| NoRendition::Unsuited(format!("cannot be encoded: {error}")))
}

/// Whether a camera recorded in a JPEG that it was turned. A viewer turns the JPEG back.
fn is_turned(file: &[u8]) -> bool {
    let orientation = JpegDecoder::new(Cursor::new(file)).ok().and_then(|mut jpeg| jpeg.orientation().ok());
    orientation.is_some_and(|orientation| orientation != Orientation::NoTransforms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};

    fn file(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
        let mut file = Cursor::new(vec![]);
        image.into().write_to(&mut file, format).expect("a file");
        file.into_inner()
    }

    #[test]
    fn a_rendition_shows_the_same_picture() {
        let clear = |x: u32| if x < 32 { 0 } else { 255 };
        let picture = RgbaImage::from_fn(64, 48, |x, _| Rgba([200, 40, 40, clear(x)]));
        let webp = rendition(&file(picture, ImageFormat::Png)).expect("a rendition");
        let webp =
            image::load_from_memory_with_format(&webp, ImageFormat::WebP).expect("a WebP").into_rgba8();
        assert_eq!(webp.dimensions(), (64, 48));
        let (left, right) = (webp.get_pixel(8, 20), webp.get_pixel(56, 20));
        assert!(left[3] == 0 && right[3] == 255 && right[0].abs_diff(200) < 6, "{left:?} {right:?}");
        let opaque = RgbImage::from_pixel(40, 30, Rgb([10, 120, 240]));
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            let webp = rendition(&file(opaque.clone(), format)).expect("a rendition");
            assert_eq!(image::load_from_memory(&webp).expect("a WebP").color().channel_count(), 3);
        }
    }

    #[test]
    fn a_picture_without_a_rendition_says_why() {
        let png =
            file(RgbImage::from_fn(64, 64, |x, y| Rgb([x as u8, y as u8, (x * y) as u8])), ImageFormat::Png);
        assert!(matches!(rendition(&png[..png.len() / 2]), Err(NoRendition::Broken(_))));
        assert!(matches!(rendition(b"GIF89a"), Err(NoRendition::Unsuited(_))));
        // A header that promises 30,000 pixels on each edge.
        let mut bomb = png.clone();
        bomb[16..24].copy_from_slice(&[0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30]);
        let crc = crc(&bomb[12..29]);
        bomb[29..33].copy_from_slice(&crc.to_be_bytes());
        assert!(matches!(rendition(&bomb), Err(NoRendition::Cost(_))));
    }

    #[test]
    fn a_jpeg_that_a_viewer_turns_has_none() {
        let jpeg = file(RgbImage::from_pixel(40, 30, Rgb([10, 120, 240])), ImageFormat::Jpeg);
        // An Exif segment with one entry: the orientation 6, a quarter turn.
        let exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        let length = u16::try_from(exif.len() + 2).expect("a short segment").to_be_bytes();
        let turned = [&jpeg[..2], &[0xff, 0xe1], &length, exif, &jpeg[2..]].concat();
        assert!(rendition(&jpeg).is_ok());
        assert!(matches!(rendition(&turned), Err(NoRendition::Unsuited(_))));
    }

    /// The checksum of a PNG chunk.
    fn crc(chunk: &[u8]) -> u32 {
        let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        !chunk.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
    }
}
