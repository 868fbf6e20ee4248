//! A sea of rolling waves.

use super::canvas::{Canvas, add_polygon, between, polygon, sheer};
use super::colour::WHITE;
use super::palette::Palette;
use super::random::{Random, noise};
use super::scene::Layer;
use std::f32::consts::TAU;
use tiny_skia::PathBuilder;

/// Rows of waves.
pub(super) struct Swell {
    pub(super) palette: Palette,
    pub(super) horizon: f32,
    /// The height of the nearest waves, in units.
    pub(super) height: f32,
    pub(super) light_x: f32,
    pub(super) seed: u64,
    /// The rows to draw, of [`Swell::ROWS`]. The first row is the farthest.
    pub(super) rows: std::ops::Range<usize>,
}

impl Swell {
    pub(super) const ROWS: usize = 9;

    /// The foot of a row, in units from the top. The foot of row `Swell::ROWS` is the lower edge.
    fn level(&self, row: usize) -> f32 {
        let depth = row as f32 / Self::ROWS as f32;
        self.horizon + (1.02 - self.horizon) * depth.powf(1.45)
    }

    /// The height of a row's line above its level, at `x`. Troughs are broad and crests are narrow.
    fn lift(&self, row: usize, x: f32, seconds: f32) -> f32 {
        let depth = (row as f32 + 1.0) / Self::ROWS as f32;
        let length = 0.1 + 0.5 * depth;
        let seed = self.seed.wrapping_add(row as u64);
        let side = if row.is_multiple_of(2) { 1.0 } else { -0.7 };
        let u = x / length
            + row as f32 * 3.7
            + side * seconds * (0.32 - 0.14 * depth)
            + 0.35 * noise(seed, x * 1.9);
        // A wave leans in its direction, and its crest is narrower than its trough.
        let angle = u * TAU;
        let crest = (0.5 + 0.5 * (angle - side * 0.8 * angle.sin()).cos()).powf(2.1);
        let size = 0.62 + 0.38 * noise(seed ^ 31, u * 0.43);
        let chop = 0.05 * (u * 19.0 + seconds).sin() * (1.0 - depth);
        self.height * depth * (crest * size + 0.16 * noise(seed ^ 47, x * 3.1 / length) + chop)
    }
}

impl Layer for Swell {
    fn draw(&self, canvas: &mut Canvas, seconds: f32) {
        let aspect = canvas.aspect();
        let palette = &self.palette;
        let step = 0.008;
        let count = (aspect / step) as usize + 3;
        for row in self.rows.clone() {
            let depth = (row as f32 + 0.5) / Self::ROWS as f32;
            let level = self.level(row) + self.height * depth * 0.5;
            let line: Vec<(f32, f32)> = (0..count)
                .map(|index| (index as f32 - 1.0) * step)
                .map(|x| (x, level - self.lift(row, x, seconds)))
                .collect();
            // A row ends at the lowest line of the next row, which covers everything below.
            let next = (depth + 1.0 / Self::ROWS as f32).min(1.0);
            let bottom = (self.level(row + 1) + self.height * next * 0.8).min(1.02);
            let mut body = line.clone();
            body.push((aspect + 2.0 * step, bottom));
            body.push((-step, bottom));
            // Far water has the colour of the sky, and near water that of its depth. Light shines through the crests.
            let deep = palette.water.mix(palette.near, 0.3 * depth);
            let through = palette.water.lighter(0.3).mix(palette.cloud_lit, 0.3);
            let crest = palette.sky[3].mix(palette.sky[2], 0.4).mix(through, (0.25 + 1.1 * depth).min(1.0));
            let top = level - self.height * depth;
            let stops = [
                (0.0, crest.opaque()),
                (0.3, crest.mix(deep, 0.5).opaque()),
                (0.7, deep.opaque()),
                (1.0, deep.darker(0.2).opaque()),
            ];
            canvas.fill(polygon(&body), between((0.0, top), (0.0, top.max(bottom - 0.02) + 0.03), &stops));
            self.draw_foam(canvas, &line, row, depth, seconds);
        }
    }

    fn moves(&self) -> bool {
        true
    }
}

