//! The letters of the quoted texts, drawn over a scene.

use super::canvas::Canvas;
use super::colour::{Colour, WHITE};
use super::font::{self, CAPITAL, Glyph, SPACE};
use super::scene::Layer;
use tiny_skia::{Path, PathBuilder, Transform};

/// The largest and the smallest height of a capital, in units of the picture's height.
const SIZE: (f32, f32) = (0.15, 0.026);
/// The largest height of a capital, in units of the picture's width: a tall picture is narrow.
const SIZE_ACROSS: f32 = 0.2;
/// How much smaller the next tried size is.
const SMALLER: f32 = 0.94;
// The rest is in units of the font.

/// The width of a stroke, and of the dark outline behind it.
const STROKE: f32 = 1.5;
const OUTLINE: f32 = 3.4;
/// The distance between the strokes of two letters.
const GAP: f32 = 2.6;
/// The distance between two baselines, and the one added between two texts.
const LINE: f32 = 17.0;
const PARAGRAPH: f32 = 5.0;

/// The part of the picture that the letters are in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Band {
    /// Its upper end, in units from the top.
    pub(super) top: f32,
    /// Its lower end.
    pub(super) bottom: f32,
    /// The distance from the left and the right edge, in units of the picture's width.
    pub(super) margin: f32,
}

/// Lines of letters, centred in a band.
pub(super) struct Lettering {
    lines: Vec<Line>,
    ink: Colour,
    outline: Colour,
}

/// A line of letters, and its place: the left end of its baseline in units, and the height of a capital.
struct Line {
    strokes: Path,
    place: Transform,
}

/// A word to be set, with its glyphs.
struct Word {
    glyphs: Vec<Glyph>,
    /// Whether it is the first of its text.
    begins: bool,
}

impl Lettering {
    /// The letters of `texts` on a picture of this aspect. None if there is nothing that the font can draw.
    pub(super) fn of(texts: &[String], aspect: f32, band: Band, light: Colour) -> Option<Self> {
        let words = words(texts);
        let room = ((aspect * (1.0 - 2.0 * band.margin)).max(0.01), band.bottom - band.top);
        let mut size = SIZE.0.min(aspect * SIZE_ACROSS);
        let rows = loop {
            let rows = rows(&words, room.0 / size * CAPITAL);
            let fits = |rows: &Rows<'_>| rows.is_whole && rows.height() * size / CAPITAL <= room.1;
            if fits(&rows) {
                break rows;
            }
            if size <= SIZE.1 {
                break rows.cut(room.1 / size * CAPITAL);
            }
            size = (size * SMALLER).max(SIZE.1);
        };
        let unit = size / CAPITAL;
        let mut baseline = (band.top + band.bottom - rows.height() * unit) / 2.0 + size;
        let mut lines = vec![];
        for row in &rows.rows {
            if row.begins && !lines.is_empty() {
                baseline += PARAGRAPH * unit;
            }
            let left = (aspect - row.width * unit) / 2.0;
            let place = Transform::from_row(unit, 0.0, 0.0, unit, left, baseline - size);
            lines.extend(row.strokes().map(|strokes| Line { strokes, place }));
            baseline += LINE * unit;
        }
        let (ink, outline) = (WHITE.mix(light, 0.12), Colour::hex(0x10_1018));
        (!lines.is_empty()).then_some(Self { lines, ink, outline })
    }
}

impl Layer for Lettering {
    fn draw(&self, canvas: &mut Canvas, _seconds: f32) {
        for (colour, width) in [(self.outline, OUTLINE), (self.ink, STROKE)] {
            for line in &self.lines {
                canvas.stroke(Some(line.strokes.clone()), super::canvas::flat(colour), width, line.place);
            }
        }
    }
}

/// The words of the texts, of the characters that the font has.
fn words(texts: &[String]) -> Vec<Word> {
    let mut words = vec![];
    for text in texts {
        let mut begins = true;
        for word in text.split(' ') {
            let glyphs: Vec<Glyph> = word.chars().filter_map(font::glyph).collect();
            if !glyphs.is_empty() {
                words.push(Word { glyphs, begins });
                begins = false;
            }
        }
    }
    words
}

/// Words set in rows of a width.
struct Rows<'w> {
    rows: Vec<Row<'w>>,
    /// Whether no word had to be broken.
    is_whole: bool,
}

#[derive(Default)]
struct Row<'w> {
    /// The glyphs, and the distance of each from the left end.
    glyphs: Vec<(f32, &'w Glyph)>,
    width: f32,
    begins: bool,
}

