//! What is asked of requests whose files may be left over.

use clipia_api::types::Output;
use clipia_queue::RequestId;
use clipia_queue::lifecycle::Phase;

/// Where a request stands, and what it made.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestOutput {
    /// Which.
    pub id: RequestId,
    /// Where it stands.
    pub phase: Phase,
    /// What it made, once it is completed.
    pub output: Option<Output>,
}
