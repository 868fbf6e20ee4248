//! The verification of a delivery.

use crate::delivery_headers::DeliveryHeaders;
use crate::header;
use crate::secret::{SecretRefused, checked_secret};
use crate::signature::{HmacSha256, mac};
use crate::standard;
use crate::{Delivery, Refusal, SIGNATURE_HEADER_NAME, STANDARD_SIGNATURE_HEADER, TOLERANCE_SECONDS};
use hmac::Mac;
use std::fmt;

/// Verifies deliveries against one or more secrets. During a rotation these are the new one and the old one.
///
/// A clone is cheap. `Debug` shows no secret.
#[derive(Clone)]
pub struct Verifier {
    secrets: Vec<String>,
    tolerance_seconds: u64,
}

impl Verifier {
    /// A verifier that accepts a signature by any of `secrets`. White space around a secret is removed.
    ///
    /// # Errors
    /// [`SecretRefused`] where `secrets` is empty, or where a secret is empty or shorter than
    /// [`SECRET_LENGTH_MIN`](crate::SECRET_LENGTH_MIN).
    pub fn new<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>) -> Result<Self, SecretRefused> {
        let secrets: Vec<String> = secrets
            .into_iter()
            .map(|secret| checked_secret(secret.as_ref()).map(str::to_owned))
            .collect::<Result<_, _>>()?;
        if secrets.is_empty() {
            return Err(SecretRefused::Missing);
        }
        Ok(Self { secrets, tolerance_seconds: TOLERANCE_SECONDS })
    }

    /// Adds a secret whose signatures are accepted too.
    ///
    /// # Errors
    /// [`SecretRefused`], as for [`Verifier::new`].
    pub fn secret(self, secret: impl AsRef<str>) -> Result<Self, SecretRefused> {
        let secrets = Self::new([secret])?.secrets;
        Ok(Self { secrets: [self.secrets, secrets].concat(), ..self })
    }

    /// Sets how far the signed time may be from now, in seconds. The default is [`TOLERANCE_SECONDS`].
    #[must_use]
    pub fn tolerance(mut self, seconds: u64) -> Self {
        self.tolerance_seconds = seconds;
        self
    }

    /// The delivery in `body`, if `header` (the value of `X-Clipia-Signature`) proves it genuine at `now` (Unix
    /// seconds). `body` is the raw bytes as they arrived.
    ///
    /// # Errors
    /// The [`Refusal`] says why. Do not use the body then.
    pub fn verify(&self, header: &str, body: &[u8], now: u64) -> Result<Delivery, Refusal> {
        self.check(header, body, now)?;
        delivery(body)
    }

    /// Like [`Verifier::verify`], for a caller that parses the body itself.
    ///
    /// # Errors
    /// The [`Refusal`] says why, never [`Refusal::Body`].
    pub fn check(&self, header: &str, body: &[u8], now: u64) -> Result<(), Refusal> {
        let header = header::parse(header)?;
        self.check_time(header.timestamp, now)?;
        let macs = self.secrets.iter().map(|secret| mac(secret, header.t, body));
        matching(macs, &header.signatures)
    }

    /// The delivery in `body`, if `headers` prove it genuine at `now` (Unix seconds). The proof is `X-Clipia-Signature` or
    /// the three headers of Standard Webhooks. `body` is the raw bytes as they arrived.
    ///
    /// Where a delivery has both signatures, one valid signature is enough. Requiring both would add no safety: a forger
    /// who can make one would simply leave out the other.
    ///
    /// ```
    /// use clipia_webhook::{DeliveryHeaders, Verifier};
    ///
    /// let verifier = Verifier::new(["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])?;
    /// let headers = DeliveryHeaders::read([
    ///     ("Webhook-Id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
    ///     ("Webhook-Timestamp", "1614265330"),
    ///     ("Webhook-Signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    /// ]);
    /// assert!(verifier.check_headers(&headers, br#"{"test": 2432232314}"#, 1_614_265_330).is_ok());
    /// # Ok::<(), clipia_webhook::SecretRefused>(())
    /// ```
    ///
    /// # Errors
    /// The [`Refusal`] says why. Where both signatures are wrong, it is about `X-Clipia-Signature`. Do not use the body
    /// then.
    pub fn verify_headers(
        &self,
        headers: &DeliveryHeaders,
        body: &[u8],
        now: u64,
    ) -> Result<Delivery, Refusal> {
        self.check_headers(headers, body, now)?;
        delivery(body)
    }

    /// Like [`Verifier::verify_headers`], for a caller that parses the body itself.
    ///
    /// # Errors
    /// The [`Refusal`] says why, never [`Refusal::Body`].
    pub fn check_headers(&self, headers: &DeliveryHeaders, body: &[u8], now: u64) -> Result<(), Refusal> {
        let own = headers.signature.as_ref().map(|signature| self.check(signature, body, now));
        match own {
            Some(Ok(())) => Ok(()),
            Some(Err(refusal)) => self.check_standard(headers, body, now).map_err(|_| refusal),
            None => self.check_standard(headers, body, now),
        }
    }

    /// Checks the three headers of Standard Webhooks.
    fn check_standard(&self, headers: &DeliveryHeaders, body: &[u8], now: u64) -> Result<(), Refusal> {
        let (Some(id), Some(timestamp), Some(signatures)) =
            (&headers.standard_id, &headers.standard_timestamp, &headers.standard_signature)
        else {
            let reason = "is missing, and so is one of `webhook-id`, `webhook-timestamp` and `webhook-signature`, \
                          which Standard Webhooks has in its place";
            return Err(Refusal::Malformed { header: SIGNATURE_HEADER_NAME, reason });
        };
        let signatures = standard::signatures(signatures)?;
        self.check_time(standard::timestamp(timestamp)?, now)?;
        let of_secret = |secret: &String| standard::mac(secret, id, timestamp, body);
        let macs: Vec<_> = self.secrets.iter().filter_map(of_secret).collect();
        if macs.is_empty() {
            let reason = "cannot be verified: the webhook secret is not `whsec_` followed by base64";
            return Err(Refusal::Malformed { header: STANDARD_SIGNATURE_HEADER, reason });
        }
        matching(macs, &signatures)
    }

    fn check_time(&self, timestamp: u64, now: u64) -> Result<(), Refusal> {
        let seconds = now.abs_diff(timestamp);
        if seconds > self.tolerance_seconds {
            return Err(Refusal::OutsideTolerance { seconds, tolerance: self.tolerance_seconds });
        }
        Ok(())
    }
}

