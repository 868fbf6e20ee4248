// Generated from spec/workers.yaml by `cargo xtask generate`. Do not edit.

/// A call, as the document describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `POST /worker/v1/claim`
    Claim,
    /// `POST /worker/v1/beat`
    Beat,
    /// `GET /worker/v1/inputs/{request_id}/{epoch}`
    GetInput,
    /// `PUT /worker/v1/files/{request_id}/{epoch}/{name}`
    PutPiece,
    /// `POST /worker/v1/complete`
    Complete,
    /// `POST /worker/v1/fail`
    Fail,
    /// `POST /worker/v1/lose`
    Lose,
    /// `POST /worker/v1/release`
    Release,
}

impl Operation {
    /// Every call, in the order of the document.
    pub const ALL: [Self; 8] = [
        Self::Claim,
        Self::Beat,
        Self::GetInput,
        Self::PutPiece,
        Self::Complete,
        Self::Fail,
        Self::Lose,
        Self::Release,
    ];

    /// Its path; a variable segment is a name in braces.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Claim => "/worker/v1/claim",
            Self::Beat => "/worker/v1/beat",
            Self::GetInput => "/worker/v1/inputs/{request_id}/{epoch}",
            Self::PutPiece => "/worker/v1/files/{request_id}/{epoch}/{name}",
            Self::Complete => "/worker/v1/complete",
            Self::Fail => "/worker/v1/fail",
            Self::Lose => "/worker/v1/lose",
            Self::Release => "/worker/v1/release",
        }
    }
}
