//! Northern lights, nebulae and planets: things in the sky at night, or where there is no air.

use super::canvas::{Blend, Canvas, around, between, disc, flat, halo, oval, rectangle, sheer};
use super::colour::{BLACK, Colour, WHITE};
use super::palette::Palette;
use super::random::{Random, fractal, noise};
use super::scene::Layer;
use tiny_skia::{Path, PathBuilder, Shader, Transform};

/// Curtains of northern light.
pub(super) struct Aurora {
    pub(super) horizon: f32,
    pub(super) seed: u64,
}

/// The aurora is drawn so many times smaller than the canvas. It is soft, so nobody sees the difference.
const AURORA_SHRINK: u32 = 4;

impl Layer for Aurora {
    fn draw(&self, canvas: &mut Canvas, seconds: f32) {
        let (width, height) = (canvas.pixmap.width(), canvas.pixmap.height());
        // If the canvas is too small for this, the aurora would not be visible either.
        let Ok(mut small) = Canvas::new(width.div_ceil(AURORA_SHRINK), height.div_ceil(AURORA_SHRINK)) else {
            return;
        };
        small.fill(rectangle(0.0, 0.0, small.aspect(), 1.0), flat(BLACK));
        self.draw_curtains(&mut small, seconds);
        canvas.lighten_enlarged(&small.pixmap, self.horizon);
    }

    fn moves(&self) -> bool {
        true
    }
}

impl Aurora {
    fn draw_curtains(&self, canvas: &mut Canvas, seconds: f32) {
        let aspect = canvas.aspect();
        let step = 0.02;
        for (curtain, (low, high)) in
            [(0x3dffa8, 0x3f9dff), (0x62ffc8, 0x8a5bff), (0x2fe0b0, 0xc45bff)].into_iter().enumerate()
        {
            let seed = self.seed ^ curtain as u64;
            let (low, high) = (Colour::hex(low), Colour::hex(high));
            let mut x = -step;
            while x < aspect + step {
                let drift = seconds * 0.05 + curtain as f32 * 7.0;
                let foot = self.horizon * (0.42 + 0.14 * curtain as f32)
                    + 0.1 * fractal(seed, x * 1.3 + drift * 0.4, 3);
                let rays = 0.5 + 0.5 * fractal(seed ^ 77, x * 9.0 + drift * 2.0, 3);
                let envelope = (0.5 + 0.5 * noise(seed ^ 99, x * 1.1 + drift)).sqrt();
                let height = 0.16 + 0.3 * rays;
                let opacity = 0.95 * envelope * (0.35 + 0.65 * rays);
                let ink = between(
                    (0.0, foot - height),
                    (0.0, foot + 0.02),
                    &[
                        (0.0, high.fade(0.0)),
                        (0.55, high.mix(low, 0.5).fade(opacity * 0.45)),
                        (0.92, low.fade(opacity)),
                        (1.0, low.fade(0.0)),
                    ],
                );
                canvas.lighten(rectangle(x, foot - height, x + step, foot + 0.02), ink);
                x += step;
            }
        }
    }
}

/// A coloured cloud of gas, and planets, for a sky without air.
pub(super) struct Cosmos {
    pub(super) palette: Palette,
    pub(super) seed: u64,
}

impl Layer for Cosmos {
    fn draw(&self, canvas: &mut Canvas, _seconds: f32) {
        let aspect = canvas.aspect();
        let mut random = Random::new(self.seed);
        let tilt = random.range(-28.0, 28.0);
        for index in 0..16 {
            let along = random.range(-0.7, 0.7);
            let colour = self.palette.glow.turned(random.range(-70.0, 70.0));
            let place = Transform::from_scale(1.7, 0.75)
                .post_concat(Transform::from_translate(along, random.range(-0.09, 0.09)))
                .post_rotate(tilt)
                .post_translate(aspect * 0.5, 0.36);
            let radius = random.range(0.12, 0.34);
            let opacity = if index % 3 == 0 { 0.34 } else { 0.2 };
            canvas.fill_placed(
                disc(0.0, 0.0, radius),
                halo((0.0, 0.0), radius, colour, opacity),
                place,
                Blend::Lighten,
            );
        }
        let radius = random.range(0.13, 0.19);
        let (x, y) = (aspect * random.range(0.58, 0.78), random.range(0.26, 0.4));
        let body = self.palette.glow.turned(random.range(-120.0, 120.0));
        draw_planet(canvas, (x, y), radius, body, random.chance(0.7));
        let small = body.turned(random.range(60.0, 160.0));
        draw_planet(
            canvas,
            (aspect * random.range(0.1, 0.34), random.range(0.12, 0.5)),
            radius * 0.26,
            small,
            false,
        );
    }
}

fn draw_planet(canvas: &mut Canvas, (x, y): (f32, f32), radius: f32, body: Colour, ringed: bool) {
    let ring = |canvas: &mut Canvas, front: bool| {
        let place = Transform::from_scale(1.0, 0.26).post_rotate(-17.0).post_translate(x, y);
        for (reach, width, opacity) in [(1.55, 0.16, 0.75), (1.85, 0.1, 0.5), (2.08, 0.03, 0.35)] {
            let path = half_ring(radius * reach, front);
            canvas.stroke(path, sheer(body.lighter(0.55), opacity), radius * width, place);
        }
    };
    canvas.lighten(disc(x, y, radius * 1.9), halo((x, y), radius * 1.9, body, 0.45));
    if ringed {
        ring(canvas, false);
    }
    let bands: [(f32, Colour); 6] = [
        (0.0, body.lighter(0.4)),
        (0.3, body.turned(14.0).lighter(0.15)),
        (0.36, body.lighter(0.35)),
        (0.55, body),
        (0.62, body.turned(-16.0).lighter(0.2)),
        (1.0, body.darker(0.45)),
    ];
    let stops = bands.map(|(at, colour)| (at, colour.opaque()));
    canvas.fill(
        disc(x, y, radius),
        between((x - radius * 0.3, y - radius), (x + radius * 0.3, y + radius), &stops),
    );
    let night: Shader = around(
        (x - radius * 0.45, y - radius * 0.4),
        radius * 1.7,
        &[(0.0, BLACK.fade(0.0)), (0.45, BLACK.fade(0.05)), (1.0, BLACK.fade(0.82))],
    );
    canvas.fill(disc(x, y, radius), night);
    canvas.fill(oval(x - radius * 0.4, y - radius * 0.45, radius * 0.3, radius * 0.2), sheer(WHITE, 0.06));
    if ringed {
        ring(canvas, true);
    }
}

/// Half of a planet's ring as an open line around the origin: the half in front of the planet, or the half behind it.
fn half_ring(radius: f32, front: bool) -> Option<Path> {
    let side = if front { 1.0 } else { -1.0 };
    let mut builder = PathBuilder::new();
    builder.move_to(-radius, 0.0);
    builder.cubic_to(-radius, side * radius * 4.0 / 3.0, radius, side * radius * 4.0 / 3.0, radius, 0.0);
    builder.finish()
}
