//! Reading `X-Clipia-Signature`.

use crate::{Refusal, SIGNATURE_HEADER_NAME};

/// How many signatures of one header are tried: more than any rotation makes, few enough to cost nothing.
pub(crate) const SIGNATURES_MAX: usize = 16;

/// A header, taken apart.
#[derive(Debug)]
pub(crate) struct Header<'a> {
    /// The signed time as it was spelled, which is what was hashed.
    pub(crate) t: &'a str,
    /// The same in Unix seconds.
    pub(crate) timestamp: u64,
    /// Every `v1` that is hexadecimal of the right length.
    pub(crate) signatures: Vec<[u8; 32]>,
}

/// Takes the header apart. Pairs of another scheme are passed over, for a `v2` to come.
pub(crate) fn parse(header: &str) -> Result<Header<'_>, Refusal> {
    let mut t = None;
    let mut signatures = Vec::new();
    for pair in header.split(',') {
        match pair.trim().split_once('=') {
            Some(("t", _)) if t.is_some() => {
                return Err(malformed("has more than one `t`"));
            }
            Some(("t", value)) => t = Some(value),
            Some(("v1", value)) if signatures.len() < SIGNATURES_MAX => {
                let mut signature = [0; 32];
                if hex::decode_to_slice(value, &mut signature).is_ok() {
                    signatures.push(signature);
                }
            }
            _ => {}
        }
    }
    let t = t.ok_or(malformed("has no `t`"))?;
    if t.is_empty() || !t.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(malformed("has a `t` that is not in Unix seconds"));
    }
    let timestamp = t.parse().map_err(|_| malformed("has a `t` that is not in Unix seconds"))?;
    if signatures.is_empty() {
        return Err(malformed("has no `v1` of 64 hexadecimal digits"));
    }
    Ok(Header { t, timestamp, signatures })
}

fn malformed(reason: &'static str) -> Refusal {
    Refusal::Malformed { header: SIGNATURE_HEADER_NAME, reason }
}