impl Swell {
    /// Draws foam along the crests. It is thick where the line is high, and light where it faces the sun.
    fn draw_foam(&self, canvas: &mut Canvas, line: &[(f32, f32)], row: usize, depth: f32, seconds: f32) {
        let mut foam = PathBuilder::new();
        let mut sheen = PathBuilder::new();
        let level = self.level(row) + self.height * depth * 0.5;
        let most = self.height * depth;
        let seed = self.seed.wrapping_add(row as u64 * 17);
        // High waves break, and low ones only fold.
        let calm = if self.height > 0.15 { 0.28 } else { 0.5 };
        let cap = |x: f32, y: f32| {
            let high = ((level - y) / most - calm).max(0.0) / (1.0 - calm);
            let ragged = 0.75 + 0.6 * noise(seed, x * 16.0 / (0.2 + depth) + seconds * 0.5);
            high * high * ragged.max(0.0) * most * 0.3
        };
        add_band(&mut foam, line.iter().map(|(x, y)| (*x, *y, *y + cap(*x, *y))));
        self.add_glitter(&mut sheen, line, row, depth, seconds);
        let mut streaks = PathBuilder::new();
        for (offset, fine) in [(0.22, 5.0), (0.45, 3.6), (0.75, 2.7)] {
            let weight = |x: f32| noise(seed ^ fine as u64, x * fine / (0.3 + depth) + seconds * 0.2) - 0.15;
            let thick = 0.0024 + 0.006 * depth;
            let followed = line.iter().map(|(x, y)| (*x, y + most * offset, weight(*x).max(0.0) * thick));
            add_band(&mut streaks, followed.map(|(x, y, half)| (x, y - half, y + half)));
        }
        canvas.fill(
            streaks.finish(),
            sheer(self.palette.cloud_lit.mix(self.palette.water, 0.3), 0.16 + 0.14 * depth),
        );
        let white = WHITE.mix(self.palette.sky[3], 0.3).mix(self.palette.near, 0.34 * self.palette.darkness);
        canvas.fill(foam.finish(), sheer(white, 0.45 + 0.4 * depth));
        canvas.lighten(sheen.finish(), sheer(self.palette.disc.mix(self.palette.glow, 0.3), 0.6));
    }
    /// Strokes of light on the faces of the waves below the sun.
    fn add_glitter(
        &self,
        sheen: &mut PathBuilder,
        line: &[(f32, f32)],
        row: usize,
        depth: f32,
        seconds: f32,
    ) {
        let mut random = Random::new(self.seed ^ (row as u64 + 40));
        let step = line.get(1).map_or(1.0, |second| second.0 - line[0].0);
        for _ in 0..16 {
            let x = self.light_x + (random.unit() + random.unit() - 1.0) * (0.05 + 0.17 * depth);
            let drop = random.range(0.0, 1.0) * self.height * depth;
            let twinkle = 0.5 + 0.5 * (seconds * random.range(1.0, 2.8) + random.range(0.0, TAU)).sin();
            let half = (0.006 + 0.028 * depth) * random.range(0.4, 1.2) * (0.3 + 0.7 * twinkle);
            let Some((_, y)) = line.get(((x - line[0].0) / step).max(0.0) as usize) else {
                continue;
            };
            let (y, thick) = (y + 0.004 + drop, 0.0007 + 0.0026 * depth * twinkle);
            add_polygon(sheen, &[(x - half, y), (x, y - thick), (x + half, y), (x, y + thick)]);
        }
    }
}

/// Adds the areas between an upper and a lower line, which are given as (x, upper, lower), where the lines are apart.
fn add_band(path: &mut PathBuilder, lines: impl Iterator<Item = (f32, f32, f32)>) {
    /// The distance from which two lines count as apart, in units.
    const THIN: f32 = 0.0004;
    let mut outline: Vec<(f32, f32)> = vec![];
    let mut back: Vec<(f32, f32)> = vec![];
    let mut close = |outline: &mut Vec<(f32, f32)>, back: &mut Vec<(f32, f32)>| {
        outline.extend(back.drain(..).rev());
        if outline.len() > 4 {
            add_polygon(path, outline);
        }
        outline.clear();
    };
    for (x, upper, lower) in lines {
        if lower - upper > THIN {
            outline.push((x, upper));
            back.push((x, lower));
        } else {
            close(&mut outline, &mut back);
        }
    }
    close(&mut outline, &mut back);
}
