//! The ground in front: meadow, snow, sand, rock and grass.

use super::canvas::{Canvas, add_polygon, between, flat, polygon, sheer};
use super::colour::{Colour, WHITE};
use super::random::{Random, fractal, noise};
use super::scene::{Layer, Stage};
use tiny_skia::PathBuilder;

/// The cover of the ground.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cover {
    Grass,
    Snow,
    Sand,
    Stone,
}

/// A gentle rise on which the subjects stand.
pub(super) struct Foreground {
    pub(super) stage: Stage,
    pub(super) cover: Cover,
    /// The height of the middle, in units from the top.
    pub(super) level: f32,
    pub(super) seed: u64,
}

impl Foreground {
    /// Height of the ground at `x`, in units from the top.
    pub(super) fn at(&self, x: f32) -> f32 {
        self.level + 0.03 * fractal(self.seed, x * 1.4 + 20.0, 2)
    }
}

impl Layer for Foreground {
    fn draw(&self, canvas: &mut Canvas, _seconds: f32) {
        let palette = &self.stage.palette;
        let aspect = canvas.aspect();
        let count = (aspect * 160.0) as usize;
        let mut points: Vec<(f32, f32)> =
            (0..=count).map(|index| index as f32 / count as f32 * aspect).map(|x| (x, self.at(x))).collect();
        let line = points.clone();
        points.push((aspect, 1.01));
        points.push((0.0, 1.01));
        let lit = match self.cover {
            Cover::Snow => palette.ground.mix(palette.glow, 0.12),
            Cover::Grass | Cover::Sand => palette.ground.mix(palette.glow, 0.18),
            Cover::Stone => palette.ground.mix(palette.near, 0.35),
        };
        let deep = match self.cover {
            Cover::Snow => palette.ground.mix(palette.near, 0.34),
            _ => palette.ground.mix(palette.near, 0.72),
        };
        let ink = between(
            (0.0, self.level - 0.03),
            (0.0, 1.0),
            &[(0.0, lit.opaque()), (0.2, lit.mix(deep, 0.35).opaque()), (1.0, deep.opaque())],
        );
        canvas.fill(polygon(&points), ink);
        match self.cover {
            Cover::Grass => self.draw_grass(canvas, &line, lit, deep),
            Cover::Snow => {
                self.draw_drifts(canvas, aspect, WHITE, palette.near.mix(palette.sky[0], 0.5), 0.12)
            }
            Cover::Sand => self.draw_drifts(canvas, aspect, lit.lighter(0.25), deep, 0.2),
            Cover::Stone => self.draw_drifts(canvas, aspect, lit.lighter(0.12), deep, 0.3),
        }
    }
}

impl Foreground {
    fn draw_grass(&self, canvas: &mut Canvas, line: &[(f32, f32)], lit: Colour, deep: Colour) {
        let mut random = Random::new(self.seed ^ 3);
        let rows = 6;
        for row in 0..rows {
            let depth = row as f32 / rows as f32;
            let mut blades = PathBuilder::new();
            let step = if row == 0 { 1 } else { 2 };
            for point in line.iter().step_by(step) {
                for _ in 0..2 {
                    let x = point.0 + random.range(-0.006, 0.006);
                    let y = point.1
                        + (1.0 - point.1) * depth.powf(1.3)
                        + random.range(0.0, 0.03) * (0.3 + depth)
                        + 0.003;
                    let tall = (0.008 + 0.03 * depth) * random.range(0.5, 1.3);
                    let lean = tall * (0.5 * noise(self.seed ^ 8, x * 6.0) + random.range(-0.35, 0.35));
                    let half = 0.0008 + 0.0018 * depth;
                    add_polygon(&mut blades, &[(x - half, y), (x + lean, y - tall), (x + half, y)]);
                }
            }
            canvas.fill(blades.finish(), flat(lit.mix(deep, 0.18 + 0.8 * depth)));
        }
    }

    /// Long soft bands of light and shade along the ground.
    fn draw_drifts(&self, canvas: &mut Canvas, aspect: f32, light: Colour, dark: Colour, strength: f32) {
        let mut random = Random::new(self.seed ^ 5);
        for index in 0..16 {
            let depth = (index as f32 + random.unit()) / 16.0;
            let half = random.range(0.12, 0.5) * (0.5 + depth);
            let x = random.range(-0.1, 1.1) * aspect;
            let y = self.level + 0.04 + (0.99 - self.level) * depth;
            let thick = (0.004 + 0.02 * depth) * random.range(0.6, 1.4);
            let mut band = PathBuilder::new();
            band.move_to(x - half, y);
            band.cubic_to(x - half * 0.3, y - thick, x + half * 0.2, y - thick * 1.3, x + half, y);
            band.cubic_to(x + half * 0.4, y - thick * 0.2, x - half * 0.4, y + thick * 0.4, x - half, y);
            let colour = if index % 2 == 0 { light } else { dark };
            canvas.fill(band.finish(), sheer(colour, strength));
        }
    }
}

