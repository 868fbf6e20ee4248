//! What drawing an order may take of memory, computed before anything is drawn.

use super::NotMade;
use super::rendering::Order;
use clipia_render::{CLIP_FRAMES_PER_SECOND, CLIP_SECONDS_MAX, ClipOrder, PictureOrder};

/// Most memory that one generation takes, in bytes: what 8 pictures of 4096x4096 need with their files, or 12 seconds of
/// 1920x1080. A server takes it times its workers, and [`clipia_render::SOURCE_MEMORY_MAX`] for each source that is being decoded.
pub(crate) const ORDER_MEMORY_MAX: u64 = 1024 * 1024 * 1024;

/// How many sources are decoded at the same time.
pub(crate) const SOURCES_AT_ONCE_MAX: usize = 2;

/// Bytes of a pixel while a picture is drawn and encoded: surfaces of four bytes, and what the encoders keep.
const PICTURE_PIXEL: u64 = 24;
/// Bytes of a pixel in the files of a picture: a PNG that does not compress, and a WebP.
const PICTURE_FILES_PIXEL: u64 = 4;
/// Bytes of a pixel while a clip is drawn and encoded: a surface for each part that stands still.
const CLIP_PIXEL: u64 = 160;
/// Bytes of a sound of the longest length, with its text.
const SOUND: u64 = 32 * 1024 * 1024;

/// The most bytes that an order takes, a source not counted.
pub(crate) fn memory(order: &Order) -> u64 {
    let pixels = |width: u32, height: u32| u64::from(width) * u64::from(height);
    match order {
        Order::Pictures(orders) => {
            let sizes = orders.iter().map(|PictureOrder { width, height, .. }| pixels(*width, *height));
            let largest = sizes.clone().max().unwrap_or(0).saturating_mul(PICTURE_PIXEL);
            sizes.fold(largest, |sum, size| sum.saturating_add(size.saturating_mul(PICTURE_FILES_PIXEL)))
        }
        Order::Clip(ClipOrder { width, height, duration_seconds, .. }) => {
            // A cast saturates, and what is longer is refused.
            let frames =
                (duration_seconds.clamp(0.0, CLIP_SECONDS_MAX) * f64::from(CLIP_FRAMES_PER_SECOND)) as u64;
            // One byte of a file for a pixel of a frame, with the room that it grows into.
            pixels(*width, *height).saturating_mul(CLIP_PIXEL + frames)
        }
        Order::Sound(_) | Order::Music(_) => SOUND,
    }
}

/// Refuses an order that takes more than [`ORDER_MEMORY_MAX`].
///
/// # Errors
/// Says how much it would take.
pub(crate) fn check(order: &Order) -> Result<(), NotMade> {
    let memory = memory(order);
    if memory > ORDER_MEMORY_MAX {
        const MIB: u64 = 1024 * 1024;
        return Err(NotMade::Failed(format!(
            "this input takes {} MiB of memory, at most {} are given: ask for less in `num_images`, `resolution` or `duration`",
            memory / MIB,
            ORDER_MEMORY_MAX / MIB
        )));
    }
    Ok(())
}
