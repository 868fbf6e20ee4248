//! A lighthouse and its turning light.

use super::animals::Stance;
use super::canvas::{Blend, Canvas, between, disc, flat, halo, outline, polygon, rectangle, sheer};
use super::colour::{BLACK, Colour, WHITE};
use super::objects::rounded;
use super::scene::{Layer, Stage};

pub(super) struct Lighthouse {
    pub(super) stage: Stage,
    pub(super) stance: Stance,
    /// The bands around the tower.
    pub(super) bands: Colour,
}

/// Half of the tower's width at a height in its box.
fn tower_half(y: f32) -> f32 {
    6.4 + (y - 27.0) / 73.0 * 5.4
}

impl Layer for Lighthouse {
    fn draw(&self, canvas: &mut Canvas, _seconds: f32) {
        self.draw_tower(canvas);
        self.draw_lantern(canvas);
    }
}

impl Lighthouse {
    fn dark(&self) -> Colour {
        self.stage.lit(Colour::hex(0x2c3038))
    }

    fn draw_tower(&self, canvas: &mut Canvas) {
        let place = self.stance.place();
        let (white, bands) = (self.stage.lit(Colour::hex(0xf6f1e6)), self.stage.lit(self.bands));
        let strip = |top: f32, bottom: f32| {
            let (a, b) = (tower_half(top), tower_half(bottom));
            polygon(&[(50.0 - a, top), (50.0 + a, top), (50.0 + b, bottom), (50.0 - b, bottom)])
        };
        canvas.fill_placed(strip(27.0, 101.0), flat(white), place, Blend::Over);
        for (top, bottom) in [(27.0, 38.0), (52.0, 65.0), (80.0, 101.0)] {
            canvas.fill_placed(strip(top, bottom), flat(bands), place, Blend::Over);
        }
        // The tower looks round by light on one side and shade on the other.
        let (near, far) =
            if self.stage.lit_from_left != self.stance.mirrored { (38.0, 62.0) } else { (62.0, 38.0) };
        let shade = between(
            (near, 0.0),
            (far, 0.0),
            &[
                (0.0, WHITE.fade(0.16)),
                (0.3, WHITE.fade(0.0)),
                (0.5, self.stage.palette.near.fade(0.08)),
                (1.0, self.stage.palette.near.fade(0.62)),
            ],
        );
        canvas.fill_placed(strip(27.0, 101.0), shade, place, Blend::Over);
        for (x, y) in [(50.0, 45.0), (49.0, 72.0)] {
            canvas.fill_placed(
                rounded(x - 1.4, y - 2.4, x + 1.4, y + 2.4, 1.3),
                flat(self.stage.palette.lamp),
                place,
                Blend::Over,
            );
        }
        canvas.fill_placed(
            outline("M 46.5 101 L 46.5 93 Q 50 88.5 53.5 93 L 53.5 101 Z"),
            flat(self.dark()),
            place,
            Blend::Over,
        );
    }

    /// Draws the gallery, the lantern and the roof.
    fn draw_lantern(&self, canvas: &mut Canvas) {
        let place = self.stance.place();
        let (bands, dark) = (self.stage.lit(self.bands), self.dark());
        canvas.fill_placed(
            polygon(&[(41.0, 24.4), (59.0, 24.4), (57.0, 28.4), (43.0, 28.4)]),
            flat(dark),
            place,
            Blend::Over,
        );
        for x in [41.4, 45.0, 55.0, 58.6] {
            canvas.fill_placed(rectangle(x - 0.25, 20.6, x + 0.25, 24.6), flat(dark), place, Blend::Over);
        }
        canvas.fill_placed(rectangle(41.0, 20.3, 59.0, 20.9), flat(dark), place, Blend::Over);
        canvas.fill_placed(
            rectangle(45.0, 13.2, 55.0, 24.4),
            flat(self.stage.palette.lamp.lighter(0.45)),
            place,
            Blend::Over,
        );
        for x in [45.0, 48.3, 51.7, 55.0] {
            canvas.fill_placed(rectangle(x - 0.3, 13.2, x + 0.3, 24.4), flat(dark), place, Blend::Over);
        }
        canvas.fill_placed(
            outline("M 43 13.6 Q 44.5 6.6 50 5.4 Q 55.5 6.6 57 13.6 Z"),
            flat(bands),
            place,
            Blend::Over,
        );
        canvas.fill_placed(
            outline("M 50 5.4 Q 55.5 6.6 57 13.6 L 50 13.6 Z"),
            sheer(BLACK, 0.22),
            place,
            Blend::Over,
        );
        canvas.fill_placed(disc(50.0, 4.8, 1.3), flat(dark), place, Blend::Over);
        canvas.fill_placed(rectangle(49.7, 0.0, 50.3, 5.0), flat(dark), place, Blend::Over);
    }
}

/// The turning light of a lighthouse.
pub(super) struct Beam {
    pub(super) stage: Stage,
    pub(super) stance: Stance,
}

impl Layer for Beam {
    fn draw(&self, canvas: &mut Canvas, seconds: f32) {
        let Stance { foot, height, .. } = self.stance;
        let (x, y) = (foot.0, foot.1 - height * 0.81);
        let dark = 0.35 + 0.65 * self.stage.palette.darkness;
        let colour = self.stage.palette.lamp.lighter(0.35);
        // Seen from the side, a turning beam grows and shrinks. It starts at full length, towards the middle of the picture.
        let away = if x > self.stage.aspect / 2.0 { -1.0 } else { 1.0 };
        let (sin, cos) = (seconds * 0.55 + 0.3).sin_cos();
        for side in [1.0, -1.0] {
            let reach = side * away * cos;
            let towards = side * sin;
            let length = 1.25 * reach;
            let spread = 0.035 + 0.085 * reach.abs() + 0.05 * towards.max(0.0);
            let tilt = 0.05 * towards - 0.035;
            let end = (x + length, y + tilt);
            let cone =
                polygon(&[(x, y - 0.004), (end.0, end.1 - spread), (end.0, end.1 + spread), (x, y + 0.004)]);
            let strength = dark * (0.42 + 0.3 * towards.max(0.0)) * (0.35 + 0.65 * reach.abs());
            let ink = between(
                (x, y),
                (end.0, y),
                &[(0.0, colour.fade(strength)), (0.35, colour.fade(strength * 0.5)), (1.0, colour.fade(0.0))],
            );
            canvas.lighten(cone, ink);
        }
        let flare = height * (0.26 + 0.2 * sin.abs().powi(3));
        canvas.lighten(disc(x, y, flare), halo((x, y), flare, colour, 0.5 + 0.5 * dark));
    }

    fn moves(&self) -> bool {
        true
    }
}
