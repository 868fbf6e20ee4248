//! Verifying a delivery.

use crate::header;
use crate::signature::mac;
use crate::{Delivery, Refusal, TOLERANCE_SECONDS};
use hmac::Mac;
use std::fmt;

/// Verifies deliveries against one or several secrets: during a rotation, the new one and the old one.
///
/// Cheap to clone. The secrets show in no `Debug`.
#[derive(Clone)]
pub struct Verifier {
    secrets: Vec<String>,
    tolerance_seconds: u64,
}

/// A verifier was asked for without a secret, or with an empty one, which anybody could sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a webhook secret is needed, and it must not be empty")]
pub struct NoSecret;

impl Verifier {
    /// A verifier that accepts what any of `secrets` signed.
    ///
    /// # Errors
    /// [`NoSecret`] where there is none, or one is empty.
    pub fn new<S: Into<String>>(secrets: impl IntoIterator<Item = S>) -> Result<Self, NoSecret> {
        let secrets: Vec<String> = secrets.into_iter().map(Into::into).collect();
        if secrets.is_empty() || secrets.iter().any(String::is_empty) {
            return Err(NoSecret);
        }
        Ok(Self { secrets, tolerance_seconds: TOLERANCE_SECONDS })
    }

    /// One secret more: what it signed is accepted too.
    ///
    /// # Errors
    /// [`NoSecret`] where it is empty.
    pub fn secret(self, secret: impl Into<String>) -> Result<Self, NoSecret> {
        let secrets = Self::new([secret])?.secrets;
        Ok(Self { secrets: [self.secrets, secrets].concat(), ..self })
    }

    /// How far from now a signature may have been made, in seconds; [`TOLERANCE_SECONDS`] unless told.
    #[must_use]
    pub fn tolerance(mut self, seconds: u64) -> Self {
        self.tolerance_seconds = seconds;
        self
    }

    /// The delivery in `body`, if `header` (the value of `X-Clipia-Signature`) proves it genuine at `now` (Unix
    /// seconds). `body` is the raw bytes as they arrived.
    ///
    /// # Errors
    /// The [`Refusal`] says why. Nothing of the body may be used then.
    pub fn verify(&self, header: &str, body: &[u8], now: u64) -> Result<Delivery, Refusal> {
        self.check(header, body, now)?;
        clipia_api::read(body).map_err(Refusal::Body)
    }

    /// Like [`Verifier::verify`], for a caller that parses the body itself.
    ///
    /// # Errors
    /// The [`Refusal`] says why, never [`Refusal::Body`].
    pub fn check(&self, header: &str, body: &[u8], now: u64) -> Result<(), Refusal> {
        let header = header::parse(header)?;
        let seconds = now.abs_diff(header.timestamp);
        if seconds > self.tolerance_seconds {
            return Err(Refusal::OutsideTolerance { seconds, tolerance: self.tolerance_seconds });
        }
        // Every secret is tried against every signature, found or not: the time tells nothing of which matched.
        let mut genuine = false;
        for secret in &self.secrets {
            let mac = mac(secret, header.t, body);
            for signature in &header.signatures {
                genuine |= mac.clone().verify_slice(signature).is_ok();
            }
        }
        if genuine { Ok(()) } else { Err(Refusal::NoMatch) }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("secrets", &format_args!("{} hidden", self.secrets.len()))
            .field("tolerance_seconds", &self.tolerance_seconds)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign;
    use clipia_api::WebhookStatus;
    use proptest::prelude::*;

    const NOW: u64 = 1_700_000_000;
    const BODY: &[u8] = br#"{"request_id":"0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de","status":"OK","payload":
        {"model":"nano-banana-2","output":{"images":[{"url":"https://media/1.webp"}]},"cost":12}}"#;

    fn verifier(secrets: &[&str]) -> Verifier {
        Verifier::new(secrets.iter().copied()).unwrap()
    }

    #[test]
    fn a_genuine_delivery_comes_out_typed() {
        let delivery = verifier(&["s"]).verify(&sign(["s"], NOW, BODY), BODY, NOW).unwrap();
        assert_eq!(delivery.status, WebhookStatus::Ok);
        assert_eq!(delivery.payload.unwrap().cost, Some(12.into()));
    }

    #[test]
    fn either_secret_verifies_during_a_rotation() {
        let header = sign(["new", "old"], NOW, BODY);
        for secrets in [&["new"][..], &["old"], &["old", "new"], &["other", "new"]] {
            assert!(verifier(secrets).check(&header, BODY, NOW).is_ok(), "{secrets:?}");
        }
        assert!(matches!(verifier(&["other"]).check(&header, BODY, NOW), Err(Refusal::NoMatch)));
        assert!(verifier(&["other"]).secret("old").unwrap().check(&header, BODY, NOW).is_ok());
    }

    #[test]
    fn the_tolerance_holds_on_both_sides() {
        let header = sign(["s"], NOW, BODY);
        for (now, genuine) in [(NOW - 300, true), (NOW + 300, true), (NOW - 301, false), (NOW + 301, false)] {
            assert_eq!(verifier(&["s"]).check(&header, BODY, now).is_ok(), genuine, "{now}");
        }
    }

    #[test]
    fn a_changed_body_or_time_is_refused() {
        let header = sign(["s"], NOW, BODY);
        let mut changed = BODY.to_vec();
        changed[0] = b' ';
        assert!(matches!(verifier(&["s"]).check(&header, &changed, NOW), Err(Refusal::NoMatch)));
        let later = header.replacen("t=1700000000", "t=1700000001", 1);
        assert!(matches!(verifier(&["s"]).check(&later, BODY, NOW), Err(Refusal::NoMatch)));
    }

    #[test]
    fn a_header_of_another_form_is_named() {
        let signature = "a".repeat(64);
        for header in [
            String::new(),
            "t=1".into(),
            format!("v1={signature}"),
            format!("t=,v1={signature}"),
            format!("t=+5,v1={signature}"),
            format!("t=99999999999999999999999,v1={signature}"),
            format!("t=1,t=2,v1={signature}"),
            format!("t=1,v1={}", &signature[..62]),
            format!("t=1,v1={}", "x".repeat(64)),
        ] {
            let refusal = verifier(&["s"]).check(&header, BODY, NOW).unwrap_err();
            assert!(matches!(refusal, Refusal::Malformed { .. }), "{header}: {refusal}");
        }
    }

    #[test]
    fn a_signed_body_that_is_no_delivery_is_told_apart() {
        let header = sign(["s"], NOW, b"[]");
        assert!(matches!(verifier(&["s"]).verify(&header, b"[]", NOW), Err(Refusal::Body(_))));
    }

    #[test]
    fn secrets_are_needed_and_hidden() {
        assert!(Verifier::new(Vec::<String>::new()).is_err());
        assert!(Verifier::new(["s", ""]).is_err() && verifier(&["s"]).secret("").is_err());
        assert!(!format!("{:?}", verifier(&["whsec_hidden"])).contains("whsec"));
    }

    proptest! {
        #[test]
        fn no_header_or_body_is_believed_or_panics(header in ".{0,200}", body in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(verifier(&["s"]).check(&header, &body, NOW).is_err());
        }

        #[test]
        fn what_was_signed_verifies(secret in ".{1,80}", body in proptest::collection::vec(any::<u8>(), 0..256), t in 0..u64::MAX) {
            prop_assert!(verifier(&[&secret]).check(&sign([&secret], t, &body), &body, t).is_ok());
        }
    }
}
