//! Composes the content of a prompt into layers, the farthest first.

use super::canvas::{Canvas, around, rectangle};
use super::clouds::{Clouds, StormDeck};
use super::colour::{BLACK, Colour};
use super::cosmos::{Aurora, Cosmos};
use super::figures;
use super::lands;
use super::lettering::{Band, Lettering};
use super::palette::{Mood, Palette};
use super::patterns::{Arches, Orbits, Ribbons};
use super::prompt::Reading;
use super::random::Random;
use super::setting::Setting;
use super::sky::Sky;
use super::vocabulary::{InSky, Meaning, Sort, Where};
use super::weather::{Fog, Lightning, Motes, Rain, Snowfall};

/// The distance of letters from the left and the right edge, in units of the width. The camera of a clip cuts off less.
const LETTERS_MARGIN: f32 = 0.07;

/// One part of a scene, drawn over the parts before it.
pub(super) trait Layer {
    /// Draws the layer at a time of the clip, in seconds. A picture is drawn at second 0.
    fn draw(&self, canvas: &mut Canvas, seconds: f32);

    /// Whether the layer changes with time. A layer that does not move is drawn once for a whole clip.
    fn moves(&self) -> bool {
        false
    }
}

/// The layers of a picture or clip, the farthest first.
pub(super) type Scene = Vec<Box<dyn Layer>>;

/// The light and the size that everything in a scene shares.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stage {
    pub(super) palette: Palette,
    pub(super) aspect: f32,
    pub(super) lit_from_left: bool,
}

impl Stage {
    /// An object's own colour in the light of the scene.
    pub(super) fn lit(&self, colour: Colour) -> Colour {
        let dark = self.palette.darkness;
        colour.mix(self.palette.near, 0.06 + 0.4 * dark).mix(self.palette.glow, 0.1)
    }
}

