//! A city: rows of buildings, their windows and signs.

use super::canvas::{Canvas, add_polygon, between, disc, down, flat, halo, rectangle, sheer};
use super::colour::Colour;
use super::random::Random;
use super::scene::{Layer, Stage};
use tiny_skia::PathBuilder;

/// One row of buildings.
pub(super) struct Skyline {
    pub(super) stage: Stage,
    pub(super) base: f32,
    /// The heights of the lowest and the highest building, in units.
    pub(super) heights: (f32, f32),
    /// 0.0 the farthest row, 1.0 the nearest.
    pub(super) depth: f32,
    /// Whether signs and edges glow.
    pub(super) neon: bool,
    pub(super) seed: u64,
}

struct Building {
    left: f32,
    right: f32,
    top: f32,
    /// The form of the top: 0 flat, 1 stepped, 2 slanted, 3 spire, 4 dome.
    crown: usize,
    seed: u64,
}

const SIGNS: [u32; 6] = [0xff3d9a, 0x35f0ff, 0xffd23d, 0x9d5bff, 0x4dff9a, 0xff6a3d];

impl Skyline {
    fn buildings(&self) -> Vec<Building> {
        let mut random = Random::new(self.seed);
        let mut buildings = vec![];
        let mut x = -0.05;
        let aspect = self.stage.aspect;
        while x < aspect + 0.05 {
            let width = random.range(0.045, 0.11) * (0.7 + 0.6 * self.depth);
            // Towers gather in the middle.
            let middle = 1.0 - ((x + width / 2.0) / aspect * 2.0 - 1.0).abs();
            let tall = random.unit().powf(1.4) * (0.45 + 0.55 * middle);
            buildings.push(Building {
                left: x,
                right: x + width,
                top: self.base - self.heights.0 - (self.heights.1 - self.heights.0) * tall,
                crown: random.below(6),
                seed: random.next(),
            });
            x += width * random.range(0.82, 1.12);
        }
        buildings
    }

    fn body(&self, building: &Building) -> Option<tiny_skia::Path> {
        let Building { left, right, top, crown, .. } = *building;
        let (width, middle) = (right - left, (left + right) / 2.0);
        let mut builder = PathBuilder::new();
        add_polygon(
            &mut builder,
            &[(left, self.base + 0.01), (left, top), (right, top), (right, self.base + 0.01)],
        );
        match crown {
            1 => {
                let (a, b) = (width * 0.18, width * 0.32);
                add_polygon(
                    &mut builder,
                    &[(left + a, top), (left + a, top - a), (right - a, top - a), (right - a, top)],
                );
                add_polygon(
                    &mut builder,
                    &[
                        (left + b, top - a),
                        (left + b, top - a * 2.2),
                        (right - b, top - a * 2.2),
                        (right - b, top - a),
                    ],
                );
            }
            2 => add_polygon(&mut builder, &[(left, top), (right, top - width * 0.5), (right, top)]),
            3 => {
                let half = width * 0.04;
                add_polygon(
                    &mut builder,
                    &[(left + width * 0.2, top), (middle, top - width * 0.4), (right - width * 0.2, top)],
                );
                add_polygon(
                    &mut builder,
                    &[(middle - half, top), (middle, top - width * 1.5), (middle + half, top)],
                );
            }
            4 => {
                builder.move_to(left, top);
                builder.cubic_to(left, top - width * 0.6, right, top - width * 0.6, right, top);
                builder.close();
            }
            _ => {
                add_polygon(
                    &mut builder,
                    &[
                        (middle - 0.001, top),
                        (middle - 0.001, top - width * 0.4),
                        (middle + 0.001, top - width * 0.4),
                        (middle + 0.001, top),
                    ],
                );
            }
        }
        builder.finish()
    }

    fn draw_windows(&self, canvas: &mut Canvas, building: &Building, wall: Colour) {
        let mut random = Random::new(building.seed);
        let palette = &self.stage.palette;
        let size = 0.0042 + 0.0035 * self.depth;
        let share = 0.12 + 0.42 * palette.darkness * random.range(0.5, 1.3);
        let columns = ((building.right - building.left) / (size * 1.9)) as usize;
        let rows = ((self.base - building.top) / (size * 2.5)) as usize;
        let margin = (building.right - building.left - columns as f32 * size * 1.9) / 2.0;
        let (mut warm, mut cool, mut blind) = (PathBuilder::new(), PathBuilder::new(), PathBuilder::new());
        for row in 0..rows {
            for column in 0..columns {
                let x = building.left + margin + (column as f32 + 0.25) * size * 1.9;
                let y = building.top + (row as f32 + 0.7) * size * 2.5;
                let pane = [(x, y), (x + size, y), (x + size, y + size * 1.4), (x, y + size * 1.4)];
                let list = match random.unit() {
                    chance if chance < share * 0.75 => &mut warm,
                    chance if chance < share => &mut cool,
                    _ => &mut blind,
                };
                add_polygon(list, &pane);
            }
        }
        let neon = Colour::hex(SIGNS[random.below(SIGNS.len())]);
        let lamp = if self.neon { Colour::hex(0xffd9a0) } else { palette.lamp };
        let other = if self.neon { neon } else { palette.lamp.mix(Colour::hex(0xcfe8ff), 0.6) };
        canvas.fill(blind.finish(), sheer(wall.mix(palette.sky[2], 0.3), 0.5));
        let strength = 0.35 + 0.65 * palette.darkness;
        canvas.fill(warm.finish(), sheer(lamp, 0.92 * strength));
        canvas.fill(cool.finish(), sheer(other, 0.9 * strength));
    }

