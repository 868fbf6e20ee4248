//! Environment variables, read without what nobody means by them: white space, quotes, invisible characters.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// Finds an environment variable by its name. Tests pass a table: a process's own must not change under other tests.
pub(crate) type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The environment of this process.
pub(crate) fn of_process(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// The value of the first of these variables that is not blank. What is not Unicode in it is replaced, so that whoever
/// needs the value refuses it and does not take it for missing.
pub(crate) fn first(lookup: Lookup<'_>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| {
        let value = lookup(name)?;
        let value = clean(&value.to_string_lossy()).to_owned();
        (!value.is_empty()).then_some(value)
    })
}

/// A path as a variable has it; `None` where it has only white space.
pub(crate) fn path(value: &OsStr) -> Option<PathBuf> {
    let path = value.to_str().map_or(value, |text| OsStr::new(clean(text)));
    (!path.is_empty()).then(|| PathBuf::from(path))
}

/// Quotes that a shell would have taken off; a `.env` file of Docker and a web page leave them on.
const QUOTES: [(char, char); 5] = [('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('‘', '’')];

/// A text without white space, invisible characters and pairs of quotes around it.
pub(crate) fn clean(text: &str) -> &str {
    let mut text = text.trim_matches(is_blank);
    while let Some(inner) =
        QUOTES.into_iter().find_map(|(open, close)| text.strip_prefix(open)?.strip_suffix(close))
    {
        text = inner.trim_matches(is_blank);
    }
    text
}

/// Whether the character is invisible: white space, a control character, a mark of direction, or one that a copy of a web
/// page or a byte order mark leaves behind.
pub(crate) fn is_blank(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

/// Whether the character is one of [`QUOTES`].
pub(crate) fn is_quote(character: char) -> bool {
    QUOTES.into_iter().any(|(open, close)| character == open || character == close)
}

/// An environment for tests.
#[cfg(test)]
pub(crate) fn table<'a>(variables: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<OsString> + 'a {
    |name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_means_is_left_out() {
        for (text, clean_text) in [
            ("x", "x"),
            (" x y\r\n", "x y"),
            ("\u{feff}x\u{200b}", "x"),
            ("\u{a0}x\u{2060}\0", "x"),
            ("\"x\"", "x"),
            (" ' \"x\"\n' ", "x"),
            ("“x”", "x"),
            ("\"x", "\"x"),
            ("x'y", "x'y"),
            ("\"", "\""),
            ("\"\"", ""),
            ("  ", ""),
        ] {
            assert_eq!(clean(text), clean_text, "{text:?}");
        }
        // Deep quotes end in the text, not in an exhausted stack.
        assert_eq!(clean(&"'".repeat(200_000)), "");
    }

    #[test]
    fn the_first_variable_that_says_anything_counts() {
        let lookup = table(&[("A", " \n"), ("B", "\"b\" "), ("C", "c")]);
        assert_eq!(first(&lookup, &["A", "B", "C"]).as_deref(), Some("b"));
        assert_eq!(first(&lookup, &["A", "D"]), None);
        assert_eq!(path(OsStr::new(" a b.pem\n")), Some(PathBuf::from("a b.pem")));
        assert_eq!(path(OsStr::new("''")), None);
    }
}
