//! The colours of a scene. They are chosen as a set, so that everything in the scene has the same light.

use super::colour::Colour;

/// The light of a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Mood {
    Dawn,
    Day,
    Dusk,
    Night,
    Storm,
    Winter,
    WinterNight,
    Desert,
    Neon,
    Autumn,
    Spring,
    Space,
    Underglow,
}

/// One colour for each role in a scene.
#[derive(Clone, Copy, Debug)]
pub(super) struct Palette {
    /// The sky from its top to the horizon.
    pub(super) sky: [Colour; 4],
    /// The disc of the sun or moon.
    pub(super) disc: Colour,
    /// The light around the disc.
    pub(super) glow: Colour,
    /// The farthest land, seen through the most air.
    pub(super) far: Colour,
    /// The nearest silhouettes.
    pub(super) near: Colour,
    /// Ground in the light: meadow, snow, sand.
    pub(super) ground: Colour,
    /// Deep water.
    pub(super) water: Colour,
    pub(super) cloud_lit: Colour,
    pub(super) cloud_shade: Colour,
    /// Windows, lamps, eyes.
    pub(super) lamp: Colour,
    /// The darkness, from 0.0 (noon) to 1.0 (stars).
    pub(super) darkness: f32,
}

impl Palette {
    pub(super) fn of(mood: Mood) -> Self {
        let [sky, light, land, cloud] = match mood {
            Mood::Dawn => [
                [0x3f5a94, 0x8193c6, 0xf0b3ab, 0xffe2bd],
                [0xfff4dc, 0xffd3a6, 0xffd88f, 25],
                [0xa99cc4, 0x252c4a, 0x72907f, 0x5f7ea6],
                [0xfff0e2, 0xcaa4bc, 0, 0],
            ],
            Mood::Day => [
                [0x2a78c0, 0x5aa8de, 0xa3d6ee, 0xe9f7f1],
                [0xfffce9, 0xfff3c4, 0xfff0b0, 0],
                [0x93bcd4, 0x17413f, 0x5c9c62, 0x2884a8],
                [0xffffff, 0xc4dcea, 0, 0],
            ],
            Mood::Dusk => [
                [0x2c2257, 0x76386f, 0xe2655a, 0xffc67d],
                [0xfff1c9, 0xffad5c, 0xffd27a, 50],
                [0xb9637a, 0x1a1230, 0x5e3358, 0x36356e],
                [0xffb795, 0x99476f, 0, 0],
            ],
            Mood::Night => [
                [0x060a1e, 0x0f1a40, 0x213a70, 0x5277a8],
                [0xf6f2de, 0x9cb8ec, 0xffcc66, 95],
                [0x2f4877, 0x050916, 0x16264a, 0x0b1838],
                [0x46619a, 0x18274f, 0, 0],
            ],
            Mood::Storm => [
                [0x12171f, 0x273240, 0x4b5b68, 0x98a6a2],
                [0xe6eadc, 0xc2cfc6, 0xffdf8a, 60],
                [0x4a5a68, 0x0a0f15, 0x27323a, 0x16272f],
                [0x6c7a86, 0x1b232d, 0, 0],
            ],
            Mood::Winter => [
                [0x6f9bcb, 0xa7c6e4, 0xe3dfea, 0xfde8dc],
                [0xfffaf0, 0xffe3c4, 0xffd58a, 5],
                [0xb6c8df, 0x24384f, 0xeaf1fa, 0x7fa4c2],
                [0xffffff, 0xd3d9e8, 0, 0],
            ],
            Mood::WinterNight => [
                [0x050b22, 0x0d2148, 0x1d4a78, 0x6fa5b8],
                [0xf4f7ee, 0xa8d4ec, 0xffc965, 95],
                [0x3a648a, 0x071226, 0x9fb9d6, 0x0c2340],
                [0x41628c, 0x152b50, 0, 0],
            ],
            Mood::Desert => [
                [0x3f6ea6, 0x9cb0b8, 0xf6c78a, 0xffe9b8],
                [0xfff6dc, 0xffcb7a, 0xffd27a, 10],
                [0xdca074, 0x54241f, 0xe29a5c, 0x5d8a94],
                [0xfff0d8, 0xe0ae8c, 0, 0],
            ],
            Mood::Neon => [
                [0x090519, 0x1c0b45, 0x561a82, 0xff4aa6],
                [0xffa6dc, 0xff4fb2, 0x58f0ff, 90],
                [0x5a2aa0, 0x070414, 0x150a30, 0x110830],
                [0x7a2f9a, 0x2a1058, 0, 0],
            ],
            Mood::Autumn => [
                [0x7f9fb2, 0xd3c8aa, 0xf5cd88, 0xfeeabf],
                [0xfffbe8, 0xffdb94, 0xffcf7a, 10],
                [0xcda174, 0x43190f, 0xb8622c, 0x6f8a88],
                [0xfff4df, 0xddb894, 0, 0],
            ],
            Mood::Spring => [
                [0x4c9fd9, 0x8fcbe8, 0xcfeee4, 0xfff3da],
                [0xfffdea, 0xfff0c0, 0xffe9a0, 0],
                [0xa5cfcb, 0x1c4f43, 0x79bf6c, 0x4fa3b8],
                [0xffffff, 0xd8e6ee, 0, 0],
            ],
            Mood::Space => [
                [0x03020b, 0x0b0826, 0x241352, 0x6a3a92],
                [0xfff2d8, 0xb58cff, 0x8ff0ff, 100],
                [0x3c2a6e, 0x06040f, 0x2b1f4a, 0x0d0a26],
                [0x5a3f96, 0x1b1240, 0, 0],
            ],
            Mood::Underglow => [
                [0x041c33, 0x0b4a6b, 0x2f9aa6, 0xbff0d8],
                [0xf6fff0, 0x9ff5e0, 0xffe9a0, 40],
                [0x4f9aa8, 0x05202e, 0x1f6a70, 0x06344c],
                [0xc9f2e4, 0x3f8a98, 0, 0],
            ],
        };
        let colour = Colour::hex;
        Self {
            sky: sky.map(colour),
            disc: colour(light[0]),
            glow: colour(light[1]),
            lamp: colour(light[2]),
            darkness: light[3] as f32 / 100.0,
            far: colour(land[0]),
            near: colour(land[1]),
            ground: colour(land[2]),
            water: colour(land[3]),
            cloud_lit: colour(cloud[0]),
            cloud_shade: colour(cloud[1]),
        }
    }

    /// This palette with `change` applied to every colour.
    pub(super) fn map(self, change: impl Fn(Colour) -> Colour) -> Self {
        Self {
            sky: self.sky.map(&change),
            disc: change(self.disc),
            glow: change(self.glow),
            far: change(self.far),
            near: change(self.near),
            ground: change(self.ground),
            water: change(self.water),
            cloud_lit: change(self.cloud_lit),
            cloud_shade: change(self.cloud_shade),
            lamp: change(self.lamp),
            darkness: self.darkness,
        }
    }

    /// The colour of land at a depth: 0.0 is the farthest, 1.0 the nearest.
    pub(super) fn land(&self, depth: f32) -> Colour {
        self.far.mix(self.near, depth)
    }

    /// The colour of the air at the horizon, in front of everything far away.
    pub(super) fn haze(&self) -> Colour {
        self.sky[3].mix(self.sky[2], 0.35)
    }
}
