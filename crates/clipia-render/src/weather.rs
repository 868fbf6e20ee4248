//! Rain, snow, fog, lightning and drifting motes. They are in front of everything else.

use super::canvas::{Canvas, add_polygon, between, disc, halo, line, rectangle, sheer};
use super::colour::{Colour, WHITE};
use super::palette::Palette;
use super::random::{Random, noise};
use super::scene::Layer;
use tiny_skia::{PathBuilder, Transform};

pub(super) struct Rain {
    pub(super) palette: Palette,
    /// The sideways drift of a drop for each unit that it falls.
    pub(super) wind: f32,
    pub(super) seed: u64,
}

impl Layer for Rain {
    fn draw(&self, canvas: &mut Canvas, seconds: f32) {
        let aspect = canvas.aspect();
        let mut random = Random::new(self.seed);
        for (count, length, half, opacity, speed) in [
            (260.0, 0.035, 0.0005, 0.22, 1.3),
            (130.0, 0.06, 0.0008, 0.3, 1.8),
            (36.0, 0.11, 0.0013, 0.34, 2.6),
        ] {
            let mut drops = PathBuilder::new();
            for _ in 0..(count * aspect.max(0.6)) as usize {
                let fall = (random.unit() + seconds * speed * random.range(0.85, 1.15)).fract();
                let y = fall * (1.0 + length) - length;
                let x = (random.unit() * (aspect + 0.4) + self.wind * y).rem_euclid(aspect + 0.4) - 0.2;
                let lean = self.wind * length;
                add_polygon(
                    &mut drops,
                    &[
                        (x - half, y),
                        (x + half, y),
                        (x + lean + half * 0.4, y + length),
                        (x + lean - half * 0.4, y + length),
                    ],
                );
            }
            let colour = WHITE.mix(self.palette.sky[2], 0.35);
            canvas.fill(drops.finish(), sheer(colour, opacity));
        }
    }

    fn moves(&self) -> bool {
        true
    }
}

pub(super) struct Snowfall {
    pub(super) palette: Palette,
    pub(super) seed: u64,
}

impl Layer for Snowfall {
    fn draw(&self, canvas: &mut Canvas, seconds: f32) {
        let aspect = canvas.aspect();
        let mut random = Random::new(self.seed);
        for (count, size, opacity, speed) in [
            (190.0, 0.0016, 0.6, 0.035),
            (90.0, 0.0029, 0.72, 0.06),
            (30.0, 0.0055, 0.5, 0.1),
            (7.0, 0.011, 0.22, 0.15),
        ] {
            let mut flakes = PathBuilder::new();
            for _ in 0..(count * aspect.max(0.6)) as usize {
                let y = (random.unit() + seconds * speed * random.range(0.7, 1.3)).fract() * 1.04 - 0.02;
                let sway = 0.012 * (seconds * random.range(0.6, 1.5) + random.range(0.0, 6.0)).sin();
                let x = (random.unit() * aspect + sway + seconds * speed * 0.3).rem_euclid(aspect);
                flakes.push_circle(x, y, size * random.range(0.6, 1.3));
            }
            canvas.fill(flakes.finish(), sheer(WHITE.mix(self.palette.glow, 0.08), opacity));
        }
    }

    fn moves(&self) -> bool {
        true
    }
}

/// Bands of mist over the land.
pub(super) struct Fog {
    pub(super) palette: Palette,
    pub(super) horizon: f32,
    pub(super) strength: f32,
    pub(super) seed: u64,
}

impl Layer for Fog {
    fn draw(&self, canvas: &mut Canvas, seconds: f32) {
        let aspect = canvas.aspect();
        let colour = self.palette.haze().mix(WHITE, 0.12 * (1.0 - self.palette.darkness));
        let stops = [
            (0.0, colour.fade(0.0)),
            (0.5, colour.fade(self.strength * 0.75)),
            (1.0, colour.fade(self.strength * 0.12)),
        ];
        let (top, bottom) = (self.horizon - 0.2, self.horizon + 0.3);
        canvas.fill(rectangle(0.0, top, aspect, bottom.max(1.0)), between((0.0, top), (0.0, bottom), &stops));
        let mut random = Random::new(self.seed);
        for index in 0..7 {
            let y = self.horizon + random.range(-0.1, 0.26);
            let half = random.range(0.3, 0.7);
            let x = random.unit() * aspect + 0.06 * (seconds * 0.12 + index as f32).sin();
            let place = Transform::from_scale(1.0, 0.11).post_translate(x, y);
            canvas.fill_placed(
                disc(0.0, 0.0, half),
                halo((0.0, 0.0), half, colour, self.strength * 0.8),
                place,
                super::canvas::Blend::Over,
            );
        }
    }