fn rows(words: &[Word], width: f32) -> Rows<'_> {
    let mut rows: Vec<Row<'_>> = vec![];
    let mut is_whole = true;
    for word in words {
        let length: f32 = word.glyphs.iter().map(|glyph| glyph.width + GAP).sum::<f32>() - GAP;
        let joins = |row: &Row<'_>| !word.begins && row.width + SPACE + GAP + length <= width;
        match rows.last_mut().filter(|row| joins(row)) {
            Some(row) => row.width += SPACE,
            None => rows.push(Row { begins: word.begins, ..Row::default() }),
        }
        is_whole &= length <= width;
        for glyph in &word.glyphs {
            let full = |row: &Row<'_>| !row.glyphs.is_empty() && row.width + GAP + glyph.width > width;
            if rows.last().is_some_and(full) {
                rows.push(Row::default());
            }
            if let Some(row) = rows.last_mut() {
                row.push(glyph);
            }
        }
    }
    Rows { rows, is_whole }
}

impl<'w> Row<'w> {
    fn push(&mut self, glyph: &'w Glyph) {
        let at = if self.glyphs.is_empty() { 0.0 } else { self.width + GAP };
        self.glyphs.push((at, glyph));
        self.width = at + glyph.width;
    }

    fn strokes(&self) -> Option<Path> {
        let mut all = PathBuilder::new();
        for (at, glyph) in &self.glyphs {
            if let Some(strokes) = glyph.strokes.clone().transform(Transform::from_translate(*at, 0.0)) {
                all.push_path(&strokes);
            }
        }
        all.finish()
    }
}

impl Rows<'_> {
    /// The height from the top of the first capital to the last baseline.
    fn height(&self) -> f32 {
        let paragraphs = self.rows.iter().skip(1).filter(|row| row.begins).count();
        CAPITAL + LINE * self.rows.len().saturating_sub(1) as f32 + PARAGRAPH * paragraphs as f32
    }

    /// These rows without the last ones, as far as they are higher than `most`.
    fn cut(mut self, most: f32) -> Self {
        while self.rows.len() > 1 && self.height() > most {
            self.rows.pop();
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BAND: Band = Band { top: 0.08, bottom: 0.5, margin: 0.07 };

    fn lettering(texts: &[&str], aspect: f32) -> Option<Lettering> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        Lettering::of(&texts, aspect, BAND, WHITE)
    }

    /// The bounds of the drawn letters in units: left, top, right, bottom.
    fn bounds(lettering: &Lettering) -> [f32; 4] {
        let all = lettering.lines.iter().map(|line| {
            let bounds = line.strokes.clone().transform(line.place).unwrap().bounds();
            [bounds.left(), bounds.top(), bounds.right(), bounds.bottom()]
        });
        all.reduce(|a, b| [a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])]).unwrap()
    }

    #[test]
    fn short_texts_are_large_and_long_ones_wrap() {
        let height = |lettering: &Lettering| lettering.lines[0].place.sy * CAPITAL;
        let short = lettering(&["HELLO"], 1.0).unwrap();
        assert_eq!(short.lines.len(), 1);
        assert!(height(&short) > 0.12, "{}", height(&short));
        let long = lettering(&["The quick brown fox jumps over the lazy dog and runs away"], 1.0).unwrap();
        assert!((2..=6).contains(&long.lines.len()), "{}", long.lines.len());
        assert!(height(&long) > 0.035, "{}", height(&long));
        assert_eq!(lettering(&["one", "two"], 1.0).unwrap().lines.len(), 2);
    }

    #[test]
    fn what_the_font_lacks_is_left_out() {
        assert!(lettering(&["猫"], 1.0).is_none());
        assert!(lettering(&[], 1.0).is_none());
        assert_eq!(lettering(&["猫 cat"], 1.0).unwrap().lines.len(), 1);
    }

    proptest! {
        #[test]
        fn the_letters_stay_in_the_picture(
            texts in proptest::collection::vec("[A-Za-zÄöß .,!?-]{1,160}|[A-Z]{100}", 1..4),
            aspect in 0.1_f32..8.0,
        ) {
            let Some(lettering) = Lettering::of(&texts, aspect, BAND, WHITE) else { return Ok(()) };
            let [left, top, right, bottom] = bounds(&lettering);
            prop_assert!(left >= -0.01 && right <= aspect + 0.01, "{left} {right} {aspect}");
            prop_assert!(top >= 0.0 && bottom <= 1.0, "{top} {bottom}");
        }
    }
}
