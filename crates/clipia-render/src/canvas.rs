//! The surface everything is drawn on, in units of its height: y runs 0.0 (top) to 1.0, x 0.0 to the aspect ratio.

use super::RenderError;
use super::camera::enlarge;
use super::colour::Colour;
use tiny_skia::{
    BlendMode, Color, FillRule, FilterQuality, GradientStop, IntRect, LineCap, LineJoin, LinearGradient,
    Paint, Path, PathBuilder, Pattern, Pixmap, Point, RadialGradient, Rect, Shader, SpreadMode, Stroke,
    Transform,
};

/// How new paint is blended with the pixels under it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Blend {
    /// The paint covers the pixels.
    Over,
    /// The paint lightens the pixels, as light does.
    Lighten,
}

pub(super) struct Canvas {
    pub(super) pixmap: Pixmap,
}

/// A copy of a strip of a canvas.
pub(super) struct SavedStrip {
    pixmap: Pixmap,
    /// The first row, in pixels from the top.
    top: i32,
}

impl Canvas {
    /// A transparent canvas with a size in pixels.
    pub(super) fn new(width: u32, height: u32) -> Result<Self, RenderError> {
        let pixmap = Pixmap::new(width, height)
            .ok_or_else(|| RenderError::Size(format!("{width}x{height} pixels cannot be drawn")))?;
        Ok(Self { pixmap })
    }

    /// The pixels in one unit.
    pub(super) fn scale(&self) -> f32 {
        self.pixmap.height() as f32
    }

    /// The width in units.
    pub(super) fn aspect(&self) -> f32 {
        self.pixmap.width() as f32 / self.pixmap.height() as f32
    }

    pub(super) fn fill(&mut self, path: Option<Path>, ink: Shader<'_>) {
        self.fill_placed(path, ink, Transform::identity(), Blend::Over);
    }

    pub(super) fn lighten(&mut self, path: Option<Path>, ink: Shader<'_>) {
        self.fill_placed(path, ink, Transform::identity(), Blend::Lighten);
    }

    /// Fills a path that has its own coordinates. `place` transforms them to units. A path without area draws nothing.
    pub(super) fn fill_placed(
        &mut self,
        path: Option<Path>,
        ink: Shader<'_>,
        place: Transform,
        blend: Blend,
    ) {
        let Some(path) = path else { return };
        let transform = place.post_scale(self.scale(), self.scale());
        self.pixmap.fill_path(&path, &paint(ink, blend), FillRule::Winding, transform, None);
    }

    /// Lightens the canvas, down to `bottom`, by a smaller canvas that is enlarged to its size. This is for soft things, which
    /// would be slow to draw at full size.
    pub(super) fn lighten_enlarged(&mut self, small: &Pixmap, bottom: f32) {
        let (width, height) = (self.pixmap.width() as usize, self.pixmap.height() as usize);
        let rows = ((bottom * height as f32) as usize).min(height);
        let mut large = vec![0; width * rows * 4];
        enlarge(small, &mut large, width, height);
        // Screen blending: the darkness that is left after both lights.
        for (to, from) in self.pixmap.data_mut().iter_mut().zip(&large) {
            let dark = u32::from(255 - *to) * u32::from(255 - *from);
            *to = 255 - (((dark + 128) * 257) >> 16) as u8;
        }
    }

    /// Copies the canvas between two heights, to restore it later over what is drawn next.
    pub(super) fn save(&self, top: f32, bottom: f32) -> Option<SavedStrip> {
        let row = |y: f32| (y * self.scale()).clamp(0.0, self.scale()) as i32;
        let rows = u32::try_from(row(bottom) - row(top)).ok()?;
        let rect = IntRect::from_xywh(0, row(top), self.pixmap.width(), rows)?;
        Some(SavedStrip { pixmap: self.pixmap.clone_rect(rect)?, top: row(top) })
    }

    /// Draws a saved strip back, inside a path.
    pub(super) fn restore(&mut self, kept: &SavedStrip, path: Option<Path>) {
        let place = Transform::from_scale(self.scale(), self.scale());
        let Some(path) = path.and_then(|path| path.transform(place)) else {
            return;
        };
        let shift = Transform::from_translate(0.0, kept.top as f32);
        let ink = Pattern::new(kept.pixmap.as_ref(), SpreadMode::Pad, FilterQuality::Nearest, 1.0, shift);
        self.pixmap.fill_path(
            &path,
            &paint(ink, Blend::Over),
            FillRule::Winding,
            Transform::identity(),
            None,
        );
    }

    /// Strokes a path. The width is in the path's own coordinates.
    pub(super) fn stroke(&mut self, path: Option<Path>, ink: Shader<'_>, width: f32, place: Transform) {
        let Some(path) = path else { return };
        let stroke =
            Stroke { width, line_cap: LineCap::Round, line_join: LineJoin::Round, ..Stroke::default() };
        let transform = place.post_scale(self.scale(), self.scale());
        self.pixmap.stroke_path(&path, &paint(ink, Blend::Over), &stroke, transform, None);
    }
}

fn paint(shader: Shader<'_>, blend: Blend) -> Paint<'_> {
    let blend_mode = match blend {
        Blend::Over => BlendMode::SourceOver,
        Blend::Lighten => BlendMode::Screen,
    };
    // Gradients are drawn faster in the precise pipeline than in the quick one, which is made for flat colours.
    let force_hq_pipeline = matches!(shader, Shader::LinearGradient(_) | Shader::RadialGradient(_));
    Paint { shader, blend_mode, anti_alias: true, force_hq_pipeline, ..Paint::default() }
}

pub(super) fn flat(colour: Colour) -> Shader<'static> {
    Shader::SolidColor(colour.opaque())
}

