//! A whale at the surface.

use super::animals::Stance;
use super::canvas::{Blend, Canvas, SavedStrip, disc, flat, outline, oval, polygon, sheer};
use super::colour::{BLACK, Colour, WHITE};
use super::random::Random;
use super::scene::{Layer, Stage};
use tiny_skia::{PathBuilder, Transform};

/// A whale at the surface, blowing.
pub(super) struct Whale {
    pub(super) stage: Stage,
    pub(super) stance: Stance,
    pub(super) skin: Colour,
}

impl Layer for Whale {
    fn draw(&self, canvas: &mut Canvas, seconds: f32) {
        let lit = |colour| self.stage.lit(colour);
        let skin = lit(self.skin);
        let heave = (seconds * 0.9).sin();
        let place = Transform::from_rotate_at(1.2 * heave, 50.0, 80.0)
            .post_concat(self.stance.place())
            .post_translate(0.0, 0.006 * heave);
        let Stance { foot, height, .. } = self.stance;
        let sea = canvas.save(foot.1 - height * 0.3, foot.1 + height * 0.3);
        let body = "M -22 72 C -24 46 4 30 34 33 C 62 36 84 52 98 58 C 104 50 104 38 96 28 C 106 28 112 33 114 39 C 118 32 126 28 134 30 \
            C 132 44 124 56 112 64 C 98 84 66 100 26 100 C -6 100 -20 90 -22 72 Z";
        canvas.fill_placed(outline(body), flat(skin), place, Blend::Over);
        let belly = "M -22 72 C -10 80 16 84 44 78 C 62 76 70 80 74 90 C 60 97 44 100 26 100 C -6 100 -20 90 -22 72 Z";
        canvas.fill_placed(outline(belly), flat(lit(self.skin.mix(WHITE, 0.62))), place, Blend::Over);
        for drop in [0.0, 4.5, 9.0, 13.5] {
            let groove = outline(&format!(
                "M {} {} C 4 {} 20 {} 40 {}",
                -19.0 + drop * 0.5,
                77.0 + drop,
                85.0 + drop,
                87.0 + drop,
                83.0 + drop
            ));
            canvas.stroke(groove, sheer(skin, 0.6), 0.9, place);
        }
        let fin = "M 34 80 C 46 80 54 90 56 106 C 44 104 34 94 30 84 Z";
        canvas.fill_placed(outline(fin), flat(lit(self.skin.darker(0.25))), place, Blend::Over);
        canvas.fill_placed(disc(-2.0, 68.0, 1.7), flat(BLACK), place, Blend::Over);
        canvas.fill_placed(disc(-2.5, 67.4, 0.6), sheer(WHITE, 0.8), place, Blend::Over);
        let back = outline("M -12 52 C 0 38 20 34 38 37 C 56 40 70 47 82 53");
        canvas.stroke(back, sheer(self.stage.palette.disc, 0.25), 1.6, place);
        self.draw_spout(canvas, seconds, place);
        if let Some(sea) = sea {
            self.draw_waterline(canvas, seconds, &sea);
        }
    }

    fn moves(&self) -> bool {
        true
    }
}

impl Whale {
    fn draw_spout(&self, canvas: &mut Canvas, seconds: f32, place: Transform) {
        let spray = WHITE.mix(self.stage.palette.sky[3], 0.35);
        let pulse = 0.8 + 0.2 * (seconds * 2.4).sin();
        for (reach, lean) in [(-17.0, 0.9), (-8.0, 1.05), (8.0, 1.05), (17.0, 0.9)] {
            let mut jet = PathBuilder::new();
            let top = 33.0 - 34.0 * pulse * lean;
            jet.move_to(12.0, 35.0);
            jet.cubic_to(
                12.0 + reach * 0.2,
                top,
                12.0 + reach * 0.9,
                top - 4.0,
                12.0 + reach * 1.25,
                top + 15.0,
            );
            canvas.stroke(jet.finish(), sheer(spray, 0.75), 2.2, place);
        }
        let mut random = Random::new(11);
        let mut drops = PathBuilder::new();
        for _ in 0..26 {
            let share = (random.unit() + seconds * 0.7).fract();
            let x = 12.0 + random.range(-26.0, 26.0) * (0.4 + 0.6 * share);
            drops.push_circle(
                x,
                -4.0 + 34.0 * share * share + random.range(-6.0, 6.0),
                random.range(0.4, 1.1),
            );
        }
        canvas.fill_placed(drops.finish(), sheer(spray, 0.8), place, Blend::Over);
    }

    /// Draws the sea over the part below the surface, and foam where the sea meets the skin.
    fn draw_waterline(&self, canvas: &mut Canvas, seconds: f32, sea: &SavedStrip) {
        let Stance { foot: (x, y), height, .. } = self.stance;
        let half = height * 1.1;
        let line: Vec<(f32, f32)> = (0..=60)
            .map(|index| index as f32 / 30.0 - 1.0)
            .map(|at| (x + at * half, y - height * (0.14 + 0.018 * (at * 17.0 + seconds * 2.1).sin())))
            .collect();
        let mut below = line.clone();
        below.extend([(x + half, y + height * 0.28), (x - half, y + height * 0.28)]);
        canvas.restore(sea, polygon(&below));
        let foam = WHITE.mix(self.stage.palette.sky[3], 0.35);
        let mut surf = PathBuilder::new();
        for (index, (px, py)) in line.iter().enumerate().skip(8).take(38) {
            let thick = height * (0.012 + 0.01 * (index as f32 * 1.9 + seconds * 3.0).sin());
            surf.push_circle(*px, *py + thick * 0.4, thick.max(height * 0.004));
        }
        canvas.fill(surf.finish(), sheer(foam, 0.75));
        for (drop, reach, opacity) in [(0.05, 0.62, 0.4), (0.1, 0.45, 0.28), (0.16, 0.3, 0.18)] {
            canvas.fill(
                oval(x, y - height * (0.13 - drop), half * reach, height * 0.007),
                sheer(foam, opacity),
            );
        }
    }
}
