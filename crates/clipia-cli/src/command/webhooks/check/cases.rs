//! The deliveries of a check: how each is made, and what a right receiver does with it. Nothing here sends.

use crate::delivery::{HeaderCase, SignedDelivery};
use clipia::webhook::{
    Delivery, Payload, SIGNATURE_HEADER, STANDARD_SIGNATURE_HEADER, TIMESTAMP_HEADER, TOLERANCE_SECONDS,
};
use clipia::{Image, Output};
use clipia_queue::Failure;
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};
use std::time::Duration;
use uuid::Uuid;

/// Another account's secret.
const ANOTHER_SECRET: &str = "whsec_YW5vdGhlciBhY2NvdW50";

/// How many images the large body names: it has some 1,000,000 bytes, a little less than the 1 MiB at which common receivers stop reading.
const IMAGES_OF_LARGE: usize = 4_700;

/// A delivery of the check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Case {
    Completed,
    Failed,
    Repeated,
    OddBody,
    HeaderSpelling,
    Rotated,
    WrongSecret,
    ChangedBody,
    Unsigned,
    CutSignature,
    Old,
    Future,
    UnknownStatus,
    Large,
}

/// What a right receiver responds with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// 2xx.
    Taken,
    /// 2xx, or 413 if its limit is lower than the body.
    TakenOrTooLarge,
    /// 4xx.
    Refused,
}

impl Expected {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "2xx",
            Self::TakenOrTooLarge => "2xx or 413",
            Self::Refused => "4xx",
        }
    }
}

impl Case {
    /// The cases, in the order in which they are sent.
    pub(super) const ALL: [Self; 14] = [
        Self::Completed,
        Self::Failed,
        Self::Repeated,
        Self::OddBody,
        Self::HeaderSpelling,
        Self::Rotated,
        Self::WrongSecret,
        Self::ChangedBody,
        Self::Unsigned,
        Self::CutSignature,
        Self::Old,
        Self::Future,
        Self::UnknownStatus,
        Self::Large,
    ];

