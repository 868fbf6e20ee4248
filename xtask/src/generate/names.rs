//! The names that the generated code gives to what a document names.

/// A name in snake_case as a type or a variant has it: in CamelCase.
pub(super) fn camel_case(name: &str) -> String {
    let capitalized = |word: &str| {
        word.get(..1).unwrap_or_default().to_ascii_uppercase() + word.get(1..).unwrap_or_default()
    };
    name.split('_').map(capitalized).collect()
}
