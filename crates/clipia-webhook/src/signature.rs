//! The signature of `X-Clipia-Signature`.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt::Write;

pub(crate) type HmacSha256 = Hmac<Sha256>;

/// The value of `X-Clipia-Signature` for `body`, sent at `timestamp` (Unix seconds). It has one `v1` for each secret, in
/// the order of `secrets`.
///
/// During a rotation, give the new secret first and the old one last. A receiver that reads the header into a map keeps
/// the last `v1`, so it still verifies with the old secret.
pub fn sign<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>, timestamp: u64, body: &[u8]) -> String {
    let mut header = format!("t={timestamp}");
    for secret in secrets {
        let digest = mac(secret.as_ref(), &timestamp.to_string(), body).finalize().into_bytes();
        // Writing to a string cannot fail.
        let _ = write!(header, ",v1={}", hex::encode(digest));
    }
    header
}

/// The HMAC of `{t}.{body}`, with `t` as the header spells it.
pub(crate) fn mac(secret: &str, t: &str, body: &[u8]) -> HmacSha256 {
    // HMAC takes a key of any length, so the fallback never runs. Its hash would match no signature.
    let mut mac = HmacSha256::new_from_slice(secret.as_bytes())
        .unwrap_or_else(|_| HmacSha256::new(&Default::default()));
    mac.update(t.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    // From `printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac whsec_test`.
    #[test]
    fn agrees_with_openssl() {
        assert_eq!(
            sign(["whsec_test"], 1_700_000_000, br#"{"a":1}"#),
            "t=1700000000,v1=38877139021993b830af32feea6e18a8da83eb2f6e49ee50bd9e4cf4ca4d3789",
        );
    }
}
