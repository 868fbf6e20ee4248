//! The source image of a clip. It is decoded within limits, cropped to cover the frame, and set in gentle motion.
//!
//! The cost of a file is computed from its headers, before anything of that size is allocated. The visible part is cropped before
//! it is scaled, so that no copy is larger than the file's own pixels or twice the frame.

mod jpeg;
mod refusal;
mod webp;

pub(super) use refusal::Refusal;

use super::camera::View;
use super::canvas::Canvas;
use super::colour::Colour;
use super::random::Random;
use super::scene::{Scene, Vignette};
use super::weather::Motes;
use super::{Progress, RenderError, frame_size};
use image::codecs::jpeg::JpegDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageResult, Limits};
use std::cell::Cell;
use std::io::{self, BufRead, Cursor, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use tiny_skia::Pixmap;

/// The most memory of one source image, in bytes: its file, the decoder's buffers, the pixels, and smaller copies of them.
pub const SOURCE_MEMORY_MAX: u64 = 256 * MIB;
/// The largest file of a source image, in bytes.
pub const SOURCE_BYTES_MAX: usize = 20 * MIB as usize;
/// The longest edge of a source image, in pixels.
const EDGE_MAX: u32 = 8_192;
/// The most pixels of a source image: well above those of a 24 megapixel camera.
const PIXELS_MAX: u64 = 40_000_000;
/// The most bytes that the PNG decoder may use for a chunk, a colour profile, texts and a row.
const PNG_CHUNKS_MAX: u64 = 16 * MIB;
/// The bytes a pixel of another encoding: a copy of four channels of 8 bits, the encoder's planes, and the file.
const ENCODING_PIXEL_BYTES: u64 = 8;
/// The bytes of a PNG or WebP file between two checks for a stop. Compressed zeros make 16 MB of pixels of so many bytes.
const STEP: usize = 16 * 1024;
/// How much larger than the frame the surface is. So the view at the highest zoom is still sharp.
const ROOM: f32 = 1.16;

const MIB: u64 = 1024 * 1024;

/// A source image, cropped to cover a frame and a little more.
#[derive(Clone, Debug)]
pub struct Source {
    pixmap: Pixmap,
}

/// Decodes a PNG, JPEG or WebP file, and crops the image to cover a frame of `width` by `height` and a little more. An animation
/// gives its first picture. The orientation that a camera recorded is ignored.
///
/// # Errors
/// A frame outside the limits of a clip, a file that cannot be decoded or would cost too much, or a stop by `progress`. The
/// percent that `progress` gets means nothing here.
pub fn cover(file: &[u8], width: u32, height: u32, progress: Progress<'_>) -> Result<Source, RenderError> {
    frame_size(width, height)?;
    let surface = ((width as f32 * ROOM) as u32, (height as f32 * ROOM) as u32);
    let stopped = Cell::new(false);
    let file = Watched { file: Cursor::new(file), left: 0, progress, stopped: &stopped };
    let decoded = decode(file, Purpose::Cover(surface)).map_err(|refusal| match stopped.get() {
        true => RenderError::Stopped,
        false => RenderError::SourceImage(refusal.to_string()),
    })?;
    let part = Part::of((decoded.width(), decoded.height()), surface);
    let (width, height) = part.reduced;
    let view = imageops::crop_imm(&decoded, part.corner.0, part.corner.1, part.size.0, part.size.1);
    let reduced = imageops::thumbnail(&*view, width, height);
    drop(decoded);
    let scaled = imageops::resize(&reduced, surface.0, surface.1, FilterType::Triangle);
    drop(reduced);
    let mut canvas = Canvas::new(surface.0, surface.1)?;
    for (to, from) in canvas.pixmap.data_mut().chunks_exact_mut(4).zip(scaled.pixels()) {
        // Transparent parts become black: the pixels are premultiplied and made opaque.
        let alpha = u16::from(from[3]);
        let over = |part: u8| (u16::from(part) * alpha / 255) as u8;
        to.copy_from_slice(&[over(from[0]), over(from[1]), over(from[2]), u8::MAX]);
    }
    Ok(Source { pixmap: canvas.pixmap })
}

impl Source {
    pub(super) fn surface(&self) -> Canvas {
        Canvas { pixmap: self.pixmap.clone() }
    }
}

/// The pixels of a file, as they are, for another encoding of the whole picture.
pub(super) fn whole(file: &[u8]) -> Result<DynamicImage, Refusal> {
    let stopped = Cell::new(false);
    let progress: Progress<'_> = &mut |_| ControlFlow::Continue(());
    decode(Watched { file: Cursor::new(file), left: 0, progress, stopped: &stopped }, Purpose::Encoding)
}

/// The pixels of a file, or the reason why the file is refused.
fn decode(file: Watched<'_>, purpose: Purpose) -> Result<DynamicImage, Refusal> {
    let bytes = *file.file.get_ref();
    if bytes.len() > SOURCE_BYTES_MAX {
        let why = format!("is too large: it has more than {} MiB", SOURCE_BYTES_MAX as u64 / MIB);
        return Err(Refusal::Cost(why));
    }
    let budget = Budget { file: bytes.len() as u64, purpose };
    match image::guess_format(bytes) {
        Ok(ImageFormat::Png) => {
            let mut limits = Limits::no_limits();
            limits.max_alloc = Some(PNG_CHUNKS_MAX);
            let decoder = read(PngDecoder::with_limits(file, limits))?;
            // Buffers grow by doubling.
            budget.check(&decoder, 2 * PNG_CHUNKS_MAX)?;
            read(DynamicImage::from_decoder(decoder))
        }
        Ok(ImageFormat::Jpeg) => {
            let jpeg = jpeg::Jpeg::read(bytes).map_err(Refusal::Damage)?;
            let decoder = read(JpegDecoder::new(Cursor::new(&jpeg.file)))?;
            budget.check(&decoder, jpeg.memory())?;
            jpeg.check_work().map_err(Refusal::Cost)?;
            read(DynamicImage::from_decoder(decoder))
        }
        Ok(ImageFormat::WebP) => {
            let webp = webp::WebP::read(bytes).map_err(Refusal::Cost)?;
            let decoder = read(WebPDecoder::new(file))?;
            budget.check_size(webp.frame)?;
            budget.check(&decoder, webp.memory(decoder.dimensions()))?;
            read(DynamicImage::from_decoder(decoder))
        }
        _ => Err(Refusal::Format),
    }
}

fn read<T>(result: ImageResult<T>) -> Result<T, Refusal> {
    result.map_err(|error| {
        let why = format!("cannot be decoded: {error}");
        match error {
            ImageError::Limits(_) => Refusal::Cost(why),
            ImageError::Unsupported(_) => Refusal::Unsupported(why),
            _ => Refusal::Damage(why),
        }
    })
}

/// What the pixels are for, which decides the memory that they take after they were decoded.
#[derive(Clone, Copy)]
enum Purpose {
    /// Covers a surface of this size.
    Cover((u32, u32)),
    /// Another encoding of the whole picture.
    Encoding,
}

/// The sizes that decide the cost of a source.
struct Budget {
    /// The bytes of the file.
    file: u64,
    purpose: Purpose,
}

impl Budget {
    /// Checks the size of a picture.
    fn check_size(&self, (width, height): (u32, u32)) -> Result<(), Refusal> {
        if width.max(height) > EDGE_MAX || pixels((width, height)) > PIXELS_MAX {
            return Err(Refusal::Cost(format!(
                "is too large: {width}x{height} pixels, at most {EDGE_MAX} on an edge and {PIXELS_MAX} in all"
            )));
        }
        if width == 0 || height == 0 {
            return Err(Refusal::Damage("has no pixels".to_owned()));
        }
        Ok(())
    }

    /// Checks the picture that `decoder` announces. The decoder uses `kept` bytes in addition to the pixels.
    fn check(&self, decoder: &impl ImageDecoder, kept: u64) -> Result<(), Refusal> {
        self.check_size(decoder.dimensions())?;
        let memory = self.memory(decoder.dimensions(), decoder.total_bytes(), kept);
        if memory > SOURCE_MEMORY_MAX {
            return Err(Refusal::Cost(format!(
                "takes {} MiB of memory to decode, at most {} are given: send a smaller picture, or 8 bits a channel",
                memory / MIB,
                SOURCE_MEMORY_MAX / MIB
            )));
        }
        Ok(())
    }

    /// The most bytes in use at once: while the picture is decoded, and while its pixels are used.
    fn memory(&self, size: (u32, u32), decoded: u64, kept: u64) -> u64 {
        let used = match self.purpose {
            Purpose::Cover(surface) => {
                let part = Part::of(size, surface);
                let reduced = 4 * pixels(part.reduced);
                // Floats that are scaled in height only; then the scaled pixels and the surface.
                let scaling = 16 * pixels((part.reduced.0, surface.1)) + 8 * pixels(surface);
                decoded.saturating_add(reduced).max(reduced + scaling)
            }
            Purpose::Encoding => decoded.saturating_add(ENCODING_PIXEL_BYTES * pixels(size)),
        };
        self.file.saturating_add(kept.saturating_add(decoded).max(used))
    }
}

fn pixels((width, height): (u32, u32)) -> u64 {
    u64::from(width) * u64::from(height)
}

/// The visible part of a picture: the largest part in the middle with the surface's shape.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Part {
    corner: (u32, u32),
    size: (u32, u32),
    /// The size after a coarse reduction, at most twice the surface. The precise scaling comes after it.
    reduced: (u32, u32),
}

