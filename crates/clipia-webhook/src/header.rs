//! Reading `X-Clipia-Signature`.

use crate::{Refusal, SIGNATURE_HEADER_NAME};

/// The most signatures of one header that are checked. A rotation makes fewer, and checking this many costs next to nothing.
pub(crate) const SIGNATURES_MAX: usize = 16;

/// The parsed value of `X-Clipia-Signature`.
#[derive(Debug)]
pub(crate) struct Header<'a> {
    /// The signed time, as the header spells it: the hash covers this spelling.
    pub(crate) t: &'a str,
    /// The signed time in Unix seconds.
    pub(crate) timestamp: u64,
    /// Every `v1` that is 64 hexadecimal digits.
    pub(crate) signatures: Vec<[u8; 32]>,
}

/// Parses the header. Pairs with unknown names are ignored, so that a later `v2` does no harm.
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
