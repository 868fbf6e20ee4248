//! The words by which a request is found: those of its input, and of its error message once it has failed. Every store has them from
//! here, so that the same search finds the same requests in each.

use clipia_queue::lifecycle::Phase;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The words of a request that are found at most. A text with more is found by the first ones.
pub const WORDS_MAX: usize = 2_000;

/// The characters of a word that count. It is found by them, and by no more.
const WORD_CHARACTERS_MAX: usize = 48;

/// How many words are searched for at most. Further ones are left out.
const ASKED_MAX: usize = 16;

/// The parameter whose words come first.
const PROMPT: &str = "prompt";

/// What a request is that may have a text.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Whether it is of the sandbox, whose inputs are not kept.
    pub sandbox: bool,
    /// Whether its input was let go, and with it its text.
    pub input_gone: bool,
    /// Its phase.
    pub phase: Phase,
    /// Why it failed.
    pub error: Option<&'a str>,
}

impl<'a> Subject<'a> {
    /// Whether it has a text.
    pub const fn has_text(&self) -> bool {
        !self.sandbox && !self.input_gone
    }

    /// The message that its text has beside its input.
    pub fn error(&self) -> Option<&'a str> {
        self.error.filter(|_| self.phase == Phase::Failed)
    }
}

/// The words of a request, by its input and its error message.
pub fn words(input: &Map<String, Value>, error: Option<&str>) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    error.iter().for_each(|error| add(error, &mut words));
    input.get(PROMPT).iter().for_each(|prompt| add_value(prompt, &mut words));
    input.iter().filter(|(name, _)| *name != PROMPT).for_each(|(_, value)| add_value(value, &mut words));
    words
}

fn add_value(value: &Value, words: &mut BTreeSet<String>) {
    match value {
        // A file in the text of its URL has no words.
        Value::String(text) if text.starts_with("data:") => {}
        Value::String(text) => add(text, words),
        Value::Array(values) => values.iter().for_each(|value| add_value(value, words)),
        Value::Object(values) => values.values().for_each(|value| add_value(value, words)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn add(text: &str, words: &mut BTreeSet<String>) {
    each_word(text, |word| {
        words.insert(word);
        words.len() < WORDS_MAX
    });
}

/// The words that a search asks for. The last one is the beginning of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The words that are whole.
    pub whole: BTreeSet<String>,
    /// The beginning.
    pub beginning: String,
}

impl Asked {
    /// The words of a text; nothing where it has none.
    pub fn of(text: &str) -> Option<Self> {
        let mut words = Vec::new();
        each_word(text, |word| {
            words.push(word);
            words.len() < ASKED_MAX
        });
        let beginning = words.pop()?;
        Some(Self { whole: words.into_iter().collect(), beginning })
    }
}

/// Gives each word of `text` to `word` until that returns false. A word is what stands between two characters that are neither letters
/// nor digits, without its accents and in lower case; in scripts without spaces between words each character is one.
fn each_word(text: &str, mut word: impl FnMut(String) -> bool) {
    let (mut current, mut length) = (String::new(), 0);
    let folded = text.nfkd().filter(|character| !is_combining_mark(*character)).flat_map(char::to_lowercase);
    // The lower case of some letters has a mark of its own.
    for character in folded.filter(|character| !is_combining_mark(*character)) {
        let alone = stands_alone(character);
        if (alone || !character.is_alphanumeric()) && length > 0 {
            length = 0;
            if !word(std::mem::take(&mut current)) {
                return;
            }
        }
        if alone {
            if !word(character.to_string()) {
                return;
            }
        } else if character.is_alphanumeric() {
            length += 1;
            if length <= WORD_CHARACTERS_MAX {
                current.push(character);
            }
        }
    }
    if length > 0 {
        word(current);
    }
}

/// Whether a character is of a script without spaces: Chinese characters and the Japanese syllabaries.
fn stands_alone(character: char) -> bool {
    matches!(character, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
        && character.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(value: Value) -> Vec<String> {
        let Value::Object(input) = value else { panic!("{value}") };
        words(&input, Some("Exit code 137")).into_iter().collect()
    }

    #[test]
    fn the_words_of_a_request_are_those_of_its_texts_without_case_and_accents() {
        let input = json!({
            "image_url": "data:image/png;base64,AAAA",
            "prompt": "Le RENARD brun, près du café İstanbul — ﬁn!",
            "images": ["https://example.com/Fox.png", "data:,fox"],
            "seed": 42,
        });
        let words = of(input);
        let wanted = [
            "137", "brun", "cafe", "code", "com", "du", "example", "exit", "fin", "fox", "https", "istanbul",
            "le", "png", "pres", "renard",
        ];
        assert_eq!(words, wanted);
        assert_eq!(
            of(json!({"prompt": "東京の猫 cat"})),
            ["137", "cat", "code", "exit", "の", "京", "東", "猫"]
        );
        // The same letter, written as one character or with a mark behind it.
        assert_eq!(of(json!({"prompt": "re\u{301}sume\u{301}"})), of(json!({"prompt": "résumé"})));
    }

    #[test]
    fn there_are_bounds() {
        let many = (0..10_000).map(|number| format!("w{number}")).collect::<Vec<_>>().join(" ");
        assert_eq!(of(json!({ "prompt": many })).len(), WORDS_MAX);
        let long = of(json!({ "prompt": "a".repeat(100_000) }));
        assert!(long.contains(&"a".repeat(WORD_CHARACTERS_MAX)) && long.len() == 4);
        let asked = Asked::of(&many).unwrap();
        assert_eq!((asked.whole.len(), asked.beginning.as_str()), (15, "w15"));
    }

    #[test]
    fn a_search_ends_with_the_beginning_of_a_word() {
        let asked = Asked::of("  The \"quick\" AND fo").unwrap();
        assert_eq!(asked.whole.into_iter().collect::<Vec<_>>(), ["and", "quick", "the"]);
        assert_eq!(asked.beginning, "fo");
        assert_eq!(["", " \0*\"' ", "-—!"].map(Asked::of), [None, None, None]);
    }
}
