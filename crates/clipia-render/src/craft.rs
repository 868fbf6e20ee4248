//! Vehicles: a sailing boat, a ship, a balloon, a rocket.

use super::animals::Stance;
use super::canvas::{
    Blend, Canvas, between, disc, down, flat, halo, line, outline, oval, polygon, rectangle, sheer, standing,
};
use super::colour::{Colour, WHITE};
use super::random::Random;
use super::scene::{Layer, Stage};
use tiny_skia::{PathBuilder, Transform};

/// The transformations of a floating thing and of its mirror image, at a moment.
fn afloat(stance: Stance, seconds: f32, roll_degrees: f32) -> [Transform; 2] {
    let roll = roll_degrees * (seconds * 1.1 + stance.foot.0 * 9.0).sin();
    let bob = 0.004 * (seconds * 1.4 + stance.foot.0 * 5.0).sin();
    let upright =
        Transform::from_rotate_at(roll, 50.0, 94.0).post_concat(stance.place()).post_translate(0.0, bob);
    let mirrored = Transform::from_rotate_at(roll, 50.0, 94.0)
        .post_concat(Transform::from_row(1.0, 0.0, 0.0, -0.62, 0.0, 158.0))
        .post_concat(stance.place())
        .post_translate(0.0, -bob);
    [mirrored, upright]
}

pub(super) struct Sailboat {
    pub(super) stage: Stage,
    pub(super) stance: Stance,
    pub(super) sail: Colour,
    /// Whether the water is calm enough for a mirror image.
    pub(super) mirrored: bool,
}

impl Layer for Sailboat {
    fn draw(&self, canvas: &mut Canvas, seconds: f32) {
        let lit = |colour| self.stage.lit(colour);
        let roll = if self.mirrored { 1.6 } else { 6.0 };
        let [below, upright] = afloat(self.stance, seconds, roll);
        let parts = [
            ("M 49 6 L 51 6 L 51.4 80 L 48.8 80 Z", lit(Colour::hex(0x4a3426))),
            ("M 53 9 C 72 28 84 52 88 72 C 76 69 64 69 53 71 Z", lit(self.sail)),
            ("M 53 9 C 60 28 60 52 57 70.4 L 53 71 Z", lit(self.sail.darker(0.12))),
            ("M 47 14 C 40 36 26 58 12 71 C 24 70 36 71 47 73 Z", lit(self.sail.lighter(0.25))),
            ("M 51 6 C 57 5 61 8 67 5 C 61 11 57 9 51 11 Z", lit(Colour::hex(0xd8402a))),
            (
                "M 8 78 C 36 83 66 83 94 76 C 90 90 82 98 72 98 L 28 98 C 18 97 11 90 8 78 Z",
                lit(Colour::hex(0x6b3a26)),
            ),
            ("M 8 78 C 36 83 66 83 94 76 L 92.8 80 C 66 87 36 87 9.2 82 Z", lit(Colour::hex(0xf2e6d0))),
        ];
        for (place, opacity) in [(below, 0.3), (upright, 1.0)] {
            if opacity < 1.0 && !self.mirrored {
                continue;
            }
            for (path, colour) in parts {
                canvas.fill_placed(outline(path), sheer(colour, opacity), place, Blend::Over);
            }
        }
        draw_waterline(canvas, &self.stage, self.stance, 0.52);
    }

    fn moves(&self) -> bool {
        true
    }
}

/// Draws the broken light at the hull.
fn draw_waterline(canvas: &mut Canvas, stage: &Stage, stance: Stance, half: f32) {
    let (x, y) = (stance.foot.0, stance.foot.1 - stance.height * 0.02);
    let foam = WHITE.mix(stage.palette.sky[3], 0.4);
    canvas.fill(oval(x, y, stance.height * half, stance.height * 0.014), sheer(foam, 0.4));
    canvas.fill(
        oval(x, y + stance.height * 0.035, stance.height * half * 0.7, stance.height * 0.008),
        sheer(foam, 0.25),
    );
}

pub(super) struct Ship {
    pub(super) stage: Stage,
    pub(super) stance: Stance,
    pub(super) hull: Colour,
    pub(super) mirrored: bool,
}

