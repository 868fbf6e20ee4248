//! What a prompt asks for and the renderer does not draw.

use super::font;
use super::ordinary::is_ordinary;
use super::prompt::{Reading, SUBJECTS_MAX, beginning, folded, words};
use super::quotes::{Quoted, TEXT_CHARS_MAX, TEXTS_MAX, quoted};
use super::setting::asked_place;
use super::vocabulary::{Meaning, Where, is_spaceless};
use std::fmt;

/// The most words, or characters, that one [`NotDrawn`] names. It counts the others.
const NAMED_MAX: usize = 8;
/// The most characters that are shown of a word.
const WORD_CHARS_MAX: usize = 24;
/// The words that are drawn as another thing, and that thing.
const STAND_INS: &[(&str, &str)] = &[
    ("wolf wolves lobo loup dog coyote", "a fox"),
    ("orca dolphin dolphins", "a whale"),
    ("elk moose reindeer antelope unicorn horse", "a deer"),
    ("kayak canoe", "a sailing boat"),
    ("tokyo york london paris", "some city"),
    ("volcano volcanoes volcanos", "mountains"),
    ("astronaut astronauts", "open space"),
    ("mars saturn jupiter", "another planet"),
    ("underwater", "the sea from above"),
];

/// Something in a prompt that is not drawn, or not as the prompt says. Its text is a sentence about the built-in model.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotDrawn {
    /// Words that the renderer does not know, as the prompt has them.
    Unknown(Names),
    /// Words for which the renderer draws another thing.
    StandIn {
        /// The words, as the prompt has them.
        words: Names,
        /// The thing that is drawn.
        drawn: &'static str,
    },
    /// Words that the renderer knows but has no room for.
    NoRoom(Names),
    /// The prompt beside a source image: the image is set in motion, and no scene is drawn.
    Scene,
    /// Characters of the quoted texts that the font lacks.
    Characters(Names),
    /// Quoted texts have too many characters, or there are too many texts.
    TooMuchText,
}

/// Words or characters, each once. `Display` names some and counts the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The first ones, cut to a bounded length.
    pub named: Vec<String>,
    /// How many there are beside the named ones.
    pub others: usize,
}

/// What of a prompt a picture, or a clip without a source image, does not show. There are few entries, each of bounded length.
pub fn not_drawn(prompt: &str, negative_prompt: Option<&str>) -> Vec<NotDrawn> {
    let reading = Reading::of(prompt, negative_prompt);
    let quoted = quoted(beginning(prompt));
    let place = asked_place(&reading);
    let (mut unknown, mut no_room) = (Collected::default(), Collected::default());
    let mut stand_ins: Vec<(&'static str, Collected)> = vec![];
    for (word, meanings) in words(&quoted.rest) {
        let wanted: Vec<Meaning> =
            meanings.iter().copied().filter(|meaning| !reading.excludes(*meaning)).collect();
        let has_room = |meaning: &Meaning| match meaning {
            Meaning::Thing(subject) => reading.has(*subject),
            Meaning::Place(asked) => is_shown(*asked, place),
            _ => true,
        };
        if meanings.is_empty() {
            if is_telling(word) {
                unknown.add(word);
            }
        } else if !wanted.is_empty() && !wanted.iter().any(has_room) {
            if is_telling(word) {
                no_room.add(word);
            }
        } else if let Some(drawn) = stand_in(word).filter(|_| !wanted.is_empty()) {
            match stand_ins.iter_mut().find(|(thing, _)| *thing == drawn) {
                Some((_, words)) => words.add(word),
                None => stand_ins.push((drawn, Collected::of(word))),
            }
        }
    }
    let stand_ins =
        stand_ins.into_iter().map(|(drawn, words)| NotDrawn::StandIn { words: words.into(), drawn });
    let mut found: Vec<NotDrawn> = unknown.finish(NotDrawn::Unknown).into_iter().collect();
    found.extend(stand_ins);
    found.extend(no_room.finish(NotDrawn::NoRoom));
    found.extend(of_texts(&quoted));
    found
}

/// What of the prompt of a clip with a source image the clip does not show.
pub fn not_drawn_over_source(prompt: &str) -> Vec<NotDrawn> {
    let quoted = quoted(beginning(prompt));
    let scene = words(&quoted.rest).next().map(|_| NotDrawn::Scene);
    scene.into_iter().chain(of_texts(&quoted)).collect()
}

fn of_texts(quoted: &Quoted) -> Vec<NotDrawn> {
    let mut lacking = Collected::default();
    for c in quoted.texts.iter().flat_map(|text| text.chars()).filter(|c| !font::has(*c)) {
        lacking.add(c.encode_utf8(&mut [0; 4]));
    }
    let too_much = (quoted.cut > 0 || quoted.left > 0).then_some(NotDrawn::TooMuchText);
    lacking.finish(NotDrawn::Characters).into_iter().chain(too_much).collect()
}

/// Whether a land is shown in a scene of the land `place`. Mountains are shown behind every other one.
fn is_shown(asked: Where, place: Option<Where>) -> bool {
    let water = |place| matches!(place, Where::Sea | Where::Waves);
    asked == Where::Mountains || place.is_none_or(|place| asked == place || (water(asked) && water(place)))
}

/// Whether an unknown word names something that one could expect to see.
fn is_telling(word: &str) -> bool {
    let folded = folded(word);
    let letters = folded.chars().count();
    if folded.contains(is_spaceless) {
        // Particles between two known words.
        return letters > 3 || !folded.chars().all(|c| matches!(c, '\u{3040}'..='\u{309f}'));
    }
    letters > 2 && !folded.starts_with(char::is_numeric) && !is_ordinary(&folded)
}

/// The thing that is drawn for a word, if it is another one.
fn stand_in(word: &str) -> Option<&'static str> {
    let word = folded(word);
    STAND_INS.iter().find(|(words, _)| words.split(' ').any(|other| other == word)).map(|(_, drawn)| *drawn)
}

