//! Outcomes: the end of a generation, with a type for each kind of end, so that nobody reads an empty output as
//! success.

use crate::client::Clipia;
use crate::connection::Connection;
use crate::error::Error;
use crate::failed::{Canceled, Failed};
use clipia_api::types::{Output, RequestId, ResultResponse};
use clipia_api::{Credits, Status};
use jiff::Timestamp;
use std::sync::{Arc, LazyLock};

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

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.clipia.0.connection
    }
}
