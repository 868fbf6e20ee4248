//! The land of each place, from the farthest range to the ground in front.

use super::city::Skyline;
use super::ground::{Cover, Foreground};
use super::lands::{Floor, Mist, add_ground, mirror, push_ground, range, ridge, wood};
use super::palette::Mood;
use super::random::Random;
use super::ridges::Form;
use super::scene::Scene;
use super::setting::Setting;

pub(super) fn bare(scene: &mut Scene, setting: &Setting, random: &mut Random) {
    for (depth, base) in [(0.72, 0.9), (0.95, 0.985)] {
        let shape = (base, 0.09, 0.7);
        scene.push(Box::new(ridge(setting, Form::Hills, depth, shape, 1.01, random.next())));
    }
}

pub(super) fn sea(scene: &mut Scene, setting: &Setting, random: &mut Random, floor: &mut Floor) {
    let horizon = setting.horizon;
    for (depth, rise) in [(0.0, 0.07), (0.16, 0.035)] {
        let shape = (horizon + 0.012, rise, random.range(0.4, 0.8));
        scene.push(Box::new(ridge(setting, Form::Hills, depth, shape, horizon + 0.004, random.next())));
    }
    scene.push(Box::new(mirror(setting, 0.8, random)));
    floor.water = Some(horizon + (1.0 - horizon) * 0.36);
}

pub(super) fn lake(scene: &mut Scene, setting: &Setting, random: &mut Random, floor: &mut Floor) {
    let horizon = setting.horizon;
    scene.push(Box::new(range(
        setting,
        0.08,
        (horizon + 0.02, 0.24, 0.55),
        horizon + 0.01,
        setting.snowy,
        random.next(),
    )));
    scene.push(Box::new(range(
        setting,
        0.26,
        (horizon + 0.01, 0.13, 0.42),
        horizon + 0.01,
        false,
        random.next(),
    )));
    let shore =
        ridge(setting, Form::Hills, 0.5, (horizon + 0.004, 0.03, 0.6), horizon + 0.004, random.next());
    scene.push(Box::new(wood(setting, shore, 0.055, 60.0)));
    scene.push(Box::new(mirror(setting, 0.45, random)));
    floor.water = Some(horizon + (1.0 - horizon) * 0.38);
}

pub(super) fn forest(scene: &mut Scene, setting: &Setting, random: &mut Random, floor: &mut Floor) {
    let horizon = setting.horizon;
    scene.push(Box::new(range(setting, 0.05, (horizon, 0.2, 0.6), 1.0, setting.snowy, random.next())));
    for (depth, base, height, density) in
        [(0.2, 0.02, 0.09, 46.0), (0.38, 0.1, 0.14, 30.0), (0.58, 0.19, 0.24, 17.0)]
    {
        let line = ridge(setting, Form::Hills, depth, (horizon + base, 0.07, 0.8), 1.0, random.next());
        let mut row = wood(setting, line, height, density);
        if depth > 0.5 {
            row.clearing = Some((setting.focus, 0.22));
        }
        scene.push(Box::new(row));
        scene.push(Box::new(Mist {
            palette: setting.stage.palette,
            level: horizon + base,
            strength: 0.34 * (1.0 - depth),
        }));
    }
    add_ground(scene, setting, random, floor, horizon + 0.22);
}

pub(super) fn city(scene: &mut Scene, setting: &Setting, random: &mut Random, floor: &mut Floor) {
    let base = setting.horizon;
    let neon = setting.mood == Mood::Neon;
    for (depth, heights) in [(0.1, (0.12, 0.46)), (0.42, (0.07, 0.4)), (0.8, (0.07, 0.27))] {
        scene.push(Box::new(Skyline {
            stage: setting.stage,
            base,
            heights,
            depth,
            neon,
            seed: random.next(),
        }));
        if depth < 0.5 {
            scene.push(Box::new(Mist { palette: setting.stage.palette, level: base - 0.02, strength: 0.4 }));
        }
    }
    let mut quay = ridge(setting, Form::Hills, 1.0, (base - 0.006, 0.004, 0.6), base + 0.002, random.next());
    quay.foot = quay.crest;
    scene.push(Box::new(quay));
    scene.push(Box::new(mirror(setting, 0.6, random)));
    floor.water = Some(base + (1.0 - base) * 0.42);
}

