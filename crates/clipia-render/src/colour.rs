//! The renderer's colours: sRGB components in 0.0..=1.0.

use tiny_skia::Color;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Colour {
    pub(super) r: f32,
    pub(super) g: f32,
    pub(super) b: f32,
}

pub(super) const WHITE: Colour = Colour::hex(0xff_ffff);
pub(super) const BLACK: Colour = Colour::hex(0x00_0000);

impl Colour {
    /// The colour of the usual six digits, `0xrrggbb`.
    pub(super) const fn hex(rgb: u32) -> Self {
        Self {
            r: ((rgb >> 16) & 0xff) as f32 / 255.0,
            g: ((rgb >> 8) & 0xff) as f32 / 255.0,
            b: (rgb & 0xff) as f32 / 255.0,
        }
    }

    /// This colour with `share` (0.0..=1.0) of it replaced by `other`.
    pub(super) fn mix(self, other: Self, share: f32) -> Self {
        let lerp = |a: f32, b: f32| a + (b - a) * share;
        Self { r: lerp(self.r, other.r), g: lerp(self.g, other.g), b: lerp(self.b, other.b) }
    }

    pub(super) fn lighter(self, share: f32) -> Self {
        self.mix(WHITE, share)
    }

    pub(super) fn darker(self, share: f32) -> Self {
        self.mix(BLACK, share)
    }

    /// The same colour with its hue turned by `degrees`, its brightness kept (a rotation in the YIQ plane).
    pub(super) fn turned(self, degrees: f32) -> Self {
        let (sin, cos) = degrees.to_radians().sin_cos();
        let y = 0.299 * self.r + 0.587 * self.g + 0.114 * self.b;
        let i = 0.596 * self.r - 0.274 * self.g - 0.322 * self.b;
        let q = 0.211 * self.r - 0.523 * self.g + 0.312 * self.b;
        let (i, q) = (i * cos - q * sin, i * sin + q * cos);
        Self {
            r: (y + 0.956 * i + 0.621 * q).clamp(0.0, 1.0),
            g: (y - 0.272 * i - 0.647 * q).clamp(0.0, 1.0),
            b: (y - 1.106 * i + 1.703 * q).clamp(0.0, 1.0),
        }
    }

    pub(super) fn opaque(self) -> Color {
        self.fade(1.0)
    }

    /// This colour with an opacity in 0.0..=1.0.
    pub(super) fn fade(self, opacity: f32) -> Color {
        let bounded = |value: f32| value.clamp(0.0, 1.0);
        Color::from_rgba(bounded(self.r), bounded(self.g), bounded(self.b), bounded(opacity))
            .unwrap_or(Color::BLACK)
    }
}