pub(super) fn sheer(colour: Colour, opacity: f32) -> Shader<'static> {
    Shader::SolidColor(colour.fade(opacity))
}

/// A gradient between two points.
pub(super) fn between(from: (f32, f32), to: (f32, f32), stops: &[(f32, Color)]) -> Shader<'static> {
    let last = stops.last().map_or(Color::TRANSPARENT, |stop| stop.1);
    LinearGradient::new(
        Point::from_xy(from.0, from.1),
        Point::from_xy(to.0, to.1),
        gradient_stops(stops),
        SpreadMode::Pad,
        Transform::identity(),
    )
    .unwrap_or(Shader::SolidColor(last))
}

/// A gradient from one height to another.
pub(super) fn down(top: (f32, Color), bottom: (f32, Color)) -> Shader<'static> {
    between((0.0, top.0), (0.0, bottom.0), &[(0.0, top.1), (1.0, bottom.1)])
}

/// A gradient around a point.
pub(super) fn around(centre: (f32, f32), radius: f32, stops: &[(f32, Color)]) -> Shader<'static> {
    let middle = stops.first().map_or(Color::TRANSPARENT, |stop| stop.1);
    let centre = Point::from_xy(centre.0, centre.1);
    RadialGradient::new(
        centre,
        0.0,
        centre,
        radius,
        gradient_stops(stops),
        SpreadMode::Pad,
        Transform::identity(),
    )
    .unwrap_or(Shader::SolidColor(middle))
}

/// A soft light around a point, gone at `radius`.
pub(super) fn halo(centre: (f32, f32), radius: f32, colour: Colour, opacity: f32) -> Shader<'static> {
    around(
        centre,
        radius,
        &[
            (0.0, colour.fade(opacity)),
            (0.18, colour.fade(opacity * 0.62)),
            (0.42, colour.fade(opacity * 0.24)),
            (0.7, colour.fade(opacity * 0.06)),
            (1.0, colour.fade(0.0)),
        ],
    )
}

fn gradient_stops(stops: &[(f32, Color)]) -> Vec<GradientStop> {
    stops.iter().map(|(at, colour)| GradientStop::new(*at, *colour)).collect()
}

pub(super) fn rectangle(left: f32, top: f32, right: f32, bottom: f32) -> Option<Path> {
    Rect::from_ltrb(left, top, right, bottom).map(PathBuilder::from_rect)
}

pub(super) fn disc(x: f32, y: f32, radius: f32) -> Option<Path> {
    PathBuilder::from_circle(x, y, radius)
}

pub(super) fn oval(x: f32, y: f32, half_width: f32, half_height: f32) -> Option<Path> {
    Rect::from_ltrb(x - half_width, y - half_height, x + half_width, y + half_height)
        .and_then(PathBuilder::from_oval)
}

pub(super) fn polygon(points: &[(f32, f32)]) -> Option<Path> {
    let mut builder = PathBuilder::new();
    add_polygon(&mut builder, points);
    builder.finish()
}

pub(super) fn add_polygon(builder: &mut PathBuilder, points: &[(f32, f32)]) {
    let Some((first, rest)) = points.split_first() else {
        return;
    };
    builder.move_to(first.0, first.1);
    for (x, y) in rest {
        builder.line_to(*x, *y);
    }
    builder.close();
}

pub(super) fn line(points: &[(f32, f32)]) -> Option<Path> {
    let mut builder = PathBuilder::new();
    let (first, rest) = points.split_first()?;
    builder.move_to(first.0, first.1);
    for (x, y) in rest {
        builder.line_to(*x, *y);
    }
    builder.finish()
}

/// The path of an outline with absolute `M`, `L`, `Q`, `C` and `Z` commands, as in an SVG. Outlines are constants of this crate.
/// A mistyped outline ends at the mistake.
pub(super) fn outline(commands: &str) -> Option<Path> {
    let mut builder = PathBuilder::new();
    let mut words = commands.split_ascii_whitespace().peekable();
    let mut command = "";
    while let Some(word) = words.peek().copied() {
        if word.starts_with(|first: char| first.is_ascii_alphabetic()) {
            command = word;
            words.next();
            if command == "Z" {
                builder.close();
                continue;
            }
        }
        let mut number = || words.next().and_then(|word| word.parse::<f32>().ok());
        match command {
            "M" => builder.move_to(number()?, number()?),
            "L" => builder.line_to(number()?, number()?),
            "Q" => builder.quad_to(number()?, number()?, number()?, number()?),
            "C" => builder.cubic_to(number()?, number()?, number()?, number()?, number()?, number()?),
            _ => return builder.finish(),
        }
    }
    builder.finish()
}

/// The transformation of a figure to the canvas. The figure is drawn in a box of 100 by 100 and stands on (50, 100). It gets its
/// foot at `foot`, and a height of `height` units.
pub(super) fn standing(foot: (f32, f32), height: f32, mirrored: bool) -> Transform {
    let unit = height / 100.0;
    let across = if mirrored { -unit } else { unit };
    Transform::from_row(across, 0.0, 0.0, unit, foot.0 - 50.0 * across, foot.1 - height)
}