    /// What is sent, for people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Completed => "a generation that completed",
            Self::Failed => "a generation that failed",
            Self::Repeated => "the first delivery again",
            Self::OddBody => "a body with odd spaces and é",
            Self::HeaderSpelling => "header names in another case",
            Self::Rotated => "two signatures, the old secret's last",
            Self::WrongSecret => "signed with another secret",
            Self::ChangedBody => "a body changed after it was signed",
            Self::Unsigned => "no signature",
            Self::CutSignature => "a signature of another length",
            Self::Old => "signed 301 s ago",
            Self::Future => "signed 301 s ahead",
            Self::UnknownStatus => "a status that no receiver knows",
            Self::Large => "a body of 1 MB",
        }
    }

    pub(super) fn expected(self) -> Expected {
        match self {
            Self::Completed
            | Self::Failed
            | Self::Repeated
            | Self::OddBody
            | Self::HeaderSpelling
            | Self::Rotated
            | Self::UnknownStatus => Expected::Taken,
            Self::Large => Expected::TakenOrTooLarge,
            Self::WrongSecret
            | Self::ChangedBody
            | Self::Unsigned
            | Self::CutSignature
            | Self::Old
            | Self::Future => Expected::Refused,
        }
    }

    /// What a receiver does wrong that takes what it should refuse, or refuses what it should take; and what to do.
    pub(super) fn mistake(self) -> &'static str {
        match self {
            Self::Completed => {
                "a genuine delivery is refused: verify the raw body, before anything parses it, with the secret that signs; a \
                 request id that is not known is no reason to refuse"
            }
            Self::Failed => {
                "the end of a generation that failed is refused: take the status `ERROR`, which comes with `error` and without \
                 `payload`"
            }
            Self::Repeated => {
                "a repeated delivery is refused, and would be sent again: respond with 2xx to repeats, and recognise them by \
                 `request_id`"
            }
            Self::OddBody => {
                "a genuine body is refused because of its spaces or letters: verify the bytes as they arrived, not JSON that was \
                 parsed and written again"
            }
            Self::HeaderSpelling => {
                "the signature is not found: compare the names of headers without regard to case, as HTTP does"
            }
            Self::Rotated => {
                "a delivery during the rotation of a secret is refused: take it if any `v1` of the header matches, not the first \
                 alone"
            }
            Self::WrongSecret => {
                "a forged delivery is taken: compute the HMAC-SHA256 under your secret, compare it with each `v1` in constant \
                 time, and respond with 400 if none matches"
            }
            Self::ChangedBody => {
                "a changed body is taken: compute the signature over `{t}.` and the whole raw body"
            }
            Self::Unsigned => {
                "a delivery without a signature is taken: respond with 400 if `X-Clipia-Signature` is missing"
            }
            Self::CutSignature => {
                "a signature of another length is taken: compare all 64 digits, not a beginning"
            }
            Self::Old => {
                "a delivery of long ago is taken, so that whoever recorded one can send it again: respond with 400 if `t` of the \
                 signature is more than 300 s from now; `X-Clipia-Timestamp` is not signed"
            }
            Self::Future => {
                "a delivery of the future is taken: respond with 400 if `t` of the signature is more than 300 s from now, in \
                 both directions; if the receiver does that already, its clock differs from this machine's"
            }
            Self::UnknownStatus => {
                "a status that is not known is refused, and would be sent again: respond with 2xx, since newer servers may send \
                 more, and ask for the result"
            }
            Self::Large => {
                "a large body is refused as if it were forged: verify all of it, or respond with 413 before its end"
            }
        }
    }

    /// What to do about a receiver that breaks down at the delivery.
    pub(super) fn cure(self) -> &'static str {
        match self {
            Self::CutSignature => {
                "compare the lengths first, since `timingSafeEqual` and decoders of hex fail at another length, and respond with \
                 400"
            }
            Self::Unsigned => "check that the header is there before you read it, and respond with 400",
            Self::WrongSecret | Self::ChangedBody | Self::Old | Self::Future => {
                "respond with 400 to a delivery that you refuse, and not with an error of the program"
            }
            Self::Failed => "read `error`; there is no `payload`",
            Self::Repeated => "a request id that is stored already must not be an error",
            Self::UnknownStatus => "a status that is not known must not be an error",
            Self::Large => "respond with 413 to a body that is too long",
            Self::Completed | Self::OddBody | Self::HeaderSpelling | Self::Rotated => {
                "see the log of the receiver; a request id that is not known must not be an error"
            }
        }
    }
}

/// What the deliveries of one check are made of.
pub(super) struct Material<'a> {
    secret: &'a str,
    /// The ids of the first delivery and of its request, which come a second time.
    first: (Uuid, Uuid),
}

impl<'a> Material<'a> {
    pub(super) fn new(secret: &'a str) -> Self {
        Self { secret, first: (Uuid::now_v7(), Uuid::now_v7()) }
    }

