//! A view of a drawn surface that can zoom in. It samples with linear interpolation, in integer arithmetic.

use tiny_skia::Pixmap;

/// Bytes of a pixel.
const PIXEL: usize = 4;

/// The visible part of a surface.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    /// The centre, as shares of the surface's width and height.
    pub(super) centre: (f32, f32),
    /// The zoom. 1.0 shows as much as fits, and 2.0 half of that in each direction.
    pub(super) zoom: f32,
}

/// A position between two pixels: the index of the first one, and the weight of the second one in 256ths.
type Between = (usize, u32);

/// Fills `frame` (RGBA, `width` by `height`) with the part of `surface` that the view shows. A view never leaves the surface.
pub(super) fn look(surface: &Pixmap, view: View, frame: &mut [u8], width: usize, height: usize) {
    let fit = (surface.width() as f32 / width as f32).min(surface.height() as f32 / height as f32);
    let step = fit / view.zoom.max(1.0);
    let columns = samples(view.centre.0, step, surface.width() as usize, width);
    let rows = samples(view.centre.1, step, surface.height() as usize, height);
    sample(surface, &columns, &rows, frame);
}

/// Fills `frame`, the upper rows of an image `width` by `height`, with the upper rows of `small` at that size.
pub(super) fn enlarge(small: &Pixmap, frame: &mut [u8], width: usize, height: usize) {
    let (small_width, small_height) = (small.width() as usize, small.height() as usize);
    let columns = samples(0.5, small_width as f32 / width as f32, small_width, width);
    let rows = samples(0.5, small_height as f32 / height as f32, small_height, height);
    sample(small, &columns, &rows, frame);
}

fn sample(surface: &Pixmap, columns: &[Between], rows: &[Between], frame: &mut [u8]) {
    let stride = surface.width() as usize * PIXEL;
    let data = surface.data();
    // The mix of the two rows around a line, in 256ths. The last pixel comes twice, since it has no right neighbour.
    let mut mixed = vec![0_u16; stride + PIXEL];
    for (target, (row, share)) in frame.chunks_exact_mut(columns.len() * PIXEL).zip(rows) {
        let upper = &data[row * stride..(row + 1) * stride];
        let lower_row = (row + 1).min(surface.height() as usize - 1);
        let lower = &data[lower_row * stride..(lower_row + 1) * stride];
        let (keep, take) = ((256 - share) as u16, *share as u16);
        for ((mixed, upper), lower) in mixed.iter_mut().zip(upper).zip(lower) {
            // 255 * 256 fits in 16 bits.
            *mixed = u16::from(*upper) * keep + u16::from(*lower) * take;
        }
        mixed.copy_within(stride - PIXEL..stride, stride);
        for (pixel, (column, share)) in target.chunks_exact_mut(PIXEL).zip(columns) {
            let pair = &mixed[column * PIXEL..(column + 2) * PIXEL];
            for part in 0..PIXEL {
                let sum = u32::from(pair[part]) * (256 - share) + u32::from(pair[part + PIXEL]) * share;
                pixel[part] = (sum >> 16) as u8;
            }
        }
    }
}

/// The positions of `count` pixels on a surface `size` wide.
fn samples(centre: f32, step: f32, size: usize, count: usize) -> Vec<Between> {
    let half = step * count as f32 / 2.0;
    let most = (size as f32 - 2.0 * half).max(0.0);
    let start = (centre * size as f32 - half).clamp(0.0, most);
    (0..count)
        .map(|index| {
            let at = (start + (index as f32 + 0.5) * step - 0.5).clamp(0.0, size as f32 - 1.0);
            let first = at as usize;
            (first, ((at - first as f32) * 256.0) as u32)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_view_is_the_surface_itself() {
        let mut surface = Pixmap::new(8, 6).expect("a small surface");
        for (index, byte) in surface.data_mut().iter_mut().enumerate() {
            *byte = (index * 5 % 251) as u8;
        }
        let mut frame = vec![0; 8 * 6 * PIXEL];
        look(&surface, View { centre: (0.5, 0.5), zoom: 1.0 }, &mut frame, 8, 6);
        assert_eq!(frame, surface.data());
    }
}
