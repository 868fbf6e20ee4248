//! The signature and the headers of Standard Webhooks (standardwebhooks.com, version 1.0.0), so that any library for it
//! verifies a Clipia delivery too.

use crate::header::SIGNATURES_MAX;
use crate::signature::HmacSha256;
use crate::{Refusal, SECRET_START};
use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use hmac::{KeyInit, Mac};

/// The header of Standard Webhooks with the delivery's id, which is the same for each attempt.
pub const STANDARD_ID_HEADER: &str = "webhook-id";

/// The header of Standard Webhooks with the time of the attempt, in Unix seconds. The signature covers it.
pub const STANDARD_TIMESTAMP_HEADER: &str = "webhook-timestamp";

/// The header of Standard Webhooks that carries the signatures.
pub const STANDARD_SIGNATURE_HEADER: &str = "webhook-signature";

/// The characters of an HMAC-SHA256 in padded base64.
const SIGNATURE_LENGTH: usize = 44;

/// Base64 with or without padding: some issued secrets have none.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The value of `webhook-signature` for `body`, sent at `timestamp` (Unix seconds) as the delivery `id`. It has one `v1`
/// for each secret of the form `whsec_<base64>`, in the order of `secrets`. `None` where no secret has that form.
///
/// The HMAC key is the decoded base64. [`sign`](crate::sign) uses the secret's text instead.
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

/// The HMAC of `{id}.{timestamp}.{body}`, with the time as its header spells it. `None` where the secret is not of the
/// form `whsec_<base64>`.
pub(crate) fn mac(secret: &str, id: &str, timestamp: &str, body: &[u8]) -> Option<HmacSha256> {
    let key = BASE64.decode(secret.strip_prefix(SECRET_START)?).ok()?;
    if key.is_empty() {
        return None; // anybody could sign with an empty key
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

/// Every `v1` of `webhook-signature` that is the base64 of 32 bytes. Signatures of other schemes are ignored.
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

    // The test vector of the Standard Webhooks libraries.
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
    fn signs_with_each_secret_that_is_whsec_and_base64() {
        let sign = |secrets: &[&str]| sign_standard(secrets, "id", 1, b"{}");
        let (padded, bare) = ("whsec_AAECAw==", "whsec_AAECAw");
        assert_eq!(sign(&[padded]), sign(&[bare]));
        let both = sign(&[SECRET, padded]).unwrap();
        assert_eq!(both, format!("{} {}", sign(&[SECRET]).unwrap(), sign(&[padded]).unwrap()));
        assert_eq!(sign(&["secret", "whsec_", "whsec_!", ""]), None);
    }
}
