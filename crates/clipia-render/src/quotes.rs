//! The texts in quotes of a prompt: they are drawn as letters. The words around them describe the scene.

/// The most texts of a prompt that are drawn.
pub(super) const TEXTS_MAX: usize = 4;
/// The most characters of one text that are drawn.
pub(super) const TEXT_CHARS_MAX: usize = 160;

/// A prompt, taken apart.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Quoted {
    /// The prompt without its quoted texts.
    pub(super) rest: String,
    /// The quoted texts, in order. White space in them is one space.
    pub(super) texts: Vec<String>,
    /// How many characters the longest quoted text has beyond [`TEXT_CHARS_MAX`], or 0.
    pub(super) cut: usize,
    /// How many quoted texts there are beyond [`TEXTS_MAX`].
    pub(super) left: usize,
}

/// Takes the quoted texts out of a prompt. A quotation mark without its other half is a part of the prompt.
pub(super) fn quoted(prompt: &str) -> Quoted {
    let mut found = Quoted::default();
    // Marks that nothing closes from here on. A prompt of many marks would otherwise be read to its end for each of them.
    let mut unclosed: Vec<char> = vec![];
    let mut at = 0;
    while let Some(next) = prompt[at..].chars().next() {
        let end = at + next.len_utf8();
        let closing = if unclosed.contains(&next) { None } else { closing_of(prompt, at, next) };
        match closing {
            Some(Closing::At(inner_end, after)) => {
                found.take(&prompt[end..inner_end]);
                // The words before and after the text stay two words.
                found.rest.push(' ');
                at = after;
            }
            closing => {
                if closing == Some(Closing::Nowhere) {
                    unclosed.push(next);
                }
                found.rest.push(next);
                at = end;
            }
        }
    }
    found
}

impl Quoted {
    fn take(&mut self, text: &str) {
        let text = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
        let text = text.collect::<Vec<_>>().join(" ");
        if self.texts.len() == TEXTS_MAX {
            self.left += 1;
            return;
        }
        let count = text.chars().count();
        self.cut = self.cut.max(count.saturating_sub(TEXT_CHARS_MAX));
        let mut kept: String = text.chars().take(TEXT_CHARS_MAX).collect();
        if count > TEXT_CHARS_MAX {
            kept.push('…');
        }
        self.texts.push(kept);
    }
}

/// Where a quoted text ends.
#[derive(Clone, Copy, PartialEq)]
enum Closing {
    /// Where the mark that closes it begins and ends.
    At(usize, usize),
    /// No mark closes it in the rest of the prompt.
    Nowhere,
}

/// Where the text ends that the mark at `at` opens. None if the mark opens no text.
fn closing_of(prompt: &str, at: usize, mark: char) -> Option<Closing> {
    let closings = closings(mark)?;
    let (before, inner) = (prompt[..at].chars().next_back(), &prompt[at + mark.len_utf8()..]);
    let opens = match mark {
        // `24" screen`: inches.
        '"' => !before.is_some_and(|c| c.is_ascii_digit()),
        // `rock 'n' roll`, `the '90s`, `the cats' house`: apostrophes.
        '\'' => {
            !before.is_some_and(char::is_alphanumeric)
                && !inner.starts_with(char::is_whitespace)
                && !is_elision(inner)
        }
        '‘' => !is_elision(inner),
        // In the languages where these open, they stand before a word; in others they close.
        '»' | '›' | '”' => !before.is_some_and(char::is_alphanumeric),
        _ => true,
    };
    if !opens {
        return None;
    }
    let has_apostrophes = matches!(mark, '\'' | '‘');
    let closing = inner.char_indices().find(|(offset, c)| {
        // Inside a word it is an apostrophe.
        let goes_on = inner[offset + c.len_utf8()..].starts_with(char::is_alphanumeric);
        closings.contains(*c) && !(has_apostrophes && goes_on)
    });
    let Some((length, closing)) = closing else {
        return Some(Closing::Nowhere);
    };
    let end = at + mark.len_utf8() + length;
    (!inner[..length].trim().is_empty()).then_some(Closing::At(end, end + closing.len_utf8()))
}