    fn moves(&self) -> bool {
        true
    }
}

/// A bolt of lightning that strikes now and then, and lights up the sky.
pub(super) struct Lightning {
    pub(super) x: f32,
    pub(super) horizon: f32,
    pub(super) seed: u64,
}

/// The time between two strikes, in seconds.
const STRIKE_EVERY: f32 = 2.6;

impl Layer for Lightning {
    fn draw(&self, canvas: &mut Canvas, seconds: f32) {
        let strike = (seconds / STRIKE_EVERY).floor();
        let age = seconds - strike * STRIKE_EVERY;
        // A strike has two flashes shortly after one another, as real ones do.
        let flash = if age < 0.12 {
            1.0
        } else if age < 0.2 {
            0.25
        } else {
            (1.0 - (age - 0.2) / 0.5).max(0.0) * 0.9
        };
        if flash <= 0.01 {
            return;
        }
        let seed = self.seed ^ strike as u64;
        let x = self.x + 0.35 * noise(seed, 0.5) * f32::from(u8::from(strike > 0.0));
        let colour = Colour::hex(0xdfe6ff);
        canvas.lighten(disc(x, 0.12, 0.9), halo((x, 0.12), 0.9, colour, 0.5 * flash));
        let mut random = Random::new(seed);
        let end = (x + random.range(-0.12, 0.12), self.horizon);
        let trunk = bolt(&mut random, (x, 0.06), end, 16, 0.03);
        let mut forks = vec![];
        for _ in 0..4 {
            let start = trunk[2 + random.below(trunk.len() - 6)];
            let reach = random.range(0.08, 0.2);
            let end = (start.0 + reach * if random.chance(0.5) { 0.8 } else { -0.8 }, start.1 + reach);
            forks.push(bolt(&mut random, start, end, 8, 0.016));
        }
        let still = Transform::identity();
        for (width, opacity) in [(0.02, 0.1), (0.009, 0.28), (0.0034, 1.0)] {
            canvas.stroke(line(&trunk), sheer(colour.lighter(0.5), opacity * flash), width, still);
            for fork in &forks {
                canvas.stroke(
                    line(fork),
                    sheer(colour.lighter(0.4), opacity * flash * 0.8),
                    width * 0.5,
                    still,
                );
            }
        }
    }

    fn moves(&self) -> bool {
        true
    }
}

fn bolt(random: &mut Random, from: (f32, f32), to: (f32, f32), parts: usize, sway: f32) -> Vec<(f32, f32)> {
    (0..=parts)
        .map(|index| {
            let share = index as f32 / parts as f32;
            let off = if index == 0 || index == parts { 0.0 } else { random.range(-sway, sway) };
            (from.0 + (to.0 - from.0) * share + off, from.1 + (to.1 - from.1) * share)
        })
        .collect()
}

/// Specks that float in the light: fireflies at night, pollen by day, dust in front of a still image.
pub(super) struct Motes {
    pub(super) colour: Colour,
    pub(super) count: usize,
    /// The range of heights in which they float, from the top.
    pub(super) between: (f32, f32),
    pub(super) seed: u64,
}

impl Layer for Motes {
    fn draw(&self, canvas: &mut Canvas, seconds: f32) {
        let aspect = canvas.aspect();
        let mut random = Random::new(self.seed);
        for _ in 0..self.count {
            let (slow, phase) = (random.range(0.2, 0.6), random.range(0.0, 40.0));
            let seed = random.next();
            let x = random.unit() * aspect + 0.05 * noise(seed, seconds * slow + phase);
            let y = random.range(self.between.0, self.between.1)
                + 0.04 * noise(seed ^ 1, seconds * slow + phase)
                - 0.004 * seconds;
            let glow = 0.5 + 0.5 * (seconds * random.range(0.8, 2.0) + phase).sin();
            let radius = random.range(0.005, 0.014);
            canvas.lighten(disc(x, y, radius), halo((x, y), radius, self.colour, 0.35 + 0.65 * glow));
        }
    }

    fn moves(&self) -> bool {
        true
    }
}
