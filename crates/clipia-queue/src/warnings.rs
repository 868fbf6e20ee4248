//! Warnings of an executor about what it cannot make, beside those about names that nothing applies ([`clipia_api::input`]).

use clipia_api::input::cut;
use clipia_api::types::InputWarning;

pub use clipia_api::input::{NAME_CHARACTERS_MAX, WARNINGS_MAX};

/// Characters of a sentence of an executor.
pub const SENTENCE_CHARACTERS_MAX: usize = 500;

/// `warnings` about names, and those of an executor as far as there is room: both together are [`WARNINGS_MAX`] and one count.
pub fn with_those_of_executor(
    mut warnings: Vec<InputWarning>,
    of_executor: Vec<InputWarning>,
) -> Vec<InputWarning> {
    let room = WARNINGS_MAX.saturating_sub(warnings.len());
    warnings.extend(of_executor.into_iter().take(room).map(|warning| InputWarning {
        code: cut(&warning.code, NAME_CHARACTERS_MAX),
        parameter: cut(&warning.parameter, NAME_CHARACTERS_MAX),
        message: cut(&warning.message, SENTENCE_CHARACTERS_MAX),
        extra: Default::default(),
    }));
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_executors_warnings_are_bounded() {
        let named = vec![InputWarning::new("unknown_parameter", "promt", "typo".to_owned())];
        let long = InputWarning::new("not_drawn", "prompt", "x".repeat(9_999));
        let all = with_those_of_executor(named.clone(), vec![long; 99]);
        assert_eq!((all.len(), &all[0]), (WARNINGS_MAX, &named[0]));
        assert_eq!(all[1].message.chars().count(), SENTENCE_CHARACTERS_MAX + 1);
        assert_eq!(with_those_of_executor(named.clone(), Vec::new()), named);
    }
}
