//! The arguments of a program, filled from a job's input.

use serde_json::{Map, Value};
use std::borrow::Cow;
use std::path::Path;

/// The longest argument, in bytes. Linux takes no longer one (`MAX_ARG_STRLEN`).
const ARGUMENT_BYTES_MAX: usize = 128 * 1024 - 1;

/// The most bytes of all arguments: half of what the stack of a process has for them and for the environment.
const ARGUMENTS_BYTES_MAX: usize = 1024 * 1024;

/// What the placeholders stand for.
pub(super) struct Values<'j> {
    /// The input. Parameters that were fetched are the paths of their files.
    pub(super) input: &'j Map<String, Value>,
    /// The names of the model's parameters: one without a value is empty.
    pub(super) parameters: &'j [&'j str],
    /// The directory of the input's files.
    pub(super) in_directory: &'j Path,
    /// The directory of the output.
    pub(super) out_directory: &'j Path,
    /// The file with the job's JSON.
    pub(super) job: &'j Path,
}

/// Why arguments cannot be filled. The sentence is for the caller.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ArgumentError {
    #[error("`{0}` has a NUL character, which no argument of a program can have")]
    Nul(String),
    #[error("the input is too long for the arguments of the program that makes this model")]
    TooLong,
}

/// A command's program and arguments with every `{name}` replaced. No shell reads them: a value is never more than a part of one
/// argument.
///
/// An argument that is one placeholder of a list becomes one argument for each element. Braces that are no placeholder stay.
pub(super) fn fill(command: &[String], values: &Values<'_>) -> Result<Vec<String>, ArgumentError> {
    let mut filled = Vec::with_capacity(command.len());
    for argument in command {
        match alone(argument).and_then(|name| Some((name, values.input.get(name)?))) {
            Some((name, Value::Array(elements))) => {
                for element in elements {
                    filled.push(checked(name, text(element)).map(|text| not_an_option(text, element))?);
                }
            }
            Some((name, value)) => {
                filled.push(checked(name, text(value)).map(|text| not_an_option(text, value))?);
            }
            None => filled.push(replaced(argument, values)?),
        }
    }
    let too_long = filled.iter().any(|argument| argument.len() > ARGUMENT_BYTES_MAX)
        || filled.iter().map(String::len).sum::<usize>() > ARGUMENTS_BYTES_MAX;
    if too_long { Err(ArgumentError::TooLong) } else { Ok(filled) }
}

/// The names of the placeholders in an argument: whatever is in braces and looks like a name.
pub fn placeholders(argument: &str) -> impl Iterator<Item = &str> {
    pieces(argument).filter_map(|piece| match piece {
        Piece::Name(name) => Some(name),
        Piece::Text(_) => None,
    })
}

/// The name, where an argument is one placeholder and nothing else.
fn alone(argument: &str) -> Option<&str> {
    let name = argument.strip_prefix('{')?.strip_suffix('}')?;
    is_name(name).then_some(name)
}

fn replaced(argument: &str, values: &Values<'_>) -> Result<String, ArgumentError> {
    let mut filled = String::with_capacity(argument.len());
    for piece in pieces(argument) {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Name("in") => filled.push_str(&values.in_directory.to_string_lossy()),
            Piece::Name("out") => filled.push_str(&values.out_directory.to_string_lossy()),
            Piece::Name("job") => filled.push_str(&values.job.to_string_lossy()),
            Piece::Name(name) => match values.input.get(name) {
                Some(value) => filled.push_str(&checked(name, text(value))?),
                None if values.parameters.contains(&name) => {}
                None => {
                    filled.push('{');
                    filled.push_str(name);
                    filled.push('}');
                }
            },
        }
    }
    Ok(filled)
}

enum Piece<'a> {
    Text(&'a str),
    Name(&'a str),
}

fn pieces(argument: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = argument;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let placeholder = rest.strip_prefix('{').and_then(|after| after.split_once('}'));
        if let Some((name, after)) = placeholder.filter(|(name, _)| is_name(name)) {
            rest = after;
            return Some(Piece::Name(name));
        }
        // A brace that begins no placeholder is text.
        let end = rest.char_indices().skip(1).find(|(_, char)| *char == '{').map_or(rest.len(), |(at, _)| at);
        let (text, after) = rest.split_at(end);
        rest = after;
        Some(Piece::Text(text))
    })
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
}

fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => Cow::Borrowed(""),
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

fn checked<'t>(name: &str, text: Cow<'t, str>) -> Result<Cow<'t, str>, ArgumentError> {
    if text.contains('\0') { Err(ArgumentError::Nul(name.to_owned())) } else { Ok(text) }
}

/// A text of the caller that is an argument of its own and begins with `-` gets a space before it, so that no program takes it
/// for an option. A number stays as it is.
fn not_an_option(text: Cow<'_, str>, value: &Value) -> String {
    match value {
        Value::String(_) if text.starts_with('-') => format!(" {text}"),
        _ => text.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn filled(command: &[&str], input: Value) -> Result<Vec<String>, ArgumentError> {
        let command: Vec<String> = command.iter().map(|&argument| argument.to_owned()).collect();
        let values = Values {
            input: input.as_object().unwrap(),
            parameters: &["prompt", "seed", "negative", "images"],
            in_directory: Path::new("/j/in"),
            out_directory: Path::new("/j/out"),
            job: Path::new("/j/job.json"),
        };
        fill(&command, &values)
    }

    #[test]
    fn placeholders_are_replaced_and_nothing_else_is() {
        let input = json!({ "prompt": "a {seed}; $(rm)", "seed": -7, "images": ["/j/in/a.png", "-b"], "style": true });
        let filled = filled(
            &[
                "draw",
                "{prompt}",
                "--seed={seed}",
                "{negative}",
                "-n{negative}",
                "{out}/{seed}.png",
                "{in}/{job}",
                "{images}",
                "{unknown}",
                "{}",
                "{a b}",
                "{{seed}}",
                "{",
                "é{style}é",
                "{\"json\": {seed}}",
            ],
            input,
        );
        assert_eq!(
            filled.unwrap(),
            [
                "draw",
                "a {seed}; $(rm)",
                "--seed=-7",
                "",
                "-n",
                "/j/out/-7.png",
                "/j/in//j/job.json",
                "/j/in/a.png",
                " -b",
                "{unknown}",
                "{}",
                "{a b}",
                "{-7}",
                "{",
                "étrueé",
                "{\"json\": -7}",
            ]
        );
    }

    #[test]
    fn a_text_is_never_an_option_and_a_number_may_be_negative() {
        let input = json!({ "prompt": "-rf /", "seed": -1 });
        assert_eq!(filled(&["p", "{prompt}", "{seed}"], input).unwrap(), ["p", " -rf /", "-1"]);
    }

    #[test]
    fn what_no_argument_can_hold_is_refused() {
        let nul = filled(&["p", "x{prompt}"], json!({ "prompt": "a\0b" }));
        assert_eq!(nul, Err(ArgumentError::Nul("prompt".to_owned())));
        let long = filled(&["p", "{prompt}"], json!({ "prompt": "a".repeat(ARGUMENT_BYTES_MAX + 1) }));
        assert_eq!(long, Err(ArgumentError::TooLong));
    }

    proptest! {
        #[test]
        fn an_argument_without_a_placeholder_stays(argument in "[^{}]*|\\{[^a-z_A-Z}]*\\}?.{0,3}") {
            prop_assume!(placeholders(&argument).next().is_none());
            prop_assert_eq!(filled(&["p", &argument], json!({})).unwrap(), ["p".to_owned(), argument]);
        }
    }
}
