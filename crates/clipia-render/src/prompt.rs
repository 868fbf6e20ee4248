//! Reads a prompt: the meanings of its known words, and a hash for everything else.

use super::PROMPT_CHARS_MAX;
use super::colour::Colour;
use super::palette::Mood;
use super::quotes::{Quoted, quoted};
use super::random::hash;
use super::vocabulary::{InSky, Meaning, Sort, Subject, Where, meanings_of};

/// The most subjects in one scene. More would crowd it.
pub(super) const SUBJECTS_MAX: usize = 3;
/// The longest distance between a colour and the thing that it colours, in words.
const TINT_REACH: usize = 2;

/// The content of a prompt.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) moods: Vec<Mood>,
    pub(super) places: Vec<Where>,
    pub(super) subjects: Vec<(Subject, Option<Colour>)>,
    pub(super) weather: Vec<Sort>,
    pub(super) signs: Vec<InSky>,
    /// A colour that belongs to no subject.
    pub(super) cast: Option<Colour>,
    /// The meanings that the negative prompt excludes.
    without: Vec<Meaning>,
    /// The share of unknown words, 0.0..=1.0.
    pub(super) unknown: f32,
    /// The hash of the prompt without its quoted texts.
    pub(super) hash: u64,
    /// The quoted texts, which are drawn as letters.
    pub(super) texts: Vec<String>,
}

impl Reading {
    pub(super) fn of(prompt: &str, negative: Option<&str>) -> Self {
        let Quoted { rest, texts, .. } = quoted(beginning(prompt));
        let folded = folded(&rest);
        let without: Vec<Meaning> = negative.map(|words| meanings(&self::folded(words))).unwrap_or_default();
        let without: Vec<Meaning> =
            without.into_iter().filter(|meaning| *meaning != Meaning::Blank).collect();
        let mut reading = Self {
            moods: vec![],
            places: vec![],
            subjects: vec![],
            weather: vec![],
            signs: vec![],
            cast: None,
            without,
            unknown: 0.0,
            hash: hash(folded.trim().as_bytes()),
            texts,
        };
        let words = meanings_by_word(&folded);
        let telling = words.iter().filter(|meaning| **meaning != Some(Meaning::Blank)).count();
        let unknown = words.iter().filter(|meaning| meaning.is_none()).count();
        reading.unknown = if telling == 0 { 1.0 } else { unknown as f32 / telling as f32 };
        for (at, meaning) in words.iter().enumerate() {
            if let Some(meaning) = meaning.filter(|meaning| !reading.excludes(*meaning)) {
                reading.take(meaning, tint_beside(&words, at));
            }
        }
        reading.cast = words.iter().enumerate().find_map(|(at, meaning)| {
            let colour = meaning.filter(|meaning| !reading.excludes(*meaning))?.colour()?;
            things_beside(&words, at).next().is_none().then_some(colour)
        });
        reading
    }

    fn take(&mut self, meaning: Meaning, tint: Option<Colour>) {
        fn add<T: PartialEq>(list: &mut Vec<T>, item: T) {
            if !list.contains(&item) {
                list.push(item);
            }
        }
        match meaning {
            Meaning::In(mood) => add(&mut self.moods, mood),
            Meaning::Place(place) => add(&mut self.places, place),
            Meaning::Weather(sort) => add(&mut self.weather, sort),
            Meaning::Sign(sign) => add(&mut self.signs, sign),
            Meaning::Thing(subject) => {
                let is_new = self.subjects.iter().all(|(known, _)| *known != subject);
                if is_new && self.subjects.len() < SUBJECTS_MAX {
                    self.subjects.push((subject, tint));
                }
            }
            Meaning::Tint(_) | Meaning::Blank => {}
        }
    }

    /// Whether the negative prompt excludes this meaning.
    pub(super) fn excludes(&self, meaning: Meaning) -> bool {
        self.without.contains(&meaning)
    }

    pub(super) fn has(&self, subject: Subject) -> bool {
        self.subjects.iter().any(|(known, _)| *known == subject)
    }
}

/// The positions of the words around a word, nearest first. The word after it comes before the word ahead of it, since languages
/// have both orders.
fn beside(at: usize) -> impl Iterator<Item = usize> {
    (1..=TINT_REACH).flat_map(move |distance| [at.checked_add(distance), at.checked_sub(distance)]).flatten()
}

