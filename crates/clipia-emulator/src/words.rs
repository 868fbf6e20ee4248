//! Words at the start of a prompt that say what happens to a request: `@takes=30s @fail=content_policy:"too violent" a red fox`.
//!
//! Words are separated by spaces. The text after them is the prompt. A `@` later in the text is text.
//!
//! | word | what happens |
//! |---|---|
//! | `@takes=30s` | the request runs so long, by the emulator's clock |
//! | `@polls=3` | the third read of its status or result says that it has ended |
//! | `@position=12,3,0` | the first reads say `IN_QUEUE` with these queue positions |
//! | `@progress=10,60,60,90` | the reads after them say `IN_PROGRESS` with this progress |
//! | `@fail` `@fail=content_policy` `@fail="why"` `@fail=content_policy:"why"` | FAILED, and refunded |
//! | `@cancel` | CANCELED, as by the dashboard |
//! | `@stuck` `@stuck=90` | it never ends; its progress stays at 90 |
//! | `@crash=2` | its worker dies twice before it ends |
//! | `@reject=insufficient_credits` `@reject=429*3` | the submit is refused; three times, and then taken |
//! | `@output=fox.png` `@output=image:2048x2048` `@output=video:640x360:5s` `@output=audio:3s` | a file of the output; each `@output` adds one |
//! | `@status=PAUSED` | a status that clients do not know, while the request has not ended |
//! | `@extra` | responses with fields that clients do not know |
//! | `@deliver=twice,late:10s` | how the webhook goes wrong: see [`Delivery`] |
//!
//! With `@takes`, the steps of `@position` and `@progress` have equal shares of that time. Without it, each read is a step.
//!
//! A text that begins with `@@` has no words: it is the text without the first `@`. So `@@fox a portrait` is the prompt
//! `@fox a portrait`. An unknown word is refused, so that a typo does not turn a test of a failure green.

mod delivery;
mod error;
mod lexer;
mod output;
mod script;
#[cfg(test)]
mod tests;
mod word;

pub use delivery::{Delivery, DeliveryBody, DeliveryError, DeliverySignature, DeliveryTime};
pub use error::WordError;
pub use output::ScriptedOutput;
pub use script::{End, Reject, Script};
pub use word::Word;

use serde_json::{Map, Value};

/// The members of an input that may hold a prompt.
const PROMPTS: [&str; 2] = ["prompt", "text"];

/// Takes the words from the prompt of an input: the first text of `prompt` and `text`. Without one, there are no words, and the
/// prompt is empty.
///
/// # Errors
/// As [`parse`].
pub fn of_input(input: &Map<String, Value>) -> Result<(Script, &str), WordError> {
    parse(PROMPTS.iter().find_map(|name| input.get(*name)?.as_str()).unwrap_or_default())
}

/// Takes the words from the start of a prompt. Returns what they say, and the prompt after them.
///
/// ```
/// use clipia_emulator::words::{self, End};
///
/// let (script, prompt) = words::parse("@polls=3 @fail a red fox")?;
/// assert_eq!((script.polls, prompt), (Some(3), "a red fox"));
/// assert!(matches!(script.end, End::Fail { .. }));
///
/// let refused = words::parse("@fial a red fox").unwrap_err();
/// assert!(refused.to_string().contains("did you mean `@fail`?"));
/// # Ok::<(), words::WordError>(())
/// ```
///
/// # Errors
/// [`WordError`] says which word is wrong, and what to write.
pub fn parse(text: &str) -> Result<(Script, &str), WordError> {
    let mut script = Script::default();
    let mut given: Vec<Word> = Vec::new();
    let mut rest = text;
    loop {
        let start = rest.trim_start();
        match start.strip_prefix('@') {
            Some(prompt) if prompt.starts_with('@') => {
                rest = prompt;
                break;
            }
            Some(word) => {
                let (word, value, after) = lexer::word(word)?;
                script.add(word, value, &given)?;
                given.push(word);
                rest = after;
            }
            None if given.is_empty() => return Ok((script, text)),
            None => {
                rest = start;
                break;
            }
        }
    }
    script.check()?;
    Ok((script, rest))
}
