//! The JSON of an order, read within bounds.

use crate::api_error::ApiError;
use crate::http::discard;
use axum::body::HttpBody;
use axum::extract::{FromRequest, Request};
use bytes::BytesMut;
use clipia_api::error_code::ErrorCode;
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// The longest order, in bytes.
const BYTES_MAX: usize = 1024 * 1024;

/// An order of at most this many bytes needs no permit: with one on each connection, that is 64 MiB.
const SMALL_BYTES_MAX: usize = 16 * 1024;

/// The longer orders in memory at once.
const LONG_ORDERS: usize = 32;
static LONG: Semaphore = Semaphore::const_new(LONG_ORDERS);

/// The longest time in which an order must arrive, and the longest wait for a permit.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The `Retry-After` of an order that the server has no room for.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The body of a call, in JSON.
pub(super) struct Order<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Order<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let read = tokio::time::timeout(TIMEOUT, read(request)).await;
        let (bytes, _long) = read.map_err(|_| ApiError::invalid("the body took too long to arrive"))??;
        let order = serde_json::from_slice(&bytes);
        order
            .map(Self)
            .map_err(|error| ApiError::invalid(format!("the body is not the order of this call: {error}")))
    }
}

async fn read(request: Request) -> Result<(BytesMut, Option<SemaphorePermit<'static>>), ApiError> {
    let body = request.into_body();
    let announced =
        body.size_hint().exact().map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX));
    let mut stream = body.into_data_stream();
    let (mut bytes, mut long) = (BytesMut::new(), None);
    let mut length = announced;
    loop {
        if length > BYTES_MAX {
            drop(bytes);
            discard(&mut stream).await;
            return Err(ApiError::invalid(format!("the body is longer than {} KiB", BYTES_MAX / 1024)));
        }
        if length > SMALL_BYTES_MAX && long.is_none() {
            let permit = LONG.acquire().await.map_err(|_| {
                ApiError::new(ErrorCode::ServiceUnavailable, "the server has no room for another long order")
                    .after(RETRY_AFTER)
            })?;
            long = Some(permit);
        }
        let Some(chunk) = stream.next().await else { return Ok((bytes, long)) };
        bytes.extend_from_slice(&chunk.map_err(|_| ApiError::invalid("the body broke off"))?);
        length = bytes.len();
    }
}
