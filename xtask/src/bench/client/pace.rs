//! Rounds of submit, status and result, by the SDK and by bare reqwest.

use crate::bench::median::median;
use anyhow::Result;
use clipia::{Clipia, ResultResponse, StatusResponse, SubmitResponse, json};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use uuid::Uuid;

/// The length of a slice. Slices alternate, so that noise of the machine affects both.
const SLICE: Duration = Duration::from_millis(250);

/// The number of slices of each. The figure is their median.
const SLICES: usize = 60;

const MODEL: &str = "nano-banana-2";
const KEY: &str = "clipia_live_0123456789abcdef";

/// Rounds a second.
pub(super) struct Pace {
    pub(super) sdk: f64,
    pub(super) bare: f64,
}

/// Rounds by the SDK on the server at `url`, one after another: a function that makes them for a time, and returns how
/// many.
pub(in crate::bench) fn of_sdk(url: &str) -> Result<impl Fn(Duration) -> Result<u32>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let sdk = Clipia::builder().key(KEY).base_url(url).build()?;
    let round = move || {
        let sdk = sdk.clone();
        async move { by_sdk(&sdk).await }
    };
    Ok(move |length| runtime.block_on(rounds(1, length, &round)))
}

/// Measures both on the server at `url`, with `in_flight` rounds under way at once.
pub(super) fn measure(url: &str, in_flight: usize) -> Result<Pace> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let sdk = Clipia::builder().key(KEY).base_url(url).build()?;
    // The SDK comes first: it installs the TLS provider of the process, which reqwest uses.
    let bare = Bare::new(url)?;
    runtime.block_on(async {
        let by_sdk = move || {
            let sdk = sdk.clone();
            async move { by_sdk(&sdk).await }
        };
        let by_hand = move || {
            let bare = bare.clone();
            async move { bare.round().await }
        };
        // The first slices do not count: connections are made, and the SDK learns that there is no limit.
        slice(in_flight, &by_sdk).await?;
        slice(in_flight, &by_hand).await?;
        let (mut sdk, mut bare) = (Vec::new(), Vec::new());
        for number in 0..SLICES {
            // Each side goes first in every second turn.
            if number % 2 == 0 {
                sdk.push(slice(in_flight, &by_sdk).await?);
                bare.push(slice(in_flight, &by_hand).await?);
            } else {
                bare.push(slice(in_flight, &by_hand).await?);
                sdk.push(slice(in_flight, &by_sdk).await?);
            }
        }
        Ok(Pace { sdk: median(sdk), bare: median(bare) })
    })
}

/// Runs rounds without a pause for a slice, and returns the rounds a second.
async fn slice<F>(in_flight: usize, round: &(impl Fn() -> F + Clone + Send + 'static)) -> Result<f64>
where
    F: Future<Output = Result<()>> + Send,
{
    let start = Instant::now();
    Ok(f64::from(rounds(in_flight, SLICE, round).await?) / start.elapsed().as_secs_f64())
}

/// Runs rounds without a pause for some time, and returns how many.
async fn rounds<F>(
    in_flight: usize,
    length: Duration,
    round: &(impl Fn() -> F + Clone + Send + 'static),
) -> Result<u32>
where
    F: Future<Output = Result<()>> + Send,
{
    let start = Instant::now();
    let mut lanes = JoinSet::new();
    for _ in 0..in_flight {
        let round = round.clone();
        lanes.spawn(async move {
            let mut rounds = 0;
            while start.elapsed() < length {
                round().await?;
                rounds += 1;
            }
            anyhow::Ok(rounds)
        });
    }
    let mut rounds = 0;
    while let Some(lane) = lanes.join_next().await {
        rounds += lane??;
    }
    Ok(rounds)
}

async fn by_sdk(clipia: &Clipia) -> Result<()> {
    let submitted = clipia.submit(MODEL, input()).await?;
    submitted.status().await?;
    submitted.result().await?;
    Ok(())
}

/// A client without the SDK: the same connection settings, headers and types, but no budget and no retries.
#[derive(Clone)]
struct Bare {
    http: reqwest::Client,
    url: String,
}

impl Bare {
    fn new(url: &str) -> Result<Self> {
        let mut key = HeaderValue::from_str(&format!("Bearer {KEY}"))?;
        key.set_sensitive(true);
        let http = reqwest::Client::builder()
            .user_agent("bare")
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, key)]))
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(30))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self { http, url: url.to_owned() })
    }

    async fn round(&self) -> Result<()> {
        let submit = self.http.post(format!("{}/v1/models/{MODEL}", self.url));
        let submit = submit.header("idempotency-key", Uuid::new_v4().to_string());
        let submit = submit.json(&json!({ "input": input() })).send().await?.error_for_status()?;
        let id = submit.json::<SubmitResponse>().await?.request_id;
        let status = self.http.get(format!("{}/v1/requests/{id}/status", self.url));
        status.send().await?.error_for_status()?.json::<StatusResponse>().await?;
        let result = self.http.get(format!("{}/v1/requests/{id}", self.url));
        result.send().await?.error_for_status()?.json::<ResultResponse>().await?;
        Ok(())
    }
}

fn input() -> serde_json::Value {
    json!({ "prompt": "a red fox in snow", "aspect_ratio": "16:9", "seed": 7 })
}