/// Checks that one of `macs` is among `signatures`. Every pair is compared, even after a match, so that the time taken
/// does not reveal which pair matched.
fn matching(macs: impl IntoIterator<Item = HmacSha256>, signatures: &[[u8; 32]]) -> Result<(), Refusal> {
    let mut genuine = false;
    for mac in macs {
        for signature in signatures {
            genuine |= mac.clone().verify_slice(signature).is_ok();
        }
    }
    if genuine { Ok(()) } else { Err(Refusal::NoMatch) }
}

fn delivery(body: &[u8]) -> Result<Delivery, Refusal> {
    clipia_api::read(body).map_err(Refusal::Body)
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
    use crate::{sign, sign_standard};
    use clipia_api::WebhookStatus;
    use proptest::prelude::*;

    const NOW: u64 = 1_700_000_000;
    const BODY: &[u8] = br#"{"request_id":"0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de","status":"OK","payload":
        {"model":"nano-banana-2","output":{"images":[{"url":"https://media/1.webp"}]},"cost":12}}"#;

    const SECRET: &str = "whsec_of_the_account";
    /// A secret of the form that Standard Webhooks requires.
    const STANDARD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn verifier(secrets: &[&str]) -> Verifier {
        Verifier::new(secrets).unwrap()
    }

    #[test]
    fn a_genuine_delivery_is_parsed() {
        let delivery = verifier(&[SECRET]).verify(&sign([SECRET], NOW, BODY), BODY, NOW).unwrap();
        assert_eq!(delivery.status, WebhookStatus::Ok);
        assert_eq!(delivery.payload.unwrap().cost, Some(12.into()));
    }

    #[test]
    fn either_secret_verifies_during_a_rotation() {
        let header = sign(["the new one", "the old one"], NOW, BODY);
        for secrets in [
            &["the new one"][..],
            &["the old one"],
            &["the old one", "the new one"],
            &["one of another", "the new one"],
        ] {
            assert!(verifier(secrets).check(&header, BODY, NOW).is_ok(), "{secrets:?}");
        }
        assert!(matches!(verifier(&["one of another"]).check(&header, BODY, NOW), Err(Refusal::NoMatch)));
        assert!(
            verifier(&["one of another"]).secret("the old one").unwrap().check(&header, BODY, NOW).is_ok()
        );
    }

    #[test]
    fn the_tolerance_holds_on_both_sides() {
        let header = sign([SECRET], NOW, BODY);
        for (now, genuine) in [(NOW - 300, true), (NOW + 300, true), (NOW - 301, false), (NOW + 301, false)] {
            assert_eq!(verifier(&[SECRET]).check(&header, BODY, now).is_ok(), genuine, "{now}");
        }
    }

    #[test]
    fn a_changed_body_or_time_is_refused() {
        let header = sign([SECRET], NOW, BODY);
        let mut changed = BODY.to_vec();
        changed[0] = b' ';
        assert!(matches!(verifier(&[SECRET]).check(&header, &changed, NOW), Err(Refusal::NoMatch)));
        let later = header.replacen("t=1700000000", "t=1700000001", 1);
        assert!(matches!(verifier(&[SECRET]).check(&later, BODY, NOW), Err(Refusal::NoMatch)));
    }

    #[test]
    fn a_malformed_header_is_refused_as_malformed() {
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
            let refusal = verifier(&[SECRET]).check(&header, BODY, NOW).unwrap_err();
            assert!(matches!(refusal, Refusal::Malformed { .. }), "{header}: {refusal}");
        }
    }

    #[test]
    fn a_signed_body_that_is_no_delivery_has_its_own_refusal() {
        let header = sign([SECRET], NOW, b"[]");
        assert!(matches!(verifier(&[SECRET]).verify(&header, b"[]", NOW), Err(Refusal::Body(_))));
    }

    /// The headers of Standard Webhooks that a sender with these secrets writes.
    fn standard(secrets: &[&str], t: u64) -> Vec<(&'static str, String)> {
        let signature = sign_standard(secrets, "msg_1", t, BODY).unwrap();
        let (id, t) = ("msg_1".to_owned(), t.to_string());
        vec![("Webhook-Id", id), ("webhook-timestamp", t), ("WEBHOOK-SIGNATURE", signature)]
    }

    fn check(secrets: &[&str], headers: &[(&'static str, String)]) -> Result<(), String> {
        let headers = DeliveryHeaders::read(headers);
        verifier(secrets).check_headers(&headers, BODY, NOW).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn either_signature_proves_a_delivery() {
        let own = |secret, t| vec![("X-Clipia-Signature", sign([secret], t, BODY))];
        let right = standard(&[STANDARD], NOW);
        let other = "whsec_QUJDREVGR0hJSktMTU5P";
        // The genuine signature is the 16th of 16, and then the 17th, which is not checked.
        let padding = vec!["v1a,AAAA"; 40].join(" ");
        let many = standard(&[vec![other; 15], vec![STANDARD]].concat(), NOW);
        let too_many = standard(&[vec![other; 16], vec![STANDARD]].concat(), NOW);
        let with = |name: &str, value: &str| {
            let mut headers = right.clone();
            headers.iter_mut().find(|header| header.0 == name).unwrap().1 = value.to_owned();
            headers
        };
        let without = |name: &str| right.iter().filter(|header| header.0 != name).cloned().collect();
        let signature = &right[2].1;
        let (padded, changed) = (format!("{padding} {signature}"), signature.replace("v1,", "v1,A"));
        let missing = "the header `X-Clipia-Signature` is missing, and so is one of `webhook-id`, `webhook-timestamp` \
                       and `webhook-signature`";
        let no_match = "no signature matches";
        for (case, headers, expected) in [
            ("standard alone", right.clone(), ""),
            ("the edge of the tolerance", standard(&[STANDARD], NOW - 300), ""),
            ("rotated", standard(&[other, STANDARD], NOW), ""),
            ("of 16", many, ""),
            ("behind those of another scheme", with("WEBHOOK-SIGNATURE", &padded), ""),
            ("both", [own(STANDARD, NOW), right.clone()].concat(), ""),
            ("own wrong, standard right", [own(other, NOW), right.clone()].concat(), ""),
            ("own right, standard wrong", [own(STANDARD, NOW), standard(&[other], NOW)].concat(), ""),
            ("own right, standard old", [own(STANDARD, NOW), standard(&[STANDARD], NOW - 301)].concat(), ""),
            ("both wrong", [own(other, NOW), standard(&[other], NOW)].concat(), no_match),
            ("both, the own old", [own(other, 1), standard(&[other], NOW)].concat(), "an old delivery"),
            ("the own old alone", own(STANDARD, NOW - 301), "an old delivery"),
            ("another secret", standard(&[other], NOW), no_match),
            ("of 17", too_many, no_match),
            ("too old", standard(&[STANDARD], NOW - 301), "an old delivery"),
            ("of the future", standard(&[STANDARD], NOW + 301), "a clock that is wrong"),
            ("another id", with("Webhook-Id", "msg_2"), no_match),
            ("another time", with("webhook-timestamp", &(NOW + 1).to_string()), no_match),
            ("no time", with("webhook-timestamp", ""), "`webhook-timestamp` is not in Unix seconds"),
            ("a time with a sign", with("webhook-timestamp", "+5"), "is not in Unix seconds"),
            ("no signature in it", with("WEBHOOK-SIGNATURE", ""), "`webhook-signature` has no `v1,`"),
            ("a signature too long", with("WEBHOOK-SIGNATURE", &changed), "has no `v1,`"),
            ("none", vec![], missing),
            ("no id", without("Webhook-Id"), missing),
            ("no timestamp", without("webhook-timestamp"), missing),
            ("no signature", without("WEBHOOK-SIGNATURE"), missing),
        ] {
            match check(&[STANDARD], &headers) {
                Ok(()) => assert_eq!(expected, "", "{case}"),
                Err(refusal) => {
                    assert!(!expected.is_empty() && refusal.contains(expected), "{case}: {refusal}")
                }
            }
        }
        assert_eq!(check(&["a secret of another form", STANDARD], &right), Ok(()));
        let refusal = check(&["a secret of another form"], &right).unwrap_err();
        assert!(refusal.contains("the webhook secret is not `whsec_` followed by base64"), "{refusal}");
    }

    #[test]
    fn a_delivery_with_standard_headers_is_parsed_and_has_its_id() {
        let headers = DeliveryHeaders::read(standard(&[STANDARD], NOW));
        let delivery = verifier(&[STANDARD]).verify_headers(&headers, BODY, NOW).unwrap();
        assert_eq!((delivery.status, headers.delivery_id()), (WebhookStatus::Ok, Some("msg_1")));
        let both = [("webhook-id", "its id"), ("X-Clipia-Webhook-Id", "ours"), ("x-clipia-webhook-id", "2")];
        assert_eq!(DeliveryHeaders::read(both).delivery_id(), Some("ours"));
    }

    #[test]
    fn secrets_are_required_and_hidden() {
        let refused = |secrets: &[&str]| Verifier::new(secrets).unwrap_err();
        assert_eq!(refused(&[]), SecretRefused::Missing);
        assert_eq!(refused(&[SECRET, ""]), SecretRefused::Missing);
        assert_eq!(refused(&["whsec_"]), SecretRefused::Weak);
        assert_eq!(verifier(&[SECRET]).secret("short").unwrap_err(), SecretRefused::Weak);
        // A secret from a file ends in a line break.
        let read = verifier(&[&format!(" {SECRET}\r\n")]);
        assert!(read.check(&sign([SECRET], NOW, BODY), BODY, NOW).is_ok());
        assert!(!format!("{:?}", verifier(&["whsec_that_is_hidden"])).contains("whsec"));
    }

    proptest! {
        #[test]
        fn random_headers_and_bodies_are_refused_without_a_panic(header in ".{0,200}", body in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(verifier(&[STANDARD]).check(&header, &body, NOW).is_err());
            let standard = [(STANDARD_SIGNATURE_HEADER, header.as_str()), ("webhook-id", "i"), ("webhook-timestamp", "1")];
            let headers = DeliveryHeaders::read(standard);
            prop_assert!(verifier(&[STANDARD]).check_headers(&headers, &body, 1).is_err());
        }

        #[test]
        fn a_signed_body_verifies(secret in "[!-~]{20,80}", body in proptest::collection::vec(any::<u8>(), 0..256), t in 0..u64::MAX) {
            prop_assert!(verifier(&[&secret]).check(&sign([&secret], t, &body), &body, t).is_ok());
        }
    }
}