impl Part {
    fn of((width, height): (u32, u32), surface: (u32, u32)) -> Self {
        let fitting = |side: u32, most: u32, shape: (u32, u32)| {
            let fitting = u64::from(side) * u64::from(shape.0) / u64::from(shape.1.max(1));
            u32::try_from(fitting).unwrap_or(u32::MAX).clamp(1, most.max(1))
        };
        let size = (fitting(height, width, surface), fitting(width, height, (surface.1, surface.0)));
        let corner = (width.saturating_sub(size.0) / 2, height.saturating_sub(size.1) / 2);
        let reduced = (size.0.min(surface.0 * 2), size.1.min(surface.1 * 2));
        Self { corner, size, reduced }
    }
}

/// A reader of the file that fails once the work must stop. The decoders of PNG and WebP read as they decode.
struct Watched<'a> {
    file: Cursor<&'a [u8]>,
    /// The bytes until the next check for a stop.
    left: usize,
    progress: Progress<'a>,
    stopped: &'a Cell<bool>,
}

impl BufRead for Watched<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            if (self.progress)(0).is_break() {
                self.stopped.set(true);
                return Err(io::Error::other("stopped"));
            }
            self.left = STEP;
        }
        let rest = self.file.fill_buf()?;
        Ok(&rest[..rest.len().min(self.left)])
    }

    fn consume(&mut self, count: usize) {
        self.left = self.left.saturating_sub(count);
        self.file.consume(count);
    }
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl Seek for Watched<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// The moving layer in front of a still image: motes in the colour of the image's own light.
pub(super) fn atmosphere(surface: &Canvas, seed: u64) -> Scene {
    let motes = Motes { colour: brightest(surface), count: 26, between: (0.1, 1.05), seed };
    vec![Box::new(motes), Box::new(Vignette)]
}

