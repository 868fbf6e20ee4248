//! The memory that an order needs, computed before anything is drawn.

use super::JobError;
use super::rendering::Order;
use clipia_render::{CLIP_FRAMES_PER_SECOND, CLIP_SECONDS_MAX, ClipOrder, PictureOrder};

/// The most memory of one generation, in bytes: enough for 8 pictures of 4096x4096 with their files, or for 12 seconds of
/// 1920x1080. A server needs as much for each worker, and [`clipia_render::SOURCE_MEMORY_MAX`] for each source that it decodes.
pub(crate) const ORDER_MEMORY_MAX: u64 = 1024 * 1024 * 1024;

/// The most sources that are decoded at the same time.
pub(crate) const SOURCES_AT_ONCE_MAX: usize = 2;

/// The bytes per pixel while a picture is drawn and encoded: surfaces of four bytes, and the encoders' buffers.
const PICTURE_PIXEL_BYTES: u64 = 24;
/// The bytes per pixel in the files of a picture: a PNG that does not compress, and a WebP.
const PICTURE_FILES_PIXEL_BYTES: u64 = 4;
/// The bytes per pixel while a clip is drawn and encoded: a surface for each layer that does not move.
const CLIP_PIXEL_BYTES: u64 = 160;
/// The bytes of the longest sound, with its text.
const SOUND_BYTES: u64 = 32 * 1024 * 1024;

/// The most bytes that an order needs, without its source.
pub(crate) fn memory(order: &Order) -> u64 {
    let pixels = |width: u32, height: u32| u64::from(width) * u64::from(height);
    match order {
        Order::Pictures(orders) => {
            let sizes = orders.iter().map(|PictureOrder { width, height, .. }| pixels(*width, *height));
            let largest = sizes.clone().max().unwrap_or(0).saturating_mul(PICTURE_PIXEL_BYTES);
            sizes
                .fold(largest, |sum, size| sum.saturating_add(size.saturating_mul(PICTURE_FILES_PIXEL_BYTES)))
        }
        Order::Clip(ClipOrder { width, height, duration_seconds, .. }) => {
            // A float-to-integer cast saturates. The renderer refuses a longer clip.
            let frames =
                (duration_seconds.clamp(0.0, CLIP_SECONDS_MAX) * f64::from(CLIP_FRAMES_PER_SECOND)) as u64;
            // The file has at most one byte per pixel of a frame, with the spare capacity of its buffer.
            pixels(*width, *height).saturating_mul(CLIP_PIXEL_BYTES + frames)
        }
        Order::Sound(_) | Order::Music(_) => SOUND_BYTES,
    }
}

/// Refuses an order that needs more than [`ORDER_MEMORY_MAX`].
///
/// # Errors
/// [`JobError::Failed`] says how much memory the order would need.
pub(crate) fn check(order: &Order) -> Result<(), JobError> {
    let memory = memory(order);
    if memory > ORDER_MEMORY_MAX {
        const MIB: u64 = 1024 * 1024;
        return Err(JobError::Failed(format!(
            "this input takes {} MiB of memory, at most {} are given: ask for less in `num_images`, `resolution` or `duration`",
            memory / MIB,
            ORDER_MEMORY_MAX / MIB
        )));
    }
    Ok(())
}
