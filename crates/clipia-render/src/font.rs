//! A stroke font of this crate: Latin letters with their accents, Russian and Ukrainian letters, digits and punctuation.
//!
//! A glyph is the centre line of its strokes. The top of a capital is at 0, the baseline at 10, the top of a small `x` at 3.4,
//! and the lowest descender at 13. x begins at 0.

use super::canvas::outline;
use tiny_skia::{Path, PathBuilder, Transform};

/// The height of a capital.
pub(super) const CAPITAL: f32 = 10.0;
/// The width of a space between words.
pub(super) const SPACE: f32 = 4.2;

/// The distance from the top of a capital, or of a small letter, to the middle of its accent.
const ABOVE: f32 = 2.0;
/// The top of a small letter without an ascender.
const SMALL_TOP: f32 = 3.4;
/// The size of the small letters that have the form of capitals.
const SMALL_CAPITAL: (f32, f32) = (0.78, (CAPITAL - SMALL_TOP) / CAPITAL);

/// The strokes of a character.
pub(super) struct Glyph {
    /// The width without the strokes' own.
    pub(super) width: f32,
    pub(super) strokes: Path,
}

/// Whether the font has a character. A space is not a glyph, and counts as there.
pub(super) fn has(c: char) -> bool {
    c == ' ' || glyph(c).is_some()
}

/// The glyph of a character.
pub(super) fn glyph(c: char) -> Option<Glyph> {
    let c = same_form(c);
    drawn(c).or_else(|| accented(c)).or_else(|| small_capital(c))
}

fn drawn(c: char) -> Option<Glyph> {
    let (_, width, strokes) = GLYPHS.iter().find(|(name, ..)| *name == c)?;
    Some(Glyph { width: *width, strokes: outline(strokes)? })
}

/// A letter and its accent.
fn accented(c: char) -> Option<Glyph> {
    let (mark, base) = MARKED.iter().find_map(|(mark, marked, bases)| {
        let at = marked.chars().position(|marked| marked == c)?;
        Some((mark, bases.chars().nth(at)?))
    })?;
    let dotless = match base {
        'i' => '\u{131}',
        base => base,
    };
    let Glyph { width, strokes } = drawn(same_form(dotless)).or_else(|| small_capital(dotless))?;
    let below = matches!(mark, Mark::Cedilla | Mark::Ogonek | Mark::Comma);
    let top = if base.is_lowercase() { SMALL_TOP } else { 0.0 };
    let y = if below { CAPITAL } else { top - ABOVE };
    let accent = outline(mark.strokes())?.transform(Transform::from_translate(width / 2.0, y))?;
    let mut both = PathBuilder::new();
    both.push_path(&strokes);
    both.push_path(&accent);
    Some(Glyph { width, strokes: both.finish()? })
}

/// A small Cyrillic letter that has the form of its capital.
fn small_capital(c: char) -> Option<Glyph> {
    let mut capitals = c.to_uppercase();
    let capital =
        capitals.next().filter(|capital| *capital != c && matches!(*capital, '\u{400}'..='\u{42f}' | 'Ґ'))?;
    let Glyph { width, strokes } = drawn(same_form(capital))?;
    let place = Transform::from_row(SMALL_CAPITAL.0, 0.0, 0.0, SMALL_CAPITAL.1, 0.0, SMALL_TOP);
    Some(Glyph { width: width * SMALL_CAPITAL.0, strokes: strokes.transform(place)? })
}

/// The character whose form this one has.
fn same_form(c: char) -> char {
    // The full-width forms of ASCII, which stand among Chinese and Japanese characters.
    if let Some(ascii) = u32::from(c).checked_sub(0xfee0).filter(|code| (0x21..0x7f).contains(code)) {
        return char::from_u32(ascii).unwrap_or(c);
    }
    match FORMS.0.chars().position(|other| other == c) {
        Some(at) => FORMS.1.chars().nth(at).unwrap_or(c),
        None => c,
    }
}

/// Characters, and those that have the same form.
const FORMS: (&str, &str) = (
    "АВЕЅЗІЈКМНОРСТХаеѕіјорсух\u{2019}\u{2bc}\u{2010}\u{2011}\u{2212}\u{2032}\u{2033}",
    "ABES3IJKMHOPCTXaesijopcyx''---'\"",
);

#[derive(Clone, Copy, PartialEq)]
enum Mark {
    Acute,
    Grave,
    Circumflex,
    Caron,
    Diaeresis,
    Tilde,
    Ring,
    Macron,
    Breve,
    Dot,
    DoubleAcute,
    Cedilla,
    Ogonek,
    Comma,
}

