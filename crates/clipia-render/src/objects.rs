//! Things that stand on the ground: a house with its smoke, a robot.

use super::animals::{Stance, draw_shadow};
use super::canvas::{Blend, Canvas, around, disc, flat, halo, outline, oval, polygon, rectangle};
use super::colour::{Colour, WHITE};
use super::random::Random;
use super::scene::{Layer, Stage};
use tiny_skia::{Path, PathBuilder, Transform};

pub(super) struct House {
    pub(super) stage: Stage,
    pub(super) stance: Stance,
    pub(super) walls: Colour,
    pub(super) snowy: bool,
}

impl Layer for House {
    fn draw(&self, canvas: &mut Canvas, _seconds: f32) {
        let lit = |colour| self.stage.lit(colour);
        draw_shadow(canvas, self.stance, 0.95, self.stage.palette.near);
        let place = self.stance.place();
        let wall = lit(self.walls);
        let roof = lit(Colour::hex(0x5a2f2c).mix(self.walls, 0.15));
        let trim = lit(self.walls.lighter(0.45));
        let lamp = self.stage.palette.lamp;
        let mut fill =
            |path: Option<Path>, colour: Colour| canvas.fill_placed(path, flat(colour), place, Blend::Over);
        fill(rectangle(70.0, 20.0, 80.0, 50.0), lit(Colour::hex(0x6d5550)));
        fill(rectangle(68.5, 18.0, 81.5, 22.0), lit(Colour::hex(0x54403c)));
        // A gable to the left, the long side to the right.
        fill(polygon(&[(8.0, 58.0), (34.0, 28.0), (60.0, 58.0), (60.0, 100.0), (8.0, 100.0)]), wall);
        fill(rectangle(60.0, 56.0, 104.0, 100.0), wall.darker(0.22));
        for row in 0..8 {
            let y = 60.0 + row as f32 * 5.2;
            fill(rectangle(8.0, y, 60.0, y + 0.6), wall.darker(0.16));
            fill(rectangle(60.0, y, 104.0, y + 0.6), wall.darker(0.34));
        }
        fill(polygon(&[(34.0, 22.0), (92.0, 22.0), (110.0, 60.0), (63.5, 60.0), (34.0, 28.0)]), roof);
        fill(
            polygon(&[(34.0, 21.0), (66.0, 58.5), (62.0, 61.5), (34.0, 29.0), (6.0, 61.5), (2.0, 58.5)]),
            roof.darker(0.3),
        );
        if self.snowy {
            let snow = lit(Colour::hex(0xf4f8fd));
            fill(
                outline("M 34 20 L 92 20 L 103 43 Q 98 48 92 43 Q 86 50 80 44 Q 72 51 66 45 Q 60 48 56 44 Z"),
                snow,
            );
            fill(
                outline("M 34 18 L 67 56.5 L 64 59.5 Q 60 56 58 51 L 34 25 L 10 51 Q 8 56 4 59.5 L 1 56.5 Z"),
                snow.lighter(0.3),
            );
        }
        fill(rectangle(40.0, 72.0, 53.0, 100.0), lit(Colour::hex(0x4a2c22)));
        let panes = [
            (16.0, 68.0, 30.0, 84.0),
            (29.0, 42.0, 39.0, 53.0),
            (68.0, 68.0, 80.0, 83.0),
            (87.0, 68.0, 98.0, 83.0),
        ];
        for (left, top, right, bottom) in panes {
            fill(rectangle(left - 1.4, top - 1.4, right + 1.4, bottom + 1.4), trim);
            fill(rectangle(left, top, right, bottom), lamp);
            let (x, y) = ((left + right) / 2.0, (top + bottom) / 2.0);
            fill(rectangle(x - 0.5, top, x + 0.5, bottom), trim);
            fill(rectangle(left, y - 0.5, right, y + 0.5), trim);
        }
        fill(disc(50.5, 87.0, 0.9), lamp);
        let strength = 0.15 + 0.5 * self.stage.palette.darkness;
        for (left, top, right, bottom) in panes {
            let centre = ((left + right) / 2.0, (top + bottom) / 2.0);
            canvas.fill_placed(
                disc(centre.0, centre.1, 30.0),
                halo(centre, 30.0, lamp, strength),
                place,
                Blend::Lighten,
            );
        }
    }
}

/// Smoke from a chimney.
pub(super) struct Smoke {
    pub(super) stage: Stage,
    /// The position of the chimney's mouth, in units.
    pub(super) from: (f32, f32),
    pub(super) size: f32,
    pub(super) seed: u64,
}

impl Layer for Smoke {
    fn draw(&self, canvas: &mut Canvas, seconds: f32) {
        let colour = self.stage.palette.cloud_lit.mix(self.stage.palette.cloud_shade, 0.35);
        let mut random = Random::new(self.seed);
        let puffs = 22;
        for index in 0..puffs {
            let age = (index as f32 / puffs as f32 + seconds * 0.055).fract();
            let sway = (age * 7.0 + random.range(0.0, 1.2)).sin() * 0.25 * age;
            let x = self.from.0 + self.size * (0.9 * age * age + sway + random.range(-0.06, 0.06));
            let y = self.from.1 - self.size * 1.5 * age;
            let radius = self.size * (0.07 + 0.24 * age);
            let puff = around(
                (x, y),
                radius,
                &[
                    (0.0, colour.fade(0.36 * (1.0 - age))),
                    (0.6, colour.fade(0.2 * (1.0 - age))),
                    (1.0, colour.fade(0.0)),
                ],
            );
            canvas.fill(disc(x, y, radius), puff);
        }
    }

