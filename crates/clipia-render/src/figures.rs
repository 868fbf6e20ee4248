//! The subjects of a prompt in a scene, each at its position and at a size that fits.

use super::animals::{Cat, Deer, Fox, Stance};
use super::birds::Birds;
use super::colour::Colour;
use super::craft::{Balloons, Rocket, Sailboat, Ship};
use super::flowers::Flowers;
use super::lands::Floor;
use super::lighthouse::{Beam, Lighthouse};
use super::objects::{House, Robot, Smoke};
use super::palette::Mood;
use super::plants::Tree;
use super::prompt::Reading;
use super::random::Random;
use super::scene::Scene;
use super::setting::Setting;
use super::vocabulary::{Meaning, Subject, Where};
use super::whale::Whale;

/// The order in which subjects are drawn: those in the sky first, those near the viewer last.
fn nearness(subject: Subject) -> u8 {
    match subject {
        Subject::Rocket | Subject::Balloon | Subject::Birds => 0,
        Subject::Lighthouse | Subject::Ship | Subject::House | Subject::Tree => 1,
        Subject::Sailboat | Subject::Whale | Subject::Flowers => 2,
        Subject::Fox | Subject::Cat | Subject::Deer | Subject::Robot => 3,
    }
}

pub(super) fn add(
    scene: &mut Scene,
    reading: &Reading,
    setting: &Setting,
    floor: &Floor,
    random: &mut Random,
) {
    let aspect = setting.stage.aspect;
    let across = aspect - setting.focus;
    let slots = [setting.focus, across, aspect * 0.5];
    let mut cast: Vec<(Subject, Option<Colour>, f32)> =
        reading.subjects.iter().zip(slots).map(|((subject, tint), x)| (*subject, *tint, x)).collect();
    cast.sort_by_key(|(subject, ..)| nearness(*subject));
    for (subject, tint, x) in cast {
        let scale = (aspect / 1.05).clamp(0.42, 1.0);
        let spot = Spot { setting, floor, x, tint, scale, mirrored: x > aspect / 2.0 };
        add_one(scene, &spot, random, subject);
    }
    let peaceful =
        !matches!(setting.mood, Mood::Storm | Mood::Space | Mood::Night | Mood::WinterNight | Mood::Neon);
    let birds_fit = peaceful && !setting.abstraction && !reading.has(Subject::Birds);
    if birds_fit && !reading.excludes(Meaning::Thing(Subject::Birds)) && random.chance(0.6) {
        let centre = (across * random.range(0.8, 1.1), setting.horizon * random.range(0.3, 0.55));
        let colour = setting.stage.palette.land(0.6);
        scene.push(Box::new(Birds {
            colour,
            centre,
            span: 0.024,
            count: 5 + random.below(6),
            seed: random.next(),
        }));
    }
}

/// The position of a subject, and what its appearance depends on.
struct Spot<'s> {
    setting: &'s Setting,
    floor: &'s Floor,
    x: f32,
    tint: Option<Colour>,
    /// The size of figures: narrow pictures need smaller ones.
    scale: f32,
    mirrored: bool,
}

impl Spot<'_> {
    /// The height of the ground at `x`, in units from the top.
    fn ground(&self) -> f32 {
        self.floor.ground.as_ref().map_or(0.93, |ground| ground.at(self.x) + 0.035)
    }

    fn water(&self) -> f32 {
        self.floor.water.unwrap_or(0.9)
    }

    fn stance(&self, y: f32, height: f32) -> Stance {
        Stance { foot: (self.x, y), height: height * self.scale, mirrored: self.mirrored }
    }

    /// The colour that the prompt gives the subject, or one of the usual colours.
    fn colour(&self, usual: &[u32], random: &mut Random) -> Colour {
        self.tint.unwrap_or_else(|| Colour::hex(usual[random.below(usual.len())]))
    }
}

fn add_one(scene: &mut Scene, spot: &Spot<'_>, random: &mut Random, subject: Subject) {
    match subject {
        Subject::Fox | Subject::Cat | Subject::Deer | Subject::Birds | Subject::Whale => {
            add_animal(scene, spot, random, subject);
        }
        Subject::Sailboat | Subject::Ship | Subject::Balloon | Subject::Rocket => {
            add_craft(scene, spot, random, subject);
        }
        Subject::Lighthouse => add_lighthouse(scene, spot, random),
        Subject::House => add_house(scene, spot, random),
        Subject::Tree => add_tree(scene, spot, random),
        Subject::Robot => scene.push(Box::new(Robot {
            stage: spot.setting.stage,
            stance: spot.stance(spot.ground() + 0.03, 0.42),
            shell: spot.colour(&[0xdfe5ea, 0xf0a93c, 0x6fb7c9], random),
        })),
        Subject::Flowers => {
            let from = spot.floor.ground.as_ref().map_or(0.84, |ground| ground.level + 0.02);
            let (stage, seed) = (spot.setting.stage, random.next());
            for near in [false, true] {
                scene.push(Box::new(Flowers { stage, from, petals: spot.tint, seed, near }));
            }
        }
    }
}

