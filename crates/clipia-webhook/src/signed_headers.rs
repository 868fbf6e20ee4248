//! The headers that a sender writes.

use crate::{
    ID_HEADER, SIGNATURE_HEADER, STANDARD_ID_HEADER, STANDARD_SIGNATURE_HEADER, STANDARD_TIMESTAMP_HEADER,
    TIMESTAMP_HEADER, sign, sign_standard,
};

/// The headers of an attempt at the delivery `id`, sent with `body` at `timestamp` (Unix seconds): names in lower case, and
/// values. The headers of Standard Webhooks are among them if a secret has the form `whsec_<base64>`.
///
/// `secrets` are in the order of [`sign`]. Sign each attempt anew: receivers refuse a signature of more than
/// [`TOLERANCE_SECONDS`](crate::TOLERANCE_SECONDS) ago.
///
/// ```
/// use clipia_webhook::{DeliveryHeaders, Verifier, signed_headers};
///
/// let (secret, now) = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 1_700_000_000);
/// let headers = signed_headers(&[secret], "0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de", now, b"{}");
/// assert_eq!(headers.len(), 6);
/// let read = DeliveryHeaders::read(&headers);
/// assert!(Verifier::new([secret])?.check_headers(&read, b"{}", now).is_ok());
/// # Ok::<(), clipia_webhook::SecretRefused>(())
/// ```
pub fn signed_headers<S: AsRef<str>>(
    secrets: &[S],
    id: &str,
    timestamp: u64,
    body: &[u8],
) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        (ID_HEADER, id.to_owned()),
        (TIMESTAMP_HEADER, timestamp.to_string()),
        (SIGNATURE_HEADER, sign(secrets, timestamp, body)),
    ];
    if let Some(signature) = sign_standard(secrets, id, timestamp, body) {
        headers.extend([
            (STANDARD_ID_HEADER, id.to_owned()),
            (STANDARD_TIMESTAMP_HEADER, timestamp.to_string()),
            (STANDARD_SIGNATURE_HEADER, signature),
        ]);
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_of_another_form_signs_with_clipias_headers_alone() {
        let names = |secrets: &[&str]| -> Vec<&str> {
            signed_headers(secrets, "id", 1, b"{}").into_iter().map(|(name, _)| name).collect()
        };
        let own = [ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER];
        let standard = [STANDARD_ID_HEADER, STANDARD_TIMESTAMP_HEADER, STANDARD_SIGNATURE_HEADER];
        assert_eq!(names(&["of another form"]), own);
        assert_eq!(names(&["of another form", "whsec_AAECAw"]), [own, standard].concat());
    }
}
