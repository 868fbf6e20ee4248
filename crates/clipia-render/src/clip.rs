//! Draws a clip: a scene in motion, or a source image in motion.

use super::camera::{View, look};
use super::canvas::Canvas;
use super::colour::WHITE;
use super::lettering::{Band, Lettering};
use super::mp4::Film;
use super::prompt::Reading;
use super::provenance::mark_mp4;
use super::random::Random;
use super::scene::{Layer, Scene, compose};
use super::source;
use super::{
    CLIP_EDGE_MAX, CLIP_FRAMES_PER_SECOND, CLIP_SECONDS_MAX, CLIP_SHORT_EDGE_MAX, Clip, ClipOrder, EDGE_MIN,
    Progress, RenderError, report,
};
use tiny_skia::Pixmap;

/// Bytes of a pixel.
const PIXEL: usize = 4;
/// How much the camera zooms in until the end of a drawn clip.
const PUSH: f32 = 0.05;
/// The part of a source image that letters are in. The camera shows all of it in every view.
const CAPTION: Band = Band { top: 0.55, bottom: 0.82, margin: 0.15 };

/// Draws a clip of a prompt, or sets a source image in motion.
///
/// # Errors
/// A size or length outside the limits, an encoder's failure, or a stop by `progress`.
pub fn clip(order: &ClipOrder, progress: Progress<'_>) -> Result<Clip, RenderError> {
    check(order)?;
    report(progress, 0)?;
    let frames = frames(order.duration_seconds);
    let (width, height) = (order.width, order.height);
    let mut random = Random::new(order.seed);
    let (mut stack, path) = match &order.source {
        Some(source) => {
            let surface = source.surface();
            let mut scene = source::atmosphere(&surface, order.seed);
            let texts = Reading::of(&order.prompt, None).texts;
            if let Some(letters) = Lettering::of(&texts, surface.aspect(), CAPTION, WHITE) {
                scene.push(Box::new(letters));
            }
            let stack = Stack::on(surface, scene)?;
            (stack, source::path(&mut random))
        }
        None => {
            let reading = Reading::of(&order.prompt, None);
            let surface = Canvas::new(width, height)?;
            let scene = compose(&reading, order.seed, surface.aspect());
            let to = (random.range(0.42, 0.58), random.range(0.46, 0.56));
            let path = [View { centre: (0.5, 0.5), zoom: 1.0 }, View { centre: to, zoom: 1.0 + PUSH }];
            (Stack::on(surface, scene)?, path)
        }
    };
    let mut film = Film::new(width, height)?;
    let mut frame = vec![0; width as usize * height as usize * PIXEL];
    for index in 0..frames {
        let seconds = index as f32 / CLIP_FRAMES_PER_SECOND as f32;
        let surface = stack.draw(seconds);
        let view = along(path, index as f32 / frames.max(2) as f32);
        look(surface, view, &mut frame, width as usize, height as usize);
        film.add(&frame)?;
        report(progress, (99 * (u64::from(index) + 1) / u64::from(frames)) as u8)?;
    }
    let mut mp4 = film.finish()?;
    mark_mp4(&mut mp4, order.source.is_none());
    report(progress, 100)?;
    let duration_seconds = f64::from(frames) / f64::from(CLIP_FRAMES_PER_SECOND);
    Ok(Clip { width, height, duration_seconds, mp4 })
}

fn check(order: &ClipOrder) -> Result<(), RenderError> {
    let ClipOrder { width, height, duration_seconds, .. } = *order;
    frame_size(width, height)?;
    if !(duration_seconds > 0.0 && duration_seconds <= CLIP_SECONDS_MAX) {
        return Err(RenderError::Size(format!(
            "a clip of {duration_seconds} seconds was asked for: it may have up to {CLIP_SECONDS_MAX}"
        )));
    }
    Ok(())
}

