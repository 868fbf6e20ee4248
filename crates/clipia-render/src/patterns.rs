//! Abstract patterns for prompts with unknown words. Every prompt gets a composition of its own.

use super::canvas::{Blend, Canvas, add_polygon, around, between, disc, flat, halo, sheer};
use super::colour::{Colour, WHITE};
use super::palette::Palette;
use super::random::{Random, fractal};
use super::scene::Layer;
use std::f32::consts::TAU;
use tiny_skia::{Path, PathBuilder, Transform};

/// Bands that flow from side to side, one over the other.
pub(super) struct Ribbons {
    pub(super) palette: Palette,
    pub(super) hues: [Colour; 4],
    pub(super) seed: u64,
}

impl Layer for Ribbons {
    fn draw(&self, canvas: &mut Canvas, seconds: f32) {
        let aspect = canvas.aspect();
        let mut random = Random::new(self.seed);
        let bands = 7 + random.below(4);
        let slope = random.range(-0.32, 0.32);
        let waviness = random.range(0.7, 1.5);
        let centre = random.range(0.46, 0.6);
        for band in 0..bands {
            let depth = band as f32 / (bands - 1) as f32;
            let seed = random.next();
            let middle = centre - 0.24 + 0.6 * depth;
            let thick = random.range(0.06, 0.13) * (0.7 + 0.8 * depth);
            let edge = |x: f32, side: f32| {
                let u = x * waviness + band as f32 * 0.33 + seconds * 0.035 * (1.0 + depth);
                let sway = 0.15 * fractal(self.seed ^ 21, u, 2) + 0.07 * fractal(seed, u * 1.7, 2);
                let pinch = 0.35 + 0.65 * (0.5 + 0.5 * fractal(seed ^ 5, u * 1.2 + side, 2));
                middle + slope * (x - aspect / 2.0) + sway + side * thick * pinch
            };
            let colour = self.hue(depth);
            let ink = between(
                (0.0, middle - thick * 2.0),
                (aspect, middle + thick * 2.0),
                &[
                    (0.0, colour.turned(-22.0).lighter(0.12).fade(0.94)),
                    (0.5, colour.fade(0.9)),
                    (1.0, colour.turned(24.0).darker(0.22).fade(0.95)),
                ],
            );
            // A shadow separates each band from the band behind it.
            canvas.fill(
                strip(aspect, |x| edge(x, 0.2) + 0.012, |x| edge(x, 1.0) + 0.02),
                sheer(self.palette.near, 0.2),
            );
            canvas.fill(strip(aspect, |x| edge(x, -1.0), |x| edge(x, 1.0)), ink);
            canvas.fill(strip(aspect, |x| edge(x, -1.0), |x| edge(x, -1.0) + 0.0028), sheer(WHITE, 0.5));
            canvas.fill(strip(aspect, |x| edge(x, -0.4), |x| edge(x, -0.4) + 0.0016), sheer(WHITE, 0.16));
        }
    }

    fn moves(&self) -> bool {
        true
    }
}

impl Ribbons {
    fn hue(&self, depth: f32) -> Colour {
        let at = depth * 3.0;
        let index = (at as usize).min(2);
        self.hues[index].mix(self.hues[index + 1], at - index as f32)
    }
}

/// The area between two lines from side to side.
fn strip(aspect: f32, top: impl Fn(f32) -> f32, bottom: impl Fn(f32) -> f32) -> Option<Path> {
    let count = (aspect * 45.0) as usize + 2;
    let at = |index: usize| -0.02 + (aspect + 0.04) * index as f32 / count as f32;
    let mut points: Vec<(f32, f32)> = (0..=count).map(|index| (at(index), top(at(index)))).collect();
    points.extend((0..=count).rev().map(|index| (at(index), bottom(at(index)))));
    let mut builder = PathBuilder::new();
    add_polygon(&mut builder, &points);
    builder.finish()
}

/// Spheres on rings around a light.
pub(super) struct Orbits {
    pub(super) palette: Palette,
    pub(super) hues: [Colour; 4],
    pub(super) centre: (f32, f32),
    pub(super) seed: u64,
}

