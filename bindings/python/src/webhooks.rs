//! `verify_signature`.

use clipia::webhook::{SIGNATURE_HEADER, Verifier};
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use std::time::{SystemTime, UNIX_EPOCH};

/// Whether a webhook delivery is genuine: signed with `secret`, no more than `tolerance_seconds` from `now` (Unix
/// seconds, the present unless given).
///
/// `headers` is any mapping, whatever the case of its names; `body` is the raw body as it arrived. Never raises: what
/// cannot be verified is not genuine.
#[pyfunction]
#[pyo3(
    signature = (secret, headers, body, *, tolerance_seconds = None, now = None),
    text_signature = "(secret, headers, body, *, tolerance_seconds=300, now=None)"
)]
pub(crate) fn verify_signature(
    secret: &Bound<'_, PyAny>,
    headers: &Bound<'_, PyAny>,
    body: &Bound<'_, PyAny>,
    tolerance_seconds: Option<&Bound<'_, PyAny>>,
    now: Option<&Bound<'_, PyAny>>,
) -> bool {
    verify(secret, headers, body, tolerance_seconds, now).is_some()
}

/// The proof that a delivery is genuine. Whatever is wrong with what was passed, or with reading it, there is none.
fn verify(
    secret: &Bound<'_, PyAny>,
    headers: &Bound<'_, PyAny>,
    body: &Bound<'_, PyAny>,
    tolerance_seconds: Option<&Bound<'_, PyAny>>,
    now: Option<&Bound<'_, PyAny>>,
) -> Option<()> {
    let (secret, body) = (secret.extract::<Bytes>().ok()?, body.extract::<Bytes>().ok()?);
    let mut verifier = Verifier::new([secret.text()?]).ok()?;
    if let Some(tolerance) = tolerance_seconds {
        verifier = verifier.tolerance(seconds(tolerance)?);
    }
    let now = match now {
        Some(now) => seconds(now)?,
        None => SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs(),
    };
    let header = signature(headers).ok()??;
    verifier.check(header.text()?, body.bytes(), now).ok()
}

/// Text or bytes: frameworks pass either.
#[derive(FromPyObject)]
enum Bytes {
    Text(PyBackedStr),
    Raw(PyBackedBytes),
}

impl Bytes {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Raw(bytes) => bytes,
        }
    }

    fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.bytes()).ok()
    }
}

/// Whole seconds of a number that is not negative.
fn seconds(number: &Bound<'_, PyAny>) -> Option<u64> {
    let number: f64 = number.extract().ok()?;
    (number >= 0.0).then_some(number as u64)
}

/// The value of the signature header, by its name in any case.
fn signature(headers: &Bound<'_, PyAny>) -> PyResult<Option<Bytes>> {
    for item in headers.call_method0("items")?.try_iter()? {
        let (name, value): (Bytes, Bound<'_, PyAny>) = item?.extract()?;
        if name.bytes().eq_ignore_ascii_case(SIGNATURE_HEADER.as_bytes()) {
            return value.extract().map(Some);
        }
    }
    Ok(None)
}
