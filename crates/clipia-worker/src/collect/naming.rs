//! The names of an output's files: plain, with the extension of their content, and unique.

use std::collections::HashSet;

/// The longest name, in characters, of which each is one byte.
const NAME_CHARACTERS_MAX: usize = 100;

/// The longest extension that is kept where a name is cut, with its dot.
const EXTENSION_CHARACTERS_MAX: usize = 16;

/// The name of a file whose own has no plain character.
const NAMELESS: &str = "file";

/// The names that are taken. Two names that differ in their case only are the same: some file systems cannot keep both.
#[derive(Default)]
pub(super) struct Names {
    taken: HashSet<String>,
}

impl Names {
    /// A plain name like `wanted` that no other file has. It has one of the `extensions` of its content, the first where it has
    /// none of them; any where the content has none.
    pub(super) fn take(&mut self, wanted: &str, extensions: &[&str]) -> String {
        let wanted = plain(wanted);
        let (stem, extension) = match split(&wanted) {
            (stem, extension) if extensions.is_empty() => (stem, extension.to_owned()),
            (stem, extension) if extensions.iter().any(|known| is_extension(extension, known)) => {
                (stem, extension.to_owned())
            }
            _ => (wanted.as_str(), format!(".{}", extensions[0])),
        };
        for number in 1_u64.. {
            let number = if number == 1 { String::new() } else { format!("-{number}") };
            let room = NAME_CHARACTERS_MAX.saturating_sub(number.len() + extension.len());
            let stem = stem[..stem.len().min(room)].trim_end_matches(['.', '-']);
            let stem = if stem.is_empty() { NAMELESS } else { stem };
            let name = format!("{stem}{number}{extension}");
            if self.taken.insert(name.to_ascii_lowercase()) {
                return name;
            }
        }
        unreachable!("there are more numbers than files")
    }

    /// Frees a name that no file got.
    #[cfg(feature = "renditions")]
    pub(super) fn give_back(&mut self, name: &str) {
        self.taken.remove(&name.to_ascii_lowercase());
    }
}

/// The text with letters, digits, `-`, `_` and `.` only. It begins with a letter, a digit or `_`, so that the file is not hidden
/// and is no option of a program.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut is_named = false;
    for c in text.chars() {
        is_named |= c.is_alphanumeric();
        match c {
            c if c.is_ascii_alphanumeric() || c == '_' => plain.push(c),
            '.' if !plain.is_empty() && !plain.ends_with('.') => plain.push('.'),
            // Of a name in another script, the extension is left.
            '.' if plain.is_empty() && is_named => plain = format!("{NAMELESS}."),
            '.' => {}
            _ if !plain.is_empty() && !plain.ends_with(['-', '.']) => plain.push('-'),
            _ => {}
        }
    }
    plain.truncate(plain.trim_end_matches(['.', '-']).len());
    plain
}

/// The stem of a plain name, and its extension with the dot, which is empty where there is none or it is too long for one.
fn split(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if name.len() - dot <= EXTENSION_CHARACTERS_MAX => name.split_at(dot),
        _ => (name, ""),
    }
}

fn is_extension(extension: &str, known: &str) -> bool {
    extension.strip_prefix('.').is_some_and(|extension| extension.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_is_plain_and_has_the_extension_of_its_content() {
        let png: &[&str] = &["png", "apng"];
        for (wanted, extensions, name) in [
            ("image-1.png", png, "image-1.png"),
            ("IMAGE.PNG", png, "IMAGE.PNG"),
            ("image.jpg", png, "image.jpg.png"),
            ("image", png, "image.png"),
            ("frames/1.png", png, "frames-1.png"),
            ("../../etc/passwd", &[], "etc-passwd"),
            ("-rf.png", png, "rf.png"),
            ("..", &[], "file"),
            ("\u{6797}\u{6a94}.png", png, "file.png"),
            ("a b\u{7}c;$(rm).tar.gz", &[], "a-b-c-rm-.tar.gz"),
            ("model.", &[], "model"),
            ("a.b c d", &[], "a.b-c-d"),
        ] {
            assert_eq!(Names::default().take(wanted, extensions), name, "{wanted}");
        }
    }

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        let mut names = Names::default();
        let taken: Vec<String> = ["a/b.png", "a-b.png", "A B.png", "a-b-2.png"]
            .iter()
            .map(|name| names.take(name, &["png"]))
            .collect();
        assert_eq!(taken, ["a-b.png", "a-b-2.png", "A-B-3.png", "a-b-2-2.png"]);
    }

    proptest! {
        /// Whatever a program calls its files, their names lead nowhere, need no escape and are unique.
        #[test]
        fn names_are_plain_and_unique(
            wanted in prop::collection::vec(prop_oneof![any::<String>(), "[a-b./\\\\ -]{0,6}", ".{90,300}", "x{95,105}[.][a-z]{0,20}"], 1..20),
            extensions in proptest::sample::select(vec![&[][..], &["png"], &["jpg", "jpeg"]]),
        ) {
            let mut names = Names::default();
            let mut seen = HashSet::new();
            for wanted in &wanted {
                let name = names.take(wanted, extensions);
                prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)), "{name}");
                prop_assert!(!name.starts_with(['.', '-']) && !name.ends_with('.') && !name.contains(".."), "{name}");
                prop_assert!((1..=NAME_CHARACTERS_MAX).contains(&name.len()), "{name}");
                prop_assert!(extensions.is_empty() || extensions.iter().any(|known| is_extension(split(&name).1, known)), "{name}");
                prop_assert!(seen.insert(name.to_ascii_lowercase()), "{name}");
            }
        }
    }
}
