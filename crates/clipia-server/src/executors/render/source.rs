//! The image of image-to-video: decoded within bounds, cut to cover the frame, and set in gentle motion.

use super::RenderError;
use super::camera::View;
use super::canvas::Canvas;
use super::colour::Colour;
use super::random::Random;
use super::scene::{Scene, Vignette};
use super::weather::Motes;
use image::imageops::FilterType;
use image::{ImageReader, Limits};
use std::io::Cursor;

/// Longest edge of a source image, in pixels.
const EDGE_MAX: u32 = 8_192;
/// Most pixels of a source image: what a 24 megapixel camera makes, with room.
const PIXELS_MAX: u64 = 40_000_000;
/// Most memory the decoder may take, in bytes: four bytes a pixel, twice.
const DECODE_BYTES_MAX: u64 = PIXELS_MAX * 8;
/// How much larger than the frame the surface is, so that the closest view is still sharp.
const ROOM: f32 = 1.16;

/// Decodes a PNG, JPEG or WebP file and cuts it to cover a frame of `width` by `height`, a little larger.
pub(super) fn cover(file: &[u8], width: u32, height: u32) -> Result<Canvas, RenderError> {
    let reject = |reason: String| RenderError::SourceImage(reason);
    let mut reader = ImageReader::new(Cursor::new(file))
        .with_guessed_format()
        .map_err(|error| reject(format!("cannot be read: {error}")))?;
    if reader.format().is_none() {
        return Err(reject("is not a PNG, JPEG or WebP file".to_owned()));
    }
    // The size is looked at before anything is decoded: a small file can name a huge one.
    let sized = ImageReader::new(Cursor::new(file)).with_guessed_format().map_err(image::ImageError::from);
    let (from_width, from_height) = sized
        .and_then(ImageReader::into_dimensions)
        .map_err(|error| reject(format!("cannot be decoded: {error}")))?;
    if from_width.max(from_height) > EDGE_MAX || u64::from(from_width) * u64::from(from_height) > PIXELS_MAX {
        return Err(reject(format!(
            "is too large: {from_width}x{from_height} pixels, at most {EDGE_MAX} on an edge and {PIXELS_MAX} in all"
        )));
    }
    if from_width == 0 || from_height == 0 {
        return Err(reject("has no pixels".to_owned()));
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(EDGE_MAX);
    limits.max_image_height = Some(EDGE_MAX);
    limits.max_alloc = Some(DECODE_BYTES_MAX);
    reader.limits(limits);
    let image = reader.decode().map_err(|error| reject(format!("cannot be decoded: {error}")))?;
    let (to_width, to_height) = ((width as f32 * ROOM) as u32, (height as f32 * ROOM) as u32);
    let image = image.resize_to_fill(to_width, to_height, FilterType::Triangle).into_rgba8();
    let mut canvas = Canvas::new(to_width, to_height)?;
    for (to, from) in canvas.pixmap.data_mut().chunks_exact_mut(4).zip(image.pixels()) {
        // Transparent parts are shown on black: premultiplied, then opaque.
        let alpha = u16::from(from[3]);
        let over = |part: u8| (u16::from(part) * alpha / 255) as u8;
        to.copy_from_slice(&[over(from[0]), over(from[1]), over(from[2]), u8::MAX]);
    }
    Ok(canvas)
}

/// What moves before a still image: motes in the colour of its own light.
pub(super) fn atmosphere(surface: &Canvas, seed: u64) -> Scene {
    let motes = Motes { colour: brightest(surface), count: 26, between: (0.1, 1.05), seed };
    vec![Box::new(motes), Box::new(Vignette)]
}

/// The mean of the lightest pixels, brightened.
fn brightest(surface: &Canvas) -> Colour {
    let sample: Vec<[u32; 3]> = surface
        .pixmap
        .data()
        .chunks_exact(4)
        .step_by(97)
        .map(|p| [p[0], p[1], p[2]].map(u32::from))
        .collect();
    let light = |p: &[u32; 3]| p[0] * 3 + p[1] * 6 + p[2];
    let most = sample.iter().map(light).max().unwrap_or(0);
    let (mut sum, mut count) = ([0_u32; 3], 1_u32);
    for pixel in sample.iter().filter(|pixel| light(pixel) * 10 >= most * 8) {
        count += 1;
        for part in 0..3 {
            sum[part] += pixel[part];
        }
    }
    let mean = |part: usize| sum[part] as f32 / count as f32 / 255.0;
    Colour { r: mean(0), g: mean(1), b: mean(2) }.lighter(0.35)
}

/// A slow move across the image, closer or farther, from one side to the other.
pub(super) fn path(random: &mut Random) -> [View; 2] {
    let side = if random.chance(0.5) { 0.06 } else { -0.06 };
    let rise = random.range(-0.03, 0.03);
    let wide = View { centre: (0.5 - side, 0.5 - rise), zoom: 1.04 };
    let close = View { centre: (0.5 + side, 0.5 + rise), zoom: ROOM };
    if random.chance(0.7) { [wide, close] } else { [close, wide] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(file: &[u8]) -> String {
        match cover(file, 64, 36) {
            Err(RenderError::SourceImage(reason)) => reason,
            Err(other) => panic!("not the source's fault: {other}"),
            Ok(_) => panic!("accepted"),
        }
    }

    #[test]
    fn what_is_no_image_is_refused_with_a_reason() {
        assert!(refusal(b"").contains("not a PNG"));
        assert!(refusal(b"<html>not an image</html>").contains("not a PNG"));
        assert!(refusal(b"\x89PNG\r\n\x1a\nand then nothing").contains("cannot be decoded"));
    }

    #[test]
    fn a_small_file_that_names_a_huge_image_is_refused_before_it_is_decoded() {
        let mut file = Cursor::new(vec![]);
        image::GrayImage::new(8_193, 1).write_to(&mut file, image::ImageFormat::Png).expect("a PNG");
        assert!(refusal(file.get_ref()).contains("too large: 8193x1"));
    }
}
