//! Trees: a wood along a ridge, and one large tree.

use super::animals::{Stance, draw_shadow};
use super::canvas::{Canvas, add_polygon, down, flat, sheer};
use super::colour::{Colour, WHITE};
use super::random::{Random, noise};
use super::ridges::Ridge;
use super::scene::{Layer, Stage};
use tiny_skia::PathBuilder;

/// The kind of trees in a wood.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Pine,
    Leafy,
}

/// A row of trees along the line of a ridge.
pub(super) struct Wood {
    pub(super) ridge: Ridge,
    pub(super) kind: Kind,
    /// The height of a tree, in units.
    pub(super) height: f32,
    /// The number of trees per unit of width.
    pub(super) density: f32,
    pub(super) colour: Colour,
    /// The colour at the foot, where mist gathers.
    pub(super) foot: Colour,
    /// The clear part: its centre, and its share of the width.
    pub(super) clearing: Option<(f32, f32)>,
    pub(super) snowy: bool,
}

impl Layer for Wood {
    fn draw(&self, canvas: &mut Canvas, seconds: f32) {
        let aspect = canvas.aspect();
        let mut random = Random::new(self.ridge.seed ^ 0x7ee5);
        let mut builder = PathBuilder::new();
        let mut snow = PathBuilder::new();
        let count = (self.density * (aspect + 0.2)) as usize;
        let (mut top, mut bottom) = (1.0_f32, 0.0_f32);
        for index in 0..count {
            let x = -0.1 + (index as f32 + random.range(0.0, 0.9)) / self.density;
            let height =
                self.height * random.range(0.55, 1.15) * (0.85 + 0.3 * noise(self.ridge.seed ^ 4, x * 3.0));
            let seed = random.next();
            let near_clearing = self.clearing.is_some_and(|(middle, half)| (x - middle).abs() < half);
            if near_clearing {
                continue;
            }
            let y = self.ridge.at(x) + height * 0.06;
            (top, bottom) = (top.min(y - height), bottom.max(y));
            match self.kind {
                Kind::Pine => add_pine(&mut builder, &mut snow, (x, y), height, seed),
                Kind::Leafy => add_leafy(&mut builder, (x, y), height, seed),
            }
        }
        let ink = down(
            (top, self.colour.opaque()),
            (bottom + self.height * 0.1, self.colour.mix(self.foot, 0.75).opaque()),
        );
        canvas.fill(builder.finish(), ink);
        if self.snowy {
            canvas.fill(snow.finish(), sheer(WHITE.mix(self.foot, 0.25), 0.8));
        }
        self.ridge.draw(canvas, seconds);
    }
}

/// Adds a pine with tiers of boughs. Each tier is wider than the one above it, and every second one has snow.
fn add_pine(builder: &mut PathBuilder, snow: &mut PathBuilder, (x, y): (f32, f32), height: f32, seed: u64) {
    let mut random = Random::new(seed);
    let tiers = 6;
    let half = height * random.range(0.17, 0.23);
    let top = y - height;
    let mut left = vec![];
    let mut right = vec![];
    for tier in 1..=tiers {
        let share = tier as f32 / tiers as f32;
        let reach = half * share.powf(0.85);
        let low = top + height * 0.94 * share;
        let (l, r) = (reach * random.range(0.82, 1.12), reach * random.range(0.82, 1.12));
        let (dl, dr) = (height * random.range(0.0, 0.03), height * random.range(0.0, 0.03));
        left.push((x - l, low + dl));
        left.push((x - reach * 0.42, low - height * 0.035));
        right.push((x + r, low + dr));
        right.push((x + reach * 0.42, low - height * 0.035));
        if tier > 1 {
            let lean = height * 0.07;
            add_polygon(
                snow,
                &[
                    (x - l, low + dl),
                    (x - l * 0.45, low - lean),
                    (x - l * 0.15, low - lean * 0.7),
                    (x - l * 0.5, low - lean * 0.25),
                ],
            );
        }
    }
    let mut outline = vec![(x, top)];
    outline.extend(right);
    let trunk = height * 0.022;
    outline.extend([
        (x + trunk, y - height * 0.07),
        (x + trunk, y),
        (x - trunk, y),
        (x - trunk, y - height * 0.07),
    ]);
    outline.extend(left.into_iter().rev());
    add_polygon(builder, &outline);
}