    /// The delivery of a case, for a receiver whose clock says `now` (Unix seconds). `margin` is how long the receiver takes: its
    /// clock goes on before it looks.
    pub(super) fn delivery(&self, case: Case, now: u64, margin: Duration) -> anyhow::Result<SignedDelivery> {
        let (id, request) = match case {
            Case::Completed | Case::Repeated => self.first,
            _ => (Uuid::now_v7(), Uuid::now_v7()),
        };
        let body = body(case, request)?;
        let secrets: &[&str] = match case {
            Case::Rotated => &[ANOTHER_SECRET, self.secret],
            Case::WrongSecret => &[ANOTHER_SECRET],
            _ => &[self.secret],
        };
        let t = match case {
            Case::Old => now.saturating_sub(TOLERANCE_SECONDS + 1),
            Case::Future => now + TOLERANCE_SECONDS + 1 + margin.as_secs(),
            _ => now,
        };
        let mut delivery = SignedDelivery::new(secrets, id, t, body);
        let is_signature = |name: &str| name == SIGNATURE_HEADER || name == STANDARD_SIGNATURE_HEADER;
        match case {
            Case::HeaderSpelling => delivery.header_case = HeaderCase::Title,
            Case::ChangedBody => change(&mut delivery.body),
            Case::Unsigned => delivery.headers.retain(|(name, _)| !is_signature(name)),
            Case::CutSignature => {
                for (_, value) in delivery.headers.iter_mut().filter(|(name, _)| is_signature(name)) {
                    cut(value);
                }
            }
            // Whoever sends a recorded delivery again writes what he likes into a header that is not signed.
            Case::Old | Case::Future => {
                let timestamps = delivery.headers.iter_mut().filter(|(name, _)| *name == TIMESTAMP_HEADER);
                timestamps.for_each(|(_, value)| *value = now.to_string());
            }
            _ => {}
        }
        Ok(delivery)
    }
}

fn body(case: Case, request: Uuid) -> serde_json::Result<Vec<u8>> {
    let delivery = match case {
        Case::Failed => {
            let why = Failure::generation("the image at `image_url` could not be read");
            Delivery::failed(request.to_string().into(), why.into())
        }
        Case::OddBody => {
            let why = Failure::generation("the café at `image_url` could not be read");
            Delivery::failed(request.to_string().into(), why.into())
        }
        Case::UnknownStatus => Delivery::of(request.to_string().into(), "POSTPONED".into()),
        Case::Large => completed(request, IMAGES_OF_LARGE),
        _ => completed(request, 1),
    };
    if case != Case::OddBody {
        return serde_json::to_vec(&delivery);
    }
    let mut body = b" ".to_vec();
    delivery.serialize(&mut Serializer::with_formatter(&mut body, PrettyFormatter::with_indent(b"\t  ")))?;
    body.extend(b" \r\n");
    Ok(body)
}

/// The body of a generation that made so many images.
fn completed(request: Uuid, images: usize) -> Delivery {
    let image = |number: usize| {
        let url = |end: &str| format!("https://media.clipia.example/{request}/image-{number}.{end}");
        let (width, height) = (Some(1024), Some(1024));
        Image { original_url: Some(url("png")), width, height, ..Image::at(url("webp")) }
    };
    let payload = Payload {
        model: Some("nano-banana-2".to_owned()),
        output: Some(Output { images: (1..=images).map(image).collect(), ..Output::default() }),
        cost: Some(12.into()),
        extra: Default::default(),
    };
    Delivery::completed(request.to_string().into(), payload)
}

/// Changes the cost in a body: what a forger would change.
fn change(body: &mut Vec<u8>) {
    *body = String::from_utf8_lossy(body).replacen("\"cost\":12", "\"cost\":0", 1).into_bytes();
}

