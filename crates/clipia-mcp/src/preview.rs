//! The small picture of a result. A client has room for some 25,000 tokens or a megabyte, and shows a picture only as base64 inside the
//! result: so the picture is small, and the original is a link or a file.

use clipia::Completed;
use futures_util::future::join_all;
use image::imageops::{FilterType, overlay};
use image::{DynamicImage, GenericImageView, ImageReader, Limits, Rgb, RgbImage};
use std::io::Cursor;
use std::time::Duration;
use webp::Encoder;

/// The longest edge, in pixels.
pub(crate) const EDGE_MAX: u32 = 512;

/// The most bytes. Base64 makes 64 KiB of them.
pub(crate) const BYTES_MAX: usize = 48 * 1024;

/// The most pictures that are tiled.
const TILES_MAX: usize = 4;

/// The largest file that is fetched, and the most memory that decoding it may take, in bytes.
const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;
const MEMORY_MAX: u64 = 128 * 1024 * 1024;

/// How long the files may take. A result without a picture is better than a late one.
const FETCH_MAX: Duration = Duration::from_secs(8);

/// The qualities that are tried, the best first, until the picture is small enough.
const QUALITIES: [f32; 5] = [80.0, 65.0, 50.0, 30.0, 10.0];

/// A WebP of the pictures of an output. `None` if it has none, or if they cannot be fetched or decoded.
pub(crate) async fn preview(completed: &Completed) -> Option<Vec<u8>> {
    let pictures = completed.output().images.len().min(TILES_MAX);
    let files: Vec<_> = completed.renditions().into_iter().take(pictures).collect();
    let fetching = join_all(files.iter().map(|file| file.bytes(FILE_BYTES_MAX)));
    let fetched = tokio::time::timeout(FETCH_MAX, fetching).await.ok()?;
    let fetched: Vec<_> = fetched.into_iter().flatten().collect();
    let drawn = tokio::task::spawn_blocking(move || {
        let pictures: Vec<DynamicImage> = fetched.iter().filter_map(|bytes| decode(bytes)).collect();
        encode(&tile(&pictures)?)
    });
    drawn.await.ok().flatten()
}

fn decode(bytes: &[u8]) -> Option<DynamicImage> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MEMORY_MAX);
    reader.limits(limits);
    reader.decode().ok()
}

/// The pictures side by side, at most two in a row, within [`EDGE_MAX`].
fn tile(pictures: &[DynamicImage]) -> Option<RgbImage> {
    let edge = if pictures.len() > 1 { EDGE_MAX / 2 } else { EDGE_MAX };
    let small: Vec<RgbImage> = pictures.iter().map(|picture| shrink(picture, edge)).collect();
    if let [one] = small.as_slice() {
        return Some(one.clone());
    }
    let (width, height) = (widest(&small)?, small.iter().map(RgbImage::height).max()?);
    let rows = u32::try_from(small.len().div_ceil(2)).ok()?;
    let mut all = RgbImage::from_pixel(width * 2, height * rows, Rgb([255, 255, 255]));
    for (number, picture) in (0i64..).zip(&small) {
        overlay(&mut all, picture, number % 2 * i64::from(width), number / 2 * i64::from(height));
    }
    Some(all)
}

fn widest(pictures: &[RgbImage]) -> Option<u32> {
    pictures.iter().map(RgbImage::width).max()
}

/// The picture with no edge above `edge`, on white where it is transparent.
fn shrink(picture: &DynamicImage, edge: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    let small = match width.max(height) > edge {
        true => picture.resize(edge, edge, FilterType::Triangle),
        false => picture.clone(),
    };
    if !small.color().has_alpha() {
        return small.into_rgb8();
    }
    let mut white =
        DynamicImage::from(RgbImage::from_pixel(small.width(), small.height(), Rgb([255, 255, 255])));
    overlay(&mut white, &small, 0, 0);
    white.into_rgb8()
}

/// The picture as WebP of at most [`BYTES_MAX`].
fn encode(picture: &RgbImage) -> Option<Vec<u8>> {
    let encoder = Encoder::from_rgb(picture.as_raw(), picture.width(), picture.height());
    let mut encoded = QUALITIES.iter().map(|quality| encoder.encode(*quality).to_vec());
    encoded.find(|bytes| !bytes.is_empty() && bytes.len() <= BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageFormat, Rgba, RgbaImage};

    /// A picture that compresses badly.
    fn noise(width: u32, height: u32) -> DynamicImage {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        RgbImage::from_fn(width, height, |_, _| Rgb([next(), next(), next()])).into()
    }

    #[test]
    fn a_picture_is_small_whatever_it_shows() {
        for (pictures, width, height) in [
            (vec![noise(2_000, 1_000)], 512, 256),
            (vec![noise(100, 50)], 100, 50),
            (vec![noise(1_024, 1_024); 4], 512, 512),
            (vec![noise(1_024, 512), noise(512, 1_024), noise(64, 64)], 512, 512),
        ] {
            let tiled = tile(&pictures).unwrap();
            assert_eq!(tiled.dimensions(), (width, height));
            let webp = encode(&tiled).unwrap();
            assert!(webp.len() <= BYTES_MAX, "{} bytes", webp.len());
            let decoded = image::load_from_memory_with_format(&webp, ImageFormat::WebP).unwrap();
            assert_eq!(decoded.dimensions(), (width, height));
        }
        assert!(tile(&[]).is_none());
    }

    #[test]
    fn what_is_transparent_is_white() {
        let clear = RgbaImage::from_pixel(16, 16, Rgba([200, 0, 0, 0]));
        assert_eq!(shrink(&clear.into(), EDGE_MAX).get_pixel(3, 3), &Rgb([255, 255, 255]));
    }

    #[test]
    fn a_file_that_is_no_picture_gives_none() {
        assert!(decode(b"GIF89a").is_none() && decode(b"").is_none());
    }
}