impl Layer for Ship {
    fn draw(&self, canvas: &mut Canvas, seconds: f32) {
        let lit = |colour| self.stage.lit(colour);
        let [below, upright] = afloat(self.stance, seconds, if self.mirrored { 0.4 } else { 1.8 });
        let white = lit(Colour::hex(0xf4efe4));
        let hull = lit(self.hull);
        let parts = [
            ("M 58 26 L 70 26 L 72 50 L 60 50 Z", lit(Colour::hex(0xc8452f))),
            ("M 58 26 L 70 26 L 70.5 32 L 58.6 32 Z", lit(Colour::hex(0x2a2c33))),
            ("M 36 28 L 48 28 L 50 50 L 38 50 Z", lit(Colour::hex(0xc8452f))),
            ("M 36 28 L 48 28 L 48.5 34 L 36.6 34 Z", lit(Colour::hex(0x2a2c33))),
            ("M 12 50 L 92 50 L 96 62 L 8 62 Z", white),
            ("M 0 62 L 108 62 L 112 74 L -6 74 Z", white.darker(0.1)),
            ("M -26 70 L 130 70 C 124 86 118 96 110 99 L -8 99 C -16 92 -22 82 -26 70 Z", hull),
            (
                "M -17.5 88 L 119.5 88 C 117 93 114 97 110 99 L -8 99 C -12 96 -15 92 -17.5 88 Z",
                lit(Colour::hex(0x9c2f28)),
            ),
        ];
        for (place, opacity) in [(below, 0.3), (upright, 1.0)] {
            if opacity < 1.0 && !self.mirrored {
                continue;
            }
            for (path, colour) in parts {
                canvas.fill_placed(outline(path), sheer(colour, opacity), place, Blend::Over);
            }
        }
        let mut windows = PathBuilder::new();
        for (y, from, count) in [(56.0, 16.0, 13), (67.0, 4.0, 17), (79.0, -10.0, 22)] {
            for index in 0..count {
                windows.push_circle(from + index as f32 * 5.9, y, 1.3);
            }
        }
        canvas.fill_placed(windows.finish(), flat(self.stage.palette.lamp), upright, Blend::Over);
        canvas.stroke(
            line(&[(112.0, 70.0), (100.0, 30.0), (70.0, 26.0)]),
            sheer(self.stage.palette.near, 0.7),
            0.6,
            upright,
        );
        draw_waterline(canvas, &self.stage, self.stance, 0.8);
    }

    fn moves(&self) -> bool {
        true
    }
}

/// Hot-air balloons: one near, some far.
pub(super) struct Balloons {
    pub(super) stage: Stage,
    pub(super) stance: Stance,
    pub(super) cloth: Option<Colour>,
    pub(super) seed: u64,
}

impl Layer for Balloons {
    fn draw(&self, canvas: &mut Canvas, seconds: f32) {
        let mut random = Random::new(self.seed);
        for index in (0..5).rev() {
            let own = random.next();
            let (size, place) = match index {
                0 => (1.0, self.stance.foot),
                _ => {
                    let size = random.range(0.12, 0.34);
                    let across = random.range(0.06, 0.94) * self.stage.aspect;
                    (size, (across, self.stance.foot.1 * random.range(0.35, 1.0)))
                }
            };
            let bob = 0.008 * size * (seconds * 0.7 + index as f32 * 1.7).sin();
            let foot = (place.0 + seconds * 0.004 * (1.0 + size), place.1 + bob - 0.002 * seconds);
            self.draw_one(canvas, foot, self.stance.height * size, 1.0 - size, own, seconds);
        }
    }

    fn moves(&self) -> bool {
        true
    }
}

impl Balloons {
    fn draw_one(
        &self,
        canvas: &mut Canvas,
        foot: (f32, f32),
        height: f32,
        distance: f32,
        seed: u64,
        seconds: f32,
    ) {
        let mut random = Random::new(seed);
        let place = standing(foot, height, false);
        let air = |colour: Colour| self.stage.lit(colour).mix(self.stage.palette.haze(), 0.55 * distance);
        let first = self.cloth.unwrap_or_else(|| Colour::hex(0xe2553d).turned(random.range(0.0, 360.0)));
        let second = if random.chance(0.5) {
            Colour::hex(0xfbf0dc)
        } else {
            first.turned(random.range(30.0, 80.0)).lighter(0.3)
        };
        // The gores are ever narrower copies of one outline, drawn from the outside in.
        for (index, share) in [1.0, 0.78, 0.52, 0.22].into_iter().enumerate() {
            let colour = if index % 2 == 0 { first } else { second };
            canvas.fill_placed(envelope(share), flat(air(colour)), place, Blend::Over);
        }
        let band = outline("M 14.5 40 C 34 45 66 45 85.5 40 L 83.5 48 C 66 53 34 53 16.5 48 Z");
        canvas.fill_placed(band, sheer(air(second.lighter(0.15)), 0.75), place, Blend::Over);
        let (near, far) = if self.stage.lit_from_left { (20.0, 84.0) } else { (80.0, 16.0) };
        let round = between(
            (near, 10.0),
            (far, 60.0),
            &[(0.0, WHITE.fade(0.26)), (0.4, WHITE.fade(0.0)), (1.0, self.stage.palette.near.fade(0.5))],
        );
        canvas.fill_placed(envelope(1.0), round, place, Blend::Over);
        let flicker = 0.55 + 0.2 * (seconds * 7.0).sin() * (seconds * 2.3).cos();
        let warmth =
            halo((50.0, 74.0), 30.0, Colour::hex(0xffc46b), flicker * self.stage.palette.darkness.max(0.25));
        canvas.fill_placed(disc(50.0, 74.0, 30.0), warmth, place, Blend::Lighten);
        let rope = air(Colour::hex(0x3a2a22));
        for (top, bottom) in [(42.5, 45.0), (57.5, 55.0)] {
            canvas.stroke(line(&[(top, 78.0), (bottom, 91.0)]), flat(rope), 0.5, place);
        }
        let basket = outline("M 44 90 L 56 90 L 55 99 Q 50 101 45 99 Z");
        canvas.fill_placed(basket, flat(air(Colour::hex(0x8a5a34))), place, Blend::Over);
        canvas.fill_placed(rectangle(43.6, 89.4, 56.4, 91.2), flat(rope), place, Blend::Over);
    }
}