/// Whether an apostrophe before `text` stands for letters that are left out.
fn is_elision(text: &str) -> bool {
    let word: String = text.chars().take_while(|c| c.is_alphanumeric()).collect();
    let decade = word
        .strip_suffix('s')
        .is_some_and(|year| year.len() == 2 && year.bytes().all(|b| b.is_ascii_digit()));
    decade || ["n", "tis", "twas", "em", "cause", "til"].contains(&word.to_lowercase().as_str())
}

/// The marks that close a text which `mark` opens. They differ by language.
fn closings(mark: char) -> Option<&'static str> {
    Some(match mark {
        // English, and every language on a keyboard.
        '"' => "\"",
        '\'' => "'",
        '＂' => "＂",
        // English, Chinese, Korean; those who type one half only.
        '“' => "”“\"",
        '‘' => "’",
        // Swedish and Finnish.
        '”' => "”",
        // German, Polish, Czech, Hungarian.
        '„' => "“”\"",
        '‚' => "‘’",
        // French, Spanish, Italian, Russian; German books turn them round.
        '«' => "»",
        '»' => "«»",
        '‹' => "›",
        '›' => "‹›",
        // Japanese, traditional Chinese.
        '「' => "」",
        '『' => "』",
        '｢' => "｣",
        '〝' => "〟〞",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(prompt: &str) -> (String, Vec<String>) {
        let Quoted { rest, texts, .. } = quoted(prompt);
        (rest.split_whitespace().collect::<Vec<_>>().join(" "), texts)
    }

    #[test]
    fn quotes_of_many_languages_hold_a_text() {
        for (prompt, rest, text) in [
            ("a poster that says \"HELLO\"", "a poster that says", "HELLO"),
            ("a poster that says “HELLO” in red", "a poster that says in red", "HELLO"),
            ("a sign 'Open late' at night", "a sign at night", "Open late"),
            ("a sign ‘Don’t panic’, night", "a sign , night", "Don’t panic"),
            ("a sign 'Don't panic'", "a sign", "Don't panic"),
            ("ein Schild „Guten Tag“ am See", "ein Schild am See", "Guten Tag"),
            ("ein Schild »Guten Tag« am See", "ein Schild am See", "Guten Tag"),
            ("une affiche « Bonjour » bleue", "une affiche bleue", "Bonjour"),
            ("вывеска «Привет» в городе", "вывеска в городе", "Привет"),
            ("en skylt ”Hej” vid havet", "en skylt vid havet", "Hej"),
            ("「HELLO」と書かれた看板", "と書かれた看板", "HELLO"),
            ("写着“你好”的牌子", "写着 的牌子", "你好"),
            ("text:\"a\nb\t c\"", "text:", "a b c"),
            ("a card saying “mixed\" here", "a card saying here", "mixed"),
        ] {
            assert_eq!(parts(prompt), (rest.to_owned(), vec![text.to_owned()]), "{prompt}");
        }
        assert_eq!(parts("'One' and \"two\"").1, ["One", "two"]);
    }

    #[test]
    fn apostrophes_and_inches_are_no_quotes() {
        for prompt in [
            "the cat's house",
            "the cats' house and the dogs' house",
            "rock 'n' roll",
            "the '90s and '80s, the dogs' years",
            "a 24\" screen and a 32\" screen",
            "an unclosed \"quote",
            "an empty \"\" quote",
            "l'été d'une ville",
            "o'clock",
        ] {
            assert_eq!(parts(prompt), (prompt.to_owned(), vec![]), "{prompt}");
        }
    }

    #[test]
    fn long_and_many_texts_are_cut() {
        let long = quoted(&format!("\"{}\"", "x".repeat(500)));
        assert_eq!((long.texts[0].chars().count(), long.cut), (TEXT_CHARS_MAX + 1, 500 - TEXT_CHARS_MAX));
        let many = quoted(&"\"a\" ".repeat(9));
        assert_eq!((many.texts.len(), many.left), (TEXTS_MAX, 9 - TEXTS_MAX));
    }

    proptest! {
        #[test]
        fn a_prompt_without_marks_stays_as_it_is(prompt in "[^\"'＂“‘”„‚«»‹›「『｢〝]{0,60}") {
            prop_assert_eq!(quoted(&prompt).rest, prompt);
        }

        #[test]
        fn no_prompt_panics(prompt in "[a-z '\"“”‘’„«»「」0-9]{0,60}|.{0,60}") {
            quoted(&prompt);
        }
    }
}
