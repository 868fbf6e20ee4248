//! The slowest rate at which a client may read a response.
//!
//! A client that reads a byte now and then is no better than one that reads nothing. So a client has an allowance of time. While
//! it reads nothing, the allowance shrinks. Each byte that it reads gives some time back. Time in which the server has nothing to
//! send does not count.

use super::Limits;
use super::connection::Connection;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// A stream that fails when its client reads too slowly. It tells the [`Connection`] whether the client reads.
pub(super) struct MinRate<S> {
    stream: S,
    connection: Arc<Connection>,
    allowance: Allowance,
    /// When the client stopped reading; none while it reads.
    since: Option<Instant>,
    /// The timer of the allowance. It is made at the first use, since most clients need none.
    end: Option<Pin<Box<Sleep>>>,
}

/// The time for which a client may still read nothing.
struct Allowance {
    left: Duration,
    most: Duration,
    bytes_per_second: u32,
}

impl Allowance {
    fn spend(&mut self, time: Duration) {
        self.left = self.left.saturating_sub(time);
    }

    fn earn(&mut self, bytes: usize) {
        if self.left < self.most {
            let earned = bytes as u64 * 1_000_000 / u64::from(self.bytes_per_second.max(1));
            self.left = (self.left + Duration::from_micros(earned)).min(self.most);
        }
    }
}

impl<S> MinRate<S> {
    pub(super) fn new(stream: S, connection: Arc<Connection>, limits: &Limits) -> Self {
        let (left, most) = (limits.stall_max, limits.stall_max);
        let allowance = Allowance { left, most, bytes_per_second: limits.min_bytes_per_second };
        Self { stream, connection, allowance, since: None, end: None }
    }

    /// The result of a write, after the allowance was updated by it.
    fn check(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Pending => {
                let since = *self.since.get_or_insert_with(|| {
                    self.connection.set_unread(true);
                    Instant::now()
                });
                let at = since + self.allowance.left;
                let end = self.end.get_or_insert_with(|| Box::pin(sleep_until(at)));
                if end.deadline() != at {
                    end.as_mut().reset(at);
                }
                ready!(end.as_mut().poll(context));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Ready(Ok(bytes)) => {
                if let Some(since) = self.since.take() {
                    self.allowance.spend(since.elapsed());
                    self.connection.set_unread(false);
                }
                self.allowance.earn(bytes);
                written
            }
            Poll::Ready(Err(_)) => written,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for MinRate<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for MinRate<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.check(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.check(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
