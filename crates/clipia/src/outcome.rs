//! Outcomes: the end of a generation, with a type for each kind of end, so that nobody reads an empty output as
//! success.

use crate::client::{Clipia, Inner};
use crate::download::Download;
use crate::error::Error;
use clipia_api::types::{Output, RequestId, ResultResponse};
use clipia_api::{Credits, Status};
use jiff::Timestamp;
use std::path::Path;
use std::sync::LazyLock;

/// The outcome of a generation.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// It has an output.
    Completed(Completed),
    /// It has no output. Its credits were returned.
    Failed(Failed),
    /// An operator ended it. Its credits were returned.
    Canceled(Canceled),
}

impl Outcome {
    /// The outcome in a result, or the result itself if the generation has not ended.
    pub(crate) fn of(clipia: &Clipia, response: ResultResponse) -> Result<Self, Box<ResultResponse>> {
        match response.status {
            Status::Completed => Ok(Self::Completed(Completed { clipia: clipia.clone(), response })),
            Status::Failed => Ok(Self::Failed(Failed { response })),
            Status::Canceled => Ok(Self::Canceled(Canceled { response })),
            _ => Err(Box::new(response)),
        }
    }

    /// The completed generation, for a caller that accepts nothing else.
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

    /// The API's response.
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

/// A generation with an output.
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

    /// The output.
    pub fn output(&self) -> &Output {
        static EMPTY: LazyLock<Output> = LazyLock::new(Output::default);
        self.response.output.as_ref().unwrap_or(&EMPTY)
    }

    /// Credits charged, if the response says so.
    pub fn cost(&self) -> Option<Credits> {
        self.response.cost
    }

    /// When the generation was accepted.
    pub fn created_at(&self) -> Option<Timestamp> {
        self.response.created_at
    }

    /// When the generation ended.
    pub fn completed_at(&self) -> Option<Timestamp> {
        self.response.completed_at
    }

    /// When the server removed the files of the output. They cannot be downloaded any more.
    pub fn expired_at(&self) -> Option<Timestamp> {
        self.response.expired_at
    }

    /// The API's response.
    pub fn response(&self) -> &ResultResponse {
        &self.response
    }

    /// Saves every file of the output in `dir`, which is created if it is missing: `.await` begins, and returns the
    /// paths in the output's order.
    ///
    /// Files are fetched in full quality if the output has it, a few at a time. A file is there whole or not at all.
    /// Its name consists of the id, the kind, a number and the type: `0198c2…-image-1.png`. If this version does not
    /// know the kind, the name has the key of the output instead.
    ///
    /// # Errors
    /// [`Error::Download`], also for an error page in place of an image, a video or an audio file, and [`Error::Io`],
    /// also if a file of that name has other content. Saved files stay, and the same download resumes the others.
    pub fn download(&self, dir: impl AsRef<Path>) -> Download {
        Download::of_completed(self.clone(), dir.as_ref())
    }

    /// The same on the client of [`Clipia::in_this_process`].
    ///
    /// # Errors
    /// As [`Clipia::in_this_process`].
    pub fn in_this_process(self) -> Result<Self, Error> {
        Ok(Self { clipia: self.clipia.in_this_process()?, ..self })
    }

    pub(crate) fn client(&self) -> &Inner {
        &self.clipia.0
    }
}

/// A generation without an output. Its credits were returned.
#[derive(Clone, Debug)]
pub struct Failed {
    response: ResultResponse,
}

impl Failed {
    /// The id of the generation.
    pub fn id(&self) -> &RequestId {
        &self.response.request_id
    }

    /// The cause, a word for programs.
    pub fn code(&self) -> &str {
        why_failed(&self.response).0
    }

    /// The cause, a sentence for people.
    pub fn message(&self) -> &str {
        why_failed(&self.response).1
    }

    /// The API's response.
    pub fn response(&self) -> &ResultResponse {
        &self.response
    }
}

/// The cause in the result of a failed generation: a word for programs, and a sentence for people. For a result that
/// was not returned by a wait; [`Failed`] has both.
pub fn why_failed(response: &ResultResponse) -> (&str, &str) {
    let error = response.error.as_ref();
    let code = error.and_then(|error| error.code.as_deref());
    let message = error.and_then(|error| error.message.as_deref());
    // Some servers send only a sentence.
    let sentence = || response.extra.get("error")?.as_str();
    (code.unwrap_or("GENERATION_FAILED"), message.or_else(sentence).unwrap_or("the server gave no reason"))
}

/// A generation that was ended outside the public API, for instance in the dashboard. Its credits were returned.
#[derive(Clone, Debug)]
pub struct Canceled {
    response: ResultResponse,
}

impl Canceled {
    /// The id of the generation.
    pub fn id(&self) -> &RequestId {
        &self.response.request_id
    }

    /// The API's response.
    pub fn response(&self) -> &ResultResponse {
        &self.response
    }
}
