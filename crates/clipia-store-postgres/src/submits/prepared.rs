//! A submit as it is stored, serialized before its transaction begins.

use crate::idempotency::Name;
use crate::rows::to_json;
use clipia_queue::commands::submit;
use clipia_queue::idempotency::Fingerprint;
use clipia_store::{StoreError, Submission};

/// An input with this many bytes of text is written as JSON on a thread for long computations.
const LARGE_BYTES: usize = 64 * 1024;

/// A submit as it is stored.
pub(crate) struct Prepared {
    pub(crate) submission: Submission,
    pub(crate) idempotency: Option<(Name, Fingerprint)>,
    pub(crate) input: String,
    pub(crate) warnings: String,
    pub(crate) output: Option<String>,
}

impl Prepared {
    /// Whether preparing a submit takes long. Inputs are flat: only their texts can be long.
    pub(crate) fn is_large(submission: &Submission) -> bool {
        let texts = submission.input.values().filter_map(serde_json::Value::as_str);
        texts.map(str::len).sum::<usize>() > LARGE_BYTES
    }

    pub(crate) fn new(mut submission: Submission) -> Result<Self, StoreError> {
        let named = submission.idempotency.take();
        let (account, sandbox) = (&submission.key.account, submission.key.sandbox);
        let idempotency =
            named.map(|(key, fingerprint)| (Name { account: account.clone(), sandbox, key }, fingerprint));
        let input = std::mem::take(&mut submission.input);
        Ok(Self {
            idempotency,
            input: match submit::keeps_input(submission.sample.is_some()) {
                true => to_json(&input)?,
                false => "{}".to_owned(),
            },
            warnings: to_json(&submission.warnings)?,
            output: submission.sample.as_ref().map(to_json).transpose()?,
            submission,
        })
    }
}