/// A rocky point reaching into the sea from one side.
pub(super) struct Headland {
    pub(super) stage: Stage,
    /// The position of the highest part, in units from the left and from the top.
    pub(super) top: (f32, f32),
    /// The height of the water around it.
    pub(super) water: f32,
    /// The reach to each side of the top.
    pub(super) half: f32,
    pub(super) seed: u64,
}

impl Headland {
    fn line(&self, rough: f32) -> Vec<(f32, f32)> {
        let (x, y) = self.top;
        let drop = self.water - y;
        // The plateau carries a subject. The sides fall in steps.
        (0..=90)
            .map(|index| index as f32 / 45.0 - 1.0)
            .map(|at| {
                let fall = ((at.abs() - 0.2).max(0.0) / 0.8).powf(1.25);
                // Both ends lie under water. An end above the water would look cut off.
                let ends = 1.0 - at.abs().powi(3);
                let steps = rough * fractal(self.seed, at * 5.0 + 9.0, 4) * (0.2 + fall) * ends * drop * 0.5;
                (
                    x + at * self.half,
                    (y + drop * 1.1 * fall + if at.abs() < 0.2 { 0.0 } else { steps }).min(self.water + 0.01),
                )
            })
            .collect()
    }
}

impl Layer for Headland {
    fn draw(&self, canvas: &mut Canvas, _seconds: f32) {
        let palette = &self.stage.palette;
        let (x, y) = self.top;
        let stone = palette.near.mix(palette.far, 0.22);
        let lit = stone.mix(palette.glow, 0.3);
        let line = self.line(1.0);
        let mut body = line.clone();
        body.push((x + self.half, self.water + 0.02));
        body.push((x - self.half, self.water + 0.02));
        let ink = between(
            (0.0, y),
            (0.0, self.water),
            &[(0.0, lit.opaque()), (0.25, stone.opaque()), (1.0, palette.near.opaque())],
        );
        canvas.fill(polygon(&body), ink);
        // Facets on the side of the light.
        let mut random = Random::new(self.seed ^ 1);
        let towards = if self.stage.lit_from_left { -1.0 } else { 1.0 };
        for _ in 0..26 {
            let index = random.below(line.len());
            let (px, py) = line[index];
            let tall = (self.water - py) * random.range(0.2, 0.9);
            let wide = self.half * random.range(0.03, 0.1);
            let facet = [
                (px, py + 0.002),
                (px + wide, py + tall * 0.35),
                (px + wide * 0.3 * towards, py + tall),
                (px - wide * 0.7, py + tall * 0.5),
            ];
            let shade = if random.chance(0.5) { sheer(lit, 0.2) } else { sheer(palette.near, 0.35) };
            if py < self.water - 0.01 {
                canvas.fill(polygon(&facet), shade);
            }
        }
        let mut turf = PathBuilder::new();
        let top: Vec<(f32, f32)> =
            line.iter().copied().filter(|point| (point.0 - x).abs() < self.half * 0.5).collect();
        let mut strip = top.clone();
        strip.extend(
            top.iter()
                .rev()
                .map(|(px, py)| (*px, py + 0.004 + 0.008 * (0.5 + 0.5 * noise(self.seed, px * 60.0)))),
        );
        add_polygon(&mut turf, &strip);
        canvas.fill(turf.finish(), flat(palette.ground.mix(palette.near, 0.35).mix(palette.glow, 0.1)));
        let foam = WHITE.mix(palette.sky[3], 0.35);
        let mut surf = PathBuilder::new();
        for _ in 0..40 {
            let at = random.range(-1.0, 1.0);
            let half = random.range(0.008, 0.035);
            let (fx, fy) = (x + at * self.half, self.water + random.range(0.0, 0.016));
            add_polygon(&mut surf, &[(fx - half, fy), (fx, fy - 0.003), (fx + half, fy), (fx, fy + 0.004)]);
        }
        canvas.fill(surf.finish(), sheer(foam, 0.4));
    }
}

#[cfg(test)]
mod tests {
    use super::super::palette::{Mood, Palette};
    use super::*;

    #[test]
    fn a_headland_ends_under_water_on_both_sides() {
        let stage = Stage { palette: Palette::of(Mood::Storm), aspect: 1.0, lit_from_left: true };
        for seed in 0..500 {
            let headland = Headland { stage, top: (0.4, 0.48), water: 0.7, half: 0.42, seed };
            let line = headland.line(1.0);
            for (_, y) in [line[0], line[line.len() - 1]] {
                assert!(y >= headland.water, "{seed}: it ends at {y}");
            }
        }
    }
}
