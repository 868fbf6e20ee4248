//! `clipia demo`: makes a picture and a clip with the whole system, on this machine alone.

use crate::progress::Board;
use crate::{output, shell};
use anyhow::{Context, bail, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use clap::Args;
use clipia::webhook::Refusal;
use clipia::{Clipia, Completed, Credits, RequestId, Webhooks, json};
use clipia_server::clock::SystemClock;
use clipia_server::{Config, Service};
use clipia_store_sqlite::SqliteStore;
use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// The directory that the files are saved in.
const DIRECTORY: &str = "clipia-demo";

/// The longest wait for the webhooks once the generations have ended.
const WEBHOOKS_WITHIN: Duration = Duration::from_secs(30);

/// Runs the whole system once: no key, no network, nothing to set up
#[derive(Args)]
#[command(after_help = "\
Examples:
  clipia demo
  clipia demo --no-video")]
pub(crate) struct Options {
    /// Skips the clip, which takes the longest
    #[arg(long)]
    no_video: bool,
}

/// One generation of the demo.
struct Scene {
    kind: &'static str,
    model: &'static str,
    prompt: &'static str,
    file: &'static str,
}

const SCENES: [Scene; 2] = [
    Scene {
        kind: "image",
        model: "nano-banana-2",
        prompt: "a lighthouse in a storm",
        file: "lighthouse.png",
    },
    Scene { kind: "video", model: "seedance-2-fast-t2v", prompt: "waves at dusk", file: "waves.mp4" },
];

pub(crate) async fn run(options: Options, typed: &OsStr) -> anyhow::Result<()> {
    let scenes = if options.no_video { &SCENES[..1] } else { &SCENES[..] };
    let directory = tempfile::tempdir().context("making a temporary directory")?;
    let store = Arc::new(SqliteStore::open(directory.path(), Arc::new(SystemClock))?);
    let config = Config {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        dev: true,
        ..Config::new(directory.path())
    };
    let server = Service::builder(config).store(store).render().start().await?;
    output::say(format_args!("  server   {} (in this process, data in a temporary directory)", server.url()));
    output::say(format_args!("  model    the built-in one: procedural drawings, no trained model"));
    let played = play(&server, scenes).await;
    server.stop().await;
    played?;
    output::say(format_args!(
        "\nNext, start a server that keeps running. It prints what to type in another terminal:"
    ));
    output::say(format_args!("  {} serve --dev", shell::program(typed)));
    Ok(())
}

async fn play(server: &Service, scenes: &[Scene]) -> anyhow::Result<()> {
    let keys = server.first_keys().context("the server made no keys")?;
    let clipia = Clipia::builder().key(&keys.live_key).base_url(server.url()).build()?;
    let mut receiver = Receiver::listen(clipia.webhooks(&keys.webhook_secret)?).await?;
    let before = clipia.account().await?.balance.credits;

    let board = Board::new();
    let generations = scenes.iter().map(|scene| generate(&clipia, scene, &receiver.url, &board));
    let completed = futures_util::future::try_join_all(generations).await?;
    let ids: Vec<RequestId> = completed.iter().map(|completed| completed.id().clone()).collect();
    receiver.wait_for(&ids).await?;
    output::say(format_args!("  webhook  {0} of {0} received, signatures valid", ids.len()));

    let mut saved = Vec::new();
    for (completed, scene) in completed.iter().zip(scenes) {
        saved.push(save(completed, scene).await?.display().to_string());
    }
    let after = clipia.account().await?.balance.credits;
    output::print(&format!("  saved    {}\n  credits  {before} → {after}\n", saved.join(", ")))?;
    check(before, after, &completed)
}

/// Checks that the balance fell by the cost of the generations, and by nothing else.
fn check(before: Credits, after: Credits, completed: &[Completed]) -> anyhow::Result<()> {
    let costs = completed.iter().map(|completed| completed.cost().unwrap_or_default());
    let left = costs.clone().try_fold(before, Credits::checked_sub);
    ensure!(
        left == Some(after),
        "the generations cost {costs:?} credits, but the balance went from {before} to {after}",
        costs = costs.collect::<Vec<_>>()
    );
    Ok(())
}

/// Submits one scene and waits for it.
async fn generate(clipia: &Clipia, scene: &Scene, webhook: &str, board: &Board) -> anyhow::Result<Completed> {
    let started = Instant::now();
    let submitted = clipia.submit(scene.model, json!({ "prompt": scene.prompt })).webhook(webhook).await?;
    let label = format!(
        "{:<7}  {:<19}  {:<25}  {:>3} credits",
        scene.kind,
        scene.model,
        format!("\"{}\"", scene.prompt),
        submitted.cost().unwrap_or_default()
    );
    let mut line = board.line(&label);
    let completed = line.follow(submitted.generation(), None).await?.completed()?;
    line.end(&format!("done in {:.1} s", started.elapsed().as_secs_f64()));
    Ok(completed)
}

/// Downloads the file of a scene, and gives it the scene's file name.
async fn save(completed: &Completed, scene: &Scene) -> anyhow::Result<PathBuf> {
    let downloaded = completed.download(DIRECTORY).await?;
    let [downloaded] = &downloaded[..] else {
        bail!("expected one file to download, got {}", downloaded.len());
    };
    let path = Path::new(DIRECTORY).join(scene.file);
    std::fs::rename(downloaded, &path).with_context(|| format!("renaming to `{}`", path.display()))?;
    Ok(path)
}

/// A receiver of webhooks on this machine, as a user's program would have one. A verified delivery ends a wait.
struct Receiver {
    url: String,
    received: mpsc::UnboundedReceiver<Result<RequestId, Refusal>>,
}

impl Receiver {
    async fn listen(webhooks: Webhooks) -> anyhow::Result<Self> {
        let (sender, received) = mpsc::unbounded_channel();
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}/webhook", listener.local_addr()?);
        let receive = async move |headers: HeaderMap, body: Bytes| {
            let received = webhooks.receive(&headers, &body);
            let status = if received.is_ok() { StatusCode::NO_CONTENT } else { StatusCode::BAD_REQUEST };
            // The channel is closed once the demo has all deliveries; a repeated one still gets its response.
            let _ = sender.send(received.map(|received| received.request_id().clone()));
            status
        };
        let router = Router::new().route("/webhook", post(receive));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, received })
    }

    /// Waits until a verified delivery has arrived for each of `ids`. A delivery may arrive twice.
    async fn wait_for(&mut self, ids: &[RequestId]) -> anyhow::Result<()> {
        let mut missing = ids.to_vec();
        let all = async {
            while !missing.is_empty() {
                match self.received.recv().await {
                    Some(Ok(id)) => missing.retain(|missing| *missing != id),
                    Some(Err(refusal)) => bail!("a webhook was refused: {refusal}"),
                    None => bail!("the receiver of webhooks has ended"),
                }
            }
            Ok(())
        };
        tokio::time::timeout(WEBHOOKS_WITHIN, all).await.context("a webhook did not arrive")?
    }
}