/// Words, each once. Letter case makes no difference.
#[derive(Default)]
struct Collected {
    names: Names,
    seen: std::collections::HashSet<String>,
}

impl Collected {
    fn of(name: &str) -> Self {
        let mut collected = Self::default();
        collected.add(name);
        collected
    }

    fn add(&mut self, name: &str) {
        if !self.seen.insert(name.to_lowercase()) {
            return;
        }
        if self.names.named.len() == NAMED_MAX {
            self.names.others += 1;
            return;
        }
        let mut characters = name.chars();
        let mut shown: String = characters.by_ref().take(WORD_CHARS_MAX).collect();
        if characters.next().is_some() {
            shown.push('…');
        }
        self.names.named.push(shown);
    }

    fn finish(self, kind: impl FnOnce(Names) -> NotDrawn) -> Option<NotDrawn> {
        (!self.names.named.is_empty()).then(|| kind(self.names))
    }
}

impl From<Collected> for Names {
    fn from(collected: Collected) -> Self {
        collected.names
    }
}

impl fmt::Display for NotDrawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(words) => {
                write!(f, "the built-in model is procedural and draws nothing for {words}")
            }
            Self::StandIn { words, drawn } => write!(f, "the built-in model draws {drawn} for {words}"),
            Self::NoRoom(words) => {
                write!(
                    f,
                    "the built-in model draws {SUBJECTS_MAX} things in one place at most, without {words}"
                )
            }
            Self::Scene => write!(
                f,
                "the built-in model only moves the camera over the image; of the prompt it draws nothing but texts in quotes"
            ),
            Self::Characters(characters) => {
                write!(
                    f,
                    "the font of the built-in model lacks {characters}: the text in quotes is drawn without"
                )
            }
            Self::TooMuchText => write!(
                f,
                "the built-in model draws {TEXTS_MAX} texts in quotes, and {TEXT_CHARS_MAX} characters of each, at most"
            ),
        }
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, name) in self.named.iter().enumerate() {
            let is_last = at + 1 == self.named.len() && self.others == 0;
            let between = match at {
                0 => "",
                _ if is_last => " and ",
                _ => ", ",
            };
            write!(f, "{between}`{name}`")?;
        }
        match self.others {
            0 => Ok(()),
            others => write!(f, " and {others} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sentences(prompt: &str) -> Vec<String> {
        let short = |sentence: String| {
            sentence
                .replace("the built-in model is procedural and draws nothing for ", "nothing for ")
                .replace("the built-in model draws ", "")
        };
        not_drawn(prompt, None).iter().map(|missing| short(missing.to_string())).collect()
    }

    #[test]
    fn prompts_of_people() {
        let prompts: &[(&str, &[&str])] = &[
            ("a lighthouse in a storm", &[]),
            ("waves at dusk", &[]),
            ("a red fox in the snow, cinematic lighting, 35mm, f/1.8, highly detailed, 8k", &[]),
            ("A cozy cabin by the lake at sunset, warm light, soft shadows", &[]),
            ("A hot air balloon over green hills at sunrise, aerial view, golden hour", &[]),
            (
                "a dragon flying over a medieval cathedral at night",
                &["nothing for `dragon`, `flying`, `medieval` and `cathedral`"],
            ),
            (
                "portrait of an old woman with a blue scarf, studio lighting",
                &["nothing for `woman` and `scarf`"],
            ),
            ("two cats playing chess in a garden", &["nothing for `two`, `playing` and `chess`"]),
            ("a wolf howling at the moon", &["nothing for `howling`", "a fox for `wolf`"]),
            (
                "an astronaut riding a horse on mars",
                &[
                    "nothing for `riding`",
                    "open space for `astronaut`",
                    "a deer for `horse`",
                    "another planet for `mars`",
                ],
            ),
            ("a neon city street in the rain, cyberpunk, reflections", &[]),
            (
                "a fox, a cat, a deer and a robot in a forest",
                &["3 things in one place at most, without `robot`"],
            ),
            (
                "a castle on a mountain above a forest lake",
                &["nothing for `castle`", "3 things in one place at most, without `lake`"],
            ),
            ("a poster that says \"GRAND OPENING\"", &[]),
            ("a neon sign that says 'Pizza' in Tokyo", &["nothing for `sign`", "some city for `Tokyo`"]),
            ("un dragón rojo sobre una montaña al amanecer", &["nothing for `dragón`"]),
            (
                "Ein alter Fuchs im verschneiten Wald, Ölgemälde",
                &["nothing for `verschneiten` and `Ölgemälde`"],
            ),
            ("Маяк и дракон над морем", &["nothing for `дракон` and `морем`"]),
            ("巨大なドラゴン", &["nothing for `巨大なドラゴン`"]),
            (
                "看板に「営業中」と書かれた夜の街",
                &[
                    "nothing for `看板に`",
                    "the font of the built-in model lacks `営`, `業` and `中`: the text in quotes is drawn without",
                ],
            ),
            ("", &[]),
        ];
        let mut wrong = vec![];
        for (prompt, expected) in prompts {
            let found = sentences(prompt);
            if found != *expected {
                wrong.push((prompt, found));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn what_the_negative_prompt_removes_is_not_missed() {
        assert_eq!(not_drawn("a fox, a cat, a deer and a robot", Some("robot")), []);
        assert_eq!(not_drawn("a wolf", Some("fox")), []);
    }

    #[test]
    fn beside_a_source_image_only_texts_are_drawn() {
        assert_eq!(not_drawn_over_source("\"HELLO\""), []);
        assert_eq!(not_drawn_over_source("she dances"), [NotDrawn::Scene]);
    }

    #[test]
    fn names_are_bounded() {
        let prompt: String = (0..99).map(|n| format!("dragon{n} ")).collect();
        let [NotDrawn::Unknown(words)] = &not_drawn(&prompt, None)[..] else { panic!("unknown words") };
        assert_eq!((words.named.len(), words.others), (NAMED_MAX, 99 - NAMED_MAX));
    }

    proptest! {
        #[test]
        fn warnings_are_bounded_for_every_prompt(prompt in "\\PC{0,400}|([a-z]{1,60} ){0,80}|(\"[^\"]{0,200}\" ?){0,9}") {
            let found = not_drawn(&prompt, None);
            prop_assert!(found.len() <= 4 + STAND_INS.len());
            for missing in found {
                prop_assert!(missing.to_string().chars().count() < 400);
            }
        }
    }
}
