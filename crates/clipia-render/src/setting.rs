//! The choice of a scene's light and land: by the prompt, and at random where the prompt says nothing.

use super::palette::{Mood, Palette};
use super::prompt::Reading;
use super::random::Random;
use super::scene::Stage;
use super::sky::{Lamp, Light};
use super::vocabulary::{InSky, Meaning, Sort, Subject, Where};

/// The light, the land and the layout of a scene.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    pub(super) stage: Stage,
    pub(super) mood: Mood,
    /// The land. An abstract scene may have none.
    pub(super) place: Option<Where>,
    /// The height of the horizon, in units from the top.
    pub(super) horizon: f32,
    pub(super) lamp: Lamp,
    pub(super) snowy: bool,
    /// Whether the scene has an abstract pattern for unknown words.
    pub(super) abstraction: bool,
    /// The number of the pattern, of three.
    pub(super) pattern: usize,
    /// The position of the first subject, in units from the left.
    pub(super) focus: f32,
}

impl Setting {
    pub(super) fn choose(reading: &Reading, aspect: f32, random: &mut Random) -> Self {
        let empty = reading.places.is_empty() && reading.subjects.is_empty() && reading.signs.is_empty();
        let strange = empty && reading.unknown > 0.0;
        let mut place = if strange { None } else { choose_place(reading, random) };
        let mood = choose_mood(reading, place, random);
        if place == Some(Where::Sea) && mood == Mood::Storm {
            place = Some(Where::Waves);
        }
        let pattern = random.below(3);
        if strange {
            place = [None, Some(Where::Lake), None][pattern]
                .filter(|place| !reading.excludes(Meaning::Place(*place)));
        }
        let snowy = matches!(mood, Mood::Winter | Mood::WinterNight)
            || place == Some(Where::Snow)
            || reading.weather.contains(&Sort::Snow);
        let snowy = snowy && !reading.excludes(Meaning::Weather(Sort::Snow));
        let horizon = match place {
            Some(Where::Waves) => random.range(0.46, 0.52),
            Some(Where::City) => random.range(0.66, 0.71),
            Some(Where::Mountains) => random.range(0.64, 0.7),
            Some(Where::Orbit) => 0.82,
            Some(Where::Sea | Where::Lake) => random.range(0.57, 0.63),
            _ => random.range(0.58, 0.64),
        };
        let right = random.chance(0.5);
        let third = random.range(0.28, 0.36);
        let focus = aspect * if right { 1.0 - third } else { third };
        let lamp = choose_lamp(reading, mood, horizon, aspect, right, random);
        let palette = tuned(Palette::of(mood), mood, place, snowy, strange, reading, random);
        let stage = Stage { palette, aspect, lit_from_left: lamp.x < aspect / 2.0 };
        Self { stage, mood, place, horizon, lamp, snowy, abstraction: strange, pattern, focus }
    }
}

/// The land that the prompt asks for, if it does: the one that is drawn of several.
pub(super) fn asked_place(reading: &Reading) -> Option<Where> {
    let first = [Where::Orbit, Where::Waves].into_iter().find(|place| reading.places.contains(place));
    // Mountains next to another place are its background.
    let main = || reading.places.iter().find(|place| **place != Where::Mountains).or(reading.places.first());
    first.or_else(|| main().copied())
}

fn choose_place(reading: &Reading, random: &mut Random) -> Option<Where> {
    let allowed = |place: &Where| !reading.excludes(Meaning::Place(*place));
    if let Some(place) = asked_place(reading) {
        return Some(place);
    }
    let usual: &[Where] = match reading.subjects.first().map(|subject| subject.0) {
        Some(Subject::Lighthouse | Subject::Sailboat | Subject::Ship | Subject::Whale) => &[Where::Sea],
        Some(Subject::Fox | Subject::Deer) => &[Where::Forest],
        Some(Subject::House) => &[Where::Meadow, Where::Forest, Where::Mountains],
        Some(Subject::Balloon) => &[Where::Meadow, Where::Mountains, Where::Lake],
        Some(Subject::Robot) => &[Where::City, Where::Desert],
        Some(Subject::Rocket) => &[Where::Orbit, Where::Desert, Where::Mountains],
        Some(Subject::Birds) => &[Where::Sea, Where::Lake, Where::Mountains],
        Some(Subject::Cat | Subject::Tree | Subject::Flowers) => &[Where::Meadow],
        None => match reading.moods.first() {
            Some(Mood::Neon) => &[Where::City],
            Some(Mood::Winter) => &[Where::Snow, Where::Forest, Where::Mountains],
            Some(Mood::Autumn) => &[Where::Forest, Where::Lake],
            Some(Mood::Spring) => &[Where::Meadow],
            Some(Mood::Storm) => &[Where::Waves],
            _ if reading.weather.contains(&Sort::Snow) => &[Where::Snow, Where::Forest],
            _ => &[Where::Lake, Where::Mountains, Where::Sea, Where::Forest],
        },
    };
    let usual: Vec<Where> = usual.iter().copied().filter(allowed).collect();
    if usual.is_empty() { None } else { Some(usual[random.below(usual.len())]) }
}