pub(super) fn desert(scene: &mut Scene, setting: &Setting, random: &mut Random, floor: &mut Floor) {
    let horizon = setting.horizon;
    let palette = setting.stage.palette;
    scene.push(Box::new(range(setting, 0.05, (horizon + 0.01, 0.13, 0.6), 1.0, false, random.next())));
    for (depth, base, rise, span) in [(0.1, 0.05, 0.07, 0.6), (0.3, 0.14, 0.14, 1.0), (0.5, 0.26, 0.22, 1.7)]
    {
        let mut dune = ridge(setting, Form::Dunes, depth, (horizon + base, rise, span), 1.0, random.next());
        dune.crest = palette.ground.mix(palette.far, 0.6 * (1.0 - depth)).mix(palette.glow, 0.3);
        dune.foot =
            palette.ground.mix(palette.near, 0.1 + 0.3 * depth).mix(palette.haze(), 0.4 * (1.0 - depth));
        dune.shade = Some(palette.ground.mix(palette.near, 0.35 + 0.4 * depth));
        scene.push(Box::new(dune));
    }
    let ground =
        Foreground { stage: setting.stage, cover: Cover::Sand, level: horizon + 0.29, seed: random.next() };
    push_ground(scene, floor, ground);
}

pub(super) fn snowfield(scene: &mut Scene, setting: &Setting, random: &mut Random, floor: &mut Floor) {
    let horizon = setting.horizon;
    scene.push(Box::new(range(setting, 0.1, (horizon + 0.02, 0.34, 0.62), 1.0, true, random.next())));
    scene.push(Box::new(range(setting, 0.24, (horizon + 0.03, 0.2, 0.4), 1.0, true, random.next())));
    scene.push(Box::new(Mist { palette: setting.stage.palette, level: horizon + 0.02, strength: 0.5 }));
    let mut line = ridge(setting, Form::Hills, 0.45, (horizon + 0.09, 0.05, 0.8), 1.0, random.next());
    line.foot = setting.stage.palette.ground;
    scene.push(Box::new(wood(setting, line, 0.12, 24.0)));
    add_ground(scene, setting, random, floor, horizon + 0.16);
}

pub(super) fn meadow(scene: &mut Scene, setting: &Setting, random: &mut Random, floor: &mut Floor) {
    let horizon = setting.horizon;
    let palette = setting.stage.palette;
    scene.push(Box::new(range(
        setting,
        0.04,
        (horizon + 0.01, 0.19, 0.5),
        1.0,
        setting.snowy,
        random.next(),
    )));
    for (depth, base, rise) in [(0.12, 0.03, 0.08), (0.3, 0.08, 0.09), (0.48, 0.13, 0.08)] {
        let mut hill = ridge(setting, Form::Hills, depth, (horizon + base, rise, 0.9), 1.0, random.next());
        hill.crest = palette.far.mix(palette.ground, 0.35 + depth).mix(palette.glow, 0.16);
        hill.foot = hill.crest.mix(palette.near, 0.2).mix(palette.haze(), 0.3 * (1.0 - depth));
        let mut row = wood(setting, hill, 0.03 + 0.07 * depth, 13.0 - 12.0 * depth);
        row.colour = palette.land(depth + 0.15).mix(row.colour, 0.5);
        row.foot = row.colour.mix(palette.near, 0.25);
        scene.push(Box::new(row));
    }
    add_ground(scene, setting, random, floor, horizon + 0.16);
}

pub(super) fn mountains(scene: &mut Scene, setting: &Setting, random: &mut Random, floor: &mut Floor) {
    let horizon = setting.horizon;
    scene.push(Box::new(range(setting, 0.06, (horizon, 0.34, 0.8), 1.0, true, random.next())));
    scene.push(Box::new(Mist { palette: setting.stage.palette, level: horizon - 0.04, strength: 0.5 }));
    scene.push(Box::new(range(setting, 0.24, (horizon + 0.03, 0.24, 0.6), 1.0, true, random.next())));
    scene.push(Box::new(Mist { palette: setting.stage.palette, level: horizon + 0.02, strength: 0.4 }));
    for (depth, base, height, density) in [(0.45, 0.05, 0.07, 46.0), (0.64, 0.12, 0.11, 30.0)] {
        let line = ridge(setting, Form::Hills, depth, (horizon + base, 0.08, 0.7), 1.0, random.next());
        scene.push(Box::new(wood(setting, line, height, density)));
    }
    add_ground(scene, setting, random, floor, horizon + 0.19);
}

pub(super) fn moonscape(scene: &mut Scene, setting: &Setting, random: &mut Random, floor: &mut Floor) {
    for (depth, base, rise) in [(0.3, 0.0, 0.12), (0.6, 0.03, 0.07)] {
        let form = if depth < 0.5 { Form::Peaks } else { Form::Hills };
        let shape = (setting.horizon + base, rise, 0.5);
        scene.push(Box::new(ridge(setting, form, depth, shape, 1.0, random.next())));
    }
    let ground = Foreground {
        stage: setting.stage,
        cover: Cover::Stone,
        level: setting.horizon + 0.06,
        seed: random.next(),
    };
    push_ground(scene, floor, ground);
}
