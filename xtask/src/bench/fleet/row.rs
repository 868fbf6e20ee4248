//! One row of the table: a server, a client with one key, and a fleet of generations.

use super::durations::Durations;
use super::least::least;
use super::responses::Responses;
use super::sleep::{LIMIT, SLEEP, Sleeping};
use anyhow::{Context, Result, ensure};
use clipia::{Clipia, RequestId, json};
use futures_util::future::join_all;
use std::fmt;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// A generation counts as lost if its end is not known after this multiple of the least time.
pub(super) const PATIENCE: u32 = 3;

/// The means by which a client learns of ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Means {
    /// The client polls.
    Polling,
    /// The server sends webhooks.
    Webhooks,
}

impl Means {
    pub(super) const ALL: [Self; 2] = [Self::Polling, Self::Webhooks];
}

/// The settings of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) generations: usize,
    pub(super) durations: Durations,
    pub(super) means: Means,
}

/// The figures of a row.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) completed: usize,
    /// The cause of each lost generation.
    pub(super) lost: Vec<String>,
    /// The number of requests that the server has answered.
    pub(super) requests: u64,
    /// The number of them with the response 429.
    pub(super) refused: u64,
    /// The times from the end of a generation until the client knew, sorted.
    pub(super) delays: Vec<Duration>,
    /// The time from the first submit until the last end was known.
    pub(super) wall: Duration,
    pub(super) least: Duration,
}

impl Measured {
    /// The quantile `share` of the delays.
    pub(super) fn delay(&self, share: f64) -> Option<Duration> {
        let rank = (share * self.delays.len() as f64).ceil() as usize;
        self.delays.get(rank.saturating_sub(1)).copied()
    }
}

impl Row {
    /// Runs the row on this thread. Calls `known` for each generation that has ended or is lost.
    pub(super) fn run(self, known: impl Fn()) -> Result<Measured> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let responses = Responses::default();
        // The subscriber of this thread, which client, server and executor of the row share.
        tracing::subscriber::with_default(responses.clone(), || {
            runtime.block_on(self.measure(&self.durations.draw(self.generations), &responses, known))
        })
    }

    async fn measure(
        self,
        durations: &[Duration],
        responses: &Responses,
        known: impl Fn(),
    ) -> Result<Measured> {
        let server = Sleeping::start(durations.len()).await?;
        let keys = server.keys()?;
        let clipia = Clipia::builder().key(&keys.live_key).base_url(server.url()).build()?;
        let webhook = match self.means {
            Means::Polling => None,
            Means::Webhooks => Some(receive(&clipia, &keys.webhook_secret).await?),
        };

        let least = least(durations, LIMIT, self.means == Means::Webhooks);
        let patience = least * PATIENCE;
        let start = Instant::now();
        let generations = join_all(durations.iter().map(async |&duration| {
            let outcome = generate(&clipia, duration, webhook.as_deref(), patience).await;
            known();
            outcome
        }))
        .await;
        let wall = start.elapsed();
        let (requests, refused) = (responses.all(), responses.refused());
        ensure!(requests >= self.generations as u64, "the responses of the server were not counted");

        let (mut delays, mut lost) = (Vec::new(), Vec::new());
        for generation in generations {
            match generation {
                Ok((id, known)) => {
                    let ended =
                        server.sleep.ended(id).context("a generation has ended that was never made")?;
                    delays.push(known.saturating_duration_since(ended));
                }
                Err(error) => lost.push(format!("{error:#}")),
            }
        }
        delays.sort_unstable();
        server.stop().await;
        Ok(Measured { completed: delays.len(), lost, requests, refused, delays, wall, least })
    }

    /// Whether a filter such as `100:polling` selects the row.
    pub(super) fn matches(self, filter: &str) -> bool {
        let name = self.to_string();
        filter.split(':').all(|part| name.split(':').any(|word| word == part))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.generations, self.durations.name(), self.means)
    }
}

impl fmt::Display for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Polling => "polling",
            Self::Webhooks => "webhooks",
        })
    }
}

/// Starts a receiver whose deliveries end the waits of `clipia`, and returns its URL.
async fn receive(clipia: &Clipia, secret: &str) -> Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}/clipia", listener.local_addr()?);
    let app = axum::Router::new().route("/clipia", clipia.webhooks(secret)?.into_route());
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(url)
}

/// Submits a generation and waits for it. Returns its id, and when its end was known. It is lost if that is not within `patience`.
pub(super) async fn generate(
    clipia: &Clipia,
    duration: Duration,
    webhook: Option<&str>,
    patience: Duration,
) -> Result<(RequestId, Instant)> {
    let mut submit = clipia.submit(SLEEP, json!({ "seconds": duration.as_secs_f64() }));
    if let Some(webhook) = webhook {
        submit = submit.webhook(webhook);
    }
    let outcome = tokio::time::timeout(patience, async {
        let submitted = submit.await?;
        submitted.wait().await?.completed()?;
        Ok((submitted.id().clone(), Instant::now()))
    });
    outcome.await.with_context(|| format!("not known to have ended after {} s", patience.as_secs()))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(generations: usize, means: Means) -> Row {
        Row { generations, durations: Durations::Lognormal, means }
    }

    #[test]
    fn a_filter_names_any_of_its_parts() {
        let row = row(100, Means::Polling);
        for (filter, expected) in [
            ("100:lognormal:polling", true),
            ("100:polling", true),
            ("lognormal", true),
            ("10", false),
            ("100:webhooks", false),
        ] {
            assert_eq!(row.matches(filter), expected, "{filter}");
        }
    }

    /// A row with more generations than the burst of the key, and short ones: all of the path, in little time.
    #[test]
    fn a_row_counts_the_responses_of_the_server() {
        let responses = Responses::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let count = std::cell::Cell::new(0);
        let durations = [Duration::from_secs(1); 3];
        let measured = tracing::subscriber::with_default(responses.clone(), || {
            let known = || count.set(count.get() + 1);
            runtime.block_on(row(3, Means::Polling).measure(&durations, &responses, known))
        })
        .unwrap();
        assert_eq!((measured.completed, measured.lost.len(), count.get()), (3, 0, 3), "{measured:?}");
        assert!(measured.requests >= 6 && measured.refused == 0, "{measured:?}");
        assert!(measured.wall >= measured.least && measured.least == Duration::from_secs(1));
    }
}
