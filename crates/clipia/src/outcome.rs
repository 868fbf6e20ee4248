//! How a generation ended, with a type for each end, so that nobody reads an empty output as success.

use crate::client::{Clipia, Inner};
use crate::download::Download;
use crate::error::Error;
use clipia_api::types::{Output, RequestId, ResultResponse};
use clipia_api::{Credits, Status};
use jiff::Timestamp;
use std::path::Path;
use std::sync::LazyLock;

/// The end of a generation.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// It made something.
    Completed(Completed),
    /// It made nothing; its credits were returned.
    Failed(Failed),
    /// It was ended outside the API; its credits were returned.
    Canceled(Canceled),
}

impl Outcome {
    /// The end that a result tells of, or the result itself where it tells of none.
    pub(crate) fn of(clipia: &Clipia, response: ResultResponse) -> Result<Self, Box<ResultResponse>> {
        match response.status {
            Status::Completed => Ok(Self::Completed(Completed { clipia: clipia.clone(), response })),
            Status::Failed => Ok(Self::Failed(Failed { response })),
            Status::Canceled => Ok(Self::Canceled(Canceled { response })),
            _ => Err(Box::new(response)),
        }
    }

    /// What it made, where only that will do.
    ///
    /// # Errors
    /// [`Error::Failed`] and [`Error::Canceled`].
    pub fn completed(self) -> Result<Completed, Error> {
        match self {
            Self::Completed(completed) => Ok(completed),
            Self::Failed(failed) => Err(Error::Failed(Box::new(failed))),
            Self::Canceled(canceled) => Err(Error::Canceled(Box::new(canceled))),
        }
    }

    /// The answer as the API gave it.
    pub fn response(&self) -> &ResultResponse {
        match self {
            Self::Completed(completed) => &completed.response,
            Self::Failed(failed) => &failed.response,
            Self::Canceled(canceled) => &canceled.response,
        }
    }

    /// The id of the generation.
    pub fn request_id(&self) -> &RequestId {
        &self.response().request_id
    }
}

/// A generation that made something.
#[derive(Clone, Debug)]
pub struct Completed {
    clipia: Clipia,
    response: ResultResponse,
}

impl Completed {
    /// The id of the generation.
    pub fn id(&self) -> &RequestId {
        &self.response.request_id
    }

    /// The slug of the model.
    pub fn model(&self) -> Option<&str> {
        self.response.model.as_deref()
    }

    /// What it made.
    pub fn output(&self) -> &Output {
        static NOTHING: LazyLock<Output> = LazyLock::new(Output::default);
        self.response.output.as_ref().unwrap_or(&NOTHING)
    }

    /// Credits charged, if the answer tells.
    pub fn cost(&self) -> Option<Credits> {
        self.response.cost
    }

    /// When it was accepted.
    pub fn created_at(&self) -> Option<Timestamp> {
        self.response.created_at
    }

    /// When it ended.
    pub fn completed_at(&self) -> Option<Timestamp> {
        self.response.completed_at
    }

    /// When the server removed the files of the output: they cannot be downloaded any more.
    pub fn expired_at(&self) -> Option<Timestamp> {
        self.response.expired_at
    }

    /// The answer as the API gave it.
    pub fn response(&self) -> &ResultResponse {
        &self.response
    }

    /// Saves every file of the output in `dir`, which is made if need be: `.await` begins, and returns their
    /// paths in the output's order.
    ///
    /// Files are fetched in full quality where there is one, a few at a time, and are there whole or not at all.
    /// Their names are made of the id, the kind, a number and the type: `0198c2…-image-1.png`. The kind of an
    /// output that this version does not know is its key.
    ///
    /// # Errors
    /// [`Error::Download`], also for an error page in place of an image, a video or an audio file, and
    /// [`Error::Io`], also for a file of other content that has the name of one of these. Files already saved stay,
    /// and the same download goes on from what is there of the others.
    pub fn download(&self, dir: impl AsRef<Path>) -> Download {
        Download::of_completed(self.clone(), dir.as_ref())
    }

    /// The same on the client that [`Clipia::in_this_process`] gives.
    ///
    /// # Errors
    /// As that.
    pub fn in_this_process(self) -> Result<Self, Error> {
        Ok(Self { clipia: self.clipia.in_this_process()?, ..self })
    }

    pub(crate) fn client(&self) -> &Inner {
        &self.clipia.0
    }
}

/// A generation that made nothing. Its credits were returned.
#[derive(Clone, Debug)]
pub struct Failed {
    response: ResultResponse,
}

impl Failed {
    /// The id of the generation.
    pub fn id(&self) -> &RequestId {
        &self.response.request_id
    }

    /// Why, a word for programs.
    pub fn code(&self) -> &str {
        why_failed(&self.response).0
    }

    /// Why, a sentence for people.
    pub fn message(&self) -> &str {
        why_failed(&self.response).1
    }

    /// The answer as the API gave it.
    pub fn response(&self) -> &ResultResponse {
        &self.response
    }
}

/// Why a generation failed, as its result tells: a word for programs, and a sentence for people. For a result that was
/// asked for apart from a wait; [`Failed`] has both.
pub fn why_failed(response: &ResultResponse) -> (&str, &str) {
    let error = response.error.as_ref();
    let code = error.and_then(|error| error.code.as_deref());
    let message = error.and_then(|error| error.message.as_deref());
    // Some servers tell nothing but a sentence.
    let sentence = || response.extra.get("error")?.as_str();
    (code.unwrap_or("GENERATION_FAILED"), message.or_else(sentence).unwrap_or("the server gave no reason"))
}

/// A generation that was ended outside the API, for instance in the dashboard. Its credits were returned.
#[derive(Clone, Debug)]
pub struct Canceled {
    response: ResultResponse,
}

impl Canceled {
    /// The id of the generation.
    pub fn id(&self) -> &RequestId {
        &self.response.request_id
    }

    /// The answer as the API gave it.
    pub fn response(&self) -> &ResultResponse {
        &self.response
    }
}