fn add_leafy(builder: &mut PathBuilder, (x, y): (f32, f32), height: f32, seed: u64) {
    let mut random = Random::new(seed);
    let trunk = height * 0.03;
    add_polygon(
        builder,
        &[
            (x - trunk, y),
            (x - trunk * 0.6, y - height * 0.6),
            (x + trunk * 0.6, y - height * 0.6),
            (x + trunk, y),
        ],
    );
    for _ in 0..16 {
        let radius = height * random.range(0.07, 0.17);
        let dy = random.range(0.3, 0.86);
        let dx = random.range(-1.0, 1.0) * 0.3 * (1.0 - ((dy - 0.52) / 0.42).powi(2)).max(0.1).sqrt();
        builder.push_circle(x + dx * height, y - dy * height, radius);
    }
}

/// One large tree.
pub(super) struct Tree {
    pub(super) stage: Stage,
    pub(super) stance: Stance,
    pub(super) leaves: Colour,
    pub(super) bare: bool,
    pub(super) seed: u64,
}

impl Layer for Tree {
    fn draw(&self, canvas: &mut Canvas, _seconds: f32) {
        let stance = self.stance;
        draw_shadow(canvas, stance, 0.55, self.stage.palette.near);
        let bark = self.stage.lit(Colour::hex(0x4b3226));
        let mut random = Random::new(self.seed);
        let mut tips = vec![];
        let Stance { foot: (x, y), height, .. } = stance;
        let mut wood = PathBuilder::new();
        let width = height * 0.05;
        add_polygon(
            &mut wood,
            &[
                (x + width * 1.7, y + 0.004),
                (x + width * 0.7, y - height * 0.1),
                (x - width * 0.7, y - height * 0.1),
                (x - width * 1.7, y + 0.004),
            ],
        );
        grow(&mut wood, &mut tips, &mut random, (x, y), -90.0, height * 0.36, width, 0);
        canvas.fill(wood.finish(), flat(bark));
        if self.bare {
            return;
        }
        // The leaves have three tones, from the shaded mass behind to the lit side in front.
        let light = if self.stage.lit_from_left { -1.0 } else { 1.0 };
        let tones = [
            (self.leaves.darker(0.35), 0.0, 1.0, 1),
            (self.leaves, 0.02, 0.78, 1),
            (self.leaves.mix(self.stage.palette.glow, 0.4).lighter(0.1), 0.05, 0.42, 2),
        ];
        for (tone, shift, size, every) in tones {
            let mut mass = PathBuilder::new();
            for (index, (tip_x, tip_y)) in tips.iter().enumerate() {
                let radius = height * random.range(0.055, 0.105) * size;
                if index % every == 0 {
                    mass.push_circle(tip_x + light * shift * height, tip_y - shift * height * 0.9, radius);
                }
            }
            canvas.fill(mass.finish(), flat(self.stage.lit(tone)));
        }
    }
}

/// Adds a branch and the branches that grow from it: 2 or 3 each, over at most 5 levels.
#[expect(
    clippy::too_many_arguments,
    reason = "the state of one recursion; a struct for it would have one user"
)]
fn grow(
    wood: &mut PathBuilder,
    tips: &mut Vec<(f32, f32)>,
    random: &mut Random,
    (x, y): (f32, f32),
    degrees: f32,
    length: f32,
    width: f32,
    level: u32,
) {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let end = (x + cos * length, y + sin * length);
    let (nx, ny) = (-sin, cos);
    let thin = width * 0.66;
    add_polygon(
        wood,
        &[
            (x + nx * width, y + ny * width),
            (end.0 + nx * thin, end.1 + ny * thin),
            (end.0 - nx * thin, end.1 - ny * thin),
            (x - nx * width, y - ny * width),
        ],
    );
    if level >= 2 {
        tips.push(end);
    }
    if level == 5 {
        return;
    }
    let children = if level < 2 { 3 } else { 2 };
    for child in 0..children {
        let fan =
            (child as f32 / (children - 1) as f32 - 0.5) * random.range(54.0, 78.0) + random.range(-9.0, 9.0);
        let shorter = length * random.range(0.6, 0.76);
        grow(wood, tips, random, end, degrees + fan, shorter, thin, level + 1);
    }
}