impl Layer for Orbits {
    fn draw(&self, canvas: &mut Canvas, seconds: f32) {
        let mut random = Random::new(self.seed);
        let (x, y) = self.centre;
        let rings = 5 + random.below(4);
        let (squash, tilt) = (random.range(0.32, 0.62), random.range(-26.0, 26.0));
        let plane = Transform::from_scale(1.0, squash).post_rotate(tilt).post_translate(x, y);
        let core = 0.055 + 0.03 * random.unit();
        canvas.lighten(disc(x, y, core * 6.0), halo((x, y), core * 6.0, self.hues[0], 0.7));
        let stops =
            [(0.0, WHITE.opaque()), (0.6, self.hues[0].lighter(0.35).opaque()), (1.0, self.hues[0].opaque())];
        canvas.fill(disc(x, y, core), around((x - core * 0.25, y - core * 0.25), core * 1.3, &stops));
        for ring in 0..rings {
            let radius = core + 0.065 + 0.085 * ring as f32 + random.range(-0.012, 0.012);
            let hue = self.hues[ring % 4].lighter(0.3);
            canvas.stroke(disc(0.0, 0.0, radius), sheer(hue, 0.55), 0.0016, plane);
            if ring % 2 == 1 {
                canvas.stroke(disc(0.0, 0.0, radius), sheer(hue, 0.09), 0.03, plane);
            }
            for moon in 0..=random.below(3) {
                let angle = random.range(0.0, TAU) + seconds * 0.5 / (1.0 + ring as f32 * 0.6);
                let mut at = [tiny_skia::Point::from_xy(radius * angle.cos(), radius * angle.sin())];
                plane.map_points(&mut at);
                let size = random.range(0.007, 0.03) * if moon == 0 { 1.0 } else { 0.4 };
                let colour = self.hues[(ring + moon) % 4];
                draw_sphere(canvas, (at[0].x, at[0].y), size, colour, self.centre, self.palette.near);
            }
        }
    }

    fn moves(&self) -> bool {
        true
    }
}

fn draw_sphere(
    canvas: &mut Canvas,
    (x, y): (f32, f32),
    radius: f32,
    colour: Colour,
    light: (f32, f32),
    dark: Colour,
) {
    let (dx, dy) = (light.0 - x, light.1 - y);
    let length = (dx * dx + dy * dy).sqrt().max(0.001);
    let focus = (x + dx / length * radius * 0.5, y + dy / length * radius * 0.5);
    canvas.lighten(disc(x, y, radius * 2.2), halo((x, y), radius * 2.2, colour, 0.3));
    let stops =
        [(0.0, colour.lighter(0.6).opaque()), (0.4, colour.opaque()), (1.0, colour.mix(dark, 0.7).opaque())];
    canvas.fill(disc(x, y, radius), around(focus, radius * 1.7, &stops));
}

/// Arches within arches along the ground, like a row of rising suns.
pub(super) struct Arches {
    pub(super) palette: Palette,
    pub(super) hues: [Colour; 4],
    pub(super) base: f32,
    pub(super) seed: u64,
}

impl Layer for Arches {
    fn draw(&self, canvas: &mut Canvas, seconds: f32) {
        let aspect = canvas.aspect();
        let mut random = Random::new(self.seed);
        let count = 6 + random.below(5);
        for index in 0..count {
            let depth = index as f32 / count as f32;
            let x = aspect
                * (0.5
                    + (0.62 - 0.12 * depth)
                        * ((index as f32 * 0.618_034 + random.range(0.0, 0.1)).fract() * 2.0 - 1.0));
            let base = self.base + 0.26 * depth;
            let radius = random.range(0.13, 0.3) * (1.05 - 0.4 * depth);
            let rise = random.range(0.85, 1.5);
            let bands = 4 + random.below(4);
            let from = random.below(4);
            for band in 0..bands {
                let share = 1.0 - band as f32 / bands as f32;
                let breath = 1.0 + 0.02 * (seconds * 0.9 + index as f32 + band as f32 * 0.5).sin();
                let place = Transform::from_scale(radius * share, radius * share * rise * breath)
                    .post_translate(x, base);
                let colour = self.hues[(from + band) % 4].mix(self.palette.haze(), 0.3 * (1.0 - depth));
                let ink = between(
                    (0.0, -1.0),
                    (0.0, 0.1),
                    &[
                        (0.0, colour.lighter(0.16).opaque()),
                        (1.0, colour.mix(self.palette.near, 0.22).opaque()),
                    ],
                );
                let mut arch = PathBuilder::new();
                arch.move_to(-1.0, 4.0);
                arch.line_to(-1.0, 0.0);
                arch.cubic_to(-1.0, -1.333, 1.0, -1.333, 1.0, 0.0);
                arch.line_to(1.0, 4.0);
                arch.close();
                canvas.fill_placed(arch.finish(), ink, place, Blend::Over);
            }
        }
        let mut specks = PathBuilder::new();
        for _ in 0..40 {
            specks.push_circle(
                random.range(0.0, aspect),
                random.range(0.05, self.base),
                random.range(0.001, 0.004),
            );
        }
        canvas.fill(specks.finish(), flat(self.hues[0].lighter(0.7)));
    }

    fn moves(&self) -> bool {
        true
    }
}
