//! Animals, as flat figures in two or three tones of the scene's light.

use super::canvas::{Blend, Canvas, disc, flat, halo, line, outline, oval, sheer, standing};
use super::colour::{BLACK, Colour, WHITE};
use super::scene::{Layer, Stage};
use tiny_skia::{PathBuilder, Transform};

/// The position of a figure, its height in units, and whether it is mirrored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stance {
    pub(super) foot: (f32, f32),
    pub(super) height: f32,
    pub(super) mirrored: bool,
}

impl Stance {
    pub(super) fn place(self) -> Transform {
        standing(self.foot, self.height, self.mirrored)
    }
}

/// A soft shadow on the ground under a figure.
pub(super) fn draw_shadow(canvas: &mut Canvas, stance: Stance, half_width: f32, colour: Colour) {
    let half = stance.height * half_width;
    let place = Transform::from_scale(1.0, 0.16).post_translate(stance.foot.0, stance.foot.1);
    canvas.fill_placed(disc(0.0, 0.0, half), halo((0.0, 0.0), half, colour, 0.75), place, Blend::Over);
}

pub(super) struct Fox {
    pub(super) stage: Stage,
    pub(super) stance: Stance,
    pub(super) coat: Colour,
}

impl Layer for Fox {
    fn draw(&self, canvas: &mut Canvas, _seconds: f32) {
        let lit = |colour| self.stage.lit(colour);
        let (coat, dark, white) = (lit(self.coat), lit(self.coat.darker(0.68)), lit(Colour::hex(0xfbf3e8)));
        let shade = lit(self.coat.darker(0.2));
        draw_shadow(canvas, self.stance, 0.55, self.stage.palette.near);
        let place = self.stance.place();
        let parts = [
            // Tail, its tip, and the haunch over it.
            (
                "M 34 100 C 14 103 -6 96 -7 76 C -8 60 3 50 9 44 C 9 56 14 64 22 72 C 30 80 32 92 34 100 Z",
                shade,
            ),
            ("M 9 44 C 1 51 -7 60 -7 74 C -1 68 6 72 15 64.5 C 11 58 9 52 9 44 Z", white),
            (
                "M 45 36 C 41 50 24 56 20 76 C 17 90 21 100 32 100 L 52 100 C 56 92 58 88 60 84 L 66 60 C 70 52 68 42 64 36 Z",
                coat,
            ),
            ("M 22 70 C 26 60 44 62 48 76 C 50 86 50 94 54 100 L 32 100 C 22 100 19 84 22 70 Z", shade),
            ("M 60 40 C 72 48 73 62 71 78 L 70 96 L 75 97 Q 78 100 74 100 L 62 100 L 58 72 Z", coat),
            // Throat and chest, socks.
            ("M 56 42 C 70 42 76 56 70.5 74 C 67 80 63 78 60 70 C 56 60 54 50 56 42 Z", white),
            ("M 61 92 C 64 88 68 88 70.5 90 L 70 96 L 75 97 Q 78 100 74 100 L 62 100 Z", dark),
            // Far ear, head, near ear.
            ("M 58 16 L 67 0 C 70 7 70 14 69 20 Z", shade),
            (
                "M 42 36 C 39 28 41 20 46 16 C 52 12 60 12 66 16 C 72 20 78 28 91 33 C 93 34.5 92 37.5 89 38 C 80 41 72 46 62 46 C 52 47 45 43 42 36 Z",
                coat,
            ),
            (
                "M 90.5 37.2 C 80 41 72 46 62 46 C 53 47 46 44 43 38 C 51 41 58 38 63 34 C 70 31 80 32 92 35 Z",
                white,
            ),
            ("M 43 24 C 40 14 41 4 44 -3 C 51 2 56 8 58 15 Z", coat),
            ("M 45 19 C 43.5 12 44 6 45.4 2 C 49.5 6 52.5 10 54 15 Z", dark),
        ];
        for (path, colour) in parts {
            canvas.fill_placed(outline(path), flat(colour), place, Blend::Over);
        }
        let black = self.stage.palette.near.darker(0.5);
        canvas.fill_placed(oval(90.4, 34.4, 2.3, 1.9), flat(black), place, Blend::Over);
        canvas.fill_placed(
            outline("M 66 26.5 Q 69.5 23.5 72.5 28 Q 69 29.5 66 26.5 Z"),
            flat(black),
            place,
            Blend::Over,
        );
        let rim = self.stage.palette.glow.lighter(0.3);
        let back = line(&[(44.0, 40.0), (36.0, 50.0), (26.0, 60.0), (21.0, 72.0)]);
        canvas.stroke(back, sheer(rim, 0.22), 1.2, place);
    }
}

pub(super) struct Cat {
    pub(super) stage: Stage,
    pub(super) stance: Stance,
    pub(super) coat: Colour,
}

