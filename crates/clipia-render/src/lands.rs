//! The land of a scene, for each place: the layers behind the subjects, and the layers in front of them.

use super::canvas::{Canvas, between, rectangle};
use super::colour::Colour;
use super::ground::{Cover, Foreground, Headland};
use super::palette::{Mood, Palette};
use super::places;
use super::plants::{Kind, Wood};
use super::prompt::Reading;
use super::random::Random;
use super::ridges::{Form, Ridge};
use super::scene::{Layer, Scene, Stage};
use super::setting::Setting;
use super::sky::Light;
use super::vocabulary::{Meaning, Subject, Where};
use super::water::Mirror;
use super::waves::Swell;

/// The ground and the water for the subjects.
pub(super) struct Floor {
    /// The solid ground in the foreground, if there is any.
    pub(super) ground: Option<Foreground>,
    /// The height at which a boat floats, in units from the top, if there is water.
    pub(super) water: Option<f32>,
    /// Whether the water is calm enough for mirror images.
    pub(super) calm: bool,
    /// The top of a rocky point for a lighthouse.
    pub(super) headland: Option<(f32, f32)>,
}

/// A ridge of the scene's colours. `depth` is 0.0 for the farthest, 1.0 for the nearest.
pub(super) fn ridge(
    setting: &Setting,
    form: Form,
    depth: f32,
    (base, rise, span): (f32, f32, f32),
    bottom: f32,
    seed: u64,
) -> Ridge {
    let palette = &setting.stage.palette;
    let crest = palette.land(depth);
    Ridge {
        form,
        base,
        rise,
        span,
        seed,
        crest,
        foot: crest.mix(palette.haze(), 0.62 * (1.0 - depth)),
        bottom,
        shade: None,
        snow: None,
        lit_from_left: setting.stage.lit_from_left,
    }
}

/// A mountain range with a lit and a shaded side, and snow on it where it is cold or high.
pub(super) fn range(
    setting: &Setting,
    depth: f32,
    shape: (f32, f32, f32),
    bottom: f32,
    capped: bool,
    seed: u64,
) -> Ridge {
    let palette = &setting.stage.palette;
    let mut range = ridge(setting, Form::Peaks, depth, shape, bottom, seed);
    range.crest = range.crest.mix(palette.glow, 0.12);
    range.shade = Some(range.crest.mix(palette.near.mix(palette.sky[0], 0.5), 0.42));
    range.snow = capped.then(|| {
        Colour::hex(0xffffff).mix(palette.glow, 0.14).mix(palette.sky[1], 0.1 + 0.5 * palette.darkness)
    });
    range
}

pub(super) fn add_back(
    scene: &mut Scene,
    reading: &Reading,
    setting: &Setting,
    random: &mut Random,
) -> Floor {
    let mut floor = Floor { ground: None, water: None, calm: true, headland: None };
    let mountains = reading.places.contains(&Where::Mountains) && setting.place != Some(Where::Mountains);
    if mountains && !reading.excludes(Meaning::Place(Where::Mountains)) {
        let shape = (setting.horizon + 0.02, 0.3, 0.5);
        scene.push(Box::new(range(setting, 0.2, shape, 1.0, true, random.next())));
    }
    match setting.place {
        None => places::bare(scene, setting, random),
        Some(Where::Sea) => places::sea(scene, setting, random, &mut floor),
        Some(Where::Waves) => {
            let rows = 0..5;
            scene.push(Box::new(swell(setting, rows)));
            floor.water = Some(setting.horizon + (1.0 - setting.horizon) * 0.5);
            floor.calm = false;
        }
        Some(Where::Lake) => places::lake(scene, setting, random, &mut floor),
        Some(Where::Forest) => places::forest(scene, setting, random, &mut floor),
        Some(Where::City) => places::city(scene, setting, random, &mut floor),
        Some(Where::Desert) => places::desert(scene, setting, random, &mut floor),
        Some(Where::Snow) => places::snowfield(scene, setting, random, &mut floor),
        Some(Where::Meadow) => places::meadow(scene, setting, random, &mut floor),
        Some(Where::Mountains) => places::mountains(scene, setting, random, &mut floor),
        Some(Where::Orbit) => places::moonscape(scene, setting, random, &mut floor),
    }
    if floor.water.is_some() {
        if reading.has(Subject::Lighthouse) {
            add_headland(scene, setting, random, &mut floor);
        }
        if reading.subjects.iter().any(|subject| stands(subject.0)) {
            add_shore(scene, setting, random, &mut floor);
        }
    }
    floor
}

/// Whether a subject needs solid ground.
pub(super) fn stands(subject: Subject) -> bool {
    use Subject::{Cat, Deer, Flowers, Fox, House, Robot, Tree};
    matches!(subject, Fox | Cat | Deer | House | Tree | Robot | Flowers)
}

pub(super) fn mirror(setting: &Setting, ripple: f32, random: &mut Random) -> Mirror {
    let palette = setting.stage.palette;
    let glitter = if setting.lamp.light == Light::Hidden { 0.25 } else { 1.0 };
    Mirror {
        palette,
        horizon: setting.horizon,
        light_x: setting.lamp.x,
        ripple,
        glitter,
        seed: random.next(),
    }
}

