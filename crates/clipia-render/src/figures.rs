//! Places the subjects of a prompt into a scene: each where it belongs and at a size that fits.

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

/// How far back a subject stands: those in the sky first, those near the viewer last.
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
        add_one(scene, setting, floor, random, subject, tint, x);
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

fn add_one(
    scene: &mut Scene,
    setting: &Setting,
    floor: &Floor,
    random: &mut Random,
    subject: Subject,
    tint: Option<Colour>,
    x: f32,
) {
    let Setting { stage, horizon, .. } = *setting;
    let palette = stage.palette;
    // Narrow pictures need smaller figures.
    let scale = (stage.aspect / 1.05).clamp(0.42, 1.0);
    let mirrored = x > stage.aspect / 2.0;
    let ground = |x: f32| floor.ground.as_ref().map_or(0.93, |ground| ground.at(x) + 0.035);
    let water = floor.water.unwrap_or(0.9);
    let stance = |y: f32, height: f32| Stance { foot: (x, y), height: height * scale, mirrored };
    let mut colour = |usual: &[u32]| tint.unwrap_or_else(|| Colour::hex(usual[random.below(usual.len())]));
    match subject {
        Subject::Lighthouse => {
            let top = floor.headland.map_or_else(|| ground(x), |top| top.1 + 0.012);
            let x = floor.headland.map_or(x, |top| top.0);
            let stance = Stance { foot: (x, top), height: 0.44 * scale.max(0.7), mirrored };
            scene.push(Box::new(Beam { stage, stance }));
            scene.push(Box::new(Lighthouse { stage, stance, bands: colour(&[0xd23f31]) }));
        }
        Subject::Fox => scene.push(Box::new(Fox {
            stage,
            stance: stance(ground(x) + 0.02, 0.32),
            coat: colour(&[0xe0702a]),
        })),
        Subject::Cat => {
            let coat = colour(&[0x3a3a44, 0xd98a3d, 0x8d8f98]);
            scene.push(Box::new(Cat { stage, stance: stance(ground(x) + 0.02, 0.33), coat }));
        }
        Subject::Deer => scene.push(Box::new(Deer {
            stage,
            stance: stance(ground(x) + 0.01, 0.4),
            coat: colour(&[0x9a6238]),
        })),
        Subject::Birds => {
            let colour = tint.map_or(palette.near, |tint| stage.lit(tint));
            let centre = (x, horizon * 0.5);
            scene.push(Box::new(Birds {
                colour,
                centre,
                span: 0.075 * scale,
                count: 9,
                seed: random.next(),
            }));
        }
        Subject::Sailboat => {
            let sail = colour(&[0xfaf2e2]);
            let y = if floor.calm { water } else { water + 0.05 };
            scene.push(Box::new(Sailboat { stage, stance: stance(y, 0.27), sail, mirrored: floor.calm }));
        }
        Subject::Ship => {
            let hull = colour(&[0x27364d]);
            let y = if floor.calm { horizon + (1.0 - horizon) * 0.2 } else { water + 0.03 };
            scene.push(Box::new(Ship { stage, stance: stance(y, 0.2), hull, mirrored: floor.calm }));
        }
        Subject::Whale => {
            let y = if floor.calm { water + 0.06 } else { water + 0.05 };
            scene.push(Box::new(Whale { stage, stance: stance(y, 0.32), skin: colour(&[0x33506b]) }));
        }
        Subject::House => {
            let stance = Stance { foot: (x, ground(x)), height: 0.27 * scale, mirrored: false };
            let unit = stance.height / 100.0;
            let chimney = (x + 25.0 * unit, stance.foot.1 - 82.0 * unit);
            scene.push(Box::new(Smoke {
                stage,
                from: chimney,
                size: stance.height * 0.62,
                seed: random.next(),
            }));
            let walls = tint.unwrap_or(Colour::hex([0xb5653f, 0xa8743f, 0xc9a06a][random.below(3)]));
            scene.push(Box::new(House { stage, stance, walls, snowy: setting.snowy }));
        }
        Subject::Tree => {
            let usual: &[u32] = match setting.mood {
                Mood::Autumn => &[0xd9662b, 0xe09a2f, 0xb93f2a],
                Mood::Spring => &[0xf2a3c2, 0x6fb45a],
                Mood::Winter | Mood::WinterNight => &[0xdfe9f4],
                _ => &[0x4c8a4a, 0x5f9a3e],
            };
            let leaves = colour(usual);
            let bare = setting.place == Some(Where::Desert) && tint.is_none();
            scene.push(Box::new(Tree {
                stage,
                stance: stance(ground(x), 0.56),
                leaves,
                bare,
                seed: random.next(),
            }));
        }
        Subject::Robot => scene.push(Box::new(Robot {
            stage,
            stance: stance(ground(x) + 0.03, 0.42),
            shell: colour(&[0xdfe5ea, 0xf0a93c, 0x6fb7c9]),
        })),
        Subject::Flowers => {
            let from = floor.ground.as_ref().map_or(0.84, |ground| ground.level + 0.02);
            let seed = random.next();
            for near in [false, true] {
                scene.push(Box::new(Flowers { stage, from, petals: tint, seed, near }));
            }
        }
        Subject::Balloon => {
            let height = 0.4 * scale;
            let foot = (x, (horizon * 0.9).max(height + 0.04));
            let stance = Stance { foot, height, mirrored };
            scene.push(Box::new(Balloons { stage, stance, cloth: tint, seed: random.next() }));
        }
        Subject::Rocket => {
            let stance = stance(horizon * 0.86, 0.36);
            scene.push(Box::new(Rocket { stage, stance, body: colour(&[0xd8402a, 0x2f6fd0]) }));
        }
    }
}
