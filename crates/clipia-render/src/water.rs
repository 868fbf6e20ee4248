//! Calm water, which mirrors the scene above it.

use super::canvas::{Canvas, add_polygon, sheer};
use super::colour::Colour;
use super::palette::Palette;
use super::random::Random;
use super::scene::Layer;
use std::f32::consts::TAU;
use tiny_skia::PathBuilder;

/// Bytes of a pixel.
const PIXEL: usize = 4;

/// Water with a mirror image of the canvas above the horizon, broken by ripples.
pub(super) struct Mirror {
    pub(super) palette: Palette,
    pub(super) horizon: f32,
    /// The position of the light source, whose light glitters on the water.
    pub(super) light_x: f32,
    /// The strength of the ripples, 0.0..=1.0.
    pub(super) ripple: f32,
    /// The strength of the glitter, 0.0..=1.0.
    pub(super) glitter: f32,
    pub(super) seed: u64,
}

impl Layer for Mirror {
    fn draw(&self, canvas: &mut Canvas, seconds: f32) {
        self.reflect(canvas, seconds);
        self.draw_glitter(canvas, seconds);
    }

    fn moves(&self) -> bool {
        true
    }
}

impl Mirror {
    /// Copies each row from its mirror position above the horizon, shifts it by the ripple, and tints it.
    fn reflect(&self, canvas: &mut Canvas, seconds: f32) {
        let (width, height) = (canvas.pixmap.width() as usize, canvas.pixmap.height() as usize);
        let shore = ((self.horizon * height as f32) as usize).clamp(1, height);
        let stride = width * PIXEL;
        let (above, below) = canvas.pixmap.data_mut().split_at_mut(shore * stride);
        let rows = height - shore;
        let squeeze = (shore as f32 / rows.max(1) as f32 * 0.96).min(1.15);
        for (row, target) in below.chunks_exact_mut(stride).enumerate() {
            let depth = row as f32 / rows as f32;
            // Ripples are long and low near the viewer, fine and close at the horizon.
            let phase = depth.powf(0.55) * 62.0;
            let wave = (phase - seconds * 1.9).sin() + 0.6 * (phase * 2.3 + seconds * 1.3).sin();
            let shift = wave * self.ripple * (0.0015 + 0.009 * depth) * height as f32;
            let bob = (phase * 1.7 + seconds * 2.2).sin() * self.ripple * 0.012 * depth * height as f32;
            let from =
                (shore as f32 - 1.0 - row as f32 * squeeze + bob).clamp(0.0, shore as f32 - 1.0) as usize;
            copy_shifted(&above[from * stride..(from + 1) * stride], target, shift as isize);
            let crest = 0.06 * wave.max(0.0) * self.ripple;
            let tint = self.palette.water.mix(self.palette.sky[3], crest);
            blend_row(target, tint, 0.16 + 0.56 * depth.sqrt());
        }
    }

    /// Short strokes of light, densest under the light.
    fn draw_glitter(&self, canvas: &mut Canvas, seconds: f32) {
        let aspect = canvas.aspect();
        let mut random = Random::new(self.seed);
        let mut bright = PathBuilder::new();
        let mut faint = PathBuilder::new();
        for index in 0..(260.0 * self.glitter) as usize {
            let depth = random.unit().powf(1.6);
            let y = self.horizon + 0.004 + (0.99 - self.horizon) * depth;
            let in_path = index % 3 != 0;
            let spread = if in_path { 0.02 + 0.12 * depth } else { aspect };
            let offset = (random.unit() + random.unit() - 1.0) * spread;
            let x = self.light_x + offset;
            let twinkle = 0.5 + 0.5 * (seconds * random.range(1.0, 2.6) + random.range(0.0, TAU)).sin();
            let half = (0.006 + 0.03 * depth) * random.range(0.4, 1.3) * (0.25 + 0.75 * twinkle);
            let thick = (0.0007 + 0.0026 * depth) * (0.5 + 0.5 * twinkle);
            let lens = [(x - half, y), (x, y - thick), (x + half, y), (x, y + thick)];
            add_polygon(if in_path { &mut bright } else { &mut faint }, &lens);
        }
        let light = self.palette.disc.mix(self.palette.glow, 0.45);
        canvas.lighten(bright.finish(), sheer(light, 0.75));
        canvas.lighten(faint.finish(), sheer(light, 0.28));
    }
}

/// Copies a row, shifted sideways by whole pixels. The edge pixel fills the gap.
fn copy_shifted(from: &[u8], to: &mut [u8], shift: isize) {
    let most = from.len() / PIXEL - 1;
    let offset = shift.unsigned_abs().min(most) * PIXEL;
    let kept = from.len() - offset;
    if shift >= 0 {
        to[offset..].copy_from_slice(&from[..kept]);
        to[..offset].chunks_exact_mut(PIXEL).for_each(|pixel| pixel.copy_from_slice(&from[..PIXEL]));
    } else {
        to[..kept].copy_from_slice(&from[offset..]);
        to[kept..]
            .chunks_exact_mut(PIXEL)
            .for_each(|pixel| pixel.copy_from_slice(&from[from.len() - PIXEL..]));
    }
}

/// Covers a row of opaque pixels with a colour of some opacity.
fn blend_row(row: &mut [u8], colour: Colour, opacity: f32) {
    let share = (opacity.clamp(0.0, 1.0) * 256.0) as u32;
    let scaled = |part: f32| (part * 255.0) as u32 * share + 128;
    let tint = [scaled(colour.r), scaled(colour.g), scaled(colour.b), 255 * share];
    let keep = 256 - share;
    for pixel in row.chunks_exact_mut(PIXEL) {
        for (part, tint) in pixel.iter_mut().zip(tint) {
            *part = ((u32::from(*part) * keep + tint) >> 8) as u8;
        }
    }
}
