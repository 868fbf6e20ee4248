//! The sky: its gradient, its stars, and the sun or moon with its glow.

use super::canvas::{Blend, Canvas, around, between, disc, flat, halo, outline, rectangle, sheer};
use super::colour::{BLACK, Colour, WHITE};
use super::palette::Palette;
use super::random::Random;
use super::scene::Layer;
use tiny_skia::{PathBuilder, Transform};

/// The light source of a scene.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Light {
    /// No visible source: the light comes from behind clouds.
    Hidden,
    Sun,
    FullMoon,
    Crescent,
}

/// The position and the size of the light source, in units of the canvas.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lamp {
    pub(super) light: Light,
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) radius: f32,
}

/// The layer of the sky: gradient, stars, and the light source with its glow.
pub(super) struct Sky {
    pub(super) palette: Palette,
    pub(super) horizon: f32,
    pub(super) lamp: Lamp,
    /// The amount of stars, from 0.0 (none) to 1.0 (a clear night).
    pub(super) stars: f32,
    pub(super) seed: u64,
}

impl Layer for Sky {
    fn draw(&self, canvas: &mut Canvas, _seconds: f32) {
        let aspect = canvas.aspect();
        let whole = || rectangle(0.0, 0.0, aspect, 1.0);
        let [zenith, upper, lower, horizon] = self.palette.sky.map(Colour::opaque);
        let stops = [(0.0, zenith), (0.36, upper), (0.74, lower), (1.0, horizon)];
        canvas.fill(whole(), between((0.0, 0.0), (0.0, self.horizon + 0.02), &stops));
        self.draw_stars(canvas, aspect);
        let Lamp { light, x, y, radius } = self.lamp;
        let glow = self.palette.glow;
        let strength = if light == Light::Hidden { 0.4 } else { 0.8 - 0.35 * self.palette.darkness };
        // Light spreads along the horizon farther than up into the sky.
        let wide = Transform::from_scale(2.4, 1.0).post_translate(x, self.horizon);
        canvas.fill_placed(
            disc(0.0, 0.0, 0.5),
            halo((0.0, 0.0), 0.5, self.palette.sky[3].mix(glow, 0.4), strength * 0.8),
            wide,
            Blend::Lighten,
        );
        canvas.lighten(disc(x, y, radius * 9.0), halo((x, y), radius * 9.0, glow, strength));
        match light {
            Light::Hidden => {}
            Light::Sun => {
                let edge = self.palette.disc.mix(glow, 0.35);
                canvas.lighten(disc(x, y, radius * 2.6), halo((x, y), radius * 2.6, self.palette.disc, 0.7));
                let stops = [
                    (0.0, self.palette.disc.opaque()),
                    (0.7, self.palette.disc.opaque()),
                    (1.0, edge.opaque()),
                ];
                canvas.fill(disc(x, y, radius), around((x, y), radius, &stops));
            }
            Light::FullMoon => self.draw_full_moon(canvas),
            Light::Crescent => {
                let place = Transform::from_scale(radius, radius).post_rotate(-24.0).post_translate(x, y);
                let moon = outline("M 0 -1 C -1.33 -1 -1.33 1 0 1 C -0.62 0.7 -0.62 -0.7 0 -1 Z");
                canvas.fill_placed(moon, flat(self.palette.disc), place, Blend::Over);
            }
        }
    }
}

impl Sky {
    fn draw_stars(&self, canvas: &mut Canvas, aspect: f32) {
        let mut random = Random::new(self.seed);
        let count = (520.0 * self.stars * aspect.max(0.6)) as usize;
        // The stars have three classes of brightness. Each class is one path.
        for (opacity, share, size) in [(0.35, 0.62, 0.0009), (0.65, 0.3, 0.0013), (0.95, 0.08, 0.0021)] {
            let mut builder = PathBuilder::new();
            for _ in 0..(count as f32 * share) as usize {
                let depth = random.unit();
                let y = self.horizon * depth * depth.sqrt();
                builder.push_circle(random.range(0.0, aspect), y, size * random.range(0.7, 1.3));
            }
            canvas.fill(
                builder.finish(),
                sheer(self.palette.disc.mix(WHITE, 0.5), opacity * self.stars.min(1.0)),
            );
        }
    }

    fn draw_full_moon(&self, canvas: &mut Canvas) {
        let Lamp { x, y, radius, .. } = self.lamp;
        canvas.fill(disc(x, y, radius), flat(self.palette.disc));
        let sea = self.palette.disc.mix(self.palette.sky[2], 0.22);
        for (dx, dy, size) in [
            (-0.35, -0.25, 0.26),
            (0.2, -0.4, 0.16),
            (0.32, 0.2, 0.3),
            (-0.2, 0.42, 0.18),
            (-0.05, 0.02, 0.1),
        ] {
            canvas.fill(disc(x + dx * radius, y + dy * radius, size * radius), sheer(sea, 0.55));
        }
        let shade = [(0.0, BLACK.fade(0.0)), (0.75, BLACK.fade(0.0)), (1.0, self.palette.sky[1].fade(0.3))];
        canvas.fill(disc(x, y, radius), around((x - radius * 0.2, y - radius * 0.2), radius * 1.25, &shade));
    }
}