/// Whether a clip may have this size.
pub(super) fn frame_size(width: u32, height: u32) -> Result<(), RenderError> {
    let (short, long) = (width.min(height), width.max(height));
    if !(EDGE_MIN..=CLIP_SHORT_EDGE_MAX).contains(&short) || long > CLIP_EDGE_MAX {
        return Err(RenderError::Size(format!(
            "a clip of {width}x{height} pixels was asked for: the limits are {EDGE_MIN} for the shorter edge at least, and \
             {CLIP_EDGE_MAX}x{CLIP_SHORT_EDGE_MAX} at most"
        )));
    }
    if !width.is_multiple_of(2) || !height.is_multiple_of(2) {
        return Err(RenderError::Size(format!(
            "a clip of {width}x{height} pixels was asked for: both edges must be even"
        )));
    }
    Ok(())
}

/// The number of frames of a checked length: at least one.
fn frames(duration_seconds: f64) -> u32 {
    (duration_seconds * f64::from(CLIP_FRAMES_PER_SECOND)).round().max(1.0) as u32
}

/// The view at a share of a path. The motion starts and stops softly.
fn along([from, to]: [View; 2], share: f32) -> View {
    let eased = share * share * (3.0 - 2.0 * share) * 0.5 + share * 0.5;
    let lerp = |a: f32, b: f32| a + (b - a) * eased;
    View {
        centre: (lerp(from.centre.0, to.centre.0), lerp(from.centre.1, to.centre.1)),
        zoom: lerp(from.zoom, to.zoom),
    }
}

/// A scene that is drawn many times. Consecutive layers that do not move are drawn once.
struct Stack {
    surface: Canvas,
    /// The pixels that every frame starts from.
    base: Vec<u8>,
    parts: Vec<Part>,
}

enum Part {
    Moving(Box<dyn Layer>),
    Still(Plate),
}

impl Stack {
    fn on(mut surface: Canvas, scene: Scene) -> Result<Self, RenderError> {
        let mut parts: Vec<Part> = vec![];
        let mut still: Option<Canvas> = None;
        for layer in scene {
            if layer.moves() {
                parts.extend(still.take().map(|canvas| Part::Still(Plate::of(canvas.pixmap))));
                parts.push(Part::Moving(layer));
            } else if parts.is_empty() {
                layer.draw(&mut surface, 0.0);
            } else {
                let plate = match &mut still {
                    Some(plate) => plate,
                    None => still.insert(Canvas::new(surface.pixmap.width(), surface.pixmap.height())?),
                };
                layer.draw(plate, 0.0);
            }
        }
        parts.extend(still.take().map(|canvas| Part::Still(Plate::of(canvas.pixmap))));
        let base = surface.pixmap.data().to_vec();
        Ok(Self { surface, base, parts })
    }

    fn draw(&mut self, seconds: f32) -> &Pixmap {
        self.surface.pixmap.data_mut().copy_from_slice(&self.base);
        for part in &self.parts {
            match part {
                Part::Moving(layer) => layer.draw(&mut self.surface, seconds),
                Part::Still(plate) => plate.lay_over(self.surface.pixmap.data_mut()),
            }
        }
        &self.surface.pixmap
    }
}

/// A drawn surface with transparent parts, and the runs of its pixels that are not transparent.
struct Plate {
    pixmap: Pixmap,
    runs: Vec<Run>,
}

/// Neighbouring pixels that are all opaque, or all translucent.
struct Run {
    bytes: std::ops::Range<usize>,
    opaque: bool,
}

impl Plate {
    fn of(pixmap: Pixmap) -> Self {
        let mut runs: Vec<Run> = vec![];
        for (index, pixel) in pixmap.data().chunks_exact(PIXEL).enumerate() {
            let opaque = match pixel[3] {
                0 => continue,
                alpha => alpha == u8::MAX,
            };
            let start = index * PIXEL;
            match runs.last_mut() {
                Some(run) if run.bytes.end == start && run.opaque == opaque => run.bytes.end += PIXEL,
                _ => runs.push(Run { bytes: start..start + PIXEL, opaque }),
            }
        }
        Self { pixmap, runs }
    }

