//! Draws a picture and writes it as PNG and WebP.

use super::canvas::Canvas;
use super::prompt::Reading;
use super::provenance::{self, mark_webp};
use super::random::Random;
use super::scene::{Scene, compose};
use super::{EDGE_MIN, PICTURE_EDGE_MAX, Picture, PictureOrder, Progress, RenderError, report};
use png::{BitDepth, ColorType, Compression, EncodingError, Filter};
use tiny_skia::{BlendMode, FilterQuality, Paint, Pattern, Pixmap, Rect, SpreadMode, Transform};
use webp::PixelLayout;

/// The quality of the lossy rendition, of 0.0..=100.0. Above it, files grow with no visible difference.
const WEBP_QUALITY: f32 = 84.0;
/// The effort of the lossy encoder, of 0..=6. 2 takes half the time of the usual 4, for files about 5 % larger.
const WEBP_METHOD: i32 = 2;
/// The edge of the tile of grain, in pixels.
const GRAIN_EDGE: u32 = 128;
/// The strongest grain, in steps of 255: enough to hide the bands of a gradient.
const GRAIN_STEPS: u64 = 3;
/// The percent of the work that is done when everything is drawn, and when the PNG is written. Measured at 1024x1024.
const DRAWN: u8 = 55;
const PNG_WRITTEN: u8 = 70;

/// Draws a picture of a prompt.
///
/// # Errors
/// A size outside the limits, an encoder's failure, or a stop by `progress`.
pub fn picture(order: &PictureOrder, progress: Progress<'_>) -> Result<Picture, RenderError> {
    let PictureOrder { width, height, .. } = *order;
    let allowed = EDGE_MIN..=PICTURE_EDGE_MAX;
    if !allowed.contains(&width) || !allowed.contains(&height) {
        return Err(RenderError::Size(format!(
            "a picture of {width}x{height} pixels was asked for: each edge may have {EDGE_MIN} to {PICTURE_EDGE_MAX}"
        )));
    }
    report(progress, 0)?;
    let reading = Reading::of(&order.prompt, order.negative_prompt.as_deref());
    let mut canvas = Canvas::new(width, height)?;
    let scene = compose(&reading, order.seed, canvas.aspect());
    draw(&scene, &mut canvas, progress)?;
    add_grain(&mut canvas.pixmap, order.seed)?;
    let rgb = opaque(&canvas.pixmap);
    drop(canvas);
    report(progress, DRAWN)?;
    let png = png(&rgb, width, height, order.seed).map_err(|error| RenderError::encode("PNG", error))?;
    report(progress, PNG_WRITTEN)?;
    let webp = mark_webp(&webp(&rgb, PixelLayout::Rgb, width, height)?, width, height)?;
    report(progress, 100)?;
    Ok(Picture { width, height, png, webp })
}

fn draw(scene: &Scene, canvas: &mut Canvas, progress: Progress<'_>) -> Result<(), RenderError> {
    for (done, layer) in scene.iter().enumerate() {
        layer.draw(canvas, 0.0);
        report(progress, (usize::from(DRAWN) * (done + 1) / (scene.len() + 1)) as u8)?;
    }
    Ok(())
}

/// Adds a fine grain to the picture.
fn add_grain(pixmap: &mut Pixmap, seed: u64) -> Result<(), RenderError> {
    let mut tile = Canvas::new(GRAIN_EDGE, GRAIN_EDGE)?.pixmap;
    let mut random = Random::new(seed ^ 0x67_7261_696e);
    for pixel in tile.data_mut().chunks_exact_mut(4) {
        let bits = random.next();
        let strength = (bits % (GRAIN_STEPS + 1)) as u8;
        // White or black with a low opacity, premultiplied.
        let value = if bits & 0x100 == 0 { 0 } else { strength };
        pixel.copy_from_slice(&[value, value, value, strength]);
    }
    let pattern =
        Pattern::new(tile.as_ref(), SpreadMode::Repeat, FilterQuality::Nearest, 1.0, Transform::identity());
    let paint =
        Paint { shader: pattern, blend_mode: BlendMode::SourceOver, anti_alias: false, ..Paint::default() };
    if let Some(whole) = Rect::from_xywh(0.0, 0.0, pixmap.width() as f32, pixmap.height() as f32) {
        pixmap.fill_rect(whole, &paint, Transform::identity(), None);
    }
    Ok(())
}