/// Cuts a signature to less than half. An odd number of hexadecimal digits is left, which no decoder takes.
fn cut(header: &mut String) {
    // `v1=` and 64 hexadecimal digits, or `v1,` and base64.
    let start = header.find("v1").map_or(0, |name| name + 3);
    let signature = header.len() - start;
    header.truncate(start + signature / 2 - 1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use clipia::webhook::{DeliveryHeaders, EMULATOR_SECRET, Refusal, Verifier};

    const NOW: u64 = 1_700_000_000;

    fn made(case: Case) -> SignedDelivery {
        Material::new(EMULATOR_SECRET).delivery(case, NOW, Duration::ZERO).unwrap()
    }

    /// What our own verifier says of a delivery, if `keep` are the headers that reach it.
    fn verified(delivery: &SignedDelivery, keep: impl Fn(&str) -> bool) -> Result<Delivery, Refusal> {
        let headers = delivery.headers.iter().filter(|(name, _)| keep(name));
        let verifier = Verifier::new([EMULATOR_SECRET]).unwrap();
        verifier.verify_headers(&DeliveryHeaders::read(headers), &delivery.body, NOW)
    }

    #[test]
    fn a_genuine_delivery_is_genuine_and_a_forged_one_forged_by_either_signature() {
        for case in Case::ALL {
            let delivery = made(case);
            let is_standard = |name: &str| name.starts_with("webhook-");
            for (by, verified) in [
                ("both", verified(&delivery, |_| true)),
                ("Clipia's", verified(&delivery, |name| !is_standard(name))),
                ("Standard Webhooks'", verified(&delivery, is_standard)),
            ] {
                let expected = case.expected() != Expected::Refused;
                assert_eq!(verified.is_ok(), expected, "{case:?} by {by}: {verified:?}");
            }
        }
    }

    #[test]
    fn each_forged_delivery_has_one_fault() {
        let refused = |case| verified(&made(case), |_| true).unwrap_err();
        for case in [Case::Old, Case::Future] {
            assert!(matches!(refused(case), Refusal::OutsideTolerance { seconds: 301, .. }), "{case:?}");
            let age = if case == Case::Old { NOW - 301 } else { NOW + 301 };
            let delivery = made(case);
            let headers = DeliveryHeaders::read(&delivery.headers);
            let verifier = Verifier::new([EMULATOR_SECRET]).unwrap();
            assert!(verifier.check_headers(&headers, &delivery.body, age).is_ok(), "{case:?}");
        }
        for case in [Case::WrongSecret, Case::ChangedBody] {
            assert!(matches!(refused(case), Refusal::NoMatch), "{case:?}");
        }
        for case in [Case::Unsigned, Case::CutSignature] {
            assert!(matches!(refused(case), Refusal::Malformed { .. }), "{case:?}");
        }
        let (genuine, cut) = (made(Case::Completed), made(Case::CutSignature));
        let length = |delivery: &SignedDelivery, name| {
            delivery.headers.iter().find(|header| header.0 == name).unwrap().1.len()
        };
        assert_eq!(length(&genuine, SIGNATURE_HEADER) - length(&cut, SIGNATURE_HEADER), 64 - 31);
        let standard = STANDARD_SIGNATURE_HEADER;
        assert_eq!(length(&genuine, standard) - length(&cut, standard), 44 - 21);
    }

    #[test]
    fn a_repeat_has_the_ids_of_the_first_and_bodies_are_as_named() {
        let material = Material::new(EMULATOR_SECRET);
        let made = |case| material.delivery(case, NOW, Duration::ZERO).unwrap();
        let (first, again) = (made(Case::Completed), made(Case::Repeated));
        assert_eq!((&first.headers, &first.body), (&again.headers, &again.body));
        assert_ne!(first.body, made(Case::Rotated).body);

        let odd = made(Case::OddBody).body;
        let odd_again = serde_json::to_vec(&serde_json::from_slice::<Delivery>(&odd).unwrap()).unwrap();
        assert_ne!(odd, odd_again, "written again, it differs");
        assert!(String::from_utf8(odd).unwrap().contains("café"));

        let large = made(Case::Large).body.len();
        assert!((1_000_000..1024 * 1024).contains(&large), "{large}");
    }

    #[test]
    fn the_future_stays_in_the_future_while_a_slow_receiver_looks() {
        let material = Material::new(EMULATOR_SECRET);
        let slow = material.delivery(Case::Future, NOW, Duration::from_millis(2_400)).unwrap();
        let headers = DeliveryHeaders::read(&slow.headers);
        let refused = Verifier::new([EMULATOR_SECRET]).unwrap().check_headers(&headers, &slow.body, NOW + 2);
        assert!(matches!(refused, Err(Refusal::OutsideTolerance { seconds: 301, .. })), "{refused:?}");
    }
}
