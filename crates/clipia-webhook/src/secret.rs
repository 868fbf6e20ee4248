//! What may be a webhook secret.

use crate::SECRET_START;

/// How many characters a webhook secret must have beside `whsec_`.
///
/// Everybody who receives a delivery can try secrets against its signature, without asking anybody. Clipia issues
/// secrets of 48 characters; the bound refuses what was left empty, cut off or typed in for the moment.
pub const SECRET_LENGTH_MIN: usize = 8;

/// Why a text cannot be the secret of a verifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretRefused {
    /// No secret was given, or one of white space alone.
    #[error("a webhook secret is needed: pass the account's")]
    Missing,
    /// The secret is so short that anybody could guess it and sign deliveries.
    #[error(
        "the webhook secret is too short: it needs {SECRET_LENGTH_MIN} characters beside `{SECRET_START}`, or \
         anybody could guess it and sign deliveries; pass the account's, whole"
    )]
    Weak,
}

/// The secret without what files, environments and editors put around it: white space, byte order marks, zero-width
/// spaces, and quotes around one that begins with `whsec_`.
pub(crate) fn checked(secret: &str) -> Result<&str, SecretRefused> {
    let secret = unquoted(trimmed(secret));
    let own = trimmed(secret.strip_prefix(SECRET_START).unwrap_or(secret));
    if secret.is_empty() {
        Err(SecretRefused::Missing)
    } else if own.chars().count() < SECRET_LENGTH_MIN {
        Err(SecretRefused::Weak)
    } else {
        Ok(secret)
    }
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(|character: char| character.is_whitespace() || "\u{feff}\u{200b}".contains(character))
}

/// A secret that somebody thought up may have quotes of its own.
fn unquoted(secret: &str) -> &str {
    let inner = |quote| secret.strip_prefix(quote)?.strip_suffix(quote).map(trimmed);
    let is_issued = |inner: &&str| inner.starts_with(SECRET_START);
    ['"', '\''].into_iter().find_map(|quote| inner(quote).filter(is_issued)).unwrap_or(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_some_strength_and_nothing_around_it() {
        for (secret, expected) in [
            ("", Err(SecretRefused::Missing)),
            (" ", Err(SecretRefused::Missing)),
            ("\r\n", Err(SecretRefused::Missing)),
            ("\u{feff}", Err(SecretRefused::Missing)),
            ("whsec_", Err(SecretRefused::Weak)),
            (" whsec_\n", Err(SecretRefused::Weak)),
            ("whsec_          ", Err(SecretRefused::Weak)),
            ("whsec_1234567", Err(SecretRefused::Weak)),
            ("secret", Err(SecretRefused::Weak)),
            ("whsec_12345678", Ok("whsec_12345678")),
            ("12345678", Ok("12345678")),
            ("\"whsec_12345678\"\n", Ok("whsec_12345678")),
            ("'whsec_12345678'", Ok("whsec_12345678")),
            ("\"whsec_\"", Err(SecretRefused::Weak)),
            ("\"of my own\"", Ok("\"of my own\"")),
            ("\u{feff}whsec_of the account\r\n", Ok("whsec_of the account")),
        ] {
            assert_eq!(checked(secret), expected, "{secret:?}");
        }
    }
}
