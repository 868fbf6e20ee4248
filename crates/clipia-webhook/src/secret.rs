//! The check of a webhook secret.

use crate::SECRET_START;

/// The fewest characters that a webhook secret may have after `whsec_`.
///
/// Whoever sees a delivery can guess its secret offline, by trying secrets against the signature. Clipia issues secrets of
/// 48 characters. The limit catches a secret that is empty, truncated or a placeholder.
pub const SECRET_LENGTH_MIN: usize = 8;

/// The secret of the emulator, which everybody knows: for tests of a receiver that has no account's secret.
///
/// ```
/// assert!(clipia_webhook::Verifier::new([clipia_webhook::EMULATOR_SECRET]).is_ok());
/// ```
pub const EMULATOR_SECRET: &str = "whsec_ZW11bGF0b3I";

/// Why a text cannot be a webhook secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretRefused {
    /// No secret was given, or only white space.
    #[error("a webhook secret is needed: pass the account's")]
    Missing,
    /// The secret is so short that an attacker could guess it and sign deliveries.
    #[error(
        "the webhook secret is too short: it needs {SECRET_LENGTH_MIN} characters beside `{SECRET_START}`, or \
         anybody could guess it and sign deliveries; pass the account's, whole"
    )]
    Weak,
}

/// The secret without what files, environments and editors add: white space, byte order marks, zero-width spaces, and
/// quotes around a secret that begins with `whsec_`. A [`Verifier`](crate::Verifier) reads its secrets so; a sender whose secret
/// a person types does too.
///
/// ```
/// assert_eq!(clipia_webhook::checked_secret(" 'whsec_of_the_account'\n"), Ok("whsec_of_the_account"));
/// ```
///
/// # Errors
/// [`SecretRefused`] if it is empty, or shorter than [`SECRET_LENGTH_MIN`].
pub fn checked_secret(secret: &str) -> Result<&str, SecretRefused> {
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

/// Removes quotes around an issued secret. Any other secret keeps its quotes: they may be part of it.
fn unquoted(secret: &str) -> &str {
    let inner = |quote| secret.strip_prefix(quote)?.strip_suffix(quote).map(trimmed);
    let is_issued = |inner: &&str| inner.starts_with(SECRET_START);
    ['"', '\''].into_iter().find_map(|quote| inner(quote).filter(is_issued)).unwrap_or(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_secret_is_refused_and_surrounding_characters_are_removed() {
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
            assert_eq!(checked_secret(secret), expected, "{secret:?}");
        }
    }
}
