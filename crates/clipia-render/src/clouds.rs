//! Clouds: heaps and streaks that drift, and the low cloud cover of a storm.

use super::canvas::{Canvas, between, down};
use super::colour::Colour;
use super::palette::Palette;
use super::random::{Random, noise};
use super::scene::Layer;
use tiny_skia::{Path, PathBuilder};

/// A cloud with a flat foot and a rounded head, or a thin streak.
struct Cloud {
    x: f32,
    y: f32,
    width: f32,
    speed: f32,
    streak: bool,
    opacity: f32,
    seed: u64,
}

pub(super) struct Clouds {
    clouds: Vec<Cloud>,
    lit: Colour,
    shade: Colour,
    aspect: f32,
}

impl Clouds {
    /// Clouds for a sky. `amount` is from 0.0 (a clear sky) to 1.0, and `calm` from 0.0 (only heaps) to 1.0 (only streaks).
    pub(super) fn new(
        palette: &Palette,
        horizon: f32,
        aspect: f32,
        amount: f32,
        calm: f32,
        mut random: Random,
    ) -> Self {
        let count = ((4.0 + 6.0 * aspect) * amount) as usize;
        let clouds = (0..count)
            .map(|_| {
                // Far clouds lie low, small and slow.
                let nearness = random.unit();
                let streak = random.chance(calm);
                let size = if streak { random.range(0.25, 0.62) } else { random.range(0.14, 0.34) };
                Cloud {
                    x: random.range(-0.1, aspect + 0.1),
                    y: horizon * (0.86 - 0.72 * nearness),
                    width: size * (0.5 + 0.8 * nearness),
                    speed: 0.004 + 0.008 * nearness,
                    streak,
                    opacity: random.range(0.55, 0.95),
                    seed: random.next(),
                }
            })
            .collect();
        Self { clouds, lit: palette.cloud_lit, shade: palette.cloud_shade, aspect }
    }
}

impl Layer for Clouds {
    fn draw(&self, canvas: &mut Canvas, seconds: f32) {
        for cloud in &self.clouds {
            // A cloud that leaves on one side comes back on the other.
            let room = self.aspect + 2.0 * cloud.width;
            let x = (cloud.x + cloud.width + cloud.speed * seconds).rem_euclid(room) - cloud.width;
            if cloud.streak {
                let thickness = cloud.width * 0.045;
                let ink = down(
                    (cloud.y - thickness, self.lit.fade(cloud.opacity * 0.85)),
                    (cloud.y + thickness, self.shade.fade(cloud.opacity * 0.35)),
                );
                canvas.fill(streaks(x, cloud), ink);
            } else {
                let height = cloud.width * 0.42;
                let ink = between(
                    (0.0, cloud.y - height),
                    (0.0, cloud.y),
                    &[
                        (0.0, self.lit.fade(cloud.opacity)),
                        (0.55, self.lit.mix(self.shade, 0.55).fade(cloud.opacity * 0.85)),
                        (1.0, self.shade.fade(cloud.opacity * 0.12)),
                    ],
                );
                canvas.fill(heap(x, cloud), ink);
            }
        }
    }

    fn moves(&self) -> bool {
        true
    }
}

/// Humps of several sizes on one line.
fn heap(x: f32, cloud: &Cloud) -> Option<Path> {
    let mut random = Random::new(cloud.seed);
    let mut builder = PathBuilder::new();
    let half = cloud.width / 2.0;
    let count = 5 + random.below(4);
    add_hump(&mut builder, x, cloud.y, half, half * 0.22);
    for index in 0..count {
        let place = (index as f32 + random.range(0.2, 0.8)) / count as f32 * 2.0 - 1.0;
        let tall = (1.0 - place * place).sqrt();
        let radius = half * random.range(0.2, 0.36) * (0.45 + 0.55 * tall);
        let reach = (half - radius).max(0.0);
        add_hump(
            &mut builder,
            x + place * reach,
            cloud.y,
            radius,
            radius * random.range(1.2, 2.2) * (0.4 + 0.6 * tall),
        );
    }
    builder.finish()
}

/// The upper half of an ellipse.
fn add_hump(builder: &mut PathBuilder, x: f32, y: f32, half_width: f32, height: f32) {
    let top = y - height * 4.0 / 3.0;
    builder.move_to(x - half_width, y);
    builder.cubic_to(x - half_width, top, x + half_width, top, x + half_width, y);
    builder.close();
}

/// A long lens with two shorter ones beside it.
fn streaks(x: f32, cloud: &Cloud) -> Option<Path> {
    let mut random = Random::new(cloud.seed);
    let mut builder = PathBuilder::new();
    for (share, drop) in [(1.0, 0.0), (0.55, 0.035), (0.4, -0.03)] {
        let half = cloud.width * 0.5 * share;
        let (x, y) =
            (x + random.range(-0.3, 0.3) * cloud.width * (1.0 - share), cloud.y + drop * cloud.width);
        let (up, low) = (cloud.width * 0.032 * share.sqrt(), cloud.width * 0.016);
        builder.move_to(x - half, y);
        builder.cubic_to(x - half * 0.4, y - up, x + half * 0.5, y - up * 1.2, x + half, y);
        builder.cubic_to(x + half * 0.4, y + low, x - half * 0.5, y + low, x - half, y);
        builder.close();
    }
    builder.finish()
}

/// The low cloud cover of a storm.
pub(super) struct StormDeck {
    pub(super) palette: Palette,
    pub(super) depth: f32,
    pub(super) seed: u64,
}

impl Layer for StormDeck {
    fn draw(&self, canvas: &mut Canvas, seconds: f32) {
        let aspect = canvas.aspect();
        for row in (0..4_u64).rev() {
            let share = (row + 1) as f32 / 4.0;
            let foot = self.depth * share;
            let mut builder = PathBuilder::new();
            // The lower edge of the row before it hides what is above.
            let hidden = self.depth * (share - 0.25) * 0.7 - 0.01;
            builder.move_to(-0.3, hidden);
            let mut x = -0.3 - (seconds * 0.012 * (1.5 - share)) % 0.2;
            builder.line_to(x, foot * 0.8);
            let mut random = Random::new(self.seed ^ row);
            while x < aspect + 0.3 {
                let width = random.range(0.1, 0.26);
                let sag = width * random.range(0.24, 0.5);
                let y = foot * (0.78 + 0.2 * noise(self.seed ^ row, x * 1.7));
                builder.cubic_to(x, y + sag, x + width, y + sag, x + width, y);
                x += width;
            }
            builder.line_to(x, hidden);
            builder.close();
            let body = self.palette.cloud_shade.mix(self.palette.cloud_lit, 0.1 + 0.42 * share * share);
            let lit = body.mix(self.palette.cloud_lit, 0.28);
            canvas.fill(
                builder.finish(),
                down((foot * 0.35, body.darker(0.25).opaque()), (foot * 1.3, lit.opaque())),
            );
        }
    }

    fn moves(&self) -> bool {
        true
    }
}
