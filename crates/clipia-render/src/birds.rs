//! A flock of birds in the distance.

use super::canvas::{Canvas, flat};
use super::colour::Colour;
use super::random::Random;
use super::scene::Layer;
use std::f32::consts::TAU;
use tiny_skia::PathBuilder;

/// A flock in flight.
pub(super) struct Birds {
    pub(super) colour: Colour,
    pub(super) centre: (f32, f32),
    /// The wing span of the nearest bird, in units.
    pub(super) span: f32,
    pub(super) count: usize,
    pub(super) seed: u64,
}

impl Layer for Birds {
    fn draw(&self, canvas: &mut Canvas, seconds: f32) {
        let mut random = Random::new(self.seed);
        let mut flock = PathBuilder::new();
        for index in 0..self.count {
            let size = self.span * if index == 0 { 1.0 } else { random.range(0.35, 0.85) };
            let spread = 2.2 + self.count as f32 * 0.42;
            let x = self.centre.0
                + random.range(-spread, spread) * self.span
                + seconds * (0.012 + 0.01 * size / self.span);
            let y = self.centre.1
                + random.range(-1.7, 1.7) * self.span
                + 0.004 * (seconds * 0.8 + index as f32).sin();
            let beat = (random.range(0.0, TAU) + seconds * random.range(4.5, 6.5)).sin();
            add_bird(&mut flock, (x, y), size, beat, random.range(-0.12, 0.12));
        }
        canvas.fill(flock.finish(), flat(self.colour));
    }

    fn moves(&self) -> bool {
        true
    }
}

/// Adds a distant gull. `beat` is from -1.0 (wings down) to 1.0 (wings up).
fn add_bird(flock: &mut PathBuilder, (x, y): (f32, f32), span: f32, beat: f32, lean: f32) {
    let half = span / 2.0;
    let tip = -0.16 - 0.3 * beat;
    let knee = -0.34 - 0.12 * beat;
    let mut wing = |side: f32| {
        let at = |dx: f32, dy: f32| (x + side * dx * half, y + (dy + side * dx * lean) * half);
        let (a, b, c, d) = (at(0.0, -0.02), at(0.28, knee), at(0.62, knee * 0.9), at(1.0, tip));
        let (e, f, g) = (at(0.6, knee * 0.9 + 0.16), at(0.3, knee + 0.24), at(0.0, 0.13));
        flock.move_to(a.0, a.1);
        flock.cubic_to(b.0, b.1, c.0, c.1, d.0, d.1);
        flock.cubic_to(e.0, e.1, f.0, f.1, g.0, g.1);
        flock.close();
    };
    wing(1.0);
    wing(-1.0);
    flock.push_circle(x, y + 0.05 * half, 0.085 * half);
}
