//! A call of the user: waits for a token of the request budget, is sent, and is repeated as `retry` decides.

use crate::error::Error;
use crate::request::{Operation, Priority, WireResult};
use crate::retry;
use crate::retrying::retrying;
use crate::wait::{self, Scheduler};
use clipia_api::Client;
use std::future::Future;
use std::sync::Arc;
use tracing::{Instrument, Span};

/// Makes a call.
pub(crate) async fn call<'a, T, S, F>(
    scheduler: &'a Arc<Scheduler>,
    operation: Operation<'_>,
    send: S,
) -> Result<T, Error>
where
    S: Fn(&'a Client) -> F,
    F: Future<Output = WireResult<T>>,
{
    call_in(operation.span(), scheduler, operation, send).await
}

/// The same in a span of the caller, who records more fields in it.
pub(crate) async fn call_in<'a, T, S, F>(
    span: Span,
    scheduler: &'a Arc<Scheduler>,
    operation: Operation<'_>,
    send: S,
) -> Result<T, Error>
where
    S: Fn(&'a Client) -> F,
    F: Future<Output = WireResult<T>>,
{
    let (connection, send) = (scheduler.connection(), &send);
    let attempt = |_| async move {
        let token = wait::token(scheduler, operation.priority()).await;
        let result = scheduler.attempt(token, operation, || send(&connection.api)).await;
        if operation.priority() == Priority::Submit {
            scheduler.submitted(result.as_ref().err());
        }
        match result {
            // The submit seems to be accepted. A retry with the same key finds the id, and is not charged.
            Err(error @ Error::UnexpectedAnswer(_)) if retry::seems_accepted(&error) => {
                Err(operation.unanswered(error))
            }
            result => result,
        }
    };
    retrying(operation, connection.bounds, attempt).instrument(span).await
}
