//! One row of the table: a server, a client, and a fleet of generations on the one key between them.

use super::answers::Answers;
use super::durations::Durations;
use super::least::least;
use super::sleep::{LIMIT, SLEEP, Sleeping};
use anyhow::{Context, Result, ensure};
use clipia::{Clipia, RequestId, json};
use futures_util::future::join_all;
use std::fmt;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// A generation that is not known to have ended after so many times the least is lost.
const PATIENCE: u32 = 3;

/// How a client learns of ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Means {
    /// It asks.
    Polling,
    /// It is told.
    Webhooks,
}

impl Means {
    pub(super) const ALL: [Self; 2] = [Self::Polling, Self::Webhooks];
}

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) generations: usize,
    pub(super) durations: Durations,
    pub(super) means: Means,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) completed: usize,
    /// Why each generation was lost that was.
    pub(super) lost: Vec<String>,
    /// Requests that the server answered.
    pub(super) requests: u64,
    /// Those that it answered with 429.
    pub(super) refused: u64,
    /// From the end of a generation until the client knew; sorted.
    pub(super) delays: Vec<Duration>,
    /// From the first submit until the last end was known.
    pub(super) wall: Duration,
    pub(super) least: Duration,
}

impl Measured {
    /// The delay that this share of the generations does not exceed.
    pub(super) fn delay(&self, share: f64) -> Option<Duration> {
        let rank = (share * self.delays.len() as f64).ceil() as usize;
        self.delays.get(rank.saturating_sub(1)).copied()
    }
}

impl Row {
    /// Runs it on this thread, calling `known` at each generation that is known to have ended or lost.
    pub(super) fn run(self, known: impl Fn()) -> Result<Measured> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let answers = Answers::default();
        // Of this thread, and so of this row: client, server and executor share it.
        tracing::subscriber::with_default(answers.clone(), || {
            runtime.block_on(self.measure(&self.durations.draw(self.generations), &answers, known))
        })
    }

    async fn measure(self, durations: &[Duration], answers: &Answers, known: impl Fn()) -> Result<Measured> {
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
            let outcome = generate(&clipia, duration, webhook.as_deref());
            let outcome = tokio::time::timeout(patience, outcome).await;
            known();
            outcome.with_context(|| format!("not known to have ended after {} s", patience.as_secs()))?
        }))
        .await;
        let wall = start.elapsed();
        let (requests, refused) = (answers.all(), answers.refused());
        ensure!(requests >= self.generations as u64, "the answers of the server were not counted");

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

    /// Whether a filter such as `100:polling` means it.
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

/// Has deliveries resolve the waits of `clipia`; returns where to post them.
async fn receive(clipia: &Clipia, secret: &str) -> Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}/clipia", listener.local_addr()?);
    let app = axum::Router::new().route("/clipia", clipia.webhooks(secret)?.into_route());
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(url)
}

/// Submits a generation and waits for it; says which it was, and when it was known to have completed.
async fn generate(
    clipia: &Clipia,
    duration: Duration,
    webhook: Option<&str>,
) -> Result<(RequestId, Instant)> {
    let mut submit = clipia.submit(SLEEP, json!({ "seconds": duration.as_secs_f64() }));
    if let Some(webhook) = webhook {
        submit = submit.webhook(webhook);
    }
    let submitted = submit.await?;
    submitted.wait().await?.completed()?;
    Ok((submitted.id().clone(), Instant::now()))
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

    /// More than the burst of the key, and short: the whole way, in little time.
    #[test]
    fn a_row_tells_what_the_server_answered() {
        let answers = Answers::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let count = std::cell::Cell::new(0);
        let durations = [Duration::from_secs(1); 3];
        let measured = tracing::subscriber::with_default(answers.clone(), || {
            let known = || count.set(count.get() + 1);
            runtime.block_on(row(3, Means::Polling).measure(&durations, &answers, known))
        })
        .unwrap();
        assert_eq!((measured.completed, measured.lost.len(), count.get()), (3, 0, 3), "{measured:?}");
        assert!(measured.requests >= 6 && measured.refused == 0, "{measured:?}");
        assert!(measured.wall >= measured.least && measured.least == Duration::from_secs(1));
    }
}