/// The pixels without alpha. A finished picture is opaque.
fn opaque(pixmap: &Pixmap) -> Vec<u8> {
    let mut rgb = vec![0; pixmap.data().len() / 4 * 3];
    for (to, from) in rgb.chunks_exact_mut(3).zip(pixmap.data().chunks_exact(4)) {
        to.copy_from_slice(&from[..3]);
    }
    rgb
}

fn png(rgb: &[u8], width: u32, height: u32, seed: u64) -> Result<Vec<u8>, EncodingError> {
    let mut file = Vec::with_capacity(rgb.len() / 2);
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Fast);
    encoder.set_filter(Filter::Sub);
    for (keyword, text) in [
        ("Software", provenance::SOFTWARE),
        ("Comment", provenance::NOTE),
        (provenance::SEED, &seed.to_string()),
    ] {
        encoder.add_text_chunk(keyword.to_owned(), text.to_owned())?;
    }
    encoder.add_itxt_chunk(provenance::XMP_KEYWORD.to_owned(), provenance::xmp(true))?;
    let mut writer = encoder.write_header()?;
    writer.write_image_data(rgb)?;
    writer.finish()?;
    Ok(file)
}

/// Encodes the lossy WebP of pixels.
pub(super) fn webp(
    pixels: &[u8],
    layout: PixelLayout,
    width: u32,
    height: u32,
) -> Result<Vec<u8>, RenderError> {
    let mut config = webp::WebPConfig::new().map_err(|()| RenderError::encode("WebP", "no configuration"))?;
    config.quality = WEBP_QUALITY;
    config.method = WEBP_METHOD;
    let file = webp::Encoder::new(pixels, layout, width, height)
        .encode_advanced(&config)
        .map_err(|error| RenderError::encode("WebP", format!("{error:?}")))?;
    Ok(file.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageFormat, RgbImage};
    use proptest::prelude::*;
    use std::ops::ControlFlow;

    fn order(prompt: &str, seed: u64) -> PictureOrder {
        PictureOrder { prompt: prompt.to_owned(), negative_prompt: None, seed, width: 96, height: 64 }
    }

    fn render(order: &PictureOrder) -> Picture {
        picture(order, &mut |_| ControlFlow::Continue(())).expect("a picture")
    }

    fn decode(file: &[u8], format: ImageFormat) -> RgbImage {
        image::load_from_memory_with_format(file, format).expect("a file that decodes").into_rgb8()
    }

    /// The mean difference of two pictures of the same size, in steps of 255.
    fn difference(one: &RgbImage, other: &RgbImage) -> f64 {
        let sum: u64 = one.as_raw().iter().zip(other.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        sum as f64 / one.as_raw().len() as f64
    }

    #[test]
    fn the_same_order_gives_the_same_bytes() {
        let order = order("a red fox in snow", 7);
        let (first, second) = (render(&order), render(&order));
        assert!(first.png == second.png && first.webp == second.webp);
    }

    #[test]
    fn prompts_and_seeds_make_different_pictures() {
        let of = |prompt, seed| decode(&render(&order(prompt, seed)).png, ImageFormat::Png);
        let pairs = [
            (of("a lighthouse in a storm", 1), of("waves at dusk", 1), 20.0),
            (of("quarterly report", 1), of("annual budget", 1), 8.0),
            (of("a fox in the forest", 1), of("a fox in the forest", 2), 4.0),
            (of("a cat", 1), of("a red cat", 1), 0.5),
        ];
        for (index, (one, other, least)) in pairs.iter().enumerate() {
            let found = difference(one, other);
            assert!(found > *least, "pair {index}: {found} is not above {least}");
        }
    }

    #[test]
    fn a_negative_prompt_changes_the_picture() {
        let with = order("a lighthouse and a ship", 3);
        let without = PictureOrder { negative_prompt: Some("lighthouse".to_owned()), ..with.clone() };
        let [with, without] = [with, without].map(|order| decode(&render(&order).png, ImageFormat::Png));
        assert!(difference(&with, &without) > 2.0);
    }

    #[test]
    fn both_files_have_the_ordered_size_and_the_same_picture() {
        for (width, height) in [(97, 61), (33, 160), (16, 16), (300, 16)] {
            let picture = render(&PictureOrder { width, height, ..order("neon city at night", 2) });
            let png = decode(&picture.png, ImageFormat::Png);
            let webp = decode(&picture.webp, ImageFormat::WebP);
            assert_eq!((png.dimensions(), webp.dimensions()), ((width, height), (width, height)));
            assert!(difference(&png, &webp) < 14.0, "{width}x{height}");
        }
    }

    #[test]
    fn progress_rises_to_100_and_can_stop_the_work() {
        let mut reported = vec![];
        picture(&order("waves", 1), &mut |percent| {
            reported.push(percent);
            ControlFlow::Continue(())
        })
        .expect("a picture");
        assert!(
            reported.is_sorted() && reported.first() == Some(&0) && reported.last() == Some(&100),
            "{reported:?}"
        );

        let mut calls = 0;
        let stopped = picture(&order("waves", 1), &mut |percent| {
            calls += 1;
            if percent >= 20 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(matches!(stopped, Err(RenderError::Stopped)) && calls < reported.len());
    }

    #[test]
    fn both_files_say_that_they_are_procedural_and_not_the_prompt() {
        let picture = render(&order("a hidden waterfall", 7));
        let reader = png::Decoder::new(std::io::Cursor::new(&picture.png)).read_info().expect("a PNG");
        let info = reader.info();
        let texts: Vec<(&str, &str)> = info
            .uncompressed_latin1_text
            .iter()
            .map(|text| (text.keyword.as_str(), text.text.as_str()))
            .collect();
        assert_eq!(texts, [("Software", provenance::SOFTWARE), ("Comment", provenance::NOTE), ("Seed", "7")]);
        for file in [&picture.png, &picture.webp] {
            let has = |text: &str| file.windows(text.len()).any(|part| part == text.as_bytes());
            assert!(has("digitalsourcetype/algorithmicMedia"));
            assert!(!has("waterfall"));
        }
    }

    #[test]
    fn a_quoted_text_is_drawn_over_the_scene_of_the_other_words() {
        let of = |prompt: &str| {
            decode(
                &render(&PictureOrder { width: 192, height: 128, ..order(prompt, 3) }).png,
                ImageFormat::Png,
            )
        };
        let (plain, hello, world) =
            (of("waves at dusk"), of("waves at dusk \"HELLO\""), of("waves at dusk 'WORLD'"));
        // The letters are light with a dark outline, and the rest of the scene is the same.
        let changed: Vec<_> =
            hello.enumerate_pixels().filter(|(x, y, pixel)| plain.get_pixel(*x, *y) != *pixel).collect();
        let share = changed.len() as f64 / f64::from(192 * 128);
        assert!((0.02..0.4).contains(&share), "{share}");
        assert!(changed.iter().any(|(_, _, pixel)| pixel.0.iter().all(|part| *part > 220)));
        assert!(changed.iter().any(|(_, _, pixel)| pixel.0.iter().all(|part| *part < 50)));
        assert!(difference(&hello, &world) > 1.0);
    }

    #[test]
    fn sizes_outside_the_limits_are_refused() {
        for (width, height) in [(0, 64), (64, 15), (4097, 64), (u32::MAX, u32::MAX)] {
            let order = PictureOrder { width, height, ..order("waves", 1) };
            let refused = picture(&order, &mut |_| ControlFlow::Continue(()));
            assert!(matches!(refused, Err(RenderError::Size(_))), "{width}x{height}");
        }
    }

    #[test]
    fn drawing_any_subject_in_any_light_does_not_panic() {
        let subjects = "lighthouse fox cat bird boat ship tree house whale balloon robot flower rocket deer";
        let lights =
            "dawn noon dusk night storm winter autumn spring neon space desert aurora rain fog lightning";
        for (seed, light) in lights.split(' ').enumerate() {
            for subject in subjects.split(' ') {
                let prompt = format!("{subject} {light}");
                render(&PictureOrder { width: 48, height: 32, ..order(&prompt, seed as u64) });
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn no_prompt_panics(prompt in any::<String>(), negative in any::<Option<String>>(), seed: u64, width in 16_u32..90) {
            let order = PictureOrder { prompt, negative_prompt: negative, seed, width, height: 40 };
            prop_assert!(picture(&order, &mut |_| ControlFlow::Continue(())).is_ok());
        }
    }
}
