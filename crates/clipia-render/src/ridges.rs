//! Distant land: hills, mountains and dunes, which are paler the farther they are.

use super::canvas::{Canvas, between, down, polygon, sheer};
use super::colour::Colour;
use super::random::{Random, fractal, noise};
use super::scene::Layer;

/// The distance between two points of a ridge line, in units.
const STEP: f32 = 1.0 / 320.0;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Form {
    Hills,
    Peaks,
    Dunes,
}

/// One line of land from side to side.
pub(super) struct Ridge {
    pub(super) form: Form,
    /// The height of the valleys, in units from the top.
    pub(super) base: f32,
    /// The height of the highest points above the base.
    pub(super) rise: f32,
    /// The width of one hill.
    pub(super) span: f32,
    pub(super) seed: u64,
    pub(super) crest: Colour,
    /// The colour at `bottom`, where mist gathers.
    pub(super) foot: Colour,
    /// Where the land ends, in units from the top.
    pub(super) bottom: f32,
    /// The colour of the side away from the light.
    pub(super) shade: Option<Colour>,
    /// The colour of the snow on the peaks.
    pub(super) snow: Option<Colour>,
    /// Whether the light comes from the left.
    pub(super) lit_from_left: bool,
}

impl Ridge {
    /// The height of the line at `x`, in units from the top.
    pub(super) fn at(&self, x: f32) -> f32 {
        let u = x / self.span + 100.0;
        let share = match self.form {
            Form::Hills => 0.5 + 0.62 * fractal(self.seed, u, 4),
            Form::Peaks => peaks(self.seed, u),
            Form::Dunes => dunes(self.seed, u, self.lit_from_left),
        };
        self.base - self.rise * share
    }

    fn points(&self, from: f32, to: f32) -> Vec<(f32, f32)> {
        let count = ((to - from) / STEP).ceil().max(1.0) as usize;
        (0..=count)
            .map(|index| from + (to - from) * index as f32 / count as f32)
            .map(|x| (x, self.at(x)))
            .collect()
    }

    /// The summits: the points that are higher than all points within `reach` on either side.
    fn summits(points: &[(f32, f32)], reach: usize) -> Vec<usize> {
        (1..points.len().saturating_sub(1))
            .filter(|index| {
                let around = points.iter().enumerate().skip(index.saturating_sub(reach)).take(2 * reach + 1);
                around.into_iter().all(|(other, point)| other == *index || point.1 > points[*index].1)
            })
            .collect()
    }

    fn draw_facets(&self, canvas: &mut Canvas, points: &[(f32, f32)]) {
        let reach = (self.span * 0.18 / STEP) as usize;
        for summit in Self::summits(points, reach.max(3)) {
            let peak = points[summit];
            let drop = self.base - peak.1;
            if drop < self.rise * 0.25 {
                continue;
            }
            let away = if self.lit_from_left { 1_isize } else { -1 };
            if let Some(shade) = self.shade {
                let mut outline = descent(points, summit, away, peak.1 + drop * 1.1);
                let end = outline.last().copied().unwrap_or(peak);
                let floor = (end.1 + drop * 0.35).min(self.bottom);
                outline.push((end.0 + away as f32 * drop * 0.25, floor));
                if self.form == Form::Dunes {
                    add_curve(&mut outline, (peak.0 - away as f32 * self.span * 0.22, floor), peak);
                } else {
                    add_crack(
                        &mut outline,
                        (peak.0 - away as f32 * drop * 0.1, floor),
                        peak,
                        self.seed ^ summit as u64,
                    );
                }
                canvas.fill(polygon(&outline), down((peak.1, shade.fade(0.85)), (floor, shade.fade(0.0))));
            }
            if let Some(snow) = self.snow {
                self.draw_cap(canvas, points, summit, drop, snow);
            }
        }
    }

    fn draw_cap(&self, canvas: &mut Canvas, points: &[(f32, f32)], summit: usize, drop: f32, snow: Colour) {
        let peak = points[summit];
        let edge = peak.1 + drop * 0.36;
        let mut left = descent(points, summit, -1, edge);
        let right = descent(points, summit, 1, edge);
        let (Some(from), Some(to)) = (right.last().copied(), left.last().copied()) else {
            return;
        };
        left.reverse();
        let mut cap = left;
        cap.extend(right.into_iter().skip(1));
        // The lower edge of the snow runs down the gullies.
        let mut random = Random::new(self.seed ^ summit as u64);
        let tongues = 6;
        for index in 1..tongues * 2 {
            let share = index as f32 / (tongues * 2) as f32;
            let down = if index % 2 == 0 { random.range(0.02, 0.14) } else { random.range(-0.16, -0.04) };
            cap.push((from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share + drop * down));
        }
        canvas.fill(polygon(&cap), sheer(snow, 0.9));
        if let Some(shade) = self.shade {
            let away = if self.lit_from_left { 1_isize } else { -1 };
            let mut dark = descent(points, summit, away, edge);
            let foot = (peak.0 - away as f32 * drop * 0.03, edge + drop * 0.02);
            add_crack(&mut dark, foot, peak, self.seed ^ summit as u64);
            canvas.fill(polygon(&dark), sheer(snow.mix(shade, 0.55), 0.75));
        }
    }
}

