//! Commands that people copy into a shell.

use std::borrow::Cow;
use std::ffi::OsStr;

/// The command that starts this program from any directory. `typed` is the name that the program was called by: a path
/// becomes absolute, and a bare name becomes `clipia`.
pub(crate) fn program(typed: &OsStr) -> String {
    let path = typed.to_str().filter(|typed| typed.contains(std::path::is_separator));
    match path.and_then(|path| std::path::absolute(path).ok()?.into_os_string().into_string().ok()) {
        Some(path) => word(&path).into_owned(),
        None => "clipia".to_owned(),
    }
}

/// `text` quoted as one word of a shell. Ids come from a server and may hold any character.
pub(crate) fn word(text: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text.into();
    }
    format!("'{}'", text.replace('\'', r"'\''")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_absolute_and_a_name_stays() {
        assert_eq!(program(OsStr::new("clipia")), "clipia");
        assert_eq!(program(OsStr::new("")), "clipia");
        let here = std::env::current_dir().unwrap();
        let built = here.join("target/debug/clipia");
        assert_eq!(program(OsStr::new("target/debug/clipia")), word(built.to_str().unwrap()));
        assert_eq!(program(OsStr::new("/my programs/clipia")), "'/my programs/clipia'");
    }

    #[test]
    fn an_id_of_any_characters_is_one_word_of_a_shell() {
        for (text, shown) in [
            ("0198c2f1-6a70", "0198c2f1-6a70"),
            ("gen_42.a", "gen_42.a"),
            ("x; rm -rf ~", "'x; rm -rf ~'"),
            ("$(reboot)", "'$(reboot)'"),
            ("it's", r"'it'\''s'"),
            ("ä", "'ä'"),
        ] {
            assert_eq!(word(text), shown);
        }
    }
}
