//! Signature headers from outside. `cargo xtask fuzz` runs these tests with a million cases each.

use clipia_webhook::{DeliveryHeaders, Verifier, sign, sign_standard};
use proptest::collection::vec;
use proptest::prelude::*;

const SECRET: &str = "whsec_of_the_receiver";
/// A secret in the form of Standard Webhooks.
const STANDARD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A header similar to one that this secret signed, or any text.
fn header() -> impl Strategy<Value = String> {
    let near = ("(t|v1|v2| t|T)?=?[0-9]{0,22}", vec("(v1|v2|t|)=?[0-9a-fA-F]{60,66}", 0..20))
        .prop_map(|(t, signatures)| [vec![t], signatures].concat().join(","));
    let signed = (any::<u64>(), vec(any::<u8>(), 0..40), edits())
        .prop_map(|(t, body, edits)| edited(&sign([SECRET, "another"], t, &body), &edits));
    prop_oneof![any::<String>(), near, signed]
}

type Edit = (prop::sample::Index, char, u8);

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    vec((any::<prop::sample::Index>(), any::<char>(), 0..3_u8), 0..4)
}

/// Changes, drops and repeats some characters of a text.
fn edited(text: &str, edits: &[Edit]) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for (index, character, kind) in edits {
        let index = index.index(text.len().max(1));
        match kind {
            _ if index >= text.len() => text.push(*character),
            0 => text[index] = *character,
            1 => drop(text.remove(index)),
            _ => text.insert(index, text[index]),
        }
    }
    text.into_iter().collect()
}

proptest! {
    /// A header that was signed with another secret is refused, however it is spelled.
    #[test]
    fn any_header_is_read_or_refused(
        header in header(),
        body in vec(any::<u8>(), 0..40),
        now in any::<u64>(),
    ) {
        let verifier = Verifier::new(["the receiver has this one"]).unwrap();
        prop_assert!(verifier.verify(&header, &body, now).is_err());
    }

    /// A signed body is verified, and any change of it is refused.
    #[test]
    fn any_change_of_a_signed_body_is_refused(
        body in vec(any::<u8>(), 0..40),
        other in vec(any::<u8>(), 0..40),
        t in any::<u64>(),
        edits in edits(),
    ) {
        let verifier = Verifier::new([SECRET]).unwrap();
        let header = sign([SECRET], t, &body);
        prop_assert!(verifier.check(&header, &body, t).is_ok());
        if other != body {
            prop_assert!(verifier.check(&edited(&header, &edits), &other, t).is_err());
        }
    }

    /// The headers of Standard Webhooks are verified as they were signed, and refused after any change of the id, the time or
    /// the body.
    #[test]
    fn any_change_of_standard_headers_is_refused(
        id in "[ -~]{1,40}",
        t in 0..=u64::from(u32::MAX),
        body in vec(any::<u8>(), 0..40),
        (ids, times, signatures, bodies) in (edits(), edits(), edits(), edits()),
        names in "(WEBHOOK|Webhook|webhook)-",
    ) {
        let verifier = Verifier::new([STANDARD]).unwrap();
        let signed = (id.clone(), t.to_string(), sign_standard([STANDARD], &id, t, &body).unwrap());
        let edited_body = edited(&String::from_utf8_lossy(&body), &bodies).into_bytes();
        let sent = (edited(&signed.0, &ids), edited(&signed.1, &times), edited(&signed.2, &signatures));
        let headers = |(id, time, signature): &(String, String, String)| {
            DeliveryHeaders::read([
                (format!("{names}id"), id), (format!("{names}timestamp"), time), (format!("{names}signature"), signature),
            ])
        };
        prop_assert!(verifier.check_headers(&headers(&signed), &body, t).is_ok());
        let changed = (&sent.0, &sent.1) != (&signed.0, &signed.1) || edited_body != body;
        let checked = verifier.check_headers(&headers(&sent), &edited_body, t);
        prop_assert!(!changed || checked.is_err(), "{sent:?}");
        let other = Verifier::new(["whsec_b3RoZXIgdGhhbiB0aGUgb25l"]).unwrap();
        prop_assert!(other.check_headers(&headers(&sent), &edited_body, t).is_err());
    }
}
