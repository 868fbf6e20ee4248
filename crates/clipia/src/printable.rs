//! Escaping of text from outside for a terminal.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` as a terminal may show it. Line feeds and tabs stay. Every other control character, and every character that
/// overrides the direction of writing, becomes an escape such as `\u001b`.
///
/// A terminal obeys such characters: they retitle the window, move the cursor, erase or hide text. A text of a server,
/// such as the reason of a failure, may contain them. This crate's errors escape the text that they show; the text that
/// they hold (`ApiError::message`) is as the server sent it.
///
/// Escaped JSON is the same JSON, because such characters occur only within its strings.
///
/// ```
/// assert_eq!(clipia::printable("the image \u{1b}[8mwas\u{1b}[0m too dark\n"), "the image \\u001b[8mwas\\u001b[0m too dark\n");
/// ```
pub fn printable(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find(is_obeyed) else { return Cow::Borrowed(text) };
    let mut shown = text[..first].to_owned();
    for character in text[first..].chars() {
        if is_obeyed(character) {
            // Writing to a string cannot fail.
            let _ = write!(shown, "\\u{:04x}", u32::from(character));
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// Whether a terminal does not simply show the character.
fn is_obeyed(character: char) -> bool {
    let overrides_direction = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    overrides_direction || character.is_control() && !matches!(character, '\n' | '\t')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn characters_that_a_terminal_obeys_become_escapes() {
        for (text, shown) in [
            ("", ""),
            ("żółw 🐢 👩‍👩‍👧\tof two\nlines \\ \"", "żółw 🐢 👩‍👩‍👧\tof two\nlines \\ \""),
            ("\u{1b}]0;owned\u{7}", "\\u001b]0;owned\\u0007"),
            ("50 %\r100 %\u{8}\0", "50 %\\u000d100 %\\u0008\\u0000"),
            ("\u{7f}\u{80}\u{9b}31m\u{9f}", "\\u007f\\u0080\\u009b31m\\u009f"),
            ("\u{202a}\u{202e}fdp.exe\u{2066}\u{2069}", "\\u202a\\u202efdp.exe\\u2066\\u2069"),
            (
                "\u{200e}\u{2029}\u{202f}\u{2065}\u{206a}\u{a0}",
                "\u{200e}\u{2029}\u{202f}\u{2065}\u{206a}\u{a0}",
            ),
        ] {
            assert_eq!(printable(text), shown, "{text:?}");
        }
    }

    proptest! {
        #[test]
    fn no_obeyed_character_is_left_and_json_stays_the_same(text in any::<String>()) {
            let shown = printable(&text);
            prop_assert!(!shown.contains(is_obeyed));
            prop_assert_eq!(printable(&shown), shown.as_ref());
            let document = serde_json::json!({ &text: [&text] });
            let json = serde_json::to_string_pretty(&document).unwrap();
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&printable(&json)).unwrap(), document);
        }
    }
}
