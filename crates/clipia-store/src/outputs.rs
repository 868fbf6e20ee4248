//! The outputs of requests, for a sweep of files that no output names.

use clipia_api::types::Output;
use clipia_queue::RequestId;
use clipia_queue::lifecycle::Phase;

/// The phase and the output of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestOutput {
    /// The request.
    pub id: RequestId,
    /// Its phase.
    pub phase: Phase,
    /// Its output, once it is completed and until its media are let go.
    pub output: Option<Output>,
}
