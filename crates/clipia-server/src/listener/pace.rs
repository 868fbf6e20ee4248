//! The least pace at which a client reads an answer.
//!
//! A client that reads nothing is the same as one that reads a byte now and then. So time in which it reads nothing is spent
//! from an allowance, and each byte that it takes gives some back. The time in which the server has nothing to send is free.

use super::Bounds;
use super::standing::Slot;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// A connection that fails once its client reads too slowly, and tells its slot whether the client reads.
pub(super) struct Paced<S> {
    stream: S,
    slot: Arc<Slot>,
    allowance: Allowance,
    /// Since when the client takes nothing.
    since: Option<Instant>,
    /// Ends when the allowance does. Most clients never need one.
    end: Option<Pin<Box<Sleep>>>,
}

/// For how long more a client may read nothing.
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

impl<S> Paced<S> {
    pub(super) fn new(stream: S, slot: Arc<Slot>, bounds: &Bounds) -> Self {
        let (left, most) = (bounds.stall, bounds.stall);
        let allowance = Allowance { left, most, bytes_per_second: bounds.pace };
        Self { stream, slot, allowance, since: None, end: None }
    }

    /// What comes of a write that ended so.
    fn paced(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Pending => {
                let since = *self.since.get_or_insert_with(|| {
                    self.slot.is_unread(true);
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
                    self.slot.is_unread(false);
                }
                self.allowance.earn(bytes);
                written
            }
            Poll::Ready(Err(_)) => written,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.paced(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.paced(context, written)
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