/// The scene of a prompt. `aspect` is width over height.
pub(super) fn compose(reading: &Reading, seed: u64, aspect: f32) -> Scene {
    let mut random = Random::new(reading.hash ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let setting = Setting::choose(reading, aspect, &mut random);
    let mut scene: Scene = vec![];
    add_sky(&mut scene, reading, &setting, &mut random);
    if setting.abstraction {
        add_pattern(&mut scene, &setting, &mut random);
    }
    let floor = lands::add_back(&mut scene, reading, &setting, &mut random.branch());
    figures::add(&mut scene, reading, &setting, &floor, &mut random.branch());
    lands::add_front(&mut scene, reading, &setting, &mut random.branch());
    add_weather(&mut scene, reading, &setting, &mut random);
    scene.push(Box::new(Vignette));
    // An abstract scene has no sky that would be the place of letters.
    let (top, bottom) = if setting.abstraction { (0.1, 0.9) } else { (0.08, setting.horizon - 0.05) };
    let band = Band { top, bottom, margin: LETTERS_MARGIN };
    if let Some(letters) = Lettering::of(&reading.texts, aspect, band, setting.stage.palette.glow) {
        scene.push(Box::new(letters));
    }
    scene
}

fn add_sky(scene: &mut Scene, reading: &Reading, setting: &Setting, random: &mut Random) {
    let Setting { stage, horizon, lamp, mood, .. } = *setting;
    let Stage { palette, aspect, .. } = stage;
    let asked = |sign| reading.signs.contains(&sign);
    let wanted = |sign| !reading.excludes(Meaning::Sign(sign));
    let stars = match mood {
        _ if !wanted(InSky::Stars) || mood == Mood::Storm => 0.0,
        _ if asked(InSky::Stars) => 1.0,
        Mood::Neon => 0.25,
        _ => ((palette.darkness - 0.3) * 1.5).clamp(0.0, 1.0),
    };
    scene.push(Box::new(Sky { palette, horizon, lamp, stars, seed: random.next() }));
    let space = setting.place == Some(Where::Orbit) || mood == Mood::Space;
    if space {
        scene.push(Box::new(Cosmos { palette, seed: random.next() }));
    }
    let by_chance = mood == Mood::WinterNight && random.chance(0.7);
    if wanted(InSky::Aurora) && (asked(InSky::Aurora) || by_chance) {
        scene.push(Box::new(Aurora { horizon, seed: random.next() }));
    }
    let cloudy = wanted(InSky::Clouds);
    if mood == Mood::Storm && cloudy {
        let bolt = reading.weather.contains(&Sort::Lightning) || random.chance(0.85);
        if bolt && !reading.excludes(Meaning::Weather(Sort::Lightning)) {
            scene.push(Box::new(Lightning { x: lamp.x, horizon, seed: random.next() }));
        }
        scene.push(Box::new(StormDeck {
            palette,
            depth: horizon * random.range(0.52, 0.68),
            seed: random.next(),
        }));
    } else if cloudy && !space {
        if reading.weather.contains(&Sort::Lightning) {
            scene.push(Box::new(Lightning { x: lamp.x, horizon, seed: random.next() }));
        }
        let amount = match mood {
            _ if asked(InSky::Clouds) => 1.0,
            Mood::Night | Mood::WinterNight | Mood::Neon => 0.25,
            Mood::Desert => 0.3,
            _ => random.range(0.35, 0.75),
        };
        let calm = match mood {
            Mood::Day | Mood::Spring => 0.2,
            _ => 0.75,
        };
        scene.push(Box::new(Clouds::new(&palette, horizon, aspect, amount, calm, random.branch())));
    }
}

/// Adds the abstract pattern for unknown words.
fn add_pattern(scene: &mut Scene, setting: &Setting, random: &mut Random) {
    let palette = setting.stage.palette;
    // The colours of the scene's own light, and one that differs a little.
    let apart = palette.sky[2].turned(random.range(-55.0, 55.0)).lighter(0.08);
    let hues = [palette.glow, palette.sky[2].mix(palette.glow, 0.2), palette.sky[1], apart];
    let vivid = |colour: Colour| {
        let grey = (colour.r + colour.g + colour.b) / 3.0;
        let push = |part: f32| (grey + (part - grey) * 1.3).clamp(0.04, 0.97);
        Colour { r: push(colour.r), g: push(colour.g), b: push(colour.b) }
    };
    let hues = hues.map(vivid);
    let seed = random.next();
    match setting.pattern {
        0 => scene.push(Box::new(Ribbons { palette, hues, seed })),
        1 => {
            let centre =
                (setting.stage.aspect * random.range(0.4, 0.6), setting.horizon * random.range(0.5, 0.64));
            scene.push(Box::new(Orbits { palette, hues, centre, seed }));
        }
        _ => scene.push(Box::new(Arches { palette, hues, base: setting.horizon + 0.03, seed })),
    }
}

fn add_weather(scene: &mut Scene, reading: &Reading, setting: &Setting, random: &mut Random) {
    let Setting { stage: Stage { palette, .. }, horizon, mood, .. } = *setting;
    let asked = |sort| reading.weather.contains(&sort);
    let wanted = |sort| !reading.excludes(Meaning::Weather(sort));
    if asked(Sort::Fog) {
        scene.push(Box::new(Fog { palette, horizon, strength: 0.75, seed: random.next() }));
    }
    let wet = asked(Sort::Rain)
        || (mood == Mood::Storm && !asked(Sort::Snow) && setting.place != Some(Where::Snow));
    if wet && wanted(Sort::Rain) {
        let wind = if mood == Mood::Storm { 0.42 } else { 0.12 };
        let wind = if random.chance(0.5) { wind } else { -wind };
        scene.push(Box::new(Rain { palette, wind, seed: random.next() }));
    }
    let snowy = asked(Sort::Snow) || (setting.snowy && random.chance(0.7));
    if snowy && wanted(Sort::Snow) {
        scene.push(Box::new(Snowfall { palette, seed: random.next() }));
    }
    let lively = matches!(setting.place, Some(Where::Forest | Where::Meadow)) && !wet && !snowy;
    if lively && (palette.darkness > 0.3 || random.chance(0.5)) {
        let colour = if palette.darkness > 0.3 { Colour::hex(0xfff08a) } else { palette.disc };
        let count = if palette.darkness > 0.3 { 34 } else { 16 };
        scene.push(Box::new(Motes { colour, count, between: (horizon, 0.97), seed: random.next() }));
    }
}

/// Darkens the corners a little, as a lens does.
pub(super) struct Vignette;

impl Layer for Vignette {
    fn draw(&self, canvas: &mut Canvas, _seconds: f32) {
        let aspect = canvas.aspect();
        let reach = (aspect * aspect + 1.0).sqrt() / 2.0;
        let stops = [
            (0.0, BLACK.fade(0.0)),
            (0.62, BLACK.fade(0.0)),
            (0.85, BLACK.fade(0.1)),
            (1.0, BLACK.fade(0.27)),
        ];
        canvas.fill(rectangle(0.0, 0.0, aspect, 1.0), around((aspect / 2.0, 0.48), reach, &stops));
    }
}
