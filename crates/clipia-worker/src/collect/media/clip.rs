//! What the headers of a clip say.

use super::Media;

/// A file with tracks of pictures and sounds.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Clip {
    /// The extensions with a picture, and those without.
    pub(super) extensions: (&'static [&'static str], &'static [&'static str]),
    /// The size of the first track of pictures in pixels, as it is shown.
    pub(super) size: Option<(u32, u32)>,
    /// Whether there is a track of sound.
    pub(super) has_sound: bool,
    /// In seconds.
    pub(super) duration: Option<f64>,
}

impl Clip {
    /// A clip without a track of pictures is a sound; without any track it is neither.
    pub(super) fn media(self) -> Option<Media> {
        let duration = self.duration.filter(|seconds| seconds.is_finite() && *seconds > 0.0);
        match self.size {
            Some((width, height)) => {
                let edge = |pixels: u32| (pixels > 0).then_some(pixels);
                let (width, height) = (edge(width), edge(height));
                Some(Media::Video { extensions: self.extensions.0, width, height, duration })
            }
            None => self.has_sound.then_some(Media::Audio { extensions: self.extensions.1, duration }),
        }
    }
}