/// The balloon's outline, drawn narrower by `share`.
fn envelope(share: f32) -> Option<tiny_skia::Path> {
    let x = |from_middle: f32| 50.0 + from_middle * share;
    let mut builder = PathBuilder::new();
    builder.move_to(50.0, 0.0);
    builder.cubic_to(x(24.0), 0.0, x(40.0), 16.0, x(40.0), 36.0);
    builder.cubic_to(x(40.0), 54.0, x(18.0), 66.0, x(8.0), 79.0);
    builder.line_to(x(-8.0), 79.0);
    builder.cubic_to(x(-18.0), 66.0, x(-40.0), 54.0, x(-40.0), 36.0);
    builder.cubic_to(x(-40.0), 16.0, x(-24.0), 0.0, 50.0, 0.0);
    builder.close();
    builder.finish()
}

/// A rocket on its way up.
pub(super) struct Rocket {
    pub(super) stage: Stage,
    pub(super) stance: Stance,
    pub(super) body: Colour,
}

impl Layer for Rocket {
    fn draw(&self, canvas: &mut Canvas, seconds: f32) {
        let lean = if self.stance.mirrored { -24.0 } else { 24.0 };
        let lit = |colour| self.stage.lit(colour);
        let climb = (seconds * 0.012, -seconds * 0.02);
        let place = standing(self.stance.foot, self.stance.height, false)
            .post_concat(Transform::from_rotate_at(
                lean,
                self.stance.foot.0,
                self.stance.foot.1 - self.stance.height * 0.5,
            ))
            .post_translate(climb.0 * lean.signum(), climb.1);
        let flicker = 1.0 + 0.12 * (seconds * 23.0).sin() + 0.06 * (seconds * 37.0).sin();
        canvas.fill_placed(
            disc(50.0, 104.0, 62.0),
            halo((50.0, 104.0), 62.0, Colour::hex(0xffa94d), 0.75),
            place,
            Blend::Lighten,
        );
        for (half, length, colour) in [(11.0, 78.0, 0xff6a2b), (7.5, 54.0, 0xffb347), (4.0, 32.0, 0xfff3c4)] {
            let mut flame = PathBuilder::new();
            flame.move_to(50.0 - half, 86.0);
            flame.quad_to(50.0 - half, 104.0, 50.0, 86.0 + length * flicker);
            flame.quad_to(50.0 + half, 104.0, 50.0 + half, 86.0);
            let colour = Colour::hex(colour);
            canvas.fill_placed(
                flame.finish(),
                down((86.0, colour.opaque()), (86.0 + length, colour.fade(0.0))),
                place,
                Blend::Lighten,
            );
        }
        let (body, accent) = (lit(Colour::hex(0xf3f0ea)), lit(self.body));
        let parts = [
            ("M 38 62 C 26 70 22 82 23 98 C 30 90 36 87 42 86 Z", accent),
            ("M 62 62 C 74 70 78 82 77 98 C 70 90 64 87 58 86 Z", accent.darker(0.25)),
            (
                "M 50 0 C 64 14 68 36 66 58 C 65 70 62 80 58 87 L 42 87 C 38 80 35 70 34 58 C 32 36 36 14 50 0 Z",
                body,
            ),
            (
                "M 50 0 C 64 14 68 36 66 58 C 65 70 62 80 58 87 L 52 87 C 60 60 60 26 50 0 Z",
                body.mix(self.stage.palette.near, 0.3),
            ),
            ("M 50 0 C 57 7 61.4 15.6 63.8 25 Q 50 29 36.2 25 C 38.6 15.6 43 7 50 0 Z", accent),
            ("M 47.6 64 L 52.4 64 L 53.4 96 Q 50 99 46.6 96 Z", accent.darker(0.12)),
        ];
        for (path, colour) in parts {
            canvas.fill_placed(outline(path), flat(colour), place, Blend::Over);
        }
        canvas.fill_placed(disc(50.0, 43.0, 8.2), flat(accent), place, Blend::Over);
        canvas.fill_placed(disc(50.0, 43.0, 6.0), flat(Colour::hex(0x1d3557)), place, Blend::Over);
        canvas.fill_placed(oval(48.0, 41.0, 2.6, 2.0), sheer(WHITE, 0.65), place, Blend::Over);
        canvas.fill_placed(
            polygon(&[(38.0, 84.0), (62.0, 84.0), (60.0, 89.0), (40.0, 89.0)]),
            flat(lit(Colour::hex(0x3b3f4a))),
            place,
            Blend::Over,
        );
    }

    fn moves(&self) -> bool {
        true
    }
}