    /// A sign down the wall, or a line of light around the roof.
    fn draw_sign(&self, canvas: &mut Canvas, building: &Building) {
        let mut random = Random::new(building.seed ^ 0x51);
        let colour = Colour::hex(SIGNS[random.below(SIGNS.len())]);
        let Building { left, right, top, .. } = *building;
        let width = right - left;
        if random.chance(0.5) {
            let x = left + width * random.range(0.2, 0.7);
            let (wide, tall) = (width * 0.17, (self.base - top) * random.range(0.25, 0.5));
            let y = top + (self.base - top) * random.range(0.08, 0.2);
            let centre = (x + wide / 2.0, y + tall / 2.0);
            canvas.lighten(disc(centre.0, centre.1, tall), halo(centre, tall, colour, 0.5));
            canvas.fill(rectangle(x, y, x + wide, y + tall), sheer(colour.darker(0.72), 0.95));
            let glyphs = (tall / (wide * 1.15)).floor().max(1.0) as usize;
            for glyph in 0..glyphs {
                let gy = y + tall * (glyph as f32 + 0.16) / glyphs as f32;
                let (l, r, b) = (x + wide * 0.18, x + wide * 0.82, gy + tall / glyphs as f32 * 0.66);
                let bar = wide * 0.15;
                let strokes = random.next();
                for (bit, stroke) in [
                    (1, (l, gy, r, gy + bar)),
                    (2, (l, b - bar, r, b)),
                    (4, (l, gy, l + bar, b)),
                    (8, (r - bar, gy, r, b)),
                    (16, (l, (gy + b - bar) / 2.0, r, (gy + b + bar) / 2.0)),
                    (32, ((l + r - bar) / 2.0, gy, (l + r + bar) / 2.0, b)),
                ] {
                    if (strokes | 16) & bit != 0 {
                        let (a, t, c, d) = stroke;
                        canvas.fill(rectangle(a, t, c, d), flat(colour.lighter(0.45)));
                    }
                }
            }
        } else {
            let line = 0.0022;
            let glow = width * 0.8;
            canvas.lighten(
                rectangle(left - glow * 0.3, top - glow * 0.3, right + glow * 0.3, top + glow),
                halo(((left + right) / 2.0, top), glow, colour, 0.34),
            );
            for (a, b, c, d) in [
                (left, top, right, top + line),
                (left, top, left + line, self.base),
                (right - line, top, right, self.base),
            ] {
                canvas.fill(
                    rectangle(a, b, c, d),
                    down((top, colour.lighter(0.35).fade(0.95)), (self.base, colour.fade(0.15))),
                );
            }
        }
    }
}

impl Layer for Skyline {
    fn draw(&self, canvas: &mut Canvas, _seconds: f32) {
        let palette = &self.stage.palette;
        let wall = palette.land(0.12 + 0.8 * self.depth);
        let haze = palette.haze();
        for building in self.buildings() {
            let mut random = Random::new(building.seed ^ 2);
            let own = wall.mix(palette.far, random.range(0.0, 0.12)).darker(random.range(0.0, 0.18));
            let foot = own.mix(haze, 0.42 * (1.0 - 0.75 * self.depth));
            canvas.fill(self.body(&building), down((building.top, own.opaque()), (self.base, foot.opaque())));
            // One side of every building catches the light.
            let width = building.right - building.left;
            let (from, to) = if self.stage.lit_from_left {
                (building.left, building.right)
            } else {
                (building.right, building.left)
            };
            let side = between(
                (from, 0.0),
                (to, 0.0),
                &[
                    (0.0, palette.glow.fade(0.16)),
                    (0.4, palette.glow.fade(0.0)),
                    (1.0, palette.near.fade(0.3)),
                ],
            );
            canvas.fill(rectangle(building.left, building.top, building.left + width, self.base), side);
            if self.depth > 0.25 {
                self.draw_windows(canvas, &building, own);
            }
            if self.neon && self.depth > 0.4 && random.chance(0.62) {
                self.draw_sign(canvas, &building);
            }
        }
    }
}
