//! Headers and a timeout of one call of the generated client, whose functions take neither.
//!
//! [`around`] keeps the options of a call in this thread while the call is polled. The hook of the generated client finds them there when
//! it has built the request.

use crate::generated_client::{Client, ClientInfo, Error};
use progenitor_client::{ClientHooks, OperationInfo};
use reqwest::Request;
use reqwest::header::HeaderMap;
use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// What one call has of its own.
#[derive(Clone, Debug, Default)]
pub struct PerCall {
    /// Headers in addition to those of the client. One of the same name replaces the client's.
    pub headers: HeaderMap,
    /// The timeout in place of the client's.
    pub timeout: Option<Duration>,
}

thread_local! {
    /// The options of the call that this thread polls.
    static POLLED: RefCell<Option<Arc<PerCall>>> = const { RefCell::new(None) };
}

/// A call with its options.
pub struct Around<F> {
    options: Option<Arc<PerCall>>,
    call: Pin<Box<F>>,
}

/// The call `call` of the generated client, with these options.
pub fn around<F: Future>(options: Option<Arc<PerCall>>, call: F) -> Around<F> {
    Around { options, call: Box::pin(call) }
}

impl<F: Future> Future for Around<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _polled = Polled(POLLED.replace(self.options.clone()));
        self.call.as_mut().poll(context)
    }
}

/// The options that were there before a poll, which are put back after it, also if it panics.
struct Polled(Option<Arc<PerCall>>);

impl Drop for Polled {
    fn drop(&mut self) {
        POLLED.replace(self.0.take());
    }
}

/// The generated client calls these hooks before those that it has itself: they are found by value, its own by reference.
impl ClientHooks<()> for Client
where
    Self: ClientInfo<()>,
{
    async fn pre<E>(&self, request: &mut Request, _: &OperationInfo) -> Result<(), Error<E>> {
        let Some(options) = POLLED.with_borrow(Clone::clone) else { return Ok(()) };
        for (name, value) in &options.headers {
            request.headers_mut().insert(name, value.clone());
        }
        if let Some(timeout) = options.timeout {
            *request.timeout_mut() = Some(timeout);
        }
        Ok(())
    }
}