fn add_animal(scene: &mut Scene, spot: &Spot<'_>, random: &mut Random, subject: Subject) {
    let stage = spot.setting.stage;
    match subject {
        Subject::Fox => {
            let (stance, coat) = (spot.stance(spot.ground() + 0.02, 0.32), spot.colour(&[0xe0702a], random));
            scene.push(Box::new(Fox { stage, stance, coat }));
        }
        Subject::Cat => {
            let coat = spot.colour(&[0x3a3a44, 0xd98a3d, 0x8d8f98], random);
            scene.push(Box::new(Cat { stage, stance: spot.stance(spot.ground() + 0.02, 0.33), coat }));
        }
        Subject::Deer => {
            let (stance, coat) = (spot.stance(spot.ground() + 0.01, 0.4), spot.colour(&[0x9a6238], random));
            scene.push(Box::new(Deer { stage, stance, coat }));
        }
        Subject::Whale => {
            let y = spot.water() + if spot.floor.calm { 0.06 } else { 0.05 };
            let skin = spot.colour(&[0x33506b], random);
            scene.push(Box::new(Whale { stage, stance: spot.stance(y, 0.32), skin }));
        }
        _ => scene.push(Box::new(Birds {
            colour: spot.tint.map_or(stage.palette.near, |tint| stage.lit(tint)),
            centre: (spot.x, spot.setting.horizon * 0.5),
            span: 0.075 * spot.scale,
            count: 9,
            seed: random.next(),
        })),
    }
}

fn add_craft(scene: &mut Scene, spot: &Spot<'_>, random: &mut Random, subject: Subject) {
    let Setting { stage, horizon, .. } = *spot.setting;
    let calm = spot.floor.calm;
    match subject {
        Subject::Sailboat => {
            let sail = spot.colour(&[0xfaf2e2], random);
            let y = if calm { spot.water() } else { spot.water() + 0.05 };
            scene.push(Box::new(Sailboat { stage, stance: spot.stance(y, 0.27), sail, mirrored: calm }));
        }
        Subject::Ship => {
            let hull = spot.colour(&[0x27364d], random);
            let y = if calm { horizon + (1.0 - horizon) * 0.2 } else { spot.water() + 0.03 };
            scene.push(Box::new(Ship { stage, stance: spot.stance(y, 0.2), hull, mirrored: calm }));
        }
        Subject::Balloon => {
            let height = 0.4 * spot.scale;
            let foot = (spot.x, (horizon * 0.9).max(height + 0.04));
            let stance = Stance { foot, height, mirrored: spot.mirrored };
            scene.push(Box::new(Balloons { stage, stance, cloth: spot.tint, seed: random.next() }));
        }
        _ => {
            let stance = spot.stance(horizon * 0.86, 0.36);
            let body = spot.colour(&[0xd8402a, 0x2f6fd0], random);
            scene.push(Box::new(Rocket { stage, stance, body }));
        }
    }
}

fn add_lighthouse(scene: &mut Scene, spot: &Spot<'_>, random: &mut Random) {
    let stage = spot.setting.stage;
    let foot = spot.floor.headland.map_or((spot.x, spot.ground()), |top| (top.0, top.1 + 0.012));
    let stance = Stance { foot, height: 0.44 * spot.scale.max(0.7), mirrored: spot.mirrored };
    scene.push(Box::new(Beam { stage, stance }));
    scene.push(Box::new(Lighthouse { stage, stance, bands: spot.colour(&[0xd23f31], random) }));
}

fn add_house(scene: &mut Scene, spot: &Spot<'_>, random: &mut Random) {
    let stage = spot.setting.stage;
    let stance = Stance { foot: (spot.x, spot.ground()), height: 0.27 * spot.scale, mirrored: false };
    let unit = stance.height / 100.0;
    let from = (spot.x + 25.0 * unit, stance.foot.1 - 82.0 * unit);
    scene.push(Box::new(Smoke { stage, from, size: stance.height * 0.62, seed: random.next() }));
    // The random number is drawn even if the prompt gives a colour, so that the colour changes nothing else.
    let usual = Colour::hex([0xb5653f, 0xa8743f, 0xc9a06a][random.below(3)]);
    let walls = spot.tint.unwrap_or(usual);
    scene.push(Box::new(House { stage, stance, walls, snowy: spot.setting.snowy }));
}

fn add_tree(scene: &mut Scene, spot: &Spot<'_>, random: &mut Random) {
    let stage = spot.setting.stage;
    let usual: &[u32] = match spot.setting.mood {
        Mood::Autumn => &[0xd9662b, 0xe09a2f, 0xb93f2a],
        Mood::Spring => &[0xf2a3c2, 0x6fb45a],
        Mood::Winter | Mood::WinterNight => &[0xdfe9f4],
        _ => &[0x4c8a4a, 0x5f9a3e],
    };
    let leaves = spot.colour(usual, random);
    let bare = spot.setting.place == Some(Where::Desert) && spot.tint.is_none();
    let stance = spot.stance(spot.ground(), 0.56);
    scene.push(Box::new(Tree { stage, stance, leaves, bare, seed: random.next() }));
}
