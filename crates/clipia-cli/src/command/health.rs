//! `clipia health`.

use crate::arguments::Server;
use crate::duration::duration;
use crate::exit::{NotReady, Usage};
use crate::output;
use anyhow::{Context, ensure};
use bytes::BytesMut;
use clap::Args;
use clipia_admin::{Access, AdministrationError};
use clipia_server::outbound::client::{causes, install_tls_provider, start_of_body};
use reqwest::{Client, StatusCode, Url};
use serde::Serialize;
use std::time::Duration;

/// The most bytes of a response that are read and shown.
const SENTENCE_BYTES_MAX: usize = 2 * 1024;

/// Asks a server whether it is ready, for the health check of a container
#[derive(Args)]
#[command(after_help = "\
Asks `/readyz` of the server at `--base-url`, if it is set, and otherwise of the one that runs on the data directory. No key is \
needed. The exit code is 0 if the server is ready, and 6 if it is not or does not respond in time.

Examples:
  clipia health
  clipia health --data /var/lib/clipia
  clipia health --base-url https://queue.example --timeout 5s")]
pub(crate) struct Options {
    #[command(flatten)]
    server: Server,
    /// The server's URL; by default the server that runs on the data directory
    #[arg(long, value_name = "URL", env = "CLIPIA_BASE_URL")]
    base_url: Option<String>,
    /// How long the server has to respond, as `500ms` or `3s`
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = duration)]
    timeout: Duration,
}

/// What is printed.
#[derive(Serialize)]
struct Health {
    url: String,
    ready: bool,
    /// The sentence of the server: what is paused, or why it is not ready.
    says: String,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let Options { server, base_url, timeout } = options;
    install_tls_provider();
    let client = Client::builder()
        .user_agent(concat!("clipia-cli/", env!("CARGO_PKG_VERSION")))
        // A page that a proxy redirects to would respond with 200.
        .redirect(reqwest::redirect::Policy::none());
    let (url, client) = match base_url.filter(|url| !url.is_empty()) {
        Some(url) => {
            let wrong = |error| Usage::new(format!("the base URL `{url}` cannot be called: {error}"));
            (ready_at(&url).map_err(wrong)?, client)
        }
        None => {
            let not_running =
                |source| AdministrationError::NotRunning { data: server.data().to_owned(), source };
            let access = Access::read(server.data()).map_err(not_running)?;
            // The administration's listener has the same probe. No proxy of the environment reaches it.
            let url = ready_at(&access.url).context("reading the address in `admin.json`")?;
            (url, client.no_proxy())
        }
    };
    let health = ask(client.build().context("setting up TLS")?, url, timeout).await?;
    server
        .print(&health, |health| if health.ready { format!("{}\n", health.says) } else { String::new() })?;
    ensure!(
        health.ready,
        NotReady::new(format!("the server at {} is not ready: {}", health.url, health.says))
    );
    Ok(())
}

/// The URL of the probe of the server at `base`.
fn ready_at(base: &str) -> anyhow::Result<Url> {
    let url = Url::parse(&format!("{}/readyz", base.trim_end_matches('/')))?;
    ensure!(matches!(url.scheme(), "http" | "https"), "it begins with neither http:// nor https://");
    Ok(url)
}

async fn ask(client: Client, url: Url, timeout: Duration) -> anyhow::Result<Health> {
    let shown = url.as_str().trim_end_matches("/readyz").to_owned();
    let exchange = async {
        let response = client.get(url).send().await?;
        let status = response.status();
        let mut sentence = BytesMut::new();
        start_of_body(response, SENTENCE_BYTES_MAX, &mut sentence).await;
        Ok::<_, reqwest::Error>((status, String::from_utf8_lossy(&sentence).trim_end().to_owned()))
    };
    let (status, sentence) = match tokio::time::timeout(timeout, exchange).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            // The innermost error only: the outer ones have the URL in them.
            let why = causes(&error).last().map_or_else(String::new, ToString::to_string);
            return Err(NotReady::new(format!("the server at {shown} cannot be reached: {why}")).into());
        }
        Err(_) => {
            return Err(
                NotReady::new(format!("the server at {shown} did not respond within {timeout:?}")).into()
            );
        }
    };
    let says = match status {
        StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE => output::one_line(&sentence),
        // Another program, or a proxy without its server.
        status => format!("`/readyz` responded with {status}"),
    };
    Ok(Health { url: shown, ready: status == StatusCode::OK, says })
}