impl Mark {
    /// The strokes, around x 0. Those of an accent above are around y 0. Those below begin at y 0.
    fn strokes(self) -> &'static str {
        match self {
            Self::Acute => "M -0.6 0.7 L 0.8 -0.8",
            Self::Grave => "M 0.6 0.7 L -0.8 -0.8",
            Self::Circumflex => "M -1.4 0.7 L 0 -0.7 L 1.4 0.7",
            Self::Caron => "M -1.4 -0.7 L 0 0.7 L 1.4 -0.7",
            Self::Diaeresis => "M -1.3 0 L -1.3 0.1 M 1.3 0 L 1.3 0.1",
            Self::Tilde => "M -1.8 0.4 C -0.9 -1.2 0.9 1.2 1.8 -0.4",
            Self::Ring => "M 0 -1 C 1.3 -1 1.3 1 0 1 C -1.3 1 -1.3 -1 0 -1 Z",
            Self::Macron => "M -1.5 0 L 1.5 0",
            Self::Breve => "M -1.4 -0.7 C -0.9 0.9 0.9 0.9 1.4 -0.7",
            Self::Dot => "M 0 0 L 0 0.1",
            Self::DoubleAcute => "M -1.4 0.7 L -0.2 -0.8 M 0.6 0.7 L 1.8 -0.8",
            Self::Cedilla => "M 0.1 0 L 0 0.8 C 1.3 0.9 1.2 2.7 -0.9 2.4",
            Self::Ogonek => "M 0.8 0 C -0.5 1 -0.3 2.7 1.3 2.4",
            Self::Comma => "M 0.3 1.6 L -0.3 3",
        }
    }
}

/// The accents, the letters that have them, and those letters without.
const MARKED: &[(Mark, &str, &str)] = &[
    (Mark::Acute, "ÁÉÍÓÚÝĆŃŚŹĹŔáéíóúýćńśźĺŕЃЌѓќ", "AEIOUYCNSZLRaeiouycnszlrГКгк"),
    (Mark::Grave, "ÀÈÌÒÙàèìòùЍѝ", "AEIOUaeiouИи"),
    (Mark::Circumflex, "ÂÊÎÔÛŴŶĈĜĤĴŜâêîôûŵŷĉĝŝ", "AEIOUWYCGHJSaeiouwycgs"),
    (Mark::Caron, "ČŠŽĚŘŇĎŤĽčšžěřňďťľ", "CSZERNDTLcszerndtl"),
    (Mark::Diaeresis, "ÄËÏÖÜŸäëïöüÿЁЇёї", "AEIOUYaeiouyEIei"),
    (Mark::Tilde, "ÃÑÕĨŨãñõĩũ", "ANOIUanoiu"),
    (Mark::Ring, "ÅŮåů", "AUau"),
    (Mark::Macron, "ĀĒĪŌŪāēīōū", "AEIOUaeiou"),
    (Mark::Breve, "ĂĞŬăğŭЙЎйў", "AGUaguИУиу"),
    (Mark::Dot, "İŻĖĊĠżėċġ", "IZECGzecg"),
    (Mark::DoubleAcute, "ŐŰőű", "OUou"),
    (Mark::Cedilla, "ÇŞŢçşţ", "CSTcst"),
    (Mark::Ogonek, "ĄĘĮŲąęįų", "AEIUaeiu"),
    (Mark::Comma, "ȘȚĢĶĻŅșțķļņ", "STGKLNstkln"),
];