/// The brightened mean of the lightest pixels.
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

/// A slow camera move across the image, with a zoom in or out.
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
    use image::{Rgb, RgbImage};
    use proptest::prelude::*;

    fn covered(file: &[u8], width: u32, height: u32) -> Result<Source, RenderError> {
        cover(file, width, height, &mut |_| ControlFlow::Continue(()))
    }

    fn png(image: &RgbImage) -> Vec<u8> {
        let mut file = Cursor::new(vec![]);
        image.write_to(&mut file, ImageFormat::Png).expect("a PNG");
        file.into_inner()
    }

    #[test]
    fn a_file_that_is_no_image_is_refused_with_a_reason() {
        let long = vec![b'x'; SOURCE_BYTES_MAX + 1];
        for (file, reason) in [
            (&b""[..], "not a PNG"),
            (b"<html>not an image</html>", "not a PNG"),
            (b"\x89PNG\r\n\x1a\nand then nothing", "cannot be decoded"),
            (b"\xff\xd8\xff\xe0and then nothing", "cannot be decoded"),
            (b"RIFF\x08\0\0\0WEBPVP8X", "cannot be decoded"),
            (&long, "too large"),
        ] {
            match covered(file, 64, 36) {
                Err(RenderError::SourceImage(found)) => assert!(found.contains(reason), "{found}"),
                other => panic!("{reason}: {other:?}"),
            }
        }
    }

    #[test]
    fn the_middle_of_a_picture_is_shown_as_it_is() {
        let row = |x: u32, from: u32, to: u32| {
            if (from..to).contains(&x) { Rgb([200, 10, 90]) } else { Rgb([0; 3]) }
        };
        // The pictures are three times as wide as their visible part, and three times as high; some are larger than the surface,
        // and some smaller.
        for (width, height, across) in
            [(960, 180, true), (320, 540, false), (96, 18, true), (9, 1, true), (1, 9, false)]
        {
            let image = RgbImage::from_fn(width, height, |x, y| match across {
                true => row(x, width / 3, width - width / 3),
                false => row(y, height / 3, height - height / 3),
            });
            let source = covered(&png(&image), 64, 36).expect("a source");
            for (index, pixel) in source.pixmap.data().chunks_exact(4).enumerate() {
                let near = |part: usize, wanted: u8| pixel[part].abs_diff(wanted) < 4;
                let right = near(0, 200) && near(1, 10) && near(2, 90);
                assert!(right || index % 74 < 3 || index % 74 > 70, "{width}x{height}: {index} {pixel:?}");
            }
        }
    }

    #[test]
    fn decoding_stops_when_the_callback_asks_for_it() {
        let noise = RgbImage::from_fn(200, 200, |x, y| Rgb([(x * y) as u8, (x * 7) as u8, (x ^ y) as u8]));
        let mut looks = 0;
        let stopped = cover(&png(&noise), 64, 36, &mut |_| {
            looks += 1;
            if looks > 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(matches!(stopped, Err(RenderError::Stopped)), "{stopped:?}");
    }

    proptest! {
        /// The part lies within the picture, nothing is larger than twice the surface, and memory is bounded by the picture.
        #[test]
        fn no_copy_is_larger_than_the_surface(size in (1..=EDGE_MAX, 1..=EDGE_MAX), frame in (16..=1_080_u32, 16..=1_920_u32)) {
            let surface = ((frame.0 as f32 * ROOM) as u32, (frame.1 as f32 * ROOM) as u32);
            let part = Part::of(size, surface);
            prop_assert!(part.size.0 >= 1 && part.size.1 >= 1);
            prop_assert!(part.corner.0 + part.size.0 <= size.0 && part.corner.1 + part.size.1 <= size.1, "{part:?}");
            prop_assert!(part.size.0 == size.0 || part.size.1 == size.1, "{part:?}");
            prop_assert!(part.reduced.0 <= surface.0 * 2 && part.reduced.1 <= surface.1 * 2);
            let budget = Budget { file: 0, purpose: Purpose::Cover(surface) };
            let scaling = budget.memory(size, 0, 0);
            prop_assert!(scaling <= SOURCE_MEMORY_MAX * 3 / 4, "{scaling}");
            prop_assert_eq!(budget.memory(size, u64::MAX, u64::MAX), u64::MAX);
        }
    }
}
