//! Warnings about names in a body that nothing applies. They are bounded: a body has room for hundreds of thousands of names, and each
//! warning is stored and sent in responses.

use super::parameters;
use crate::types::{InputParameter, InputWarning, Model};
use serde_json::{Map, Value};

/// Warnings about names in one response. One more counts the names that are left.
pub const WARNINGS_MAX: usize = 16;

/// Characters that a warning shows of a name. No parameter of a catalogue has a longer one.
pub const NAME_CHARACTERS_MAX: usize = 64;

/// The known members of a body.
const MEMBERS: [&str; 2] = ["input", "webhook_url"];

/// A warning for each key of `input` that the model does not know, and for each of `members`: the names that stand beside `input`
/// in the body and are not known there. At most [`WARNINGS_MAX`], and one that counts the others.
pub fn warnings<'n>(
    model: &Model,
    input: &Map<String, Value>,
    members: impl IntoIterator<Item = &'n str>,
) -> Vec<InputWarning> {
    let known = parameters(model);
    // Without a schema nothing is known of the keys.
    let checked = model.input_schema.is_some();
    let mut warnings = Warnings { model, parameters: known, given: Vec::new(), left: 0 };
    members.into_iter().for_each(|name| warnings.member(name));
    let unknown = |name: &&String| checked && known.iter().all(|parameter| parameter.name != **name);
    input.keys().filter(unknown).for_each(|name| warnings.key(name));
    warnings.finish()
}

/// The warnings about one body.
struct Warnings<'m> {
    model: &'m Model,
    parameters: &'m [InputParameter],
    given: Vec<InputWarning>,
    /// Names without a warning of their own.
    left: usize,
}

impl Warnings<'_> {
    /// A key of `input` is not one of the model's parameters.
    fn key(&mut self, name: &str) {
        let nearest =
            self.parameters.iter().map(|known| known.name.as_str()).find(|known| is_near(known, name));
        let hint = nearest.map(|known| format!("did you mean `{known}`?"));
        self.add(
            name,
            |shown, model| format!("`{shown}` is not a parameter of {model} and is ignored"),
            hint,
        );
    }

    /// A member beside `input` is not known there.
    fn member(&mut self, name: &str) {
        let hint = if self.parameters.iter().any(|known| known.name == name) {
            Some("a parameter stands in `input`".to_owned())
        } else {
            let nearest = MEMBERS.into_iter().find(|known| is_near(known, name));
            nearest.map(|known| format!("did you mean `{known}`?"))
        };
        self.add(name, |shown, _| format!("`{shown}` is not known beside `input` and is ignored"), hint);
    }

    fn add(&mut self, name: &str, sentence: impl FnOnce(&str, &str) -> String, hint: Option<String>) {
        if self.given.len() == WARNINGS_MAX {
            self.left += 1;
            return;
        }
        let shown = cut(name, NAME_CHARACTERS_MAX);
        let mut message = sentence(&shown, &self.model.slug);
        if let Some(hint) = hint {
            message.push_str("; ");
            message.push_str(&hint);
        }
        self.given.push(InputWarning::new("unknown_parameter", &shown, message));
    }

    /// The warnings, of which the last counts the names that are left.
    fn finish(mut self) -> Vec<InputWarning> {
        if self.left > 0 {
            let message = match self.left {
                1 => "1 more name is not known and is ignored".to_owned(),
                left => format!("{left} more names are not known and are ignored"),
            };
            self.given.push(InputWarning::new("unknown_parameter", "…", message));
        }
        self.given
    }
}

/// A text as a warning shows it: not too long, and without control characters, which take six times their size in JSON.
pub fn cut(text: &str, characters_max: usize) -> String {
    let mut characters = text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c });
    let mut shown: String = characters.by_ref().take(characters_max).collect();
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}

/// Whether one is the other but for letter case, separators or one slip of the hand.
pub fn is_near(known: &str, given: &str) -> bool {
    let plain = |name: &str| -> Vec<char> {
        let letters = name.chars().take(2 * NAME_CHARACTERS_MAX).filter(|c| c.is_alphanumeric());
        letters.flat_map(char::to_lowercase).collect()
    };
    let (known, given) = (plain(known), plain(given));
    let same_start = known.iter().zip(&given).take_while(|(a, b)| a == b).count();
    let same_end = known.iter().rev().zip(given.iter().rev()).take_while(|(a, b)| a == b).count();
    let longer = known.len().max(given.len());
    longer.abs_diff(known.len().min(given.len())) <= 1 && same_start + same_end + 1 >= longer
}
