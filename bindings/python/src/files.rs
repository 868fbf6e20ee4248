//! The files of a result.

use clipia::{Error, Generation, Outcome, ResultResponse};
use std::path::PathBuf;

/// How the files of a result are got at.
#[derive(Clone)]
pub(crate) enum Files {
    /// They are known.
    Of(Box<Outcome>),
    /// The result is asked for again: the SDK saves the files of an outcome or of a generation.
    Asked(Generation),
}

impl Files {
    /// Saves each of them in `dir`.
    pub(crate) async fn save(self, dir: PathBuf) -> Result<Vec<PathBuf>, Error> {
        match self {
            Self::Of(outcome) => outcome.completed()?.download(dir).await,
            Self::Asked(generation) => generation.download(dir).await,
        }
    }
}

/// The result of a generation, ended or not.
pub(crate) async fn of_result(generation: Generation) -> Result<(ResultResponse, Files), Error> {
    Ok((generation.result().await?, Files::Asked(generation)))
}

/// The result of a generation that ended.
pub(crate) fn of_outcome(outcome: Outcome) -> (ResultResponse, Files) {
    (outcome.response().clone(), Files::Of(Box::new(outcome)))
}
