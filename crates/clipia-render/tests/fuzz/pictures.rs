//! Source images: the cost of decoding any file is bounded.

use crate::hostile;
use clipia_render::{RenderError, SOURCE_MEMORY_MAX, cover};
use image::{DynamicImage, ImageFormat};
use peak_alloc::PeakAlloc;
use proptest::collection::vec;
use proptest::prelude::*;
use std::io::Cursor;
use std::ops::ControlFlow;
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// The longest time of a file: much more than the slowest takes, and less than anybody would wait.
const TIME_MAX: Duration = Duration::from_secs(20);

/// The size of the frame. It is small, since scaling up takes most of the time and does not depend on the file.
const SMALL: (u32, u32) = (64, 36);

/// The result of a file: whether it was drawn, and the peak of memory beyond that before.
struct Tried {
    drawn: Result<(), String>,
    peak: u64,
    time: Duration,
}

/// Covers a frame of this size with a file. Files are decoded one at a time, since all threads share the measured allocator.
fn tried(file: &[u8], (width, height): (u32, u32)) -> Tried {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let since = Instant::now();
    let drawn = match cover(file, width, height, &mut |_| ControlFlow::Continue(())) {
        Ok(_) => Ok(()),
        Err(RenderError::SourceImage(reason)) => Err(reason),
        Err(other) => panic!("not the file's fault: {other}"),
    };
    let peak = ALLOCATOR.peak_usage().saturating_sub(before) as u64;
    Tried { drawn, peak, time: since.elapsed() }
}

