//! Signed deliveries that this program sends itself, to a receiver that the user names: the body and the headers are those that a
//! server sends.

mod body;
mod outcome;
mod receiver;
mod secret;
mod signed;

pub(crate) use body::body_of;
pub(crate) use outcome::deliver;
pub(crate) use receiver::{Answer, Receiver, Response};
pub(crate) use secret::{Secret, SecretOption};
pub(crate) use signed::{HeaderCase, SignedDelivery, now};

use crate::output::one_line;

/// A receiver did not take a delivery.
#[derive(Debug, thiserror::Error)]
#[error("the delivery was not taken: {url} {}", one_line(&.answer.to_string()))]
pub(crate) struct NotTaken {
    /// The receiver, as [`Receiver::shown`] shows it.
    pub(crate) url: String,
    pub(crate) answer: Answer,
}
