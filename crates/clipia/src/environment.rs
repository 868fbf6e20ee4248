//! Environment variables, read without the white space, quotes and invisible characters around their values.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// Finds an environment variable by its name. Tests pass a table, because tests in one process share its environment.
pub(crate) type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The environment of this process.
pub(crate) fn of_process(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// The value of the first of these variables that is not blank. Bytes that are not Unicode are replaced, so that the
/// value is refused where it is used, and not taken for missing.
pub(crate) fn first(lookup: Lookup<'_>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| {
        let value = lookup(name)?;
        let value = clean(&value.to_string_lossy()).to_owned();
        (!value.is_empty()).then_some(value)
    })
}

/// The path in a variable; `None` if it is blank.
pub(crate) fn path(value: &OsStr) -> Option<PathBuf> {
    let path = value.to_str().map_or(value, |text| OsStr::new(clean(text)));
    (!path.is_empty()).then(|| PathBuf::from(path))
}

/// Quotes that a shell removes, but Docker's `.env` files and copies from web pages keep.
const QUOTES: [(char, char); 5] = [('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('‘', '’')];

/// The text without the white space, invisible characters and pairs of quotes around it.
pub(crate) fn clean(text: &str) -> &str {
    let mut text = text.trim_matches(is_blank);
    while let Some(inner) =
        QUOTES.into_iter().find_map(|(open, close)| text.strip_prefix(open)?.strip_suffix(close))
    {
        text = inner.trim_matches(is_blank);
    }
    text
}

/// Whether the character is invisible: white space, a control character, a direction mark, a zero-width character or a
/// byte order mark.
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
    fn white_space_quotes_and_invisible_characters_around_a_value_are_ignored() {
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
        // Deep quotes do not exhaust the stack.
        assert_eq!(clean(&"'".repeat(200_000)), "");
    }

    #[test]
    fn the_first_variable_that_is_not_blank_counts() {
        let lookup = table(&[("A", " \n"), ("B", "\"b\" "), ("C", "c")]);
        assert_eq!(first(&lookup, &["A", "B", "C"]).as_deref(), Some("b"));
        assert_eq!(first(&lookup, &["A", "D"]), None);
        assert_eq!(path(OsStr::new(" a b.pem\n")), Some(PathBuf::from("a b.pem")));
        assert_eq!(path(OsStr::new("''")), None);
    }
}