fn swell(setting: &Setting, rows: std::ops::Range<usize>) -> Swell {
    let height = if setting.mood == Mood::Storm { 0.21 } else { 0.13 };
    // The halves of the sea behind and in front of the subjects must have the same seed, since they are one sea.
    let seed = u64::from(setting.horizon.to_bits()) ^ u64::from(setting.lamp.x.to_bits()) << 32;
    Swell {
        palette: setting.stage.palette,
        horizon: setting.horizon,
        height,
        light_x: setting.lamp.x,
        seed,
        rows,
    }
}

pub(super) fn wood(setting: &Setting, mut ridge: Ridge, height: f32, density: f32) -> Wood {
    let kind = match setting.mood {
        Mood::Autumn | Mood::Spring | Mood::Day => Kind::Leafy,
        _ => Kind::Pine,
    };
    let palette = &setting.stage.palette;
    let tint = match setting.mood {
        Mood::Autumn => ridge.crest.mix(Colour::hex(0xc4581e), 0.45),
        Mood::Spring | Mood::Day => ridge.crest.mix(palette.ground, 0.4),
        _ => ridge.crest,
    };
    let foot = ridge.crest.mix(palette.haze(), 0.4);
    if setting.snowy {
        ridge.crest = palette.ground.mix(ridge.crest, 0.22);
        ridge.foot = palette.ground.mix(ridge.foot, 0.4);
    }
    Wood { ridge, kind, height, density, colour: tint, foot, clearing: None, snowy: setting.snowy }
}

pub(super) fn add_ground(
    scene: &mut Scene,
    setting: &Setting,
    random: &mut Random,
    floor: &mut Floor,
    level: f32,
) {
    let cover = match setting.place {
        _ if setting.snowy => Cover::Snow,
        Some(Where::Sea) => Cover::Sand,
        Some(Where::City) => Cover::Stone,
        _ => Cover::Grass,
    };
    push_ground(scene, floor, Foreground { stage: setting.stage, cover, level, seed: random.next() });
}

pub(super) fn push_ground(scene: &mut Scene, floor: &mut Floor, ground: Foreground) {
    let Foreground { stage, cover, level, seed } = ground;
    floor.ground = Some(Foreground { stage, cover, level, seed });
    scene.push(Box::new(ground));
}

/// Adds ground at the lower edge, for a subject that must stand where water fills the view.
fn add_shore(scene: &mut Scene, setting: &Setting, random: &mut Random, floor: &mut Floor) {
    add_ground(scene, setting, random, floor, 0.86);
}

fn add_headland(scene: &mut Scene, setting: &Setting, random: &mut Random, floor: &mut Floor) {
    let Setting { stage, horizon, focus, .. } = *setting;
    let calm = floor.calm;
    let water = horizon + (1.0 - horizon) * if calm { 0.26 } else { 0.42 };
    let top = (focus, horizon - 0.015);
    let half = 0.42 * stage.aspect.clamp(0.6, 1.3);
    floor.headland = Some(top);
    scene.push(Box::new(Headland { stage, top, water, half, seed: random.next() }));
}

/// Adds the layers in front of the subjects.
pub(super) fn add_front(scene: &mut Scene, reading: &Reading, setting: &Setting, random: &mut Random) {
    match setting.place {
        Some(Where::Waves) if !reading.subjects.iter().any(|subject| stands(subject.0)) => {
            scene.push(Box::new(swell(setting, 5..Swell::ROWS)));
        }
        Some(Where::Forest | Where::Mountains) => {
            // Dark trees at both edges frame the view.
            let line = ridge(setting, Form::Hills, 0.97, (1.06, 0.06, 0.5), 1.2, random.next());
            let mut row = wood(setting, line, 0.62, 9.0);
            let dark = setting.stage.palette.land(0.97);
            (row.colour, row.foot, row.ridge.crest, row.ridge.foot) = (dark, dark, dark, dark);
            row.snowy = false;
            let Stage { aspect, .. } = setting.stage;
            row.clearing = Some((aspect / 2.0, aspect * 0.41));
            scene.push(Box::new(row));
        }
        _ => {}
    }
}

/// Mist over the foot of the land behind it.
pub(super) struct Mist {
    pub(super) palette: Palette,
    /// The height of the middle, in units from the top.
    pub(super) level: f32,
    pub(super) strength: f32,
}

impl Layer for Mist {
    fn draw(&self, canvas: &mut Canvas, _seconds: f32) {
        let colour = self.palette.haze();
        let (top, bottom) = (self.level - 0.13, self.level + 0.12);
        let stops = [(0.0, colour.fade(0.0)), (0.7, colour.fade(self.strength)), (1.0, colour.fade(0.0))];
        canvas.fill(rectangle(0.0, top, canvas.aspect(), bottom), between((0.0, top), (0.0, bottom), &stops));
    }
}