    fn moves(&self) -> bool {
        true
    }
}

pub(super) struct Robot {
    pub(super) stage: Stage,
    pub(super) stance: Stance,
    pub(super) shell: Colour,
}

impl Layer for Robot {
    fn draw(&self, canvas: &mut Canvas, seconds: f32) {
        let lit = |colour| self.stage.lit(colour);
        draw_shadow(canvas, self.stance, 0.5, self.stage.palette.near);
        let place = self.stance.place();
        let (shell, shade, dark) = (lit(self.shell), lit(self.shell.darker(0.3)), lit(Colour::hex(0x242a35)));
        let pale = lit(self.shell.lighter(0.4));
        let eye = self.stage.palette.lamp.mix(Colour::hex(0x7df9ff), 0.6);
        let wave = Transform::from_rotate_at(-128.0 + 12.0 * (seconds * 2.6).sin(), 77.0, 50.0);
        let mut fill = |path: Option<Path>, colour: Colour, turn: Transform| {
            canvas.fill_placed(path, flat(colour), turn.post_concat(place), Blend::Over);
        };
        let still = Transform::identity();
        fill(rounded(36.0, 78.0, 45.0, 96.0, 3.0), shade, still);
        fill(rounded(55.0, 78.0, 64.0, 96.0, 3.0), shade, still);
        fill(outline("M 31 100 Q 31 92 40 92 Q 48 92 48 100 Z"), dark, still);
        fill(outline("M 52 100 Q 52 92 60 92 Q 69 92 69 100 Z"), dark, still);
        fill(rounded(18.0, 48.0, 26.0, 74.0, 4.0), shade, still);
        fill(disc(22.0, 76.0, 4.6), dark, still);
        fill(rounded(73.5, 48.0, 81.5, 74.0, 4.0), shade, wave);
        fill(disc(77.5, 76.0, 4.6), dark, wave);
        fill(rectangle(45.0, 38.0, 55.0, 46.0), dark, still);
        fill(rounded(28.0, 44.0, 72.0, 81.0, 9.0), shell, still);
        fill(
            outline("M 55 44 L 63 44 Q 72 44 72 53 L 72 72 Q 72 81 63 81 L 60 81 C 66 70 64 54 55 44 Z"),
            shade,
            still,
        );
        fill(rounded(37.0, 52.0, 59.0, 68.0, 3.0), dark, still);
        for (index, x) in [41.0, 48.0, 55.0].into_iter().enumerate() {
            let lively = 0.5 + 0.5 * (seconds * 3.0 + index as f32 * 1.9).sin();
            fill(rectangle(x - 1.8, 65.5 - 9.0 * lively - 1.5, x + 1.8, 65.5), eye, still);
        }
        fill(rectangle(49.2, 6.0, 50.8, 14.0), dark, still);
        fill(disc(50.0, 4.6, 3.2), lit(Colour::hex(0xff6a4d)), still);
        fill(rounded(24.0, 22.0, 29.0, 32.0, 2.0), dark, still);
        fill(rounded(71.0, 22.0, 76.0, 32.0, 2.0), dark, still);
        fill(rounded(27.0, 12.0, 73.0, 41.0, 11.0), shell, still);
        fill(outline("M 36 14.5 Q 50 12.5 62 14.5 Q 50 18 36 14.5 Z"), pale, still);
        fill(rounded(32.5, 18.5, 67.5, 36.0, 8.0), dark, still);
        fill(outline("M 45 31.4 Q 50 34.6 55 31.4 Q 50 33 45 31.4 Z"), eye, still);
        let open = if (seconds * 0.4 + 0.4).fract() > 0.965 { 0.15 } else { 1.0 };
        for x in [42.0, 58.0] {
            fill(oval(x, 25.6, 4.2, 4.2 * open), eye, still);
            fill(disc(x + 1.3, 24.2, 1.1 * open), WHITE, still);
        }
        for x in [42.0, 58.0] {
            canvas.fill_placed(disc(x, 25.6, 15.0), halo((x, 25.6), 15.0, eye, 0.55), place, Blend::Lighten);
        }
    }

    fn moves(&self) -> bool {
        true
    }
}

/// A rectangle with round corners.
pub(super) fn rounded(left: f32, top: f32, right: f32, bottom: f32, radius: f32) -> Option<Path> {
    let r = radius.min((right - left) / 2.0).min((bottom - top) / 2.0);
    let mut builder = PathBuilder::new();
    builder.move_to(left + r, top);
    builder.line_to(right - r, top);
    builder.quad_to(right, top, right, top + r);
    builder.line_to(right, bottom - r);
    builder.quad_to(right, bottom, right - r, bottom);
    builder.line_to(left + r, bottom);
    builder.quad_to(left, bottom, left, bottom - r);
    builder.line_to(left, top + r);
    builder.quad_to(left, top, left + r, top);
    builder.close();
    builder.finish()
}
