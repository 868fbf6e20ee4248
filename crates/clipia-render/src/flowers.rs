//! Rows of flowers.

use super::canvas::{Blend, Canvas, between, disc, flat, oval};
use super::colour::Colour;
use super::random::Random;
use super::scene::{Layer, Stage};
use tiny_skia::{PathBuilder, Transform};

/// A meadow of flowers: many small ones at the back, large ones at the front.
pub(super) struct Flowers {
    pub(super) stage: Stage,
    /// The position of the farthest row, in units from the top.
    pub(super) from: f32,
    pub(super) petals: Option<Colour>,
    pub(super) seed: u64,
    /// Whether these are the nearest rows, which sway, or the rows behind them.
    pub(super) near: bool,
}

/// The number of rows, and the number of near ones.
const ROWS: usize = 9;
const NEAR_ROWS: usize = 2;

/// The petals of each kind of flower: their count, their length and width relative to the head, and whether they stand up.
const BLOOMS: [(usize, f32, f32, bool); 4] =
    [(12, 1.0, 0.2, false), (5, 0.95, 0.44, false), (8, 0.9, 0.3, false), (3, 1.25, 0.46, true)];

impl Layer for Flowers {
    fn draw(&self, canvas: &mut Canvas, seconds: f32) {
        let mut random = Random::new(self.seed);
        let bloom = BLOOMS[random.below(BLOOMS.len())];
        let hues = [0xe8453c, 0xf4b13d, 0xf07fae, 0x8a5fd6, 0xfaf5ea].map(Colour::hex);
        let main = self.petals.unwrap_or(hues[random.below(hues.len())]);
        let rows = if self.near { ROWS - NEAR_ROWS..ROWS } else { 0..ROWS - NEAR_ROWS };
        for row in rows {
            let mut random = Random::new(self.seed ^ (row as u64 + 1));
            let depth = row as f32 / (ROWS - 1) as f32;
            let y = self.from + (1.04 - self.from) * depth.powf(1.5);
            let size = 0.007 + 0.034 * depth * depth;
            let count = (self.stage.aspect * (34.0 - 25.0 * depth)) as usize;
            for index in 0..count {
                let x = (index as f32 + random.range(0.0, 1.0)) / count as f32 * self.stage.aspect;
                let foot = y + random.range(0.0, 0.05) * (0.3 + depth);
                let tall = size * random.range(2.2, 4.2);
                let sway = 0.12 * tall * (seconds * 1.3 + x * 8.0 + depth * 3.0).sin();
                let petal = main.turned(random.range(-16.0, 16.0)).lighter(random.range(0.0, 0.25));
                let petal = if self.petals.is_none() && random.chance(0.2) {
                    hues[random.below(hues.len())]
                } else {
                    petal
                };
                self.draw_one(canvas, (x, foot), tall, sway, size, bloom, petal, random.range(0.0, 360.0));
            }
        }
    }

    fn moves(&self) -> bool {
        self.near
    }
}

impl Flowers {
    #[expect(clippy::too_many_arguments, reason = "the features of one flower, all different for each")]
    fn draw_one(
        &self,
        canvas: &mut Canvas,
        (x, y): (f32, f32),
        tall: f32,
        sway: f32,
        size: f32,
        (count, length, width, upright): (usize, f32, f32, bool),
        petal: Colour,
        turn: f32,
    ) {
        let stem = self.stage.lit(Colour::hex(0x3f7a3c).mix(self.stage.palette.near, 0.25));
        let head = (x + sway, y - tall);
        let thick = size * 0.07;
        let mut green = PathBuilder::new();
        green.move_to(x - thick, y + size);
        green.quad_to(x - thick, y - tall * 0.5, head.0 - thick * 0.6, head.1);
        green.line_to(head.0 + thick * 0.6, head.1);
        green.quad_to(x + thick, y - tall * 0.5, x + thick, y + size);
        green.close();
        green.move_to(x, y);
        green.quad_to(x + size * 0.9, y - tall * 0.3, x + size * 0.7, y - tall * 0.62);
        green.quad_to(x + size * 0.2, y - tall * 0.4, x, y);
        green.close();
        canvas.fill(green.finish(), flat(stem));
        let place = |degrees: f32| {
            Transform::from_scale(size, size * if upright { 1.0 } else { 0.72 })
                .pre_concat(Transform::from_rotate(degrees))
                .post_translate(head.0, head.1)
        };
        let ink = || {
            between(
                (0.0, 0.0),
                (0.0, -length),
                &[
                    (0.0, self.stage.lit(petal.darker(0.28)).opaque()),
                    (1.0, self.stage.lit(petal.lighter(0.12)).opaque()),
                ],
            )
        };
        for index in 0..count {
            let degrees = if upright {
                [-20.0, 20.0, 0.0][index % 3]
            } else {
                turn + index as f32 * 360.0 / count as f32
            };
            canvas.fill_placed(
                oval(0.0, -length * 0.55, width, length * 0.5),
                ink(),
                place(degrees),
                Blend::Over,
            );
        }
        if !upright {
            let heart = self.stage.lit(Colour::hex(0xf6c744).mix(petal, 0.1).darker(0.08));
            canvas.fill_placed(disc(0.0, 0.0, 0.3), flat(heart), place(0.0), Blend::Over);
        }
    }
}