fn choose_mood(reading: &Reading, place: Option<Where>, random: &mut Random) -> Mood {
    let has = |mood| reading.moods.contains(&mood);
    let starry = [InSky::Moon, InSky::Stars, InSky::Aurora].iter().any(|sign| reading.signs.contains(sign));
    let snowy = place == Some(Where::Snow) || reading.weather.contains(&Sort::Snow);
    if has(Mood::Storm) {
        return Mood::Storm;
    }
    if has(Mood::Neon) {
        return Mood::Neon;
    }
    if (has(Mood::Winter) || snowy) && (has(Mood::Night) || starry) || reading.signs.contains(&InSky::Aurora)
    {
        return Mood::WinterNight;
    }
    if let Some(mood) = reading.moods.first() {
        return *mood;
    }
    if place == Some(Where::Orbit) {
        return Mood::Space;
    }
    if starry {
        return Mood::Night;
    }
    if reading.weather.contains(&Sort::Rain) || reading.weather.contains(&Sort::Lightning) {
        return Mood::Storm;
    }
    let usual: &[Mood] = match place {
        _ if snowy => &[Mood::Winter],
        Some(Where::Desert) => &[Mood::Desert],
        Some(Where::Sea | Where::Waves) => &[Mood::Dusk, Mood::Dawn, Mood::Day, Mood::Underglow],
        Some(Where::Forest) => &[Mood::Dawn, Mood::Autumn, Mood::Dusk, Mood::Spring, Mood::Underglow],
        Some(Where::City) => &[Mood::Dusk, Mood::Night, Mood::Dawn],
        Some(Where::Meadow) => &[Mood::Spring, Mood::Day, Mood::Dusk, Mood::Dawn],
        Some(Where::Mountains | Where::Lake) => {
            &[Mood::Dawn, Mood::Dusk, Mood::Day, Mood::Autumn, Mood::Underglow]
        }
        _ => &[Mood::Dusk, Mood::Night, Mood::Neon, Mood::Underglow, Mood::Space, Mood::Desert],
    };
    let allowed: Vec<Mood> =
        usual.iter().copied().filter(|mood| !reading.excludes(Meaning::In(*mood))).collect();
    if allowed.is_empty() { Mood::Dawn } else { allowed[random.below(allowed.len())] }
}

fn choose_lamp(
    reading: &Reading,
    mood: Mood,
    horizon: f32,
    aspect: f32,
    focus_right: bool,
    random: &mut Random,
) -> Lamp {
    // The light is on the other side than the subject, so that the beam, the glitter and the subject do not overlap.
    let across = random.range(0.26, 0.42);
    let x = aspect * if focus_right { across } else { 1.0 - across };
    let (light, height, radius) = match mood {
        Mood::Storm | Mood::Space => (Light::Hidden, 0.55, 0.06),
        Mood::Dusk | Mood::Dawn | Mood::Desert | Mood::Autumn => {
            (Light::Sun, random.range(0.72, 0.9), random.range(0.05, 0.085))
        }
        Mood::Neon => (Light::Sun, 0.74, random.range(0.12, 0.16)),
        Mood::Underglow => (Light::Sun, random.range(0.5, 0.75), random.range(0.05, 0.09)),
        Mood::Day | Mood::Spring | Mood::Winter => {
            (Light::Sun, random.range(0.3, 0.5), random.range(0.035, 0.05))
        }
        Mood::Night | Mood::WinterNight => {
            let light = if random.chance(0.3) { Light::Crescent } else { Light::FullMoon };
            (light, random.range(0.26, 0.5), random.range(0.045, 0.07))
        }
    };
    let hidden = match light {
        Light::Sun => reading.excludes(Meaning::Sign(InSky::Sun)),
        Light::FullMoon | Light::Crescent => reading.excludes(Meaning::Sign(InSky::Moon)),
        Light::Hidden => false,
    };
    let light = if hidden { Light::Hidden } else { light };
    Lamp { light, x, y: horizon * height, radius: radius * aspect.clamp(0.7, 1.0) }
}

/// The palette with the changes by the prompt, and with a little random change.
fn tuned(
    palette: Palette,
    mood: Mood,
    place: Option<Where>,
    snowy: bool,
    strange: bool,
    reading: &Reading,
    random: &mut Random,
) -> Palette {
    let turn = if strange { [-16.0, -8.0, 0.0, 8.0][random.below(4)] } else { random.range(-7.0, 7.0) };
    let mut palette = palette.map(|colour| colour.turned(turn));
    if let Some(cast) = reading.cast {
        palette = palette.map(|colour| {
            let light = 0.3 * colour.r + 0.59 * colour.g + 0.11 * colour.b;
            let toned =
                if light < 0.5 { cast.darker(1.0 - light * 2.0) } else { cast.lighter(light * 2.0 - 1.0) };
            colour.mix(toned, 0.5)
        });
    }
    if snowy && !matches!(mood, Mood::Winter | Mood::WinterNight) {
        let snow = Palette::of(Mood::Winter).ground;
        palette.ground = palette.ground.mix(snow, 0.7 - 0.3 * palette.darkness);
    }
    if place == Some(Where::Desert) && mood != Mood::Desert {
        palette.ground = palette.ground.mix(Palette::of(Mood::Desert).ground, 0.5 - 0.3 * palette.darkness);
    }
    palette
}