impl Layer for Ridge {
    fn draw(&self, canvas: &mut Canvas, _seconds: f32) {
        let aspect = canvas.aspect();
        let points = self.points(-0.3, aspect + 0.3);
        let mut outline = points.clone();
        outline.push((aspect + 0.3, self.bottom));
        outline.push((-0.3, self.bottom));
        let top = self.base - self.rise;
        let stops = [
            (0.0, self.crest.opaque()),
            (0.45, self.crest.mix(self.foot, 0.35).opaque()),
            (1.0, self.foot.opaque()),
        ];
        canvas.fill(
            polygon(&outline),
            between((0.0, top), (0.0, self.bottom.min(self.base + self.rise)), &stops),
        );
        if self.shade.is_some() || self.snow.is_some() {
            self.draw_facets(canvas, &points);
        }
    }
}

/// The line from a summit down one side, until it climbs clearly again or reaches `floor`.
fn descent(points: &[(f32, f32)], summit: usize, side: isize, floor: f32) -> Vec<(f32, f32)> {
    let mut path = vec![points[summit]];
    let mut lowest = points[summit].1;
    let mut index = summit;
    while let Some(point) = index.checked_add_signed(side).and_then(|next| points.get(next)) {
        if point.1 > floor || point.1 < lowest - 0.012 {
            break;
        }
        lowest = lowest.max(point.1);
        path.push(*point);
        index = index.saturating_add_signed(side);
    }
    path
}

/// A jagged line from `from` up to `to`.
fn add_crack(outline: &mut Vec<(f32, f32)>, from: (f32, f32), to: (f32, f32), seed: u64) {
    let mut random = Random::new(seed);
    let parts = 9;
    for index in 0..parts {
        let share = index as f32 / parts as f32;
        let sway = (from.1 - to.1) * 0.11 * (1.0 - share) * if index % 2 == 0 { 1.0 } else { -0.6 };
        let x = from.0 + (to.0 - from.0) * share + sway * random.range(0.3, 1.0);
        outline.push((x, from.1 + (to.1 - from.1) * share));
    }
}

/// A line like an S from `from` up to `to`: the crest of a dune coming towards the viewer.
fn add_curve(outline: &mut Vec<(f32, f32)>, from: (f32, f32), to: (f32, f32)) {
    for index in 0..24 {
        let share = index as f32 / 24.0;
        let eased = share * share * (3.0 - 2.0 * share);
        outline.push((from.0 + (to.0 - from.0) * eased, from.1 + (to.1 - from.1) * share));
    }
}

/// Sharp crests: noise folded at zero, the finer octaves stronger where it is high.
fn peaks(seed: u64, u: f32) -> f32 {
    let (mut sum, mut weight, mut x, mut gate) = (0.0, 0.6, u, 1.0);
    for octave in 0..6 {
        let fold = 1.0 - noise(seed.wrapping_add(octave), x).abs();
        let fold = fold.powf(1.25) * gate;
        sum += fold * weight;
        gate = (fold * 1.4).clamp(0.25, 1.0);
        weight *= 0.46;
        x *= 2.17;
    }
    ((sum - 0.18) * 1.2).clamp(-0.1, 1.2)
}

/// Long slopes towards the wind and short ones behind the crest.
fn dunes(seed: u64, u: f32, steep_right: bool) -> f32 {
    let u = if steep_right { u } else { -u } + 0.25 * noise(seed ^ 5, u * 0.7);
    let phase = u - u.floor();
    let tall = |cell: f32| 0.35 + 0.65 * (0.5 + 0.5 * noise(seed, cell * 1.37 + 0.5));
    let slope = if phase < 0.66 { phase / 0.66 } else { (1.0 - phase) / 0.34 };
    let eased = if phase < 0.66 { slope * slope * (1.6 - 0.6 * slope) } else { slope.powf(1.25) };
    tall(u.floor()) * eased + 0.06 * noise(seed ^ 9, u * 2.1)
}