    fn lay_over(&self, target: &mut [u8]) {
        for Run { bytes, opaque } in &self.runs {
            let (from, to) = (&self.pixmap.data()[bytes.clone()], &mut target[bytes.clone()]);
            if *opaque {
                to.copy_from_slice(from);
            } else {
                mix(from, to);
            }
        }
    }
}

/// Blends premultiplied pixels over opaque ones. It computes two bytes of a pixel at a time.
fn mix(from: &[u8], to: &mut [u8]) {
    for (from, to) in from.chunks_exact(PIXEL).zip(to.chunks_exact_mut(PIXEL)) {
        let (Ok(source), Ok(target)) = (from.try_into(), (&*to).try_into()) else {
            continue;
        };
        let (source, target) = (u32::from_le_bytes(source), u32::from_le_bytes(target));
        let alpha = source >> 24;
        let keep = 256 - (alpha + (alpha >> 7));
        let even = (((target & 0x00ff_00ff) * keep) >> 8) & 0x00ff_00ff;
        let odd = (((target >> 8) & 0x00ff_00ff) * keep) & 0xff00_ff00;
        to.copy_from_slice(&(source + (even | odd)).to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use openh264::decoder::Decoder;
    use openh264::formats::YUVSource;
    use std::ops::ControlFlow;

    fn order(prompt: &str) -> ClipOrder {
        ClipOrder {
            prompt: prompt.to_owned(),
            seed: 5,
            width: 128,
            height: 72,
            duration_seconds: 0.5,
            source: None,
        }
    }

    fn render(order: &ClipOrder) -> Result<Clip, RenderError> {
        clip(order, &mut |_| ControlFlow::Continue(()))
    }

    /// The content of the first box at a path of names.
    fn find<'a>(file: &'a [u8], path: &[&[u8; 4]]) -> Option<&'a [u8]> {
        let Some((name, inner)) = path.split_first() else {
            return Some(file);
        };
        let mut rest = file;
        while rest.len() >= 8 {
            let size = number(rest, 0) as usize;
            let content = rest.get(8..size)?;
            if rest[4..8] == name[..] {
                return find(content, inner);
            }
            rest = &rest[size..];
        }
        None
    }

    fn number(bytes: &[u8], at: usize) -> u32 {
        u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
    }

    /// The size and the mean luma of each decoded frame.
    fn decoded(mp4: &[u8]) -> Vec<(usize, usize, f64)> {
        let stbl = find(mp4, &[b"moov", b"trak", b"mdia", b"minf", b"stbl"]).expect("a sample table");
        let avcc = {
            let at = stbl.windows(4).position(|name| name == b"avcC").expect("a decoder configuration");
            &stbl[at + 4..]
        };
        // Version, profile and levels take 5 bytes; then one SPS and one PPS, each with its length in two bytes.
        let sps_len = usize::from(u16::from_be_bytes([avcc[6], avcc[7]]));
        let sps = &avcc[8..8 + sps_len];
        let pps = &avcc[8 + sps_len + 3..];
        let pps = &pps[..usize::from(u16::from_be_bytes([avcc[9 + sps_len], avcc[10 + sps_len]]))];
        let mut decoder = Decoder::new().expect("a decoder");
        let start = [0, 0, 0, 1];
        let header = [&start[..], sps, &start[..], pps].concat();
        decoder.decode(&header).expect("parameter sets");
        let (mut frames, mut rest) = (vec![], find(mp4, &[b"mdat"]).expect("samples"));
        let mut take = |image: Option<openh264::decoder::DecodedYUV<'_>>| {
            let Some(image) = image else { return };
            let ((width, height), luma) = (image.dimensions(), image.y());
            let sum: u64 = luma.iter().map(|value| u64::from(*value)).sum();
            frames.push((width, height, sum as f64 / luma.len() as f64));
        };
        while rest.len() > 4 {
            let size = number(rest, 0) as usize;
            let unit = [&start[..], &rest[4..4 + size]].concat();
            take(decoder.decode(&unit).expect("a frame that decodes"));
            rest = &rest[4 + size..];
        }
        for image in decoder.flush_remaining().expect("the last frames") {
            take(Some(image));
        }
        frames
    }

    #[test]
    fn a_clip_is_an_mp4_of_the_asked_size_and_length_that_decodes() {
        let clip = render(&order("a lighthouse in a storm")).expect("a clip");
        assert_eq!(clip.duration_seconds, 0.5);
        let names: Vec<&[u8]> = ["ftyp", "moov", "mdat"].iter().map(|name| name.as_bytes()).collect();
        let moov = 8 + find(&clip.mp4, &[b"ftyp"]).expect("a file type").len();
        let mdat = moov + 8 + find(&clip.mp4, &[b"moov"]).expect("a movie").len();
        assert_eq!(
            [&clip.mp4[4..8], &clip.mp4[moov + 4..moov + 8], &clip.mp4[mdat + 4..mdat + 8]],
            names[..]
        );
        let mvhd = find(&clip.mp4, &[b"moov", b"mvhd"]).expect("a movie header");
        assert_eq!(f64::from(number(mvhd, 16)) / f64::from(number(mvhd, 12)), 0.5);
        let stss =
            find(&clip.mp4, &[b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stss"]).expect("a sync table");
        assert_eq!((number(stss, 4), number(stss, 8)), (1, 1));
        let says = |text: &str| clip.mp4.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(find(&clip.mp4, &[b"uuid"]).is_some() && says("algorithmicMedia") && !says("lighthouse"));

        let frames = decoded(&clip.mp4);
        assert_eq!(frames.len(), 12);
        for (width, height, luma) in frames {
            assert_eq!((width, height), (128, 72));
            assert!((20.0..200.0).contains(&luma), "{luma}");
        }
    }

    #[test]
    fn the_bytes_depend_on_the_order_only() {
        let [one, same, other] =
            ["waves", "waves", "forest"].map(|prompt| render(&order(prompt)).expect("a clip").mp4);
        assert!(one == same && one != other);
    }

    #[test]
    fn a_source_image_fills_the_frame() {
        let mut file = std::io::Cursor::new(vec![]);
        image::RgbImage::from_pixel(40, 90, image::Rgb([250, 250, 250]))
            .write_to(&mut file, image::ImageFormat::Png)
            .expect("a PNG");
        let source =
            source::cover(file.get_ref(), 128, 72, &mut |_| ControlFlow::Continue(())).expect("a source");
        let clip = render(&ClipOrder { source: Some(source), ..order("") }).expect("a clip");
        for (_, _, luma) in decoded(&clip.mp4) {
            assert!(luma > 200.0, "{luma}");
        }
    }

    #[test]
    fn sizes_and_lengths_outside_the_limits_are_refused() {
        let base = order("waves");
        let orders = [
            ClipOrder { width: 129, ..base.clone() },
            ClipOrder { width: 1922, ..base.clone() },
            ClipOrder { width: 1920, height: 1920, ..base.clone() },
            ClipOrder { height: 14, ..base.clone() },
            ClipOrder { duration_seconds: 12.1, ..base.clone() },
            ClipOrder { duration_seconds: 0.0, ..base.clone() },
            ClipOrder { duration_seconds: f64::NAN, ..base },
        ];
        for order in orders {
            assert!(matches!(render(&order), Err(RenderError::Size(_))), "{order:?}");
        }
    }

    #[test]
    fn progress_rises_to_100_and_can_stop_the_work() {
        let mut reported = vec![];
        clip(&order("waves"), &mut |percent| {
            reported.push(percent);
            ControlFlow::Continue(())
        })
        .expect("a clip");
        assert!(reported.is_sorted() && reported.last() == Some(&100), "{reported:?}");
        let stopped = clip(&order("waves"), &mut |percent| match percent {
            ..50 => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        });
        assert!(matches!(stopped, Err(RenderError::Stopped)));
    }
}