fn things_beside(words: &[Option<Meaning>], at: usize) -> impl Iterator<Item = usize> {
    beside(at).filter(|index| matches!(words.get(*index), Some(Some(Meaning::Thing(_)))))
}

/// The colour of the thing at `at`: the colour for which it is the nearest thing.
fn tint_beside(words: &[Option<Meaning>], at: usize) -> Option<Colour> {
    let colour_of = |index: usize| words.get(index).copied().flatten().and_then(Meaning::colour);
    beside(at).find_map(|index| colour_of(index).filter(|_| things_beside(words, index).next() == Some(at)))
}

fn meanings(text: &str) -> Vec<Meaning> {
    meanings_by_word(text).into_iter().flatten().collect()
}

/// The meaning of every word, in order. A word in a script without spaces has the meanings of all entries inside it.
fn meanings_by_word(text: &str) -> Vec<Option<Meaning>> {
    let mut found = vec![];
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let meanings = meanings_of(word);
        match meanings.is_empty() {
            true => found.push(None),
            false => found.extend(meanings.into_iter().map(Some)),
        }
    }
    found
}

/// The words of a text as they are written, each with its meanings.
pub(super) fn words(text: &str) -> impl Iterator<Item = (&str, Vec<Meaning>)> {
    let between = |c: char| !c.is_alphanumeric() && plain(c).is_some();
    let words = beginning(text).split(between).map(|word| (word, folded(word)));
    words.filter(|(_, folded)| !folded.is_empty()).map(|(word, folded)| (word, meanings_of(&folded)))
}

/// The characters of a text that are read: [`PROMPT_CHARS_MAX`] at most.
pub(super) fn beginning(text: &str) -> &str {
    text.char_indices().nth(PROMPT_CHARS_MAX).map_or(text, |(end, _)| &text[..end])
}

/// The text in lower case, without the accents of the known Latin languages.
pub(super) fn folded(text: &str) -> String {
    beginning(text).chars().flat_map(char::to_lowercase).filter_map(plain).collect()
}

fn plain(c: char) -> Option<char> {
    Some(match c {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' => 'a',
        'è' | 'é' | 'ê' | 'ë' => 'e',
        'ì' | 'í' | 'î' | 'ï' => 'i',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' => 'o',
        'ù' | 'ú' | 'û' | 'ü' => 'u',
        'ñ' => 'n',
        'ç' => 'c',
        'ё' => 'е',
        // The combining accents of decomposed text.
        '\u{300}'..='\u{36f}' => return None,
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_words_in_several_languages() {
        let cases: &[(&str, Where, Subject)] = &[
            ("una casa en el bosque", Where::Forest, Subject::House),
            ("Ein Fuchs im Wald", Where::Forest, Subject::Fox),
            ("un phare sur la mer", Where::Sea, Subject::Lighthouse),
            ("猫と海", Where::Sea, Subject::Cat),
            ("Маяк и море", Where::Sea, Subject::Lighthouse),
        ];
        for (prompt, place, subject) in cases {
            let reading = Reading::of(prompt, None);
            assert_eq!(reading.places, [*place], "{prompt}");
            assert_eq!(reading.subjects.first().map(|known| known.0), Some(*subject), "{prompt}");
        }
    }

    #[test]
    fn a_colour_goes_to_the_thing_beside_it() {
        let red = Some(Colour::hex(0xd8402a));
        let blue = Some(Colour::hex(0x2f6fd0));
        assert_eq!(
            Reading::of("a red fox and a blue boat", None).subjects,
            [(Subject::Fox, red), (Subject::Sailboat, blue)]
        );
        assert_eq!(Reading::of("una casa roja", None).subjects, [(Subject::House, red)]);
        let alone = Reading::of("everything is blue", None);
        assert_eq!((alone.cast, alone.subjects.len()), (blue, 0));
    }

    #[test]
    fn the_negative_prompt_removes() {
        let reading = Reading::of("a fox and a cat under the moon", Some("cat, clouds"));
        assert!(reading.has(Subject::Fox) && !reading.has(Subject::Cat));
        assert!(reading.excludes(Meaning::Sign(InSky::Clouds)));
    }
}