#[test]
fn the_cost_of_a_hostile_picture_is_bounded() {
    let mut wrong = vec![];
    for hostile in hostile::pictures() {
        let Tried { drawn, peak, time } = tried(&hostile.file, (854, 480));
        let told = format!(
            "{:>7.3} s {:>7.1} MiB of memory, {:>8} bytes: {}: {drawn:?}",
            time.as_secs_f64(),
            peak as f64 / 1_048_576.0,
            hostile.file.len(),
            hostile.name
        );
        println!("{told}");
        let right = match (&drawn, hostile.refused) {
            (Ok(()), None) => true,
            (Err(reason), Some(why)) => reason.contains(why),
            _ => false,
        };
        // The file itself is the caller's memory.
        if !right || peak + hostile.file.len() as u64 > SOURCE_MEMORY_MAX || time > TIME_MAX {
            wrong.push(told);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A small picture in each format: lossy and lossless, with and without alpha.
static VALID: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let rgba = image::RgbaImage::from_fn(37, 23, |x, y| {
        image::Rgba([(x * 7) as u8, (y * 11) as u8, (x * y) as u8, (255 - x) as u8])
    });
    let rgba = DynamicImage::from(rgba);
    let images = [
        rgba.to_rgb8().into(),
        rgba.to_rgba8().into(),
        rgba.to_luma8().into(),
        DynamicImage::from(rgba.to_rgba16()),
    ];
    let mut files = vec![];
    for (image, format) in images.iter().flat_map(|image| {
        [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP].map(|format| (image, format))
    }) {
        let mut file = Cursor::new(vec![]);
        if image.write_to(&mut file, format).is_ok() {
            files.push(file.into_inner());
        }
    }
    let (rgb, rgba) = (images[0].to_rgb8(), images[1].to_rgba8());
    for encoder in [webp::Encoder::from_rgb(&rgb, 37, 23), webp::Encoder::from_rgba(&rgba, 37, 23)] {
        files.extend([encoder.encode(70.0).to_vec(), encoder.encode_lossless().to_vec()]);
    }
    files.extend(
        hostile::pictures().into_iter().map(|hostile| hostile.file).filter(|file| file.len() < 1_024),
    );
    files
});

#[test]
fn each_format_is_drawn_and_refused() {
    let files = &*VALID;
    let count = |magic: &[u8], drawn: bool| {
        files
            .iter()
            .filter(|file| file.starts_with(magic) && tried(file, SMALL).drawn.is_ok() == drawn)
            .count()
    };
    for magic in [&b"\x89PNG"[..], b"\xff\xd8", b"RIFF"] {
        assert!(count(magic, true) >= 2, "{magic:?}: drawn {}", count(magic, true));
    }
    for magic in [&b"\x89PNG"[..], b"\xff\xd8"] {
        assert!(count(magic, false) >= 1, "{magic:?}: refused {}", count(magic, false));
    }
}

/// A change of a file.
#[derive(Clone, Debug)]
enum Edit {
    Byte(prop::sample::Index, u8),
    /// Sizes and lengths are numbers of two and four bytes.
    Number(prop::sample::Index, u32, usize),
    Cut(prop::sample::Index),
    Double(prop::sample::Index, prop::sample::Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    let index = any::<prop::sample::Index>;
    let extreme = prop_oneof![
        any::<u32>(),
        proptest::sample::select(vec![0, 1, 0x3fff, 0x7fff, 0xffff, 8_192, u32::MAX, i32::MAX as u32])
    ];
    prop_oneof![
        4 => (index(), any::<u8>()).prop_map(|(at, byte)| Edit::Byte(at, byte)),
        3 => (index(), extreme, proptest::sample::select(vec![2, 4])).prop_map(|(at, number, width)| Edit::Number(at, number, width)),
        1 => index().prop_map(Edit::Cut),
        1 => (index(), index()).prop_map(|(from, to)| Edit::Double(from, to)),
    ]
}

fn edited(mut file: Vec<u8>, edits: &[Edit]) -> Vec<u8> {
    for edit in edits {
        let length = file.len().max(1);
        match edit {
            Edit::Byte(at, byte) => {
                if let Some(place) = file.get_mut(at.index(length)) {
                    *place = *byte;
                }
            }
            Edit::Number(at, number, width) => {
                // Most numbers are in the first bytes.
                let at = at.index(length.min(80));
                let bytes = if number % 2 == 0 { number.to_be_bytes() } else { number.to_le_bytes() };
                let bytes = if number % 2 == 0 { &bytes[4 - width..] } else { &bytes[..*width] };
                if let Some(place) = file.get_mut(at..at + width) {
                    place.copy_from_slice(bytes);
                }
            }
            Edit::Cut(at) => file.truncate(at.index(length)),
            Edit::Double(from, to) => {
                let (from, to) = (from.index(length), to.index(length));
                let doubled = file.get(from.min(to)..from.max(to)).unwrap_or_default().to_vec();
                file.splice(from.max(to).min(file.len())..from.max(to).min(file.len()), doubled);
            }
        }
    }
    file
}

/// The file with correct checksums of its chunks: a decoder refuses a chunk with a wrong one before it reads it.
fn with_checksums(mut file: Vec<u8>) -> Vec<u8> {
    let mut at = 8;
    while file.starts_with(b"\x89PNG") && at + 12 <= file.len() {
        let length = u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as usize;
        let Some(end) = at.checked_add(8 + length).filter(|end| end + 4 <= file.len()) else { break };
        let mut crc = flate2::Crc::new();
        crc.update(&file[at + 4..end]);
        file[end..end + 4].copy_from_slice(&crc.sum().to_be_bytes());
        at = end + 4;
    }
    file
}

proptest! {
    /// Any file is drawn, or refused with a reason, within the bounds on memory and time.
    #[test]
    fn any_picture_is_drawn_or_refused_within_its_bounds(
        file in prop_oneof![
            9 => proptest::sample::select(VALID.clone()),
            1 => vec(any::<u8>(), 0..400),
        ],
        edits in vec(edit(), 0..5),
    ) {
        let file = with_checksums(edited(file, &edits));
        let Tried { drawn, peak, time } = tried(&file, SMALL);
        prop_assert!(peak + file.len() as u64 <= SOURCE_MEMORY_MAX, "{peak} bytes of memory: {drawn:?}");
        prop_assert!(time < TIME_MAX, "{time:?}: {drawn:?}");
        if let Err(reason) = drawn {
            prop_assert!(!reason.is_empty() && reason.len() < 500, "{reason}");
        }
    }
}