impl Layer for Cat {
    fn draw(&self, canvas: &mut Canvas, seconds: f32) {
        let lit = |colour| self.stage.lit(colour);
        let (coat, shade) = (lit(self.coat), lit(self.coat.mix(BLACK, 0.28)));
        let pale = lit(self.coat.mix(WHITE, 0.3));
        draw_shadow(canvas, self.stance, 0.5, self.stage.palette.near);
        let place = self.stance.place();
        let sway = (seconds * 1.6).sin() * 4.0;
        let mut tail = PathBuilder::new();
        tail.move_to(64.0, 95.0);
        tail.cubic_to(86.0, 99.0, 95.0, 86.0, 90.0 + sway * 0.4, 70.0);
        tail.cubic_to(86.0 + sway, 58.0, 92.0 + sway, 48.0, 99.0 + sway, 52.0);
        canvas.stroke(tail.finish(), flat(shade), 7.5, place);
        let parts = [
            (
                "M 50 30 C 66 34 76 60 76 82 C 76 95 70 100 60 100 L 38 100 C 28 100 24 94 24 82 C 24 60 34 34 50 30 Z",
                coat,
            ),
            ("M 62 56 C 74 62 80 84 74 94 C 71 99 64 100 58 100 C 62 86 60 70 62 56 Z", shade),
            ("M 50 44 C 57 48 59 62 57 76 C 54 82 46 82 43 76 C 41 62 43 48 50 44 Z", pale),
            ("M 39 66 C 38 80 38 92 36 97 Q 36 100 40 100 L 47 100 Q 49 92 48 74 Z", coat),
            ("M 61 66 C 62 80 62 92 64 97 Q 64 100 60 100 L 53 100 Q 51 92 52 74 Z", coat),
            (
                "M 30 26 C 27 16 27 4 30 -3 C 37 1 42 6 44 9 C 48 8 52 8 56 9 C 58 6 63 1 70 -3 C 73 4 73 16 70 26 C 70 38 60 44 50 44 C 40 44 30 38 30 26 Z",
                coat,
            ),
            ("M 32.5 11 C 32 6 32 3 32.4 1 C 36 3.5 38.5 6 40 8.5 Z", shade),
            ("M 67.5 11 C 68 6 68 3 67.6 1 C 64 3.5 61.5 6 60 8.5 Z", shade),
        ];
        for (path, colour) in parts {
            canvas.fill_placed(outline(path), flat(colour), place, Blend::Over);
        }
        let eye = self.stage.palette.lamp.mix(Colour::hex(0xd7f06a), 0.5);
        for x in [41.0, 59.0] {
            canvas.fill_placed(disc(x, 24.0, 9.0), halo((x, 24.0), 9.0, eye, 0.3), place, Blend::Lighten);
            canvas.fill_placed(oval(x, 24.0, 4.6, 4.2), flat(eye), place, Blend::Over);
            canvas.fill_placed(oval(x, 24.0, 1.3, 3.9), flat(BLACK), place, Blend::Over);
            canvas.fill_placed(disc(x + 1.2, 22.4, 0.9), sheer(WHITE, 0.9), place, Blend::Over);
        }
        let nose = outline("M 47.6 31 L 52.4 31 L 50 33.8 Z");
        canvas.fill_placed(nose, flat(lit(Colour::hex(0xe08a8f))), place, Blend::Over);
        for (y, end) in [(33.0, 31.0), (34.5, 36.0)] {
            for side in [-1.0, 1.0] {
                let whisker = line(&[(50.0 + side * 8.0, y), (50.0 + side * 29.0, end)]);
                canvas.stroke(whisker, sheer(pale, 0.55), 0.5, place);
            }
        }
    }

    fn moves(&self) -> bool {
        true
    }
}

pub(super) struct Deer {
    pub(super) stage: Stage,
    pub(super) stance: Stance,
    pub(super) coat: Colour,
}

impl Layer for Deer {
    fn draw(&self, canvas: &mut Canvas, _seconds: f32) {
        let lit = |colour| self.stage.lit(colour);
        let (coat, shade) = (lit(self.coat), lit(self.coat.darker(0.35)));
        draw_shadow(canvas, self.stance, 0.5, self.stage.palette.near);
        let place = self.stance.place();
        let parts = [
            ("M 26 66 L 30 66 L 29 82 L 30 100 L 27 100 L 25 82 Z", shade),
            ("M 56 62 L 60 62 L 60 82 L 61 100 L 58 100 L 57 82 Z", shade),
            (
                "M 18 57 C 18 49 28 46 42 48 C 52 49 57 44 59 36 L 61 27 C 62 22 67 20 71 22 L 81 27.5 C 83 29 82 32 79 32 L 71 33.5 C 70 44 68 56 64 63 C 62 67 57 69 52 68 C 44 67 38 66 32 68 L 26 76 L 23 84 L 24 100 L 20.5 100 L 19 84 C 20 74 18 66 18 57 Z",
                coat,
            ),
            ("M 58 62 L 65 60 L 64 82 L 65 100 L 62 100 L 61 82 Z", coat),
            ("M 62 25 L 53 21 C 54 26 58 28 62 28 Z", coat),
            ("M 18 53 C 14 53 13 57 15 61 L 20 58 Z", lit(Colour::hex(0xf4ead9))),
            ("M 66 37 L 70 35 C 69.5 44 67 54 64 60 C 62 52 63 44 66 37 Z", lit(self.coat.lighter(0.35))),
        ];
        for (path, colour) in parts {
            canvas.fill_placed(outline(path), flat(colour), place, Blend::Over);
        }
        let horn = lit(Colour::hex(0xd8c3a0));
        for path in [
            "M 64 23 C 60 14 56 8 58 -4",
            "M 60.5 14 C 55 12 51 8 50 1",
            "M 58.6 6 C 54 3 53 -2 53 -6",
            "M 67 22 C 71 14 76 9 76 -3",
            "M 71.5 14 C 76 12 81 9 83 2",
            "M 75 6 C 79 3 81 -1 82 -5",
        ] {
            canvas.stroke(outline(path), flat(horn), 1.5, place);
        }
        canvas.fill_placed(disc(70.5, 25.6, 0.9), flat(BLACK), place, Blend::Over);
        canvas.fill_placed(oval(81.0, 29.4, 1.4, 1.2), flat(BLACK), place, Blend::Over);
    }
}
