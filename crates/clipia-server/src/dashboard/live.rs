//! The changing part of a page, again and again, as server-sent events.
//!
//! Everybody who looks at the same address shares one feed: a task that renders the page once a second and sends it where it has
//! changed. The more feeds there are, the longer each pauses, so that together they cost the same. A feed ends with the last of
//! its readers.

use super::Dashboard;
use super::gate::SessionId;
use super::visit::LivePart;
use axum::body::{Body, to_bytes};
use axum::extract::{Extension, Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::{Router, http};
use futures_util::{Stream, StreamExt, stream};
use http::{Request, StatusCode};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tower::ServiceExt;

/// The most readers at once. A page of a reader that comes later stays as it is.
const READERS_MAX: usize = 200;

/// The pause of a feed, and how many feeds have this pause.
const PAUSE: Duration = Duration::from_secs(1);
const FEEDS_AT_FULL_PACE: usize = 10;

/// The largest part of a page, in bytes.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// The pages, as the feeds call them.
#[derive(Clone)]
pub(super) struct Pages(pub(super) Router);

/// The feeds by the addresses of their pages.
#[derive(Clone, Default)]
pub(super) struct Feeds(Arc<Mutex<HashMap<String, watch::Sender<Arc<str>>>>>);

#[derive(Deserialize)]
pub(super) struct Of {
    of: String,
}

/// `GET /live?of=…`
pub(super) async fn live(
    State(dashboard): State<Dashboard>,
    Extension(pages): Extension<Pages>,
    Extension(session): Extension<SessionId>,
    Query(Of { of }): Query<Of>,
) -> Response {
    let Some(receiver) = dashboard.feeds.subscribe(&dashboard, pages, session, of) else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let stop = dashboard.parts.stop.clone();
    let events = parts(receiver, dashboard, session).take_until(stop.cancelled_owned());
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

/// What the feed sends, until the feed or the session ends.
fn parts(
    receiver: watch::Receiver<Arc<str>>,
    dashboard: Dashboard,
    session: SessionId,
) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold((receiver, dashboard), move |(mut receiver, dashboard)| async move {
        let part = loop {
            receiver.changed().await.ok()?;
            let part = Arc::clone(&receiver.borrow_and_update());
            // A feed begins without a part.
            if !part.is_empty() {
                break part;
            }
        };
        let in_force = dashboard.parts.gate.is_in_force(session);
        in_force.then(|| (Ok(Event::default().data(&*part)), (receiver, dashboard)))
    })
}

impl Feeds {
    /// Reads the feed of a page, which begins with its first reader; nothing where there are as many readers as there may be.
    fn subscribe(
        &self,
        dashboard: &Dashboard,
        pages: Pages,
        session: SessionId,
        path: String,
    ) -> Option<watch::Receiver<Arc<str>>> {
        let mut feeds = self.feeds();
        if feeds.values().map(watch::Sender::receiver_count).sum::<usize>() >= READERS_MAX {
            return None;
        }
        if let Some(feed) = feeds.get(&path) {
            let mut receiver = feed.subscribe();
            // What was sent since the page was rendered is new to this reader.
            receiver.mark_changed();
            return Some(receiver);
        }
        let (sender, receiver) = watch::channel(Arc::from(""));
        feeds.insert(path.clone(), sender);
        let (feeds, stop) = (self.clone(), dashboard.parts.stop.clone());
        tokio::spawn(async move { stop.run_until_cancelled(feeds.feed(pages, session, path)).await });
        Some(receiver)
    }

    async fn feed(&self, Pages(pages): Pages, session: SessionId, path: String) {
        let mut last = None;
        loop {
            let Some(part) = part(&pages, session, &path).await else {
                self.feeds().remove(&path);
                return;
            };
            let looks = without_times(&part);
            let pause = {
                let mut feeds = self.feeds();
                let Some(feed) = feeds.get(&path) else { return };
                if feed.receiver_count() == 0 {
                    feeds.remove(&path);
                    return;
                }
                if last != Some(looks) {
                    feed.send_replace(part.into());
                }
                PAUSE * u32::try_from(1 + feeds.len() / FEEDS_AT_FULL_PACE).unwrap_or(u32::MAX)
            };
            last = Some(looks);
            tokio::time::sleep(pause).await;
        }
    }

    fn feeds(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<Arc<str>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The changing part of the page at `path`; nothing where there is no such page any more.
async fn part(pages: &Router, session: SessionId, path: &str) -> Option<String> {
    let mut request = Request::get(path).body(Body::empty()).ok()?;
    request.extensions_mut().insert(LivePart);
    request.extensions_mut().insert(session);
    let Ok(response) = pages.clone().oneshot(request).await;
    if response.status() != StatusCode::OK {
        return None;
    }
    let bytes = to_bytes(response.into_body(), BYTES_MAX).await.ok()?;
    // A carriage return would end a line of the event.
    Some(String::from_utf8_lossy(&bytes).replace('\r', "&#13;"))
}

/// The hash of a part without the words of its times, which a script of the page keeps up to date.
fn without_times(part: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut rest = part;
    while let Some((before, at)) = rest.split_once("<time ") {
        let (tag, after) = at.split_once('>').unwrap_or((at, ""));
        hash.update(before);
        hash.update("<time ");
        hash.update(tag);
        rest = after.split_once("</time>").map_or("", |(_, after)| after);
    }
    hash.update(rest);
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_only_got_older_is_the_same() {
        let part = |at: &str, words: &str, rest: &str| {
            without_times(&format!("<p><time datetime=\"{at}\">{words}</time> {rest}</p>"))
        };
        assert_eq!(part("1", "now", "a"), part("1", "1 s ago", "a"));
        assert_ne!(part("1", "now", "a"), part("2", "now", "a"));
        assert_ne!(part("1", "now", "a"), part("1", "now", "b"));
        assert_ne!(without_times("a"), without_times("<time a"));
    }
}
