//! Signing as Standard Webhooks asks (standardwebhooks.com, version 1.0.0), so that any library of theirs verifies a
//! Clipia delivery too; and taking its headers apart.

use crate::header::SIGNATURES_MAX;
use crate::signature::HmacSha256;
use crate::{Refusal, SECRET_START};
use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use hmac::{KeyInit, Mac};

/// The header of Standard Webhooks that names the delivery, the same for each attempt of it.
pub const STANDARD_ID_HEADER: &str = "webhook-id";

/// The header of Standard Webhooks with the attempt's Unix seconds, which its signature covers.
pub const STANDARD_TIMESTAMP_HEADER: &str = "webhook-timestamp";

/// The header of Standard Webhooks that carries the signatures.
pub const STANDARD_SIGNATURE_HEADER: &str = "webhook-signature";

/// The length of an HMAC-SHA256 in base64 with its padding.
const SIGNATURE_LENGTH: usize = 44;

/// Secrets were issued without padding once.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The value of `webhook-signature` for `body`, sent at `timestamp` (Unix seconds) as the delivery `id`: one `v1` for
/// each secret of the form `whsec_<base64>`, in the order given. Nothing where no secret has that form.
///
/// The key is what the base64 decodes to, while [`sign`](crate::sign) takes the secret as it is spelled.
///
/// ```
/// let secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "of another form"];
/// let header = clipia_webhook::sign_standard(secrets, "msg_1", 1_700_000_000, br#"{"a":1}"#);
/// assert_eq!(header.as_deref(), Some("v1,hVsFLpmw4Ib/Xm0eZLt3KqYBZdt0U8gdGeuz0EsGv78="));
/// ```
pub fn sign_standard<S: AsRef<str>>(
    secrets: impl IntoIterator<Item = S>,
    id: &str,
    timestamp: u64,
    body: &[u8],
) -> Option<String> {
    let timestamp = timestamp.to_string();
    let signatures: Vec<String> = secrets
        .into_iter()
        .filter_map(|secret| mac(secret.as_ref(), id, &timestamp, body))
        .map(|mac| format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
        .collect();
    (!signatures.is_empty()).then(|| signatures.join(" "))
}

/// The keyed hash over `{id}.{timestamp}.{body}`, with the time as its header spells it. Nothing where the secret is
/// not of the form `whsec_<base64>`.
pub(crate) fn mac(secret: &str, id: &str, timestamp: &str, body: &[u8]) -> Option<HmacSha256> {
    let key = BASE64.decode(secret.strip_prefix(SECRET_START)?).ok()?;
    if key.is_empty() {
        return None; // anybody could sign with it
    }
    let mut mac = HmacSha256::new_from_slice(&key).ok()?;
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    Some(mac)
}

/// The time of `webhook-timestamp` in Unix seconds.
pub(crate) fn timestamp(header: &str) -> Result<u64, Refusal> {
    let malformed =
        Refusal::Malformed { header: STANDARD_TIMESTAMP_HEADER, reason: "is not in Unix seconds" };
    if !header.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(malformed);
    }
    header.parse().map_err(|_| malformed)
}

/// Every `v1` of `webhook-signature` that is base64 of the right length. Signatures of another scheme are passed over.
pub(crate) fn signatures(header: &str) -> Result<Vec<[u8; 32]>, Refusal> {
    let signatures: Vec<[u8; 32]> = header
        .split(' ')
        .filter_map(|signature| signature.strip_prefix("v1,"))
        .filter(|signature| signature.len() <= SIGNATURE_LENGTH)
        .filter_map(|signature| BASE64.decode(signature).ok()?.try_into().ok())
        .take(SIGNATURES_MAX)
        .collect();
    if signatures.is_empty() {
        let reason = "has no `v1,` followed by the base64 of 32 bytes";
        return Err(Refusal::Malformed { header: STANDARD_SIGNATURE_HEADER, reason });
    }
    Ok(signatures)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    // The vector that the libraries of Standard Webhooks are tested with.
    #[test]
    fn agrees_with_the_published_libraries() {
        let signature = sign_standard(
            [SECRET],
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    #[test]
    fn signs_with_each_secret_of_the_form_and_no_other() {
        let sign = |secrets: &[&str]| sign_standard(secrets, "id", 1, b"{}");
        let (padded, bare) = ("whsec_AAECAw==", "whsec_AAECAw");
        assert_eq!(sign(&[padded]), sign(&[bare]));
        let both = sign(&[SECRET, padded]).unwrap();
        assert_eq!(both, format!("{} {}", sign(&[SECRET]).unwrap(), sign(&[padded]).unwrap()));
        assert_eq!(sign(&["secret", "whsec_", "whsec_!", ""]), None);
    }
}