/// The glyphs: character, width, strokes.
const GLYPHS: &[(char, f32, &str)] = &[
    ('A', 7.0, "M 0 10 L 3.5 0 L 7 10 M 1.2 6.7 L 5.8 6.7"),
    ('B', 5.8, "M 3 4.8 C 6 4.8 6 0 2.8 0 L 0 0 L 0 10 L 3.1 10 C 6.7 10 6.7 4.8 3 4.8 L 0 4.8"),
    (
        'C',
        6.4,
        "M 6.4 1.9 C 5.6 0.7 4.6 0 3.5 0 C 1.4 0 0 2 0 5 C 0 8 1.4 10 3.5 10 C 4.6 10 5.6 9.3 6.4 8.1",
    ),
    ('D', 6.4, "M 0 0 L 0 10 L 2.6 10 C 5.2 10 6.4 8 6.4 5 C 6.4 2 5.2 0 2.6 0 Z"),
    ('E', 5.2, "M 5.2 0 L 0 0 L 0 10 L 5.2 10 M 0 4.9 L 4.6 4.9"),
    ('F', 5.0, "M 5 0 L 0 0 L 0 10 M 0 5 L 4.4 5"),
    (
        'G',
        6.8,
        "M 6.4 1.9 C 5.6 0.7 4.6 0 3.5 0 C 1.4 0 0 2 0 5 C 0 8 1.4 10 3.6 10 C 5.6 10 6.8 8.6 6.8 6.4 L 6.8 5.4 L 3.9 5.4",
    ),
    ('H', 6.2, "M 0 0 L 0 10 M 6.2 0 L 6.2 10 M 0 4.9 L 6.2 4.9"),
    ('I', 0.0, "M 0 0 L 0 10"),
    ('J', 4.2, "M 4.2 0 L 4.2 7 C 4.2 9.1 3.3 10 2 10 C 1.1 10 0.4 9.6 0 8.8"),
    ('K', 5.8, "M 0 0 L 0 10 M 5.6 0 L 0 6.2 M 1.9 4.2 L 5.8 10"),
    ('L', 4.8, "M 0 0 L 0 10 L 4.8 10"),
    ('M', 7.6, "M 0 10 L 0 0 L 3.8 6.6 L 7.6 0 L 7.6 10"),
    ('N', 6.2, "M 0 10 L 0 0 L 6.2 10 L 6.2 0"),
    ('O', 7.0, "M 3.5 0 C 5.6 0 7 2 7 5 C 7 8 5.6 10 3.5 10 C 1.4 10 0 8 0 5 C 0 2 1.4 0 3.5 0 Z"),
    ('P', 5.8, "M 0 10 L 0 0 L 3.2 0 C 6.7 0 6.7 5.6 3.2 5.6 L 0 5.6"),
    (
        'Q',
        7.0,
        "M 3.5 0 C 5.6 0 7 2 7 5 C 7 8 5.6 10 3.5 10 C 1.4 10 0 8 0 5 C 0 2 1.4 0 3.5 0 Z M 4.2 7.4 L 7 10.8",
    ),
    ('R', 6.0, "M 0 10 L 0 0 L 3.2 0 C 6.6 0 6.6 5.2 3.2 5.2 L 0 5.2 M 3 5.2 L 6 10"),
    (
        'S',
        5.8,
        "M 5.4 1.8 C 4.9 0.6 4 0 2.9 0 C 1.2 0 0.3 1.1 0.3 2.5 C 0.3 5.8 5.8 4.2 5.8 7.4 C 5.8 9 4.6 10 2.9 10 C 1.6 10 0.6 9.4 0 8.2",
    ),
    ('T', 6.0, "M 0 0 L 6 0 M 3 0 L 3 10"),
    ('U', 6.2, "M 0 0 L 0 6.4 C 0 8.8 1.2 10 3.1 10 C 5 10 6.2 8.8 6.2 6.4 L 6.2 0"),
    ('V', 6.6, "M 0 0 L 3.3 10 L 6.6 0"),
    ('W', 9.0, "M 0 0 L 2.2 10 L 4.5 1.6 L 6.8 10 L 9 0"),
    ('X', 6.0, "M 0 0 L 6 10 M 6 0 L 0 10"),
    ('Y', 6.2, "M 0 0 L 3.1 5 L 6.2 0 M 3.1 5 L 3.1 10"),
    ('Z', 5.8, "M 0 0 L 5.8 0 L 0 10 L 5.8 10"),
    (
        'a',
        4.8,
        "M 4.8 3.4 L 4.8 10 M 4.8 5.6 C 4.3 4.2 3.5 3.4 2.5 3.4 C 1 3.4 0 4.8 0 6.7 C 0 8.6 1 10 2.5 10 C 3.5 10 4.3 9.2 4.8 7.8",
    ),
    (
        'b',
        4.8,
        "M 0 0 L 0 10 M 0 5.6 C 0.5 4.2 1.3 3.4 2.3 3.4 C 3.8 3.4 4.8 4.8 4.8 6.7 C 4.8 8.6 3.8 10 2.3 10 C 1.3 10 0.5 9.2 0 7.8",
    ),
    (
        'c',
        4.4,
        "M 4.4 4.8 C 3.9 3.9 3.3 3.4 2.5 3.4 C 1 3.4 0 4.8 0 6.7 C 0 8.6 1 10 2.5 10 C 3.3 10 3.9 9.5 4.4 8.6",
    ),
    (
        'd',
        4.8,
        "M 4.8 0 L 4.8 10 M 4.8 5.6 C 4.3 4.2 3.5 3.4 2.5 3.4 C 1 3.4 0 4.8 0 6.7 C 0 8.6 1 10 2.5 10 C 3.5 10 4.3 9.2 4.8 7.8",
    ),
    (
        'e',
        4.8,
        "M 0.1 6.6 L 4.8 6.6 C 4.8 4.6 3.9 3.4 2.5 3.4 C 1 3.4 0 4.8 0 6.7 C 0 8.7 1.1 10 2.6 10 C 3.5 10 4.2 9.5 4.7 8.6",
    ),
    ('f', 3.2, "M 3.2 0.3 C 2 -0.3 1.3 0.5 1.3 2 L 1.3 10 M 0 3.6 L 3 3.6"),
    (
        'g',
        4.8,
        "M 4.8 5.6 C 4.3 4.2 3.5 3.4 2.5 3.4 C 1 3.4 0 4.8 0 6.7 C 0 8.6 1 10 2.5 10 C 3.5 10 4.3 9.2 4.8 7.8 M 4.8 3.4 L 4.8 10.6 C 4.8 12.3 3.9 13 2.5 13 C 1.6 13 0.9 12.7 0.4 12",
    ),
    ('h', 4.5, "M 0 0 L 0 10 M 0 5.8 C 0.5 4.3 1.4 3.4 2.5 3.4 C 3.8 3.4 4.5 4.3 4.5 6 L 4.5 10"),
    ('i', 0.0, "M 0 3.4 L 0 10 M 0 0.6 L 0 0.7"),
    ('\u{131}', 0.0, "M 0 3.4 L 0 10"),
    ('j', 1.4, "M 1.4 3.4 L 1.4 11.2 C 1.4 12.4 0.8 13 0 13 M 1.4 0.6 L 1.4 0.7"),
    ('k', 4.4, "M 0 0 L 0 10 M 4.2 3.4 L 0 7.4 M 1.6 6 L 4.4 10"),
    ('l', 1.3, "M 0 0 L 0 8.4 C 0 9.5 0.5 10 1.3 10"),
    (
        'm',
        7.6,
        "M 0 3.4 L 0 10 M 0 5.8 C 0.4 4.3 1.2 3.4 2.2 3.4 C 3.3 3.4 3.8 4.2 3.8 5.8 L 3.8 10 M 3.8 5.8 C 4.2 4.3 5 3.4 6 3.4 C 7.1 3.4 7.6 4.2 7.6 5.8 L 7.6 10",
    ),
    ('n', 4.5, "M 0 3.4 L 0 10 M 0 5.8 C 0.5 4.3 1.4 3.4 2.5 3.4 C 3.8 3.4 4.5 4.3 4.5 6 L 4.5 10"),
    (
        'o',
        5.0,
        "M 2.5 3.4 C 4 3.4 5 4.8 5 6.7 C 5 8.6 4 10 2.5 10 C 1 10 0 8.6 0 6.7 C 0 4.8 1 3.4 2.5 3.4 Z",
    ),
    (
        'p',
        4.8,
        "M 0 3.4 L 0 13 M 0 5.6 C 0.5 4.2 1.3 3.4 2.3 3.4 C 3.8 3.4 4.8 4.8 4.8 6.7 C 4.8 8.6 3.8 10 2.3 10 C 1.3 10 0.5 9.2 0 7.8",
    ),
    (
        'q',
        4.8,
        "M 4.8 3.4 L 4.8 13 M 4.8 5.6 C 4.3 4.2 3.5 3.4 2.5 3.4 C 1 3.4 0 4.8 0 6.7 C 0 8.6 1 10 2.5 10 C 3.5 10 4.3 9.2 4.8 7.8",
    ),
    ('r', 3.0, "M 0 3.4 L 0 10 M 0 6 C 0.4 4.4 1.4 3.3 3 3.5"),
    (
        's',
        4.2,
        "M 4 4.7 C 3.5 3.8 2.9 3.4 2.1 3.4 C 1 3.4 0.3 4.1 0.3 5 C 0.3 7.3 4.2 6.1 4.2 8.2 C 4.2 9.3 3.3 10 2.1 10 C 1.2 10 0.5 9.6 0 8.8",
    ),
    ('t', 3.2, "M 1.3 1.2 L 1.3 8 C 1.3 9.6 2 10.2 3.2 9.8 M 0 3.6 L 3 3.6"),
    ('u', 4.5, "M 0 3.4 L 0 7.4 C 0 9.1 0.7 10 2 10 C 3.1 10 4 9.1 4.5 7.6 M 4.5 3.4 L 4.5 10"),
    ('v', 4.6, "M 0 3.4 L 2.3 10 L 4.6 3.4"),
    ('w', 6.8, "M 0 3.4 L 1.7 10 L 3.4 4.4 L 5.1 10 L 6.8 3.4"),
    ('x', 4.4, "M 0 3.4 L 4.4 10 M 4.4 3.4 L 0 10"),
    ('y', 4.6, "M 0 3.4 L 2.4 10 M 4.6 3.4 L 2 11.4 C 1.5 12.7 1 13 0 12.9"),
    ('z', 4.2, "M 0 3.4 L 4.2 3.4 L 0 10 L 4.2 10"),
    ('0', 5.4, "M 2.7 0 C 4.4 0 5.4 2 5.4 5 C 5.4 8 4.4 10 2.7 10 C 1 10 0 8 0 5 C 0 2 1 0 2.7 0 Z"),
    ('1', 2.4, "M 0 2 L 2.4 0 L 2.4 10"),
    ('2', 5.2, "M 0.2 2.4 C 0.4 0.9 1.4 0 2.7 0 C 4.2 0 5.1 1 5.1 2.6 C 5.1 4.9 1.6 6.8 0 10 L 5.2 10"),
    (
        '3',
        5.2,
        "M 0.2 1.4 C 0.8 0.5 1.6 0 2.6 0 C 4 0 4.9 1 4.9 2.4 C 4.9 3.9 3.8 4.8 2 4.8 C 4 4.8 5.2 5.8 5.2 7.4 C 5.2 9 4.1 10 2.5 10 C 1.4 10 0.5 9.4 0 8.4",
    ),
    ('4', 5.8, "M 4.2 10 L 4.2 0 L 0 7 L 5.8 7"),
    (
        '5',
        5.2,
        "M 4.8 0 L 0.8 0 L 0.4 4.6 C 1 4 1.7 3.7 2.5 3.7 C 4.2 3.7 5.2 5 5.2 6.8 C 5.2 8.7 4.1 10 2.4 10 C 1.4 10 0.5 9.5 0 8.6",
    ),
    (
        '6',
        5.4,
        "M 4.8 1 C 4.3 0.3 3.7 0 3 0 C 1.2 0 0 2.2 0 5.8 C 0 8.6 1 10 2.8 10 C 4.4 10 5.4 8.7 5.4 7 C 5.4 5.2 4.4 4.1 2.9 4.1 C 1.6 4.1 0.5 5 0.1 6.4",
    ),
    ('7', 5.2, "M 0 0 L 5.2 0 L 1.8 10"),
    (
        '8',
        5.4,
        "M 2.7 4.7 C 1.3 4.7 0.4 3.8 0.4 2.4 C 0.4 1 1.3 0 2.7 0 C 4.1 0 5 1 5 2.4 C 5 3.8 4.1 4.7 2.7 4.7 C 1.1 4.7 0 5.8 0 7.3 C 0 8.9 1.1 10 2.7 10 C 4.3 10 5.4 8.9 5.4 7.3 C 5.4 5.8 4.3 4.7 2.7 4.7 Z",
    ),
    (
        '9',
        5.4,
        "M 0.6 9 C 1.1 9.7 1.7 10 2.4 10 C 4.2 10 5.4 7.8 5.4 4.2 C 5.4 1.4 4.4 0 2.6 0 C 1 0 0 1.3 0 3 C 0 4.8 1 5.9 2.5 5.9 C 3.8 5.9 4.9 5 5.3 3.6",
    ),
    ('.', 0.0, "M 0 9.9 L 0 10"),
    (',', 0.5, "M 0.5 9.6 L 0 11.6"),
    (':', 0.0, "M 0 4.4 L 0 4.5 M 0 9.9 L 0 10"),
    (';', 0.5, "M 0.5 4.4 L 0.5 4.5 M 0.5 9.6 L 0 11.6"),
    ('!', 0.0, "M 0 0 L 0 6.6 M 0 9.9 L 0 10"),
    (
        '?',
        4.6,
        "M 0 1.8 C 0.4 0.7 1.2 0 2.3 0 C 3.7 0 4.6 0.9 4.6 2.3 C 4.6 4.4 2.3 4.4 2.3 6.8 M 2.3 9.9 L 2.3 10",
    ),
    ('¡', 0.0, "M 0 13 L 0 6.4 M 0 3.4 L 0 3.5"),
    (
        '¿',
        4.6,
        "M 4.6 11.2 C 4.2 12.3 3.4 13 2.3 13 C 0.9 13 0 12.1 0 10.7 C 0 8.6 2.3 8.6 2.3 6.4 M 2.3 3.4 L 2.3 3.5",
    ),
    ('\'', 0.0, "M 0 0 L 0 2.4"),
    ('"', 2.2, "M 0 0 L 0 2.4 M 2.2 0 L 2.2 2.4"),
    ('\u{2018}', 0.7, "M 0.7 0 L 0 2.2"),
    ('\u{201c}', 3.0, "M 0.7 0 L 0 2.2 M 3 0 L 2.3 2.2"),
    ('\u{201d}', 3.0, "M 0.7 0 L 0 2.2 M 3 0 L 2.3 2.2"),
    ('\u{201e}', 3.0, "M 0.7 9.6 L 0 11.6 M 3 9.6 L 2.3 11.6"),
    ('\u{201a}', 0.7, "M 0.7 9.6 L 0 11.6"),
    ('«', 4.2, "M 1.9 4.6 L 0 6.7 L 1.9 8.8 M 4.2 4.6 L 2.3 6.7 L 4.2 8.8"),
    ('»', 4.2, "M 0 4.6 L 1.9 6.7 L 0 8.8 M 2.3 4.6 L 4.2 6.7 L 2.3 8.8"),
    ('‹', 1.9, "M 1.9 4.6 L 0 6.7 L 1.9 8.8"),
    ('›', 1.9, "M 0 4.6 L 1.9 6.7 L 0 8.8"),
    ('-', 3.0, "M 0 6.2 L 3 6.2"),
    ('–', 4.6, "M 0 6.2 L 4.6 6.2"),
    ('—', 7.6, "M 0 6.2 L 7.6 6.2"),
    ('_', 5.4, "M 0 11.4 L 5.4 11.4"),
    ('…', 5.2, "M 0 9.9 L 0 10 M 2.6 9.9 L 2.6 10 M 5.2 9.9 L 5.2 10"),
    ('·', 0.0, "M 0 5.9 L 0 6"),
    ('•', 1.0, "M 0.5 5.5 C 1.2 5.5 1.2 6.5 0.5 6.5 C -0.2 6.5 -0.2 5.5 0.5 5.5 Z"),
    ('(', 1.8, "M 1.8 -0.6 C 0.6 1 0 3 0 5.4 C 0 7.8 0.6 9.8 1.8 11.4"),
    (')', 1.8, "M 0 -0.6 C 1.2 1 1.8 3 1.8 5.4 C 1.8 7.8 1.2 9.8 0 11.4"),
    ('[', 1.8, "M 1.8 -0.6 L 0 -0.6 L 0 11.4 L 1.8 11.4"),
    (']', 1.8, "M 0 -0.6 L 1.8 -0.6 L 1.8 11.4 L 0 11.4"),
    ('{', 2.4, "M 2.4 -0.6 C 0.4 -0.6 2 5.4 0 5.4 C 2 5.4 0.4 11.4 2.4 11.4"),
    ('}', 2.4, "M 0 -0.6 C 2 -0.6 0.4 5.4 2.4 5.4 C 0.4 5.4 2 11.4 0 11.4"),
    ('/', 4.0, "M 4 -0.4 L 0 11"),
    ('\\', 4.0, "M 0 -0.4 L 4 11"),
    ('|', 0.0, "M 0 -0.6 L 0 11.4"),
    ('+', 5.2, "M 2.6 3.5 L 2.6 8.7 M 0 6.1 L 5.2 6.1"),
    ('=', 4.8, "M 0 4.9 L 4.8 4.9 M 0 7.5 L 4.8 7.5"),
    ('×', 4.0, "M 0 4.1 L 4 8.1 M 4 4.1 L 0 8.1"),
    ('÷', 4.8, "M 0 6.1 L 4.8 6.1 M 2.4 3.6 L 2.4 3.7 M 2.4 8.5 L 2.4 8.6"),
    ('*', 4.0, "M 2 0 L 2 4.4 M 0.1 1.1 L 3.9 3.3 M 3.9 1.1 L 0.1 3.3"),
    ('<', 4.4, "M 4.4 2.9 L 0 6.1 L 4.4 9.3"),
    ('>', 4.4, "M 0 2.9 L 4.4 6.1 L 0 9.3"),
    ('#', 5.8, "M 2 0.6 L 1.2 9.4 M 4.6 0.6 L 3.8 9.4 M 0.2 3.4 L 5.8 3.4 M 0 6.6 L 5.6 6.6"),
    (
        '$',
        5.8,
        "M 5.4 1.8 C 4.9 0.6 4 0 2.9 0 C 1.2 0 0.3 1.1 0.3 2.5 C 0.3 5.8 5.8 4.2 5.8 7.4 C 5.8 9 4.6 10 2.9 10 C 1.6 10 0.6 9.4 0 8.2 M 2.9 -1.4 L 2.9 11.4",
    ),
    (
        '€',
        6.2,
        "M 6.2 1.7 C 5.6 0.6 4.9 0 4 0 C 2.2 0 1 2 1 5 C 1 8 2.2 10 4 10 C 4.9 10 5.6 9.4 6.2 8.3 M 0 3.8 L 4.8 3.8 M 0 6.2 L 4.4 6.2",
    ),
    (
        '£',
        5.4,
        "M 5 1.6 C 4.7 0.6 4 0 3.2 0 C 2 0 1.4 1 1.4 2.4 L 1.4 7.4 C 1.4 8.8 0.9 9.7 0 10 L 5.4 10 M 0 5.2 L 4 5.2",
    ),
    ('¥', 6.2, "M 0 0 L 3.1 4.6 L 6.2 0 M 3.1 4.6 L 3.1 10 M 0.8 5.2 L 5.4 5.2 M 0.8 7.4 L 5.4 7.4"),
    (
        '%',
        7.4,
        "M 1.6 0 C 2.6 0 3.2 0.9 3.2 2.2 C 3.2 3.5 2.6 4.4 1.6 4.4 C 0.6 4.4 0 3.5 0 2.2 C 0 0.9 0.6 0 1.6 0 Z M 5.8 5.6 C 6.8 5.6 7.4 6.5 7.4 7.8 C 7.4 9.1 6.8 10 5.8 10 C 4.8 10 4.2 9.1 4.2 7.8 C 4.2 6.5 4.8 5.6 5.8 5.6 Z M 6.2 0 L 1.2 10",
    ),
    (
        '&',
        6.8,
        "M 6.8 10 L 1.4 3.6 C 0.2 2 1 0 2.8 0 C 4.4 0 5.2 1.6 4.2 3 C 3.4 4.1 0 4.8 0 7.4 C 0 9 1.1 10 2.7 10 C 4.8 10 6.2 8 6.4 5.2",
    ),
    (
        '@',
        8.6,
        "M 5.9 3.3 L 5.9 6.2 C 5.9 7.8 8.6 7.8 8.6 4.8 C 8.6 2 6.9 0 4.3 0 C 1.8 0 0 2.2 0 5 C 0 7.9 1.8 10 4.3 10 C 5.4 10 6.3 9.7 7.1 9.1 M 5.9 5.2 C 5.9 6.4 5.2 7.2 4.2 7.2 C 3.2 7.2 2.6 6.3 2.6 5.2 C 2.6 4 3.3 3.1 4.3 3.1 C 5.3 3.1 5.9 4 5.9 5.2",
    ),
    ('~', 5.2, "M 0 6.6 C 0.8 5 1.8 5.2 2.6 6 C 3.4 6.8 4.4 7 5.2 5.4"),
    ('^', 3.8, "M 0 2.6 L 1.9 0 L 3.8 2.6"),
    ('`', 1.2, "M 0 0 L 1.2 1.8"),
    ('°', 2.6, "M 1.3 0 C 3 0 3 2.6 1.3 2.6 C -0.4 2.6 -0.4 0 1.3 0 Z"),
    (
        '№',
        11.6,
        "M 0 10 L 0 0 L 6.2 10 L 6.2 0 M 10 3.2 C 11.6 3.2 11.6 7.4 10 7.4 C 8.4 7.4 8.4 3.2 10 3.2 Z M 8.6 9.8 L 11.4 9.8",
    ),
    (
        'ß',
        4.8,
        "M 0 10 L 0 2.6 C 0 0.9 0.9 0 2.2 0 C 3.5 0 4.3 0.8 4.3 2 C 4.3 3.8 2.4 3.8 2.4 4.8 C 2.4 6 4.8 6 4.8 8 C 4.8 9.3 4 10 2.8 10 C 2.2 10 1.8 9.9 1.4 9.6",
    ),
    (
        'Ø',
        7.0,
        "M 3.5 0 C 5.6 0 7 2 7 5 C 7 8 5.6 10 3.5 10 C 1.4 10 0 8 0 5 C 0 2 1.4 0 3.5 0 Z M 0.4 10.4 L 6.6 -0.4",
    ),
    (
        'ø',
        5.0,
        "M 2.5 3.4 C 4 3.4 5 4.8 5 6.7 C 5 8.6 4 10 2.5 10 C 1 10 0 8.6 0 6.7 C 0 4.8 1 3.4 2.5 3.4 Z M 0.2 10.4 L 4.8 3",
    ),
    ('Æ', 8.6, "M 0 10 L 4.2 0 L 8.6 0 M 4.6 0 L 4.6 10 L 8.6 10 M 4.6 4.9 L 8 4.9 M 1.4 6.7 L 4.6 6.7"),
    (
        'æ',
        8.0,
        "M 4 6.6 L 8 6.6 C 8 4.6 7.3 3.4 6 3.4 C 4.8 3.4 4 4.8 4 6.7 C 4 8.7 4.8 10 6.2 10 C 7 10 7.6 9.5 8 8.7 M 4 6.7 C 4 4.8 3.3 3.4 2.1 3.4 C 0.8 3.4 0 4.8 0 6.7 C 0 8.6 0.8 10 2.1 10 C 3.3 10 4 8.6 4 6.7",
    ),
    (
        'Œ',
        9.4,
        "M 5.4 0 L 3.5 0 C 1.4 0 0 2 0 5 C 0 8 1.4 10 3.5 10 L 9.4 10 M 9.4 0 L 5.2 0 L 5.2 10 M 5.2 4.9 L 8.8 4.9",
    ),
    (
        'œ',
        8.6,
        "M 4.5 6.6 L 8.6 6.6 C 8.6 4.6 7.9 3.4 6.6 3.4 C 5.3 3.4 4.5 4.8 4.5 6.7 C 4.5 8.7 5.3 10 6.7 10 C 7.5 10 8.2 9.5 8.6 8.7 M 4.5 6.7 C 4.5 4.8 3.7 3.4 2.3 3.4 C 0.9 3.4 0 4.8 0 6.7 C 0 8.6 0.9 10 2.3 10 C 3.7 10 4.5 8.6 4.5 6.7",
    ),
    ('Ł', 5.2, "M 0.4 0 L 0.4 10 L 5.2 10 M -0.8 6 L 2.8 3.6"),
    ('ł', 1.6, "M 0.6 0 L 0.6 8.4 C 0.6 9.5 1 10 1.6 10 M -0.6 5.8 L 1.8 4.2"),
    ('Đ', 6.8, "M 0.4 0 L 0.4 10 L 3 10 C 5.6 10 6.8 8 6.8 5 C 6.8 2 5.6 0 3 0 Z M -0.8 5 L 3 5"),
    (
        'đ',
        4.8,
        "M 4.8 0 L 4.8 10 M 2.8 1.6 L 6 1.6 M 4.8 5.6 C 4.3 4.2 3.5 3.4 2.5 3.4 C 1 3.4 0 4.8 0 6.7 C 0 8.6 1 10 2.5 10 C 3.5 10 4.3 9.2 4.8 7.8",
    ),
    ('Þ', 5.4, "M 0 0 L 0 10 M 0 2 L 2.8 2 C 6.2 2 6.2 7.4 2.8 7.4 L 0 7.4"),
    (
        'þ',
        4.8,
        "M 0 0 L 0 13 M 0 5.6 C 0.5 4.2 1.3 3.4 2.3 3.4 C 3.8 3.4 4.8 4.8 4.8 6.7 C 4.8 8.6 3.8 10 2.3 10 C 1.3 10 0.5 9.2 0 7.8",
    ),
    ('Ð', 6.8, "M 0.4 0 L 0.4 10 L 3 10 C 5.6 10 6.8 8 6.8 5 C 6.8 2 5.6 0 3 0 Z M -0.8 5 L 3 5"),
    (
        'ð',
        5.0,
        "M 1 0.2 C 3.6 1 5 3.6 5 6.7 C 5 8.6 4 10 2.5 10 C 1 10 0 8.7 0 7 C 0 5.2 1 4 2.5 4 C 3.6 4 4.4 4.6 4.8 5.6 M 1.2 2.6 L 4 0.8",
    ),
    ('Б', 5.4, "M 5 0 L 0 0 L 0 10 L 2.9 10 C 6.3 10 6.3 4.6 2.9 4.6 L 0 4.6"),
    ('Г', 4.8, "M 4.8 0 L 0 0 L 0 10"),
    ('Ґ', 4.8, "M 4.8 -1.8 L 4.8 0 L 0 0 L 0 10"),
    ('Д', 7.2, "M 0 12 L 0 10 L 7.2 10 L 7.2 12 M 1.2 10 C 2 7.6 2.2 4 2.2 0 L 6 0 L 6 10"),
    (
        'Є',
        6.4,
        "M 6.4 1.9 C 5.6 0.7 4.6 0 3.5 0 C 1.4 0 0 2 0 5 C 0 8 1.4 10 3.5 10 C 4.6 10 5.6 9.3 6.4 8.1 M 0.2 5 L 4 5",
    ),
    ('Ж', 8.4, "M 4.2 0 L 4.2 10 M 0 0 L 3.4 5 L 0 10 M 8.4 0 L 5 5 L 8.4 10 M 3.4 5 L 5 5"),
    ('И', 6.2, "M 0 0 L 0 10 L 6.2 0 L 6.2 10"),
    ('Л', 6.2, "M 0 10 C 1.6 9.6 1.8 5 1.8 0 L 6.2 0 L 6.2 10"),
    ('П', 6.0, "M 0 10 L 0 0 L 6 0 L 6 10"),
    ('У', 6.0, "M 0 0 L 3 6.4 M 6 0 L 2.4 8.6 C 1.9 9.8 1.2 10.1 0.2 9.9"),
    (
        'Ф',
        7.8,
        "M 3.9 -0.4 L 3.9 10.4 M 3.9 1.6 C 6.3 1.6 7.8 3 7.8 5 C 7.8 7 6.3 8.4 3.9 8.4 C 1.5 8.4 0 7 0 5 C 0 3 1.5 1.6 3.9 1.6 Z",
    ),
    ('Ц', 6.8, "M 0 0 L 0 10 L 6.8 10 L 6.8 12 M 5.6 0 L 5.6 10"),
    ('Ч', 5.6, "M 0 0 L 0 3 C 0 5 1 5.8 2.6 5.8 C 3.8 5.8 4.9 5.4 5.6 4.8 M 5.6 0 L 5.6 10"),
    ('Ш', 8.0, "M 0 0 L 0 10 L 8 10 L 8 0 M 4 0 L 4 10"),
    ('Щ', 9.2, "M 0 0 L 0 10 L 9.2 10 L 9.2 12 M 8 0 L 8 10 M 4 0 L 4 10"),
    ('Ъ', 6.8, "M 0 0 L 1.8 0 L 1.8 10 L 4.4 10 C 7.6 10 7.6 4.6 4.4 4.6 L 1.8 4.6"),
    ('Ы', 7.6, "M 0 0 L 0 10 L 2.4 10 C 5.6 10 5.6 4.6 2.4 4.6 L 0 4.6 M 7.6 0 L 7.6 10"),
    ('Ь', 5.2, "M 0 0 L 0 10 L 2.8 10 C 6 10 6 4.6 2.8 4.6 L 0 4.6"),
    (
        'Э',
        6.4,
        "M 0 1.9 C 0.8 0.7 1.8 0 2.9 0 C 5 0 6.4 2 6.4 5 C 6.4 8 5 10 2.9 10 C 1.8 10 0.8 9.3 0 8.1 M 6.2 5 L 2.4 5",
    ),
    (
        'Ю',
        8.8,
        "M 0 0 L 0 10 M 0 5 L 2.4 5 M 5.6 0 C 7.6 0 8.8 2 8.8 5 C 8.8 8 7.6 10 5.6 10 C 3.6 10 2.4 8 2.4 5 C 2.4 2 3.6 0 5.6 0 Z",
    ),
    ('Я', 5.6, "M 5.6 10 L 5.6 0 L 2.6 0 C -0.8 0 -0.8 5.2 2.6 5.2 L 5.6 5.2 M 2.8 5.2 L 0 10"),
    (
        'б',
        5.0,
        "M 4.6 0.2 C 1.4 0.6 0 2.6 0 6.7 C 0 8.6 1 10 2.5 10 C 4 10 5 8.7 5 7 C 5 5.3 4 4 2.5 4 C 1.2 4 0.4 4.9 0 6.2",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_has_the_letters_of_the_languages_that_prompts_are_read_in() {
        let ascii: String = ('!'..='~').collect();
        let others = "áéíóúüñ¿¡ÁÑ àâçèêëîïôœùûÀÉ äöüßÄÖÜ ãõÃÕ ìòÈ «» “”„‘’ … – — € £ ł ż ğ ş ı ø å ";
        let russian = "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдеёжзийклмнопрстуфхцчшщъыьэюя іїєґ ІЇЄҐ";
        for c in ascii.chars().chain(others.chars()).chain(russian.chars()) {
            assert!(has(c), "{c:?}");
        }
        for c in ['猫', 'が', '고', '🦊', 'ع', '\n'] {
            assert!(!has(c), "{c:?}");
        }
    }

    #[test]
    fn every_glyph_is_whole_and_within_its_box() {
        let marked = MARKED.iter().flat_map(|(_, marked, _)| marked.chars());
        for c in GLYPHS.iter().map(|(c, ..)| *c).chain(marked) {
            let glyph = glyph(c).unwrap_or_else(|| panic!("{c:?} has no glyph"));
            let bounds = glyph.strokes.bounds();
            assert!(bounds.left() >= -1.9 && bounds.right() <= glyph.width + 1.9, "{c:?} {bounds:?}");
            assert!(bounds.top() >= -3.3 && bounds.bottom() <= 13.1, "{c:?} {bounds:?}");
        }
        for (c, _, strokes) in GLYPHS {
            let known = strokes.split(' ').all(|word| "MLCZ".contains(word) || word.parse::<f32>().is_ok());
            assert!(known, "{c:?}");
        }
        for (_, marked, bases) in MARKED {
            assert_eq!(marked.chars().count(), bases.chars().count(), "{marked}");
        }
        assert_eq!(FORMS.0.chars().count(), FORMS.1.chars().count());
    }

    #[test]
    fn an_accent_changes_a_letter_and_full_width_does_not() {
        let strokes = |c| glyph(c).unwrap().strokes;
        assert_ne!(strokes('é'), strokes('e'));
        assert_eq!(strokes('Ａ'), strokes('A'));
        assert_eq!(strokes('А'), strokes('A'));
    }
}
